/* SPDX-License-Identifier: BSD-2-Clause */
/* The key schedule of IKEv1; the formulas are in kdf1.h. RFC 2409 section 5, appendix B. */
#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ike/crypto/kdf1.h"
#include "util/bytes.h"

#define COOKIE_LEN 8
#define NONCE_MAX  256
#define COUNT(a)   (sizeof(a) / sizeof(*(a)))

int ikev1_skeyid_psk(enum xi_integ prf, const void *psk, size_t psk_len, const void *ni,
		     size_t ni_len, const void *nr, size_t nr_len, uint8_t ret[CRYPTO_DIGEST_MAX])
{
	const struct crypto_part parts[] = {{ni, ni_len}, {nr, nr_len}};

	return crypto_prf(prf, psk, psk_len, parts, COUNT(parts), ret);
}

int ikev1_skeyid_sig(enum xi_integ prf, const void *ni, size_t ni_len, const void *nr,
		     size_t nr_len, const void *gxy, size_t gxy_len, uint8_t ret[CRYPTO_DIGEST_MAX])
{
	const struct crypto_part parts[] = {{gxy, gxy_len}};
	uint8_t key[2 * NONCE_MAX];

	if (ni_len > NONCE_MAX || nr_len > NONCE_MAX)
		return -EINVAL;
	memcpy(key, ni, ni_len);
	memcpy(key + ni_len, nr, nr_len);
	return crypto_prf(prf, key, ni_len + nr_len, parts, COUNT(parts), ret);
}

int ikev1_cipher_key(enum xi_integ prf, const uint8_t *skeyid_e, size_t key_len, uint8_t *ret)
{
	size_t digest = crypto_digest_len(prf), done = 0;
	uint8_t block[CRYPTO_DIGEST_MAX];
	const uint8_t zero = 0;
	struct crypto_part part = {&zero, 1};
	int rc = 0;

	if (!digest)
		return -EINVAL;
	if (key_len <= digest) {
		memcpy(ret, skeyid_e, key_len);
		return 0;
	}
	while (done < key_len) {
		size_t take = key_len - done < digest ? key_len - done : digest;

		rc = crypto_prf(prf, skeyid_e, digest, &part, 1, block);
		if (rc)
			break;
		memcpy(ret + done, block, take);
		done += take;
		part = (struct crypto_part){block, digest};
	}
	OPENSSL_cleanse(block, sizeof(block));
	return rc;
}

/* prf(SKEYID, [previous |] g^xy | CKY-I | CKY-R | n), n = 0, 1, 2 for _d, _a, _e. */
static int derive_one(const struct ikev1_keys *keys, const uint8_t *previous,
		      struct crypto_part gxy, const uint8_t *cookie_i, const uint8_t *cookie_r,
		      uint8_t n, uint8_t *ret)
{
	size_t len = crypto_digest_len(keys->prf);
	const struct crypto_part parts[] = {
		{previous ? previous : &n, previous ? len : 0},
		gxy,
		{cookie_i, COOKIE_LEN},
		{cookie_r, COOKIE_LEN},
		{&n, 1},
	};

	return crypto_prf(keys->prf, keys->skeyid, len, parts, COUNT(parts), ret);
}

/*
 * RFC 2409 appendix B asks to skip weak DES keys. For 3DES they come with a
 * chance of 2^-56 per key, and peers of this age do not check either, so a
 * check would only make the two ends disagree.
 */
int ikev1_keys_derive(enum xi_integ prf, enum xi_cipher cipher, const uint8_t *skeyid,
		      const void *gxy, size_t gxy_len, const uint8_t cookie_i[8],
		      const uint8_t cookie_r[8], struct ikev1_keys *ret)
{
	struct crypto_part secret = {gxy, gxy_len};
	struct ikev1_keys keys = {.prf = prf, .cipher = cipher};
	size_t len = crypto_digest_len(prf);
	int rc = -EINVAL;

	if (!len || !xi_cipher_info(cipher)->ike_id)
		goto out;
	memcpy(keys.skeyid, skeyid, len);
	rc = derive_one(&keys, NULL, secret, cookie_i, cookie_r, 0, keys.skeyid_d);
	if (!rc)
		rc = derive_one(&keys, keys.skeyid_d, secret, cookie_i, cookie_r, 1, keys.skeyid_a);
	if (!rc)
		rc = derive_one(&keys, keys.skeyid_a, secret, cookie_i, cookie_r, 2, keys.skeyid_e);
	if (!rc)
		rc = ikev1_cipher_key(prf, keys.skeyid_e, xi_cipher_info(cipher)->key_len,
				      keys.cipher_key);
out:
	if (rc)
		ikev1_keys_clear(ret);
	else
		*ret = keys;
	ikev1_keys_clear(&keys);
	return rc;
}

void ikev1_keys_clear(struct ikev1_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}

/* An IV is the start of a hash; every digest is at least as long as a block. */
static int iv_from(enum xi_integ hash, enum xi_cipher cipher, const struct crypto_part *parts,
		   size_t count, uint8_t ret[CRYPTO_BLOCK_MAX])
{
	uint8_t digest[CRYPTO_DIGEST_MAX];
	int rc = crypto_hash(hash, parts, count, digest);

	if (!rc)
		memcpy(ret, digest, xi_cipher_info(cipher)->block_len);
	return rc;
}

int ikev1_phase1_iv(enum xi_integ hash, enum xi_cipher cipher, const void *gxi, const void *gxr,
		    size_t len, uint8_t ret[CRYPTO_BLOCK_MAX])
{
	const struct crypto_part parts[] = {{gxi, len}, {gxr, len}};

	return iv_from(hash, cipher, parts, COUNT(parts), ret);
}

int ikev1_phase2_iv(enum xi_integ hash, enum xi_cipher cipher,
		    const uint8_t last_block[CRYPTO_BLOCK_MAX], uint32_t message_id,
		    uint8_t ret[CRYPTO_BLOCK_MAX])
{
	uint8_t mid[4];
	const struct crypto_part parts[] = {{last_block, xi_cipher_info(cipher)->block_len},
					    {mid, sizeof(mid)}};

	put_be32(mid, message_id);
	return iv_from(hash, cipher, parts, COUNT(parts), ret);
}

int ikev1_hash_phase1(const struct ikev1_keys *keys, const void *g_sender, const void *g_other,
		      size_t g_len, const uint8_t cookie_sender[8], const uint8_t cookie_other[8],
		      const void *sa_b, size_t sa_len, const void *id_b, size_t id_len,
		      uint8_t ret[CRYPTO_DIGEST_MAX])
{
	const struct crypto_part parts[] = {
		{g_sender, g_len},	    {g_other, g_len}, {cookie_sender, COOKIE_LEN},
		{cookie_other, COOKIE_LEN}, {sa_b, sa_len},   {id_b, id_len},
	};

	return crypto_prf(keys->prf, keys->skeyid, crypto_digest_len(keys->prf), parts,
			  COUNT(parts), ret);
}

int ikev1_hash_1(const struct ikev1_keys *keys, uint32_t message_id, const void *rest,
		 size_t rest_len, uint8_t ret[CRYPTO_DIGEST_MAX])
{
	return ikev1_hash_2(keys, message_id, "", 0, rest, rest_len, ret);
}

int ikev1_hash_2(const struct ikev1_keys *keys, uint32_t message_id, const void *ni, size_t ni_len,
		 const void *rest, size_t rest_len, uint8_t ret[CRYPTO_DIGEST_MAX])
{
	uint8_t mid[4];
	const struct crypto_part parts[] = {{mid, sizeof(mid)}, {ni, ni_len}, {rest, rest_len}};

	put_be32(mid, message_id);
	return crypto_prf(keys->prf, keys->skeyid_a, crypto_digest_len(keys->prf), parts,
			  COUNT(parts), ret);
}

int ikev1_hash_3(const struct ikev1_keys *keys, uint32_t message_id, const void *ni, size_t ni_len,
		 const void *nr, size_t nr_len, uint8_t ret[CRYPTO_DIGEST_MAX])
{
	uint8_t head[5] = {0};
	const struct crypto_part parts[] = {{head, sizeof(head)}, {ni, ni_len}, {nr, nr_len}};

	put_be32(head + 1, message_id);
	return crypto_prf(keys->prf, keys->skeyid_a, crypto_digest_len(keys->prf), parts,
			  COUNT(parts), ret);
}

int ikev1_keymat(const struct ikev1_keys *keys, const void *gxy, size_t gxy_len, uint8_t protocol,
		 uint32_t spi, const void *ni, size_t ni_len, const void *nr, size_t nr_len,
		 uint8_t *ret, size_t len)
{
	size_t digest = crypto_digest_len(keys->prf), done = 0;
	uint8_t previous[CRYPTO_DIGEST_MAX], block[CRYPTO_DIGEST_MAX], spi_b[4];
	struct crypto_part parts[] = {
		{previous, 0},	{gxy, gxy ? gxy_len : 0},
		{&protocol, 1}, {spi_b, sizeof(spi_b)},
		{ni, ni_len},	{nr, nr_len},
	};
	int rc = 0;

	if (!digest)
		return -EINVAL;
	put_be32(spi_b, spi);
	while (done < len) {
		size_t take = len - done < digest ? len - done : digest;

		rc = crypto_prf(keys->prf, keys->skeyid_d, digest, parts, COUNT(parts), block);
		if (rc)
			break;
		memcpy(ret + done, block, take);
		done += take;
		memcpy(previous, block, digest);
		parts[0].len = digest;
	}
	OPENSSL_cleanse(previous, sizeof(previous));
	OPENSSL_cleanse(block, sizeof(block));
	return rc;
}
