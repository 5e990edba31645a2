/* SPDX-License-Identifier: BSD-2-Clause */
/* Diffie-Hellman: agreement, fixed lengths, and every public value that must be refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ike/crypto/crypto.h"
#include "tests/lib/data.h"

/* Bytes that count up from a start: reproducible, and different for the two sides. */
static int counting(void *ctx, void *buf, size_t len)
{
	uint8_t *next = ctx, *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (*next)++;
	return 0;
}

static int broken(void *ctx, void *buf, size_t len)
{
	return -EAGAIN;
}

static struct crypto_dh *pair(enum xi_group group, uint8_t start)
{
	const struct crypto_rng rng = {counting, &start};
	struct crypto_dh *dh = NULL;

	assert_int_equal(crypto_dh_new(group, &rng, &dh), 0);
	return dh;
}

static void both_sides_agree_in_every_group(void **state)
{
	for (int g = XI_GROUP_NONE + 1; g < XI_GROUP_MAX; g++) {
		struct crypto_dh *a = pair((enum xi_group)g, 1), *b = pair((enum xi_group)g, 100);
		uint8_t ab[CRYPTO_DH_MAX], ba[CRYPTO_DH_MAX];
		size_t len = xi_group_info((enum xi_group)g)->pub_len;

		assert_int_equal(crypto_dh_len(a), len);
		assert_memory_not_equal(crypto_dh_public(a), crypto_dh_public(b), len);
		assert_int_equal(crypto_dh_derive(a, crypto_dh_public(b), len, ab), 0);
		assert_int_equal(crypto_dh_derive(b, crypto_dh_public(a), len, ba), 0);
		assert_memory_equal(ab, ba, len);
		crypto_dh_free(a);
		crypto_dh_free(b);
	}
}

/*
 * The private value is the 32 bytes 01 02 .. 20 with the top bit set; expected
 * is Python's pow(2, x, p) in the 1024-bit group, and pow(4, x, p) for
 * the shared secret with the peer 2^2 = 4.
 */
static void the_arithmetic_is_that_of_an_independent_program(void **state)
{
	static const char want_pub[] =
		"76839f09c0905bcc31db54d185a29d7d0c3178a14ef77a56bf9bdeeb796b764ff336504c71b8f84828"
		"70e60c66d7e67db87fc5d38be9502a355250a342bcc5a206d08ef3ac68111704b155767e5fdae11864"
		"378780ac427c58b1f62f3569597256bf23cb7482d1859677e4641aa2371676cbca1f33a9144d5efe82"
		"341f719944";
	static const char want_secret[] =
		"5f49b0fb0adfa9fca520aaf22523a2595a6266f80caf83c5d12c82f2f632053b92466725fda0c998bf"
		"f069d6fe5cd526545cf53982507c25be9a5b737f2ade4bf3503e72a49c80aab419b6f3212f3bada02a"
		"1c09e751a27c101ea507f7ddd1b134728d4c8567ecf045511892b60401da6587500278cb5b41891ee9"
		"7529c2f1a2";
	struct crypto_dh *dh = pair(XI_GROUP_MODP1024, 1);
	uint8_t want[128], peer[128] = {0}, secret[CRYPTO_DH_MAX];

	peer[127] = 4;
	assert_int_equal(data_hex(want_pub, want, sizeof(want)), 128);
	assert_memory_equal(crypto_dh_public(dh), want, 128);
	assert_int_equal(crypto_dh_derive(dh, peer, 128, secret), 0);
	assert_int_equal(data_hex(want_secret, want, sizeof(want)), 128);
	assert_memory_equal(secret, want, 128);
	crypto_dh_free(dh);
}

/*
 * A secret that happens to be small keeps its leading zeros: the peer 2 with
 * this private value gives the public value; a start was searched whose result begins with 00.
 */
static void a_short_secret_is_padded_on_the_left(void **state)
{
	struct crypto_dh *dh = pair(XI_GROUP_MODP1024, 29);
	uint8_t peer[128] = {0}, secret[CRYPTO_DH_MAX];

	peer[127] = 2;
	assert_int_equal(crypto_dh_derive(dh, peer, 128, secret), 0);
	assert_int_equal(secret[0], 0);
	assert_int_equal(crypto_dh_public(dh)[0], 0);
	assert_memory_equal(secret, crypto_dh_public(dh), 128);
	crypto_dh_free(dh);
}

/* start decides whether the private value is odd: (p-1)^x is p-1 for odd x and 1 for even. */
static void refuse_out_of_range(enum xi_group g, uint8_t start)
{
	struct crypto_dh *dh = pair(g, start);
	size_t len = crypto_dh_len(dh);
	uint8_t peer[CRYPTO_DH_MAX] = {0}, secret[CRYPTO_DH_MAX];

	memset(secret, 0xee, sizeof(secret));
	assert_int_equal(crypto_dh_derive(dh, peer, len, secret), -EBADMSG); /* 0 */
	peer[len - 1] = 1;
	assert_int_equal(crypto_dh_derive(dh, peer, len, secret), -EBADMSG);
	peer[len - 1] = 2;
	assert_int_equal(crypto_dh_derive(dh, peer, len, secret), 0);

	/* All our primes end in ff, so p-1 and p-2 only change the last byte. */
	assert_int_equal(crypto_dh_prime(g, peer), 0);
	memset(secret, 0xee, sizeof(secret));
	assert_int_equal(crypto_dh_derive(dh, peer, len, secret), -EBADMSG); /* p */
	peer[len - 1] = 0xfe;
	assert_int_equal(crypto_dh_derive(dh, peer, len, secret), -EBADMSG); /* p-1 */
	assert_int_equal(secret[0], 0xee);
	peer[len - 1] = 0xfd;
	assert_int_equal(crypto_dh_derive(dh, peer, len, secret), 0); /* p-2 */
	memset(peer, 0xff, len);
	assert_int_equal(crypto_dh_derive(dh, peer, len, secret), -EBADMSG); /* > p */
	crypto_dh_free(dh);
}

static void public_values_out_of_range_are_refused(void **state)
{
	for (int g = XI_GROUP_NONE + 1; g < XI_GROUP_MAX; g++) {
		refuse_out_of_range((enum xi_group)g, 7);
		refuse_out_of_range((enum xi_group)g, 8);
	}
}

static void public_values_of_another_length_are_refused(void **state)
{
	struct crypto_dh *dh = pair(XI_GROUP_MODP1536, 9);
	uint8_t peer[CRYPTO_DH_MAX], secret[CRYPTO_DH_MAX];

	memset(peer, 5, sizeof(peer));
	assert_int_equal(crypto_dh_derive(dh, peer, 191, secret), -EBADMSG);
	assert_int_equal(crypto_dh_derive(dh, peer, 193, secret), -EBADMSG);
	assert_int_equal(crypto_dh_derive(dh, peer, 0, secret), -EBADMSG);
	assert_int_equal(crypto_dh_derive(dh, peer, 192, secret), 0);
	crypto_dh_free(dh);
}

static void a_broken_generator_makes_no_key(void **state)
{
	const struct crypto_rng rng = {broken, NULL};
	struct crypto_dh *dh = (struct crypto_dh *)1;

	assert_int_equal(crypto_dh_new(XI_GROUP_MODP1024, &rng, &dh), -EAGAIN);
	assert_ptr_equal(dh, (struct crypto_dh *)1);
	assert_int_equal(crypto_dh_new(XI_GROUP_NONE, &rng, &dh), -EINVAL);
	crypto_dh_free(NULL);
}

static void cbc_refuses_what_is_not_whole_blocks_or_not_cbc(void **state)
{
	uint8_t key[32] = {0}, iv[16] = {0}, buf[32] = {0};

	assert_int_equal(crypto_cbc_encrypt(XI_CIPHER_AES128_CBC, key, iv, buf, 15, buf), -EINVAL);
	assert_int_equal(crypto_cbc_decrypt(XI_CIPHER_AES128_CBC, key, iv, buf, 0, buf), -EINVAL);
	assert_int_equal(crypto_cbc_decrypt(XI_CIPHER_TDES_CBC, key, iv, buf, 12, buf), -EINVAL);
	assert_int_equal(crypto_cbc_decrypt(XI_CIPHER_TDES_CBC, key, iv, buf, 8, buf), 0);
	assert_int_equal(crypto_cbc_encrypt(XI_CIPHER_AES128_GCM16, key, iv, buf, 16, buf),
			 -EINVAL);
	assert_int_equal(crypto_cbc_encrypt(XI_CIPHER_NULL, key, iv, buf, 16, buf), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_agree_in_every_group),
		cmocka_unit_test(the_arithmetic_is_that_of_an_independent_program),
		cmocka_unit_test(a_short_secret_is_padded_on_the_left),
		cmocka_unit_test(public_values_out_of_range_are_refused),
		cmocka_unit_test(public_values_of_another_length_are_refused),
		cmocka_unit_test(a_broken_generator_makes_no_key),
		cmocka_unit_test(cbc_refuses_what_is_not_whole_blocks_or_not_cbc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
