/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The key schedule of IKEv1: RFC 2409 section 5 and appendix B. The prf is
 * always the HMAC of the negotiated hash.
 *
 * Names follow the RFC: Ni_b and Nr_b are the bodies of the nonces, g^xy the
 * shared secret, CKY-I and CKY-R the cookies (8 bytes), SAi_b the body of the
 * initiator's SA payload, IDii_b the body of an ID payload, M-ID the message id
 * (host order here). All functions: 0, or -errno (-EIO from the library,
 * -EINVAL for an algorithm or a length that makes no sense).
 */
#ifndef IKE_CRYPTO_KDF1_H
#define IKE_CRYPTO_KDF1_H

#include "ike/crypto/crypto.h"

/* What an established phase 1 holds. Zero it with ikev1_keys_clear(). */
struct ikev1_keys {
	enum xi_integ prf;
	enum xi_cipher cipher;
	uint8_t skeyid[CRYPTO_DIGEST_MAX]; /* each crypto_digest_len(prf) long */
	uint8_t skeyid_d[CRYPTO_DIGEST_MAX];
	uint8_t skeyid_a[CRYPTO_DIGEST_MAX];
	uint8_t skeyid_e[CRYPTO_DIGEST_MAX];
	uint8_t cipher_key[CRYPTO_KEY_MAX]; /* for crypto_cbc_*() */
};

/* SKEYID = prf(pre-shared key, Ni_b | Nr_b). ret: crypto_digest_len(prf) bytes. */
int ikev1_skeyid_psk(enum xi_integ prf, const void *psk, size_t psk_len, const void *ni,
		     size_t ni_len, const void *nr, size_t nr_len, uint8_t ret[CRYPTO_DIGEST_MAX]);
/* Signatures and GSS-API: SKEYID = prf(Ni_b | Nr_b, g^xy). Nonces up to 256 bytes each. */
int ikev1_skeyid_sig(enum xi_integ prf, const void *ni, size_t ni_len, const void *nr,
		     size_t nr_len, const void *gxy, size_t gxy_len,
		     uint8_t ret[CRYPTO_DIGEST_MAX]);
/* SKEYID_d, _a, _e and the cipher key from SKEYID. On failure *ret is cleared. */
int ikev1_keys_derive(enum xi_integ prf, enum xi_cipher cipher, const uint8_t *skeyid,
		      const void *gxy, size_t gxy_len, const uint8_t cookie_i[8],
		      const uint8_t cookie_r[8], struct ikev1_keys *ret);
void ikev1_keys_clear(struct ikev1_keys *keys);

/*
 * A cipher key of key_len bytes from SKEYID_e: its first bytes, or, when it is too short,
 * K1 | K2 | ... with K1 = prf(SKEYID_e, 0), Kn = prf(SKEYID_e, Kn-1) (appendix B).
 */
int ikev1_cipher_key(enum xi_integ prf, const uint8_t *skeyid_e, size_t key_len, uint8_t *ret);

/* IV of the first encrypted main mode message: hash(g^xi | g^xr), cut to the block. */
int ikev1_phase1_iv(enum xi_integ hash, enum xi_cipher cipher, const void *gxi, const void *gxr,
		    size_t len, uint8_t ret[CRYPTO_BLOCK_MAX]);
/*
 * IV of the first message of a quick mode or informational: hash(last phase 1 ciphertext
 * block | M-ID), cut to the block.
 */
int ikev1_phase2_iv(enum xi_integ hash, enum xi_cipher cipher,
		    const uint8_t last_block[CRYPTO_BLOCK_MAX], uint32_t message_id,
		    uint8_t ret[CRYPTO_BLOCK_MAX]);

/*
 * HASH_I and HASH_R are one formula seen from each side:
 * prf(SKEYID, g^x_sender | g^x_other | CKY_sender | CKY_other | SAi_b | ID_sender_b).
 */
int ikev1_hash_phase1(const struct ikev1_keys *keys, const void *g_sender, const void *g_other,
		      size_t g_len, const uint8_t cookie_sender[8], const uint8_t cookie_other[8],
		      const void *sa_b, size_t sa_len, const void *id_b, size_t id_len,
		      uint8_t ret[CRYPTO_DIGEST_MAX]);
/* HASH(1) = prf(SKEYID_a, M-ID | rest), rest = the payloads behind HASH, without padding. */
int ikev1_hash_1(const struct ikev1_keys *keys, uint32_t message_id, const void *rest,
		 size_t rest_len, uint8_t ret[CRYPTO_DIGEST_MAX]);
/* HASH(2) = prf(SKEYID_a, M-ID | Ni_b | rest). */
int ikev1_hash_2(const struct ikev1_keys *keys, uint32_t message_id, const void *ni, size_t ni_len,
		 const void *rest, size_t rest_len, uint8_t ret[CRYPTO_DIGEST_MAX]);
/* HASH(3) = prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b), the 0 being one byte. */
int ikev1_hash_3(const struct ikev1_keys *keys, uint32_t message_id, const void *ni, size_t ni_len,
		 const void *nr, size_t nr_len, uint8_t ret[CRYPTO_DIGEST_MAX]);

/*
 * KEYMAT of quick mode, section 5.5: K1 | K2 ... with K1 = prf(SKEYID_d, [g(qm)^xy |] protocol |
 * SPI | Ni_b | Nr_b). gxy is NULL without PFS. protocol is the proposal's number (AH 2, ESP 3), spi
 * in host order: that of the receiving side, so each direction has its own KEYMAT.
 */
int ikev1_keymat(const struct ikev1_keys *keys, const void *gxy, size_t gxy_len, uint8_t protocol,
		 uint32_t spi, const void *ni, size_t ni_len, const void *nr, size_t nr_len,
		 uint8_t *ret, size_t len);

#endif
