/* SPDX-License-Identifier: BSD-2-Clause */
/* Identities, notifies, deletes and the small payloads: meaning, limits, text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ike/wire/msg.h"
#include "ike/wire/payload.h"
#include "tests/lib/data.h"
#include "util/addr.h"

static uint8_t mem[8192];

static struct wire_slice hex(const char *text)
{
	static uint8_t bytes[8192];

	return (struct wire_slice){bytes, data_hex(text, bytes, sizeof(bytes))};
}

/* What a writer put, as the body of its payload. */
static struct wire_slice written(const struct wire_buf *wb)
{
	assert_false(wb->overflow);
	return (struct wire_slice){wb->p + WIRE_HEADER_LEN + 4, wb->len - WIRE_HEADER_LEN - 4};
}

static void begin(struct wire_buf *wb)
{
	const struct ike_header hdr = {.major = 1};

	wire_buf_init(wb, mem, sizeof(mem));
	wire_msg_begin(wb, &hdr);
}

static void prefixes_survive_the_id_payload(void **state)
{
	static const char *const texts[] = {"192.0.2.1",  "10.2.0.0/16", "0.0.0.0/0",
					    "10.0.0.0/9", "2001:db8::1", "2001:db8::/33",
					    "::/0"};
	char prefix_text[XI_PREFIX_STRLEN], id_text[WIRE_TEXT];
	struct xi_prefix prefix, back;
	struct wire_buf wb;
	struct wire_id id;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(xi_prefix_parse(texts[i], &prefix), 0);
		begin(&wb);
		wire_put_id1_prefix(&wb, &prefix, 6, 443);
		assert_int_equal(wire_id_parse(1, written(&wb), &id, NULL), 0);
		assert_int_equal(id.protocol, 6);
		assert_int_equal(id.port, 443);
		assert_int_equal(wire_id_prefix(&id, &back), 0);
		assert_string_equal(xi_prefix_text(&back, prefix_text), texts[i]);
		id.protocol = 0;
		id.port = 0;
		assert_string_equal(wire_id_text(&id, id_text), texts[i]);
	}
}

static int prefix_of(const char *body, const char **ret)
{
	static char text[XI_PREFIX_STRLEN];
	struct xi_prefix prefix;
	struct wire_id id;
	int rc;

	assert_int_equal(wire_id_parse(1, hex(body), &id, NULL), 0);
	rc = wire_id_prefix(&id, &prefix);
	*ret = rc ? NULL : xi_prefix_text(&prefix, text);
	return rc;
}

static void ranges_and_odd_masks_become_prefixes_where_they_are(void **state)
{
	const char *text;

	/* 192.0.2.0-192.0.2.255 is a /24 */
	assert_int_equal(prefix_of("07000000c0000200c00002ff", &text), 0);
	assert_string_equal(text, "192.0.2.0/24");
	/* 192.0.2.1-192.0.2.255 is none */
	assert_int_equal(prefix_of("07000000c0000201c00002ff", &text), -ERANGE);
	/* backwards */
	assert_int_equal(prefix_of("07000000c00002ffc0000200", &text), -ERANGE);
	/* 10.0.0.5 with mask 255.255.255.0: host bits mean nothing */
	assert_int_equal(prefix_of("040000000a000005ffffff00", &text), 0);
	assert_string_equal(text, "10.0.0.0/24");
	/* a mask with a hole */
	assert_int_equal(prefix_of("040000000a000000ff00ff00", &text), -ERANGE);
	/* not an address at all */
	assert_int_equal(prefix_of("0200000077657374", &text), -EINVAL);
}

static void identities_of_the_wrong_length_are_refused(void **state)
{
	static const char *const bodies[] = {
		"",
		"010000",		/* no room for the header */
		"01000000",		/* an address without one */
		"01000000c00002",	/* 3 bytes of 4 */
		"01000000c000020100",	/* 5 */
		"040000000a000000",	/* a subnet without its mask */
		"0500000020010db8",	/* IPv6, cut */
		"02000000",		/* an empty name */
		"02000000776573740061", /* a name with NUL inside */
		"030000006140620d",	/* user@... with CR */
	};
	struct wire_error err = {NULL, 0};
	struct wire_id id = {.type = 77};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		assert_int_equal(wire_id_parse(1, hex(bodies[i]), &id, &err), -EBADMSG);
		assert_int_equal(err.payload, IKE_PAYLOAD_ID);
	}
	assert_int_equal(id.type, 77);
}

static void identities_are_printed_safely(void **state)
{
	char text[WIRE_TEXT], again[WIRE_TEXT];
	struct wire_id id = {.type = IKE_ID_FQDN};
	uint8_t bytes[600];

	id.data = (struct wire_slice){(const uint8_t *)"we st\x9b[2J\\", 10};
	assert_string_equal(wire_id_text(&id, text), "we\\x20st\\x9b[2J\\x5c");
	id.type = IKE_ID_KEY_ID;
	id.port = 500;
	id.protocol = 17;
	id.data = (struct wire_slice){(const uint8_t *)"\x01\xff", 2};
	assert_string_equal(wire_id_text(&id, text), "key-id:01ff[proto 17 port 500]");
	id.type = 200;
	assert_string_equal(wire_id_text(&id, text), "(200):01ff[proto 17 port 500]");
	/* The longest name still ends inside the buffer. */
	memset(bytes, 0xff, sizeof(bytes));
	id.type = IKE_ID_FQDN;
	id.data = (struct wire_slice){bytes, sizeof(bytes)};
	memset(again, 'x', sizeof(again));
	assert_true(strlen(wire_id_text(&id, again)) < WIRE_TEXT);
}

static void notifies_are_read_as_written(void **state)
{
	struct wire_notify notify;
	struct wire_buf wb;
	char text[WIRE_TEXT];

	begin(&wb);
	wire_put_notify1(&wb, IKE_PROTO1_ESP, "\xc0\xff\xee\x01", 4, IKE_N1_NO_PROPOSAL_CHOSEN,
			 "abc", 3);
	assert_int_equal(wire_notify_parse(1, written(&wb), &notify, NULL), 0);
	assert_int_equal(notify.doi, IKE_DOI_IPSEC);
	assert_int_equal(notify.type, IKE_N1_NO_PROPOSAL_CHOSEN);
	assert_int_equal(notify.spi.len, 4);
	assert_int_equal(notify.data.len, 3);
	assert_memory_equal(notify.data.p, "abc", 3);
	assert_string_equal(wire_notify_text(1, &notify, text),
			    "NO-PROPOSAL-CHOSEN for esp spi c0ffee01");
	notify.type = 9101;
	notify.spi.len = 0;
	assert_string_equal(wire_notify_text(1, &notify, text), "(9101)");
}

static void a_notify_whose_spi_runs_out_is_refused(void **state)
{
	struct wire_notify notify;

	assert_int_equal(wire_notify_parse(1, hex("0000000103050000aabbccdd"), &notify, NULL),
			 -EBADMSG);
	assert_int_equal(wire_notify_parse(1, hex("0000000103040000aabbccdd"), &notify, NULL), 0);
	assert_int_equal(wire_notify_parse(1, hex("00000001030400"), &notify, NULL), -EBADMSG);
	assert_int_equal(wire_notify_parse(2, hex("03054002aabbccdd"), &notify, NULL), -EBADMSG);
	assert_int_equal(wire_notify_parse(2, hex("00004002"), &notify, NULL), 0);
	assert_int_equal(notify.type, IKE_N2_INITIAL_CONTACT + 2);
}

static void deletes_give_each_spi(void **state)
{
	struct wire_delete del;
	struct wire_buf wb;

	begin(&wb);
	wire_put_delete1(&wb, IKE_PROTO1_ESP, 4, "\0\0\1\0\0\0\1\1\0\0\1\2", 3);
	assert_int_equal(wire_delete_parse(1, written(&wb), &del, NULL), 0);
	assert_int_equal(del.protocol, IKE_PROTO1_ESP);
	assert_int_equal(del.count, 3);
	assert_int_equal(get_be32(wire_delete_spi(&del, 2).p), 0x102);
}

static void deletes_that_do_not_add_up_are_refused(void **state)
{
	static const char *const bodies[] = {
		"0000000103040002000001",     /* two announced, not even one there */
		"000000010304000100000100ff", /* bytes left over */
		"0000000103040000",	      /* none */
		"000000010300ffff",	      /* 65535 SPIs of no length */
		"0000000103110001000102030405060708090a0b0c0d0e0f10", /* 17 bytes long */
	};
	struct wire_delete del;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
		assert_int_equal(wire_delete_parse(1, hex(bodies[i]), &del, NULL), -EBADMSG);
	/* More SPIs than the cap, though each is there. */
	memset(mem, 1, sizeof(mem));
	memcpy(mem, "\0\0\0\1\3\4\4\1", 8);
	assert_int_equal(wire_delete_parse(1, (struct wire_slice){mem, 8 + 4 * 0x401}, &del, NULL),
			 -EBADMSG);
	/* Version 2 deletes its IKE SA without an SPI. */
	assert_int_equal(wire_delete_parse(2, hex("01000000"), &del, NULL), 0);
}

static void nonces_outside_the_limits_are_refused(void **state)
{
	const size_t sizes[] = {7, 8, 256, 257};

	for (size_t i = 0; i < 4; i++) {
		const struct wire_slice body = {mem, sizes[i]};

		assert_int_equal(wire_validate(1, IKE_PAYLOAD_NONCE, body, NULL),
				 sizes[i] == 8 || sizes[i] == 256 ? 0 : -EBADMSG);
	}
	assert_int_equal(wire_validate(2, IKE_PAYLOAD_V2_NONCE, (struct wire_slice){mem, 15}, NULL),
			 -EBADMSG);
}

static void payloads_of_the_other_version_are_unknown(void **state)
{
	const struct wire_slice body = {mem, 20};

	assert_int_equal(wire_validate(1, IKE_PAYLOAD_V2_NONCE, body, NULL), 1);
	assert_int_equal(wire_validate(2, IKE_PAYLOAD_NONCE, body, NULL), 1);
	/* Proposals live inside SA payloads only. */
	assert_int_equal(wire_validate(1, IKE_PAYLOAD_PROPOSAL, body, NULL), -EBADMSG);
}

/* Only the structure of version 2 is judged so far; every fault must show. */
static void version_2_payloads_are_bounded(void **state)
{
	static const struct {
		uint8_t type;
		const char *body;
		bool good;
	} cases[] = {
		/* One IPv4 selector, all ports, 192.0.2.0 - 192.0.2.255. */
		{IKE_PAYLOAD_V2_TSI,
		 "01000000"
		 "070000100000ffffc0000200c00002ff",
		 true},
		{IKE_PAYLOAD_V2_TSI,
		 "02000000"
		 "070000100000ffffc0000200c00002ff",
		 false},
		{IKE_PAYLOAD_V2_TSI,
		 "00000000"
		 "070000100000ffffc0000200c00002ff",
		 false},
		{IKE_PAYLOAD_V2_TSI,
		 "01000000"
		 "070000110000ffffc0000200c00002ff00",
		 false},
		{IKE_PAYLOAD_V2_TSI,
		 "01000000"
		 "080000100000ffffc0000200c00002ff",
		 false},
		/* A selector of an unknown type may be of any length that fits. */
		{IKE_PAYLOAD_V2_TSR,
		 "01000000"
		 "0900000aaaaaaaaaaaaa",
		 true},
		{IKE_PAYLOAD_V2_TSR,
		 "01000000"
		 "09000007aaaaaaaa",
		 false},
		{IKE_PAYLOAD_V2_TSR, "010000", false},
		/* EAP: code, identifier, length. */
		{IKE_PAYLOAD_V2_EAP, "01070004", true},
		{IKE_PAYLOAD_V2_EAP, "01070005", false},
		{IKE_PAYLOAD_V2_EAP, "0107000401", false},
		/* Configuration: the reserved bit of an attribute does not make it short. */
		{IKE_PAYLOAD_V2_CP,
		 "01000000"
		 "00010004c0000201"
		 "00030000",
		 true},
		{IKE_PAYLOAD_V2_CP,
		 "01000000"
		 "80010004c0000201",
		 true},
		{IKE_PAYLOAD_V2_CP,
		 "01000000"
		 "00010005c0000201",
		 false},
		{IKE_PAYLOAD_V2_CP,
		 "01000000"
		 "000100",
		 false},
		/* SA: one ESP proposal with one transform, its key length an attribute. */
		{IKE_PAYLOAD_V2_SA,
		 "0000001801030401c0ffee01"
		 "0000000c01000014800e0080",
		 true},
		{IKE_PAYLOAD_V2_SA,
		 "0000001801030402c0ffee01"
		 "0000000c01000014800e0080",
		 false},
		{IKE_PAYLOAD_V2_SA,
		 "0000001801030401c0ffee01"
		 "0000000d01000014800e0080",
		 false},
		{IKE_PAYLOAD_V2_SA,
		 "0200001801030401c0ffee01"
		 "0000000c01000014800e0080",
		 false},
		{IKE_PAYLOAD_V2_AUTH, "0200000001", true},
		{IKE_PAYLOAD_V2_AUTH, "02000000", false},
		{IKE_PAYLOAD_V2_SK, "", false},
		{IKE_PAYLOAD_V2_SKF, "00010001", false},
		{IKE_PAYLOAD_V2_SKF, "0001000100", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct wire_error err = {"accepted", 0};
		int rc = wire_validate(2, cases[i].type, hex(cases[i].body), &err);

		if (rc != (cases[i].good ? 0 : -EBADMSG))
			fail_msg("case %zu, type %u: %d, %s", i, cases[i].type, rc, err.why);
	}
}

static void small_payloads_have_their_form(void **state)
{
	const struct xi_addr v6 = {.family = 6, .b = {0x20, 1, [15] = 9}};
	struct wire_fragment fragment;
	struct xi_addr addr;
	struct wire_cert cert;
	struct wire_buf wb;
	struct wire_ke ke;

	begin(&wb);
	wire_put_natoa(&wb, IKE_PAYLOAD_NATOA, &v6);
	assert_int_equal(wire_natoa_parse(written(&wb), &addr, NULL), 0);
	assert_memory_equal(&addr, &v6, sizeof(v6));
	assert_int_equal(wire_natoa_parse(hex("0100000001020304ff"), &addr, NULL), -EBADMSG);
	assert_int_equal(wire_natoa_parse(hex("0200000001020304"), &addr, NULL), -EBADMSG);

	assert_int_equal(wire_fragment_parse(hex("00070201aabb"), &fragment, NULL), 0);
	assert_int_equal(fragment.id, 7);
	assert_int_equal(fragment.number, 2);
	assert_true(fragment.last);
	assert_int_equal(wire_fragment_parse(hex("00070001aabb"), &fragment, NULL), -EBADMSG);
	assert_int_equal(wire_fragment_parse(hex("00070101"), &fragment, NULL), -EBADMSG);

	assert_int_equal(wire_cert_parse(hex("0430"), &cert, NULL), 0);
	assert_int_equal(cert.encoding, IKE_CERT_X509_SIG);
	assert_int_equal(wire_cert_parse(hex(""), &cert, NULL), -EBADMSG);

	assert_int_equal(wire_ke_parse(2, hex("000e0000aa"), &ke, NULL), 0);
	assert_int_equal(ke.group, 14);
	assert_int_equal(wire_ke_parse(2, hex("000e0000"), &ke, NULL), -EBADMSG);
	assert_int_equal(wire_ke_parse(1, hex(""), &ke, NULL), -EBADMSG);
}

static void vendor_ids_are_known_by_name(void **state)
{
	enum ike_vendor vendor;
	struct wire_slice rest;

	assert_int_equal(ike_vendor_match(hex("4a131c81070358455c5728f20e95452f"), &vendor, &rest),
			 0);
	assert_int_equal(vendor, IKE_VENDOR_NATT_RFC);
	assert_int_equal(rest.len, 0);
	/* A version follows: 4 is Server 2003. */
	assert_int_equal(
		ike_vendor_match(hex("1e2b516905991c7d7c96fcbfb587e46100000004"), &vendor, &rest),
		0);
	assert_int_equal(vendor, IKE_VENDOR_MS_ISAKMP);
	assert_int_equal(get_be32(rest.p), 4);
	/* One byte too many where nothing may follow, one missing, and nothing. */
	assert_int_equal(ike_vendor_match(hex("4a131c81070358455c5728f20e95452f00"), &vendor, NULL),
			 -ENOENT);
	assert_int_equal(ike_vendor_match(hex("4a131c81070358455c5728f20e9545"), &vendor, NULL),
			 -ENOENT);
	assert_int_equal(ike_vendor_match(hex(""), &vendor, NULL), -ENOENT);
}

static void numbers_have_names(void **state)
{
	char text[IKE_NUMBER_TEXT];

	assert_string_equal(ike_payload_name(10), "NONCE");
	assert_string_equal(ike_exchange_name(32), "quick mode");
	assert_string_equal(ike_notify_name(1, 40004), "MS-DOS-COOKIE");
	assert_string_equal(ike_notify_name(2, 14), "NO_PROPOSAL_CHOSEN");
	assert_null(ike_payload_name(200));
	assert_string_equal(ike_name_or_number(ike_payload_name(200), 200, text), "(200)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_survive_the_id_payload),
		cmocka_unit_test(ranges_and_odd_masks_become_prefixes_where_they_are),
		cmocka_unit_test(identities_of_the_wrong_length_are_refused),
		cmocka_unit_test(identities_are_printed_safely),
		cmocka_unit_test(notifies_are_read_as_written),
		cmocka_unit_test(a_notify_whose_spi_runs_out_is_refused),
		cmocka_unit_test(deletes_give_each_spi),
		cmocka_unit_test(deletes_that_do_not_add_up_are_refused),
		cmocka_unit_test(nonces_outside_the_limits_are_refused),
		cmocka_unit_test(payloads_of_the_other_version_are_unknown),
		cmocka_unit_test(version_2_payloads_are_bounded),
		cmocka_unit_test(small_payloads_have_their_form),
		cmocka_unit_test(vendor_ids_are_known_by_name),
		cmocka_unit_test(numbers_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
