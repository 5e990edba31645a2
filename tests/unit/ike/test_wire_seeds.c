/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every seed message of the XI_DATA folder through every reader: the messages
 * that are known to be broken are refused, those of working implementations
 * are read, and no truncation or flipped bit of any leads outside it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/data.h"
#include "tests/lib/ike_walk.h"

/* What these are is said in the folder's manifest; each must be refused. */
static const char *const broken[] = {
	"cve-2009-0790", "ikev2pI2-segfault", "delete-segfault",    "identification-segfault",
	"n-print-oobr",	 "pointer-loop",      "payload-bad-length", "zero-length",
};
/* Captured or made by programs that work. */
static const char *const sound[] = {
	"ike-scan-",	    "scapy-",	       "wireshark-",	 "arkime-",
	"suricata-verify-", "ISAKMP-sa-setup", "main-mode-f",	 "aggressive-mode-f",
	"ipsec-client-",    "rusticata-",      "openiked-valid",
};

static bool named(const char *path, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strstr(path, list[i]))
			return true;
	return false;
}

static int walk_copy(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, p, len);
	rc = ike_walk(copy, len, NULL);
	free(copy);
	return rc;
}

static void shake(const uint8_t *p, size_t len, bool well_formed)
{
	uint8_t *copy = malloc(len);

	assert_non_null(copy);
	for (size_t cut = 0; cut < len; cut++) {
		int rc = walk_copy(p, cut);

		if (well_formed)
			assert_int_equal(rc, -EBADMSG);
	}
	memcpy(copy, p, len);
	/* One bit of every byte of the first 600: a chain's structure is there. */
	for (size_t i = 0; i < len && i < 600; i++) {
		copy[i] ^= (uint8_t)(1 << i % 8);
		ike_walk(copy, len, NULL);
		copy[i] ^= (uint8_t)(1 << i % 8);
	}
	free(copy);
}

static void seeds_are_read_or_refused_as_they_deserve(void **state)
{
	unsigned read = 0, refused = 0, judged = 0;
	char **list;
	size_t count = data_list("fuzz-seeds/ike", ".bin", &list);

	if (!count)
		data_skip("fuzz-seeds/ike");
	for (size_t i = 0; i < count; i++) {
		static const uint8_t marker[4];
		struct wire_error err = {"", 0};
		size_t len = 0;
		char *text = data_read(list[i], &len);
		const uint8_t *p = (const uint8_t *)text;
		bool is_broken = named(list[i], broken, sizeof(broken) / sizeof(*broken));
		bool is_sound = named(list[i], sound, sizeof(sound) / sizeof(*sound));
		int rc;

		/* Port 4500: the non-ESP marker is not part of the message. */
		if (len > 4 && !memcmp(p, marker, 4) && (len < 8 || memcmp(p + 4, marker, 4))) {
			p += 4;
			len -= 4;
		}
		rc = ike_walk(p, len, &err);
		if (is_broken && !rc)
			fail_msg("%s is broken and was read", list[i]);
		if (!is_broken && is_sound && rc)
			fail_msg("%s was refused: %s (payload %u)", list[i], err.why, err.payload);
		judged += is_broken || is_sound;
		rc ? refused++ : read++;
		shake(p, len, !rc);
		free(text);
	}
	data_list_free(list, count);
	print_message("seeds: %u read, %u refused, verdict known for %u\n", read, refused, judged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seeds_are_read_or_refused_as_they_deserve),
	};

	print_message("data folder: %s (XI_DATA)\n", data_root());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
