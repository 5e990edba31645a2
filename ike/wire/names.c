/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of IKE's numbers, made from the lists of names.h, and vendor ids. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ike/wire/names.h"

struct number_name {
	unsigned number;
	const char *text;
};

static const char *find(const struct number_name *list, size_t count, unsigned number)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].number == number)
			return list[i].text;
	return NULL;
}

#define IKE_X(NAME, number, text) {number, text},
#define NAMES(function, arg_type, LIST)                                                            \
	const char *function(arg_type number)                                                      \
	{                                                                                          \
		static const struct number_name list[] = {LIST(IKE_X)};                            \
                                                                                                   \
		return find(list, sizeof(list) / sizeof(*list), number);                           \
	}

NAMES(ike_payload_name, uint8_t, IKE_PAYLOADS)
NAMES(ike_exchange_name, uint8_t, IKE_EXCHANGES)
NAMES(ike_id_type_name, uint8_t, IKE_ID_TYPES)
NAMES(ike_protocol1_name, uint8_t, IKE_PROTOCOLS1)
NAMES(ike_attr_p1_name, uint16_t, IKE_ATTRS_P1)
NAMES(ike_attr_p2_name, uint16_t, IKE_ATTRS_P2)
NAMES(ike_auth1_name, uint16_t, IKE_AUTHS1)
NAMES(ike_cipher1_name, uint16_t, IKE_CIPHERS1)
NAMES(ike_hash1_name, uint16_t, IKE_HASHES1)
NAMES(ike_group_name, uint16_t, IKE_GROUP_NUMBERS)
NAMES(ike_esp_name, uint8_t, IKE_ESP_IDS)
NAMES(ike_auth_alg_name, uint16_t, IKE_AUTH_ALGS)
NAMES(ike_encap_name, uint16_t, IKE_ENCAPS)
NAMES(ike_cert_encoding_name, uint8_t, IKE_CERT_ENCODINGS)
static NAMES(notify1_name, uint16_t, IKE_NOTIFIES1) static NAMES(notify2_name, uint16_t,
								 IKE_NOTIFIES2)
#undef IKE_X

	const char *ike_notify_name(unsigned major, uint16_t type)
{
	return major == 1 ? notify1_name(type) : notify2_name(type);
}

const char *ike_name_or_number(const char *name, unsigned number, char buf[IKE_NUMBER_TEXT])
{
	if (name)
		snprintf(buf, IKE_NUMBER_TEXT, "%s", name);
	else
		snprintf(buf, IKE_NUMBER_TEXT, "(%u)", number);
	return buf;
}

static const struct {
	const char *text, *hex;
	bool prefix;
} vendors[] = {
#define IKE_X(NAME, text, hex, prefix) [IKE_VENDOR_##NAME] = {text, hex, prefix},
	IKE_VENDORS(IKE_X)
#undef IKE_X
};

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

size_t ike_vendor_bytes(enum ike_vendor vendor, uint8_t ret[IKE_VENDOR_BYTES])
{
	const char *hex = vendors[vendor].hex;
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++)
		ret[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	return len;
}

const char *ike_vendor_name(enum ike_vendor vendor)
{
	return vendors[vendor].text;
}

int ike_vendor_match(struct wire_slice body, enum ike_vendor *ret, struct wire_slice *ret_rest)
{
	uint8_t bytes[IKE_VENDOR_BYTES];

	for (int i = 0; i < IKE_VENDOR_MAX; i++) {
		size_t len = ike_vendor_bytes((enum ike_vendor)i, bytes);

		if (body.len < len || (!vendors[i].prefix && body.len != len))
			continue;
		if (memcmp(body.p, bytes, len))
			continue;
		*ret = (enum ike_vendor)i;
		if (ret_rest)
			*ret_rest = (struct wire_slice){body.p + len, body.len - len};
		return 0;
	}
	return -ENOENT;
}
