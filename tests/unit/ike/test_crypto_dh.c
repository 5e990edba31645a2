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
 * The private value is the 32 bytes 01 02 .. 20; expected
 * is Python's pow(2, x, p) in the 1024-bit group, and pow(4, x, p) for
 * the shared secret with the peer 2^2 = 4.
 */
static void the_arithmetic_is_that_of_an_independent_program(void **state)
{
	static const char want_pub[] =
		"457120764f3a1e6fd58103e41a4093a6c8bc1d97cb8759de41c21afdd2d3048a5ef3d88ce24aa6ba4f"
		"e30bcfb0b0f75abf1a8aeaff3723f1bf53740c902005e1199fabad7c538e94a7034fd585339a02f363"
		"4893f748929d2a7257643e398130541ae64124c17d4507a97f1cbebeb7b933642b8df479eb59e36cfe"
		"ffbf1671dd";
	static const char want_secret[] =
		"38d4a91bbc57064a67af7894a87ef9872ea2daf7c26c4ae82d4b98e04c56ecacb9c12c2b8f47180fa1"
		"d9f22664915ae771cf5952799de5707ac6da4734f65cf276125d750e5f7a91e5a73220db83f3fae76d"
		"c65656605bcfe55c3193e7ca68f9c5f3319cbc54bce69b3e69e8b4fc7c42965f9926764e72009ed847"
		"69ec355d30";
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
	struct crypto_dh *dh = pair(XI_GROUP_MODP1024, 131);
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
