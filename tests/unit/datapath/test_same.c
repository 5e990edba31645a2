/* SPDX-License-Identifier: BSD-2-Clause */
/* Which filters of two lists are the same, against the obvious way to find out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "datapath/same.h"

#define MOST 40

static struct xi_filter filter_of(unsigned number, unsigned id)
{
	struct xi_filter filter = {
		.remote_len = number & 3,
		.local_port_lo = number >> 2,
		.action = number % 3 + 1,
		.band = XI_BAND_RULES,
		.id = id,
		.rule = id / 7,
	};

	return filter;
}

/* The same numbers are the same filters, whatever their ids. */
static void check(const unsigned *old, size_t old_count, const unsigned *fresh, size_t count)
{
	struct xi_filter a[MOST] = {0}, b[MOST] = {0};
	uint32_t was[MOST];
	size_t kept = SIZE_MAX, expected = 0;

	for (size_t i = 0; i < old_count; i++)
		a[i] = filter_of(old[i], i + 1);
	for (size_t i = 0; i < count; i++)
		b[i] = filter_of(fresh[i], 1000 + i);
	assert_int_equal(same_filters(a, old_count, b, count, was, &kept), 0);
	for (size_t i = 0; i < count; i++) {
		uint32_t at = XI_NO_FILTER;

		for (size_t k = 0; k < old_count; k++)
			if (old[k] == fresh[i])
				at = k;
		assert_int_equal(was[i], at);
		expected += at != XI_NO_FILTER;
	}
	assert_int_equal(kept, expected);
}

static void nothing_and_everything(void **state)
{
	static const unsigned some[] = {1, 2, 3, 4, 5};

	check(some, 0, some, 0);
	check(some, 0, some, 5);
	check(some, 5, some, 0);
	check(some, 5, some, 5);
}

static void one_line_more_or_less_anywhere(void **state)
{
	unsigned all[MOST], without[MOST];

	for (unsigned i = 0; i < MOST; i++)
		all[i] = i;
	for (unsigned gone = 0; gone < MOST; gone++) {
		for (unsigned i = 0; i + 1 < MOST; i++)
			without[i] = i + (i >= gone);
		check(all, MOST, without, MOST - 1);
		check(without, MOST - 1, all, MOST);
	}
}

static void lists_that_are_shuffled_and_thinned(void **state)
{
	srand(1);
	for (unsigned round = 0; round < 3000; round++) {
		unsigned lists[2][MOST];
		size_t counts[2];

		for (unsigned which = 0; which < 2; which++) {
			counts[which] = rand() % (MOST + 1);
			for (unsigned i = 0; i < counts[which]; i++)
				lists[which][i] = i * 3 + which * (rand() % 8 == 0);
			for (unsigned i = 0; rand() % 2 && i + 1 < counts[which]; i++) {
				unsigned k = i + rand() % (counts[which] - i);
				unsigned keep = lists[which][i];

				lists[which][i] = lists[which][k];
				lists[which][k] = keep;
			}
		}
		check(lists[0], counts[0], lists[1], counts[1]);
	}
}

/* Each field but the number, the rule and the padding makes another filter. */
static void every_byte_that_selects_or_acts_counts(void **state)
{
	struct xi_filter old = filter_of(0, 1), fresh;
	uint32_t was;
	size_t kept;

	for (size_t i = 0; i < sizeof(old); i++) {
		bool names = i >= offsetof(struct xi_filter, id) &&
			     i < offsetof(struct xi_filter, dir);

		if (i >= offsetof(struct xi_filter, pad))
			continue;
		fresh = old;
		((uint8_t *)&fresh)[i] ^= 0x10;
		assert_int_equal(same_filters(&old, 1, &fresh, 1, &was, &kept), 0);
		assert_int_equal(was == 0, names);
		assert_int_equal(kept, names);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_and_everything),
		cmocka_unit_test(one_line_more_or_less_anywhere),
		cmocka_unit_test(lists_that_are_shuffled_and_thinned),
		cmocka_unit_test(every_byte_that_selects_or_acts_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
