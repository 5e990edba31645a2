/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The message header, the payload iterator and the message writer. See msg.h.
 * RFC 2408 3.1 and 3.2, RFC 7296 3.1 and 3.2.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ike/wire/msg.h"
#include "ike/wire/payload.h"

/* Offsets in the header. */
#define AT_NEXT	  16
#define AT_FLAGS  19
#define AT_LENGTH 24

#define GENERIC_LEN 4
#define CRITICAL    0x80

int wire_header_read(const void *msg, size_t len, struct ike_header *ret, struct wire_error *err)
{
	const uint8_t *p = msg;

	if (len < WIRE_HEADER_LEN)
		return wire_bad(err, 0, "shorter than an ISAKMP header");
	memcpy(ret->cookie_i, p, WIRE_COOKIE_LEN);
	memcpy(ret->cookie_r, p + WIRE_COOKIE_LEN, WIRE_COOKIE_LEN);
	ret->next_payload = p[AT_NEXT];
	ret->major = p[17] >> 4;
	ret->minor = p[17] & 0xf;
	ret->exchange = p[18];
	ret->flags = p[AT_FLAGS];
	ret->message_id = get_be32(p + 20);
	ret->length = get_be32(p + AT_LENGTH);
	return 0;
}

int wire_header_parse(const void *msg, size_t len, struct ike_header *ret, struct wire_error *err)
{
	static const uint8_t zero[WIRE_COOKIE_LEN];
	struct ike_header hdr;
	int rc = wire_header_read(msg, len, &hdr, err);

	if (rc)
		return rc;
	if (hdr.major == 0)
		return wire_bad(err, 0, "major version 0");
	if (!memcmp(hdr.cookie_i, zero, WIRE_COOKIE_LEN))
		return wire_bad(err, 0, "the initiator cookie is zero");
	if (hdr.length < WIRE_HEADER_LEN)
		return wire_bad(err, 0, "the length field is shorter than the header");
	if (hdr.length > len)
		return wire_bad(err, 0, "the length field is longer than the datagram");
	if (hdr.length < len)
		return wire_bad(err, 0, "the datagram is longer than the length field");
	*ret = hdr;
	if (hdr.major > 2) {
		wire_bad(err, 0, "a major version above 2");
		return -EPROTONOSUPPORT;
	}
	return 0;
}

uint64_t wire_cookie_number(const uint8_t cookie[WIRE_COOKIE_LEN])
{
	return get_be64(cookie);
}

void wire_iter_init(struct wire_iter *it, uint8_t first, const void *p, size_t len)
{
	*it = (struct wire_iter){.p = p, .left = len, .next = first};
}

int wire_iter_next(struct wire_iter *it, struct wire_payload *ret, struct wire_error *err)
{
	uint8_t type = it->next;
	size_t len;

	if (type == IKE_PAYLOAD_NONE)
		return 0;
	if (it->count == WIRE_PAYLOADS_MAX)
		return wire_bad(err, type, "too many payloads");
	if (it->left < GENERIC_LEN)
		return wire_bad(err, type, "the payload header is cut short");
	len = get_be16(it->p + 2);
	if (len < GENERIC_LEN)
		return wire_bad(err, type, "the payload length is below 4");
	if (len > it->left)
		return wire_bad(err, type, "the payload runs past the end");

	ret->type = type;
	ret->next = it->p[0];
	ret->critical = it->p[1] & CRITICAL;
	ret->whole = (struct wire_slice){it->p, len};
	ret->body = (struct wire_slice){it->p + GENERIC_LEN, len - GENERIC_LEN};
	it->next = type == IKE_PAYLOAD_V2_SK || type == IKE_PAYLOAD_V2_SKF ? IKE_PAYLOAD_NONE
									   : it->p[0];
	it->p += len;
	it->left -= len;
	it->count++;
	return 1;
}

int wire_chain_parse(unsigned major, uint8_t first, const void *p, size_t len,
		     enum wire_padding padding, struct wire_chain *ret, struct wire_error *err)
{
	struct wire_payload pl;
	struct wire_iter it;
	int rc;

	ret->count = 0;
	ret->unknown = 0;
	ret->critical_unknown = 0;
	wire_iter_init(&it, first, p, len);
	while ((rc = wire_iter_next(&it, &pl, err)) > 0) {
		rc = wire_validate(major, pl.type, pl.body, err);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			ret->payload[ret->count++] = pl;
			continue;
		}
		ret->unknown++;
		if (major == 2 && pl.critical && !ret->critical_unknown)
			ret->critical_unknown = pl.type;
	}
	if (rc < 0)
		return rc;
	if (padding == WIRE_EXACT && it.left)
		return wire_bad(err, 0, "bytes behind the last payload");
	if (it.left > WIRE_PADDING_MAX)
		return wire_bad(err, 0, "too much padding");
	ret->trailing = (struct wire_slice){it.p, it.left};
	return 0;
}

const struct wire_payload *wire_chain_find(const struct wire_chain *chain, uint8_t type,
					   unsigned nth)
{
	for (unsigned i = 0; i < chain->count; i++)
		if (chain->payload[i].type == type && !nth--)
			return &chain->payload[i];
	return NULL;
}

unsigned wire_chain_count(const struct wire_chain *chain, uint8_t type)
{
	unsigned count = 0;

	for (unsigned i = 0; i < chain->count; i++)
		count += chain->payload[i].type == type;
	return count;
}

const char *wire_chain_text(const struct wire_chain *chain, char *buf, size_t size)
{
	char name[IKE_NUMBER_TEXT];
	size_t at = 0;

	if (!size)
		return buf;
	buf[0] = '\0';
	for (unsigned i = 0; i < chain->count && at < size; i++) {
		uint8_t type = chain->payload[i].type;
		int n = snprintf(buf + at, size - at, "%s%s", i ? ", " : "",
				 ike_name_or_number(ike_payload_name(type), type, name));

		at += n > 0 ? (size_t)n : 0;
	}
	return buf;
}

void wire_msg_begin(struct wire_buf *wb, const struct ike_header *hdr)
{
	wb->len = 0;
	wire_put(wb, hdr->cookie_i, WIRE_COOKIE_LEN);
	wire_put(wb, hdr->cookie_r, WIRE_COOKIE_LEN);
	wire_put8(wb, IKE_PAYLOAD_NONE);
	wire_put8(wb, (uint8_t)(hdr->major << 4 | (hdr->minor & 0xf)));
	wire_put8(wb, hdr->exchange);
	wire_put8(wb, hdr->flags);
	wire_put32(wb, hdr->message_id);
	wire_put32(wb, 0);
	wb->next_at = AT_NEXT;
}

int wire_msg_end(struct wire_buf *wb)
{
	uint8_t b[4];

	for (int i = 0; i < 4; i++)
		b[i] = (uint8_t)(wb->len >> (24 - 8 * i));
	wire_patch(wb, AT_LENGTH, b, sizeof(b));
	return wb->overflow ? -EMSGSIZE : 0;
}

void wire_msg_set_flags(struct wire_buf *wb, uint8_t flags)
{
	wire_patch(wb, AT_FLAGS, &flags, 1);
}

size_t wire_payload_begin(struct wire_buf *wb, uint8_t type)
{
	size_t mark = wb->len;

	wire_patch(wb, wb->next_at, &type, 1);
	wire_put_zero(wb, GENERIC_LEN);
	if (!wb->overflow)
		wb->next_at = mark;
	return mark;
}

void wire_payload_end(struct wire_buf *wb, size_t mark)
{
	if (!wb->overflow && wb->len - mark > UINT16_MAX)
		wb->overflow = true;
	wire_patch16(wb, mark + 2, (uint16_t)(wb->len - mark));
}

void wire_put_payload(struct wire_buf *wb, uint8_t type, const void *body, size_t len)
{
	size_t mark = wire_payload_begin(wb, type);

	wire_put(wb, body, len);
	wire_payload_end(wb, mark);
}

size_t wire_put_payload_zero(struct wire_buf *wb, uint8_t type, size_t len)
{
	size_t mark = wire_payload_begin(wb, type);
	size_t at = wire_put_zero(wb, len);

	wire_payload_end(wb, mark);
	return at;
}

size_t wire_pad(struct wire_buf *wb, size_t from, size_t block)
{
	size_t over;

	if (wb->overflow || from > wb->len)
		return 0;
	over = (wb->len - from) % block;
	if (over)
		wire_put_zero(wb, block - over);
	return wb->overflow ? 0 : wb->len - from;
}
