/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a filter entry becomes: directions from `me`, mirroring, families,
 * ranges as prefixes, ids that do not move, exemptions as rows.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../lib/compile_text.h"
#include "util/addr.h"

#define ONE_RULE(entry, action)                                                                    \
	"filter-lists: {list: [" entry "]}\n"                                                      \
	"rules: [{name: r, filter-list: list, action: " action "}]\n"

static void to_me_is_inbound_and_mirrored_back(void **unused)
{
	expect_filters(ONE_RULE("{src: 10.0.0.0/8, dst: me, proto: tcp, dst-port: 443}", "permit"),
		       NULL,
		       "1 r in permit 6 10.0.0.0/8:any me4:443\n"
		       "4 r out permit 6 10.0.0.0/8:any me4:443\n");
}

static void from_me_is_outbound(void **unused)
{
	expect_filters(ONE_RULE("{src: me, dst: 10.0.0.0/8, proto: tcp, dst-port: 443, "
				"mirrored: false}",
				"permit"),
		       NULL, "2 r out permit 6 10.0.0.0/8:443 me4:any\n");
}

/* Source and destination change places; remote and local do not mix. */
static void without_me_both_directions_as_written(void **unused)
{
	expect_filters(ONE_RULE("{src: 10.0.0.0/8, dst: 192.0.2.0/24, proto: udp, dst-port: 53, "
				"mirrored: false}",
				"block"),
		       NULL,
		       "2 r out block 17 192.0.2.0/24:53 10.0.0.0/8:any\n"
		       "1 r in block 17 10.0.0.0/8:any 192.0.2.0/24:53\n");
}

static void mirrored_without_me_makes_four(void **unused)
{
	expect_filters(
		ONE_RULE("{src: 10.0.0.0/8, dst: 192.0.2.0/24, proto: udp, dst-port: 53}", "block"),
		NULL,
		"2 r out block 17 192.0.2.0/24:53 10.0.0.0/8:any\n"
		"3 r in block 17 192.0.2.0/24:53 10.0.0.0/8:any\n"
		"1 r in block 17 10.0.0.0/8:any 192.0.2.0/24:53\n"
		"4 r out block 17 10.0.0.0/8:any 192.0.2.0/24:53\n");
}

/* The swapped half of a symmetric filter is the same filter: listed once. */
static void any_to_any_is_one_filter_a_direction_and_family(void **unused)
{
	expect_filters(ONE_RULE("{src: any, dst: any}", "block"), NULL,
		       "1 r in block any 0.0.0.0/0:any 0.0.0.0/0:any\n"
		       "2 r out block any 0.0.0.0/0:any 0.0.0.0/0:any\n"
		       "5 r in block any ::/0:any ::/0:any\n"
		       "6 r out block any ::/0:any ::/0:any\n");
}

static void any_and_me_stand_for_both_families(void **unused)
{
	expect_filters(ONE_RULE("{src: any, dst: me, mirrored: false}", "permit"), NULL,
		       "3 r in permit any ::/0:any me6:any\n"
		       "1 r in permit any 0.0.0.0/0:any me4:any\n");
}

static void zero_prefix_is_one_family(void **unused)
{
	expect_filters(ONE_RULE("{src: '::/0', dst: me, mirrored: false}", "permit"), NULL,
		       "1 r in permit any ::/0:any me6:any\n");
}

static void families_never_mix(void **unused)
{
	expect_filters(ONE_RULE("{src: [10.0.0.0/8, '2001:db8::/32'], "
				"dst: [192.0.2.1, '2001:db8::1'], mirrored: false}",
				"permit"),
		       NULL,
		       "4 r out permit any 2001:db8::1:any 2001:db8::/32:any\n"
		       "3 r in permit any 2001:db8::/32:any 2001:db8::1:any\n"
		       "2 r out permit any 192.0.2.1:any 10.0.0.0/8:any\n"
		       "1 r in permit any 10.0.0.0/8:any 192.0.2.1:any\n");
}

static void me_to_me_never_meets_an_interface(void **unused)
{
	expect_filters(ONE_RULE("{src: me, dst: me}", "block"), NULL, "");
}

/* The same policy on another host: fewer filters, the same ids, the address as written. */
static void a_local_address_decides_the_direction_and_keeps_the_ids(void **unused)
{
	const char *text = ONE_RULE("{src: 192.0.2.1, dst: 192.0.2.2, proto: tcp}", "permit");
	struct compile_opts first = {.no_tables = true}, second = first, third = first;
	struct xi_addr me[2];

	xi_addr_parse("192.0.2.1", &me[0]);
	xi_addr_parse("192.0.2.2", &me[1]);
	first.me = me;
	first.me_count = 1;
	second.me = me + 1;
	second.me_count = 1;
	third.me = me;
	third.me_count = 2;
	expect_filters(text, NULL,
		       "1 r in permit 6 192.0.2.1:any 192.0.2.2:any\n"
		       "2 r out permit 6 192.0.2.2:any 192.0.2.1:any\n"
		       "3 r in permit 6 192.0.2.2:any 192.0.2.1:any\n"
		       "4 r out permit 6 192.0.2.1:any 192.0.2.2:any\n");
	expect_filters(text, &first,
		       "2 r out permit 6 192.0.2.2:any 192.0.2.1:any\n"
		       "3 r in permit 6 192.0.2.2:any 192.0.2.1:any\n");
	expect_filters(text, &second,
		       "1 r in permit 6 192.0.2.1:any 192.0.2.2:any\n"
		       "4 r out permit 6 192.0.2.1:any 192.0.2.2:any\n");
	expect_filters(text, &third, "");
}

static void a_prefix_that_holds_a_local_address_is_not_me(void **unused)
{
	struct compile_opts opts = {.no_tables = true, .me_count = 1};
	struct xi_addr me;

	xi_addr_parse("192.0.2.1", &me);
	opts.me = &me;
	expect_filters(ONE_RULE("{src: 192.0.2.0/24, dst: 10.0.0.0/8, mirrored: false}", "block"),
		       &opts,
		       "1 r in block any 192.0.2.0/24:any 10.0.0.0/8:any\n"
		       "2 r out block any 10.0.0.0/8:any 192.0.2.0/24:any\n");
}

static void a_range_is_the_fewest_prefixes(void **unused)
{
	expect_filters(ONE_RULE("{src: 10.0.0.1-10.0.0.8, dst: me, mirrored: false}", "block"),
		       NULL,
		       "1 r in block any 10.0.0.1:any me4:any\n"
		       "7 r in block any 10.0.0.8:any me4:any\n"
		       "3 r in block any 10.0.0.2/31:any me4:any\n"
		       "5 r in block any 10.0.0.4/30:any me4:any\n");
}

static void a_range_may_be_everything(void **unused)
{
	expect_filters(
		ONE_RULE("{src: '0.0.0.0-255.255.255.255', dst: me, mirrored: false}", "block"),
		NULL, "1 r in block any 0.0.0.0/0:any me4:any\n");
	expect_filters(ONE_RULE("{src: '::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', dst: me, "
				"mirrored: false}",
				"block"),
		       NULL, "1 r in block any ::/0:any me6:any\n");
	expect_filters(ONE_RULE("{src: 'fe80::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', dst: me, "
				"mirrored: false}",
				"block"),
		       NULL,
		       "1 r in block any fe80::/9:any me6:any\n"
		       "3 r in block any ff00::/8:any me6:any\n");
}

static void connection_type_is_an_interface_class(void **unused)
{
	expect_filters("filter-lists: {list: [{src: 10.0.0.0/8, dst: me, mirrored: false}]}\n"
		       "rules: [{name: r, filter-list: list, action: block, "
		       "connection-type: remote-access}]\n",
		       NULL, "1 r in block any 10.0.0.0/8:any me4:any remote-access\n");
}

/* -------------------------------------------------------------- exemptions */

static size_t count_rule(const struct image *image, const char *name, enum xi_band band)
{
	size_t n = 0;

	for (size_t i = 0; i < image->count; i++) {
		if (strcmp(image->filters[i].rule_name, name))
			continue;
		assert_int_equal(image->filters[i].band, band);
		assert_int_equal(image->filters[i].action, XI_ACT_PERMIT);
		assert_int_equal(image->filters[i].rule, FILTER_BUILTIN);
		n++;
	}
	return n;
}

static void exemptions_are_rows_by_level(void **unused)
{
	static const struct {
		const char *level;
		size_t kerberos, rsvp, multicast, broadcast;
	} rows[] = {{"0", 16, 4, 4, 2}, {"1", 0, 0, 4, 2}, {"2", 16, 4, 0, 0}, {"3", 0}};

	for (size_t i = 0; i < 4; i++) {
		char text[512];
		struct image *image;

		snprintf(text, sizeof(text), "settings: {exemptions: %s}\n%s", rows[i].level,
			 ONE_RULE("{src: any, dst: me}", "block"));
		image = compile_text(text, NULL, 0, NULL);
		assert_int_equal(count_rule(image, "exempt:kerberos", XI_BAND_EXEMPTION),
				 rows[i].kerberos);
		assert_int_equal(count_rule(image, "exempt:rsvp", XI_BAND_EXEMPTION), rows[i].rsvp);
		assert_int_equal(count_rule(image, "exempt:multicast", XI_BAND_EXEMPTION),
				 rows[i].multicast);
		assert_int_equal(count_rule(image, "exempt:broadcast", XI_BAND_EXEMPTION),
				 rows[i].broadcast);
		assert_int_equal(count_rule(image, "exempt:ike", XI_BAND_IKE), 0);
		image_free(image);
	}
}

static void ike_is_exempt_where_a_rule_negotiates(void **unused)
{
	expect_filters("filter-lists: {list: [{src: 10.0.0.1, dst: me, mirrored: false}]}\n"
		       "rules: [{name: r, filter-list: list, action: protect, "
		       "auth: [kerberos]}]\n",
		       NULL,
		       "5 exempt:ike in permit 17 ::/0:any me6:500\n"
		       "6 exempt:ike in permit 17 ::/0:any me6:4500\n"
		       "9 exempt:ike out permit 17 ::/0:any me6:500\n"
		       "10 exempt:ike out permit 17 ::/0:any me6:4500\n"
		       "3 exempt:ike in permit 17 0.0.0.0/0:any me4:500\n"
		       "4 exempt:ike in permit 17 0.0.0.0/0:any me4:4500\n"
		       "7 exempt:ike out permit 17 0.0.0.0/0:any me4:500\n"
		       "8 exempt:ike out permit 17 0.0.0.0/0:any me4:4500\n"
		       "1 r in negotiate any 10.0.0.1:any me4:any\n");
}

/* A stranger's multicast arrives for a local group, ours leaves for a remote one. */
static void a_group_is_the_destination(void **unused)
{
	struct image *image = compile_text(
		"settings: {exemptions: 1}\n" ONE_RULE("{src: any, dst: any}", "block"), NULL, 0,
		NULL);
	struct xi_pkt in = {.family = 4, .dir = XI_DIR_IN, .local = {224, 0, 0, 5}};
	struct xi_pkt out = {.family = 4, .dir = XI_DIR_OUT, .remote = {224, 0, 0, 5}};
	struct xi_pkt spoofed = {.family = 4, .dir = XI_DIR_IN, .remote = {224, 0, 0, 5}};

	assert_int_equal(model_classify(image, &in).action, XI_ACT_PERMIT);
	assert_int_equal(model_classify(image, &out).action, XI_ACT_PERMIT);
	assert_int_equal(model_classify(image, &spoofed).action, XI_ACT_BLOCK);
	image_free(image);
}

/* ------------------------------------------------------------------ refused */

static void names_and_server_sets_are_refused_in_words(void **unused)
{
	static const char *const texts[] = {
		ONE_RULE("{src: host.example.net, dst: me}", "block"),
		ONE_RULE("{src: gateway, dst: me}", "block"),
	};

	for (size_t i = 0; i < 2; i++) {
		struct diag diag = {0};

		assert_null(compile_text(texts[i], NULL, -EINVAL, &diag));
		assert_int_equal(diag.errors, 1);
		assert_non_null(strstr(diag.entries[diag.count - 1].text, "rule 'r'"));
		diag_free(&diag);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_me_is_inbound_and_mirrored_back),
		cmocka_unit_test(from_me_is_outbound),
		cmocka_unit_test(without_me_both_directions_as_written),
		cmocka_unit_test(mirrored_without_me_makes_four),
		cmocka_unit_test(any_to_any_is_one_filter_a_direction_and_family),
		cmocka_unit_test(any_and_me_stand_for_both_families),
		cmocka_unit_test(zero_prefix_is_one_family),
		cmocka_unit_test(families_never_mix),
		cmocka_unit_test(me_to_me_never_meets_an_interface),
		cmocka_unit_test(a_local_address_decides_the_direction_and_keeps_the_ids),
		cmocka_unit_test(a_prefix_that_holds_a_local_address_is_not_me),
		cmocka_unit_test(a_range_is_the_fewest_prefixes),
		cmocka_unit_test(a_range_may_be_everything),
		cmocka_unit_test(connection_type_is_an_interface_class),
		cmocka_unit_test(exemptions_are_rows_by_level),
		cmocka_unit_test(ike_is_exempt_where_a_rule_negotiates),
		cmocka_unit_test(a_group_is_the_destination),
		cmocka_unit_test(names_and_server_sets_are_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
