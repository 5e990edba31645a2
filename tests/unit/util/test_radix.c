/* SPDX-License-Identifier: BSD-2-Clause */
/* The sort by number: in order, stable, nothing lost, whatever the keys look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "util/radix.h"

#define COUNT_MAX 20000

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 16;
}

/* Keys of `bits` bits shifted up, so that ties and constant bytes come about. */
static void expect_sorted(size_t count, unsigned bits, unsigned shift)
{
	static struct keyed v[COUNT_MAX];
	static uint64_t keys[COUNT_MAX];
	static char seen[COUNT_MAX];
	uint64_t state = count + bits;

	for (size_t i = 0; i < count; i++) {
		keys[i] = (next(&state) & ((1ull << bits) - 1)) << shift | 5;
		v[i] = (struct keyed){keys[i], i, ~i};
		seen[i] = 0;
	}
	assert_int_equal(radix_sort(v, count), 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(v[i].key == keys[v[i].index]);
		assert_int_equal(v[i].extra, (uint32_t)~v[i].index);
		assert_int_equal(seen[v[i].index]++, 0);
		if (!i)
			continue;
		assert_true(v[i - 1].key <= v[i].key);
		if (v[i - 1].key == v[i].key)
			assert_true(v[i - 1].index < v[i].index);
	}
}

static void any_number_of_any_keys_is_sorted_stably(void **unused)
{
	static const size_t counts[] = {0, 1, 2, 47, 48, 49, 50, 255, 256, 1000, COUNT_MAX};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		expect_sorted(counts[i], 1, 0);
		expect_sorted(counts[i], 7, 57);
		expect_sorted(counts[i], 12, 20);
		expect_sorted(counts[i], 48, 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_number_of_any_keys_is_sorted_stably),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
