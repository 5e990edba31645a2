/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of precedence, one level after the other; filters that are shadowed
 * or ambiguous; and what the reference model makes of fragments and ICMP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include "../../lib/compile_text.h"
#include "util/addr.h"

static struct filter open_filter(uint32_t id)
{
	struct filter f = {.id = id,
			   .rule = id,
			   .rule_name = "r",
			   .dir = XI_DIR_IN,
			   .band = XI_BAND_RULES,
			   .action = XI_ACT_PERMIT,
			   .family = 4,
			   .remote_port_hi = 65535,
			   .local_port_hi = 65535,
			   .icmp_type = -1,
			   .icmp_code = -1,
			   .iface_class = -1};

	f.remote.addr.family = f.local.addr.family = 4;
	return f;
}

static struct xi_prefix prefix(const char *text)
{
	struct xi_prefix p;

	assert_int_equal(xi_prefix_parse(text, &p), 0);
	return p;
}

/* a wins against b, both ways of asking, and the word is right. */
static void expect_wins(const struct filter *a, const struct filter *b, const char *on)
{
	assert_true(filter_compare(a, b) < 0);
	assert_true(filter_compare(b, a) > 0);
	assert_string_equal(filter_lost_on(a, b), on);
	if (strcmp(on, "filter id"))
		assert_true(filter_precedence(a) < filter_precedence(b));
	else
		assert_true(filter_precedence(a) == filter_precedence(b));
}

/*
 * Each step gives the loser everything that counts less, so only the level under
 * test can have decided.
 */
static void each_level_beats_all_below_it(void **unused)
{
	struct filter a = open_filter(9), b = open_filter(1);

	expect_wins(&b, &a, "filter id");
	b.action = XI_ACT_PERMIT;
	a.action = XI_ACT_NEGOTIATE;
	expect_wins(&a, &b, "action");
	a.action = XI_ACT_BLOCK;
	b.action = XI_ACT_NEGOTIATE;
	expect_wins(&a, &b, "action");
	a.action = XI_ACT_PERMIT;
	b.action = XI_ACT_BLOCK;
	a.iface_class = XI_IFACE_LAN;
	expect_wins(&a, &b, "interface class");
	a.iface_class = -1;
	b.iface_class = XI_IFACE_LAN;
	a.icmp_type = b.icmp_type = 8;
	a.icmp_code = 0;
	expect_wins(&a, &b, "ICMP code");
	a.icmp_code = -1;
	b.icmp_type = -1;
	expect_wins(&a, &b, "ICMP type");
	a.icmp_type = -1;
	b.icmp_type = 8;
	a.local_port_lo = a.local_port_hi = 80;
	b.local_port_lo = 80;
	b.local_port_hi = 81;
	expect_wins(&a, &b, "local port");
	a.local_port_lo = 0;
	a.local_port_hi = 65535;
	a.remote_port_lo = 1;
	expect_wins(&a, &b, "remote port");
	a.remote_port_lo = 0;
	b.remote_port_hi = 0;
	a.proto_given = true;
	expect_wins(&a, &b, "protocol");
	a.proto_given = false;
	b.proto_given = true;
	a.local = prefix("128.0.0.0/1");
	expect_wins(&a, &b, "local prefix");
	a.local = prefix("0.0.0.0/0");
	b.local = prefix("192.0.2.1");
	a.remote = prefix("128.0.0.0/1");
	expect_wins(&a, &b, "remote prefix");
	a.remote = prefix("0.0.0.0/0");
	b.remote = prefix("192.0.2.1");
	a.band = XI_BAND_EXEMPTION;
	expect_wins(&a, &b, "band");
	b.band = XI_BAND_BOOT;
	expect_wins(&b, &a, "band");
	a.band = XI_BAND_IKE;
	expect_wins(&a, &b, "band");
}

static void me_counts_as_a_full_length_local_prefix(void **unused)
{
	struct filter me = open_filter(2), address = open_filter(1), net = open_filter(3);

	me.local_is_me = true;
	address.local = prefix("192.0.2.1");
	net.local = prefix("192.0.2.0/31");
	expect_wins(&me, &net, "local prefix");
	expect_wins(&address, &me, "filter id");
	me.action = XI_ACT_BLOCK;
	expect_wins(&me, &address, "action");
}

/* ------------------------------------------------------------------ conflicts */

static const char shadow_text[] =
	"filter-lists:\n"
	"  one: [{src: 10.0.0.0/8, dst: me, proto: tcp, dst-port: 80, mirrored: false}]\n"
	"  same: [{src: 10.0.0.0/8, dst: me, proto: tcp, dst-port: 80, mirrored: false}]\n"
	"rules:\n"
	"  - {name: open, filter-list: one, action: permit}\n"
	"  - {name: shut, filter-list: same, action: block}\n";

static void of_the_same_selectors_the_most_restrictive_stays(void **unused)
{
	struct diag diag = {0};
	struct image *image = compile_text(shadow_text, NULL, 0, &diag);
	char *lines = image_lines(image);

	assert_string_equal(lines, "3 shut in block 6 10.0.0.0/8:any me4:80\n");
	assert_int_equal(diag.warnings, 1);
	assert_non_null(strstr(diag.entries[0].text, "'open' (permit) is shadowed by rule 'shut'"));
	free(lines);
	image_free(image);
	diag_free(&diag);
}

static void overlapping_ranges_of_one_size_are_ambiguous(void **unused)
{
	struct diag diag = {0};
	struct image *image = compile_text(
		"filter-lists:\n"
		"  a: [{src: 10.0.0.0/8, dst: me, proto: tcp, dst-port: 80-89, mirrored: false}]\n"
		"  b: [{src: 10.0.0.0/8, dst: me, proto: tcp, dst-port: 85-94, mirrored: false}]\n"
		"  c: [{src: 10.0.0.0/8, dst: me, proto: tcp, dst-port: 90-95, mirrored: false}]\n"
		"rules:\n"
		"  - {name: open, filter-list: a, action: permit}\n"
		"  - {name: shut, filter-list: b, action: block}\n"
		"  - {name: small, filter-list: c, action: permit}\n",
		NULL, 0, &diag);

	/* c is smaller, so more specific: not ambiguous, and not disjoint either. */
	assert_int_equal(image->count, 3);
	assert_int_equal(diag.warnings, 1);
	assert_non_null(strstr(diag.entries[0].text, "ambiguous: rule 'shut' (block) at "
						     "test.yaml:"));
	assert_non_null(strstr(diag.entries[0].text, "and rule 'open' (permit) overlap (local port "
						     "85-89)"));
	image_free(image);
	diag_free(&diag);
}

static void me_and_a_local_address_are_ambiguous(void **unused)
{
	static const char text[] =
		"filter-lists:\n"
		"  a: [{src: 10.0.0.0/8, dst: me, proto: tcp, mirrored: false}]\n"
		"  b: [{src: 10.0.0.0/8, dst: 192.0.2.1, proto: tcp, mirrored: false}]\n"
		"rules:\n"
		"  - {name: open, filter-list: a, action: permit}\n"
		"  - {name: shut, filter-list: b, action: block}\n";
	struct compile_opts opts = {.no_tables = true, .me_count = 1};
	struct diag diag = {0};
	struct xi_addr me;

	image_free(compile_text(text, NULL, 0, &diag));
	assert_int_equal(diag.warnings, 0);
	xi_addr_parse("192.0.2.1", &me);
	opts.me = &me;
	image_free(compile_text(text, &opts, 0, &diag));
	assert_int_equal(diag.warnings, 1);
	diag_free(&diag);
}

/* -------------------------------------------------------------- model details */

static enum xi_action ask(const struct filter *filters, size_t count, const struct xi_pkt *pkt)
{
	struct compile_opts opts = {0};
	struct image *image;
	enum xi_action action;

	assert_int_equal(compile_filters(filters, count, NULL, &opts, &image, NULL), 0);
	action = model_classify(image, pkt).action;
	image_free(image);
	return action;
}

/* Neither in through a permitted port nor around a blocked one. */
static void a_later_fragment_has_no_ports_to_hide_behind(void **unused)
{
	struct xi_pkt whole = {.family = 4, .proto = 17, .local_port = 53};
	struct xi_pkt frag = {.family = 4, .proto = 17, .flags = XI_PKT_LATER_FRAG};
	struct filter f[2] = {open_filter(1), open_filter(2)};

	f[0].proto_given = true;
	f[0].proto = 17;
	f[0].local_port_lo = f[0].local_port_hi = 53;
	f[1].action = XI_ACT_BLOCK;
	assert_int_equal(ask(f, 2, &whole), XI_ACT_PERMIT);
	assert_int_equal(ask(f, 2, &frag), XI_ACT_BLOCK);
	f[0].action = XI_ACT_BLOCK;
	f[1].action = XI_ACT_PERMIT;
	assert_int_equal(ask(f, 2, &frag), XI_ACT_BLOCK);
	f[0].action = XI_ACT_NEGOTIATE;
	assert_int_equal(ask(f, 2, &frag), XI_ACT_NEGOTIATE);
	frag.proto = 6;
	assert_int_equal(ask(f, 2, &frag), XI_ACT_PERMIT);
}

static void icmp_types_and_codes(void **unused)
{
	struct xi_pkt echo = {.family = 4, .proto = 1, .icmp_type = 8, .icmp_code = 0};
	struct xi_pkt udp = {.family = 4, .proto = 17, .icmp_type = 8};
	struct filter f[3] = {open_filter(1), open_filter(2), open_filter(3)};

	for (int i = 0; i < 3; i++) {
		f[i].proto_given = true;
		f[i].proto = 1;
	}
	f[1].icmp_type = 8;
	f[1].action = XI_ACT_NEGOTIATE;
	f[2].icmp_type = 8;
	f[2].icmp_code = 0;
	f[2].action = XI_ACT_BLOCK;
	assert_int_equal(ask(f, 3, &echo), XI_ACT_BLOCK);
	echo.icmp_code = 1;
	assert_int_equal(ask(f, 3, &echo), XI_ACT_NEGOTIATE);
	echo.icmp_type = 0;
	assert_int_equal(ask(f, 3, &echo), XI_ACT_PERMIT);
	assert_int_equal(ask(f, 3, &udp), XI_ACT_NONE);
}

/* The tables are a function of the filters: no clock, no address, no chance in them. */
static void the_same_policy_gives_the_same_tables(void **unused)
{
	struct compile_opts opts = {.rows = COMPILE_ROWS_ALWAYS};
	struct image *a = compile_text(shadow_text, &opts, 0, NULL);
	struct image *b = compile_text(shadow_text, &opts, 0, NULL);

	for (int t = 0; t < XI_TABLE_MAX; t++) {
		assert_int_equal(a->tables[t].value_size % 8, 0);
		assert_true(a->tables[t].count >= 1);
		assert_int_equal(a->tables[t].count, b->tables[t].count);
		assert_memory_equal(a->tables[t].data, b->tables[t].data,
				    (size_t)a->tables[t].count * a->tables[t].value_size);
	}
	image_free(a);
	image_free(b);
}

/* One filter for each of 64 remote and 65 local prefix lengths, or for `count` of these. */
static int compile_lengths(size_t count, bool apart, bool twice, struct diag *diag)
{
	size_t all = twice ? 2 * count : count;
	struct filter *filters = calloc(all, sizeof(*filters));
	struct compile_opts opts = {.rows = COMPILE_ROWS_NEVER};
	struct image *image = NULL;
	int err;

	assert_non_null(filters);
	for (size_t i = 0; i < all; i++) {
		struct filter *f = &filters[i];

		*f = open_filter(i + 1);
		f->family = f->remote.addr.family = f->local.addr.family = 6;
		f->remote.len = 64 + i % count / 65;
		f->local.len = i % count % 65;
		f->proto_given = i >= count;
		f->proto = f->proto_given ? 6 : 0;
		if (apart) {
			f->remote.addr.b[6] = i >> 8;
			f->remote.addr.b[7] = i;
		}
	}
	err = compile_filters(filters, all, NULL, &opts, &image, diag);
	assert_true(err ? !image : !!image);
	image_free(image);
	free(filters);
	return err;
}

/* One space has room for 4,096 shapes. */
static void too_many_shapes_are_refused_in_words(void **unused)
{
	struct diag diag = {0};

	assert_int_equal(compile_lengths(64 * 65, true, false, &diag), -EINVAL);
	assert_int_equal(diag.errors, 1);
	assert_non_null(strstr(diag.entries[0].text, "4160 different pairs of prefix lengths"));
	diag_free(&diag);
	assert_int_equal(compile_lengths(4096, true, false, &diag), 0);
}

/* 256 shapes alive for one packet are tried, 4,096 filters more are searched otherwise. */
static void too_much_overlap_is_refused_in_words(void **unused)
{
	struct diag diag = {0};

	assert_int_equal(compile_lengths(64 * 65, false, true, &diag), -EINVAL);
	assert_int_equal(diag.errors, 1);
	assert_non_null(strstr(diag.entries[0].text, "too many kinds of filters overlap"));
	diag_free(&diag);
	assert_int_equal(compile_lengths(64 * 65, false, false, &diag), 0);
}

static bool same_selectors(const struct filter *a, const struct filter *b)
{
	return a->dir == b->dir && a->band == b->band && a->remote.len == b->remote.len &&
	       xi_addr_equal(&a->remote.addr, &b->remote.addr) &&
	       a->local_is_me == b->local_is_me && a->local.len == b->local.len &&
	       xi_addr_equal(&a->local.addr, &b->local.addr) && a->proto_given == b->proto_given &&
	       a->proto == b->proto && a->remote_port_lo == b->remote_port_lo &&
	       a->remote_port_hi == b->remote_port_hi && a->local_port_lo == b->local_port_lo &&
	       a->local_port_hi == b->local_port_hi && a->icmp_type == b->icmp_type &&
	       a->iface_class == b->iface_class;
}

/* Few values for everything, so that all levels tie and many selectors are the same. */
static struct filter random_filter(uint32_t id)
{
	static const char *const nets[] = {"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/9", "10.1.1.1"};
	struct filter f = open_filter(id);

	f.rule = id % 7;
	f.dir = rand() % 2;
	f.band = rand() % 8 ? XI_BAND_RULES : XI_BAND_EXEMPTION;
	f.action = 1 + rand() % 3;
	f.remote = prefix(nets[rand() % 4]);
	f.local_is_me = rand() % 4 == 0;
	if (!f.local_is_me)
		f.local = prefix(nets[rand() % 4]);
	f.proto_given = rand() % 2;
	f.proto = f.proto_given ? 1 + rand() % 2 * 5 : 0;
	if (f.proto == 6) {
		f.remote_port_lo = rand() % 2;
		f.local_port_hi = rand() % 2 ? 65535 : 80;
	}
	f.icmp_type = f.proto == 1 ? rand() % 3 - 1 : -1;
	f.iface_class = rand() % 3 - 1;
	return f;
}

/* Against the definition: best first, and of equal selectors only the best is left. */
static void many_filters_come_out_in_order_and_once(void **unused)
{
	struct compile_opts opts = {.no_tables = true};
	struct filter filters[3000];
	struct image *image = NULL;
	size_t count = sizeof(filters) / sizeof(*filters), kept = 0;

	srand(11);
	for (size_t i = 0; i < count; i++)
		filters[i] = random_filter(1 + (i * 7919) % count);
	assert_int_equal(compile_filters(filters, count, NULL, &opts, &image, NULL), 0);
	for (size_t i = 1; i < image->count; i++)
		assert_true(filter_compare(&image->filters[i - 1], &image->filters[i]) < 0);
	for (size_t i = 0; i < count; i++) {
		bool beaten = false;

		for (size_t k = 0; k < count && !beaten; k++)
			beaten = k != i && same_selectors(&filters[i], &filters[k]) &&
				 filter_compare(&filters[k], &filters[i]) < 0;
		if (beaten)
			continue;
		kept++;
		for (size_t k = 0; k < image->count && !beaten; k++)
			beaten = image->filters[k].id == filters[i].id;
		assert_true(beaten);
	}
	assert_int_equal(image->count, kept);
	assert_true(kept > 300 && kept < count);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_level_beats_all_below_it),
		cmocka_unit_test(me_counts_as_a_full_length_local_prefix),
		cmocka_unit_test(many_filters_come_out_in_order_and_once),
		cmocka_unit_test(of_the_same_selectors_the_most_restrictive_stays),
		cmocka_unit_test(overlapping_ranges_of_one_size_are_ambiguous),
		cmocka_unit_test(me_and_a_local_address_are_ambiguous),
		cmocka_unit_test(a_later_fragment_has_no_ports_to_hide_behind),
		cmocka_unit_test(icmp_types_and_codes),
		cmocka_unit_test(the_same_policy_gives_the_same_tables),
		cmocka_unit_test(too_many_shapes_are_refused_in_words),
		cmocka_unit_test(too_much_overlap_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
