/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single fragments at the interface: which go up to be put together, which are
 * decided at once, which are dropped, and which are malformed. What becomes of
 * whole packets in fragments is in test_pieces.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/verdict_host.h"

#define PEER4	"192.0.2.9"
#define PEER6	"2001:db8::9"
#define FRIEND4 "203.0.113.5"

/* ---------------------------------------------------------------- the host */

static struct verdict_host host;

static void frames_come_by(enum xi_iface_class klass)
{
	/* For this host, as frame_build() addresses them. */
	struct xi_iface iface = {.mac = {2, 0, 0, 0, 0, 1}, .klass = klass};
	uint32_t ifindex = LO;

	assert_int_equal(bpf_map_update_elem(host.dp->map[DP_MAP_IFACE], &ifindex, &iface, 0), 0);
}

static void reassembly(bool on)
{
	if (on)
		host.dp->ctl->flags |= XI_CTL_DEFRAG4 | XI_CTL_DEFRAG6;
	else
		host.dp->ctl->flags &= ~(XI_CTL_DEFRAG4 | XI_CTL_DEFRAG6);
}

enum { WEB, TELNET, DATABASE, OUTLAWS, WEB6, DIALLED, FILTERS };

static const struct filter_spec specs[FILTERS] = {
	[WEB] = {XI_DIR_IN, XI_ACT_PERMIT, NULL, "me", PROTO_UDP, .local_port = 443},
	[TELNET] = {XI_DIR_IN, XI_ACT_BLOCK, NULL, "me", PROTO_UDP, .local_port = 23},
	[DATABASE] = {XI_DIR_IN, XI_ACT_NEGOTIATE, NULL, "me", PROTO_UDP, .local_port = 5432},
	[OUTLAWS] = {XI_DIR_IN, XI_ACT_BLOCK, "198.51.100.0/24", NULL},
	[WEB6] = {XI_DIR_IN, XI_ACT_PERMIT, "2001:db8::/32", "me", PROTO_UDP, .local_port = 443},
	[DIALLED] = {XI_DIR_IN, XI_ACT_BLOCK, "203.0.113.64/26", NULL, .remote_access = true},
};

static int open_host(void **state)
{
	verdict_host_open(&host, specs, FILTERS);
	frames_come_by(XI_IFACE_LAN);
	return 0;
}

static int close_host(void **state)
{
	return verdict_host_close(&host);
}

static struct testrun_result in(const struct frame_spec *spec)
{
	return verdict_of(host.run, XI_HOOK_XDP_INGRESS, spec);
}

/* ---------------------------------------------------------- what goes up, and what not */

static uint16_t next_ident = 1;

static struct frame_spec later4(const char *src, const char *dst, uint8_t proto)
{
	return (struct frame_spec){.src = src,
				   .dst = dst,
				   .proto = proto,
				   .ident = next_ident++,
				   .frag_off = 50,
				   .payload = 60};
}

static void a_lone_piece_waits_where_it_is_put_together(void **state)
{
	struct frame_spec spec = later4(FRIEND4, ME4, PROTO_UDP);
	struct testrun_result result;

	reassembly(true);
	result = in(&spec);
	expect_fate(result, PASS, REASSEMBLY);
	reassembly(false);
	result = in(&spec);
	expect_fate(result, DROP, FRAGMENT);
}

/* Whoever it is for may be behind a bridge, a macvlan or in another namespace. */
static void it_waits_only_on_the_way_to_our_own_stack(void **state)
{
	struct frame_spec spec = later4(FRIEND4, ME4, PROTO_UDP);
	struct testrun_result result;
	struct frame frame;

	reassembly(true);
	frame_build(&frame, &spec);
	frame.data[5] ^= 1;
	result = verdict_of_frame(host.run, XI_HOOK_XDP_INGRESS, &frame);
	expect_fate(result, DROP, FRAGMENT);
	spec.vlans = 1;
	result = in(&spec);
	expect_fate(result, DROP, FRAGMENT);
	reassembly(false);
}

static void pieces_for_others_are_judged_one_by_one(void **state)
{
	struct frame_spec spec = later4("198.51.100.7", "203.0.113.77", PROTO_UDP);
	struct testrun_result result;

	reassembly(true);
	result = in(&spec);
	assert_int_equal(result.fate, TESTRUN_DROP);
	spec.src = FRIEND4;
	result = in(&spec);
	expect_fate(result, PASS, NONE);
	reassembly(false);
}

static void what_ports_cannot_change_is_decided_at_once(void **state)
{
	struct frame_spec tcp = later4("198.51.100.7", ME4, PROTO_TCP);
	struct testrun_result result;

	reassembly(true);
	result = in(&tcp);
	expect_fate(result, DROP, BLOCKED);
	assert_int_equal(result.filter_idx, filters_index(host.image, OUTLAWS));
	reassembly(false);
}

static void pieces_of_a_blocked_datagram_do_not_go_up(void **state)
{
	struct frame_spec spec = later4(FRIEND4, ME4, PROTO_UDP);
	struct testrun_result result;

	reassembly(true);
	spec.frag_off = 0;
	spec.frag_more = 1;
	spec.payload = 64;
	spec.dport = 23;
	result = in(&spec);
	expect_fate(result, DROP, BLOCKED);
	spec.frag_off = 9;
	spec.frag_more = 0;
	result = in(&spec);
	expect_fate(result, DROP, BLOCKED);
	/* One that must be protected neither. */
	spec = later4(FRIEND4, ME4, PROTO_UDP);
	spec.frag_off = 0;
	spec.frag_more = 1;
	spec.payload = 64;
	spec.dport = 5432;
	result = in(&spec);
	expect_fate(result, DROP, CLEAR_INBOUND);
	spec.frag_off = 9;
	spec.frag_more = 0;
	result = in(&spec);
	expect_fate(result, DROP, CLEAR_INBOUND);
	reassembly(false);
}

/* Whole, it would have another verdict there. */
static void a_piece_does_not_follow_one_of_another_class_of_interface(void **state)
{
	struct frame_spec spec = later4("203.0.113.70", "203.0.113.9", PROTO_UDP);
	struct frame_spec first = spec;
	struct testrun_result result;

	first.frag_off = 0;
	first.frag_more = 1;
	first.payload = 64;
	result = in(&first);
	expect_fate(result, PASS, NONE);
	result = in(&spec);
	expect_fate(result, PASS, NONE);
	frames_come_by(XI_IFACE_REMOTE_ACCESS);
	result = in(&spec);
	expect_fate(result, DROP, BLOCKED);
	assert_int_equal(result.filter_idx, filters_index(host.image, DIALLED));
	/* Nor does one that is blocked there change what is true of the first. */
	result = in(&first);
	expect_fate(result, DROP, BLOCKED);
	frames_come_by(XI_IFACE_LAN);
	result = in(&spec);
	expect_fate(result, PASS, NONE);
}

/* What comes from the wire never meets what the host sends to itself. */
static void our_own_address_does_not_come_from_outside(void **state)
{
	struct frame_spec spec = later4(ME4, ME4, PROTO_UDP);
	struct testrun_result result;

	reassembly(true);
	result = in(&spec);
	expect_fate(result, DROP, FRAGMENT);
	reassembly(false);
}

/* RFC 8200 4.5: the protocol in a later fragment's header is not the packet's. */
static void a_lone_piece_of_ipv6_proves_nothing(void **state)
{
	struct frame_spec spec = {.src = PEER6,
				  .dst = ME6,
				  .proto = 89,
				  .exts = 1,
				  .ext = {44},
				  .ident = 77,
				  .frag_off = 50,
				  .payload = 60};
	struct testrun_result result = in(&spec);

	expect_fate(result, DROP, FRAGMENT);
	reassembly(true);
	result = in(&spec);
	expect_fate(result, PASS, REASSEMBLY);
	reassembly(false);
}

static void absurd_pieces_are_malformed(void **state)
{
	struct frame_spec spec = later4(FRIEND4, ME4, PROTO_UDP);
	struct testrun_result result;

	spec.frag_off = 8191; /* ends beyond 65,535 */
	result = in(&spec);
	expect_fate(result, DROP, MALFORMED);
	spec.frag_off = 50;
	spec.payload = 0;
	result = in(&spec);
	expect_fate(result, DROP, MALFORMED);
	spec.frag_more = 1;
	spec.payload = 63; /* in the middle, and not of eight bytes */
	result = in(&spec);
	expect_fate(result, DROP, MALFORMED);
	/* RFC 3128: over the flags of TCP. */
	spec = later4(FRIEND4, ME4, PROTO_TCP);
	spec.frag_off = 1;
	result = in(&spec);
	expect_fate(result, DROP, MALFORMED);
	/* RFC 6980: neighbour discovery comes whole, or is like any other ICMP. */
	spec = (struct frame_spec){.src = PEER6,
				   .dst = ME6,
				   .proto = PROTO_ICMP6,
				   .icmp_type = 135,
				   .hops = 255,
				   .exts = 1,
				   .ext = {44},
				   .frag_more = 1,
				   .payload = 24};
	assert_false(in(&spec).pkt.flags & XI_PKT_ND);
	/* Two fragment headers. */
	spec.exts = 2;
	spec.ext[1] = 44;
	result = in(&spec);
	expect_fate(result, DROP, MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lone_piece_waits_where_it_is_put_together),
		cmocka_unit_test(it_waits_only_on_the_way_to_our_own_stack),
		cmocka_unit_test(pieces_for_others_are_judged_one_by_one),
		cmocka_unit_test(what_ports_cannot_change_is_decided_at_once),
		cmocka_unit_test(pieces_of_a_blocked_datagram_do_not_go_up),
		cmocka_unit_test(a_piece_does_not_follow_one_of_another_class_of_interface),
		cmocka_unit_test(our_own_address_does_not_come_from_outside),
		cmocka_unit_test(a_lone_piece_of_ipv6_proves_nothing),
		cmocka_unit_test(absurd_pieces_are_malformed),
	};

	return cmocka_run_group_tests(tests, open_host, close_host);
}
