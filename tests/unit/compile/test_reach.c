/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unreachable filters: each way in which the order of precedence lets others
 * take everything from a filter, and ways that look like it and are not; then
 * random lists from very few values, where every kind of packet that a filter can
 * tell from others is tried: a filter is called unreachable exactly if it never
 * decides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../lib/compile_text.h"
#include "compile/reach.h"
#include "util/addr.h"

#define PLENTY 100000000
#define LISTS  600

/* The state of the best filter of rule `name`, and the rules that took it, as one line. */
static void expect_reach(const char *text, const struct compile_opts *opts, const char *rule,
			 enum reach_state state, const char *by)
{
	struct compile_opts none = {.no_tables = true};
	struct image *image = compile_text(text, opts ? opts : &none, 0, NULL);
	struct reach *reach = calloc(image->count, sizeof(*reach));
	char names[200] = "";
	size_t i = 0;

	assert_int_equal(
		reach_find(image->filters, image->count, opts ? opts : &none, PLENTY, reach), 0);
	while (i < image->count && strcmp(image->filters[i].rule_name, rule))
		i++;
	assert_true(i < image->count);
	for (uint32_t k = 0; k < reach[i].by_count && k < REACH_NAMED; k++)
		sprintf(names + strlen(names), "%s%s", k ? " " : "",
			image->filters[reach[i].by[k]].rule_name);
	if (reach[i].state != state || strcmp(names, by))
		print_error("filter %u of '%s': state %d by '%s'\n", image->filters[i].id, rule,
			    reach[i].state, names);
	assert_int_equal(reach[i].state, state);
	assert_string_equal(names, by);
	free(reach);
	image_free(image);
}

#define ENTRY(name, entry) "  " name ": [" entry "]\n"
#define RULE(name, action) "  - {name: " name ", filter-list: " name ", action: " action "}\n"

static void a_port_range_is_covered_by_smaller_ones(void **unused)
{
	static const char all[] = "filter-lists:\n" ENTRY(
		"low", "{src: any, dst: me, proto: tcp, dst-port: 80-84, mirrored: false}")
		ENTRY("high", "{src: any, dst: me, proto: tcp, dst-port: 85-89, mirrored: false}")
			ENTRY("range", "{src: any, dst: me, proto: tcp, dst-port: 80-89, mirrored: "
				       "false}") "rules:\n" RULE("low", "permit")
				RULE("high", "permit") RULE("range", "permit");
	static const char gap[] = "filter-lists:\n" ENTRY(
		"low", "{src: any, dst: me, proto: tcp, dst-port: 80-83, mirrored: false}")
		ENTRY("high", "{src: any, dst: me, proto: tcp, dst-port: 85-89, mirrored: false}")
			ENTRY("range", "{src: any, dst: me, proto: tcp, dst-port: 80-89, mirrored: "
				       "false}") "rules:\n" RULE("low", "permit")
				RULE("high", "permit") RULE("range", "permit");

	expect_reach(all, NULL, "range", REACH_NEVER, "low high");
	expect_reach(gap, NULL, "range", REACH_DECIDES, "");
}

/* A filter that blocks covers later fragments whatever ports it asks for; a permit does not. */
static void a_block_filter_may_be_left_with_later_fragments(void **unused)
{
	expect_reach(
		"filter-lists:\n" ENTRY(
			"low", "{src: any, dst: me, proto: udp, dst-port: 1-2, mirrored: false}")
			ENTRY("high",
			      "{src: any, dst: me, proto: udp, dst-port: 3-4, mirrored: false}")
				ENTRY("range", "{src: any, dst: me, proto: udp, dst-port: 1-4, "
					       "mirrored: false}") "rules:\n" RULE("low", "permit")
					RULE("high", "permit") RULE("range", "block"),
		NULL, "range", REACH_FRAGMENTS, "low high");
}

static void halves_of_a_network_cover_it(void **unused)
{
	static const char text[] = "filter-lists:\n" ENTRY(
		"left", "{src: 10.0.0.0/9, dst: me, "
			"mirrored: false}") ENTRY("right", "{src: [10.128.0.0/10, 10.192.0.0/10], "
							   "dst: me, mirrored: false}")
		ENTRY("whole", "{src: 10.0.0.0/8, dst: me, mirrored: false}") "rules:\n" RULE(
			"left", "permit") RULE("right", "permit") RULE("whole", "block");
	static const char only_tcp[] = "filter-lists:\n" ENTRY(
		"left", "{src: 10.0.0.0/9, dst: me, mirrored: false}")
		ENTRY("right", "{src: 10.128.0.0/9, dst: me, proto: tcp, mirrored: false}") ENTRY(
			"whole",
			"{src: 10.0.0.0/8, dst: me, mirrored: false}") "rules:\n" RULE("left",
										       "permit")
			RULE("right", "permit") RULE("whole", "block");
	static const char six[] = "filter-lists:\n" ENTRY(
		"left", "{src: \"8000::/1\", dst: me, mirrored: false}")
		ENTRY("right", "{src: \"::/1\", dst: me, mirrored: false}")
			ENTRY("whole", "{src: \"::/0\", dst: me, mirrored: false}") "rules:\n" RULE(
				"left", "permit") RULE("right", "permit") RULE("whole", "block");

	expect_reach(text, NULL, "whole", REACH_NEVER, "left right right");
	expect_reach(only_tcp, NULL, "whole", REACH_DECIDES, "");
	expect_reach(six, NULL, "whole", REACH_NEVER, "right left");
}

/* What the halves of a network take, whatever its own filters ask for, is asked once for all. */
static void halves_take_one_protocol_or_our_own_addresses(void **unused)
{
#define HALVES(rest)                                                                               \
	"filter-lists:\n" ENTRY("left", "{src: 10.0.0.0/9, mirrored: false, " rest "}")            \
		ENTRY("right", "{src: 10.128.0.0/9, mirrored: false, " rest "}")
#define WHOLE(rest)                                                                                \
	ENTRY("whole", "{src: 10.0.0.0/8, mirrored: false, " rest "}")                             \
	"rules:\n" RULE("left", "permit") RULE("right", "permit") RULE("whole", "block")

	expect_reach(HALVES("dst: me, proto: tcp") WHOLE("dst: me, proto: tcp, dst-port: 80"), NULL,
		     "whole", REACH_NEVER, "left right");
	expect_reach(HALVES("dst: me, proto: tcp") WHOLE("dst: me, proto: udp, dst-port: 80"), NULL,
		     "whole", REACH_DECIDES, "");
	expect_reach(HALVES("dst: me, proto: tcp") WHOLE("dst: me"), NULL, "whole", REACH_DECIDES,
		     "");
	expect_reach(HALVES("dst: me") WHOLE("dst: me, proto: udp, dst-port: 80"), NULL, "whole",
		     REACH_NEVER, "left right");
	/* Who is not `me` is left to it. */
	expect_reach(HALVES("dst: me") WHOLE("dst: any, proto: udp, dst-port: 80"), NULL, "whole",
		     REACH_DECIDES, "");
	expect_reach(HALVES("dst: 192.0.2.0/24") WHOLE("dst: me"), NULL, "whole", REACH_DECIDES,
		     "");
	expect_reach(HALVES("dst: 0.0.0.0/0") WHOLE("dst: me, proto: tcp"), NULL, "whole",
		     REACH_NEVER, "left right");
}

/* All ports of TCP, permitted: of a later fragment that shows none, nobody but a block filter. */
static void halves_take_all_but_later_fragments(void **unused)
{
	expect_reach(
		"filter-lists:\n" ENTRY("low", "{src: [10.0.0.0/9, 10.128.0.0/9], dst: any, "
					       "proto: tcp, dst-port: 0-1023, mirrored: false}")
			ENTRY("high", "{src: [10.0.0.0/9, 10.128.0.0/9], dst: any, proto: tcp, "
				      "dst-port: 1024-65535, mirrored: false}")
				ENTRY("whole",
				      "{src: 10.0.0.0/8, dst: any, proto: tcp, "
				      "dst-port: 80, mirrored: false}") "rules:\n" RULE("low",
											"permit")
					RULE("high", "permit") RULE("whole", "block"),
		NULL, "whole", REACH_FRAGMENTS, "low high low high");
}

static void a_builtin_exemption_takes_a_rule_for_the_same_port(void **unused)
{
	/* A negotiate action brings the exemption of IKE along. */
	static const char text[] = "filter-lists:\n" ENTRY("other", "{src: me, dst: 10.0.0.0/8}")
		ENTRY("ike", "{src: any, dst: me, proto: udp, dst-port: 500, mirrored: false}")
			ENTRY("more",
			      "{src: any, dst: me, proto: udp, dst-port: 499-500, "
			      "mirrored: false}") "rules:\n" RULE("other",
								  "protect, auth: [kerberos]")
				RULE("ike", "permit") RULE("more", "permit");

	expect_reach(text, NULL, "ike", REACH_NEVER, "exempt:ike");
	expect_reach(text, NULL, "more", REACH_DECIDES, "");
}

static void every_icmp_type_given_leaves_nothing(void **unused)
{
	char text[20000] = "filter-lists:\n  types:\n";
	size_t types = 256;

	for (int round = 0; round < 2; round++, types--) {
		text[strlen("filter-lists:\n  types:\n")] = 0;
		for (size_t i = 0; i < types; i++)
			sprintf(text + strlen(text),
				"    - {src: any, dst: me, proto: icmp, icmp-type: %zu, "
				"mirrored: false}\n",
				i);
		strcat(text,
		       ENTRY("icmp",
			     "{src: any, dst: me, proto: icmp, mirrored: false}") "rules:\n" RULE("types",
												  "block")
			       RULE("icmp", "permit"));
		expect_reach(text, NULL, "icmp", round ? REACH_DECIDES : REACH_NEVER,
			     round ? "" : "types types types types");
	}
}

/* The remote side's ports decide before the local side's. */
static void of_two_port_sets_the_union_is_two_dimensional(void **unused)
{
	static const char text[] = "filter-lists:\n" ENTRY(
		"left",
		"{src: any, dst: me, proto: tcp, src-port: 1-5, dst-port: 1-10, mirrored: false}")
		ENTRY("right",
		      "{src: any, dst: me, proto: tcp, src-port: 6-10, dst-port: 1-10, mirrored: "
		      "false}") ENTRY("whole", "{src: any, dst: me, proto: tcp, src-port: 1-10, "
					       "dst-port: 1-10, mirrored: false}")
			ENTRY("tall", "{src: any, dst: me, proto: tcp, src-port: 1-10, dst-port: "
				      "1-11, mirrored: false}") "rules:\n" RULE("left", "permit")
				RULE("right", "permit") RULE("whole", "permit")
					RULE("tall", "permit");

	expect_reach(text, NULL, "whole", REACH_NEVER, "left right");
	expect_reach(text, NULL, "tall", REACH_DECIDES, "");
}

static void me_takes_an_address_that_is_surely_ours(void **unused)
{
	static const char text[] = "filter-lists:\n" ENTRY(
		"addr", "{src: 10.0.0.0/8, dst: 192.0.2.1, mirrored: false}")
		ENTRY("us", "{src: 10.0.0.0/8, dst: me, mirrored: false}") "rules:\n" RULE(
			"addr", "permit") RULE("us", "block");
	struct compile_opts opts = {.no_tables = true, .me_count = 1};
	struct xi_addr me;

	xi_addr_parse("192.0.2.1", &me);
	opts.me = &me;
	expect_reach(text, &opts, "addr", REACH_NEVER, "us");
	expect_reach(text, NULL, "addr", REACH_DECIDES, "");
}

static void without_a_budget_nothing_is_claimed(void **unused)
{
	struct compile_opts opts = {.no_tables = true};
	struct image *image = compile_text(
		"filter-lists:\n" ENTRY(
			"low", "{src: any, dst: me, proto: tcp, dst-port: 80-84, mirrored: false}")
			ENTRY("high",
			      "{src: any, dst: me, proto: tcp, dst-port: 85-89, mirrored: false}")
				ENTRY("range", "{src: any, dst: me, proto: tcp, dst-port: 80-89, "
					       "mirrored: false}") "rules:\n" RULE("low", "permit")
					RULE("high", "permit") RULE("range", "permit"),
		&opts, 0, NULL);
	struct reach reach[12];
	size_t unknown = 0;

	assert_true(image->count <= 12);
	assert_int_equal(reach_find(image->filters, image->count, &opts, 16, reach), 0);
	for (size_t i = 0; i < image->count; i++) {
		assert_true(reach[i].state != REACH_NEVER);
		unknown += reach[i].state == REACH_UNKNOWN;
	}
	assert_true(unknown > 0);
	image_free(image);
}

/* ------------------------------------------------------------ small universe */

static uint32_t random_state;

static uint32_t draw(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % limit;
}

/* Prefixes of up to `bits` bits and one address; `place` is one part, the last one the address. */
static struct xi_addr place_addr(uint8_t family, int bits, int place)
{
	struct xi_addr addr = {.family = family};

	if (place == 1 << bits)
		addr.b[3] = 7;
	else
		addr.b[0] = place << (8 - bits);
	return addr;
}

static struct xi_prefix random_prefix(uint8_t family, int bits)
{
	struct xi_prefix prefix = {.len = draw(bits + 2)};

	if (prefix.len == bits + 1) {
		prefix.addr = place_addr(family, bits, 1 << bits);
		prefix.len = family == 4 ? 32 : 128;
	} else {
		prefix.addr = place_addr(family, bits, draw(1 << bits));
		xi_addr_mask(&prefix.addr, prefix.len);
	}
	return prefix;
}

#define REMOTE_BITS 2
#define LOCAL_BITS  1

/* Three pieces: 0-99, 100-199 and the rest. */
static const uint16_t port_from[4] = {0, 100, 200};

static void random_ports(uint16_t *lo, uint16_t *hi)
{
	int a = draw(3), b = a + draw(3 - a);

	if (draw(2))
		a = 0, b = 2;
	*lo = port_from[a];
	*hi = port_from[b + 1] - 1;
}

static const uint8_t protos[] = {6, 17, 1, 47, 58};

static struct filter random_filter(uint32_t id, uint8_t family)
{
	struct filter f = {.id = id,
			   .rule = id,
			   .rule_name = "r",
			   .dir = draw(12) ? XI_DIR_IN : XI_DIR_OUT,
			   .band = draw(12) ? XI_BAND_RULES : XI_BAND_EXEMPTION,
			   .action = 1 + draw(3),
			   .family = draw(12) ? family : 10 - family,
			   .remote_port_hi = 65535,
			   .local_port_hi = 65535,
			   .icmp_type = -1,
			   .icmp_code = -1,
			   .iface_class = draw(6) ? -1 : (int)draw(2)};

	f.remote = random_prefix(f.family, REMOTE_BITS);
	f.local = random_prefix(f.family, LOCAL_BITS);
	f.local_is_me = !draw(3);
	if (f.local_is_me)
		f.local = (struct xi_prefix){.addr.family = f.family};
	f.proto_given = draw(2);
	f.proto = f.proto_given ? protos[draw(3)] : 0;
	if (f.proto_given && f.proto == 1 && draw(2)) {
		f.icmp_type = 8 * draw(2);
		f.icmp_code = (int)draw(2) - 1;
	} else if (f.proto_given && f.proto != 1) {
		random_ports(&f.remote_port_lo, &f.remote_port_hi);
		random_ports(&f.local_port_lo, &f.local_port_hi);
	}
	return f;
}

struct winners {
	bool whole[64], frag[64];
};

static void try_packet(const struct image *image, struct xi_pkt *pkt, struct winners *won)
{
	struct xi_verdict v = model_classify(image, pkt);

	if (v.filter_idx != XI_NO_FILTER)
		(pkt->flags & XI_PKT_LATER_FRAG ? won->frag : won->whole)[v.filter_idx] = true;
}

/* Every kind of upper layer at one pair of addresses. */
static void try_upper(const struct image *image, struct xi_pkt *pkt, struct winners *won)
{
	for (size_t p = 0; p < sizeof(protos); p++) {
		pkt->proto = protos[p];
		pkt->flags |= XI_PKT_LATER_FRAG;
		try_packet(image, pkt, won);
		pkt->flags &= ~XI_PKT_LATER_FRAG;
		for (int i = 0; i < 9; i++) {
			pkt->remote_port = port_from[i / 3];
			pkt->local_port = port_from[i % 3];
			pkt->icmp_type = (i / 3) * 8;
			pkt->icmp_code = i % 3;
			try_packet(image, pkt, won);
		}
	}
}

static void try_all(const struct image *image, uint8_t family, const struct xi_addr *me,
		    struct winners *won)
{
	for (int r = 0; r <= 1 << REMOTE_BITS; r++) {
		for (int l = 0; l <= 1 << LOCAL_BITS; l++) {
			struct xi_addr remote = place_addr(family, REMOTE_BITS, r);
			struct xi_addr local = place_addr(family, LOCAL_BITS, l);

			for (int k = 0; k < 8; k++) {
				struct xi_pkt pkt = {.family = family,
						     .dir = k & 1 ? XI_DIR_OUT : XI_DIR_IN,
						     .iface_class = k >> 1 & 1,
						     .flags = k & 4 ? XI_PKT_LOCAL_IS_ME : 0};

				if (me && xi_addr_equal(me, &local) && !pkt.flags)
					continue;
				memcpy(pkt.remote, remote.b, 16);
				memcpy(pkt.local, local.b, 16);
				try_upper(image, &pkt, won);
			}
		}
	}
}

static void check_list(struct image *image, const struct compile_opts *opts, size_t found[4])
{
	struct reach *reach = calloc(image->count, sizeof(*reach));
	struct winners won = {0};

	assert_int_equal(reach_find(image->filters, image->count, opts, PLENTY, reach), 0);
	try_all(image, 4, opts->me, &won);
	try_all(image, 6, NULL, &won);
	for (size_t i = 0; i < image->count; i++) {
		enum reach_state want = won.whole[i]  ? REACH_DECIDES
					: won.frag[i] ? REACH_FRAGMENTS
						      : REACH_NEVER;

		if (image->filters[i].band != XI_BAND_RULES)
			continue;
		if (reach[i].state != want) {
			char *lines = image_lines(image);

			for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"))
				print_error("%s\n", line);
			print_error("place %zu, filter %u: %d, should be %d\n", i,
				    image->filters[i].id, reach[i].state, want);
			free(lines);
		}
		assert_int_equal(reach[i].state, want);
		found[want]++;
		for (uint32_t k = 0; k < reach[i].by_count && k < REACH_NAMED; k++)
			assert_true(reach[i].by[k] < i);
		assert_true(want == REACH_DECIDES || reach[i].by_count > 0);
	}
	free(reach);
}

static void what_is_called_unreachable_never_decides_and_all_is_found(void **unused)
{
	struct xi_addr me = place_addr(4, LOCAL_BITS, 1 << LOCAL_BITS);
	size_t found[4] = {0};

	for (uint32_t list = 0; list < LISTS; list++) {
		struct compile_opts opts = {.no_tables = true};
		struct filter filters[60];
		size_t count;
		struct image *image;

		random_state = list * 7919 + 1;
		count = 5 + draw(55);
		for (size_t i = 0; i < count; i++)
			filters[i] = random_filter(i + 1, list & 1 ? 6 : 4);
		opts.me = list & 2 ? &me : NULL;
		opts.me_count = list & 2 ? 1 : 0;
		assert_int_equal(compile_filters(filters, count, NULL, &opts, &image, NULL), 0);
		check_list(image, &opts, found);
		image_free(image);
	}
	print_message("%zu filters decide, %zu about fragments only, %zu never\n",
		      found[REACH_DECIDES], found[REACH_FRAGMENTS], found[REACH_NEVER]);
	assert_true(found[REACH_NEVER] > 1000 && found[REACH_FRAGMENTS] > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_range_is_covered_by_smaller_ones),
		cmocka_unit_test(a_block_filter_may_be_left_with_later_fragments),
		cmocka_unit_test(halves_of_a_network_cover_it),
		cmocka_unit_test(halves_take_one_protocol_or_our_own_addresses),
		cmocka_unit_test(halves_take_all_but_later_fragments),
		cmocka_unit_test(a_builtin_exemption_takes_a_rule_for_the_same_port),
		cmocka_unit_test(every_icmp_type_given_leaves_nothing),
		cmocka_unit_test(of_two_port_sets_the_union_is_two_dimensional),
		cmocka_unit_test(me_takes_an_address_that_is_surely_ours),
		cmocka_unit_test(without_a_budget_nothing_is_claimed),
		cmocka_unit_test(what_is_called_unreachable_never_decides_and_all_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
