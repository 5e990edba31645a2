/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ingress and tc_inject: every verdict and every reason, IPv4 and IPv6, with the
 * counters and events that go with them. All of it once with XDP and once at TC
 * ingress, which differ in one thing: TC cannot reach a worker's socket.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/verdict_host.h"

#define PEER4 "192.0.2.9"
#define PEER6 "2001:db8::9"

enum { WEB, TELNET, DATABASE, OPEN_DB, NEAR, DATABASE6, TELNET6, FILTERS };

static const struct filter_spec specs[FILTERS] = {
	[WEB] = {XI_DIR_IN, XI_ACT_PERMIT, NULL, "me", PROTO_TCP, .local_port = 443},
	[TELNET] = {XI_DIR_IN, XI_ACT_BLOCK, NULL, "me", PROTO_TCP, .local_port = 23},
	[DATABASE] = {XI_DIR_IN, XI_ACT_NEGOTIATE, NULL, "me", PROTO_TCP, .local_port = 5432},
	[OPEN_DB] = {XI_DIR_IN, XI_ACT_NEGOTIATE, NULL, "me", PROTO_TCP, .local_port = 5433,
		     .passthrough = true},
	[NEAR] = {XI_DIR_IN, XI_ACT_NEGOTIATE, "192.0.2.0/24", NULL},
	[DATABASE6] = {XI_DIR_IN, XI_ACT_NEGOTIATE, "2001:db8::/32", "2001:db8::/32"},
	[TELNET6] = {XI_DIR_IN, XI_ACT_BLOCK, "2001:db8::/32", "2001:db8::/32", PROTO_TCP,
		     .local_port = 23},
};

static struct verdict_host host;
static enum xi_hook ingress; /* the hook that this round tests */

static int open_host(void **state)
{
	return verdict_host_open(&host, specs, FILTERS);
}

static int close_host(void **state)
{
	return verdict_host_close(&host);
}

static struct testrun_result in(const struct frame_spec *spec)
{
	return verdict_of(host.run, ingress, spec);
}

static struct testrun_result tcp4(const char *src, const char *dst, uint16_t dport)
{
	return in(&(struct frame_spec){
		.src = src, .dst = dst, .proto = PROTO_TCP, .sport = 50000, .dport = dport});
}

static struct xi_hits hits(unsigned filter)
{
	struct xi_hits counts[FILTERS];

	assert_int_equal(datapath_filter_counts(host.dp, counts, FILTERS), 0);
	return counts[filters_index(host.image, filter)];
}

static void permit_block_and_no_match(void **state)
{
	struct testrun_result result;
	struct xi_totals before, after;
	uint64_t blocked = verdict_reason(host.run, XI_REASON_BLOCKED);

	datapath_totals(host.dp, &before);
	result = tcp4("203.0.113.5", ME4, 443);
	expect_fate(result, PASS, NONE);
	assert_int_equal(result.action, XI_ACT_PERMIT);
	assert_int_equal(result.filter_idx, filters_index(host.image, WEB));
	result = tcp4("203.0.113.5", ME4, 23);
	expect_fate(result, DROP, BLOCKED);
	assert_int_equal(result.filter_idx, filters_index(host.image, TELNET));
	result = tcp4("203.0.113.5", ME4, 80);
	expect_fate(result, PASS, NONE);
	assert_int_equal(result.action, XI_ACT_NONE);
	assert_int_equal(result.filter_idx, XI_NO_FILTER);
	datapath_totals(host.dp, &after);
	assert_int_equal(after.in_permit.packets - before.in_permit.packets, 1);
	assert_int_equal(after.in_block.packets - before.in_block.packets, 1);
	assert_int_equal(after.in_none.packets - before.in_none.packets, 1);
	assert_int_equal(after.in_block.bytes - before.in_block.bytes, 40);
	assert_int_equal(verdict_reason(host.run, XI_REASON_BLOCKED) - blocked, 1);
}

static void me_is_only_me(void **state)
{
	struct testrun_result result = tcp4("203.0.113.5", "198.51.100.1", 23);

	expect_fate(result, PASS, NONE);
	assert_int_equal(result.action, XI_ACT_NONE);
}

/* Addresses of ours that come and go, some of which share a slot of xi_local_slots. */
static void our_addresses_come_and_go(void **state)
{
	struct xi_addr_key keys[6] = {0};
	struct testrun_result result;
	char text[6][16];
	unsigned n = 0;

	for (unsigned i = 0; n < 6 && i < 65536; i++) {
		struct xi_addr_key key = {.addr = {198, 18, i >> 8, i & 0xff}, .family = 4};
		__u64 addr[2], first[2];

		memcpy(addr, key.addr, sizeof(addr));
		memcpy(first, keys[0].addr, sizeof(first));
		if (n && n < 4 && xi_local_slot_of(addr) != xi_local_slot_of(first))
			continue; /* the first four share one, the others have their own */
		keys[n] = key;
		snprintf(text[n++], sizeof(text[0]), "198.18.%u.%u", i >> 8, i & 0xff);
	}
	assert_int_equal(n, 6);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned now = 0; now < 64; now++) { /* now: which of the six are ours */
			for (unsigned i = 0; i < 6; i++)
				assert_int_equal(
					now >> i & 1 ? dp_local_put(host.dp, &keys[i], XI_LOCAL_ME)
						     : dp_local_del(host.dp, &keys[i]),
					0);
			for (unsigned i = 0; i < 6; i++) {
				result = tcp4("203.0.113.5", text[i], 23);
				if (now >> i & 1)
					expect_fate(result, DROP, BLOCKED);
				else
					expect_fate(result, PASS, NONE);
			}
		}
	}
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(dp_local_del(host.dp, &keys[i]), 0);
}

static void expect_me(const char *addr, bool mine)
{
	struct testrun_result result = tcp4("203.0.113.5", addr, 23);

	if (mine)
		expect_fate(result, DROP, BLOCKED);
	else
		expect_fate(result, PASS, NONE);
}

/* A host with more addresses than the map holds, and then with few again: `me` follows. */
static void more_addresses_than_fit(void **state)
{
	static struct xi_addr many[DATAPATH_LOCAL_MAX + 100];
	struct xi_addr few[2] = {verdict_addr(ME4), verdict_addr("198.51.100.9")};
	struct xi_addr both[2] = {verdict_addr(ME4), verdict_addr(ME6)}; /* as it was before */

	for (unsigned i = 0; i < DATAPATH_LOCAL_MAX + 100; i++)
		many[i] = (struct xi_addr){.family = 4, .b = {198, 18, i >> 8, i & 0xff}};
	many[0] = few[0];
	assert_int_equal(datapath_set_local(host.dp, many, DATAPATH_LOCAL_MAX + 100), -E2BIG);
	expect_me(ME4, true);
	/* A new one beside others that are gone: there is room for it. */
	assert_int_equal(datapath_set_local(host.dp, few, 2), 0);
	expect_me(ME4, true);
	expect_me("198.51.100.9", true);
	expect_me("198.18.0.1", false);
	assert_int_equal(datapath_set_local(host.dp, both, 2), 0);
	expect_me("198.51.100.9", false);
}

static void filters_count_packets_and_bytes(void **state)
{
	struct xi_hits before = hits(TELNET);

	for (unsigned i = 0; i < 7; i++)
		in(&(struct frame_spec){.src = "203.0.113.5",
					.dst = ME4,
					.proto = PROTO_TCP,
					.dport = 23,
					.payload = 100,
					.trailer = 6});
	assert_int_equal(hits(TELNET).packets - before.packets, 7);
	assert_int_equal(hits(TELNET).bytes - before.bytes, 7 * 140);
}

static void clear_text_that_must_be_protected(void **state)
{
	struct testrun_result result = tcp4("203.0.113.5", ME4, 5432);

	expect_fate(result, DROP, CLEAR_INBOUND);
	assert_int_equal(result.action, XI_ACT_NEGOTIATE);
	result = in(&(struct frame_spec){
		.src = PEER6, .dst = ME6, .proto = PROTO_UDP, .sport = 1, .dport = 2});
	expect_fate(result, DROP, CLEAR_INBOUND);
	result = in(&(struct frame_spec){
		.src = PEER6, .dst = ME6, .proto = PROTO_TCP, .sport = 1, .dport = 23});
	expect_fate(result, DROP, BLOCKED);
}

static void pass_through_accepts_and_tells(void **state)
{
	struct testrun_result result;
	struct xi_event event;

	verdict_events(host.run, XI_EVENT_CLEAR_ACCEPTED, NULL);
	result = tcp4("203.0.113.77", ME4, 5433);
	expect_fate(result, PASS, NONE);
	result = tcp4("203.0.113.77", ME4, 5433);
	expect_fate(result, PASS, NONE);
	/* Once a second is enough to start one negotiation. */
	assert_int_equal(verdict_events(host.run, XI_EVENT_CLEAR_ACCEPTED, &event), 1);
	assert_int_equal(event.filter_idx, filters_index(host.image, OPEN_DB));
	assert_memory_equal(event.pkt.remote, "\xcb\x00\x71\x4d", 4);
	assert_int_equal(event.generation, datapath_generation(host.dp));
}

static void what_cannot_be_protected_passes(void **state)
{
	static const struct frame_spec cases[] = {
		{.src = PEER4, .dst = "224.0.0.251", .proto = PROTO_UDP, .dport = 5353},
		{.src = PEER4, .dst = "255.255.255.255", .proto = PROTO_UDP, .dport = 67},
		{.src = PEER4, .dst = "192.0.2.255", .proto = PROTO_UDP, .dport = 138},
		{.src = PEER6, .dst = ME6, .proto = PROTO_ICMP6, .icmp_type = 135, .hops = 255},
	};
	struct xi_addr_key key = {.addr = {192, 0, 2, 255}, .family = 4};
	struct testrun_result result;

	/* Not yet known as a broadcast address: an ordinary neighbour. */
	result = in(&cases[2]);
	expect_fate(result, DROP, CLEAR_INBOUND);
	assert_int_equal(dp_local_put(host.dp, &key, XI_LOCAL_BROADCAST), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		result = in(&cases[i]);
		expect_fate(result, PASS, UNSECURABLE);
		assert_int_equal(result.action, XI_ACT_NEGOTIATE);
	}
	assert_int_equal(dp_local_del(host.dp, &key), 0);
}

/* --------------------------------------------------------------- ESP and AH */

static struct xi_sa_params sa_of(const char *me, uint8_t protocol, uint32_t spi)
{
	return (struct xi_sa_params){
		.id = 7, .local = verdict_addr(me), .protocol = protocol, .in.spi = spi};
}

static struct testrun_result esp(const char *src, const char *dst, uint8_t proto, uint32_t spi)
{
	return in(&(struct frame_spec){.src = src, .dst = dst, .proto = proto, .spi = spi});
}

static void esp_of_a_known_spi_goes_to_its_worker(void **state)
{
	struct xi_iface iface = {.xsk_base = 32, .queues = 1};
	uint32_t ifindex = LO, index = 32;
	struct xi_sa_params sa4 = sa_of(ME4, PROTO_ESP, 0x1000);
	struct xi_sa_params sa6 = sa_of(ME6, PROTO_AH, 0x1000);
	int xsk = socket(AF_XDP, SOCK_RAW, 0);
	struct testrun_result result;

	assert_true(xsk >= 0);
	assert_int_equal(datapath_sa_in_add(host.dp, &sa4, XI_PATH_WORKER), 0);
	assert_int_equal(datapath_sa_in_add(host.dp, &sa6, XI_PATH_WORKER), 0);
	/* Nobody there yet: closed, not open. */
	result = esp(PEER4, ME4, PROTO_ESP, 0x1000);
	expect_fate(result, DROP, NO_WORKER);
	assert_int_equal(bpf_map_update_elem(host.dp->map[DP_MAP_IFACE], &ifindex, &iface, 0), 0);
	result = esp(PEER4, ME4, PROTO_ESP, 0x1000);
	expect_fate(result, DROP, NO_WORKER);
	assert_int_equal(bpf_map_update_elem(host.dp->map[DP_MAP_XSKS], &index, &xsk, 0), 0);
	if (ingress == XI_HOOK_XDP_INGRESS) {
		result = esp(PEER4, ME4, PROTO_ESP, 0x1000);
		expect_fate(result, REDIRECT, NONE);
		result = esp(PEER6, ME6, PROTO_AH, 0x1000);
		expect_fate(result, REDIRECT, NONE);
	} else {
		result = esp(PEER4, ME4, PROTO_ESP, 0x1000);
		expect_fate(result, DROP, NO_WORKER);
		result = esp(PEER6, ME6, PROTO_AH, 0x1000);
		expect_fate(result, DROP, NO_WORKER);
	}
	/* RFC 4301 4.1: SPI, protocol and destination together. */
	result = esp(PEER4, ME4, PROTO_AH, 0x1000);
	expect_fate(result, DROP, INVALID_SPI);
	result = esp(PEER4, ME4, PROTO_ESP, 0x1001);
	expect_fate(result, DROP, INVALID_SPI);
	assert_int_equal(datapath_sa_in_del(host.dp, &sa4), 0);
	result = esp(PEER4, ME4, PROTO_ESP, 0x1000);
	expect_fate(result, DROP, INVALID_SPI);
	datapath_sa_in_del(host.dp, &sa6);
	close(xsk);
	/* The kernel took the closed socket out of the map. */
	assert_int_equal(datapath_sa_in_add(host.dp, &sa4, XI_PATH_WORKER), 0);
	result = esp(PEER4, ME4, PROTO_ESP, 0x1000);
	expect_fate(result, DROP, NO_WORKER);
	datapath_sa_in_del(host.dp, &sa4);
	bpf_map_delete_elem(host.dp->map[DP_MAP_IFACE], &ifindex);
}

static void esp_of_the_kernel_passes(void **state)
{
	struct xi_sa_params sa = sa_of(ME4, PROTO_ESP, 0x2000);
	struct testrun_result result;

	assert_int_equal(datapath_sa_in_add(host.dp, &sa, XI_PATH_XFRM), 0);
	result = esp(PEER4, ME4, PROTO_ESP, 0x2000);
	expect_fate(result, PASS, NONE);
	assert_int_equal(datapath_sa_in_add(host.dp, &sa, XI_PATH_DROP), 0);
	result = esp(PEER4, ME4, PROTO_ESP, 0x2000);
	expect_fate(result, DROP, NO_WORKER);
	datapath_sa_in_del(host.dp, &sa);
}

static void unknown_spi_is_told(void **state)
{
	struct testrun_result result;
	struct xi_event event;

	verdict_events(host.run, XI_EVENT_INVALID_SPI, NULL);
	for (unsigned i = 0; i < 5; i++) {
		result = esp("192.0.2.33", ME4, PROTO_ESP, 0xabcdef01);
		expect_fate(result, DROP, INVALID_SPI);
	}
	assert_int_equal(verdict_events(host.run, XI_EVENT_INVALID_SPI, &event), 1);
	assert_int_equal(event.spi, 0xabcdef01);
	assert_int_equal(event.reason, XI_REASON_INVALID_SPI);
}

/* A flood from forged sources fills neither the ring nor the daemon's day. */
static void events_of_a_flood_are_bounded(void **state)
{
	struct frame_spec spec = {.dst = ME4, .proto = PROTO_ESP, .spi = 99};
	char src[32];

	verdict_events(host.run, XI_EVENT_INVALID_SPI, NULL);
	for (unsigned i = 0; i < 2000; i++) {
		struct testrun_result result;

		snprintf(src, sizeof(src), "10.0.%u.%u", i / 250, i % 250 + 1);
		spec.src = src;
		result = in(&spec);
		expect_fate(result, DROP, INVALID_SPI);
	}
	/* 200 in each second that the loop touched; it takes far less than four. */
	assert_in_range(verdict_events(host.run, XI_EVENT_INVALID_SPI, NULL), 1, 800);
}

static void esp_not_to_us_is_ordinary(void **state)
{
	struct testrun_result result = esp(PEER4, "198.51.100.1", PROTO_ESP, 0x3000);

	/* 192.0.2.0/24 is to be protected, whatever it sends. */
	expect_fate(result, DROP, CLEAR_INBOUND);
	result = esp("203.0.113.1", "198.51.100.1", PROTO_ESP, 0x3000);
	expect_fate(result, PASS, NONE);
}

/* ESP passes to the stack, which puts it together for a raw socket; AH is for XFRM alone. */
static void fragments_of_esp_pass_and_of_ah_only_for_xfrm(void **state)
{
	struct frame_spec spec = {.src = PEER4,
				  .dst = ME4,
				  .proto = PROTO_ESP,
				  .spi = 0x1000,
				  .frag_more = 1,
				  .payload = 8};
	uint32_t flags = host.dp->ctl->flags;
	struct testrun_result result = in(&spec);

	expect_fate(result, PASS, NONE);
	spec.frag_off = 5;
	result = in(&spec);
	expect_fate(result, PASS, NONE);
	spec.proto = PROTO_AH;
	result = in(&spec);
	expect_fate(result, DROP, ESP_FRAGMENT);
	host.dp->ctl->flags &= ~XI_CTL_OWNS_ESP;
	result = in(&spec);
	host.dp->ctl->flags = flags;
	expect_fate(result, PASS, NONE);
}

/* ----------------------------------------------------------------- fragments */

static void later_fragments_follow_the_first(void **state)
{
	struct frame_spec first = {.src = "203.0.113.5",
				   .dst = ME4,
				   .proto = PROTO_TCP,
				   .dport = 443,
				   .ident = 100,
				   .frag_more = 1,
				   .payload = 20};
	struct frame_spec later = first;
	struct testrun_result result;

	later.frag_off = 5;
	later.frag_more = 0;
	/* 443 is permitted, but nobody knows yet that this is 443. */
	result = in(&later);
	expect_fate(result, DROP, FRAGMENT);
	result = in(&first);
	expect_fate(result, PASS, NONE);
	result = in(&later);
	expect_fate(result, PASS, NONE);
	assert_int_equal(result.filter_idx, filters_index(host.image, WEB));
	/* Another datagram, another protocol, another sender: not this verdict. */
	later.ident = 101;
	result = in(&later);
	expect_fate(result, DROP, FRAGMENT);
	later.ident = 100;
	later.src = "203.0.113.6";
	result = in(&later);
	expect_fate(result, DROP, FRAGMENT);
}

static void fragments_of_a_blocked_datagram(void **state)
{
	struct frame_spec spec = {.src = "203.0.113.5",
				  .dst = ME4,
				  .proto = PROTO_TCP,
				  .dport = 23,
				  .ident = 200,
				  .frag_more = 1,
				  .payload = 20};
	struct testrun_result result = in(&spec);

	expect_fate(result, DROP, BLOCKED);
	spec.frag_off = 5;
	spec.frag_more = 0;
	result = in(&spec);
	expect_fate(result, DROP, BLOCKED);
	assert_int_equal(result.filter_idx, filters_index(host.image, TELNET));
}

static void ipv6_fragments_follow_by_identification(void **state)
{
	/* The first one's chain ends in TCP, the later one only shows 60. */
	struct frame_spec first = {.src = "2001:db8:1::5",
				   .dst = "2001:db8:2::1",
				   .proto = PROTO_TCP,
				   .dport = 23,
				   .exts = 2,
				   .ext = {44, 60},
				   .ident = 300,
				   .frag_more = 1,
				   .payload = 28};
	struct frame_spec later = first;
	struct testrun_result result = in(&first);

	expect_fate(result, DROP, BLOCKED);
	later.frag_off = 7;
	later.frag_more = 0;
	result = in(&later);
	expect_fate(result, DROP, BLOCKED);
	assert_int_equal(result.filter_idx, filters_index(host.image, TELNET6));
}

/* A cached verdict must not outlive the list that gave it. */
static void fragment_verdicts_end_with_their_list(void **state)
{
	struct frame_spec first = {.src = "203.0.113.5",
				   .dst = ME4,
				   .proto = PROTO_TCP,
				   .dport = 443,
				   .ident = 400,
				   .frag_more = 1,
				   .payload = 20};
	struct frame_spec later = first;
	struct testrun_result result = in(&first);

	later.frag_off = 5;
	later.frag_more = 0;
	expect_fate(result, PASS, NONE);
	assert_int_equal(datapath_swap(host.dp, host.image, NULL), 0);
	result = in(&later);
	expect_fate(result, DROP, FRAGMENT);
}

/* ------------------------------------------------------------------- the rest */

static void interface_class_is_looked_up(void **state)
{
	static const struct filter_spec dial_in[] = {
		{XI_DIR_IN, XI_ACT_BLOCK, NULL, NULL, .remote_access = true},
	};
	struct image *other = filters_compile(dial_in, 1);
	struct xi_iface iface = {.klass = XI_IFACE_REMOTE_ACCESS};
	struct testrun_result result;
	uint32_t ifindex = LO;

	assert_int_equal(datapath_swap(host.dp, other, NULL), 0);
	result = tcp4(PEER4, ME4, 80);
	expect_fate(result, PASS, NONE);
	assert_int_equal(bpf_map_update_elem(host.dp->map[DP_MAP_IFACE], &ifindex, &iface, 0), 0);
	result = tcp4(PEER4, ME4, 80);
	expect_fate(result, DROP, BLOCKED);
	bpf_map_delete_elem(host.dp->map[DP_MAP_IFACE], &ifindex);
	assert_int_equal(datapath_swap(host.dp, host.image, NULL), 0);
	image_free(other);
}

static void drop_events_on_request(void **state)
{
	struct testrun_result result;
	struct xi_event event;

	verdict_events(host.run, XI_EVENT_DROP, NULL);
	result = tcp4("203.0.113.50", ME4, 23);
	expect_fate(result, DROP, BLOCKED);
	assert_int_equal(verdict_events(host.run, XI_EVENT_DROP, NULL), 0);
	host.dp->ctl->flags |= XI_CTL_DROP_EVENTS;
	result = tcp4("203.0.113.50", ME4, 23);
	expect_fate(result, DROP, BLOCKED);
	assert_int_equal(verdict_events(host.run, XI_EVENT_DROP, &event), 1);
	assert_int_equal(event.reason, XI_REASON_BLOCKED);
	assert_int_equal(event.pkt.local_port, 23);
	host.dp->ctl->flags &= ~XI_CTL_DROP_EVENTS;
}

static void without_a_list_nothing_passes(void **state)
{
	struct testrun *bare = verdict_open(NULL, NULL);
	struct frame_spec spec = {.src = PEER4, .dst = ME4, .proto = PROTO_TCP, .dport = 443};
	struct testrun_result result;
	struct frame arp = {.len = 60, .data[12] = 8, .data[13] = 6};

	for (unsigned hook = 0; hook < XI_HOOK_NF_INGRESS; hook++) {
		result = verdict_of(bare, hook, &spec);
		expect_fate(result, DROP, NO_POLICY);
	}
	result = verdict_of_frame(bare, ingress, &arp);
	expect_fate(result, PASS, NONE);
	testrun_close(bare);
}

/* A table that leads nowhere: closed. */
static void a_damaged_list_lets_nothing_pass(void **state)
{
	struct dp_slot *slot = &host.dp->slot[host.dp->ctl->active];
	struct testrun_result result;

	memset(slot->table[XI_TABLE_SPACE].mem, 0xff, slot->table[XI_TABLE_SPACE].bytes);
	result = tcp4("203.0.113.5", ME4, 443);
	expect_fate(result, DROP, NO_POLICY);
	assert_int_equal(datapath_swap(host.dp, host.image, NULL), 0);
	result = tcp4("203.0.113.5", ME4, 443);
	expect_fate(result, PASS, NONE);
}

static void what_came_out_of_esp_is_checked_again(void **state)
{
	struct frame_spec spec = {.src = "203.0.113.5", .dst = ME4, .proto = PROTO_TCP};
	struct testrun_result result;

	spec.dport = 5432;
	result = verdict_of(host.run, XI_HOOK_TC_INJECT, &spec);
	expect_fate(result, PASS, NONE);
	assert_int_equal(result.action, XI_ACT_NEGOTIATE);
	spec.dport = 23;
	result = verdict_of(host.run, XI_HOOK_TC_INJECT, &spec);
	expect_fate(result, DROP, SECURED_BLOCKED);
	spec.dport = 443;
	result = verdict_of(host.run, XI_HOOK_TC_INJECT, &spec);
	expect_fate(result, PASS, NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permit_block_and_no_match),
		cmocka_unit_test(me_is_only_me),
		cmocka_unit_test(our_addresses_come_and_go),
		cmocka_unit_test(more_addresses_than_fit),
		cmocka_unit_test(filters_count_packets_and_bytes),
		cmocka_unit_test(clear_text_that_must_be_protected),
		cmocka_unit_test(pass_through_accepts_and_tells),
		cmocka_unit_test(what_cannot_be_protected_passes),
		cmocka_unit_test(esp_of_a_known_spi_goes_to_its_worker),
		cmocka_unit_test(esp_of_the_kernel_passes),
		cmocka_unit_test(unknown_spi_is_told),
		cmocka_unit_test(events_of_a_flood_are_bounded),
		cmocka_unit_test(esp_not_to_us_is_ordinary),
		cmocka_unit_test(fragments_of_esp_pass_and_of_ah_only_for_xfrm),
		cmocka_unit_test(later_fragments_follow_the_first),
		cmocka_unit_test(fragments_of_a_blocked_datagram),
		cmocka_unit_test(ipv6_fragments_follow_by_identification),
		cmocka_unit_test(fragment_verdicts_end_with_their_list),
		cmocka_unit_test(interface_class_is_looked_up),
		cmocka_unit_test(drop_events_on_request),
		cmocka_unit_test(without_a_list_nothing_passes),
		cmocka_unit_test(a_damaged_list_lets_nothing_pass),
		cmocka_unit_test(what_came_out_of_esp_is_checked_again),
	};

	int failed;

	ingress = XI_HOOK_XDP_INGRESS;
	failed = cmocka_run_group_tests_name("xdp", tests, open_host, close_host);
	ingress = XI_HOOK_TC_INGRESS;
	return failed + cmocka_run_group_tests_name("tc", tests, open_host, close_host);
}
