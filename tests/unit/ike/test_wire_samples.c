/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of real gateways against the words of the scanner that recorded
 * them, and our vendor ids against its table; both from the XI_DATA folder.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include <jansson.h>

#include "ike/wire/msg.h"
#include "ike/wire/payload.h"
#include "ike/wire/sa1.h"
#include "tests/lib/data.h"

/* The scanner's text of a message, as one string to search in. */
static char said[16384];

static void __attribute__((format(printf, 2, 3)))
expect_said(const char *file, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!strstr(said, text))
		fail_msg("%s: the scanner does not say \"%s\"", file, text);
}

static void check_transform(const char *file, struct wire_slice body)
{
	static struct wire_sa_p1 sa;
	const struct wire_transform1 *t = &sa.transform[0];

	assert_int_equal(wire_sa_p1_parse(body, &sa, NULL), 0);
	assert_int_equal(sa.count, 1);
	assert_null(t->problem);
	expect_said(file, "Enc=%s", t->xi_cipher == XI_CIPHER_TDES_CBC ? "3DES" : "AES");
	expect_said(file, "Hash=%s", t->xi_hash == XI_INTEG_SHA1 ? "SHA1" : "SHA2");
	expect_said(file, "Group=%u:%s", t->group, xi_group_info(t->xi_group)->name);
	expect_said(file, "Auth=%s", t->auth == IKE_AUTH1_PSK ? "PSK" : "RSA_Sig");
	/* It prints a TLV in hex. */
	if (strstr(said, "LifeDuration(4)"))
		expect_said(file, "LifeDuration(4)=0x%08x", t->life_s);
	else
		expect_said(file, "LifeDuration=%u", t->life_s);
}

static void check_payload(const char *file, unsigned major, const struct wire_payload *payload)
{
	struct wire_notify notify;
	char text[WIRE_TEXT], hex[512] = "";
	struct wire_id id;

	switch (payload->type) {
	case IKE_PAYLOAD_SA:
		check_transform(file, payload->body);
		break;
	case IKE_PAYLOAD_VID:
		for (size_t i = 0; i < payload->body.len && i < 250; i++)
			sprintf(hex + 2 * i, "%02x", payload->body.p[i]);
		expect_said(file, "VID=%s", hex);
		break;
	case IKE_PAYLOAD_KE:
	case IKE_PAYLOAD_V2_KE:
		/* The whole body: in version 2 that is the group too. */
		expect_said(file, "KeyExchange(%zu bytes)", payload->body.len);
		break;
	case IKE_PAYLOAD_NONCE:
	case IKE_PAYLOAD_V2_NONCE:
		expect_said(file, "Nonce(%zu bytes)", payload->body.len);
		break;
	case IKE_PAYLOAD_HASH:
		expect_said(file, "Hash(%zu bytes)", payload->body.len);
		break;
	case IKE_PAYLOAD_ID:
		assert_int_equal(wire_id_parse(major, payload->body, &id, NULL), 0);
		id.protocol = 0;
		id.port = 0;
		expect_said(file, "Value=%s)", wire_id_text(&id, text));
		break;
	case IKE_PAYLOAD_NOTIFY:
		assert_int_equal(wire_notify_parse(major, payload->body, &notify, NULL), 0);
		expect_said(file, "Notify message %u", notify.type);
		if (ike_notify_name(1, notify.type))
			expect_said(file, "(%s)", ike_notify_name(1, notify.type));
		break;
	}
}

static void gateway_answers_read_as_the_scanner_tells_them(void **state)
{
	unsigned run = 0, payloads = 0;
	json_t *json, *sample, *line;
	char **list;
	size_t count = data_list("vectors/ike-decode", ".json", &list), s, l;

	if (!count)
		data_skip("vectors/ike-decode");
	for (size_t f = 0; f < count; f++) {
		char *text = data_read(list[f], NULL);

		json = json_loads(text, 0, NULL);
		assert_non_null(json);
		json_array_foreach(json_object_get(json, "samples"), s, sample) {
			const char *file = json_string_value(json_object_get(sample, "file"));
			static uint8_t msg[4096];
			size_t len = data_hex(json_string_value(json_object_get(sample, "payload")),
					      msg, sizeof(msg));
			struct wire_chain chain;
			struct ike_header hdr;

			said[0] = '\0';
			json_array_foreach(json_object_get(sample, "decode"), l, line) {
				strncat(said, json_string_value(line),
					sizeof(said) - strlen(said) - 2);
				strcat(said, "\n");
			}
			assert_int_equal(wire_header_parse(msg, len, &hdr, NULL), 0);
			expect_said(file, "CKY-R=%016llx",
				    (unsigned long long)wire_cookie_number(hdr.cookie_r));
			assert_int_equal(
				wire_chain_parse(hdr.major, hdr.next_payload, msg + WIRE_HEADER_LEN,
						 len - WIRE_HEADER_LEN, WIRE_EXACT, &chain, NULL),
				0);
			for (unsigned i = 0; i < chain.count; i++, payloads++)
				check_payload(file, hdr.major, &chain.payload[i]);
			run++;
		}
		json_decref(json);
		free(text);
	}
	data_list_free(list, count);
	print_message("gateway answers: %u, payloads %u\n", run, payloads);
	assert_true(run > 0);
}

/* Lines "name TAB ^hex": does one of them begin with these bytes? */
static bool in_table(const char *table, const char *hex)
{
	size_t len = strlen(hex);

	for (const char *line = table; line; line = strchr(line, '\n')) {
		const char *pattern;

		line += *line == '\n';
		pattern = strchr(line, '\t');
		if (*line != '#' && pattern && pattern < line + strcspn(line, "\n") &&
		    !strncasecmp(pattern + 1 + (pattern[1] == '^'), hex, len))
			return true;
	}
	return false;
}

static void our_vendor_ids_are_those_of_the_scanners_table(void **state)
{
	char *table = data_read("vectors/vendor-ids/ike-vendor-ids", NULL);
	unsigned found = 0;

	if (!table)
		data_skip("vectors/vendor-ids");
	for (int v = 0; v < IKE_VENDOR_MAX; v++) {
		uint8_t bytes[IKE_VENDOR_BYTES];
		size_t len = ike_vendor_bytes((enum ike_vendor)v, bytes);
		char hex[2 * IKE_VENDOR_BYTES + 1] = "";

		for (size_t i = 0; i < len; i++)
			sprintf(hex + 2 * i, "%02x", bytes[i]);
		if (in_table(table, hex))
			found++;
		else
			fail_msg("%s (%s) is not in the table", ike_vendor_name((enum ike_vendor)v),
				 hex);
	}
	free(table);
	print_message("vendor ids: %u of %u in the table\n", found, IKE_VENDOR_MAX);
	assert_true(found > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gateway_answers_read_as_the_scanner_tells_them),
		cmocka_unit_test(our_vendor_ids_are_those_of_the_scanners_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
