/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AES-GCM through esp/crypto.h against the collections of Wycheproof and NIST
 * (nonce 96 bits, tag 128 bits: what ESP uses), and the IVs that are made here.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "esp/crypto.h"
#include "tests/lib/data.h"
#include "tests/lib/esp_vectors.h"

struct gcm_case {
	uint8_t key[64], iv[64], aad[2048], msg[2048], ct[2048], tag[64];
	size_t key_len, iv_len, aad_len, msg_len, ct_len, tag_len;
	bool valid, has_msg;
};

static bool ours(const struct gcm_case *c)
{
	return (c->key_len == 16 || c->key_len == 32) && c->iv_len == 12 && c->tag_len == 16;
}

/* Opens, and if it is valid also seals. */
static void check_gcm(const struct gcm_case *c)
{
	enum xi_cipher cipher = c->key_len == 16 ? XI_CIPHER_AES128_GCM16 : XI_CIPHER_AES256_GCM16;
	uint8_t key[36], data[2048], tag[16];
	struct esp_crypto_op op = {.aad = c->aad,
				   .aad_len = c->aad_len,
				   .iv = c->iv + 4,
				   .data = data,
				   .len = c->ct_len,
				   .icv = tag};
	struct esp_crypto *crypto;

	/* The salt of ESP is the first part of the nonce. */
	memcpy(key, c->key, c->key_len);
	memcpy(key + c->key_len, c->iv, 4);
	assert_int_equal(esp_crypto_new(cipher, XI_INTEG_NONE, key, NULL, false, &crypto), 0);
	memcpy(data, c->ct, c->ct_len);
	memcpy(tag, c->tag, 16);
	assert_int_equal(esp_crypto_open(crypto, &op), c->valid ? 0 : -EBADMSG);
	if (c->valid)
		assert_memory_equal(data, c->msg, c->msg_len);
	esp_crypto_free(crypto);
	if (!c->valid)
		return;

	assert_int_equal(esp_crypto_new(cipher, XI_INTEG_NONE, key, NULL, true, &crypto), 0);
	memset(tag, 0, sizeof(tag));
	assert_int_equal(esp_crypto_seal(crypto, &op), 0);
	assert_memory_equal(data, c->ct, c->ct_len);
	assert_memory_equal(tag, c->tag, 16);
	esp_crypto_free(crypto);
}

static void wycheproof(void **state)
{
	json_t *root = data_json("vectors/wycheproof/aes_gcm_test.json.xz"), *group, *test;
	unsigned passed = 0, other = 0;
	size_t g, t;

	if (!root) {
		data_skip("vectors/wycheproof/aes_gcm_test.json.xz");
	}
	json_array_foreach(json_object_get(root, "testGroups"), g, group) {
		json_array_foreach(json_object_get(group, "tests"), t, test) {
			struct gcm_case *c = calloc(1, sizeof(*c));

			assert_non_null(c);
			c->key_len = json_hex(test, "key", c->key, sizeof(c->key));
			c->tag_len = json_hex(test, "tag", c->tag, sizeof(c->tag));
			c->iv_len = strlen(json_str(test, "iv")) / 2;
			if (c->iv_len == 12)
				json_hex(test, "iv", c->iv, sizeof(c->iv));
			c->valid = !strcmp(json_str(test, "result"), "valid");
			if (ours(c)) {
				c->aad_len = json_hex(test, "aad", c->aad, sizeof(c->aad));
				c->msg_len = json_hex(test, "msg", c->msg, sizeof(c->msg));
				c->ct_len = json_hex(test, "ct", c->ct, sizeof(c->ct));
				check_gcm(c);
				passed++;
			} else {
				other++;
			}
			free(c);
		}
	}
	json_decref(root);
	print_message("# wycheproof AES-GCM: %u agree, %u of other nonce, tag or key lengths\n",
		      passed, other);
	assert_true(passed > 0);
}

/* "Name = value" of a CAVS file into a case; true when the case is complete. */
static bool cavs_line(char *line, struct gcm_case *c)
{
	char *value = strstr(line, " =");
	size_t name_len = value ? (size_t)(value - line) : strlen(line);

	value = value ? value + 2 + strspn(value + 2, " ") : line + name_len;
#define FIELD(name, member)                                                                        \
	if (name_len == strlen(name) && !strncmp(line, name, name_len))                            \
	c->member##_len = data_hex(value, c->member, sizeof(c->member))
	FIELD("Key", key);
	FIELD("IV", iv);
	FIELD("CT", ct);
	FIELD("AAD", aad);
	FIELD("Tag", tag);
	FIELD("PT", msg);
#undef FIELD
	if (!strcmp(line, "FAIL")) {
		c->valid = false;
		return true;
	}
	c->valid = name_len == 2 && !strncmp(line, "PT", 2);
	return c->valid;
}

static unsigned cavs_file(const char *path)
{
	size_t len;
	char *text = data_read(path, &len), *rest = text, *line;
	struct gcm_case *c = calloc(1, sizeof(*c));
	unsigned passed = 0, other = 0;

	assert_non_null(c);
	if (!text) {
		free(c);
		data_skip(path);
	}
	while ((line = strsep(&rest, "\n"))) {
		line[strcspn(line, "\r")] = 0;
		if (!line[0] || line[0] == '#' || line[0] == '[')
			continue;
		if (!strncmp(line, "IV = ", 5) && strlen(line + 5) > 2 * sizeof(c->iv))
			line[5 + 2 * sizeof(c->iv)] = 0;
		if (!cavs_line(line, c))
			continue;
		if (ours(c)) {
			check_gcm(c);
			passed++;
		} else {
			other++;
		}
	}
	free(c);
	free(text);
	print_message("# %s: %u agree, %u of other lengths\n", path, passed, other);
	return passed;
}

static void nist_cavs(void **state)
{
	assert_true(cavs_file("vectors/nist-cavs/AES_GCM/gcmDecrypt128.fax.xz") > 0);
	assert_true(cavs_file("vectors/nist-cavs/AES_GCM/gcmDecrypt256.fax.xz") > 0);
}

static void the_self_test_passes(void **state)
{
	assert_int_equal(esp_crypto_selftest(), 0);
}

static void gcm_ivs_count_and_cbc_ivs_do_not(void **state)
{
	static const uint8_t key[64] = {1, 2, 3};
	struct esp_crypto *gcm, *cbc, *again;
	uint8_t a[16], b[16], c[16];

	assert_int_equal(
		esp_crypto_new(XI_CIPHER_AES128_GCM16, XI_INTEG_NONE, key, NULL, true, &gcm), 0);
	assert_int_equal(esp_crypto_new(XI_CIPHER_AES128_CBC, XI_INTEG_SHA1, key, key, true, &cbc),
			 0);
	assert_int_equal(
		esp_crypto_new(XI_CIPHER_AES128_CBC, XI_INTEG_SHA1, key, key, true, &again), 0);
	assert_int_equal(esp_crypto_iv(gcm, 0x0102030405060708, a), 0);
	assert_memory_equal(a, "\1\2\3\4\5\6\7\10", 8);
	/* The same number under the same key gives another IV, here and after a restart. */
	assert_int_equal(esp_crypto_iv(cbc, 1, a), 0);
	assert_int_equal(esp_crypto_iv(cbc, 1, b), 0);
	assert_int_equal(esp_crypto_iv(again, 1, c), 0);
	assert_memory_not_equal(a, b, 16);
	assert_memory_not_equal(a, c, 16);
	esp_crypto_free(gcm);
	esp_crypto_free(cbc);
	esp_crypto_free(again);
}

static void pairs_that_cannot_be_are_refused(void **state)
{
	static const uint8_t key[64];
	struct esp_crypto *crypto = NULL;

	assert_int_equal(
		esp_crypto_new(XI_CIPHER_AES128_GCM16, XI_INTEG_SHA1, key, key, true, &crypto),
		-EINVAL);
	assert_int_equal(esp_crypto_new(XI_CIPHER_MAX, XI_INTEG_SHA1, key, key, true, &crypto),
			 -EINVAL);
	assert_null(crypto);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wycheproof),
		cmocka_unit_test(nist_cavs),
		cmocka_unit_test(the_self_test_passes),
		cmocka_unit_test(gcm_ivs_count_and_cbc_ivs_do_not),
		cmocka_unit_test(pairs_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
