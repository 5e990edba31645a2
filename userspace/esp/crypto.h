/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cryptography of one direction of one SA, with the keys set once. Works in
 * place on data of whole blocks; knows nothing of packets.
 *
 * crypto_openssl.c implements it. A multi-buffer engine belongs behind the same
 * functions: esp_crypto_seal() and esp_crypto_open() would then take arrays.
 */
#ifndef ESP_CRYPTO_H
#define ESP_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/algs.h>

#define ESP_IV_MAX  16
#define ESP_ICV_MAX 32

struct esp_crypto;

/* What an algorithm pair asks of the packet around it, all in bytes. */
struct esp_shape {
	uint8_t iv_len, icv_len;
	uint8_t align; /* of payload + padding + trailer: the block size, at least 4 */
	bool aead;
};

/* One packet. All buffers are the caller's. */
struct esp_crypto_op {
	const uint8_t *aad; /* authenticated in front: SPI and sequence number */
	size_t aad_len;
	const uint8_t *iv; /* as on the wire; goes into the ICV of a non-AEAD pair */
	uint8_t *data;	   /* encrypted or decrypted in place; a multiple of the block size */
	size_t len;
	const uint8_t *tail; /* authenticated behind, non-AEAD only: ESN high bits, or NULL */
	size_t tail_len;
	uint8_t *icv; /* icv_len bytes: written by seal, compared by open */
};

/*
 * Copies the keys: cipher_key holds key and salt. integ NONE is for AEAD, and
 * for vectors without authentication; callers that set up real SAs refuse the
 * latter. Returns 0, -EINVAL for a pair that cannot be, -EIO if OpenSSL fails.
 */
int esp_crypto_new(enum xi_cipher cipher, enum xi_integ integ, const uint8_t *cipher_key,
		   const uint8_t *integ_key, bool seal, struct esp_crypto **ret);
void esp_crypto_free(struct esp_crypto *crypto); /* zeroes keys; NULL is fine */
const struct esp_shape *esp_crypto_shape(const struct esp_crypto *crypto);

/*
 * Writes the IV for this sequence number: a counter for AEAD (RFC 4106 3.1),
 * unpredictable for CBC (RFC 3602 3). Sealing contexts only.
 */
int esp_crypto_iv(struct esp_crypto *crypto, uint64_t seq, uint8_t *iv);
int esp_crypto_seal(struct esp_crypto *crypto, const struct esp_crypto_op *op);
/* Returns 0, -EBADMSG when the ICV is wrong (data is then not to be used), -EIO. */
int esp_crypto_open(struct esp_crypto *crypto, const struct esp_crypto_op *op);

/* Known answers and round trips of every algorithm; 0 or -EIO. */
int esp_crypto_selftest(void);

#endif
