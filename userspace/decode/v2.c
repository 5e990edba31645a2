/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decrypting SK payloads of IKEv2 with keys from a file (RFC 7296 3.14, RFC
 * 5282). The algorithms are named as in Wireshark's table, for that is what
 * such files hold. The integrity check is always done: a wrong key is said to be wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "decode/decode.h"
#include "ike/crypto/crypto.h"

#define AEAD_IV_LEN 8

struct suite {
	enum { CBC, GCM, CCM } kind;
	const EVP_CIPHER *cipher;
	size_t key_len, salt_len, iv_len, tag_len;
	enum xi_integ integ; /* CBC */
};

/* "HMAC_SHA2_256_128 [RFC4868]": hash, then ICV bits. */
static int parse_integ(const char *name, struct suite *suite)
{
	static const struct {
		const char *name;
		enum xi_integ integ;
	} hashes[] = {
		{"HMAC_SHA1_", XI_INTEG_SHA1},
		{"HMAC_SHA2_256_", XI_INTEG_SHA256},
		{"HMAC_SHA2_384_", XI_INTEG_SHA384},
		{"HMAC_SHA2_512_", XI_INTEG_SHA512},
	};

	for (size_t i = 0; i < sizeof(hashes) / sizeof(*hashes); i++) {
		size_t len = strlen(hashes[i].name);

		if (strncmp(name, hashes[i].name, len))
			continue;
		suite->integ = hashes[i].integ;
		suite->tag_len = strtoul(name + len, NULL, 10) / 8;
		return suite->tag_len && suite->tag_len <= crypto_digest_len(suite->integ)
			       ? 0
			       : -ENOENT;
	}
	return -ENOENT;
}

static int parse_suite(const struct decode_key *key, struct suite *ret)
{
	unsigned bits = 0, tag = 0;
	struct suite s = {0};

	if (!strncmp(key->cipher, "3DES", 4)) {
		s = (struct suite){CBC, EVP_des_ede3_cbc(), 24, 0, 8, 0, XI_INTEG_NONE};
	} else if (sscanf(key->cipher, "AES-CBC-%u", &bits) == 1) {
		s = (struct suite){CBC, NULL, bits / 8, 0, 16, 0, XI_INTEG_NONE};
		s.cipher = bits == 128	 ? EVP_aes_128_cbc()
			   : bits == 192 ? EVP_aes_192_cbc()
					 : EVP_aes_256_cbc();
	} else if (sscanf(key->cipher, "AES-GCM-%u with %u octet ICV", &bits, &tag) == 2) {
		s = (struct suite){GCM, NULL, bits / 8, 4, AEAD_IV_LEN, tag, XI_INTEG_NONE};
		s.cipher = bits == 128	 ? EVP_aes_128_gcm()
			   : bits == 192 ? EVP_aes_192_gcm()
					 : EVP_aes_256_gcm();
	} else if (sscanf(key->cipher, "AES-CCM-%u with %u octet ICV", &bits, &tag) == 2) {
		s = (struct suite){CCM, NULL, bits / 8, 3, AEAD_IV_LEN, tag, XI_INTEG_NONE};
		s.cipher = bits == 128	 ? EVP_aes_128_ccm()
			   : bits == 192 ? EVP_aes_192_ccm()
					 : EVP_aes_256_ccm();
	} else {
		return -ENOENT;
	}
	if (bits && bits != 128 && bits != 192 && bits != 256)
		return -ENOENT;
	if (s.kind != CBC && tag != 8 && tag != 12 && tag != 16)
		return -ENOENT;
	if (key->e_len != s.key_len + s.salt_len)
		return -ENOENT;
	if (s.kind == CBC && parse_integ(key->integ, &s))
		return -ENOENT;
	*ret = s;
	return 0;
}

static int decrypt_cbc(const struct suite *suite, const struct decode_key *key,
		       const uint8_t *e_key, const uint8_t *a_key, struct wire_slice msg,
		       struct wire_slice iv, struct wire_slice in, uint8_t *out)
{
	const struct crypto_part covered = {msg.p, msg.len - suite->tag_len};
	uint8_t digest[CRYPTO_DIGEST_MAX];
	EVP_CIPHER_CTX *ctx;
	int n, ok;

	if (in.len % suite->iv_len ||
	    crypto_prf(suite->integ, a_key, key->a_len, &covered, 1, digest) ||
	    !crypto_equal(digest, msg.p + covered.len, suite->tag_len))
		return -EBADMSG;
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx && EVP_DecryptInit_ex(ctx, suite->cipher, NULL, e_key, iv.p) &&
	     EVP_CIPHER_CTX_set_padding(ctx, 0) &&
	     EVP_DecryptUpdate(ctx, out, &n, in.p, (int)in.len);
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

static int decrypt_aead(const struct suite *suite, const uint8_t *e_key, struct wire_slice aad,
			struct wire_slice iv, struct wire_slice in, uint8_t *out)
{
	uint8_t nonce[4 + AEAD_IV_LEN], tag[16];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n, ok;

	memcpy(nonce, e_key + suite->key_len, suite->salt_len);
	memcpy(nonce + suite->salt_len, iv.p, AEAD_IV_LEN);
	memcpy(tag, in.p + in.len, suite->tag_len);
	ok = ctx && EVP_DecryptInit_ex(ctx, suite->cipher, NULL, NULL, NULL) &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)(suite->salt_len + AEAD_IV_LEN),
				 NULL) &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)suite->tag_len, tag) &&
	     EVP_DecryptInit_ex(ctx, NULL, NULL, e_key, nonce);
	/* CCM wants to know the length first, and tells in the update whether the tag was right. */
	if (ok && suite->kind == CCM)
		ok = EVP_DecryptUpdate(ctx, NULL, &n, NULL, (int)in.len);
	ok = ok && EVP_DecryptUpdate(ctx, NULL, &n, aad.p, (int)aad.len) > 0 &&
	     EVP_DecryptUpdate(ctx, out, &n, in.p, (int)in.len) > 0;
	if (ok && suite->kind == GCM)
		ok = EVP_DecryptFinal_ex(ctx, out + n, &n) > 0;
	EVP_CIPHER_CTX_free(ctx);
	OPENSSL_cleanse(nonce, sizeof(nonce));
	return ok ? 0 : -EBADMSG;
}

int decode_v2_decrypt(const struct decode_key *key, struct wire_slice msg, struct wire_slice sk,
		      bool from_initiator, uint8_t *out, size_t *ret_len)
{
	const uint8_t *e_key = from_initiator ? key->ei : key->er;
	const uint8_t *a_key = from_initiator ? key->ai : key->ar;
	struct wire_slice iv, in, aad;
	struct suite suite;
	int rc = parse_suite(key, &suite);

	if (rc)
		return rc;
	if (sk.len < suite.iv_len + suite.tag_len + 1 || sk.p + sk.len != msg.p + msg.len)
		return -EBADMSG;
	iv = (struct wire_slice){sk.p, suite.iv_len};
	in = (struct wire_slice){sk.p + suite.iv_len, sk.len - suite.iv_len - suite.tag_len};
	aad = (struct wire_slice){msg.p, (size_t)(sk.p - msg.p)};
	rc = suite.kind == CBC ? decrypt_cbc(&suite, key, e_key, a_key, msg, iv, in, out)
			       : decrypt_aead(&suite, e_key, aad, iv, in, out);
	if (rc)
		return rc;
	/* The last byte counts the padding before it. */
	if (out[in.len - 1] + 1u > in.len)
		return -EBADMSG;
	*ret_len = in.len - 1 - out[in.len - 1];
	return 0;
}
