/* SPDX-License-Identifier: BSD-2-Clause */
/* What "did you mean" finds, and when it keeps quiet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "util/suggest.h"

static const char *const names[] = {"check", "compile", "show", "replay", NULL, "dump"};
#define NAMES (sizeof(names) / sizeof(*names))

static void a_typo_finds_its_word(void **state)
{
	assert_string_equal(suggest("chekc", names, NAMES), "check");
	assert_string_equal(suggest("shwo", names, NAMES), "show");
	assert_string_equal(suggest("comple", names, NAMES), "compile");
	assert_string_equal(suggest("dmup", names, NAMES), "dump");
}

static void a_different_word_finds_nothing(void **state)
{
	assert_null(suggest("firewall", names, NAMES));
	assert_null(suggest("", names, NAMES));
	assert_null(suggest("a-very-long-word-that-is-longer-than-any-name-in-the-table", names,
			    NAMES));
}

static void two_equally_near_words_suggest_neither(void **state)
{
	static const char *const pair[] = {"src", "snc"};

	assert_null(suggest("sxc", pair, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_typo_finds_its_word),
		cmocka_unit_test(a_different_word_finds_nothing),
		cmocka_unit_test(two_equally_near_words_suggest_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
