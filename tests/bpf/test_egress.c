/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tc_egress: verdicts, the way to the worker with the mark that it reads, the
 * forms in which an SA is looked up, and when the daemon is asked for one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "tests/lib/verdict_host.h"

#define PEER4 "198.51.100.9"
#define PEER6 "2001:db8:9::9"

enum { WEB, TELNET, DATABASE, RANGE, HOSTS, HOSTS6, FILTERS };

static const struct filter_spec specs[FILTERS] = {
	[WEB] = {XI_DIR_OUT, XI_ACT_PERMIT, NULL, "me", PROTO_TCP, .remote_port = 443},
	[TELNET] = {XI_DIR_OUT, XI_ACT_BLOCK, NULL, "me", PROTO_TCP, .remote_port = 23},
	[DATABASE] = {XI_DIR_OUT, XI_ACT_NEGOTIATE, NULL, "me", PROTO_TCP, .remote_port = 5432},
	[RANGE] = {XI_DIR_OUT, XI_ACT_NEGOTIATE, NULL, "me", PROTO_UDP, .remote_port = 6000,
		   .remote_port_hi = 6999},
	[HOSTS] = {XI_DIR_OUT, XI_ACT_NEGOTIATE, "198.51.100.0/24", NULL},
	[HOSTS6] = {XI_DIR_OUT, XI_ACT_NEGOTIATE, "2001:db8:9::/48", NULL},
};

static struct verdict_host host;

static int open_host(void **state)
{
	return verdict_host_open(&host, specs, FILTERS);
}

static int close_host(void **state)
{
	return verdict_host_close(&host);
}

/* Pretends that a worker's TAP stands beside the interface. */
static void set_tap(uint32_t tap)
{
	struct xi_iface iface = {.tap_ifindex = tap};
	uint32_t ifindex = LO;

	assert_int_equal(bpf_map_update_elem(host.dp->map[DP_MAP_IFACE], &ifindex, &iface, 0), 0);
}

static struct testrun_result out(const struct frame_spec *spec)
{
	return verdict_of(host.run, XI_HOOK_TC_EGRESS, spec);
}

static struct testrun_result tcp4(const char *dst, uint16_t sport, uint16_t dport)
{
	return out(&(struct frame_spec){
		.src = ME4, .dst = dst, .proto = PROTO_TCP, .sport = sport, .dport = dport});
}

/* The mark in place of the source MAC; the rest of the frame must be untouched. */
static uint32_t marked(const struct testrun_result *result)
{
	uint32_t sa_id;

	assert_int_equal(result->out[6], XI_TAP_MAGIC0);
	assert_int_equal(result->out[7], XI_TAP_MAGIC1);
	memcpy(&sa_id, result->out + 8, 4);
	assert_memory_equal(result->out, "\2\0\0\0\0\1", 6);
	return ntohl(sa_id);
}

static struct xi_sa_params sa_of(uint32_t id, const char *remote, uint8_t proto,
				 uint16_t local_port, uint16_t remote_port)
{
	uint8_t bits = strchr(remote, ':') ? 128 : 32;
	struct xi_addr local = verdict_addr(bits == 32 ? ME4 : ME6), peer = verdict_addr(remote);

	return (struct xi_sa_params){
		.id = id,
		.local = local,
		.remote = peer,
		.protocol = PROTO_ESP,
		.sel = {.local = {local, bits},
			.remote = {peer, bits},
			.proto = proto,
			.local_port = local_port,
			.remote_port = remote_port},
	};
}

static void permit_block_and_no_match(void **state)
{
	struct testrun_result result = tcp4("203.0.113.5", 1, 443);
	struct xi_totals totals;

	expect_fate(result, PASS, NONE);
	assert_int_equal(result.action, XI_ACT_PERMIT);
	assert_int_equal(result.filter_idx, filters_index(host.image, WEB));
	/* Not "accept": the next TC program of the chain has its say. */
	assert_int_equal(result.retval, -1);
	result = tcp4("203.0.113.5", 1, 23);
	expect_fate(result, DROP, BLOCKED);
	result = tcp4("203.0.113.5", 1, 80);
	expect_fate(result, PASS, NONE);
	assert_int_equal(result.action, XI_ACT_NONE);
	assert_int_equal(datapath_totals(host.dp, &totals), 0);
	assert_int_equal(totals.out_permit.packets, 1);
	assert_int_equal(totals.out_block.packets, 1);
	assert_int_equal(totals.out_none.packets, 1);
	assert_int_equal(totals.in_permit.packets, 0);
}

static void without_a_worker_nothing_leaves(void **state)
{
	struct testrun_result result = tcp4("203.0.113.5", 1000, 5432);

	expect_fate(result, DROP, NO_WORKER);
	/* But the negotiation starts all the same. */
	assert_int_equal(verdict_events(host.run, XI_EVENT_NEED_SA, NULL), 1);
}

static void without_an_sa_it_is_held(void **state)
{
	uint64_t held = verdict_reason(host.run, XI_REASON_HELD);
	struct testrun_result result;
	struct xi_event event;

	set_tap(42);
	verdict_events(host.run, XI_EVENT_NEED_SA, NULL);
	result = tcp4("203.0.113.6", 1000, 5432);
	expect_fate(result, REDIRECT, HELD);
	assert_int_equal(marked(&result), XI_SA_HOLD);
	assert_int_equal(verdict_reason(host.run, XI_REASON_HELD) - held, 1);
	assert_int_equal(verdict_events(host.run, XI_EVENT_NEED_SA, &event), 1);
	assert_int_equal(event.filter_idx, filters_index(host.image, DATABASE));
	assert_int_equal(event.pkt.remote_port, 5432);
	assert_int_equal(event.pkt.dir, XI_DIR_OUT);
	assert_memory_equal(event.pkt.remote, "\xcb\x00\x71\x06", 4);
	assert_int_equal(event.ifindex, LO);
}

/* The filter leaves the local port open, so the SA to come will cover every one. */
static void one_request_for_what_one_sa_will_cover(void **state)
{
	verdict_events(host.run, XI_EVENT_NEED_SA, NULL);
	for (uint16_t port = 2000; port < 2020; port++)
		tcp4("203.0.113.7", port, 5432);
	assert_int_equal(verdict_events(host.run, XI_EVENT_NEED_SA, NULL), 1);
	/* Another peer is another SA. */
	tcp4("203.0.113.8", 2000, 5432);
	assert_int_equal(verdict_events(host.run, XI_EVENT_NEED_SA, NULL), 1);
	/* A filter of ports tells ports apart. */
	for (uint16_t port = 6000; port < 6003; port++)
		out(&(struct frame_spec){.src = ME4,
					 .dst = "203.0.113.7",
					 .proto = PROTO_UDP,
					 .sport = 1,
					 .dport = port});
	assert_int_equal(verdict_events(host.run, XI_EVENT_NEED_SA, NULL), 3);
	/* One without a protocol does not. */
	tcp4("198.51.100.77", 1, 80);
	tcp4("198.51.100.77", 1, 81);
	out(&(struct frame_spec){.src = ME4, .dst = "198.51.100.77", .proto = 1, .icmp_type = 8});
	assert_int_equal(verdict_events(host.run, XI_EVENT_NEED_SA, NULL), 1);
}

/* Each SA is more exact than those before it and must win over them. */
static void the_most_exact_sa_carries_the_packet(void **state)
{
	const struct xi_sa_params sas[] = {
		sa_of(1, PEER4, 0, 0, 0),
		sa_of(2, PEER4, PROTO_TCP, 0, 0),
		sa_of(3, PEER4, PROTO_TCP, 0, 8080),
		sa_of(4, PEER4, PROTO_TCP, 777, 0),
		sa_of(5, PEER4, PROTO_TCP, 777, 8080),
	};
	struct testrun_result result;

	set_tap(42);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(datapath_sa_out_add(host.dp, &sas[i], XI_PATH_WORKER), 0);
		result = tcp4(PEER4, 777, 8080);
		expect_fate(result, REDIRECT, NONE);
		assert_int_equal(marked(&result), i + 1);
	}
	/* What a more exact one does not cover falls to the next. */
	result = tcp4(PEER4, 777, 8081);
	assert_int_equal(marked(&result), 4);
	result = tcp4(PEER4, 778, 8080);
	assert_int_equal(marked(&result), 3);
	result = tcp4(PEER4, 778, 8081);
	assert_int_equal(marked(&result), 2);
	result = out(&(struct frame_spec){.src = ME4, .dst = PEER4, .proto = 1, .icmp_type = 8});
	assert_int_equal(marked(&result), 1);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(datapath_sa_out_del(host.dp, &sas[i]), 0);
	result = tcp4(PEER4, 777, 8080);
	expect_fate(result, REDIRECT, HELD);
}

static void a_rekeyed_sa_is_not_removed_with_the_old_one(void **state)
{
	struct xi_sa_params old = sa_of(10, PEER6, 0, 0, 0), new = sa_of(11, PEER6, 0, 0, 0);
	struct frame_spec spec = {.src = ME6, .dst = PEER6, .proto = PROTO_UDP, .dport = 9};
	struct testrun_result result;

	set_tap(42);
	datapath_sa_out_add(host.dp, &old, XI_PATH_WORKER);
	datapath_sa_out_add(host.dp, &new, XI_PATH_WORKER);
	assert_int_equal(datapath_sa_out_del(host.dp, &old), 0);
	result = out(&spec);
	assert_int_equal(marked(&result), 11);
	assert_int_equal(datapath_sa_flush(host.dp), 0);
	result = out(&spec);
	expect_fate(result, REDIRECT, HELD);
}

static void kernel_sas_pass_and_dead_ones_do_not(void **state)
{
	struct xi_sa_params sa = sa_of(20, PEER4, 0, 0, 0);
	struct testrun_result result;

	datapath_sa_out_add(host.dp, &sa, XI_PATH_XFRM);
	result = tcp4(PEER4, 1, 2);
	expect_fate(result, PASS, NONE);
	datapath_sa_out_add(host.dp, &sa, XI_PATH_DROP);
	result = tcp4(PEER4, 1, 2);
	expect_fate(result, DROP, NO_WORKER);
	datapath_sa_out_del(host.dp, &sa);
}

static void a_selector_of_a_subnet_has_no_form(void **state)
{
	struct xi_sa_params sa = sa_of(30, PEER4, 0, 0, 0);

	sa.sel.remote.len = 24;
	assert_int_equal(datapath_sa_out_add(host.dp, &sa, XI_PATH_WORKER), -EOPNOTSUPP);
	sa = sa_of(30, PEER4, 0, 0, 80);
	assert_int_equal(datapath_sa_out_add(host.dp, &sa, XI_PATH_WORKER), -EINVAL);
}

/* A block filter is stronger than any SA: the SA only says how, not whether. */
static void an_sa_opens_nothing_that_is_blocked(void **state)
{
	struct xi_sa_params sa = sa_of(40, "203.0.113.5", 0, 0, 0);
	struct testrun_result result;

	datapath_sa_out_add(host.dp, &sa, XI_PATH_WORKER);
	result = tcp4("203.0.113.5", 1, 23);
	expect_fate(result, DROP, BLOCKED);
	datapath_sa_out_del(host.dp, &sa);
}

static void what_cannot_be_protected_passes(void **state)
{
	static const struct filter_spec all[] = {
		{XI_DIR_OUT, XI_ACT_NEGOTIATE, "0.0.0.0/0", NULL},
		{XI_DIR_OUT, XI_ACT_NEGOTIATE, "::/0", NULL},
	};
	static const struct frame_spec cases[] = {
		{.src = ME4, .dst = "224.0.0.251", .proto = PROTO_UDP, .dport = 5353},
		{.src = ME4, .dst = "255.255.255.255", .proto = PROTO_UDP, .dport = 67},
		{.src = ME4, .dst = "192.0.2.255", .proto = PROTO_UDP, .dport = 138},
		{.src = ME6, .dst = "ff02::2", .proto = PROTO_ICMP6, .icmp_type = 133, .hops = 255},
		{.src = ME6, .dst = PEER6, .proto = PROTO_ICMP6, .icmp_type = 136, .hops = 255},
	};
	struct xi_addr_key key = {.addr = {192, 0, 2, 255}, .family = 4};
	struct image *other = filters_compile(all, 2);
	struct testrun_result result;

	assert_int_equal(datapath_swap(host.dp, other, NULL), 0);
	assert_int_equal(dp_local_put(host.dp, &key, XI_LOCAL_BROADCAST), 0);
	verdict_events(host.run, XI_EVENT_NEED_SA, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		result = out(&cases[i]);
		expect_fate(result, PASS, UNSECURABLE);
	}
	assert_int_equal(verdict_events(host.run, XI_EVENT_NEED_SA, NULL), 0);
	/* A group MAC address under a host's IP address gets nothing through. */
	struct frame frame;

	frame_build(&frame, &(struct frame_spec){.src = ME4, .dst = PEER4, .proto = PROTO_UDP});
	memset(frame.data, 0xff, 6);
	result = verdict_of_frame(host.run, XI_HOOK_TC_EGRESS, &frame);
	expect_fate(result, REDIRECT, HELD);
	assert_int_equal(dp_local_del(host.dp, &key), 0);
	assert_int_equal(datapath_swap(host.dp, host.image, NULL), 0);
	image_free(other);
}

/* RFC 4303 3.3.4: transport mode takes whole datagrams only. */
static void fragments_that_need_protection_are_dropped(void **state)
{
	struct frame_spec spec = {.src = ME4,
				  .dst = PEER4,
				  .proto = PROTO_UDP,
				  .ident = 5,
				  .frag_more = 1,
				  .payload = 8};
	struct testrun_result result = out(&spec);

	expect_fate(result, DROP, FRAGMENT);
	spec.frag_off = 2;
	result = out(&spec);
	expect_fate(result, DROP, FRAGMENT);
}

static void fragments_of_permitted_datagrams_pass(void **state)
{
	struct frame_spec spec = {.src = ME4,
				  .dst = "203.0.113.5",
				  .proto = PROTO_TCP,
				  .dport = 443,
				  .ident = 6,
				  .frag_more = 1,
				  .payload = 12};
	struct testrun_result result = out(&spec);

	expect_fate(result, PASS, NONE);
	spec.frag_off = 4;
	spec.frag_more = 0;
	result = out(&spec);
	expect_fate(result, PASS, NONE);
	assert_int_equal(result.filter_idx, filters_index(host.image, WEB));
}

static void vlan_tags_go_along_to_the_worker(void **state)
{
	struct testrun_result result;
	struct frame frame;

	set_tap(42);
	frame_build(
		&frame,
		&(struct frame_spec){
			.src = ME4, .dst = PEER4, .proto = PROTO_UDP, .vlans = 1, .payload = 100});
	result = verdict_of_frame(host.run, XI_HOOK_TC_EGRESS, &frame);
	expect_fate(result, REDIRECT, HELD);
	assert_int_equal(marked(&result), XI_SA_HOLD);
	assert_int_equal(result.out_len, frame.len);
	assert_memory_equal(result.out + 12, frame.data + 12, frame.len - 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permit_block_and_no_match),
		cmocka_unit_test(without_a_worker_nothing_leaves),
		cmocka_unit_test(without_an_sa_it_is_held),
		cmocka_unit_test(one_request_for_what_one_sa_will_cover),
		cmocka_unit_test(the_most_exact_sa_carries_the_packet),
		cmocka_unit_test(a_rekeyed_sa_is_not_removed_with_the_old_one),
		cmocka_unit_test(kernel_sas_pass_and_dead_ones_do_not),
		cmocka_unit_test(a_selector_of_a_subnet_has_no_form),
		cmocka_unit_test(an_sa_opens_nothing_that_is_blocked),
		cmocka_unit_test(what_cannot_be_protected_passes),
		cmocka_unit_test(fragments_that_need_protection_are_dropped),
		cmocka_unit_test(fragments_of_permitted_datagrams_pass),
		cmocka_unit_test(vlan_tags_go_along_to_the_worker),
	};

	return cmocka_run_group_tests(tests, open_host, close_host);
}
