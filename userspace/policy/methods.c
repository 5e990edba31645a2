/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Algorithm names of the policy text: main-mode methods, ESP, AH and PFS groups.
 * What a name stands for comes from xipsec/algs.h; here is only what may be
 * combined: main mode takes the ciphers with an IKE number (RFC 2409 appendix
 * A), an AEAD brings its own integrity (RFC 4106), ESP without either protects
 * nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/scalar.h"
#include "util/suggest.h"

#define PART_LEN 24

/* "did you mean" over the names of one algorithm table that `fits` lets through. */
static int unknown(const char *what, const char *word, const char *const *names, size_t count,
		   struct complaint *why)
{
	const char *near = suggest(word, names, count);
	char hint[100];
	size_t len = 0;

	if (near) {
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	} else {
		len = snprintf(hint, sizeof(hint), "known:");
		for (size_t i = 0; i < count && len < sizeof(hint); i++)
			if (names[i])
				len += snprintf(hint + len, sizeof(hint) - len, " %s", names[i]);
	}
	return complain(why, hint, "unknown %s '%.40s'", what, word);
}

static int find_cipher(const char *word, bool main_mode, enum xi_cipher *ret, struct complaint *why)
{
	const char *names[XI_CIPHER_MAX];
	enum xi_cipher cipher;

	if (!xi_cipher_by_name(word, &cipher)) {
		if (main_mode && !xi_cipher_info(cipher)->ike_id)
			return complain(why, "main mode takes aes128, aes192, aes256 or 3des",
					"'%.40s' cannot protect main mode", word);
		*ret = cipher;
		return 0;
	}
	for (int i = 0; i < XI_CIPHER_MAX; i++)
		names[i] = main_mode && !xi_cipher_info(i)->ike_id ? NULL : xi_cipher_info(i)->name;
	return unknown("cipher", word, names, XI_CIPHER_MAX, why);
}

static int find_integ(const char *word, enum xi_integ *ret, struct complaint *why)
{
	const char *names[XI_INTEG_MAX];

	if (strcmp(word, "none") && !xi_integ_by_name(word, ret))
		return 0;
	for (int i = 0; i < XI_INTEG_MAX; i++)
		names[i] = i == XI_INTEG_NONE ? NULL : xi_integ_info(i)->name;
	return unknown("integrity algorithm", word, names, XI_INTEG_MAX, why);
}

static int find_group(const char *word, enum xi_group *ret, struct complaint *why)
{
	const char *names[XI_GROUP_MAX];

	if (strcmp(word, "none") && !xi_group_by_name(word, ret))
		return 0;
	for (int i = 0; i < XI_GROUP_MAX; i++)
		names[i] = i == XI_GROUP_NONE ? NULL : xi_group_info(i)->name;
	return unknown("group", word, names, XI_GROUP_MAX, why);
}

/* Splits "a-b-c" into at most `max` parts; returns how many, 0 when that does not work. */
static int split(const char *text, char parts[][PART_LEN], int max)
{
	int count = 0;

	for (;;) {
		size_t len = strcspn(text, "-");

		if (count == max || !len || len >= PART_LEN)
			return 0;
		memcpy(parts[count], text, len);
		parts[count++][len] = '\0';
		if (!text[len])
			return count;
		text += len + 1;
	}
}

int parse_mm_method(const char *text, struct pol_mm_method *ret, struct complaint *why)
{
	struct pol_mm_method method;
	char parts[3][PART_LEN];

	if (split(text, parts, 3) != 3)
		return complain(why, "write CIPHER-HASH-GROUP, such as aes256-sha256-modp2048",
				"'%.60s' is not a main-mode method", text);
	if (find_cipher(parts[0], true, &method.cipher, why) ||
	    find_integ(parts[1], &method.hash, why) || find_group(parts[2], &method.group, why))
		return -EINVAL;
	*ret = method;
	return 0;
}

int parse_esp(const char *text, enum xi_cipher *ret_cipher, enum xi_integ *ret_integ,
	      struct complaint *why)
{
	enum xi_integ integ = XI_INTEG_NONE;
	enum xi_cipher cipher;
	char parts[2][PART_LEN], hint[60];
	int count = split(text, parts, 2);

	if (!count)
		return complain(why,
				"write CIPHER-INTEGRITY, such as aes256-sha256, or aes128gcm16",
				"'%.60s' is not an ESP method", text);
	if (find_cipher(parts[0], false, &cipher, why) ||
	    (count == 2 && find_integ(parts[1], &integ, why)))
		return -EINVAL;
	if (count == 2 && xi_cipher_info(cipher)->tag_len) {
		snprintf(hint, sizeof(hint), "write %s alone", parts[0]);
		return complain(why, hint, "%s brings its own integrity", parts[0]);
	}
	if (count == 1 && cipher == XI_CIPHER_NULL)
		return complain(why, "write null-sha256", "ESP with neither cipher nor integrity");
	*ret_cipher = cipher;
	*ret_integ = integ;
	return 0;
}

int parse_ah(const char *text, enum xi_integ *ret, struct complaint *why)
{
	return find_integ(text, ret, why);
}

int parse_pfs(const char *text, enum xi_group *ret, struct complaint *why)
{
	if (!strcmp(text, "none")) {
		*ret = XI_GROUP_NONE;
		return 0;
	}
	return find_group(text, ret, why);
}
