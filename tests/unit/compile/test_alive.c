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

#include "compile/dense.h"
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

/* The same for lists of so many entries that the pairs are compared as rows. */
static uint32_t most_by_rows(const struct entry *entries, size_t count, size_t hosts,
			     const struct alive *moved)
{
	uint64_t *rows[2] = {calloc(hosts, 8), calloc(hosts, 8)}, stay = ~0ull;
	uint32_t most = 0;

	assert_true(rows[0] && rows[1]);
	for (uint32_t s = 0; s < 64; s++)
		stay ^= (uint64_t)alive_moved(moved, s) << s;
	for (size_t i = 0; i < count; i++) {
		const struct entry *e = &entries[i];

		rows[0][e->remote[2] << 8 | e->remote[3]] |= 1ull << e->shape & stay;
		rows[1][e->local[2] << 8 | e->local[3]] |= 1ull << e->shape & stay;
	}
	for (size_t r = 0; r < hosts; r++)
		for (size_t l = 0; l < hosts; l++) {
			uint32_t n = __builtin_popcountll(rows[0][r] & rows[1][l]);

			most = n > most ? n : most;
		}
	free(rows[0]);
	free(rows[1]);
	return most;
}

/* So many pairs of hosts, and so alike, that nobody looks at them all: the limit holds even so. */
static void a_limit_is_kept_where_the_search_is_too_long(void **unused)
{
	enum { HOSTS = 6000, EACH = 9, ENTRIES = HOSTS * EACH, BUDGET = 6 };
	struct entry *entries = calloc(ENTRIES, sizeof(*entries));
	struct diag diag = {0};
	struct build build = {.diag = &diag};
	struct alive *alive = NULL;
	bool exact = true;
	size_t picked = 7;
	int64_t moved;

	assert_non_null(entries);
	srand(5);
	for (size_t i = 0; i < ENTRIES; i++) {
		struct entry *e = &entries[i];
		uint32_t r = i / EACH, l = rand() % HOSTS;

		*e = (struct entry){.family = 4,
				    .remote = {10, 0, r >> 8, r},
				    .local = {10, 1, l >> 8, l},
				    .remote_len = 32,
				    .local_len = 32,
				    .shape = rand() % 64};
	}
	assert_int_equal(alive_open(entries, ENTRIES, 64, NULL, NULL, &alive), 0);
	assert_true(alive_most(alive, &exact) >= most_by_rows(entries, ENTRIES, HOSTS, alive));
	assert_false(exact);
	/* With room for all it is kept, */
	moved = alive_limit(alive, BUDGET, ENTRIES);
	assert_true(moved > 0);
	assert_true(most_by_rows(entries, ENTRIES, HOSTS, alive) <= BUDGET);
	alive_close(alive);
	/* and with too little it is refused. */
	assert_int_equal(
		dense_pick(&build, entries, ENTRIES, 64, NULL, NULL, BUDGET, moved - 1, &picked),
		-EINVAL);
	assert_int_equal(picked, 0);
	assert_string_equal(diag.entries[0].text,
			    "too many kinds of filters overlap in too many places to tell that "
			    "nowhere more than 6 pairs of prefix lengths meet");
	diag_free(&diag);
	free(entries);
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

/* ------------------------------------------------------------------- picking */

static const size_t value_sizes[XI_TABLE_MAX] = {
#define XI_TABLE(NAME, name, type) sizeof(type),
#include <xipsec/tables.def>
#undef XI_TABLE
};

/* `each` filters of every pair of lengths from 9 to 32 at 165.165.165.165: 576 shapes. */
#define NEST	   24
#define NEST_PAIRS (NEST * NEST)

static struct entry *nested(size_t each)
{
	struct entry *entries = calloc(NEST_PAIRS * each, sizeof(*entries));

	assert_non_null(entries);
	for (size_t i = 0; i < NEST_PAIRS * each; i++) {
		struct entry *e = &entries[i];
		struct xi_addr addr = {.family = 4, .b = {165, 165, 165, 165}};

		e->family = 4;
		e->shape = i / each;
		e->remote_len = 32 - e->shape / NEST;
		e->local_len = 32 - e->shape % NEST;
		e->rect = (struct xi_rect){.x_lo = i % each, .x_hi = 65535, .y_hi = 65535};
		e->rect.filter = i;
		e->rect.action = XI_ACT_BLOCK;
		xi_addr_mask(&addr, e->remote_len);
		memcpy(e->remote, addr.b, 16);
		addr = (struct xi_addr){.family = 4, .b = {165, 165, 165, 165}};
		xi_addr_mask(&addr, e->local_len);
		memcpy(e->local, addr.b, 16);
	}
	return entries;
}

static void build_free(struct build *build)
{
	for (int t = 0; t < XI_TABLE_MAX; t++)
		free(build->tab[t].data);
}

static struct build build_new(struct image *image, struct diag *diag)
{
	struct build build = {.image = image, .diag = diag};

	for (int t = 0; t < XI_TABLE_MAX; t++)
		build.tab[t].size = value_sizes[t];
	return build;
}

static void what_is_too_much_is_picked(void **unused)
{
	struct entry *entries = nested(7);
	struct diag diag = {0};
	struct build build = build_new(NULL, &diag);
	size_t count = NEST_PAIRS * 7, moved = 1;
	struct alive *alive = NULL;
	uint32_t budget = 64;

	assert_int_equal(dense_pick(&build, entries, count, NEST_PAIRS, NULL, NULL, NEST_PAIRS,
				    XI_DENSE_MAX, &moved),
			 0);
	assert_int_equal(moved, 0);
	assert_int_equal(dense_pick(&build, entries, count, NEST_PAIRS, NULL, NULL, budget,
				    XI_DENSE_MAX, &moved),
			 0);
	assert_int_equal(moved, count - budget * 7);
	for (size_t i = 1; i < count; i++)
		assert_true(i == moved || entries[i - 1].rect.filter < entries[i].rect.filter);
	assert_int_equal(alive_open(entries + moved, count - moved, NEST_PAIRS, NULL, NULL, &alive),
			 0);
	assert_int_equal(alive_most(alive, NULL), budget);
	alive_close(alive);
	assert_int_equal(dense_build(&build, entries, moved), 0);
	assert_int_equal(build.tab[XI_TABLE_DFILTER].count, moved);
	build_free(&build);
	diag_free(&diag);
	free(entries);
}

static void what_is_too_much_for_it_is_refused_in_words(void **unused)
{
	struct entry *entries = nested(10);
	struct filter *filters = calloc(NEST_PAIRS * 10, sizeof(*filters));
	struct image image = {.filters = filters, .count = NEST_PAIRS * 10};
	struct diag diag = {0};
	struct build build = build_new(&image, &diag);
	size_t moved = 7;

	assert_non_null(filters);
	for (size_t i = 0; i < image.count; i++) {
		filters[i].rule = i / 10 % 5;
		filters[i].rule_name = filters[i].rule % 2 ? "odd" : "even";
	}
	assert_int_equal(dense_pick(&build, entries, image.count, NEST_PAIRS, NULL, NULL, 64,
				    XI_DENSE_MAX, &moved),
			 -EINVAL);
	assert_int_equal(moved, 0);
	assert_int_equal(diag.errors, 1);
	assert_string_equal(
		diag.entries[0].text,
		"too many kinds of filters overlap: between 165.165.165.165 and 165.165.165.165 "
		"here, 576 pairs of prefix lengths meet, by the rules 'even', 'odd', 'even' and "
		"others. "
		"64 are looked up one by one, and what is beyond that may have 4096 filters at "
		"most");
	build_free(&build);
	diag_free(&diag);
	free(filters);
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_is_what_counting_finds),
		cmocka_unit_test(a_limit_is_kept_or_refused),
		cmocka_unit_test(a_limit_is_kept_where_the_search_is_too_long),
		cmocka_unit_test(small_shapes_go_first),
		cmocka_unit_test(no_filters_no_shapes),
		cmocka_unit_test(what_is_too_much_is_picked),
		cmocka_unit_test(what_is_too_much_for_it_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
