/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many shapes can be alive at once, against counting them for every pair of
 * addresses that matters; and that a limit is kept, or refused with the filters
 * that are to blame.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile/alive.h"
#include "util/addr.h"

#define ENTRIES_MAX 120

static uint8_t rounded(const struct alive_depths *depths, uint8_t len)
{
	while (depths && len && !depths->at[len])
		len--;
	return len;
}

static bool in_prefix(const uint8_t prefix[16], uint8_t len, const uint8_t addr[16])
{
	struct xi_addr a = {.family = 6}, p = {.family = 6};

	memcpy(a.b, addr, 16);
	memcpy(p.b, prefix, 16);
	xi_addr_mask(&a, len);
	xi_addr_mask(&p, len);
	return xi_addr_equal(&a, &p);
}

/* Shapes with a filter for each of the two addresses, by looking at every filter. */
static uint32_t alive_at(const struct entry *entries, size_t count, uint32_t shapes,
			 const struct alive_depths *depths, const uint8_t remote[16],
			 const uint8_t local[16], const struct alive *moved)
{
	uint8_t seen[ENTRIES_MAX] = {0};
	uint32_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct entry *e = &entries[i];

		if (in_prefix(e->remote, rounded(depths, e->remote_len), remote))
			seen[e->shape] |= 1;
		if (in_prefix(e->local, rounded(depths, e->me ? 0 : e->local_len), local))
			seen[e->shape] |= 2;
	}
	for (uint32_t s = 0; s < shapes; s++)
		n += seen[s] == 3 && !(moved && alive_moved(moved, s));
	return n;
}

/* The first address of every prefix stands for its innermost stretch or an outer one. */
static uint32_t most_by_counting(const struct entry *entries, size_t count, uint32_t shapes,
				 const struct alive_depths *depths, const struct alive *moved)
{
	uint32_t most = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < count; k++) {
			struct xi_addr remote = {.family = 6}, local = {.family = 6};
			uint32_t n;

			memcpy(remote.b, entries[i].remote, 16);
			memcpy(local.b, entries[k].local, 16);
			xi_addr_mask(&remote, rounded(depths, entries[i].remote_len));
			xi_addr_mask(&local,
				     rounded(depths, entries[k].me ? 0 : entries[k].local_len));
			n = alive_at(entries, count, shapes, depths, remote.b, local.b, moved);
			most = n > most ? n : most;
		}
	}
	return most;
}

static void draw_addr(uint8_t addr[16], uint8_t len, unsigned bits)
{
	struct xi_addr a = {.family = 6, .b = {0xa5, 0xa5, 0xa5, 0xa5}};

	if (rand() % 3)
		a.b[rand() % (bits / 8)] ^= 1 << rand() % 8;
	xi_addr_mask(&a, len);
	memcpy(addr, a.b, 16);
}

static size_t draw_entries(struct entry *entries, uint32_t *ret_shapes)
{
	size_t count = 1 + rand() % ENTRIES_MAX;
	uint32_t shapes = 1 + rand() % count;
	bool v6 = rand() % 2;
	unsigned bits = v6 ? 128 : 32;

	memset(entries, 0, ENTRIES_MAX * sizeof(*entries));
	for (size_t i = 0; i < count; i++) {
		struct entry *e = &entries[i];

		e->family = v6 ? 6 : 4;
		e->shape = i < shapes ? i : rand() % shapes;
		/* Of one shape, one pair of lengths, as in a compiled list. */
		e->remote_len = e->shape * 7 % (bits + 1);
		e->local_len = e->shape * 5 % (bits + 1);
		e->me = e->shape % 11 == 3;
		e->rect.filter = i;
		draw_addr(e->remote, e->remote_len, bits);
		if (!e->me)
			draw_addr(e->local, e->local_len, bits);
	}
	*ret_shapes = shapes;
	return count;
}

static void draw_depths(struct alive_depths *depths)
{
	memset(depths, 0, sizeof(*depths));
	depths->at[0] = true;
	for (int i = 0; i < 10; i++)
		depths->at[rand() % 129] = true;
}

static void the_most_is_what_counting_finds(void **unused)
{
	static struct entry entries[ENTRIES_MAX];

	srand(3);
	for (int i = 0; i < 120; i++) {
		uint32_t shapes;
		size_t count = draw_entries(entries, &shapes);
		struct alive_depths some, *depths = i % 2 ? &some : NULL;
		struct alive *alive = NULL;
		bool exact = false;

		draw_depths(&some);
		assert_int_equal(alive_open(entries, count, shapes, depths, depths, &alive), 0);
		assert_int_equal(alive_most(alive, &exact),
				 most_by_counting(entries, count, shapes, depths, NULL));
		assert_true(exact);
		alive_close(alive);
	}
}

static void a_limit_is_kept_or_refused(void **unused)
{
	static struct entry entries[ENTRIES_MAX];
	unsigned kept = 0, refused = 0, untouched = 0;

	srand(4);
	for (int i = 0; i < 200; i++) {
		uint32_t shapes, budget = rand() % 12, ranks[ENTRIES_MAX], there;
		size_t count = draw_entries(entries, &shapes), capacity = rand() % 60, filters = 0;
		struct alive *alive = NULL;
		int64_t moved;
		size_t n;

		assert_int_equal(alive_open(entries, count, shapes, NULL, NULL, &alive), 0);
		moved = alive_limit(alive, budget, capacity);
		if (moved == -E2BIG) {
			n = alive_culprits(alive, ranks, ENTRIES_MAX, &there);
			assert_true(there > budget);
			assert_int_equal(n, there);
			for (size_t k = 1; k < n; k++)
				assert_true(entries[ranks[k]].shape != entries[ranks[k - 1]].shape);
			refused++;
		} else {
			for (size_t k = 0; k < count; k++)
				filters += alive_moved(alive, entries[k].shape);
			assert_int_equal(moved, filters);
			assert_true(filters <= capacity);
			assert_true(most_by_counting(entries, count, shapes, NULL, alive) <=
				    budget);
			assert_true(alive_most(alive, NULL) <= budget);
			kept += filters != 0;
			untouched += !filters;
		}
		alive_close(alive);
	}
	assert_true(kept > 10 && refused > 10 && untouched > 10);
}

/* Nothing is moved that need not be: the small shapes go, the large ones stay. */
static void small_shapes_go_first(void **unused)
{
	static struct entry entries[30];
	struct alive *alive = NULL;

	memset(entries, 0, sizeof(entries));
	for (uint32_t i = 0; i < 30; i++) {
		entries[i].family = 4;
		entries[i].shape = i < 10 ? i : 0; /* shape 0 has 21 filters, the others one */
		entries[i].remote_len = i;
	}
	assert_int_equal(alive_open(entries, 30, 10, NULL, NULL, &alive), 0);
	assert_int_equal(alive_most(alive, NULL), 10);
	assert_int_equal(alive_limit(alive, 4, 100), 6);
	assert_false(alive_moved(alive, 0));
	assert_int_equal(alive_most(alive, NULL), 4);
	alive_close(alive);
}

static void no_filters_no_shapes(void **unused)
{
	struct alive *alive = NULL;

	assert_int_equal(alive_open(NULL, 0, 0, NULL, NULL, &alive), 0);
	assert_int_equal(alive_most(alive, NULL), 0);
	assert_int_equal(alive_limit(alive, 0, 0), 0);
	alive_close(alive);
	alive_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_is_what_counting_finds),
		cmocka_unit_test(a_limit_is_kept_or_refused),
		cmocka_unit_test(small_shapes_go_first),
		cmocka_unit_test(no_filters_no_shapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
