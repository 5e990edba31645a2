// SPDX-License-Identifier: BSD-2-Clause
/*
 * ESP cryptography over OpenSSL EVP: RFC 4106 (AES-GCM), 3602 (AES-CBC), 2451
 * (3DES-CBC), 2404 and 4868 (HMAC), 2410 (NULL).
 *
 * Keys are set once an SA; a packet only sets its IV. The CBC IV is the
 * encryption of a counter under a random key of its own, which no observer can
 * predict and which costs one AES block instead of a system call.
 *
 * Weak spot: EVP costs about 100 ns a packet more than the direct calls of a
 * multi-buffer library.
 */
#include "esp/crypto.h"

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "util/bytes.h"

#define GCM_NONCE_LEN 12

struct esp_crypto {
	struct esp_shape shape;
	uint8_t block, salt_len;
	bool seal;
	uint8_t salt[4];
	EVP_CIPHER_CTX *cipher; /* NULL for NULL encryption */
	EVP_MAC_CTX *mac;	/* NULL for AEAD */
	EVP_CIPHER_CTX *iv_gen; /* CBC, sealing */
	uint64_t iv_count;
};

static const char *cipher_fetch_name(enum xi_cipher cipher)
{
	switch (cipher) {
	case XI_CIPHER_TDES_CBC:
		return "DES-EDE3-CBC";
	case XI_CIPHER_AES128_CBC:
		return "AES-128-CBC";
	case XI_CIPHER_AES192_CBC:
		return "AES-192-CBC";
	case XI_CIPHER_AES256_CBC:
		return "AES-256-CBC";
	case XI_CIPHER_AES128_GCM16:
		return "AES-128-GCM";
	case XI_CIPHER_AES256_GCM16:
		return "AES-256-GCM";
	case XI_CIPHER_NULL:
	case XI_CIPHER_MAX:
		break;
	}
	return NULL;
}

static const char *digest_name(enum xi_integ integ)
{
	switch (integ) {
	case XI_INTEG_SHA1:
		return "SHA1";
	case XI_INTEG_SHA256:
		return "SHA256";
	case XI_INTEG_SHA384:
		return "SHA384";
	case XI_INTEG_SHA512:
		return "SHA512";
	case XI_INTEG_NONE:
	case XI_INTEG_MAX:
		break;
	}
	return NULL;
}

static int cipher_ctx_new(const char *name, const uint8_t *key, bool seal, EVP_CIPHER_CTX **ret)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int err = -EIO;

	if (!cipher || !ctx)
		goto out;
	if (EVP_CipherInit_ex2(ctx, cipher, key, NULL, seal, NULL) != 1)
		goto out;
	EVP_CIPHER_CTX_set_padding(ctx, 0);
	*ret = ctx;
	ctx = NULL;
	err = 0;
out:
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return err;
}

static int mac_ctx_new(enum xi_integ integ, const uint8_t *key, EVP_MAC_CTX **ret)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest_name(integ),
						 0),
		OSSL_PARAM_construct_end(),
	};
	int err = -EIO;

	if (!ctx)
		goto out;
	if (EVP_MAC_init(ctx, key, xi_integ_info(integ)->key_len, params) != 1)
		goto out;
	*ret = ctx;
	ctx = NULL;
	err = 0;
out:
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return err;
}

static int iv_gen_new(EVP_CIPHER_CTX **ret)
{
	uint8_t key[16];
	int err = -EIO;

	if (RAND_priv_bytes(key, sizeof(key)) == 1)
		err = cipher_ctx_new("AES-128-ECB", key, true, ret);
	OPENSSL_cleanse(key, sizeof(key));
	return err;
}

static int crypto_setup(struct esp_crypto *crypto, enum xi_cipher cipher, enum xi_integ integ,
			const uint8_t *cipher_key, const uint8_t *integ_key)
{
	const struct xi_cipher_info *ci = xi_cipher_info(cipher);
	int err = 0;

	crypto->block = ci->block_len;
	crypto->salt_len = ci->salt_len;
	crypto->shape.aead = ci->tag_len > 0;
	crypto->shape.iv_len = ci->iv_len;
	crypto->shape.icv_len = crypto->shape.aead ? ci->tag_len : xi_integ_info(integ)->icv_len;
	crypto->shape.align = ci->block_len < 4 ? 4 : ci->block_len;

	if (cipher != XI_CIPHER_NULL)
		err = cipher_ctx_new(cipher_fetch_name(cipher), cipher_key, crypto->seal,
				     &crypto->cipher);
	if (err)
		return err;
	if (ci->salt_len)
		memcpy(crypto->salt, cipher_key + ci->key_len, ci->salt_len);
	if (integ != XI_INTEG_NONE)
		err = mac_ctx_new(integ, integ_key, &crypto->mac);
	if (!err && crypto->seal && ci->iv_len && !crypto->shape.aead)
		err = iv_gen_new(&crypto->iv_gen);
	return err;
}

int esp_crypto_new(enum xi_cipher cipher, enum xi_integ integ, const uint8_t *cipher_key,
		   const uint8_t *integ_key, bool seal, struct esp_crypto **ret)
{
	struct esp_crypto *crypto;
	int err;

	if ((unsigned)cipher >= XI_CIPHER_MAX || (unsigned)integ >= XI_INTEG_MAX)
		return -EINVAL;
	if (xi_cipher_info(cipher)->tag_len && integ != XI_INTEG_NONE)
		return -EINVAL;
	crypto = OPENSSL_zalloc(sizeof(*crypto));
	if (!crypto)
		return -ENOMEM;
	crypto->seal = seal;
	err = crypto_setup(crypto, cipher, integ, cipher_key, integ_key);
	if (err)
		esp_crypto_free(crypto);
	else
		*ret = crypto;
	return err;
}

void esp_crypto_free(struct esp_crypto *crypto)
{
	if (!crypto)
		return;
	EVP_CIPHER_CTX_free(crypto->cipher);
	EVP_CIPHER_CTX_free(crypto->iv_gen);
	EVP_MAC_CTX_free(crypto->mac);
	OPENSSL_clear_free(crypto, sizeof(*crypto));
}

const struct esp_shape *esp_crypto_shape(const struct esp_crypto *crypto)
{
	return &crypto->shape;
}

int esp_crypto_iv(struct esp_crypto *crypto, uint64_t seq, uint8_t *iv)
{
	uint8_t counter[16] = {0}, random[16];
	int n;

	if (!crypto->shape.iv_len)
		return 0;
	if (crypto->shape.aead) {
		put_be64(iv, seq);
		return 0;
	}
	if (!crypto->iv_gen)
		return -EINVAL;
	put_be64(counter, ++crypto->iv_count);
	if (EVP_CipherUpdate(crypto->iv_gen, random, &n, counter, sizeof(counter)) != 1 ||
	    n != sizeof(random))
		return -EIO;
	memcpy(iv, random, crypto->shape.iv_len);
	return 0;
}

static int gcm(struct esp_crypto *crypto, const struct esp_crypto_op *op)
{
	EVP_CIPHER_CTX *ctx = crypto->cipher;
	uint8_t nonce[GCM_NONCE_LEN], rest[16];
	int n;

	memcpy(nonce, crypto->salt, sizeof(crypto->salt));
	memcpy(nonce + sizeof(crypto->salt), op->iv, sizeof(nonce) - sizeof(crypto->salt));
	if (EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1, NULL) != 1)
		return -EIO;
	if (!crypto->seal &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, crypto->shape.icv_len, op->icv) != 1)
		return -EIO;
	if (op->aad_len && EVP_CipherUpdate(ctx, NULL, &n, op->aad, (int)op->aad_len) != 1)
		return -EIO;
	if (op->len && EVP_CipherUpdate(ctx, op->data, &n, op->data, (int)op->len) != 1)
		return -EIO;
	/* OpenSSL compares the tag in constant time. */
	if (EVP_CipherFinal_ex(ctx, rest, &n) != 1)
		return crypto->seal ? -EIO : -EBADMSG;
	if (crypto->seal &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, crypto->shape.icv_len, op->icv) != 1)
		return -EIO;
	return 0;
}

static int cbc(struct esp_crypto *crypto, const struct esp_crypto_op *op)
{
	int n;

	if (!crypto->cipher)
		return 0;
	if (op->len % crypto->block)
		return -EINVAL;
	if (EVP_CipherInit_ex2(crypto->cipher, NULL, NULL, op->iv, -1, NULL) != 1)
		return -EIO;
	if (EVP_CipherUpdate(crypto->cipher, op->data, &n, op->data, (int)op->len) != 1 ||
	    n != (int)op->len)
		return -EIO;
	return 0;
}

static int hmac(struct esp_crypto *crypto, const struct esp_crypto_op *op,
		uint8_t digest[EVP_MAX_MD_SIZE])
{
	EVP_MAC_CTX *ctx = crypto->mac;
	size_t iv_len = crypto->shape.iv_len, n;
	int ok;

	ok = EVP_MAC_init(ctx, NULL, 0, NULL) == 1;
	if (op->aad + op->aad_len == op->data - iv_len &&
	    (!iv_len || op->iv + iv_len == op->data)) {
		/* In a packet the three lie side by side. */
		ok = ok && EVP_MAC_update(ctx, op->aad, op->aad_len + iv_len + op->len) == 1;
	} else {
		ok = ok && EVP_MAC_update(ctx, op->aad, op->aad_len) == 1;
		ok = ok && (!iv_len || EVP_MAC_update(ctx, op->iv, iv_len) == 1);
		ok = ok && EVP_MAC_update(ctx, op->data, op->len) == 1;
	}
	ok = ok && (!op->tail_len || EVP_MAC_update(ctx, op->tail, op->tail_len) == 1);
	ok = ok && EVP_MAC_final(ctx, digest, &n, EVP_MAX_MD_SIZE) == 1;
	return ok ? 0 : -EIO;
}

int esp_crypto_seal(struct esp_crypto *crypto, const struct esp_crypto_op *op)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	int err;

	if (crypto->shape.aead)
		return gcm(crypto, op);
	err = cbc(crypto, op);
	if (err || !crypto->mac)
		return err;
	err = hmac(crypto, op, digest);
	if (!err)
		memcpy(op->icv, digest, crypto->shape.icv_len);
	OPENSSL_cleanse(digest, sizeof(digest));
	return err;
}

int esp_crypto_open(struct esp_crypto *crypto, const struct esp_crypto_op *op)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	int err = 0;

	if (crypto->shape.aead)
		return gcm(crypto, op);
	if (crypto->mac) {
		err = hmac(crypto, op, digest);
		if (!err && CRYPTO_memcmp(digest, op->icv, crypto->shape.icv_len))
			err = -EBADMSG;
		OPENSSL_cleanse(digest, sizeof(digest));
	}
	return err ? err : cbc(crypto, op);
}
