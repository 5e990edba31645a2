/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shadowed and ambiguous filters on random lists from few values, against the
 * plain definition: every pair is compared, and what they have in common is found
 * by trying all kinds of packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile/image.h"
#include "util/addr.h"

#define LISTS 400
#define MOST  24 /* filters of a list: fewer pairs than warnings that are shown */

static uint32_t random_state;

static uint32_t draw(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % limit;
}

/* Ports from 0 to 5, so that many are of one size and some share one port alone. */
static void random_ports(uint16_t *lo, uint16_t *hi)
{
	int a = draw(6), b = a + draw(6 - a);

	if (draw(2))
		return;
	*lo = a;
	*hi = b;
}

static struct xi_addr some_addr(uint8_t first)
{
	return (struct xi_addr){.family = 4, .b = {first}};
}

static struct filter random_filter(uint32_t id, char name[8])
{
	struct filter f = {.id = id,
			   .rule = id,
			   .rule_name = name,
			   .dir = draw(9) ? XI_DIR_IN : XI_DIR_OUT,
			   .band = XI_BAND_RULES,
			   .action = 1 + draw(3),
			   .family = 4,
			   .remote = {some_addr(draw(4) ? 0 : 128), 1},
			   .local = {some_addr(5), draw(4) ? 32 : 8},
			   .local_is_me = !draw(3),
			   .proto_given = true,
			   .proto = draw(9) ? 6 : 1,
			   .remote_port_hi = 65535,
			   .local_port_hi = 65535,
			   .icmp_type = -1,
			   .icmp_code = -1,
			   .iface_class = draw(9) ? -1 : (int)draw(2)};

	snprintf(name, 8, "r%u", id);
	if (f.local_is_me)
		f.local = (struct xi_prefix){.addr.family = 4};
	if (f.proto == 1) {
		f.icmp_type = (int)draw(3) - 1;
		return f;
	}
	random_ports(&f.remote_port_lo, &f.remote_port_hi);
	random_ports(&f.local_port_lo, &f.local_port_hi);
	return f;
}

/* 5.0.0.0 is `me`, 5.0.0.1 perhaps. Is there a packet that both cover? */
static bool both_cover_some(const struct filter *a, const struct filter *b, bool me_known)
{
	for (int i = 0; i < 2 * 2 * 2 * 2 * 2 * 6 * 6; i++) {
		struct xi_pkt pkt = {.family = 4,
				     .dir = i & 1,
				     .remote = {i & 2 ? 128 : 0},
				     .local = {5, 0, 0, i & 4 ? 1 : 0},
				     .iface_class = i >> 3 & 1,
				     .proto = i & 16 ? 6 : 1,
				     .remote_port = i / 32 % 6,
				     .local_port = i / 192,
				     .icmp_type = i / 32 % 3};
		bool me = i & 4 || me_known;

		pkt.flags = me ? XI_PKT_LOCAL_IS_ME : 0;
		if (filter_matches(a, &pkt) && filter_matches(b, &pkt))
			return true;
	}
	return false;
}

static bool same_prefix(const struct xi_prefix *a, const struct xi_prefix *b)
{
	return a->len == b->len && xi_addr_equal(&a->addr, &b->addr);
}

static bool same_selectors(const struct filter *a, const struct filter *b)
{
	return a->dir == b->dir && a->proto == b->proto && same_prefix(&a->remote, &b->remote) &&
	       a->local_is_me == b->local_is_me && same_prefix(&a->local, &b->local) &&
	       a->remote_port_lo == b->remote_port_lo && a->remote_port_hi == b->remote_port_hi &&
	       a->local_port_lo == b->local_port_lo && a->local_port_hi == b->local_port_hi &&
	       a->icmp_type == b->icmp_type && a->iface_class == b->iface_class;
}

static bool told(const struct diag *diag, const char *text)
{
	for (size_t i = 0; i < diag->count; i++) {
		if (!strncmp(diag->entries[i].text, text, strlen(text)))
			return true;
	}
	return false;
}

static bool told_shadowed(const struct diag *diag, const struct filter *loser,
			  const struct filter *winner)
{
	char text[200];

	snprintf(text, sizeof(text), "rule '%s' (%s) is shadowed by rule '%s' (%s)",
		 loser->rule_name, action_name(loser->action), winner->rule_name,
		 action_name(winner->action));
	return told(diag, text);
}

static bool told_ambiguous(const struct diag *diag, const struct filter *winner,
			   const struct filter *loser)
{
	char text[200];

	snprintf(text, sizeof(text), "ambiguous: rule '%s' (%s) and rule '%s' (%s) overlap",
		 winner->rule_name, action_name(winner->action), loser->rule_name,
		 action_name(loser->action));
	return told(diag, text);
}

/* The best of those with the same selectors, or NULL. */
static const struct filter *best_twin(const struct filter *filters, size_t count,
				      const struct filter *f)
{
	const struct filter *best = NULL;

	for (size_t i = 0; i < count; i++) {
		if (same_selectors(&filters[i], f) && filter_compare(&filters[i], f) < 0 &&
		    (!best || filter_compare(&filters[i], best) < 0))
			best = &filters[i];
	}
	return best;
}

static void every_pair_in_conflict_is_told_and_no_other(void **unused)
{
	struct xi_addr me = some_addr(5);
	size_t shadowed = 0, ambiguous = 0;

	for (uint32_t list = 0; list < LISTS; list++) {
		struct compile_opts opts = {.no_tables = true, .me = &me, .me_count = list & 1};
		struct filter filters[MOST];
		char names[MOST][8];
		struct diag diag = {0};
		struct image *image;
		size_t count, want = 0;

		random_state = list * 7919 + 1;
		count = 2 + draw(MOST - 1);
		for (size_t i = 0; i < count; i++)
			filters[i] = random_filter(i + 1, names[i]);
		assert_int_equal(compile_filters(filters, count, NULL, &opts, &image, &diag), 0);
		for (size_t i = 0; i < count; i++) {
			const struct filter *best = best_twin(filters, count, &filters[i]);

			if (!best)
				continue;
			want++;
			shadowed++;
			assert_true(told_shadowed(&diag, &filters[i], best));
		}
		for (size_t i = 0; i < image->count; i++) {
			for (size_t k = i + 1; k < image->count; k++) {
				const struct filter *a = &image->filters[i];
				const struct filter *b = &image->filters[k];

				if (filter_decided_by(a, b) != LEVEL_ACTION ||
				    !both_cover_some(a, b, list & 1))
					continue;
				want++;
				ambiguous++;
				assert_true(told_ambiguous(&diag, a, b));
			}
		}
		assert_int_equal(diag.count, want);
		diag_free(&diag);
		image_free(image);
	}
	print_message("%zu shadowed, %zu ambiguous\n", shadowed, ambiguous);
	assert_true(shadowed > 20 && ambiguous > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_in_conflict_is_told_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
