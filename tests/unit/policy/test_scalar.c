/* SPDX-License-Identifier: BSD-2-Clause */
/* Single words of the policy text: what they mean, how they print, what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/scalar.h"
#include "util/addr.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void durations_are_sums_of_units(void **state)
{
	static const struct {
		const char *text;
		uint32_t seconds;
		const char *printed;
	} cases[] = {
		{"0s", 0, "0s"},
		{"90s", 90, "1m30s"},
		{"8h", 28800, "8h"},
		{"1h30m", 5400, "1h30m"},
		{"180m", 10800, "3h"},
		{"1d1h1m1s", 90061, "1d1h1m1s"},
		{"4294967295s", UINT32_MAX, "49710d6h28m15s"},
	};
	char buf[DURATION_TEXT];
	struct complaint why;
	uint32_t seconds, again;

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(parse_duration(cases[i].text, &seconds, &why), 0);
		assert_int_equal(seconds, cases[i].seconds);
		assert_string_equal(duration_text(seconds, buf), cases[i].printed);
		assert_int_equal(parse_duration(buf, &again, &why), 0);
		assert_int_equal(again, seconds);
	}
}

static void malformed_durations_are_refused(void **state)
{
	static const char *const texts[] = {"",
					    "8",
					    "h",
					    "8 h",
					    "8H",
					    "-1h",
					    "1h1h",
					    "30m1h",
					    "1h30",
					    "4294967296s",
					    "1.5h",
					    "1ms",
					    "99999999999999999999s",
					    "49711d"};
	struct complaint why;
	uint32_t seconds = 7;

	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(parse_duration(texts[i], &seconds, &why), -EINVAL);
		assert_true(*why.text);
	}
	assert_int_equal(seconds, 7);
}

static void sizes_are_kilobytes(void **state)
{
	struct complaint why;
	uint32_t kb = 0;

	assert_int_equal(parse_kilobytes("100000", &kb, &why), 0);
	assert_int_equal(kb, 100000);
	assert_int_equal(parse_kilobytes("100000 kB", &kb, &why), 0);
	assert_int_equal(kb, 100000);
	assert_int_equal(parse_kilobytes("100MB", &kb, &why), 0);
	assert_int_equal(kb, 100000);
	assert_int_equal(parse_kilobytes("4 GB", &kb, &why), 0);
	assert_int_equal(kb, 4000000);
	assert_int_equal(parse_kilobytes("4295 GB", &kb, &why), -EINVAL);
	assert_int_equal(parse_kilobytes("1 KB", &kb, &why), -EINVAL);
	assert_int_equal(parse_kilobytes(" 1", &kb, &why), -EINVAL);
	assert_int_equal(parse_kilobytes("kB", &kb, &why), -EINVAL);
	assert_int_equal(kb, 4000000);
}

static void protocols_have_names_and_numbers(void **state)
{
	char buf[PROTO_TEXT];
	struct complaint why;
	uint8_t proto, again;
	bool given;

	for (int number = 1; number < 256; number++) {
		const char *text = proto_text((uint8_t)number, buf);

		assert_int_equal(parse_proto(text, &given, &again, &why), 0);
		assert_true(given);
		assert_int_equal(again, number);
	}
	assert_int_equal(parse_proto("ipv6-icmp", &given, &proto, &why), 0);
	assert_string_equal(proto_text(proto, buf), "icmpv6");
	assert_int_equal(parse_proto("any", &given, &proto, &why), 0);
	assert_false(given);
	assert_int_equal(parse_proto("0", &given, &proto, &why), -EINVAL);
	assert_int_equal(parse_proto("256", &given, &proto, &why), -EINVAL);
	assert_int_equal(parse_proto("6x", &given, &proto, &why), -EINVAL);
	assert_int_equal(parse_proto("TCP", &given, &proto, &why), -EINVAL);
}

static void ports_are_numbers_or_ranges(void **state)
{
	static const char *const bad[] = {"",	  "65536", "-1",    "1-",
					  "-",	  "1--2",  "2-1",   "1-65536",
					  "http", "1,2",   "1 - 2", "99999999999999999999"};
	struct complaint why;
	uint16_t lo, hi;
	bool given;

	assert_int_equal(parse_ports("443", &given, &lo, &hi, &why), 0);
	assert_true(given && lo == 443 && hi == 443);
	assert_int_equal(parse_ports("0-65535", &given, &lo, &hi, &why), 0);
	assert_true(given && lo == 0 && hi == 65535);
	assert_int_equal(parse_ports("any", &given, &lo, &hi, &why), 0);
	assert_false(given);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(parse_ports(bad[i], &given, &lo, &hi, &why), -EINVAL);
}

static enum pol_addr_kind kind_of(const char *text)
{
	struct complaint why;
	struct pol_addr addr;

	assert_int_equal(parse_address(text, &addr, &why), 0);
	free(addr.text);
	return addr.kind;
}

static void addresses_are_told_apart(void **state)
{
	assert_int_equal(kind_of("any"), POL_ADDR_ANY);
	assert_int_equal(kind_of("me"), POL_ADDR_ME);
	assert_int_equal(kind_of("gateway"), POL_ADDR_GATEWAY);
	assert_int_equal(kind_of("10.0.0.1"), POL_ADDR_PREFIX);
	assert_int_equal(kind_of("::"), POL_ADDR_PREFIX);
	assert_int_equal(kind_of("0.0.0.0/0"), POL_ADDR_PREFIX);
	assert_int_equal(kind_of("10.0.0.1-10.0.0.2"), POL_ADDR_RANGE);
	assert_int_equal(kind_of("fe80::1-fe80::2"), POL_ADDR_RANGE);
	assert_int_equal(kind_of("host-a.example"), POL_ADDR_NAME);
	assert_int_equal(kind_of("mee."), POL_ADDR_NAME);
	assert_int_equal(kind_of("3com"), POL_ADDR_NAME);
}

static void malformed_addresses_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"10.0.0",
		"10.0.0.256",
		"1",
		"10.0.0.1/33",
		"10.0.0.1/8",
		"10.0.0.0/",
		"/8",
		"10.0.0.2-10.0.0.1",
		"10.0.0.1-::1",
		"10.0.0.1-x",
		"fe80::1%eth0",
		"::ffff:1.2.3.4",
		".",
		"a..b",
		"-a.example",
		"a-.example",
		"a_b.example",
		"ANY",
		"Me",
		"anny",
		"dhpc",
		"10.0.0.0/255.255.0.0",
		"10.0.0.0/8/8",
		"a b",
	};
	struct pol_addr addr = {.kind = POL_ADDR_DNS};
	struct complaint why;
	char label[70], longest[300] = "";

	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(parse_address(texts[i], &addr, &why), -EINVAL);
	memset(label, 'a', 64);
	label[64] = '\0';
	assert_int_equal(parse_address(label, &addr, &why), -EINVAL);
	while (strlen(longest) < 254)
		strcat(longest, "abcdefg.");
	assert_int_equal(parse_address(longest, &addr, &why), -EINVAL);
	assert_int_equal(addr.kind, POL_ADDR_DNS);
}

static void a_mask_is_answered_with_its_length(void **state)
{
	struct pol_addr addr;
	struct complaint why;

	parse_address("10.0.0.0/255.0.0.0", &addr, &why);
	assert_string_equal(why.hint, "did you mean 10.0.0.0/8?");
	parse_address("0.0.0.0/0.0.0.0", &addr, &why);
	assert_string_equal(why.hint, "did you mean 0.0.0.0/0?");
	parse_address("10.1.2.3/255.255.255.255", &addr, &why);
	assert_string_equal(why.hint, "did you mean 10.1.2.3/32?");
	parse_address("2001:db8::1/32", &addr, &why);
	assert_string_equal(why.hint, "did you mean 2001:db8::/32?");
}

static void methods_combine_what_belongs_together(void **state)
{
	struct pol_mm_method mm;
	enum xi_cipher cipher;
	enum xi_integ integ;
	enum xi_group group;
	struct complaint why;

	assert_int_equal(parse_mm_method("3des-sha1-modp1024", &mm, &why), 0);
	assert_true(mm.cipher == XI_CIPHER_TDES_CBC && mm.hash == XI_INTEG_SHA1 &&
		    mm.group == XI_GROUP_MODP1024);
	assert_int_equal(parse_mm_method("null-sha1-modp1024", &mm, &why), -EINVAL);
	assert_int_equal(parse_mm_method("aes128-none-modp1024", &mm, &why), -EINVAL);
	assert_int_equal(parse_mm_method("aes128-sha1-modp1024-x", &mm, &why), -EINVAL);
	assert_int_equal(parse_mm_method("aes128--modp1024", &mm, &why), -EINVAL);
	assert_int_equal(parse_mm_method("-", &mm, &why), -EINVAL);

	assert_int_equal(parse_esp("aes256-sha256", &cipher, &integ, &why), 0);
	assert_true(cipher == XI_CIPHER_AES256_CBC && integ == XI_INTEG_SHA256);
	assert_int_equal(parse_esp("aes128gcm16", &cipher, &integ, &why), 0);
	assert_true(cipher == XI_CIPHER_AES128_GCM16 && integ == XI_INTEG_NONE);
	assert_int_equal(parse_esp("null-sha1", &cipher, &integ, &why), 0);
	assert_int_equal(parse_esp("null", &cipher, &integ, &why), -EINVAL);
	assert_int_equal(parse_esp("aes128gcm16-sha1", &cipher, &integ, &why), -EINVAL);
	assert_int_equal(parse_esp("aes128-", &cipher, &integ, &why), -EINVAL);
	assert_int_equal(parse_esp("aes128-none", &cipher, &integ, &why), -EINVAL);

	assert_int_equal(parse_ah("none", &integ, &why), -EINVAL);
	assert_int_equal(parse_pfs("none", &group, &why), 0);
	assert_int_equal(group, XI_GROUP_NONE);
	assert_int_equal(parse_pfs("modp4096", &group, &why), 0);
	assert_int_equal(group, XI_GROUP_MODP4096);
}

static void every_algorithm_can_be_written(void **state)
{
	enum xi_cipher cipher;
	enum xi_integ integ;
	enum xi_group group;
	struct complaint why;
	char text[60];

	for (int c = 0; c < XI_CIPHER_MAX; c++) {
		const struct xi_cipher_info *info = xi_cipher_info(c);

		strcpy(text, info->name);
		if (!info->tag_len)
			strcat(text, "-sha256");
		assert_int_equal(parse_esp(text, &cipher, &integ, &why), 0);
		assert_int_equal(cipher, c);
	}
	for (int i = XI_INTEG_NONE + 1; i < XI_INTEG_MAX; i++) {
		assert_int_equal(parse_ah(xi_integ_info(i)->name, &integ, &why), 0);
		assert_int_equal(integ, i);
	}
	for (int g = 0; g < XI_GROUP_MAX; g++) {
		assert_int_equal(parse_pfs(xi_group_info(g)->name, &group, &why), 0);
		assert_int_equal(group, g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_sums_of_units),
		cmocka_unit_test(malformed_durations_are_refused),
		cmocka_unit_test(sizes_are_kilobytes),
		cmocka_unit_test(protocols_have_names_and_numbers),
		cmocka_unit_test(ports_are_numbers_or_ranges),
		cmocka_unit_test(addresses_are_told_apart),
		cmocka_unit_test(malformed_addresses_are_refused),
		cmocka_unit_test(a_mask_is_answered_with_its_length),
		cmocka_unit_test(methods_combine_what_belongs_together),
		cmocka_unit_test(every_algorithm_can_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
