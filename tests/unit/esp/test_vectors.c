/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole ESP packets of others: RFCs, drafts, DPDK, the Linux kernel, captures.
 * Every packet under vectors/esp-ah-packets whose algorithm we carry must open
 * to its plaintext; where the vector says which IV was used, sealing must give
 * the packet back byte for byte. The others are named with the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "esp/packet.h"
#include "tests/lib/data.h"
#include "tests/lib/esp_vectors.h"
#include "util/pcap.h"

#define DIR "vectors/esp-ah-packets/"

struct vector {
	char name[128];
	enum xi_cipher cipher;
	enum xi_integ integ;
	uint8_t key[XI_KEY_MAX], integ_key[XI_KEY_MAX];
	uint32_t spi;
	uint64_t seq;
	bool esn;
	uint8_t esp[2048], plain[2048]; /* SPI..ICV, and what lies in it */
	size_t esp_len, plain_len;
	uint8_t next;
};

struct tally {
	unsigned passed, skipped;
};

static void skipped(struct tally *tally, const char *name, const char *why)
{
	print_message("# not carried: %s: %s\n", name, why);
	tally->skipped++;
}

static struct esp_half half_of(const struct vector *v, bool seal)
{
	struct esp_half half = {.spi = v->spi, .esn = v->esn};

	assert_int_equal(
		esp_crypto_new(v->cipher, v->integ, v->key, v->integ_key, seal, &half.crypto), 0);
	return half;
}

static void opens_to_its_plaintext(const struct vector *v)
{
	struct esp_half half = half_of(v, false);
	uint8_t copy[sizeof(v->esp)];
	struct esp_opened opened;
	enum xi_reason reason;

	memcpy(copy, v->esp, v->esp_len);
	reason = esp_open(&half, v->seq, copy, v->esp_len, &opened);
	if (reason != XI_REASON_NONE)
		fail_msg("%s: refused, reason %d", v->name, reason);
	assert_int_equal(opened.len, v->plain_len);
	assert_memory_equal(opened.data, v->plain, v->plain_len);
	assert_int_equal(opened.next, v->next);

	/* Any one bit of it makes it another packet: where there is an ICV. */
	if (esp_crypto_shape(half.crypto)->icv_len) {
		for (size_t bit = 64; bit < v->esp_len * 8; bit += 13) {
			memcpy(copy, v->esp, v->esp_len);
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(esp_open(&half, v->seq, copy, v->esp_len, &opened),
					 XI_REASON_ESP_ICV);
		}
	}
	esp_crypto_free(half.crypto);
}

static void seals_to_the_same_bytes(const struct vector *v)
{
	struct esp_half half = half_of(v, true);
	struct esp_plain plain = {v->plain, v->plain_len, NULL, 0};
	uint8_t out[sizeof(v->esp)];
	size_t len;

	assert_int_equal(
		esp_seal(&half, v->seq, v->next, v->esp + 8, &plain, out, sizeof(out), &len), 0);
	assert_int_equal(len, v->esp_len);
	if (memcmp(out, v->esp, len))
		fail_msg("%s: sealed to other bytes", v->name);
	esp_crypto_free(half.crypto);
}

static void check(const struct vector *v, struct tally *tally)
{
	opens_to_its_plaintext(v);
	seals_to_the_same_bytes(v);
	tally->passed++;
}

static json_t *vectors_of(const char *file)
{
	json_t *root = data_json(file);

	if (!root) {
		data_skip(file);
	}
	return root;
}

static void report(const char *file, const struct tally *tally)
{
	print_message("# %s: %u packets agree, %u not carried\n", file, tally->passed,
		      tally->skipped);
	assert_true(tally->passed > 0);
}

/* GCM by key length, with the salt behind the key. */
static bool set_gcm(struct vector *v, size_t key_len)
{
	v->integ = XI_INTEG_NONE;
	if (key_len == 16)
		v->cipher = XI_CIPHER_AES128_GCM16;
	else if (key_len == 32)
		v->cipher = XI_CIPHER_AES256_GCM16;
	else
		return false;
	return true;
}

static bool set_cbc(struct vector *v, size_t key_len)
{
	v->cipher = key_len == 16   ? XI_CIPHER_AES128_CBC
		    : key_len == 24 ? XI_CIPHER_AES192_CBC
				    : XI_CIPHER_AES256_CBC;
	return key_len == 16 || key_len == 24 || key_len == 32;
}

static void mcgrew_gcm(void **state)
{
	static const char file[] = DIR "mcgrew-gcm-esp.json";
	json_t *root = vectors_of(file), *item;
	struct tally tally = {0};
	size_t i;

	json_array_foreach(json_object_get(root, "vectors"), i, item) {
		struct vector v = {0};
		uint8_t number[8], plain[2048];
		size_t len, key_len = json_hex(item, "key", v.key, sizeof(v.key));

		snprintf(v.name, sizeof(v.name), "draft-mcgrew-gcm-test case %d",
			 (int)json_integer_value(json_object_get(item, "case")));
		if (!set_gcm(&v, key_len)) {
			skipped(&tally, v.name, "AES-192-GCM");
			continue;
		}
		json_hex(item, "salt", v.key + key_len, 4);
		v.esp_len = json_hex(item, "packet", v.esp, sizeof(v.esp));
		json_hex(item, "spi", number, 4);
		v.spi = (uint32_t)number[0] << 24 | number[1] << 16 | number[2] << 8 | number[3];
		len = json_hex(item, "seq", number, sizeof(number));
		for (size_t n = 0; n < len; n++)
			v.seq = v.seq << 8 | number[n];
		v.esn = json_is_true(json_object_get(item, "esn"));
		len = json_hex(item, "plain_with_trailer", plain, sizeof(plain));
		v.next = plain[len - 1];
		v.plain_len = len - 2 - plain[len - 2];
		memcpy(v.plain, plain, v.plain_len);
		check(&v, &tally);
	}
	json_decref(root);
	report(file, &tally);
}

/* Returns why the vector is not ours, or NULL. */
static const char *dpdk_algorithms(const json_t *item, struct vector *v)
{
	const char *cipher = json_str(item, "cipher"), *auth = json_str(item, "auth");
	size_t key_len = json_hex(item, "key", v->key, sizeof(v->key));

	if (strcmp(json_str(item, "proto"), "esp"))
		return "AH";
	if (!strcmp(json_str(item, "aead"), "aes_gcm")) {
		json_hex(item, "salt", v->key + key_len, 4);
		return set_gcm(v, key_len) ? NULL : "AES-192-GCM";
	}
	if (!strcmp(cipher, "3des_cbc"))
		v->cipher = XI_CIPHER_TDES_CBC;
	else if (!strcmp(cipher, "null"))
		v->cipher = XI_CIPHER_NULL;
	else if (strcmp(cipher, "aes_cbc") || !set_cbc(v, key_len))
		return cipher;
	json_hex(item, "auth_key", v->integ_key, sizeof(v->integ_key));
	if (!strcmp(auth, "null"))
		v->integ = XI_INTEG_NONE;
	else if (!strcmp(auth, "sha1_hmac"))
		v->integ = XI_INTEG_SHA1;
	else if (!strcmp(auth, "sha256_hmac"))
		v->integ = XI_INTEG_SHA256;
	else if (!strcmp(auth, "sha384_hmac"))
		v->integ = XI_INTEG_SHA384;
	else if (!strcmp(auth, "sha512_hmac"))
		v->integ = XI_INTEG_SHA512;
	else
		return auth;
	return NULL;
}

/* The whole tunnel packet, outer header included, as far as ESP decides it. */
static void tunnel_packet_comes_out(const struct vector *v, const uint8_t *packet, size_t len,
				    size_t front)
{
	struct esp_half half = half_of(v, true);
	struct esp_plain plain = {v->plain, 20, v->plain + 20, v->plain_len - 20};
	uint8_t outer[40], out[2048];
	size_t out_len;

	/* Length, protocol and checksum are not taken from the vector. */
	memcpy(outer, packet, front);
	if (front == 20)
		memset(outer + 2, 0, 2), memset(outer + 9, 0, 3);
	else
		memset(outer + 4, 0, 3);
	assert_int_equal(esp_wrap_tunnel(&half, v->seq, v->esp + 8, outer, &plain, out, sizeof(out),
					 &out_len),
			 0);
	assert_int_equal(out_len, len);
	assert_memory_equal(out, packet, len);
	esp_crypto_free(half.crypto);
}

static void dpdk(void **state)
{
	static const char file[] = DIR "dpdk-ipsec.json";
	json_t *root = vectors_of(file), *item;
	struct tally tally = {0};
	size_t i;

	json_array_foreach(json_object_get(root, "vectors"), i, item) {
		struct vector v = {0};
		uint8_t packet[2048];
		const char *why = dpdk_algorithms(item, &v);
		struct ip_info info;
		size_t len;

		snprintf(v.name, sizeof(v.name), "%s", json_str(item, "name"));
		if (why) {
			skipped(&tally, v.name, why);
			continue;
		}
		len = json_hex(item, "protected", packet, sizeof(packet));
		assert_int_equal(ip_parse(packet, len, &info), 0);
		assert_int_equal(info.proto, IP_PROTO_ESP);
		v.esp_len = len - info.l4_off;
		memcpy(v.esp, packet + info.l4_off, v.esp_len);
		v.plain_len = json_hex(item, "plain", v.plain, sizeof(v.plain));
		v.spi = (uint32_t)json_integer_value(json_object_get(item, "spi"));
		v.seq = (uint64_t)v.esp[4] << 24 | v.esp[5] << 16 | v.esp[6] << 8 | v.esp[7];
		if (!strcmp(json_str(item, "direction"), "egress"))
			assert_int_equal(v.seq,
					 json_integer_value(json_object_get(item, "seq_low")));
		v.next = (uint8_t)json_integer_value(json_object_get(item, "next_header"));
		check(&v, &tally);
		tunnel_packet_comes_out(&v, packet, len, info.l4_off);
	}
	json_decref(root);
	report(file, &tally);
}

static void linux_kernel(void **state)
{
	static const char file[] = DIR "linux-esp-references.json";
	json_t *root = vectors_of(file), *item;
	struct tally tally = {0};
	size_t i;

	json_array_foreach(json_object_get(root, "vectors"), i, item) {
		struct vector v = {0};
		const char *cipher = json_str(item, "cipher");
		size_t key_len = json_hex(item, "key", v.key, sizeof(v.key));
		uint32_t low = (uint32_t)json_integer_value(json_object_get(item, "seq"));

		snprintf(v.name, sizeof(v.name), "%s", json_str(item, "title"));
		/* The key of a GCM vector ends in its salt. */
		if (!(!strcmp(cipher, "AES-GCM") && set_gcm(&v, key_len - 4)) &&
		    !(!strcmp(cipher, "AES-CBC") && set_cbc(&v, key_len))) {
			skipped(&tally, v.name, cipher);
			continue;
		}
		v.spi = (uint32_t)json_integer_value(json_object_get(item, "spi"));
		v.esn = json_is_true(json_object_get(item, "esn_enabled"));
		v.seq = (uint64_t)json_integer_value(json_object_get(item, "esn")) << 32 | low;
		for (int b = 0; b < 4; b++) {
			v.esp[b] = (uint8_t)(v.spi >> (24 - 8 * b));
			v.esp[4 + b] = (uint8_t)(low >> (24 - 8 * b));
		}
		v.esp_len = 8 + json_hex(item, "esp_after_seq", v.esp + 8, sizeof(v.esp) - 8);
		v.plain_len = json_hex(item, "plain", v.plain, sizeof(v.plain));
		v.next = (uint8_t)json_integer_value(json_object_get(item, "next_header"));
		check(&v, &tally);
	}
	json_decref(root);
	report(file, &tally);
}

/* A transport mode packet with its headers, both ways. */
static void rfc_transport_packet(const json_t *item, struct tally *tally)
{
	struct vector v = {.integ = XI_INTEG_NONE, .seq = 1};
	uint8_t original[512], packet[512], out[512], *opened_ip;
	struct esp_half seal, open;
	struct esp_plain plain;
	struct ip_info info, outer;
	struct esp_opened opened;
	size_t original_len, packet_len, len;

	set_cbc(&v, json_hex(item, "key", v.key, sizeof(v.key)));
	json_hex(item, "spi", out, 4);
	v.spi = (uint32_t)out[0] << 24 | out[1] << 16 | out[2] << 8 | out[3];
	original_len = json_hex(item, "original_packet", original, sizeof(original));
	packet_len = json_hex(item, "protected_packet", packet, sizeof(packet));
	assert_int_equal(ip_parse(original, original_len, &info), 0);
	assert_int_equal(ip_parse(packet, packet_len, &outer), 0);

	seal = half_of(&v, true);
	plain = (struct esp_plain){original, original_len, NULL, 0};
	assert_int_equal(esp_wrap_transport(&seal, v.seq, packet + outer.l4_off + 8, &info, &plain,
					    out, sizeof(out), &len),
			 0);
	assert_int_equal(len, packet_len);
	assert_memory_equal(out, packet, len);

	open = half_of(&v, false);
	assert_int_equal(
		esp_open(&open, v.seq, packet + outer.l4_off, packet_len - outer.l4_off, &opened),
		XI_REASON_NONE);
	opened_ip = esp_unwrap_transport(packet, &outer, &opened);
	assert_int_equal(outer.l4_off + opened.len, original_len);
	assert_memory_equal(opened_ip, original, original_len);
	esp_crypto_free(seal.crypto);
	esp_crypto_free(open.crypto);
	tally->passed++;
}

static void rfc_examples(void **state)
{
	static const char file[] = DIR "rfc-examples.json";
	json_t *root = vectors_of(file), *item;
	struct tally tally = {0};
	size_t i;

	json_array_foreach(json_object_get(root, "vectors"), i, item) {
		if (!strcmp(json_str(item, "cipher"), "aes-128-cbc"))
			rfc_transport_packet(item, &tally);
		else
			skipped(&tally, json_str(item, "name"), json_str(item, "cipher"));
	}
	json_decref(root);
	report(file, &tally);
}

/* ESP in captures whose keys were published. Returns why it is not carried, or NULL. */
static const char *capture_algorithms(const json_t *item, struct vector *v, size_t *ret_cut)
{
	const char *encryption = json_str(item, "encryption");
	size_t key_len = json_hex(item, "key", v->key, sizeof(v->key));

	if (!strcmp(encryption, "3des-cbc"))
		v->cipher = XI_CIPHER_TDES_CBC;
	else if (strncmp(encryption, "aes", 3) || !strstr(encryption, "-cbc") ||
		 !set_cbc(v, key_len))
		return encryption[0] ? encryption : "ESP within ESP";
	*ret_cut = 0;
	v->integ = XI_INTEG_SHA1;
	if (!json_hex(item, "icv_key", v->integ_key, sizeof(v->integ_key))) {
		/* The integrity key was not published: look at what is in front of the ICV. */
		v->integ = XI_INTEG_NONE;
		*ret_cut = (size_t)json_integer_value(json_object_get(item, "icv_bytes"));
	}
	return NULL;
}

static void esp_of_frame(const char *path, unsigned frame, struct vector *v)
{
	struct capture_packet packet;
	struct capture *capture;
	struct ip_info info;
	const uint8_t *ip;
	char full[512];
	size_t len;

	snprintf(full, sizeof(full), "%s/captures/%s", data_root(), path);
	assert_int_equal(capture_open(full, &capture), 0);
	do {
		assert_int_equal(capture_next(capture, &packet), 1);
	} while (packet.number != frame);
	assert_int_equal(capture_ip(&packet, &ip, &len), 0);
	assert_int_equal(ip_parse(ip, len, &info), 0);
	assert_int_equal(info.proto, IP_PROTO_ESP);
	v->esp_len = info.len - info.l4_off;
	memcpy(v->esp, ip + info.l4_off, v->esp_len);
	capture_close(capture);
}

static void captures_with_published_keys(void **state)
{
	static const char file[] = "captures/expected/esp-plaintext.json";
	json_t *root = vectors_of(file), *item;
	struct tally tally = {0};
	size_t i;

	json_array_foreach(json_object_get(root, "packets"), i, item) {
		int frame = (int)json_integer_value(json_object_get(item, "frame"));
		struct vector v = {0};
		uint8_t number[4];
		size_t cut;
		const char *why = capture_algorithms(item, &v, &cut);

		snprintf(v.name, sizeof(v.name), "%s frame %d", json_str(item, "capture"), frame);
		if (why) {
			skipped(&tally, v.name, why);
			continue;
		}
		esp_of_frame(json_str(item, "capture"), (unsigned)frame, &v);
		v.esp_len -= cut;
		json_hex(item, "spi", number, sizeof(number));
		assert_memory_equal(v.esp, number, 4);
		v.spi = (uint32_t)number[0] << 24 | number[1] << 16 | number[2] << 8 | number[3];
		v.seq = (uint64_t)json_integer_value(json_object_get(item, "seq"));
		v.plain_len = json_hex(item, "inner", v.plain, sizeof(v.plain));
		v.next = (uint8_t)json_integer_value(json_object_get(item, "next_header"));
		check(&v, &tally);
	}
	json_decref(root);
	report(file, &tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_examples),
		cmocka_unit_test(mcgrew_gcm),
		cmocka_unit_test(linux_kernel),
		cmocka_unit_test(dpdk),
		cmocka_unit_test(captures_with_published_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
