/* SPDX-License-Identifier: BSD-2-Clause */
/* Token buckets by source: what passes, and what a flood of sources costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "util/addr.h"
#include "util/ratelimit.h"

static struct ratelimit limit;

static struct xi_addr source(unsigned n)
{
	struct xi_addr addr = {.family = 4};

	addr.b[0] = 198;
	addr.b[2] = n >> 8;
	addr.b[3] = n;
	return addr;
}

static unsigned passed(unsigned from, unsigned tries, uint64_t now)
{
	struct xi_addr addr = source(from);
	unsigned count = 0;

	while (tries--)
		count += ratelimit_pass(&limit, &addr, now, NULL);
	return count;
}

static void a_burst_passes_then_the_rate_holds(void **state)
{
	ratelimit_init(&limit, 2, 5, 1);
	assert_int_equal(passed(1, 100, 1000), 5);
	assert_int_equal(passed(1, 100, 1400), 0);
	assert_int_equal(passed(1, 100, 1500), 1);
	assert_int_equal(passed(1, 100, 2500), 2);
	/* However long it was quiet, no more than a burst. */
	assert_int_equal(passed(1, 100, 1000000), 5);
}

static void one_noisy_source_does_not_silence_another(void **state)
{
	ratelimit_init(&limit, 1, 5, 1);
	assert_int_equal(passed(1, 1000, 1000), 5);
	assert_int_equal(passed(2, 1, 1000), 1);
}

static void many_forged_sources_are_bounded_together(void **state)
{
	unsigned count = 0;

	ratelimit_init(&limit, 1, 5, 1);
	for (unsigned n = 0; n < 5000; n++)
		count += passed(n, 10, 1000);
	assert_in_range(count, 5, 40);
}

static void the_next_line_says_how_many_were_left_out(void **state)
{
	struct xi_addr addr = source(1);
	uint32_t suppressed = 99;

	ratelimit_init(&limit, 1, 1, 1);
	assert_true(ratelimit_pass(&limit, &addr, 1000, &suppressed));
	assert_int_equal(suppressed, 0);
	for (int i = 0; i < 7; i++)
		assert_false(ratelimit_pass(&limit, &addr, 1000, &suppressed));
	assert_true(ratelimit_pass(&limit, &addr, 2000, &suppressed));
	assert_int_equal(suppressed, 7);
}

static void a_clock_that_stands_still_or_jumps_back_does_no_harm(void **state)
{
	ratelimit_init(&limit, 1, 2, 1);
	assert_int_equal(passed(1, 10, 5000), 2);
	assert_int_equal(passed(1, 10, 4000), 0);
	assert_int_equal(passed(1, 10, 5000), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_passes_then_the_rate_holds),
		cmocka_unit_test(one_noisy_source_does_not_silence_another),
		cmocka_unit_test(many_forged_sources_are_bounded_together),
		cmocka_unit_test(the_next_line_says_how_many_were_left_out),
		cmocka_unit_test(a_clock_that_stands_still_or_jumps_back_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
