/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and prefixes as text and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "util/addr.h"

static void prefixes_print_as_they_parse(void **state)
{
	static const char *const texts[] = {"0.0.0.0/0", "10.2.0.0/16",	  "192.0.2.1",
					    "::/0",	 "2001:db8::/33", "2001:db8::1"};
	char buf[XI_PREFIX_STRLEN];
	struct xi_prefix prefix;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(xi_prefix_parse(texts[i], &prefix), 0);
		assert_string_equal(xi_prefix_text(&prefix, buf), texts[i]);
	}
}

static void malformed_prefixes_are_refused(void **state)
{
	struct xi_prefix prefix;

	assert_int_equal(xi_prefix_parse("10.0.0.0/33", &prefix), -EINVAL);
	assert_int_equal(xi_prefix_parse("10.0.0.0/", &prefix), -EINVAL);
	assert_int_equal(xi_prefix_parse("10.0.0.0/-1", &prefix), -EINVAL);
	assert_int_equal(xi_prefix_parse("10.0.0/8", &prefix), -EINVAL);
	assert_int_equal(xi_prefix_parse("::1/129", &prefix), -EINVAL);
	assert_int_equal(xi_prefix_parse("10.0.0.1/8", &prefix), -ERANGE);
}

static void a_prefix_covers_its_own_family_only(void **state)
{
	struct xi_prefix all4, net6;
	struct xi_addr a4, a6, b6;

	xi_prefix_parse("0.0.0.0/0", &all4);
	xi_prefix_parse("2001:db8:8000::/33", &net6);
	xi_addr_parse("198.51.100.7", &a4);
	xi_addr_parse("2001:db8:8000::7", &a6);
	xi_addr_parse("2001:db8:7fff::7", &b6);
	assert_true(xi_prefix_covers(&all4, &a4));
	assert_false(xi_prefix_covers(&all4, &a6));
	assert_true(xi_prefix_covers(&net6, &a6));
	assert_false(xi_prefix_covers(&net6, &b6));
}

/* The bits before its length count, each of them, and none behind. */
static void a_prefix_of_any_length_covers_what_shares_its_bits(void **state)
{
	struct xi_addr base, other;
	struct xi_prefix prefix;

	xi_addr_parse("2001:db8:a5a5:5a5a:1122:3344:55ff:aa00", &base);
	for (unsigned len = 0; len <= 128; len++) {
		prefix = (struct xi_prefix){base, len};
		xi_addr_mask(&prefix.addr, len);
		assert_true(xi_prefix_covers(&prefix, &base));
		for (unsigned bit = 0; bit < 128; bit++) {
			other = base;
			other.b[bit / 8] ^= 0x80 >> bit % 8;
			assert_int_equal(xi_prefix_covers(&prefix, &other), bit >= len);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_print_as_they_parse),
		cmocka_unit_test(malformed_prefixes_are_refused),
		cmocka_unit_test(a_prefix_covers_its_own_family_only),
		cmocka_unit_test(a_prefix_of_any_length_covers_what_shares_its_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
