/* SPDX-License-Identifier: BSD-2-Clause */
/* See ike_samples.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/wire/msg.h"
#include "ike/wire/payload.h"
#include "ike/wire/sa1.h"
#include "tests/lib/ike_samples.h"

static uint8_t filler[512]; /* bytes that count up stand for keys, nonces and hashes */

static void put_vendor(struct wire_buf *wb, enum ike_vendor vendor)
{
	uint8_t bytes[IKE_VENDOR_BYTES];

	wire_put_payload(wb, IKE_PAYLOAD_VID, bytes, ike_vendor_bytes(vendor, bytes));
}

static void main_mode_1(struct wire_buf *wb)
{
	struct wire_transform1 t[3];

	wire_transform1_set(&t[0], XI_CIPHER_AES256_CBC, XI_INTEG_SHA256, XI_GROUP_MODP2048,
			    IKE_AUTH1_PSK, 28800);
	wire_transform1_set(&t[1], XI_CIPHER_AES128_CBC, XI_INTEG_SHA1, XI_GROUP_MODP2048,
			    IKE_AUTH1_PSK, 86400);
	wire_transform1_set(&t[2], XI_CIPHER_TDES_CBC, XI_INTEG_SHA1, XI_GROUP_MODP1024,
			    IKE_AUTH1_RSA_SIG, 3600);
	wire_put_sa_p1(wb, t, 3);
	put_vendor(wb, IKE_VENDOR_NATT_RFC);
	put_vendor(wb, IKE_VENDOR_NATT_02N);
	put_vendor(wb, IKE_VENDOR_MS_ISAKMP);
}

static void main_mode_3(struct wire_buf *wb)
{
	wire_put_payload(wb, IKE_PAYLOAD_KE, filler, 256);
	wire_put_payload(wb, IKE_PAYLOAD_NONCE, filler, 20);
	wire_put_payload(wb, IKE_PAYLOAD_NATD, filler, 20);
	wire_put_payload(wb, IKE_PAYLOAD_NATD, filler + 20, 20);
}

static void main_mode_5(struct wire_buf *wb)
{
	wire_put_id1(wb, IKE_ID_FQDN, 0, 0, "west.example", 12);
	wire_put_payload(wb, IKE_PAYLOAD_HASH, filler, 32);
	wire_put_notify1(wb, IKE_PROTO1_ISAKMP, filler, 16, IKE_N1_INITIAL_CONTACT, NULL, 0);
}

static void main_mode_5_signed(struct wire_buf *wb)
{
	static const uint8_t request[] = {IKE_CERT_X509_SIG, 0x30, 0x03, 0x0c, 0x01, 0x41};

	wire_put_id1(wb, IKE_ID_DER_DN, 17, 500, filler, 40);
	wire_put_payload(wb, IKE_PAYLOAD_CERT, request, sizeof(request));
	wire_put_payload(wb, IKE_PAYLOAD_CERTREQ, request, sizeof(request));
	wire_put_payload(wb, IKE_PAYLOAD_SIG, filler, 256);
}

static void main_mode_3_kerberos(struct wire_buf *wb)
{
	wire_put_payload(wb, IKE_PAYLOAD_KE, filler, 128);
	wire_put_payload(wb, IKE_PAYLOAD_NONCE, filler, 20);
	wire_put_payload(wb, IKE_PAYLOAD_GSS, filler, 400);
}

static void quick_mode_1(struct wire_buf *wb)
{
	const struct xi_prefix net4 = {{.family = 4, .b = {10, 2}}, 16};
	const struct xi_prefix host6 = {{.family = 6, .b = {0x20, 1, 0xd, 0xb8, [15] = 1}}, 128};
	const struct xi_addr nat = {.family = 4, .b = {192, 0, 2, 1}};
	struct wire_transform2 t[3];

	wire_put_payload(wb, IKE_PAYLOAD_HASH, filler, 20);
	wire_transform2_set(&t[0], XI_CIPHER_AES128_GCM16, XI_INTEG_NONE, XI_GROUP_MODP2048,
			    IKE_ENCAP_TRANSPORT, 3600, 100000);
	wire_transform2_set(&t[1], XI_CIPHER_AES256_CBC, XI_INTEG_SHA256, XI_GROUP_MODP2048,
			    IKE_ENCAP_UDP_TRANSPORT, 3600, 0);
	wire_transform2_set(&t[2], XI_CIPHER_NULL, XI_INTEG_SHA1, XI_GROUP_MODP2048,
			    IKE_ENCAP_TUNNEL, 100000, 0);
	wire_put_sa_p2(wb, 0xc0ffee01, t, 3);
	wire_put_payload(wb, IKE_PAYLOAD_NONCE, filler, 32);
	wire_put_payload(wb, IKE_PAYLOAD_KE, filler, 256);
	wire_put_id1_prefix(wb, &net4, 6, 5432);
	wire_put_id1_prefix(wb, &host6, 17, 0);
	wire_put_natoa(wb, IKE_PAYLOAD_NATOA, &nat);
}

static void deletes(struct wire_buf *wb)
{
	wire_put_payload(wb, IKE_PAYLOAD_HASH, filler, 20);
	wire_put_delete1(wb, IKE_PROTO1_ESP, 4, filler, 3);
	wire_put_delete1(wb, IKE_PROTO1_ISAKMP, 16, filler, 1);
}

static void no_proposal(struct wire_buf *wb)
{
	wire_put_notify1(wb, IKE_PROTO1_ESP, filler, 4, IKE_N1_NO_PROPOSAL_CHOSEN, "why", 3);
}

static void configuration(struct wire_buf *wb)
{
	static const uint8_t request[] = {1, 0, 0, 7, 0x80, 1, 0, 0, 0, 2, 0, 4, 10, 0, 0, 1};

	wire_put_payload(wb, IKE_PAYLOAD_HASH, filler, 20);
	wire_put_payload(wb, IKE_PAYLOAD_ATTRIBUTES, request, sizeof(request));
}

static void fragment(struct wire_buf *wb)
{
	wire_put_payload(wb, IKE_PAYLOAD_FRAGMENT, (const uint8_t[]){0, 1, 1, 0, 9, 9, 9}, 7);
}

static const struct {
	const char *name;
	uint8_t exchange;
	void (*put)(struct wire_buf *wb);
} samples[] = {
	{"main-mode-1", IKE_EXCHANGE_MAIN, main_mode_1},
	{"main-mode-3", IKE_EXCHANGE_MAIN, main_mode_3},
	{"main-mode-5", IKE_EXCHANGE_MAIN, main_mode_5},
	{"main-mode-5-signed", IKE_EXCHANGE_MAIN, main_mode_5_signed},
	{"main-mode-3-kerberos", IKE_EXCHANGE_MAIN, main_mode_3_kerberos},
	{"quick-mode-1", IKE_EXCHANGE_QUICK, quick_mode_1},
	{"deletes", IKE_EXCHANGE_INFORMATIONAL, deletes},
	{"no-proposal-chosen", IKE_EXCHANGE_INFORMATIONAL, no_proposal},
	{"configuration", IKE_EXCHANGE_TRANSACTION, configuration},
	{"fragment", IKE_EXCHANGE_MAIN, fragment},
};

const char *ike_sample(unsigned n, uint8_t ret[IKE_SAMPLE_MAX], size_t *ret_len)
{
	struct ike_header hdr = {.major = 1};
	struct wire_buf wb;

	if (n >= sizeof(samples) / sizeof(*samples))
		return NULL;
	for (size_t i = 0; i < sizeof(filler); i++)
		filler[i] = (uint8_t)(i + 1);
	memset(hdr.cookie_i, 0x11, sizeof(hdr.cookie_i));
	memset(hdr.cookie_r, 0x22, sizeof(hdr.cookie_r));
	hdr.exchange = samples[n].exchange;
	hdr.message_id = hdr.exchange == IKE_EXCHANGE_MAIN ? 0 : 0x01020304;
	wire_buf_init(&wb, ret, IKE_SAMPLE_MAX);
	wire_msg_begin(&wb, &hdr);
	samples[n].put(&wb);
	if (wire_msg_end(&wb)) {
		fprintf(stderr, "sample %s does not fit\n", samples[n].name);
		abort();
	}
	*ret_len = wb.len;
	return samples[n].name;
}
