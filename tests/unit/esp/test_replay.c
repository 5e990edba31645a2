/* SPDX-License-Identifier: BSD-2-Clause */
/* The window of RFC 6479, held against a plain list of what was accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "esp/replay.h"

static bool take(struct replay *replay, uint64_t seq)
{
	bool checked = replay_check(replay, seq), updated = replay_update(replay, seq);

	assert_int_equal(checked, updated);
	return updated;
}

static void numbers_are_taken_once_and_from_the_window_only(void **state)
{
	struct replay replay;

	replay_init(&replay, 64);
	assert_false(take(&replay, 0));
	assert_true(take(&replay, 1));
	assert_false(take(&replay, 1));
	assert_true(take(&replay, 100));
	assert_true(take(&replay, 99));
	assert_false(take(&replay, 99));
	assert_true(take(&replay, 37));	 /* the last of 64 */
	assert_false(take(&replay, 36)); /* left of the window */
	assert_true(take(&replay, 1000000));
	assert_false(take(&replay, 100));
	assert_true(take(&replay, 999999));
}

static void a_check_alone_takes_nothing(void **state)
{
	struct replay replay;

	replay_init(&replay, 64);
	assert_true(replay_check(&replay, 0xffffffff));
	assert_true(take(&replay, 1));
	assert_true(take(&replay, 2));
}

static void no_window_accepts_what_is_not_zero(void **state)
{
	struct replay replay;

	replay_init(&replay, 0);
	assert_true(take(&replay, 5));
	assert_true(take(&replay, 5));
	assert_true(take(&replay, 1));
	assert_false(take(&replay, 0));
}

#define NUMBERS 200000

/* The definition: new, and less than `window` behind the highest. */
static void every_size_does_as_the_definition_says(void **state)
{
	static const uint32_t windows[] = {1, 63, 64, 65, 128, 1000, 1024, 8192, 60000};
	static bool seen[NUMBERS];
	struct replay replay;
	uint32_t random = 12345;

	for (size_t w = 0; w < sizeof(windows) / sizeof(*windows); w++) {
		uint64_t top = 0;

		memset(seen, 0, sizeof(seen));
		replay_init(&replay, windows[w]);
		assert_true(replay.size >= windows[w] || replay.size == REPLAY_MAX);
		for (int i = 0; i < NUMBERS; i++) {
			uint64_t seq, spread = replay.size * 2;
			bool expect;

			random = random * 1664525 + 1013904223;
			seq = top + 1 + (random >> 8) % spread;
			seq = seq > spread * 3 / 4 ? seq - spread * 3 / 4 : 0;
			if (random >> 28 == 3)
				seq = top + (random >> 8) % (spread * 4);
			if (seq >= NUMBERS)
				break;
			expect = seq && !seen[seq] && (seq > top || top - seq < replay.size);
			assert_int_equal(take(&replay, seq), expect);
			if (!expect)
				continue;
			seen[seq] = true;
			if (seq > top)
				top = seq;
		}
		assert_true(top > NUMBERS / 2);
	}
}

/* RFC 4303 appendix A2.2, both cases and their borders. */
static void the_high_half_is_found_from_the_window(void **state)
{
	struct replay replay;

	replay_init(&replay, 1024);
	assert_int_equal(replay_extend(&replay, 1), 1);
	assert_int_equal(replay_extend(&replay, 0xffffffff), 0xffffffff);
	/* The window lies within one subspace. */
	replay.top = 0x500001000;
	assert_int_equal(replay_extend(&replay, 0x1000), 0x500001000);
	assert_int_equal(replay_extend(&replay, 0x0c01), 0x500000c01);
	assert_int_equal(replay_extend(&replay, 0x0c00), 0x600000c00);
	assert_int_equal(replay_extend(&replay, 0xffffffff), 0x5ffffffff);
	/* The window reaches back into the subspace before. */
	replay.top = 0x500000010;
	assert_int_equal(replay_extend(&replay, 0x20), 0x500000020);
	assert_int_equal(replay_extend(&replay, 0xfffffff0), 0x4fffffff0);
	assert_int_equal(replay_extend(&replay, 0xfffffc11), 0x4fffffc11);
	assert_int_equal(replay_extend(&replay, 0xfffffc10), 0x5fffffc10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_taken_once_and_from_the_window_only),
		cmocka_unit_test(a_check_alone_takes_nothing),
		cmocka_unit_test(no_window_accepts_what_is_not_zero),
		cmocka_unit_test(every_size_does_as_the_definition_says),
		cmocka_unit_test(the_high_half_is_found_from_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
