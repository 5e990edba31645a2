/* SPDX-License-Identifier: BSD-2-Clause */
/* IKEv1 proposals: written and read back, judged transform by transform, told in words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ike/wire/msg.h"
#include "ike/wire/sa1.h"
#include "tests/lib/data.h"

static uint8_t mem[8192];
static struct wire_sa_p1 p1;
static struct wire_sa_p2 p2;
static char text[128];

static void begin(struct wire_buf *wb)
{
	const struct ike_header hdr = {.major = 1};

	wire_buf_init(wb, mem, sizeof(mem));
	wire_msg_begin(wb, &hdr);
}

static struct wire_slice written(const struct wire_buf *wb)
{
	assert_false(wb->overflow);
	return (struct wire_slice){wb->p + WIRE_HEADER_LEN + 4, wb->len - WIRE_HEADER_LEN - 4};
}

/*
 * An SA body around transforms in hex, each given from its number on (number,
 * id, two reserved bytes, attributes).
 */
static struct wire_slice sa_of(uint8_t protocol, const char *spi, const char *const *transforms,
			       unsigned count)
{
	static uint8_t body[8192];
	size_t at = 8 + 8, proposal = 8;

	memcpy(body, "\0\0\0\1\0\0\0\1", 8);
	memset(body + 8, 0, 8);
	body[12] = 1;
	body[13] = protocol;
	body[14] = (uint8_t)data_hex(spi, body + at, 16);
	body[15] = (uint8_t)count;
	at += body[14];
	for (unsigned i = 0; i < count; i++) {
		size_t len = 4 + data_hex(transforms[i], body + at + 4, sizeof(body) - at - 4);

		body[at] = i + 1 < count ? IKE_PAYLOAD_TRANSFORM : 0;
		body[at + 1] = 0;
		body[at + 2] = (uint8_t)(len >> 8);
		body[at + 3] = (uint8_t)len;
		at += len;
	}
	body[10] = (uint8_t)((at - proposal) >> 8);
	body[11] = (uint8_t)(at - proposal);
	return (struct wire_slice){body, at};
}

static const struct wire_transform1 *one_p1(const char *transform)
{
	assert_int_equal(wire_sa_p1_parse(sa_of(IKE_PROTO1_ISAKMP, "", &transform, 1), &p1, NULL),
			 0);
	assert_int_equal(p1.count, 1);
	return &p1.transform[0];
}

static const struct wire_transform2 *one_p2(uint8_t protocol, const char *transform)
{
	assert_int_equal(wire_sa_p2_parse(sa_of(protocol, "c0ffee01", &transform, 1), &p2, NULL),
			 0);
	assert_int_equal(p2.count, 1);
	return &p2.transform[0];
}

#define AES256	 "80010007800e0100"
#define SHA256	 "80020004"
#define PSK	 "80030001"
#define MODP2048 "8004000e"
#define HEAD	 "01010000" /* number 1, KEY_IKE */

static void every_main_mode_method_survives_the_wire(void **state)
{
	unsigned count = 0;
	struct wire_buf wb;

	for (int c = 0; c < XI_CIPHER_MAX; c++) {
		for (int h = 0; h < XI_INTEG_MAX; h++) {
			for (int g = 0; g < XI_GROUP_MAX; g++) {
				struct wire_transform1 t;

				wire_transform1_set(&t, (enum xi_cipher)c, (enum xi_integ)h,
						    (enum xi_group)g, IKE_AUTH1_PSK, 86400);
				if (t.problem)
					continue; /* not a phase 1 algorithm */
				begin(&wb);
				wire_put_sa_p1(&wb, &t, 1);
				assert_int_equal(wire_sa_p1_parse(written(&wb), &p1, NULL), 0);
				assert_int_equal(p1.count, 1);
				assert_null(p1.transform[0].problem);
				assert_int_equal(p1.transform[0].xi_cipher, c);
				assert_int_equal(p1.transform[0].xi_hash, h);
				assert_int_equal(p1.transform[0].xi_group, g);
				assert_int_equal(p1.transform[0].life_s, 86400);
				assert_true(wire_transform1_same(&t, &p1.transform[0]));
				count++;
			}
		}
	}
	assert_int_equal(count, 4 * 4 * 5);
}

static void the_order_of_preference_is_kept_and_the_choice_echoed(void **state)
{
	struct wire_transform1 offer[2], chosen;
	struct wire_buf wb;

	wire_transform1_set(&offer[0], XI_CIPHER_AES256_CBC, XI_INTEG_SHA256, XI_GROUP_MODP2048,
			    IKE_AUTH1_PSK, 28800);
	wire_transform1_set(&offer[1], XI_CIPHER_TDES_CBC, XI_INTEG_SHA1, XI_GROUP_MODP1024,
			    IKE_AUTH1_PSK, 100000);
	begin(&wb);
	wire_put_sa_p1(&wb, offer, 2);
	assert_int_equal(wire_sa_p1_parse(written(&wb), &p1, NULL), 0);
	assert_int_equal(p1.count, 2);
	assert_int_equal(p1.proposals, 1);
	assert_int_equal(p1.transform[1].number, 2);
	chosen = p1.transform[1];

	/* The answer holds the second transform alone, byte for byte but for "last". */
	static uint8_t answer[512];
	wire_buf_init(&wb, answer, sizeof(answer));
	wire_msg_begin(&wb, &(struct ike_header){.major = 1});
	wire_put_sa_p1_chosen(&wb, &chosen);
	assert_int_equal(wire_sa_p1_parse(written(&wb), &p1, NULL), 0);
	assert_int_equal(p1.count, 1);
	assert_int_equal(p1.transform[0].number, 2);
	assert_int_equal(p1.transform[0].life_s, 100000);
	assert_true(wire_transform1_same(&p1.transform[0], &offer[1]));
	assert_false(wire_transform1_same(&p1.transform[0], &offer[0]));
	assert_int_equal(p1.transform[0].whole.len, chosen.whole.len);
	assert_memory_equal(p1.transform[0].whole.p + 1, chosen.whole.p + 1, chosen.whole.len - 1);
}

static void lifetimes_come_short_or_long(void **state)
{
	assert_int_equal(one_p1(HEAD AES256 SHA256 PSK MODP2048 "800b0001800c7080")->life_s, 28800);
	assert_int_equal(one_p1(HEAD AES256 SHA256 PSK MODP2048 "800b0001000c000400015180")->life_s,
			 86400);
	/* Both kinds, and more than 32 bits. */
	one_p1(HEAD AES256 SHA256 PSK MODP2048 "800b0001800c7080800b0002000c00080000000100000000");
	assert_null(p1.transform[0].problem);
	assert_int_equal(p1.transform[0].life_s, 28800);
	assert_int_equal(p1.transform[0].life_kb, UINT32_MAX);
	/* No lifetime at all is fine. */
	assert_null(one_p1(HEAD AES256 SHA256 PSK MODP2048)->problem);
	assert_int_equal(p1.transform[0].life_s, 0);
}

static void transforms_that_cannot_be_followed_say_why(void **state)
{
	static const struct {
		const char *attributes, *why;
	} cases[] = {
		{HEAD "80010001" SHA256 PSK MODP2048, "a cipher that is not supported"},
		{HEAD "80010007" SHA256 PSK MODP2048, "AES without a key length"},
		{HEAD "80010007800e0140" SHA256 PSK MODP2048, "a cipher that is not supported"},
		{HEAD "80010005800e00c0" SHA256 PSK MODP2048, "a cipher that is not supported"},
		{HEAD AES256 "80020001" PSK MODP2048, "a hash that is not supported"},
		{HEAD AES256 SHA256 PSK "80040001", "a group that is not supported"},
		{HEAD AES256 SHA256 PSK, "cipher, hash, authentication or group is missing"},
		{HEAD AES256 SHA256 PSK MODP2048 MODP2048, "the same attribute twice"},
		{HEAD AES256 SHA256 PSK MODP2048 "800d0001", "a prf that is not supported"},
		{HEAD AES256 SHA256 PSK MODP2048 "80630001", "an unknown attribute"},
		{HEAD AES256 SHA256 PSK MODP2048 "800c7080", "a life duration without a life type"},
		{HEAD AES256 SHA256 PSK MODP2048 "800b0003800c7080",
		 "a life duration without a life type"},
		{HEAD AES256 SHA256 PSK MODP2048 "800b0001", "a life type without a duration"},
		{HEAD AES256 SHA256 PSK MODP2048 "800b0001800c0000", "an impossible lifetime"},
		{HEAD AES256 SHA256 PSK MODP2048 "800b0001000c0000", "an impossible lifetime"},
		{HEAD AES256 SHA256 PSK MODP2048 "800b0001800c0001800b0001800c0002",
		 "the same lifetime twice"},
		{HEAD AES256 SHA256 PSK "0004000400000002", "a basic attribute in variable form"},
		{"01020000" AES256 SHA256 PSK MODP2048, "an unknown transform"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct wire_transform1 *t = one_p1(cases[i].attributes);

		assert_non_null(t->problem);
		assert_string_equal(t->problem, cases[i].why);
	}
	assert_int_equal(one_p1(HEAD AES256 SHA256 PSK MODP2048 "80630001")->first_unknown, 99);
}

static void the_gss_identity_is_kept(void **state)
{
	const struct wire_transform1 *t = one_p1(HEAD AES256 SHA256 "8003fde9" MODP2048
								    "400000026100");

	assert_null(t->problem);
	assert_int_equal(t->auth, IKE_AUTH1_GSS_OR_XAUTH);
	assert_int_equal(t->gss_id.len, 2);
	assert_int_equal(t->gss_id.p[0], 'a');
}

static void broken_structure_is_refused(void **state)
{
	static const char good[] = "0000000100000001"
				   "0000002c01010001"
				   "0000002401010000"
				   "8001000780020002800300018004000e800e0100800b0001800c7080";
	static const struct {
		size_t at; /* byte to change */
		uint8_t value;
		const char *why;
	} cases[] = {
		{8, 2, "the last proposal or transform is not marked so"},
		{8, 3, "a proposal or transform of an impossible type"},
		{11, 0x2d, "a proposal or transform runs past the end"},
		{11, 0x2b, "the last proposal or transform is not marked so"},
		{11, 7, "a proposal or transform is shorter than its header"},
		{14, 17, "an SPI longer than 16 bytes"},
		{15, 2, "the number of transforms is not as announced"},
		{15, 0, "a proposal without a transform"},
		{19, 0x25, "a proposal or transform runs past the end"},
		{19, 0x04, "a proposal or transform is shorter than its header"},
		{16, 3, "the last proposal or transform is not marked so"},
		{13, 3, "a phase 1 proposal that is not ISAKMP"},
		/* The first attribute turned variable claims 7 bytes and shifts the rest. */
		{24, 0x00, "an attribute runs past the end"},
	};
	uint8_t body[64];
	size_t len = data_hex(good, body, sizeof(body));
	struct wire_error err;

	assert_int_equal(wire_sa_p1_parse((struct wire_slice){body, len}, &p1, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		data_hex(good, body, sizeof(body));
		body[cases[i].at] = cases[i].value;
		if (cases[i].at == 24)
			body[26] = 0xff;
		err.why = "nothing";
		assert_int_equal(wire_sa_p1_parse((struct wire_slice){body, len}, &p1, &err),
				 -EBADMSG);
		assert_string_equal(err.why, cases[i].why);
	}
	for (size_t cut = 0; cut < len; cut++) {
		data_hex(good, body, sizeof(body));
		assert_int_equal(wire_sa_p1_parse((struct wire_slice){body, cut}, &p1, NULL),
				 -EBADMSG);
	}
}

static void another_doi_or_situation_is_reported_without_proposals(void **state)
{
	uint8_t body[12] = {0, 0, 0, 2, 0, 0, 0, 1, 9, 9, 9, 9};

	assert_int_equal(wire_sa_p1_parse((struct wire_slice){body, 12}, &p1, NULL), 0);
	assert_int_equal(p1.doi, 2);
	assert_int_equal(p1.count, 0);
	body[3] = 1;
	body[7] = 3;
	assert_int_equal(wire_sa_p2_parse((struct wire_slice){body, 12}, &p2, NULL), 0);
	assert_int_equal(p2.situation, 3);
	assert_int_equal(p2.count, 0);
}

static void the_caps_hold(void **state)
{
	const char *many[WIRE_TRANSFORMS_MAX + 1];
	char attributes[8 + (WIRE_ATTRS_MAX + 1) * 8 + 1] = HEAD;
	const char *one = attributes;

	for (unsigned i = 0; i <= WIRE_TRANSFORMS_MAX; i++)
		many[i] = HEAD AES256 SHA256 PSK MODP2048;
	assert_int_equal(wire_sa_p1_parse(sa_of(1, "", many, WIRE_TRANSFORMS_MAX), &p1, NULL), 0);
	assert_int_equal(p1.count, WIRE_TRANSFORMS_MAX);
	assert_int_equal(wire_sa_p1_parse(sa_of(1, "", many, WIRE_TRANSFORMS_MAX + 1), &p1, NULL),
			 -EBADMSG);
	for (unsigned i = 0; i < WIRE_ATTRS_MAX; i++)
		strcat(attributes, "80630000");
	assert_int_equal(wire_sa_p1_parse(sa_of(1, "", &one, 1), &p1, NULL), 0);
	strcat(attributes, "80630000");
	assert_int_equal(wire_sa_p1_parse(sa_of(1, "", &one, 1), &p1, NULL), -EBADMSG);
}

static void every_esp_suite_survives_the_wire(void **state)
{
	struct wire_buf wb;
	unsigned count = 0;

	for (int c = 0; c < XI_CIPHER_MAX; c++) {
		for (int h = 0; h < XI_INTEG_MAX; h++) {
			bool aead = xi_cipher_info((enum xi_cipher)c)->tag_len;
			struct wire_transform2 t;

			if (aead ? h != XI_INTEG_NONE : h == XI_INTEG_NONE)
				continue;
			wire_transform2_set(&t, (enum xi_cipher)c, (enum xi_integ)h,
					    XI_GROUP_MODP2048, IKE_ENCAP_TRANSPORT, 3600, 250000);
			begin(&wb);
			wire_put_sa_p2(&wb, 0xc0ffee01, &t, 1);
			assert_int_equal(wire_sa_p2_parse(written(&wb), &p2, NULL), 0);
			assert_int_equal(p2.proposals, 1);
			assert_int_equal(get_be32(p2.proposal[0].spi.p), 0xc0ffee01);
			assert_null(p2.transform[0].problem);
			assert_int_equal(p2.transform[0].xi_cipher, c);
			assert_int_equal(p2.transform[0].xi_integ, h);
			assert_int_equal(p2.transform[0].xi_group, XI_GROUP_MODP2048);
			assert_int_equal(p2.transform[0].life_s, 3600);
			assert_int_equal(p2.transform[0].life_kb, 250000);
			assert_true(wire_transform2_same(&t, &p2.transform[0]));
			count++;
		}
	}
	assert_int_equal(count, 2 + 5 * 4);
}

static void the_responder_answers_with_its_own_spi(void **state)
{
	/* Number 2: aes256-sha256, transport, 3600 s. */
	const char *transform = "020c0000"
				"8001000180020e10"
				"800400028005000580060100";
	static uint8_t answer[512];
	struct wire_buf wb;

	one_p2(IKE_PROTO1_ESP, transform);
	assert_null(p2.transform[0].problem);
	wire_buf_init(&wb, answer, sizeof(answer));
	wire_msg_begin(&wb, &(struct ike_header){.major = 1});
	wire_put_sa_p2_chosen(&wb, &p2.proposal[0], 0x01020304, &p2.transform[0]);
	assert_int_equal(wire_sa_p2_parse(written(&wb), &p2, NULL), 0);
	assert_int_equal(get_be32(p2.proposal[0].spi.p), 0x01020304);
	assert_int_equal(p2.proposal[0].number, 1);
	assert_int_equal(p2.transform[0].number, 2);
	assert_int_equal(p2.transform[0].xi_cipher, XI_CIPHER_AES256_CBC);
	assert_int_equal(p2.transform[0].encap, IKE_ENCAP_TRANSPORT);
}

static void phase_2_transforms_that_cannot_be_followed_say_why(void **state)
{
	static const struct {
		uint8_t protocol;
		const char *transform, *why;
	} cases[] = {
		{IKE_PROTO1_ESP,
		 "01020000"
		 "80050002",
		 "a cipher that is not supported"},
		{IKE_PROTO1_ESP,
		 "010c0000"
		 "80050002",
		 "AES without a key length"},
		{IKE_PROTO1_ESP,
		 "010c0000"
		 "8006008080050001",
		 "an authentication algorithm that is not supported"},
		{IKE_PROTO1_ESP,
		 "010c0000"
		 "800600808005000280030001",
		 "a group that is not supported"},
		{IKE_PROTO1_ESP, "010b0000", "neither encryption nor authentication"},
		{IKE_PROTO1_ESP,
		 "01140000"
		 "8006008080050002",
		 "an authentication algorithm beside an AEAD cipher"},
		{IKE_PROTO1_ESP,
		 "010c0000"
		 "800600808005000280040002"
		 "80040001",
		 "the same attribute twice"},
		{IKE_PROTO1_AH,
		 "01020000"
		 "80050005",
		 "an AH transform that contradicts its attribute"},
		{IKE_PROTO1_AH, "01020000", "AH without an authentication algorithm"},
		{IKE_PROTO1_IPCOMP, "01020000", "a protocol that is not supported"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct wire_transform2 *t = one_p2(cases[i].protocol, cases[i].transform);

		assert_non_null(t->problem);
		assert_string_equal(t->problem, cases[i].why);
	}
	assert_null(one_p2(IKE_PROTO1_AH, "01050000"
					  "80050005")
			    ->problem);
	assert_int_equal(p2.transform[0].xi_integ, XI_INTEG_SHA256);
	assert_true(one_p2(IKE_PROTO1_ESP, "010c0000"
					   "8006008080050002800b0001")
			    ->esn);
}

static void a_phase_2_spi_must_be_one(void **state)
{
	const char *transform = "010c0000"
				"8006008080050002";
	struct wire_error err;

	assert_int_equal(wire_sa_p2_parse(sa_of(IKE_PROTO1_ESP, "", &transform, 1), &p2, &err),
			 -EBADMSG);
	assert_string_equal(err.why, "an ESP or AH proposal without a 4-byte SPI");
	assert_int_equal(
		wire_sa_p2_parse(sa_of(IKE_PROTO1_ESP, "000000ff", &transform, 1), &p2, &err),
		-EBADMSG);
	assert_string_equal(err.why, "a reserved SPI");
	assert_int_equal(
		wire_sa_p2_parse(sa_of(IKE_PROTO1_ESP, "00000100", &transform, 1), &p2, &err), 0);
}

/* AH and ESP under one number are one proposal; the next number is an alternative. */
static void bundles_are_and_alternatives_are_or(void **state)
{
	static const char body[] = "0000000100000001"
				   "020000180102040100000200"
				   "0000000c010200008005"
				   "0002"
				   "0200001c01030401"
				   "00000201"
				   "00000010010c00008006008080050002"
				   "0000001c02030401"
				   "00000202"
				   "00000010010c00008006010080050005";
	uint8_t bytes[128];
	size_t len = data_hex(body, bytes, sizeof(bytes));

	assert_int_equal(wire_sa_p2_parse((struct wire_slice){bytes, len}, &p2, NULL), 0);
	assert_int_equal(p2.proposals, 3);
	assert_int_equal(wire_sa_p2_bundle(&p2, 0), 2);
	assert_int_equal(wire_sa_p2_bundle(&p2, 2), 1);
	assert_int_equal(p2.transform[p2.proposal[2].first].xi_integ, XI_INTEG_SHA256);
	assert_int_equal(p2.proposal[0].protocol, IKE_PROTO1_AH);
}

static void transforms_are_told_in_words(void **state)
{
	struct wire_transform2 t;

	assert_string_equal(
		wire_transform1_text(one_p1(HEAD AES256 SHA256 PSK MODP2048 "800b0001800c7080"),
				     text, sizeof(text)),
		"aes256-sha256-modp2048, psk, 28800 s");
	assert_string_equal(wire_transform1_text(one_p1(HEAD "80010001800200018003000380040001"),
						 text, sizeof(text)),
			    "des-md5-modp768, rsa-sig");
	assert_string_equal(wire_transform1_text(one_p1(HEAD "8001006380020063" PSK MODP2048), text,
						 sizeof(text)),
			    "(99)-(99)-modp2048, psk");
	wire_transform2_set(&t, XI_CIPHER_AES256_CBC, XI_INTEG_SHA256, XI_GROUP_MODP2048,
			    IKE_ENCAP_TRANSPORT, 3600, 100000);
	assert_string_equal(wire_transform2_text(&t, text, sizeof(text)),
			    "esp aes256-sha256, transport, pfs modp2048, 3600 s, 100000 kB");
	wire_transform2_set(&t, XI_CIPHER_AES128_GCM16, XI_INTEG_NONE, XI_GROUP_NONE,
			    IKE_ENCAP_TUNNEL, 0, 0);
	assert_string_equal(wire_transform2_text(&t, text, sizeof(text)),
			    "esp aes128gcm16, tunnel");
	assert_string_equal(wire_transform2_text(one_p2(IKE_PROTO1_ESP, "01070000"
									"8006008080050001"),
						 text, sizeof(text)),
			    "esp blowfish128-md5");
	assert_string_equal(wire_transform2_text(one_p2(IKE_PROTO1_AH, "01020000"
								       "80050002"),
						 text, sizeof(text)),
			    "ah sha1");
	assert_string_equal(wire_transform2_text(&t, text, 9), "esp aes1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_main_mode_method_survives_the_wire),
		cmocka_unit_test(the_order_of_preference_is_kept_and_the_choice_echoed),
		cmocka_unit_test(lifetimes_come_short_or_long),
		cmocka_unit_test(transforms_that_cannot_be_followed_say_why),
		cmocka_unit_test(the_gss_identity_is_kept),
		cmocka_unit_test(broken_structure_is_refused),
		cmocka_unit_test(another_doi_or_situation_is_reported_without_proposals),
		cmocka_unit_test(the_caps_hold),
		cmocka_unit_test(every_esp_suite_survives_the_wire),
		cmocka_unit_test(the_responder_answers_with_its_own_spi),
		cmocka_unit_test(phase_2_transforms_that_cannot_be_followed_say_why),
		cmocka_unit_test(a_phase_2_spi_must_be_one),
		cmocka_unit_test(bundles_are_and_alternatives_are_or),
		cmocka_unit_test(transforms_are_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
