/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 addresses told apart whole: the row found for an address has the shapes of
 * all prefixes that cover it and no others, and lists that do not fit are told
 * before anything is built.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "compile/whole.h"

#define SHAPES 300

static uint64_t state = 20031113;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

static uint32_t masked(uint32_t addr, uint8_t len)
{
	return len ? addr & ~0u << (32 - len) : 0;
}

static void put(uint8_t out[4], uint32_t addr)
{
	for (int i = 0; i < 4; i++)
		out[i] = addr >> (24 - 8 * i);
}

/* Addresses from few values, so that prefixes lie inside each other. */
static uint32_t draw_addr(void)
{
	static const uint8_t bytes[] = {0, 1, 10, 127, 128, 254, 255};

	return (uint32_t)bytes[draw(7)] << 24 | bytes[draw(7)] << 16 | bytes[draw(7)] << 8 |
	       bytes[draw(7)];
}

static struct entry make(uint32_t remote, uint8_t remote_len, uint32_t local, uint8_t local_len)
{
	struct entry e = {.family = 4, .remote_len = remote_len, .local_len = local_len};

	put(e.remote, masked(remote, remote_len));
	put(e.local, masked(local, local_len));
	return e;
}

/* The definition. */
static bool covered(const struct entry *e, enum field_of of, uint32_t addr)
{
	const uint8_t *a = of == FIELD_REMOTE ? e->remote : e->local;
	uint8_t len = of == FIELD_REMOTE ? e->remote_len : e->local_len;

	if (of == FIELD_LOCAL && e->me)
		return true;
	return masked(addr, len) == ((uint32_t)a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3]);
}

static void check_row(const struct whole *whole, const struct rows *rows, enum field_of of,
		      uint32_t addr)
{
	uint64_t want[(SHAPES + 63) / 64] = {0};
	uint8_t bytes[4];

	for (size_t i = 0; i < rows->count; i++)
		if (covered(&rows->entries[i], of, addr))
			want[rows->entries[i].shape / 64] |= 1ull << rows->entries[i].shape % 64;
	put(bytes, addr);
	assert_memory_equal(whole_row(whole, bytes), want, sizeof(want));
}

static void rows_are_those_of_all_prefixes_around(void **unused)
{
	struct xi_space space = {.shapes = SHAPES, .chunks = 2};
	struct entry entries[400];
	struct rows rows = {.entries = entries, .space = &space, .words = (SHAPES + 63) / 64};
	struct whole whole;
	bool can[2];

	for (int round = 0; round < 50; round++) {
		rows.count = 1 + draw(400);
		for (size_t i = 0; i < rows.count; i++) {
			entries[i] = make(draw_addr(), draw(33), draw_addr(), draw(33));
			entries[i].shape = draw(SHAPES);
			if (!draw(9)) { /* `me`: whatever is in its address says nothing */
				entries[i].me = true;
				entries[i].local_len = draw(33);
			}
		}
		assert_int_equal(whole_plan(entries, rows.count, SHAPES, can), 0);
		assert_true(can[0] && can[1]);
		for (enum field_of of = FIELD_REMOTE; of <= FIELD_LOCAL; of++) {
			assert_int_equal(whole_build(&whole, &rows, of), 0);
			assert_true(whole.block_count <= XI_BLOCKS);
			for (int i = 0; i < 500; i++)
				check_row(&whole, &rows, of, draw_addr());
			for (size_t i = 0; i < rows.count; i++) {
				struct entry *e = &entries[i];
				uint8_t *a = of == FIELD_REMOTE ? e->remote : e->local;
				uint8_t len = of == FIELD_REMOTE ? e->remote_len : e->local_len;
				uint32_t first = (uint32_t)a[0] << 24 | a[1] << 16 | a[2] << 8 |
						 a[3];
				uint32_t last = len ? first | ~masked(~0u, len) : ~0u;

				check_row(&whole, &rows, of, first);
				check_row(&whole, &rows, of, first - 1);
				check_row(&whole, &rows, of, last);
				check_row(&whole, &rows, of, last + 1);
			}
			whole_free(&whole);
		}
	}
}

/* `networks` of 32 bits on one side, each in a /16 of its own: two blocks each. */
static size_t scatter(struct entry *entries, uint32_t networks, bool local)
{
	for (uint32_t i = 0; i < networks; i++)
		entries[i] = local ? make(0, 0, i << 16 | 1, 32) : make(i << 16 | 1, 32, 0, 0);
	return networks;
}

static void what_does_not_fit_is_told(void **unused)
{
	struct entry *entries = calloc(2 * XI_BLOCKS + XI_BLOCK_FLAG, sizeof(*entries));
	size_t n;
	bool can[2];

	assert_non_null(entries);
	/* As many blocks as there are, and one network more. */
	n = scatter(entries, XI_BLOCKS / 2 / 2, false);
	assert_int_equal(whole_plan(entries, n, 10, can), 0);
	assert_true(can[0] && can[1]);
	n = scatter(entries, XI_BLOCKS / 2 + 1, false);
	assert_int_equal(whole_plan(entries, n, 10, can), 0);
	assert_true(!can[0] && can[1]);

	/* Together too many: the smaller one alone, when it leaves room for two hashes. */
	n = scatter(entries, XI_BLOCKS / 2 / 2, false);
	n += scatter(entries + n, XI_BLOCKS / 2 / 2 + 1, true);
	assert_int_equal(whole_plan(entries, n, 10, can), 0);
	assert_true(can[0] && !can[1]);
	n = scatter(entries, XI_BLOCKS / 2 / 2 + 2, false);
	n += scatter(entries + n, XI_BLOCKS / 2 / 2 + 1, true);
	assert_int_equal(whole_plan(entries, n, 10, can), 0);
	assert_true(!can[0] && !can[1]);

	/* Few blocks, but more prefixes than lines: of two lines each in the second case. */
	for (n = 0; n < XI_BLOCK_FLAG / 2 - 1; n++)
		entries[n] = make(n << 17, 15, n, 32);
	assert_int_equal(whole_plan(entries, n, 10, can), 0);
	assert_true(can[0] && can[1]);
	assert_int_equal(whole_plan(entries, n, XI_CHUNK_SHAPES + 1, can), 0);
	assert_true(!can[0] && !can[1]);

	entries[0].family = 6;
	assert_int_equal(whole_plan(entries, 1, 10, can), 0);
	assert_true(!can[0] && !can[1]);
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_those_of_all_prefixes_around),
		cmocka_unit_test(what_does_not_fit_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
