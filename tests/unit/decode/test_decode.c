/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `xipsec decode` makes of packets: datagrams in fragments, the non-ESP
 * marker, key files, and a whole exchange of our own encrypted here.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "decode/decode.h"
#include "decode/text.h"
#include "ike/crypto/kdf1.h"
#include "ike/wire/sa1.h"
#include "tests/lib/ike_samples.h"

#define RAW_IP 101

/* ------------------------------------------------------------------ packets */

struct packet {
	uint8_t b[4096];
	size_t len;
};

/* A piece of an IPv4 datagram, 10.0.0.1 to 10.0.0.2 or back. */
static struct packet ipv4(bool back, uint16_t id, size_t offset, bool more, const void *data,
			  size_t len)
{
	struct packet p = {.len = 20 + len};

	memset(p.b, 0, 20);
	p.b[0] = 0x45;
	p.b[2] = (uint8_t)(p.len >> 8);
	p.b[3] = (uint8_t)p.len;
	p.b[4] = (uint8_t)(id >> 8);
	p.b[5] = (uint8_t)id;
	p.b[6] = (uint8_t)((more ? 0x20 : 0) | offset / 8 >> 8);
	p.b[7] = (uint8_t)(offset / 8);
	p.b[8] = 64;
	p.b[9] = 17;
	memcpy(p.b + 12, "\12\0\0\1\12\0\0\2", 8);
	p.b[15] = back ? 2 : 1;
	p.b[19] = back ? 1 : 2;
	memcpy(p.b + 20, data, len);
	return p;
}

static size_t udp(uint8_t *ret, uint16_t port, bool marker, const void *data, size_t len)
{
	size_t head = 8 + (marker ? 4 : 0);

	memset(ret, 0, head);
	ret[0] = ret[2] = (uint8_t)(port >> 8);
	ret[1] = ret[3] = (uint8_t)port;
	ret[4] = (uint8_t)((head + len) >> 8);
	ret[5] = (uint8_t)(head + len);
	memcpy(ret + head, data, len);
	return head + len;
}

static int feed(struct decode *decode, const struct packet *p, struct decoded *ret)
{
	struct capture_packet packet = {
		.number = 1, .link_type = RAW_IP, .p = p->b, .len = p->len, .wire_len = p->len};

	return decode_packet(decode, &packet, ret);
}

/* ------------------------------------------------------------------ tests */

static void a_message_in_fragments_is_joined_in_any_order(void **state)
{
	static const uint8_t orders[][3] = {{0, 1, 2}, {2, 0, 1}, {1, 2, 0}, {2, 1, 0}};
	uint8_t msg[IKE_SAMPLE_MAX], datagram[IKE_SAMPLE_MAX + 8];
	static struct decoded got;
	size_t len, total;

	assert_string_equal(ike_sample(3, msg, &len), "main-mode-5-signed");
	total = udp(datagram, 500, false, msg, len);
	assert_true(total > 208);
	for (size_t o = 0; o < 4; o++) {
		struct decode *decode = decode_new(NULL);

		for (size_t i = 0; i < 3; i++) {
			size_t at = orders[o][i] * 104u, piece = at == 208 ? total - at : 104;
			struct packet p = ipv4(false, 7, at, at != 208, datagram + at, piece);

			assert_int_equal(feed(decode, &p, &got), i == 2);
		}
		assert_null(got.problem);
		assert_int_equal(got.type_count, 4);
		assert_int_equal(got.hdr.length, len);
		decode_free(decode);
	}
}

static void overlapping_fragments_are_refused(void **state)
{
	uint8_t msg[IKE_SAMPLE_MAX], datagram[IKE_SAMPLE_MAX + 8];
	struct decode *decode = decode_new(NULL);
	static struct decoded got;
	size_t len, total;
	struct packet p;

	ike_sample(3, msg, &len);
	total = udp(datagram, 500, false, msg, len);
	p = ipv4(false, 7, 0, true, datagram, 208);
	assert_int_equal(feed(decode, &p, &got), 0);
	p = ipv4(false, 7, 200, false, datagram + 200, total - 200);
	assert_int_equal(feed(decode, &p, &got), 0);
	/* The rest alone must not complete what was thrown away. */
	p = ipv4(false, 7, 208, false, datagram + 208, total - 208);
	assert_int_equal(feed(decode, &p, &got), 0);
	decode_free(decode);
}

static void unfinished_datagrams_give_way_to_new_ones(void **state)
{
	uint8_t msg[IKE_SAMPLE_MAX], datagram[IKE_SAMPLE_MAX + 8];
	struct decode *decode = decode_new(NULL);
	static struct decoded got;
	size_t len, total;
	struct packet p;

	ike_sample(3, msg, &len);
	total = udp(datagram, 500, false, msg, len);
	for (uint16_t id = 0; id < 1000; id++) {
		p = ipv4(false, id, 0, true, datagram, 104);
		assert_int_equal(feed(decode, &p, &got), 0);
	}
	p = ipv4(false, 999, 104, false, datagram + 104, total - 104);
	assert_int_equal(feed(decode, &p, &got), 1);
	p = ipv4(false, 0, 104, false, datagram + 104, total - 104);
	assert_int_equal(feed(decode, &p, &got), 0);
	decode_free(decode);
}

static void port_4500_carries_ike_behind_the_marker_only(void **state)
{
	uint8_t msg[IKE_SAMPLE_MAX], datagram[IKE_SAMPLE_MAX + 12];
	struct decode *decode = decode_new(NULL);
	static struct decoded got;
	size_t len, total;
	struct packet p;

	ike_sample(0, msg, &len);
	total = udp(datagram, 4500, true, msg, len);
	p = ipv4(false, 1, 0, false, datagram, total);
	assert_int_equal(feed(decode, &p, &got), 1);
	assert_true(got.marker);
	assert_null(got.problem);
	/* Without it the first four bytes are an SPI. */
	total = udp(datagram, 4500, false, msg, len);
	p = ipv4(false, 1, 0, false, datagram, total);
	assert_int_equal(feed(decode, &p, &got), 0);
	/* NAT keepalive, and a port that is neither. */
	total = udp(datagram, 4500, false, "\xff", 1);
	p = ipv4(false, 1, 0, false, datagram, total);
	assert_int_equal(feed(decode, &p, &got), 0);
	total = udp(datagram, 53, false, msg, len);
	p = ipv4(false, 1, 0, false, datagram, total);
	assert_int_equal(feed(decode, &p, &got), 0);
	decode_free(decode);
}

static int load(const char *text, struct decode_keys *keys, struct diag *diag)
{
	char path[] = "/tmp/xipsec-keys-XXXXXX";
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	rc = decode_keys_load(path, keys, diag);
	unlink(path);
	return rc;
}

static void key_files_are_read_and_their_faults_named(void **state)
{
	static const char good[] = "# a comment\n\n"
				   "1111111111111111,00112233\n"
				   "0102030405060708,1112131415161718,aa,bb,\"3DES, really\",cc,dd,"
				   "\"HMAC_SHA1_96\"\n";
	static const struct {
		const char *line, *why;
	} bad[] = {
		{"1111,00", "the initiator cookie must be 16 hex digits"},
		{"1111111111111111,", "the key must be hex digits"},
		{"1111111111111111,0g", "the key must be hex digits"},
		{"1111111111111111,000", "the key must be hex digits"},
		{"1111111111111111", "a line has 2 fields for IKEv1 or 8 for IKEv2"},
		{"1111111111111111,2222222222222222,aa,bbbb,x,,,y",
		 "SK_ei and SK_er must be hex digits of one length"},
		{"1111111111111111,2222,aa,bb,x,,,y", "an SPI must be 16 hex digits"},
		{"a,b,c,d,e,f,g,h,i", "a line has 2 fields for IKEv1 or 8 for IKEv2"},
	};
	struct decode_keys keys = {0};
	struct diag diag = {0};

	assert_int_equal(load(good, &keys, &diag), 0);
	assert_int_equal(keys.count, 2);
	assert_int_equal(keys.key[0].major, 1);
	assert_int_equal(keys.key[0].e_len, 4);
	assert_int_equal(keys.key[1].major, 2);
	assert_string_equal(keys.key[1].cipher, "3DES, really");
	assert_int_equal(keys.key[1].ar[0], 0xdd);
	decode_keys_free(&keys);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[256];

		snprintf(text, sizeof(text), "# first\n%s\n", bad[i].line);
		assert_int_equal(load(text, &keys, &diag), -EINVAL);
		assert_string_equal(diag.entries[0].text, bad[i].why);
		assert_int_equal(diag.entries[0].line, 2);
		diag_free(&diag);
		decode_keys_free(&keys);
	}
	assert_int_equal(decode_keys_load("/nonexistent", &keys, &diag), -ENOENT);
}

/* ------------------------------------------------------------------ an exchange */

struct exchange {
	struct decode *decode;
	struct ikev1_keys keys;
	uint8_t iv[CRYPTO_BLOCK_MAX];
};

/* Sends a message, encrypted if iv is given, and decodes it. */
static void send_msg(struct exchange *x, bool back, uint8_t *msg, size_t len, uint8_t *iv,
		     struct decoded *ret)
{
	uint8_t datagram[IKE_SAMPLE_MAX + 64];
	struct packet p;
	size_t total;

	if (iv) {
		size_t over = (len - WIRE_HEADER_LEN) % 16, pad = over ? 16 - over : 0;

		memset(msg + len, 0, pad);
		len += pad;
		msg[19] = IKE_FLAG1_ENCRYPTED;
		msg[26] = (uint8_t)(len >> 8);
		msg[27] = (uint8_t)len;
		assert_int_equal(crypto_cbc_encrypt(x->keys.cipher, x->keys.cipher_key, iv,
						    msg + WIRE_HEADER_LEN, len - WIRE_HEADER_LEN,
						    msg + WIRE_HEADER_LEN),
				 0);
	}
	total = udp(datagram, 500, false, msg, len);
	p = ipv4(back, 1, 0, false, datagram, total);
	assert_int_equal(feed(x->decode, &p, ret), 1);
}

static void count_line(void *arg, const char *line)
{
	(*(unsigned *)arg)++;
}

/* Main mode and quick mode as two peers send them, decrypted from the cookie and the key alone. */
static void an_exchange_of_our_own_decrypts(void **state)
{
	uint8_t msg[IKE_SAMPLE_MAX + 16], gxi[256], gxr[256], skeyid[CRYPTO_DIGEST_MAX] = {5};
	struct wire_transform1 *t = calloc(1, sizeof(*t));
	struct ike_header hdr = {.major = 1, .exchange = IKE_EXCHANGE_MAIN};
	struct exchange x = {0};
	struct decode_keys keys = {0};
	static struct decoded got;
	char line[256] = "1111111111111111,";
	struct diag diag = {0};
	struct wire_buf wb;
	unsigned lines = 0;
	uint8_t qm_iv[16];
	size_t len;

	assert_int_equal(ikev1_keys_derive(XI_INTEG_SHA256, XI_CIPHER_AES256_CBC, skeyid, "gxy", 3,
					   skeyid, skeyid, &x.keys),
			 0);
	for (size_t i = 0; i < 32; i++)
		sprintf(line + strlen(line), "%02x", x.keys.cipher_key[i]);
	assert_int_equal(load(line, &keys, &diag), 0);
	x.decode = decode_new(&keys);

	/* 1 and 2: the offer, and the choice of its first transform. */
	ike_sample(0, msg, &len);
	memset(msg + 8, 0, 8);
	send_msg(&x, false, msg, len, NULL, &got);
	wire_transform1_set(t, XI_CIPHER_AES256_CBC, XI_INTEG_SHA256, XI_GROUP_MODP2048,
			    IKE_AUTH1_PSK, 28800);
	memset(hdr.cookie_i, 0x11, 8);
	memset(hdr.cookie_r, 0x22, 8);
	wire_buf_init(&wb, msg, sizeof(msg));
	wire_msg_begin(&wb, &hdr);
	wire_put_sa_p1(&wb, t, 1);
	assert_int_equal(wire_msg_end(&wb), 0);
	send_msg(&x, true, msg, wb.len, NULL, &got);

	/* 3 and 4: public values; the second differs in its first byte. */
	ike_sample(1, msg, &len);
	memcpy(gxi, msg + WIRE_HEADER_LEN + 4, 256);
	send_msg(&x, false, msg, len, NULL, &got);
	msg[WIRE_HEADER_LEN + 4] ^= 0xff;
	memcpy(gxr, msg + WIRE_HEADER_LEN + 4, 256);
	send_msg(&x, true, msg, len, NULL, &got);

	/* 5: the first encrypted one. */
	assert_int_equal(ikev1_phase1_iv(XI_INTEG_SHA256, x.keys.cipher, gxi, gxr, 256, x.iv), 0);
	ike_sample(2, msg, &len);
	send_msg(&x, false, msg, len, x.iv, &got);
	assert_true(got.decrypted);
	assert_null(got.problem);
	assert_int_equal(got.type_count, 3);
	decode_details(&got, count_line, &lines);
	assert_int_equal(lines, 2); /* identity and notify */

	/* Quick mode, with an IV from the last block of phase 1. */
	assert_int_equal(ikev1_phase2_iv(XI_INTEG_SHA256, x.keys.cipher, x.iv, 0x01020304, qm_iv),
			 0);
	ike_sample(5, msg, &len);
	send_msg(&x, false, msg, len, qm_iv, &got);
	assert_true(got.decrypted);
	assert_null(got.problem);
	assert_int_equal(got.types[0], IKE_PAYLOAD_HASH);
	assert_int_equal(got.types[got.type_count - 1], IKE_PAYLOAD_NATOA);

	decode_free(x.decode);
	decode_keys_free(&keys);
	ikev1_keys_clear(&x.keys);
	free(t);
}

/* XI_WRITE_SEEDS=folder: every sample in one capture, and each in its own. */
static void write_seeds(const char *folder)
{
	static const uint8_t head[24] = {0xd4, 0xc3, 0xb2,	  0xa1, 2,
					 0,    4,    [16] = 0xff, 0xff, [20] = RAW_IP};
	uint8_t msg[IKE_SAMPLE_MAX], datagram[IKE_SAMPLE_MAX + 8];
	const char *name;
	char path[512];
	size_t len;

	for (unsigned n = 0; (name = ike_sample(n, msg, &len)); n++) {
		struct packet p = ipv4(false, 1, 0, false, datagram,
				       udp(datagram, 500, false, msg, len));
		uint8_t record[16] = {[8] = (uint8_t)p.len,
				      (uint8_t)(p.len >> 8),
				      [12] = (uint8_t)p.len,
				      (uint8_t)(p.len >> 8)};
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", folder, name);
		file = fopen(path, "wb");
		if (!file || !fwrite(head, 24, 1, file) || !fwrite(record, 16, 1, file) ||
		    !fwrite(p.b, p.len, 1, file) || fclose(file))
			perror(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_in_fragments_is_joined_in_any_order),
		cmocka_unit_test(overlapping_fragments_are_refused),
		cmocka_unit_test(unfinished_datagrams_give_way_to_new_ones),
		cmocka_unit_test(port_4500_carries_ike_behind_the_marker_only),
		cmocka_unit_test(key_files_are_read_and_their_faults_named),
		cmocka_unit_test(an_exchange_of_our_own_decrypts),
	};

	if (getenv("XI_WRITE_SEEDS"))
		write_seeds(getenv("XI_WRITE_SEEDS"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
