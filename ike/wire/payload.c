/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers and writers of the payloads other than SA and ID. Layouts:
 * RFC 2408 section 3, RFC 7296 section 3, RFC 3947 5.2.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ike/wire/msg.h"
#include "ike/wire/payload.h"

#define SPI_LEN_ISAKMP 16

int wire_ke_parse(unsigned major, struct wire_slice body, struct wire_ke *ret,
		  struct wire_error *err)
{
	uint8_t type = major == 1 ? IKE_PAYLOAD_KE : IKE_PAYLOAD_V2_KE;
	size_t head = major == 1 ? 0 : 4;

	if (body.len <= head)
		return wire_bad(err, type, "an empty key exchange payload");
	ret->group = head ? get_be16(body.p) : 0;
	ret->data = (struct wire_slice){body.p + head, body.len - head};
	return 0;
}

int wire_cert_parse(struct wire_slice body, struct wire_cert *ret, struct wire_error *err)
{
	if (!body.len)
		return wire_bad(err, IKE_PAYLOAD_CERT, "no certificate encoding");
	ret->encoding = body.p[0];
	ret->data = (struct wire_slice){body.p + 1, body.len - 1};
	return 0;
}

int wire_notify_parse(unsigned major, struct wire_slice body, struct wire_notify *ret,
		      struct wire_error *err)
{
	uint8_t type = major == 1 ? IKE_PAYLOAD_NOTIFY : IKE_PAYLOAD_V2_NOTIFY;
	size_t doi = major == 1 ? 4 : 0, spi_len, left;
	const uint8_t *p = body.p;

	if (body.len < doi + 4)
		return wire_bad(err, type, "a notify payload is cut short");
	left = body.len - doi - 4;
	spi_len = p[doi + 1];
	if (spi_len > left)
		return wire_bad(err, type, "the SPI runs past its notify payload");
	ret->doi = doi ? get_be32(p) : 0;
	p += doi;
	ret->protocol = p[0];
	ret->type = get_be16(p + 2);
	ret->spi = (struct wire_slice){p + 4, spi_len};
	ret->data = (struct wire_slice){p + 4 + spi_len, left - spi_len};
	return 0;
}

void wire_put_notify1(struct wire_buf *wb, uint8_t protocol, const void *spi, size_t spi_len,
		      uint16_t type, const void *data, size_t len)
{
	size_t mark = wire_payload_begin(wb, IKE_PAYLOAD_NOTIFY);

	if (spi_len > UINT8_MAX)
		wb->overflow = true;
	wire_put32(wb, IKE_DOI_IPSEC);
	wire_put8(wb, protocol);
	wire_put8(wb, (uint8_t)spi_len);
	wire_put16(wb, type);
	wire_put(wb, spi, spi_len);
	wire_put(wb, data, len);
	wire_payload_end(wb, mark);
}

const char *wire_notify_text(unsigned major, const struct wire_notify *notify, char buf[WIRE_TEXT])
{
	char type[IKE_NUMBER_TEXT], protocol[IKE_NUMBER_TEXT];
	size_t at;

	ike_name_or_number(ike_notify_name(major, notify->type), notify->type, type);
	at = (size_t)snprintf(buf, WIRE_TEXT, "%s", type);
	if (!notify->spi.len)
		return buf;
	ike_name_or_number(ike_protocol1_name(notify->protocol), notify->protocol, protocol);
	at += (size_t)snprintf(buf + at, WIRE_TEXT - at, " for %s spi ", protocol);
	for (size_t i = 0; i < notify->spi.len && i < SPI_LEN_ISAKMP; i++)
		at += (size_t)snprintf(buf + at, WIRE_TEXT - at, "%02x", notify->spi.p[i]);
	return buf;
}

int wire_delete_parse(unsigned major, struct wire_slice body, struct wire_delete *ret,
		      struct wire_error *err)
{
	uint8_t type = major == 1 ? IKE_PAYLOAD_DELETE : IKE_PAYLOAD_V2_DELETE;
	size_t doi = major == 1 ? 4 : 0, left;
	const uint8_t *p = body.p + doi;
	uint8_t spi_size;
	uint16_t count;

	if (body.len < doi + 4)
		return wire_bad(err, type, "a delete payload is cut short");
	left = body.len - doi - 4;
	spi_size = p[1];
	count = get_be16(p + 2);
	if (count > WIRE_DELETE_SPI_MAX)
		return wire_bad(err, type, "too many SPIs in a delete payload");
	if (spi_size > SPI_LEN_ISAKMP)
		return wire_bad(err, type, "an SPI longer than 16 bytes");
	if ((size_t)spi_size * count != left)
		return wire_bad(err, type, "the SPIs do not fill the delete payload");
	/* A version 2 delete of the IKE SA itself has neither size nor count. */
	if (!spi_size != !count || (major == 1 && !count))
		return wire_bad(err, type, "a delete payload without an SPI");
	ret->doi = doi ? get_be32(body.p) : 0;
	ret->protocol = p[0];
	ret->spi_size = spi_size;
	ret->count = count;
	ret->spis = (struct wire_slice){p + 4, left};
	return 0;
}

struct wire_slice wire_delete_spi(const struct wire_delete *del, unsigned n)
{
	return (struct wire_slice){del->spis.p + (size_t)n * del->spi_size, del->spi_size};
}

void wire_put_delete1(struct wire_buf *wb, uint8_t protocol, uint8_t spi_size, const void *spis,
		      uint16_t count)
{
	size_t mark = wire_payload_begin(wb, IKE_PAYLOAD_DELETE);

	wire_put32(wb, IKE_DOI_IPSEC);
	wire_put8(wb, protocol);
	wire_put8(wb, spi_size);
	wire_put16(wb, count);
	wire_put(wb, spis, (size_t)spi_size * count);
	wire_payload_end(wb, mark);
}

int wire_natoa_parse(struct wire_slice body, struct xi_addr *ret, struct wire_error *err)
{
	struct xi_addr addr = {0};

	if (body.len < 4)
		return wire_bad(err, IKE_PAYLOAD_NATOA, "a NAT-OA payload is cut short");
	if (body.p[0] == IKE_ID_IPV4 && body.len == 4 + 4)
		addr.family = 4;
	else if (body.p[0] == IKE_ID_IPV6 && body.len == 4 + 16)
		addr.family = 6;
	else
		return wire_bad(err, IKE_PAYLOAD_NATOA, "a NAT-OA payload that is not one address");
	memcpy(addr.b, body.p + 4, body.len - 4);
	*ret = addr;
	return 0;
}

void wire_put_natoa(struct wire_buf *wb, uint8_t type, const struct xi_addr *addr)
{
	size_t mark = wire_payload_begin(wb, type);

	wire_put8(wb, addr->family == 4 ? IKE_ID_IPV4 : IKE_ID_IPV6);
	wire_put_zero(wb, 3);
	wire_put(wb, addr->b, addr->family == 4 ? 4 : 16);
	wire_payload_end(wb, mark);
}

int wire_fragment_parse(struct wire_slice body, struct wire_fragment *ret, struct wire_error *err)
{
	if (body.len <= 4)
		return wire_bad(err, IKE_PAYLOAD_FRAGMENT, "an empty fragment");
	if (!body.p[2])
		return wire_bad(err, IKE_PAYLOAD_FRAGMENT, "fragment number 0");
	ret->id = get_be16(body.p);
	ret->number = body.p[2];
	ret->last = body.p[3] & 1;
	ret->data = (struct wire_slice){body.p + 4, body.len - 4};
	return 0;
}
