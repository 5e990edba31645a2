// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a worker runs before it accepts keys: known answers for the primitives,
 * then every pair there and back twice with the same contexts, then a flipped
 * bit. It guards against a broken or differently configured OpenSSL; the large
 * vector sets are in tests/unit/esp/.
 */
#include "esp/crypto.h"

#include <errno.h>
#include <string.h>

/* RFC 3602 section 4, case 1. */
static const uint8_t cbc_key[] = {0x06, 0xa9, 0x21, 0x40, 0x36, 0xb8, 0xa1, 0x5b,
				  0x51, 0x2e, 0x03, 0xd5, 0x34, 0x12, 0x00, 0x06};
static const uint8_t cbc_iv[] = {0x3d, 0xaf, 0xba, 0x42, 0x9d, 0x9e, 0xb4, 0x30,
				 0xb4, 0x22, 0xda, 0x80, 0x2c, 0x9f, 0xac, 0x41};
static const uint8_t cbc_out[] = {0xe3, 0x53, 0x77, 0x9c, 0x10, 0x79, 0xae, 0xb8,
				  0x27, 0x08, 0x94, 0x2d, 0xbe, 0x77, 0x18, 0x1a};
/* GCM test case 1: all-zero key and nonce, nothing to encrypt. */
static const uint8_t gcm_tag[] = {0x58, 0xe2, 0xfc, 0xce, 0xfa, 0x7e, 0x30, 0x61,
				  0x36, 0x7f, 0x1d, 0x57, 0xa4, 0xe7, 0x45, 0x5a};
/* RFC 4231 case 2 with the key padded by zeroes, which HMAC does anyway. */
static const uint8_t hmac_key[32] = "Jefe";
static const uint8_t hmac_out[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
				   0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7};

static int known_answer(enum xi_cipher cipher, enum xi_integ integ, const uint8_t *cipher_key,
			const uint8_t *integ_key, const struct esp_crypto_op *op,
			const uint8_t *data, const uint8_t *icv)
{
	struct esp_crypto *crypto = NULL;
	int err = esp_crypto_new(cipher, integ, cipher_key, integ_key, true, &crypto);

	if (!err)
		err = esp_crypto_seal(crypto, op);
	if (!err && data && memcmp(op->data, data, op->len))
		err = -EIO;
	if (!err && icv && memcmp(op->icv, icv, 16))
		err = -EIO;
	esp_crypto_free(crypto);
	return err;
}

static int known_answers(void)
{
	static const uint8_t zero[32];
	uint8_t data[16], icv[ESP_ICV_MAX];
	struct esp_crypto_op op = {.iv = cbc_iv, .data = data, .len = 16, .icv = icv};
	int err;

	memcpy(data, "Single block msg", 16);
	err = known_answer(XI_CIPHER_AES128_CBC, XI_INTEG_NONE, cbc_key, NULL, &op, cbc_out, NULL);
	if (err)
		return err;
	op = (struct esp_crypto_op){.iv = zero, .data = data, .icv = icv};
	err = known_answer(XI_CIPHER_AES128_GCM16, XI_INTEG_NONE, zero, NULL, &op, NULL, gcm_tag);
	if (err)
		return err;
	op = (struct esp_crypto_op){.aad = (const uint8_t *)"what do ya want ",
				    .aad_len = 16,
				    .data = data,
				    .icv = icv,
				    .tail = (const uint8_t *)"for nothing?",
				    .tail_len = 12};
	return known_answer(XI_CIPHER_NULL, XI_INTEG_SHA256, NULL, hmac_key, &op, NULL, hmac_out);
}

static int there_and_back(enum xi_cipher cipher, enum xi_integ integ)
{
	uint8_t keys[128], data[48], icv[ESP_ICV_MAX], iv[ESP_IV_MAX];
	struct esp_crypto *seal = NULL, *open = NULL;
	static const uint8_t aad[8] = {0, 0, 1, 1, 0, 0, 0, 7};
	struct esp_crypto_op op = {.aad = aad,
				   .aad_len = sizeof(aad),
				   .iv = iv,
				   .data = data,
				   .len = sizeof(data),
				   .icv = icv};
	int err;

	for (size_t i = 0; i < sizeof(keys); i++)
		keys[i] = (uint8_t)(i * 7 + 1);
	err = esp_crypto_new(cipher, integ, keys, keys + 64, true, &seal);
	if (!err)
		err = esp_crypto_new(cipher, integ, keys, keys + 64, false, &open);
	for (uint64_t seq = 1; !err && seq <= 2; seq++) {
		memset(data, (int)seq, sizeof(data));
		err = esp_crypto_iv(seal, seq, iv);
		if (!err)
			err = esp_crypto_seal(seal, &op);
		if (!err)
			err = esp_crypto_open(open, &op);
		if (!err && (data[0] != seq || memcmp(data, data + 1, sizeof(data) - 1)))
			err = -EIO;
	}
	if (!err && esp_crypto_shape(seal)->icv_len) {
		icv[0] ^= 0x80;
		memset(data, 0, sizeof(data));
		if (esp_crypto_open(open, &op) != -EBADMSG)
			err = -EIO;
	}
	esp_crypto_free(seal);
	esp_crypto_free(open);
	return err;
}

int esp_crypto_selftest(void)
{
	int err = known_answers();

	for (int c = 0; c < XI_CIPHER_MAX && !err; c++) {
		if (xi_cipher_info(c)->tag_len) {
			err = there_and_back(c, XI_INTEG_NONE);
			continue;
		}
		for (int i = XI_INTEG_NONE + 1; i < XI_INTEG_MAX && !err; i++)
			err = there_and_back(c, i);
	}
	return err ? -EIO : 0;
}
