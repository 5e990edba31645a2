/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of hashed addresses: a row never misses a shape that has a prefix around the
 * address, whether the prefix is as long as the field is deep, longer, spread over
 * many slots or everywhere; and spreading leaves fewer shapes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "compile/depths.h"
#include "compile/sample.h"

#define SHAPES	70
#define ENTRIES 300

static uint64_t state = 20090901;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

/* Shapes of all lengths, each with few prefixes. */
static void draw_entries(struct entry entries[ENTRIES], uint8_t family, uint8_t longest)
{
	memset(entries, 0, ENTRIES * sizeof(*entries));
	for (uint32_t i = 0; i < ENTRIES; i++) {
		struct entry *e = &entries[i];
		__u64 mask[2], word[2];

		e->family = family;
		e->shape = i * SHAPES / ENTRIES;
		e->remote_len = e->local_len = e->shape * longest / (SHAPES - 1);
		prefix_words(e->remote_len, mask);
		for (int k = 0; k < (family == 6 ? 16 : 4); k++)
			e->remote[k] = e->local[k] = draw(256);
		memcpy(word, e->remote, sizeof(word));
		word[0] &= mask[0];
		word[1] &= mask[1];
		memcpy(e->remote, word, sizeof(word));
		memcpy(e->local, word, sizeof(word));
	}
}

static bool around(const struct entry *e, const struct xi_pkt *pkt)
{
	__u64 mask[2], addr[2], prefix[2];

	prefix_words(e->remote_len, mask);
	memcpy(addr, pkt->remote, sizeof(addr));
	memcpy(prefix, e->remote, sizeof(prefix));
	return !((addr[0] ^ prefix[0]) & mask[0]) && !((addr[1] ^ prefix[1]) & mask[1]);
}

/* An address somewhere in the prefix of an entry, as the remote and as the local one. */
static struct xi_pkt draw_packet(const struct entry *e)
{
	struct xi_pkt pkt = {.family = e->family};
	__u64 mask[2], rest[2], word[2];

	prefix_words(e->remote_len, mask);
	memset(rest, 0, sizeof(rest));
	for (int k = 0; k < (e->family == 6 ? 16 : 4); k++)
		((uint8_t *)rest)[k] = draw(256);
	memcpy(word, e->remote, sizeof(word));
	word[0] |= rest[0] & ~mask[0];
	word[1] |= rest[1] & ~mask[1];
	memcpy(pkt.remote, word, sizeof(word));
	memcpy(pkt.local, word, sizeof(word));
	return pkt;
}

/* Returns how many shapes the rows of some addresses leave. */
static uint32_t check_field(struct rows *rows, const struct field *field)
{
	uint32_t left = 0;

	rows_matrix(rows, field);
	for (int i = 0; i < 500; i++) {
		struct xi_pkt pkt = draw_packet(&rows->entries[draw(rows->count)]);
		size_t at = (size_t)field_slot(field, &pkt) * rows->words;
		uint64_t row[(SHAPES + 63) / 64];

		for (uint32_t w = 0; w < rows->words; w++) {
			row[w] = rows->matrix[at + w] | rows->base[w];
			left += __builtin_popcountll(row[w]);
		}
		for (size_t e = 0; e < rows->count; e++) {
			uint32_t shape = rows->entries[e].shape;

			if (around(&rows->entries[e], &pkt))
				assert_true(row[shape / 64] >> shape % 64 & 1);
		}
	}
	return left;
}

static void check_family(uint8_t family, uint8_t longest, enum field_of of)
{
	struct xi_space space = {.shapes = SHAPES, .chunks = 1};
	struct entry entries[ENTRIES];
	struct rows rows = {
		.space = &space, .entries = entries, .count = ENTRIES, .words = (SHAPES + 63) / 64};
	struct field field = {.of = of, .v6 = family == 6};
	struct lengths lengths;
	uint32_t plain = 0, spread = 0, spreads = 0;
	__u64 mask[2];

	rows.set = malloc(SET_WORDS * sizeof(*rows.set));
	rows.matrix = malloc((size_t)XI_SLOTS * rows.words * 8);
	rows.base = malloc(rows.words * 8);
	assert_true(rows.set && rows.matrix && rows.base);
	draw_entries(entries, family, longest);
	assert_int_equal(lengths_open(&rows, of, &lengths), 0);
	field.probe.of_local = of == FIELD_LOCAL;
	field.probe.mult[0] = 0x9e3779b97f4a7c15ull;
	field.probe.mult[1] = 0xc2b2ae3d27d4eb4full;
	for (unsigned depth = 1; depth <= longest; depth += 1 + draw(longest / 8)) {
		field.probe.depth = depth;
		prefix_words(depth, mask);
		if (family == 4 && of == FIELD_LOCAL)
			mask[0] <<= 32;
		memcpy(field.probe.mask, mask, sizeof(mask));
		field.shortest = depth;
		plain += check_field(&rows, &field);
		field.shortest = shortest_spread(&lengths, depth);
		assert_in_range(field.shortest, 1, depth);
		spreads += field.shortest < depth;
		spread += check_field(&rows, &field);
	}
	assert_true(spreads > 5);
	assert_true(spread * 10 < plain * 9);
	lengths_close(&lengths);
	free(rows.set);
	free(rows.matrix);
	free(rows.base);
}

static void rows_miss_no_prefix_around_an_address(void **unused)
{
	check_family(4, 32, FIELD_REMOTE);
	check_family(4, 32, FIELD_LOCAL);
	check_family(6, 128, FIELD_REMOTE);
	check_family(6, 128, FIELD_LOCAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_miss_no_prefix_around_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
