/* SPDX-License-Identifier: BSD-2-Clause */
/* Hash, prf and CBC over OpenSSL EVP. See crypto.h. */
#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "ike/crypto/crypto.h"

static const EVP_MD *md_of(enum xi_integ hash)
{
	switch (hash) {
	case XI_INTEG_SHA1:
		return EVP_sha1();
	case XI_INTEG_SHA256:
		return EVP_sha256();
	case XI_INTEG_SHA384:
		return EVP_sha384();
	case XI_INTEG_SHA512:
		return EVP_sha512();
	case XI_INTEG_NONE:
	case XI_INTEG_MAX:
		break;
	}
	return NULL;
}

size_t crypto_digest_len(enum xi_integ hash)
{
	return md_of(hash) ? xi_integ_info(hash)->digest_len : 0;
}

int crypto_hash(enum xi_integ hash, const struct crypto_part *parts, size_t count,
		uint8_t ret[CRYPTO_DIGEST_MAX])
{
	const EVP_MD *md = md_of(hash);
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx;
	unsigned len = 0;
	int rc = -EIO;

	if (!md)
		return -EINVAL;
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		return -ENOMEM;
	if (EVP_DigestInit_ex(ctx, md, NULL) != 1)
		goto out;
	for (size_t i = 0; i < count; i++)
		if (EVP_DigestUpdate(ctx, parts[i].p, parts[i].len) != 1)
			goto out;
	if (EVP_DigestFinal_ex(ctx, digest, &len) != 1 || len > CRYPTO_DIGEST_MAX)
		goto out;
	memcpy(ret, digest, len);
	rc = 0;
out:
	OPENSSL_cleanse(digest, sizeof(digest));
	EVP_MD_CTX_free(ctx);
	return rc;
}

int crypto_prf(enum xi_integ hash, const void *key, size_t key_len, const struct crypto_part *parts,
	       size_t count, uint8_t ret[CRYPTO_DIGEST_MAX])
{
	const EVP_MD *md = md_of(hash);
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MAC_CTX *ctx = NULL;
	OSSL_PARAM params[2];
	EVP_MAC *mac = NULL;
	size_t len = 0;
	int rc = -EIO;

	if (!md)
		return -EINVAL;
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	if (!ctx)
		goto out;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						     (char *)EVP_MD_get0_name(md), 0);
	params[1] = OSSL_PARAM_construct_end();
	/* A NULL key would mean "keep the old one"; an empty one is legal for HMAC. */
	if (EVP_MAC_init(ctx, key_len ? key : (const void *)"", key_len, params) != 1)
		goto out;
	for (size_t i = 0; i < count; i++)
		if (EVP_MAC_update(ctx, parts[i].p, parts[i].len) != 1)
			goto out;
	if (EVP_MAC_final(ctx, digest, &len, sizeof(digest)) != 1 || len > CRYPTO_DIGEST_MAX)
		goto out;
	memcpy(ret, digest, len);
	rc = 0;
out:
	OPENSSL_cleanse(digest, sizeof(digest));
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return rc;
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

static const EVP_CIPHER *cbc_of(enum xi_cipher cipher)
{
	switch (cipher) {
	case XI_CIPHER_TDES_CBC:
		return EVP_des_ede3_cbc();
	case XI_CIPHER_AES128_CBC:
		return EVP_aes_128_cbc();
	case XI_CIPHER_AES192_CBC:
		return EVP_aes_192_cbc();
	case XI_CIPHER_AES256_CBC:
		return EVP_aes_256_cbc();
	case XI_CIPHER_NULL:
	case XI_CIPHER_AES128_GCM16:
	case XI_CIPHER_AES256_GCM16:
	case XI_CIPHER_MAX:
		break;
	}
	return NULL;
}

static int cbc(enum xi_cipher cipher, bool encrypt, const uint8_t *key,
	       uint8_t iv[CRYPTO_BLOCK_MAX], const void *in, size_t len, void *out)
{
	const EVP_CIPHER *evp = cbc_of(cipher);
	uint8_t last[CRYPTO_BLOCK_MAX];
	EVP_CIPHER_CTX *ctx;
	size_t block;
	int n = 0, rc = -EIO;

	if (!evp)
		return -EINVAL;
	block = xi_cipher_info(cipher)->block_len;
	if (!len || len % block || len > INT32_MAX)
		return -EINVAL;
	/* Decrypting in place overwrites the ciphertext, so its last block is saved first. */
	if (!encrypt)
		memcpy(last, (const uint8_t *)in + len - block, block);
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return -ENOMEM;
	if (EVP_CipherInit_ex(ctx, evp, NULL, key, iv, encrypt) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
	    EVP_CipherUpdate(ctx, out, &n, in, (int)len) != 1 || (size_t)n != len)
		goto out;
	if (encrypt)
		memcpy(last, (const uint8_t *)out + len - block, block);
	memcpy(iv, last, block);
	rc = 0;
out:
	EVP_CIPHER_CTX_free(ctx);
	return rc;
}

int crypto_cbc_encrypt(enum xi_cipher cipher, const uint8_t *key, uint8_t iv[CRYPTO_BLOCK_MAX],
		       const void *in, size_t len, void *out)
{
	return cbc(cipher, true, key, iv, in, len, out);
}

int crypto_cbc_decrypt(enum xi_cipher cipher, const uint8_t *key, uint8_t iv[CRYPTO_BLOCK_MAX],
		       const void *in, size_t len, void *out)
{
	return cbc(cipher, false, key, iv, in, len, out);
}
