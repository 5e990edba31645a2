/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The key schedule of IKEv1 against NIST's vectors (CAVS 17.3, from SKEYID to
 * SKEYID_e, both authentication methods) and against HASH_R values that real
 * gateways sent; all from the XI_DATA folder.
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

#include <jansson.h>

#include "ike/crypto/kdf1.h"
#include "tests/lib/data.h"

#define BUF 4096

struct bytes {
	uint8_t b[BUF];
	size_t len;
};

static struct bytes ni, nr, gxy, psk;
static uint8_t cookie_i[8], cookie_r[8];

static struct bytes *hex(struct bytes *bytes, const char *text)
{
	if (!text)
		fail_msg("a field is missing");
	bytes->len = data_hex(text, bytes->b, BUF);
	return bytes;
}

static enum xi_integ cavs_hash(const struct cavs *cavs)
{
	static const struct {
		const char *section;
		enum xi_integ hash;
	} names[] = {
		{"SHA-1", XI_INTEG_SHA1},
		{"SHA-256", XI_INTEG_SHA256},
		{"SHA-384", XI_INTEG_SHA384},
		{"SHA-512", XI_INTEG_SHA512},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (cavs_in_section(cavs, names[i].section))
			return names[i].hash;
	return XI_INTEG_NONE;
}

static void expect(const uint8_t *got, size_t len, const char *text)
{
	struct bytes want;

	hex(&want, text);
	assert_int_equal(want.len, len);
	assert_memory_equal(got, want.b, len);
}

static void check_block(const struct cavs *cavs, enum xi_integ hash)
{
	size_t len = crypto_digest_len(hash);
	const char *secret = cavs_get(cavs, "pre-shared-key");
	uint8_t skeyid[CRYPTO_DIGEST_MAX];
	struct ikev1_keys keys;

	hex(&ni, cavs_get(cavs, "Ni"));
	hex(&nr, cavs_get(cavs, "Nr"));
	hex(&gxy, cavs_get(cavs, "g^xy"));
	data_hex(cavs_get(cavs, "CKY_I"), cookie_i, 8);
	data_hex(cavs_get(cavs, "CKY_R"), cookie_r, 8);
	if (secret) {
		hex(&psk, secret);
		assert_int_equal(
			ikev1_skeyid_psk(hash, psk.b, psk.len, ni.b, ni.len, nr.b, nr.len, skeyid),
			0);
	} else {
		assert_int_equal(
			ikev1_skeyid_sig(hash, ni.b, ni.len, nr.b, nr.len, gxy.b, gxy.len, skeyid),
			0);
	}
	expect(skeyid, len, cavs_get(cavs, "SKEYID"));
	assert_int_equal(ikev1_keys_derive(hash, XI_CIPHER_AES128_CBC, skeyid, gxy.b, gxy.len,
					   cookie_i, cookie_r, &keys),
			 0);
	expect(keys.skeyid_d, len, cavs_get(cavs, "SKEYID_d"));
	expect(keys.skeyid_a, len, cavs_get(cavs, "SKEYID_a"));
	expect(keys.skeyid_e, len, cavs_get(cavs, "SKEYID_e"));
	assert_memory_equal(keys.cipher_key, keys.skeyid_e, 16);
}

static void keys_agree_with_cavs(void **state)
{
	unsigned run[XI_INTEG_MAX] = {0}, foreign = 0, files = 0;
	char **list;
	size_t count = data_list("vectors/nist-cavs/IKE", ".fax.xz", &list);

	for (size_t i = 0; i < count; i++) {
		struct cavs cavs;

		if (!strstr(list[i], "ikev1"))
			continue;
		assert_true(cavs_open(&cavs, list[i]));
		files++;
		while (cavs_next(&cavs)) {
			enum xi_integ hash = cavs_hash(&cavs);

			if (hash == XI_INTEG_NONE) {
				foreign++;
				continue;
			}
			check_block(&cavs, hash);
			run[hash]++;
		}
		cavs_close(&cavs);
	}
	data_list_free(list, count);
	if (!files)
		data_skip("vectors/nist-cavs/IKE");
	print_message("CAVS IKEv1: %u files, SHA-1 %u, SHA-256 %u, SHA-384 %u, SHA-512 %u, "
		      "another hash %u\n",
		      files, run[XI_INTEG_SHA1], run[XI_INTEG_SHA256], run[XI_INTEG_SHA384],
		      run[XI_INTEG_SHA512], foreign);
	assert_true(run[XI_INTEG_SHA1] + run[XI_INTEG_SHA256] > 0);
}

static const char *field(json_t *entry, const char *name)
{
	return json_string_value(json_object_get(entry, name));
}

/* HASH_R as a gateway computed it, from everything that went over the wire and the key. */
static void hash_r_agrees_with_gateways(void **state)
{
	struct bytes gxr, gxi, sa, id, want;
	unsigned run = 0, md5 = 0;
	json_t *json, *entry;
	size_t len, i;
	char *text = data_read("vectors/ike-crypto/ikev1-aggressive-psk-hash-r.json", &len);

	if (!text)
		data_skip("vectors/ike-crypto");
	json = json_loadb(text, len, 0, NULL);
	assert_non_null(json);
	json_array_foreach(json_object_get(json, "vectors"), i, entry) {
		struct ikev1_keys keys = {.prf = XI_INTEG_SHA1};
		const char *secret = field(entry, "psk_ascii");
		uint8_t hash[CRYPTO_DIGEST_MAX];

		if (strcmp(field(entry, "hash"), "sha1")) {
			md5++;
			continue;
		}
		hex(&ni, field(entry, "ni_b"));
		hex(&nr, field(entry, "nr_b"));
		hex(&gxr, field(entry, "g_xr"));
		hex(&gxi, field(entry, "g_xi"));
		hex(&sa, field(entry, "sai_b"));
		hex(&id, field(entry, "idir_b"));
		data_hex(field(entry, "cky_i"), cookie_i, 8);
		data_hex(field(entry, "cky_r"), cookie_r, 8);
		assert_int_equal(ikev1_skeyid_psk(keys.prf, secret, strlen(secret), ni.b, ni.len,
						  nr.b, nr.len, keys.skeyid),
				 0);
		expect(keys.skeyid, 20, field(entry, "skeyid"));
		assert_int_equal(ikev1_hash_phase1(&keys, gxr.b, gxi.b, gxr.len, cookie_r, cookie_i,
						   sa.b, sa.len, id.b, id.len, hash),
				 0);
		hex(&want, field(entry, "hash_r"));
		assert_memory_equal(hash, want.b, want.len);
		run++;
	}
	json_decref(json);
	free(text);
	print_message("HASH_R of gateways: %u run, %u with MD5, which we do not do\n", run, md5);
	assert_true(run > 0);
}

/*
 * Appendix B: a cipher key longer than SKEYID_e is K1 | K2 ... The expected
 * bytes were computed with Python's hmac from the RFC's formula.
 */
static void a_long_cipher_key_is_expanded(void **state)
{
	static const char want[] =
		"865ae886c21e50e735b18f206f6e9211d6733d5e75f31c8e24febea896873f0a";
	uint8_t skeyid_e[20], key[32], same[16];

	for (size_t i = 0; i < sizeof(skeyid_e); i++)
		skeyid_e[i] = (uint8_t)(i + 1);
	assert_int_equal(ikev1_cipher_key(XI_INTEG_SHA1, skeyid_e, sizeof(key), key), 0);
	expect(key, sizeof(key), want);
	assert_int_equal(ikev1_cipher_key(XI_INTEG_SHA1, skeyid_e, sizeof(same), same), 0);
	assert_memory_equal(same, skeyid_e, sizeof(same));
}

/* KEYMAT of section 5.5 in both forms, long enough to need two blocks (Python again). */
static void keymat_follows_the_formula(void **state)
{
	struct ikev1_keys keys = {.prf = XI_INTEG_SHA1};
	const uint8_t nonce_i[8] = {1, 2, 3, 4, 5, 6, 7, 8}, nonce_r[8] = {8, 7, 6};
	const uint8_t secret[4] = {0xde, 0xad, 0xbe, 0xef};
	uint8_t keymat[36];

	for (size_t i = 0; i < 20; i++)
		keys.skeyid_d[i] = (uint8_t)(0xa0 + i);
	assert_int_equal(ikev1_keymat(&keys, NULL, 0, 3, 0xc0ffee01, nonce_i, 8, nonce_r, 8, keymat,
				      sizeof(keymat)),
			 0);
	expect(keymat, sizeof(keymat),
	       "d96a10b08c46400333078f1b765589f28140a0bc078d58202a2590d3e695e9e994037d57");
	assert_int_equal(ikev1_keymat(&keys, secret, 4, 3, 0xc0ffee01, nonce_i, 8, nonce_r, 8,
				      keymat, sizeof(keymat)),
			 0);
	expect(keymat, sizeof(keymat),
	       "32daf7d8bbf833552be8427225d45fc4d43640d739e1a60ebdb5415fc52b293e04762e4b");
}

/* Appendix B: a first IV is the start of a hash, as long as the cipher's block (Python again). */
static void first_ivs_follow_the_formula(void **state)
{
	uint8_t gxi[128], gxr[128], last[CRYPTO_BLOCK_MAX], iv[CRYPTO_BLOCK_MAX] = {0};

	memset(gxi, 1, sizeof(gxi));
	memset(gxr, 2, sizeof(gxr));
	for (size_t i = 0; i < sizeof(last); i++)
		last[i] = (uint8_t)i;
	assert_int_equal(ikev1_phase1_iv(XI_INTEG_SHA256, XI_CIPHER_AES256_CBC, gxi, gxr, 128, iv),
			 0);
	expect(iv, 16, "95a08fc25e02ca70991a3e95256a8cc1");
	assert_int_equal(ikev1_phase1_iv(XI_INTEG_SHA1, XI_CIPHER_TDES_CBC, gxi, gxr, 128, iv), 0);
	expect(iv, 8, "f64fd25db61edf0b");
	assert_int_equal(
		ikev1_phase2_iv(XI_INTEG_SHA256, XI_CIPHER_AES128_CBC, last, 0x01020304, iv), 0);
	expect(iv, 16, "76e6a0745829ba68200a947256cd8438");
	assert_int_equal(ikev1_phase2_iv(XI_INTEG_SHA1, XI_CIPHER_TDES_CBC, last, 0x01020304, iv),
			 0);
	expect(iv, 8, "bd6373b563c70068");
}

static void the_three_quick_mode_hashes_differ_and_cover_their_parts(void **state)
{
	struct ikev1_keys keys = {.prf = XI_INTEG_SHA256};
	const uint8_t nonce_i[8] = {1}, nonce_r[8] = {2}, rest[12] = {3};
	uint8_t h[CRYPTO_DIGEST_MAX];

	for (size_t i = 0; i < 32; i++)
		keys.skeyid_a[i] = (uint8_t)i;
	assert_int_equal(ikev1_hash_1(&keys, 0x01020304, rest, 12, h), 0);
	expect(h, 32, "030c9a815b010e5a7248b8e55d1f701b15013fa9f9cdf3e5dc65de0f95f83b93");
	assert_int_equal(ikev1_hash_2(&keys, 0x01020304, nonce_i, 8, rest, 12, h), 0);
	expect(h, 32, "6dc69ea6226b919d958ea490837b0a5d2a38c7f144e6c8e6f2836ad26491b6fa");
	assert_int_equal(ikev1_hash_3(&keys, 0x01020304, nonce_i, 8, nonce_r, 8, h), 0);
	expect(h, 32, "2e327250c1a14686262d462a4b1ed3da6837e4d4f747660dd8b4403df2857bd6");
}

static void impossible_inputs_are_errors_and_leave_no_keys(void **state)
{
	struct ikev1_keys keys, zero;
	const uint8_t skeyid[CRYPTO_DIGEST_MAX] = {1}, nonce[257] = {0};
	uint8_t out[CRYPTO_DIGEST_MAX];

	memset(&keys, 0xff, sizeof(keys));
	memset(&zero, 0, sizeof(zero));
	assert_int_equal(ikev1_keys_derive(XI_INTEG_NONE, XI_CIPHER_AES128_CBC, skeyid, nonce, 128,
					   cookie_i, cookie_r, &keys),
			 -EINVAL);
	assert_memory_equal(&keys, &zero, sizeof(keys));
	assert_int_equal(ikev1_keys_derive(XI_INTEG_SHA1, XI_CIPHER_AES128_GCM16, skeyid, nonce,
					   128, cookie_i, cookie_r, &keys),
			 -EINVAL);
	assert_int_equal(ikev1_skeyid_sig(XI_INTEG_SHA1, nonce, 257, nonce, 8, nonce, 128, out),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_agree_with_cavs),
		cmocka_unit_test(hash_r_agrees_with_gateways),
		cmocka_unit_test(a_long_cipher_key_is_expanded),
		cmocka_unit_test(keymat_follows_the_formula),
		cmocka_unit_test(first_ivs_follow_the_formula),
		cmocka_unit_test(the_three_quick_mode_hashes_differ_and_cover_their_parts),
		cmocka_unit_test(impossible_inputs_are_errors_and_leave_no_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
