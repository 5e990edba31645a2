/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The primitives IKE needs, over OpenSSL: hash, prf (HMAC), Diffie-Hellman and
 * CBC. Failures of the library are ordinary errors (-EIO), never asserts.
 * Lengths are in bytes. What is secret is zeroed when it is freed.
 */
#ifndef IKE_CRYPTO_CRYPTO_H
#define IKE_CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/algs.h>

#define CRYPTO_DIGEST_MAX 64
#define CRYPTO_BLOCK_MAX  16
#define CRYPTO_KEY_MAX	  32
#define CRYPTO_DH_MAX	  512

/* Where random bytes come from: the system's generator, or a test's. fn: 0 or -errno. */
struct crypto_rng {
	int (*fn)(void *ctx, void *buf, size_t len);
	void *ctx;
};

/* A piece of a message to hash: A | B | C is an array of these. */
struct crypto_part {
	const void *p;
	size_t len;
};

/* Digest length of a hash, 0 for XI_INTEG_NONE. */
size_t crypto_digest_len(enum xi_integ hash);
int crypto_hash(enum xi_integ hash, const struct crypto_part *parts, size_t count,
		uint8_t ret[CRYPTO_DIGEST_MAX]);
/* prf(key, parts): HMAC with the hash, full digest length (RFC 2409 section 4). */
int crypto_prf(enum xi_integ hash, const void *key, size_t key_len, const struct crypto_part *parts,
	       size_t count, uint8_t ret[CRYPTO_DIGEST_MAX]);
/* Constant-time. */
bool crypto_equal(const void *a, const void *b, size_t len);

/*
 * CBC without padding, in place if out == in. len must be a multiple of the
 * cipher's block (-EINVAL). iv is read and then set to the last ciphertext
 * block, which is the IV of the next message in the same exchange
 * (RFC 2409 appendix B). Only the CBC ciphers: -EINVAL for others.
 */
int crypto_cbc_encrypt(enum xi_cipher cipher, const uint8_t *key, uint8_t iv[CRYPTO_BLOCK_MAX],
		       const void *in, size_t len, void *out);
int crypto_cbc_decrypt(enum xi_cipher cipher, const uint8_t *key, uint8_t iv[CRYPTO_BLOCK_MAX],
		       const void *in, size_t len, void *out);

/* ------------------------------------------------------------------ Diffie-Hellman */

struct crypto_dh; /* one private key and its public value */

/*
 * A fresh key pair. The private bytes come from rng. -EINVAL for group NONE,
 * -ENOMEM, -EIO, or what rng returned.
 */
int crypto_dh_new(enum xi_group group, const struct crypto_rng *rng, struct crypto_dh **ret);
void crypto_dh_free(struct crypto_dh *dh); /* zeroes; NULL is fine */
/* Length of public values and of shared secrets, fixed by the group. */
size_t crypto_dh_len(const struct crypto_dh *dh);
/* The public value, left-padded with zeros to crypto_dh_len(). Lives as long as dh. */
const uint8_t *crypto_dh_public(const struct crypto_dh *dh);
/*
 * g^xy, left-padded to crypto_dh_len() bytes. The peer's value must have exactly the group's
 * length and lie in 2..p-2, and the secret must not be 0 or 1: -EBADMSG otherwise.
 */
int crypto_dh_derive(const struct crypto_dh *dh, const void *peer, size_t peer_len,
		     uint8_t ret[CRYPTO_DH_MAX]);
/* The prime of a group, big-endian, as long as its public value. For tests and checks. */
int crypto_dh_prime(enum xi_group group, uint8_t ret[CRYPTO_DH_MAX]);

#endif
