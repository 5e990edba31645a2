/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One validator per payload type: bounds, counts and fixed lengths, nothing
 * that depends on state. What passes here can be interpreted without another
 * bounds check. A type without a validator is unknown and is never stored.
 */
#include "ike/wire/msg.h"
#include "ike/wire/payload.h"
#include "ike/wire/sub.h"

#define HASH_MAX     1024 /* the GSS-API method wraps the hash in a token */
#define NATD_MAX     64
#define NONCE2_MIN   16 /* RFC 7296 3.9 */
#define VID_MAX	     4096
#define CP_ATTRS_MAX 128

static int sized(struct wire_slice body, size_t min, size_t max, uint8_t type, const char *why,
		 struct wire_error *err)
{
	return body.len < min || body.len > max ? wire_bad(err, type, why) : 0;
}

/* The attribute payload of transaction exchanges: type, reserved, identifier, attributes. */
static int attributes_check(struct wire_slice body, uint8_t type, struct wire_error *err)
{
	if (body.len < 4)
		return wire_bad(err, type, "a configuration payload is cut short");
	return wire_attrs_check((struct wire_slice){body.p + 4, body.len - 4}, err);
}

/*
 * The same in version 2: here the top bit of an attribute means nothing and
 * every attribute has a length (RFC 7296 3.15.1).
 */
static int cp_check(struct wire_slice body, uint8_t type, struct wire_error *err)
{
	unsigned count = 0;

	if (body.len < 4)
		return wire_bad(err, type, "a configuration payload is cut short");
	body.p += 4;
	body.len -= 4;
	while (body.len) {
		size_t len;

		if (body.len < 4)
			return wire_bad(err, type, "a configuration attribute is cut short");
		len = 4 + (size_t)get_be16(body.p + 2);
		if (len > body.len)
			return wire_bad(err, type, "a configuration attribute runs past the end");
		if (++count > CP_ATTRS_MAX)
			return wire_bad(err, type, "too many configuration attributes");
		body.p += len;
		body.len -= len;
	}
	return 0;
}

static int cert_check(struct wire_slice body, uint8_t type, struct wire_error *err)
{
	struct wire_cert cert;

	if (!wire_cert_parse(body, &cert, NULL))
		return 0;
	return wire_bad(err, type, "no certificate encoding");
}

static int validate1(uint8_t type, struct wire_slice body, struct wire_error *err)
{
	struct wire_fragment fragment;
	struct wire_notify notify;
	struct wire_delete del;
	struct xi_addr addr;
	struct wire_id id;
	struct wire_ke ke;

	switch (type) {
	case IKE_PAYLOAD_SA:
		return wire_sa1_check(body, err);
	case IKE_PAYLOAD_PROPOSAL:
	case IKE_PAYLOAD_TRANSFORM:
		return wire_bad(err, type, "a proposal or transform outside an SA payload");
	case IKE_PAYLOAD_KE:
		return wire_ke_parse(1, body, &ke, err);
	case IKE_PAYLOAD_ID:
		return wire_id_parse(1, body, &id, err);
	case IKE_PAYLOAD_CERT:
	case IKE_PAYLOAD_CERTREQ:
		return cert_check(body, type, err);
	case IKE_PAYLOAD_HASH:
		return sized(body, 1, HASH_MAX, type, "a hash of an impossible length", err);
	case IKE_PAYLOAD_SIG:
	case IKE_PAYLOAD_GSS:
		return sized(body, 1, SIZE_MAX, type, "an empty payload", err);
	case IKE_PAYLOAD_NONCE:
		return sized(body, WIRE_NONCE_MIN, WIRE_NONCE_MAX, type,
			     "a nonce outside 8 to 256 bytes", err);
	case IKE_PAYLOAD_NOTIFY:
		return wire_notify_parse(1, body, &notify, err);
	case IKE_PAYLOAD_DELETE:
		return wire_delete_parse(1, body, &del, err);
	case IKE_PAYLOAD_VID:
		return sized(body, 0, VID_MAX, type, "a vendor id longer than 4096 bytes", err);
	case IKE_PAYLOAD_ATTRIBUTES:
		return attributes_check(body, type, err);
	case IKE_PAYLOAD_NATD:
	case IKE_PAYLOAD_NATD_DRAFT:
		return sized(body, 1, NATD_MAX, type, "a NAT-D hash of an impossible length", err);
	case IKE_PAYLOAD_NATOA:
	case IKE_PAYLOAD_NATOA_DRAFT:
		return wire_natoa_parse(body, &addr, err);
	case IKE_PAYLOAD_FRAGMENT:
		return wire_fragment_parse(body, &fragment, err);
	}
	return 1;
}

/* Traffic selectors, RFC 7296 3.13. */
static int ts_check(struct wire_slice body, uint8_t type, struct wire_error *err)
{
	unsigned count;

	if (body.len < 4)
		return wire_bad(err, type, "a traffic selector payload is cut short");
	count = body.p[0];
	body.p += 4;
	body.len -= 4;
	for (; count; count--) {
		size_t len, want;

		if (body.len < 8)
			return wire_bad(err, type, "a traffic selector is cut short");
		len = get_be16(body.p + 2);
		want = body.p[0] == 7 ? 16 : body.p[0] == 8 ? 40 : 0;
		if (len < 8 || len > body.len || (want && len != want))
			return wire_bad(err, type, "a traffic selector of an impossible length");
		body.p += len;
		body.len -= len;
	}
	return body.len ? wire_bad(err, type, "bytes behind the last traffic selector") : 0;
}

static int eap_check(struct wire_slice body, uint8_t type, struct wire_error *err)
{
	if (body.len < 4 || get_be16(body.p + 2) != body.len)
		return wire_bad(err, type, "an EAP message of the wrong length");
	return 0;
}

static int validate2(uint8_t type, struct wire_slice body, struct wire_error *err)
{
	struct wire_notify notify;
	struct wire_delete del;
	struct wire_id id;
	struct wire_ke ke;

	switch (type) {
	case IKE_PAYLOAD_V2_SA:
		return wire_sa2_check(body, err);
	case IKE_PAYLOAD_V2_KE:
		return wire_ke_parse(2, body, &ke, err);
	case IKE_PAYLOAD_V2_IDI:
	case IKE_PAYLOAD_V2_IDR:
		return wire_id_parse(2, body, &id, err);
	case IKE_PAYLOAD_V2_CERT:
	case IKE_PAYLOAD_V2_CERTREQ:
		return cert_check(body, type, err);
	case IKE_PAYLOAD_V2_AUTH:
		return sized(body, 5, SIZE_MAX, type, "an AUTH payload is cut short", err);
	case IKE_PAYLOAD_V2_NONCE:
		return sized(body, NONCE2_MIN, WIRE_NONCE_MAX, type,
			     "a nonce outside 16 to 256 bytes", err);
	case IKE_PAYLOAD_V2_NOTIFY:
		return wire_notify_parse(2, body, &notify, err);
	case IKE_PAYLOAD_V2_DELETE:
		return wire_delete_parse(2, body, &del, err);
	case IKE_PAYLOAD_V2_VID:
		return sized(body, 0, VID_MAX, type, "a vendor id longer than 4096 bytes", err);
	case IKE_PAYLOAD_V2_TSI:
	case IKE_PAYLOAD_V2_TSR:
		return ts_check(body, type, err);
	case IKE_PAYLOAD_V2_SK:
		return sized(body, 1, SIZE_MAX, type, "an empty encrypted payload", err);
	case IKE_PAYLOAD_V2_SKF:
		return sized(body, 5, SIZE_MAX, type, "an empty encrypted fragment", err);
	case IKE_PAYLOAD_V2_CP:
		return cp_check(body, type, err);
	case IKE_PAYLOAD_V2_EAP:
		return eap_check(body, type, err);
	}
	return 1;
}

int wire_validate(unsigned major, uint8_t type, struct wire_slice body, struct wire_error *err)
{
	return major == 1 ? validate1(type, body, err) : validate2(type, body, err);
}
