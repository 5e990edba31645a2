/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Identification payloads: who a peer is (phase 1) and which traffic an SA is
 * for (quick mode). RFC 2407 4.6.2, RFC 7296 3.5.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ike/wire/msg.h"
#include "ike/wire/payload.h"

#define ID_HEAD 4

/* The length that a type of identity must have; 0 = any but none. */
static size_t fixed_len(uint8_t type)
{
	switch (type) {
	case IKE_ID_IPV4:
		return 4;
	case IKE_ID_IPV6:
		return 16;
	case IKE_ID_IPV4_SUBNET:
	case IKE_ID_IPV4_RANGE:
		return 8;
	case IKE_ID_IPV6_SUBNET:
	case IKE_ID_IPV6_RANGE:
		return 32;
	}
	return 0;
}

/* RFC 2407 4.6.2.3 and RFC 7296 3.5: names contain no terminator such as NUL or CR. */
static bool has_control(struct wire_slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] < ' ' || name.p[i] == 0x7f)
			return true;
	return false;
}

int wire_id_parse(unsigned major, struct wire_slice body, struct wire_id *ret,
		  struct wire_error *err)
{
	uint8_t payload = major == 1 ? IKE_PAYLOAD_ID : IKE_PAYLOAD_V2_IDI;
	struct wire_id id = {0};
	size_t want;

	if (body.len < ID_HEAD)
		return wire_bad(err, payload, "an identification payload is cut short");
	id.type = body.p[0];
	if (major == 1) {
		id.protocol = body.p[1];
		id.port = get_be16(body.p + 2);
	}
	id.data = (struct wire_slice){body.p + ID_HEAD, body.len - ID_HEAD};
	want = fixed_len(id.type);
	if (want && id.data.len != want)
		return wire_bad(err, payload, "an identity of the wrong length for its type");
	if (!id.data.len && id.type != IKE_ID_NULL)
		return wire_bad(err, payload, "an empty identity");
	if ((id.type == IKE_ID_FQDN || id.type == IKE_ID_USER_FQDN) && has_control(id.data))
		return wire_bad(err, payload, "a name with control characters");
	*ret = id;
	return 0;
}

/* Length of a contiguous mask, or -1. */
static int mask_len(const uint8_t *mask, size_t len)
{
	size_t i = 0, bits;

	while (i < len && mask[i] == 0xff)
		i++;
	bits = i * 8;
	if (i < len) {
		uint8_t rest = (uint8_t)~mask[i];

		if (rest & (rest + 1))
			return -1;
		for (; rest != 0xff; rest = (uint8_t)(rest << 1 | 1))
			bits++;
		for (i++; i < len; i++)
			if (mask[i])
				return -1;
	}
	return (int)bits;
}

/* A range lo..hi that is one prefix differs only in a tail of zeros and ones. */
static int range_len(const uint8_t *lo, const uint8_t *hi, size_t len)
{
	uint8_t mask[16] = {0};
	int bits;

	for (size_t i = 0; i < len; i++)
		mask[i] = (uint8_t) ~(lo[i] ^ hi[i]);
	bits = mask_len(mask, len);
	for (size_t i = 0; bits >= 0 && i < len; i++)
		if (lo[i] & ~mask[i])
			return -1;
	return bits;
}

int wire_id_prefix(const struct wire_id *id, struct xi_prefix *ret)
{
	struct xi_prefix prefix = {0};
	size_t alen = fixed_len(id->type);
	int bits;

	if (!alen || id->data.len != alen)
		return -EINVAL;
	switch (id->type) {
	case IKE_ID_IPV4_SUBNET:
	case IKE_ID_IPV6_SUBNET:
		alen /= 2;
		bits = mask_len(id->data.p + alen, alen);
		break;
	case IKE_ID_IPV4_RANGE:
	case IKE_ID_IPV6_RANGE:
		alen /= 2;
		bits = range_len(id->data.p, id->data.p + alen, alen);
		break;
	default: /* the two whole addresses */
		bits = (int)alen * 8;
	}
	if (bits < 0)
		return -ERANGE;
	prefix.addr.family = alen == 4 ? 4 : 6;
	prefix.len = (uint8_t)bits;
	/* Peers send host bits below the mask; they mean nothing. */
	for (size_t i = 0; i < alen; i++) {
		unsigned keep = bits >= 8 ? 8 : (unsigned)bits;

		prefix.addr.b[i] = id->data.p[i] & (uint8_t)(0xff00 >> keep);
		bits -= (int)keep;
	}
	*ret = prefix;
	return 0;
}

static size_t put_text(char *buf, size_t at, const char *text)
{
	size_t len = strlen(text);

	if (len > WIRE_TEXT - 1 - at)
		len = WIRE_TEXT - 1 - at;
	memcpy(buf + at, text, len);
	buf[at + len] = '\0';
	return at + len;
}

/* Names may hold anything: what a terminal or a log should not see goes out as \xNN. */
static size_t put_name(char *buf, size_t at, struct wire_slice name, bool hex)
{
	char piece[8];

	for (size_t i = 0; i < name.len && at < WIRE_TEXT - 48; i++) {
		uint8_t c = name.p[i];

		if (hex)
			snprintf(piece, sizeof(piece), "%02x", c);
		else if (c > ' ' && c < 0x7f && c != '\\' && c != '"')
			snprintf(piece, sizeof(piece), "%c", c);
		else
			snprintf(piece, sizeof(piece), "\\x%02x", c);
		at = put_text(buf, at, piece);
	}
	return at;
}

static size_t put_addresses(char *buf, size_t at, const struct wire_id *id)
{
	size_t alen = fixed_len(id->type);
	int family, bits = -1;
	bool pair = id->type != IKE_ID_IPV4 && id->type != IKE_ID_IPV6;
	char addr[INET6_ADDRSTRLEN];

	alen /= pair ? 2 : 1;
	family = alen == 4 ? AF_INET : AF_INET6;
	at = put_text(buf, at, inet_ntop(family, id->data.p, addr, sizeof(addr)));
	if (!pair)
		return at;
	if (id->type == IKE_ID_IPV4_SUBNET || id->type == IKE_ID_IPV6_SUBNET) {
		bits = mask_len(id->data.p + alen, alen);
		snprintf(addr, sizeof(addr), "%d", bits);
		at = put_text(buf, at, "/");
	} else {
		at = put_text(buf, at, "-");
	}
	if (bits < 0)
		inet_ntop(family, id->data.p + alen, addr, sizeof(addr));
	return put_text(buf, at, addr);
}

const char *wire_id_text(const struct wire_id *id, char buf[WIRE_TEXT])
{
	char piece[48], type[IKE_NUMBER_TEXT];
	size_t at = 0, want = fixed_len(id->type);

	buf[0] = '\0';
	if (want && id->data.len == want) {
		at = put_addresses(buf, at, id);
	} else if (id->type == IKE_ID_FQDN || id->type == IKE_ID_USER_FQDN) {
		at = put_name(buf, at, id->data, false);
	} else {
		at = put_text(buf, at,
			      ike_name_or_number(ike_id_type_name(id->type), id->type, type));
		at = put_text(buf, at, ":");
		at = put_name(buf, at, id->data, true);
	}
	if (id->protocol || id->port) {
		snprintf(piece, sizeof(piece), "[proto %u port %u]", id->protocol, id->port);
		put_text(buf, at, piece);
	}
	return buf;
}

void wire_put_id1(struct wire_buf *wb, uint8_t type, uint8_t protocol, uint16_t port,
		  const void *data, size_t len)
{
	size_t mark = wire_payload_begin(wb, IKE_PAYLOAD_ID);

	wire_put8(wb, type);
	wire_put8(wb, protocol);
	wire_put16(wb, port);
	wire_put(wb, data, len);
	wire_payload_end(wb, mark);
}

void wire_put_id1_prefix(struct wire_buf *wb, const struct xi_prefix *prefix, uint8_t protocol,
			 uint16_t port)
{
	bool v4 = prefix->addr.family == 4;
	size_t alen = v4 ? 4 : 16;
	uint8_t data[32] = {0};

	memcpy(data, prefix->addr.b, alen);
	if (prefix->len == alen * 8) {
		wire_put_id1(wb, v4 ? IKE_ID_IPV4 : IKE_ID_IPV6, protocol, port, data, alen);
		return;
	}
	for (size_t i = 0; i < prefix->len; i++)
		data[alen + i / 8] |= (uint8_t)(0x80 >> i % 8);
	wire_put_id1(wb, v4 ? IKE_ID_IPV4_SUBNET : IKE_ID_IPV6_SUBNET, protocol, port, data,
		     2 * alen);
}
