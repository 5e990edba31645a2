/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parts of shapes: nothing is lost or changed, the first part with a match holds the
 * best of the whole shape's matches, and packets have fewer shapes to try.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "compile/split.h"
#include "policy/scalar.h"

#define ENTRIES 400
#define SHAPES	8

static uint64_t state = 20260101;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

/* Shape s has one pair of prefix lengths, 16 or 24 bits; every other one has protocols. */
static struct entry draw_entry(uint32_t s)
{
	static const uint8_t protos[] = {6, 6, 17, 1};
	struct entry e = {.family = 4,
			  .shape = s,
			  .remote_len = s & 2 ? 24 : 16,
			  .local_len = s & 4 ? 24 : 16,
			  .remote = {10, draw(4), s & 2 ? draw(4) : 0},
			  .local = {10, draw(4), s & 4 ? draw(4) : 0},
			  .proto_given = s & 1};

	if (e.proto_given)
		e.proto = protos[draw(4)];
	e.rect = (struct xi_rect){0, 65535, 0, 65535, 0, XI_ACT_BLOCK};
	if (!proto_is_icmp(e.proto) && draw(2))
		e.rect.x_lo = e.rect.x_hi = draw(3);
	if (!proto_is_icmp(e.proto) && draw(2))
		e.rect.y_lo = e.rect.y_hi = draw(3);
	if (proto_is_icmp(e.proto) && draw(2))
		e.rect.y_lo = e.rect.y_hi = draw(3) << 8;
	return e;
}

static uint32_t ports_size(const struct entry *e, bool remote)
{
	return remote ? e->rect.x_hi - e->rect.x_lo : e->rect.y_hi - e->rect.y_lo;
}

/* The order of precedence inside a shape, all ties decided by the place in memory. */
static int compare_rank(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->shape != b->shape)
		return a->shape < b->shape ? -1 : 1;
	for (int remote = 1; remote >= 0; remote--)
		if (ports_size(a, remote) != ports_size(b, remote))
			return ports_size(a, remote) < ports_size(b, remote) ? -1 : 1;
	return memcmp(a, b, sizeof(*a));
}

static int compare_cell(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int diff = a->shape < b->shape ? -1 : a->shape > b->shape;

	if (!diff)
		diff = memcmp(a->remote, b->remote, sizeof(a->remote));
	if (!diff)
		diff = memcmp(a->local, b->local, sizeof(a->local));
	if (!diff)
		diff = a->proto - b->proto;
	return diff ? diff : a->rect.filter < b->rect.filter ? -1 : 1;
}

static void draw_entries(struct entry entries[ENTRIES])
{
	memset(entries, 0, ENTRIES * sizeof(*entries));
	for (uint32_t i = 0; i < ENTRIES; i++)
		entries[i] = draw_entry(i < SHAPES ? i : draw(SHAPES));
	qsort(entries, ENTRIES, sizeof(*entries), compare_rank);
	for (uint32_t i = 0; i < ENTRIES; i++)
		entries[i].rect.filter = i;
	qsort(entries, ENTRIES, sizeof(*entries), compare_cell);
}

static struct xi_pkt draw_packet(void)
{
	static const uint8_t protos[] = {6, 17, 1, 47};
	struct xi_pkt pkt = {.family = 4,
			     .remote = {10, draw(4), draw(4), draw(256)},
			     .local = {10, draw(4), draw(4), draw(256)},
			     .proto = protos[draw(4)]};

	if (proto_is_icmp(pkt.proto)) {
		pkt.icmp_type = draw(4);
	} else {
		pkt.remote_port = draw(4);
		pkt.local_port = draw(4);
	}
	return pkt;
}

static bool covers_addrs(const struct entry *e, const struct xi_pkt *pkt, bool remote)
{
	return remote ? !memcmp(e->remote, pkt->remote, e->remote_len / 8)
		      : !memcmp(e->local, pkt->local, e->local_len / 8);
}

/* What rows can tell about one field, and the definition of a match. */
static unsigned agrees(const struct entry *e, const struct xi_pkt *pkt)
{
	bool icmp = proto_is_icmp(e->proto);
	uint16_t x = pkt->remote_port, y = pkt->local_port;
	bool in_x = icmp ? !x : x >= e->rect.x_lo && x <= e->rect.x_hi;
	bool in_y = icmp ? !y : y >= e->rect.y_lo && y <= e->rect.y_hi;

	return covers_addrs(e, pkt, true) | covers_addrs(e, pkt, false) << 1 |
	       (!e->proto_given || e->proto == pkt->proto) << 2 | in_x << 3 | in_y << 4;
}

static bool covers(const struct entry *e, const struct xi_pkt *pkt)
{
	uint16_t y = pkt->icmp_type << 8;

	return agrees(e, pkt) == 31 &&
	       (!proto_is_icmp(e->proto) || (y >= e->rect.y_lo && y <= e->rect.y_hi));
}

/* Where the shape, or with `parts` the part of it, ends that begins at `from`. */
static size_t end_of(const struct entry *entries, size_t from, bool parts)
{
	size_t to = from;

	while (to < ENTRIES && entries[to].shape == entries[from].shape &&
	       (!parts || entries[to].part == entries[from].part))
		to++;
	return to;
}

static uint32_t best_of(const struct entry *entries, size_t from, size_t to,
			const struct xi_pkt *pkt)
{
	uint32_t best = XI_NO_FILTER;

	for (size_t i = from; i < to; i++)
		if (covers(&entries[i], pkt) && entries[i].rect.filter < best)
			best = entries[i].rect.filter;
	return best;
}

/* The best of the first part that has a match. */
static uint32_t first_of(const struct entry *entries, size_t from, size_t to,
			 const struct xi_pkt *pkt)
{
	uint32_t best = XI_NO_FILTER;

	for (size_t end; best == XI_NO_FILTER && from < to; from = end) {
		end = end_of(entries, from, true);
		best = best_of(entries, from, end, pkt);
	}
	return best;
}

/* How many shapes, or parts, the rows of all fields leave in vain until one has a match. */
static uint32_t count_vain(const struct entry *entries, const struct xi_pkt *pkt, bool parts)
{
	uint32_t vain = 0;

	for (size_t from = 0, to; from < ENTRIES; from = to) {
		unsigned all = 0;

		to = end_of(entries, from, parts);
		for (size_t i = from; i < to; i++)
			all |= agrees(&entries[i], pkt);
		if (best_of(entries, from, to, pkt) != XI_NO_FILTER)
			break;
		vain += all == 31;
	}
	return vain;
}

static int compare_filter(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->rect.filter < y->rect.filter ? -1 : x->rect.filter > y->rect.filter;
}

/* Returns how many parts there are. */
static uint32_t check_kept(const struct entry *before, const struct entry *after)
{
	struct entry a[ENTRIES], b[ENTRIES];
	uint32_t parts = 0;

	for (size_t i = 0; i < ENTRIES; i++) {
		bool first = !i || after[i].shape != after[i - 1].shape;

		assert_true(first ? !after[i].part : after[i].part <= after[i - 1].part + 1);
		assert_int_equal(before[i].shape, after[i].shape);
		parts += first || after[i].part != after[i - 1].part;
		if (!first && after[i].part == after[i - 1].part)
			assert_true(compare_cell(&after[i - 1], &after[i]) < 0);
	}
	assert_in_range(parts, SHAPES, 128);
	memcpy(a, before, sizeof(a));
	memcpy(b, after, sizeof(b));
	qsort(a, ENTRIES, sizeof(*a), compare_filter);
	qsort(b, ENTRIES, sizeof(*b), compare_filter);
	for (size_t i = 0; i < ENTRIES; i++)
		b[i].part = 0;
	assert_memory_equal(a, b, sizeof(a));
	return parts;
}

static void the_first_part_with_a_match_has_the_best(void **unused)
{
	const struct split_limits limits = {.alive = XI_ALIVE_MAX};
	struct entry before[ENTRIES], after[ENTRIES];
	uint32_t matches = 0, parts = 0, vain[2] = {0};

	for (int round = 0; round < 40; round++) {
		draw_entries(before);
		memcpy(after, before, sizeof(after));
		assert_int_equal(split_shapes(after, ENTRIES, SHAPES, &limits), 0);
		parts += check_kept(before, after);
		for (int i = 0; i < 300; i++) {
			struct xi_pkt pkt = draw_packet();

			for (size_t from = 0, to; from < ENTRIES; from = to) {
				uint32_t want;

				to = end_of(after, from, false);
				want = best_of(after, from, to, &pkt);
				assert_int_equal(first_of(after, from, to, &pkt), want);
				matches += want != XI_NO_FILTER;
			}
			vain[0] += count_vain(before, &pkt, false);
			vain[1] += count_vain(after, &pkt, true);
		}
	}
	print_message("           %u matches; %u shapes tried in vain, %u parts\n", matches,
		      vain[0], vain[1]);
	assert_true(matches > 10000);
	assert_true(parts > 40 * 2 * SHAPES);
	assert_true(vain[1] * 4 < vain[0] * 3);
}

/* Parts must not make more shapes alive than the limit that dense lists are there for. */
static void the_limit_of_shapes_alive_is_kept(void **unused)
{
	struct entry entries[ENTRIES];

	for (uint32_t most = SHAPES; most < 3 * SHAPES; most++) {
		const struct split_limits limits = {.alive = most};
		struct alive *alive;
		uint32_t parts = 0;

		draw_entries(entries);
		assert_int_equal(split_shapes(entries, ENTRIES, SHAPES, &limits), 0);
		for (size_t from = 0, to; from < ENTRIES; from = to) {
			to = end_of(entries, from, true);
			for (size_t i = from; i < to; i++)
				entries[i].shape = parts;
			parts++;
		}
		assert_int_equal(alive_open(entries, ENTRIES, parts, NULL, NULL, &alive), 0);
		assert_true(alive_most(alive, NULL) <= most);
		alive_close(alive);
		/* All shapes are alive somewhere: there is just room for the difference. */
		assert_in_range(parts, most > SHAPES ? SHAPES + 1 : SHAPES, most);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_part_with_a_match_has_the_best),
		cmocka_unit_test(the_limit_of_shapes_alive_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
