/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet that is described completely is explained as the reference model
 * decides; one that is not, as the model decides for all packets that it stands
 * for: who is listed as deciding perhaps does so for one of them, and all are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../lib/compile_text.h"
#include "compile/explain.h"
#include "compile/words.h"
#include "util/addr.h"

#define LISTS 4000
#define MOST  24

static uint32_t random_state;

static uint32_t draw(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % limit;
}

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

static struct xi_prefix random_prefix(void)
{
	struct xi_prefix prefix = {.addr.family = 4, .len = draw(2)};

	prefix.addr.b[0] = prefix.len ? draw(2) << 7 : 0;
	return prefix;
}

static struct filter random_filter(uint32_t id)
{
	struct filter f = {.id = id,
			   .rule = id,
			   .rule_name = "r",
			   .dir = draw(8) ? XI_DIR_IN : XI_DIR_OUT,
			   .band = draw(8) ? XI_BAND_RULES : XI_BAND_EXEMPTION,
			   .action = 1 + draw(3),
			   .family = 4,
			   .remote = random_prefix(),
			   .local = random_prefix(),
			   .local_is_me = !draw(3),
			   .remote_port_hi = 65535,
			   .local_port_hi = 65535,
			   .icmp_type = -1,
			   .icmp_code = -1,
			   .iface_class = draw(4) ? -1 : (int)draw(2)};

	if (f.local_is_me)
		f.local = (struct xi_prefix){.addr.family = 4};
	f.proto_given = draw(3);
	f.proto = f.proto_given ? (draw(2) ? 6 : 1) : 0;
	if (f.proto == 1 && draw(3)) {
		f.icmp_type = 8 * draw(2);
		f.icmp_code = (int)draw(2) - 1;
	} else if (f.proto == 6) {
		random_ports(&f.remote_port_lo, &f.remote_port_hi);
		random_ports(&f.local_port_lo, &f.local_port_hi);
	}
	return f;
}

static struct xi_pkt random_packet(void)
{
	struct xi_pkt pkt = {.family = 4,
			     .proto = draw(2) ? 6 : 1,
			     .remote[0] = draw(2) << 7,
			     .local[0] = draw(2) << 7,
			     .flags = (draw(2) ? XI_PKT_LOCAL_IS_ME : 0) |
				      (draw(6) ? 0 : XI_PKT_LATER_FRAG),
			     .iface_class = draw(2)};

	if (pkt.proto == 6) {
		pkt.remote_port = port_from[draw(3)];
		pkt.local_port = port_from[draw(3)];
	} else {
		pkt.icmp_type = 8 * draw(2);
		pkt.icmp_code = draw(2);
	}
	return pkt;
}

static struct image *random_list(void)
{
	struct compile_opts opts = {.no_tables = true};
	struct filter filters[MOST];
	size_t count = 1 + draw(MOST);
	struct image *image;

	for (size_t i = 0; i < count; i++) {
		filters[i] = random_filter(i + 1);
		filters[i].rule = i % 3;
	}
	assert_int_equal(compile_filters(filters, count, NULL, &opts, &image, NULL), 0);
	return image;
}

/* All filters that cover the packet are listed in order, those that are shadowed among them. */
static void shadowed_filters_are_listed_where_they_belong(void **unused)
{
	size_t shadowed = 0;

	for (uint32_t list = 0; list < LISTS; list++) {
		struct explain_question q = {0};
		struct explain_answer answer;
		struct image *image;
		size_t all, cover = 0;

		random_state = list * 104729 + 1;
		image = random_list();
		q.pkt = random_packet();
		assert_int_equal(explain(image, &q, false, &answer), 0);
		all = image->count + image->shadowed;
		for (size_t i = 0; i < all; i++)
			cover += filter_matches(&image->filters[i], &q.pkt);
		assert_int_equal(answer.matches.count, cover);
		for (size_t i = 0; i < cover; i++) {
			uint32_t index = answer.matches.v[i].index;

			assert_true(index < all && filter_matches(&image->filters[index], &q.pkt));
			assert_true(!i ||
				    filter_compare(&image->filters[answer.matches.v[i - 1].index],
						   &image->filters[index]) < 0);
			shadowed += index >= image->count;
		}
		/* The first is of the list itself. */
		assert_true(!cover || answer.matches.v[0].index == answer.deciding);
		explain_free(&answer);
		image_free(image);
	}
	assert_true(shadowed > 100);
}

static void a_known_packet_is_explained_as_the_model_decides(void **unused)
{
	for (uint32_t list = 0; list < LISTS; list++) {
		struct explain_question q = {0};
		struct explain_answer answer;
		struct image *image;
		size_t matches = 0;

		random_state = list * 7919 + 1;
		image = random_list();
		q.pkt = random_packet();
		assert_int_equal(explain(image, &q, true, &answer), 0);
		assert_int_equal(answer.deciding, model_classify(image, &q.pkt).filter_idx);
		for (uint32_t i = 0; i < image->count; i++) {
			struct explain_fit fit = explain_fit(&image->filters[i], &q);

			assert_int_equal(fit.open, 0);
			assert_int_equal(!fit.wrong, filter_matches(&image->filters[i], &q.pkt));
			if (fit.wrong)
				continue;
			while (matches < answer.matches.count &&
			       answer.matches.v[matches].index >= image->count)
				matches++;
			assert_true(matches < answer.matches.count);
			assert_int_equal(answer.matches.v[matches++].index, i);
		}
		assert_int_equal(answer.depends.count, 0);
		assert_false(answer.or_none || answer.surely_other);
		explain_free(&answer);
		image_free(image);
	}
}

/* Who decides, over all values of the unknown fields; the last place is for no filter. */
static void try_all(const struct image *image, const struct explain_question *q,
		    bool decides[MOST + 1])
{
	struct xi_pkt pkt = q->pkt;

	for (int i = 0; i < 3 * 3 * 3 * 3 * 2; i++) {
		struct xi_verdict v;

		if (q->unknown & EXPLAIN_REMOTE_PORT)
			pkt.remote_port = port_from[i % 3];
		if (q->unknown & EXPLAIN_LOCAL_PORT)
			pkt.local_port = port_from[i / 3 % 3];
		if (q->unknown & EXPLAIN_ICMP_TYPE)
			pkt.icmp_type = i / 9 % 3 * 8;
		if (q->unknown & EXPLAIN_ICMP_CODE)
			pkt.icmp_code = i / 27 % 3;
		if (q->unknown & EXPLAIN_IFACE)
			pkt.iface_class = i / 81;
		v = model_classify(image, &pkt);
		decides[v.filter_idx == XI_NO_FILTER ? MOST : v.filter_idx] = true;
	}
}

static unsigned random_unknown(const struct xi_pkt *pkt)
{
	unsigned unknown = draw(2) ? EXPLAIN_IFACE : 0;

	if (pkt->flags & XI_PKT_LATER_FRAG)
		return unknown;
	if (pkt->proto == 6)
		return unknown | (draw(2) ? EXPLAIN_REMOTE_PORT : 0) |
		       (draw(2) ? EXPLAIN_LOCAL_PORT : 0);
	return unknown | (draw(2) ? EXPLAIN_ICMP_TYPE | EXPLAIN_ICMP_CODE : EXPLAIN_ICMP_CODE);
}

static void who_may_decide_about_a_packet_in_part_is_listed_exactly(void **unused)
{
	size_t depends = 0, surely = 0, none = 0;

	for (uint32_t list = 0; list < LISTS; list++) {
		bool want[MOST + 1] = {0}, got[MOST + 1] = {0};
		struct explain_question q = {0};
		struct explain_answer answer;
		struct image *image;

		random_state = list * 7919 + 2;
		image = random_list();
		q.pkt = random_packet();
		q.unknown = random_unknown(&q.pkt);
		if (q.unknown & EXPLAIN_IFACE)
			q.pkt.iface_class = XI_IFACE_LAN;
		assert_int_equal(explain(image, &q, false, &answer), 0);
		try_all(image, &q, want);
		if (!answer.surely_other)
			got[answer.deciding == XI_NO_FILTER ? MOST : answer.deciding] = true;
		for (size_t i = 0; i < answer.depends.count; i++)
			got[answer.depends.v[i].index] = true;
		if (answer.or_none)
			got[MOST] = true;
		if (memcmp(want, got, sizeof(want))) {
			char *lines = image_lines(image);

			for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"))
				print_error("%s\n", line);
			print_error(
				"list %u, unknown %#x, proto %u, remote %u, local %u, flags %u\n",
				list, q.unknown, q.pkt.proto, q.pkt.remote[0], q.pkt.local[0],
				q.pkt.flags);
			free(lines);
		}
		assert_memory_equal(want, got, sizeof(want));
		depends += answer.depends.count > 0;
		surely += answer.surely_other;
		none += answer.or_none;
		explain_free(&answer);
		image_free(image);
	}
	print_message("%zu depend, in %zu the assumed one never decides, in %zu perhaps none\n",
		      depends, surely, none);
	assert_true(depends > 500 && surely > 3 && none > 10);
}

static void a_near_miss_fails_in_one_field(void **unused)
{
	struct image *image = compile_text(
		"filter-lists:\n"
		"  web: [{src: 10.0.0.0/8, dst: me, proto: tcp, dst-port: 443, mirrored: false}]\n"
		"rules: [{name: web, filter-list: web, action: permit}]\n",
		NULL, 0, NULL);
	struct explain_question q = {.pkt = {.family = 4,
					     .proto = 6,
					     .remote = {10, 1, 2, 3},
					     .flags = XI_PKT_LOCAL_IS_ME,
					     .local_port = 80}};
	struct explain_answer answer;

	assert_int_equal(explain(image, &q, true, &answer), 0);
	assert_int_equal(answer.near.count, 1);
	assert_int_equal(answer.near.v[0].fields, EXPLAIN_LOCAL_PORT);
	explain_free(&answer);
	q.pkt.proto = 17;
	assert_int_equal(explain(image, &q, true, &answer), 0);
	assert_int_equal(answer.near.count, 0);
	explain_free(&answer);
	image_free(image);
}

/* A port that is not the one is nearer than an address. */
static void misses_of_an_address_come_last(void **unused)
{
	struct image *image = compile_text(
		"filter-lists:\n"
		"  net: [{src: 10.2.0.0/16, dst: me, proto: tcp, dst-port: 80, mirrored: false}]\n"
		"  web: [{src: 10.0.0.0/8, dst: me, proto: tcp, dst-port: 443, mirrored: false}]\n"
		"rules:\n"
		"  - {name: net, filter-list: net, action: permit}\n"
		"  - {name: web, filter-list: web, action: permit}\n",
		NULL, 0, NULL);
	struct explain_question q = {.pkt = {.family = 4,
					     .proto = 6,
					     .remote = {10, 1, 2, 3},
					     .flags = XI_PKT_LOCAL_IS_ME,
					     .local_port = 80}};
	struct explain_answer answer;

	assert_int_equal(explain(image, &q, true, &answer), 0);
	assert_int_equal(answer.near_count, 2);
	assert_int_equal(answer.near.count, 2);
	assert_int_equal(answer.near.v[0].fields, EXPLAIN_LOCAL_PORT);
	assert_int_equal(answer.near.v[1].fields, EXPLAIN_REMOTE);
	explain_free(&answer);
	image_free(image);
}

static struct filter open_filter(void)
{
	return (struct filter){.id = 9,
			       .rule_name = "r",
			       .band = XI_BAND_RULES,
			       .action = XI_ACT_PERMIT,
			       .family = 4,
			       .remote.addr.family = 4,
			       .local.addr.family = 4,
			       .remote_port_hi = 65535,
			       .local_port_hi = 65535,
			       .icmp_type = -1,
			       .icmp_code = -1,
			       .iface_class = -1};
}

static void expect_lost(const struct filter *winner, const struct filter *loser, const char *want)
{
	char buf[FILTER_WORDS];

	assert_string_equal(lost_words(winner, loser, buf), want);
}

/* Every level with both values. */
static void why_a_filter_lost_names_both_values(void **unused)
{
	struct filter a = open_filter(), b = open_filter();

	a.id = 3;
	expect_lost(&a, &b, "filter id 9 > 3");
	a.action = XI_ACT_BLOCK;
	expect_lost(&a, &b, "action permit < block");
	a.iface_class = XI_IFACE_LAN;
	expect_lost(&a, &b, "interface class any < lan");
	a.icmp_type = b.icmp_type = 8;
	a.icmp_code = 0;
	expect_lost(&a, &b, "ICMP code any < 0");
	b.icmp_type = -1;
	expect_lost(&a, &b, "ICMP type any < 8");
	a.local_port_lo = a.local_port_hi = 443;
	b.local_port_lo = 400;
	b.local_port_hi = 500;
	expect_lost(&a, &b, "local port 400-500 < 443");
	a.remote_port_lo = 1024;
	expect_lost(&a, &b, "remote port any < 1024-65535");
	a.proto_given = true;
	a.proto = 6;
	expect_lost(&a, &b, "protocol any < tcp");
	a.local_is_me = true;
	b.local.len = 24;
	expect_lost(&a, &b, "local prefix /24 < me");
	a.remote.len = 24;
	b.remote.len = 16;
	expect_lost(&a, &b, "remote prefix /16 < /24");
	a.band = XI_BAND_IKE;
	expect_lost(&a, &b, "band rules < ike");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shadowed_filters_are_listed_where_they_belong),
		cmocka_unit_test(a_known_packet_is_explained_as_the_model_decides),
		cmocka_unit_test(who_may_decide_about_a_packet_in_part_is_listed_exactly),
		cmocka_unit_test(a_near_miss_fails_in_one_field),
		cmocka_unit_test(misses_of_an_address_come_last),
		cmocka_unit_test(why_a_filter_lost_names_both_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
