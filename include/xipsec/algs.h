/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef XIPSEC_ALGS_H
#define XIPSEC_ALGS_H

#include <stdint.h>

/*
 * Every algorithm that the policy text, IKE or ESP can name, once. The enums,
 * the names, the key sizes and the wire numbers all come from these lists.
 */

/*
 * X(NAME, policy text, key bytes (without salt), salt bytes, IV bytes on the
 *   wire, block bytes, AEAD tag bytes, IKEv1 phase 1 cipher number (RFC 2409
 *   appendix A, 0 = none), ESP transform number (RFC 2407 4.4.4), KEY_LENGTH
 *   attribute in bits (0 = the transform has one fixed size))
 */
#define XI_CIPHERS(X)                                                                              \
	X(NULL, "null", 0, 0, 0, 1, 0, 0, 11, 0)                                                   \
	X(TDES_CBC, "3des", 24, 0, 8, 8, 0, 5, 3, 0)                                               \
	X(AES128_CBC, "aes128", 16, 0, 16, 16, 0, 7, 12, 128)                                      \
	X(AES192_CBC, "aes192", 24, 0, 16, 16, 0, 7, 12, 192)                                      \
	X(AES256_CBC, "aes256", 32, 0, 16, 16, 0, 7, 12, 256)                                      \
	X(AES128_GCM16, "aes128gcm16", 16, 4, 8, 1, 16, 0, 20, 128)                                \
	X(AES256_GCM16, "aes256gcm16", 32, 4, 8, 1, 16, 0, 20, 256)

/*
 * Integrity of AH and ESP, and hash of IKEv1 main mode.
 * X(NAME, policy text, key bytes, full digest bytes, ICV bytes in ESP/AH,
 *   IKEv1 hash number (RFC 2409), AUTH_ALGORITHM attribute (RFC 2407 4.5))
 */
#define XI_INTEGS(X)                                                                               \
	X(NONE, "none", 0, 0, 0, 0, 0)                                                             \
	X(SHA1, "sha1", 20, 20, 12, 2, 2)                                                          \
	X(SHA256, "sha256", 32, 32, 16, 4, 5)                                                      \
	X(SHA384, "sha384", 48, 48, 24, 5, 6)                                                      \
	X(SHA512, "sha512", 64, 64, 32, 6, 7)

/* X(NAME, policy text, IKE group number, public value bytes) */
#define XI_GROUPS(X)                                                                               \
	X(NONE, "none", 0, 0)                                                                      \
	X(MODP1024, "modp1024", 2, 128)                                                            \
	X(MODP1536, "modp1536", 5, 192)                                                            \
	X(MODP2048, "modp2048", 14, 256)                                                           \
	X(MODP3072, "modp3072", 15, 384)                                                           \
	X(MODP4096, "modp4096", 16, 512)

#define XI_X(NAME, ...) XI_CIPHER_##NAME,
enum xi_cipher { XI_CIPHERS(XI_X) XI_CIPHER_MAX };
#undef XI_X
#define XI_X(NAME, ...) XI_INTEG_##NAME,
enum xi_integ { XI_INTEGS(XI_X) XI_INTEG_MAX };
#undef XI_X
#define XI_X(NAME, ...) XI_GROUP_##NAME,
enum xi_group { XI_GROUPS(XI_X) XI_GROUP_MAX };
#undef XI_X

struct xi_cipher_info {
	const char *name;
	uint8_t key_len, salt_len, iv_len, block_len, tag_len;
	uint8_t ike_id, esp_id;
	uint16_t key_bits;
};

struct xi_integ_info {
	const char *name;
	uint8_t key_len, digest_len, icv_len;
	uint8_t ike_id, doi_id;
};

struct xi_group_info {
	const char *name;
	uint16_t ike_id;
	uint16_t pub_len;
};

/* The argument must be a valid enumerator: these never return NULL. */
const struct xi_cipher_info *xi_cipher_info(enum xi_cipher cipher);
const struct xi_integ_info *xi_integ_info(enum xi_integ integ);
const struct xi_group_info *xi_group_info(enum xi_group group);

/* By policy text. Return 0, or -ENOENT and leave *ret as it was. */
int xi_cipher_by_name(const char *name, enum xi_cipher *ret);
int xi_integ_by_name(const char *name, enum xi_integ *ret);
int xi_group_by_name(const char *name, enum xi_group *ret);

#endif
