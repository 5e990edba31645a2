/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The primitives against published vectors in the XI_DATA folder: HMAC and CBC
 * (NIST CAVS, NIST ACVP, Wycheproof, strongSwan), Diffie-Hellman and the primes.
 * What is not one of our algorithms (SHA-224, MD5, other groups) is counted.
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

#include "ike/crypto/crypto.h"
#include "tests/lib/data.h"

#define BUF 65536

static uint8_t key[BUF], iv[64], in[BUF], want[BUF], out[BUF];

static enum xi_integ hash_by_len(size_t len)
{
	for (int h = XI_INTEG_NONE + 1; h < XI_INTEG_MAX; h++)
		if (crypto_digest_len((enum xi_integ)h) == len)
			return (enum xi_integ)h;
	return XI_INTEG_NONE;
}

/* A MAC may be cut: the first tag_len bytes count. */
static bool hmac_agrees(enum xi_integ hash, size_t key_len, size_t len, size_t tag_len)
{
	const struct crypto_part part = {in, len};
	uint8_t digest[CRYPTO_DIGEST_MAX];

	assert_int_equal(crypto_prf(hash, key, key_len, &part, 1, digest), 0);
	return crypto_equal(digest, want, tag_len);
}

static enum xi_integ cavs_hash(const struct cavs *cavs)
{
	for (unsigned i = 0; i < cavs->sections; i++)
		if (!strncmp(cavs->section[i], "L=", 2))
			return hash_by_len(strtoul(cavs->section[i] + 2, NULL, 10));
	return XI_INTEG_NONE;
}

static void hmac_agrees_with_cavs(void **state)
{
	unsigned run = 0, foreign = 0;
	char **list;
	size_t count = data_list("vectors/nist-cavs/HMAC", ".fax.xz", &list);

	if (!count)
		data_skip("vectors/nist-cavs/HMAC");
	for (size_t i = 0; i < count; i++) {
		struct cavs cavs;

		assert_true(cavs_open(&cavs, list[i]));
		while (cavs_next(&cavs)) {
			enum xi_integ hash = cavs_hash(&cavs);
			size_t key_len, len, tag_len;

			if (hash == XI_INTEG_NONE) {
				foreign++;
				continue;
			}
			key_len = data_hex(cavs_get(&cavs, "Key"), key, BUF);
			len = data_hex(cavs_get(&cavs, "Msg"), in, BUF);
			tag_len = data_hex(cavs_get(&cavs, "Mac"), want, BUF);
			assert_true(hmac_agrees(hash, key_len, len, tag_len));
			run++;
		}
		cavs_close(&cavs);
	}
	data_list_free(list, count);
	print_message("CAVS HMAC: %u run, %u of another hash\n", run, foreign);
	assert_true(run > 0);
}

static json_t *load_json(const char *path)
{
	json_error_t error;
	size_t len = 0;
	char *text = data_read(path, &len);
	json_t *json;

	if (!text)
		return NULL;
	json = json_loadb(text, len, 0, &error);
	if (!json)
		fail_msg("%s: line %d: %s", path, error.line, error.text);
	free(text);
	return json;
}

static const char *text_of(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text)
		fail_msg("no \"%s\"", name);
	return text;
}

/* The hash that a JSON file of MACs names in "algorithm", NONE when it is not ours. */
static enum xi_integ json_hash(json_t *json)
{
	static const struct {
		const char *name;
		enum xi_integ hash;
	} names[] = {
		{"HMACSHA1", XI_INTEG_SHA1},	 {"HMAC-SHA-1", XI_INTEG_SHA1},
		{"HMACSHA256", XI_INTEG_SHA256}, {"HMAC-SHA2-256", XI_INTEG_SHA256},
		{"HMACSHA384", XI_INTEG_SHA384}, {"HMAC-SHA2-384", XI_INTEG_SHA384},
		{"HMACSHA512", XI_INTEG_SHA512}, {"HMAC-SHA2-512", XI_INTEG_SHA512},
	};
	const char *algorithm = text_of(json, "algorithm");

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(algorithm, names[i].name))
			return names[i].hash;
	return XI_INTEG_NONE;
}

struct mac_totals {
	unsigned files, valid, invalid, foreign;
};

/* One file of either origin: `tag` is the MAC's name; without "result" every one is right. */
static void check_macs(const char *path, const char *tag, struct mac_totals *totals)
{
	json_t *json = load_json(path), *group, *test;
	enum xi_integ hash = json_hash(json);
	size_t g, t;

	totals->files++;
	json_array_foreach(json_object_get(json, "testGroups"), g, group) {
		json_array_foreach(json_object_get(group, "tests"), t, test) {
			const char *result = json_string_value(json_object_get(test, "result"));
			bool good = !result || !strcmp(result, "valid");
			size_t key_len, len, tag_len;

			if (hash == XI_INTEG_NONE) {
				totals->foreign++;
				continue;
			}
			key_len = data_hex(text_of(test, "key"), key, BUF);
			len = data_hex(text_of(test, "msg"), in, BUF);
			tag_len = data_hex(text_of(test, tag), want, BUF);
			assert_true(tag_len <= crypto_digest_len(hash));
			assert_int_equal(hmac_agrees(hash, key_len, len, tag_len), good);
			good ? totals->valid++ : totals->invalid++;
		}
	}
	json_decref(json);
}

/* Every file of a folder whose name begins so. */
static void check_mac_folder(const char *folder, const char *begin, const char *tag,
			     struct mac_totals *totals)
{
	char **list;
	size_t count = data_list(folder, ".json.xz", &list);

	for (size_t i = 0; i < count; i++)
		if (!strncmp(strrchr(list[i], '/') + 1, begin, strlen(begin)))
			check_macs(list[i], tag, totals);
	data_list_free(list, count);
}

static void hmac_agrees_with_wycheproof(void **state)
{
	struct mac_totals totals = {0};

	check_mac_folder("vectors/wycheproof", "hmac_", "tag", &totals);
	if (!totals.files)
		data_skip("vectors/wycheproof");
	print_message("Wycheproof HMAC: %u files, %u valid, %u invalid, %u of another hash\n",
		      totals.files, totals.valid, totals.invalid, totals.foreign);
	assert_true(totals.valid > 0 && totals.invalid > 0);
}

static void hmac_agrees_with_acvp(void **state)
{
	struct mac_totals totals = {0};

	check_mac_folder("vectors/acvp", "HMAC-", "mac", &totals);
	if (!totals.files)
		data_skip("vectors/acvp");
	print_message("ACVP HMAC: %u files, %u run, %u of another hash\n", totals.files,
		      totals.valid, totals.foreign);
	assert_true(totals.valid > 0);
}

/* Both directions, and the IV handed back must be the last ciphertext block. */
static void check_cbc(enum xi_cipher cipher, const uint8_t *plain, const uint8_t *secret,
		      size_t len)
{
	size_t block = xi_cipher_info(cipher)->block_len;
	uint8_t chain[CRYPTO_BLOCK_MAX];

	memcpy(chain, iv, block);
	assert_int_equal(crypto_cbc_encrypt(cipher, key, chain, plain, len, out), 0);
	assert_memory_equal(out, secret, len);
	assert_memory_equal(chain, secret + len - block, block);
	memcpy(chain, iv, block);
	assert_int_equal(crypto_cbc_decrypt(cipher, key, chain, out, len, out), 0);
	assert_memory_equal(out, plain, len);
	assert_memory_equal(chain, secret + len - block, block);
}

static enum xi_cipher aes_by_len(size_t len)
{
	return len == 16   ? XI_CIPHER_AES128_CBC
	       : len == 24 ? XI_CIPHER_AES192_CBC
			   : XI_CIPHER_AES256_CBC;
}

/* The key of a block, whichever way the file spells it. */
static enum xi_cipher cavs_key(const struct cavs *cavs)
{
	const char *keys = cavs_get(cavs, "KEYs");

	if (cavs_get(cavs, "KEY"))
		return aes_by_len(data_hex(cavs_get(cavs, "KEY"), key, BUF));
	data_hex(keys ? keys : cavs_get(cavs, "KEY1"), key, 8);
	data_hex(keys ? keys : cavs_get(cavs, "KEY2"), key + 8, 8);
	data_hex(keys ? keys : cavs_get(cavs, "KEY3"), key + 16, 8);
	return XI_CIPHER_TDES_CBC;
}

/*
 * NIST AESAVS 6.4.2: in a Monte Carlo block the ciphertext is the result of a
 * thousand encryptions, each of which takes as plaintext the ciphertext before the last.
 */
static void monte_carlo(enum xi_cipher cipher, bool encrypt)
{
	uint8_t now[16], previous[16], next[16], chain[CRYPTO_BLOCK_MAX];

	memcpy(chain, iv, 16);
	memcpy(now, in, 16);
	memcpy(previous, iv, 16);
	for (int i = 0; i < 1000; i++) {
		if (encrypt)
			assert_int_equal(crypto_cbc_encrypt(cipher, key, chain, now, 16, next), 0);
		else
			assert_int_equal(crypto_cbc_decrypt(cipher, key, chain, now, 16, next), 0);
		memcpy(now, previous, 16);
		memcpy(previous, next, 16);
	}
	assert_memory_equal(next, want, 16);
}

static void cbc_agrees_with_cavs(void **state)
{
	static const char *const folders[] = {"vectors/nist-cavs/AES", "vectors/nist-cavs/TDES"};
	unsigned run = 0, carlo = 0, files = 0;

	for (size_t f = 0; f < 2; f++) {
		char **list;
		size_t count = data_list(folders[f], ".fax.xz", &list);

		for (size_t i = 0; i < count; i++) {
			struct cavs cavs;

			if (!strstr(list[i], "CBC"))
				continue;
			assert_true(cavs_open(&cavs, list[i]));
			files++;
			while (cavs_next(&cavs)) {
				enum xi_cipher cipher = cavs_key(&cavs);
				bool encrypt = cavs_in_section(&cavs, "ENCRYPT");
				size_t len;

				data_hex(cavs_get(&cavs, "IV"), iv, sizeof(iv));
				len = data_hex(
					cavs_get(&cavs, encrypt ? "PLAINTEXT" : "CIPHERTEXT"), in,
					BUF);
				data_hex(cavs_get(&cavs, encrypt ? "CIPHERTEXT" : "PLAINTEXT"),
					 want, BUF);
				if (strstr(list[i], "MCT")) {
					monte_carlo(cipher, encrypt);
					carlo++;
					continue;
				}
				check_cbc(cipher, encrypt ? in : want, encrypt ? want : in, len);
				run++;
			}
			cavs_close(&cavs);
		}
		data_list_free(list, count);
	}
	if (!files)
		data_skip("vectors/nist-cavs");
	print_message("CAVS CBC: %u files, %u blocks, %u Monte Carlo\n", files, run, carlo);
	assert_true(run > 0);
}

static void cbc_agrees_with_acvp(void **state)
{
	json_t *json = load_json("vectors/acvp/ACVP-AES-CBC-1.0.json.xz"), *group, *test;
	unsigned run = 0, other = 0;
	size_t g, t;

	if (!json)
		data_skip("vectors/acvp");
	json_array_foreach(json_object_get(json, "testGroups"), g, group) {
		json_array_foreach(json_object_get(group, "tests"), t, test) {
			size_t key_len, len;

			if (strcmp(text_of(group, "testType"), "AFT")) {
				other++;
				continue;
			}
			key_len = data_hex(text_of(test, "key"), key, BUF);
			data_hex(text_of(test, "iv"), iv, sizeof(iv));
			len = data_hex(text_of(test, "pt"), in, BUF);
			data_hex(text_of(test, "ct"), want, BUF);
			check_cbc(aes_by_len(key_len), in, want, len);
			run++;
		}
	}
	json_decref(json);
	print_message("ACVP AES-CBC: %u run, %u Monte Carlo series not\n", run, other);
	assert_true(run > 0);
}

static enum xi_integ swan_hash(const char *alg)
{
	static const struct {
		const char *part;
		enum xi_integ hash;
	} names[] = {
		{"HMAC_SHA1", XI_INTEG_SHA1},
		{"HMAC_SHA2_256", XI_INTEG_SHA256},
		{"HMAC_SHA2_384", XI_INTEG_SHA384},
		{"HMAC_SHA2_512", XI_INTEG_SHA512},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strstr(alg, names[i].part))
			return names[i].hash;
	return XI_INTEG_NONE;
}

/* prf and signer entries are HMACs; the latter are cut. False: not one of ours. */
static bool check_swan_hmac(json_t *entry, const char *message, const char *result)
{
	enum xi_integ hash = swan_hash(text_of(entry, "alg"));
	size_t key_len, len, tag_len;

	if (hash == XI_INTEG_NONE)
		return false;
	key_len = data_hex(text_of(entry, "key"), key, BUF);
	len = data_hex(text_of(entry, message), in, BUF);
	tag_len = data_hex(text_of(entry, result), want, BUF);
	assert_true(hmac_agrees(hash, key_len, len, tag_len));
	return true;
}

static bool check_swan_cbc(json_t *entry)
{
	const char *alg = text_of(entry, "alg");
	size_t key_len, len;

	if (strcmp(alg, "ENCR_AES_CBC") && strcmp(alg, "ENCR_3DES"))
		return false;
	key_len = data_hex(text_of(entry, "key"), key, BUF);
	data_hex(text_of(entry, "iv"), iv, sizeof(iv));
	len = data_hex(text_of(entry, "plain"), in, BUF);
	data_hex(text_of(entry, "cipher"), want, BUF);
	check_cbc(strcmp(alg, "ENCR_3DES") ? aes_by_len(key_len) : XI_CIPHER_TDES_CBC, in, want,
		  len);
	return true;
}

/* Hands out the private value of a vector. */
static int given(void *ctx, void *buf, size_t len)
{
	memcpy(buf, ctx, len);
	return 0;
}

/*
 * "seed" holds both private values. Ours have a fixed length, so a vector fits
 * when its values have that too.
 */
static bool check_swan_ke(json_t *entry)
{
	const size_t private_len = 32;
	uint8_t seed[256], pub_i[128], pub_r[128], secret[CRYPTO_DH_MAX];
	const struct crypto_rng rng_i = {given, seed}, rng_r = {given, seed + private_len};
	struct crypto_dh *i, *r;

	if (strcmp(text_of(entry, "method"), "MODP_1024_BIT"))
		return false;
	assert_int_equal(data_hex(text_of(entry, "seed"), seed, sizeof(seed)), 2 * private_len);
	assert_int_equal(data_hex(text_of(entry, "pub_i"), pub_i, sizeof(pub_i)), 128);
	assert_int_equal(data_hex(text_of(entry, "pub_r"), pub_r, sizeof(pub_r)), 128);
	assert_int_equal(data_hex(text_of(entry, "shared"), want, BUF), 128);
	assert_int_equal(crypto_dh_new(XI_GROUP_MODP1024, &rng_i, &i), 0);
	assert_int_equal(crypto_dh_new(XI_GROUP_MODP1024, &rng_r, &r), 0);
	assert_memory_equal(crypto_dh_public(i), pub_i, 128);
	assert_memory_equal(crypto_dh_public(r), pub_r, 128);
	assert_int_equal(crypto_dh_derive(i, pub_r, 128, secret), 0);
	assert_memory_equal(secret, want, 128);
	assert_int_equal(crypto_dh_derive(r, pub_i, 128, secret), 0);
	assert_memory_equal(secret, want, 128);
	crypto_dh_free(i);
	crypto_dh_free(r);
	return true;
}

static void primitives_agree_with_another_daemons_vectors(void **state)
{
	json_t *json = load_json("vectors/ike-crypto/strongswan-vectors.json"), *entry;
	unsigned macs = 0, cbc = 0, ke = 0, foreign = 0;
	size_t i;

	if (!json)
		data_skip("vectors/ike-crypto/strongswan-vectors.json");
	json_array_foreach(json_object_get(json, "vectors"), i, entry) {
		const char *kind = text_of(entry, "kind");

		if (!strcmp(kind, "prf") && check_swan_hmac(entry, "seed", "out"))
			macs++;
		else if (!strcmp(kind, "signer") && check_swan_hmac(entry, "data", "mac"))
			macs++;
		else if (!strcmp(kind, "crypter") && check_swan_cbc(entry))
			cbc++;
		else if (!strcmp(kind, "ke") && check_swan_ke(entry))
			ke++;
		else
			foreign++;
	}
	json_decref(json);
	print_message("strongSwan: HMAC %u, CBC %u, key exchange %u, not for this module %u\n",
		      macs, cbc, ke, foreign);
	assert_true(macs > 0 && cbc > 0 && ke > 0);
}

static void primes_are_those_of_the_rfcs(void **state)
{
	json_t *json = load_json("vectors/ike-crypto/modp-groups.json"), *entry;
	unsigned run = 0, foreign = 0;
	size_t i;

	if (!json)
		data_skip("vectors/ike-crypto/modp-groups.json");
	json_array_foreach(json_object_get(json, "groups"), i, entry) {
		json_int_t number = json_integer_value(json_object_get(entry, "ike_group"));
		enum xi_group group = XI_GROUP_NONE;
		size_t len = data_hex(text_of(entry, "prime"), want, BUF);

		for (int g = XI_GROUP_NONE + 1; g < XI_GROUP_MAX; g++)
			if (xi_group_info((enum xi_group)g)->ike_id == number)
				group = (enum xi_group)g;
		if (group == XI_GROUP_NONE) {
			foreign++;
			continue;
		}
		assert_int_equal(len, xi_group_info(group)->pub_len);
		assert_int_equal(crypto_dh_prime(group, out), 0);
		assert_memory_equal(out, want, len);
		assert_int_equal(strtoul(text_of(entry, "generator"), NULL, 16), 2);
		run++;
	}
	json_decref(json);
	print_message("MODP primes: %u equal, %u groups not ours\n", run, foreign);
	assert_int_equal(run, XI_GROUP_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hmac_agrees_with_cavs),
		cmocka_unit_test(hmac_agrees_with_wycheproof),
		cmocka_unit_test(hmac_agrees_with_acvp),
		cmocka_unit_test(cbc_agrees_with_cavs),
		cmocka_unit_test(cbc_agrees_with_acvp),
		cmocka_unit_test(primitives_agree_with_another_daemons_vectors),
		cmocka_unit_test(primes_are_those_of_the_rfcs),
	};

	print_message("data folder: %s (XI_DATA)\n", data_root());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
