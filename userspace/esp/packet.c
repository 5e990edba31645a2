// SPDX-License-Identifier: BSD-2-Clause
/*
 * ESP packet formats: RFC 4303 sections 2 (format), 3.1 (placement), 3.3
 * (outbound), 3.4 (inbound).
 *
 * On the way in everything is checked before it is used: length and alignment,
 * then the ICV, and only then decrypted bytes are looked at.
 *
 * Weak spots: no traffic flow confidentiality padding on send, and on receive
 * it is left to the upper layer; tunnel mode leaves DSCP and ECN to the caller.
 */
#include "esp/packet.h"

#include <errno.h>
#include <string.h>

#include "util/bytes.h"

#define TRAILER_LEN 2 /* pad length, next header */

static size_t body_len(const struct esp_shape *shape, size_t payload)
{
	return (payload + TRAILER_LEN + shape->align - 1) / shape->align * shape->align;
}

size_t esp_len(const struct esp_shape *shape, size_t payload)
{
	return ESP_HDR_LEN + shape->iv_len + body_len(shape, payload) + shape->icv_len;
}

size_t esp_max_payload(const struct esp_shape *shape, size_t room)
{
	size_t fixed = ESP_HDR_LEN + shape->iv_len + shape->icv_len;
	size_t body;

	if (room < fixed)
		return 0;
	body = (room - fixed) / shape->align * shape->align;
	return body < TRAILER_LEN ? 0 : body - TRAILER_LEN;
}

/* Fills aad and tail of an operation; aad_buf holds 12 bytes. */
static void set_authenticated(struct esp_crypto_op *op, const struct esp_half *half, uint64_t seq,
			      const uint8_t *esp, uint8_t aad_buf[12])
{
	op->aad = esp;
	op->aad_len = ESP_HDR_LEN;
	if (!half->esn)
		return;
	if (esp_crypto_shape(half->crypto)->aead) {
		/* RFC 4106 5: SPI, then all 64 bits. */
		put_be32(aad_buf, half->spi);
		put_be64(aad_buf + 4, seq);
		op->aad = aad_buf;
		op->aad_len = 12;
	} else {
		/* RFC 4303 2.2.1: the high half is authenticated behind the trailer. */
		put_be32(aad_buf, (uint32_t)(seq >> 32));
		op->tail = aad_buf;
		op->tail_len = 4;
	}
}

int esp_seal(const struct esp_half *half, uint64_t seq, uint8_t next, const uint8_t *iv,
	     const struct esp_plain *plain, uint8_t *out, size_t cap, size_t *ret_len)
{
	const struct esp_shape *shape = esp_crypto_shape(half->crypto);
	size_t payload = plain->head_len + plain->rest_len, body = body_len(shape, payload);
	size_t pad = body - payload - TRAILER_LEN;
	uint8_t *wire_iv = out + ESP_HDR_LEN, *data = wire_iv + shape->iv_len, aad[12];
	struct esp_crypto_op op = {.iv = wire_iv, .data = data, .len = body, .icv = data + body};
	int err = 0;

	if (esp_len(shape, payload) > cap)
		return -EMSGSIZE;
	put_be32(out, half->spi);
	put_be32(out + 4, (uint32_t)seq);
	if (iv)
		memcpy(wire_iv, iv, shape->iv_len);
	else
		err = esp_crypto_iv(half->crypto, seq, wire_iv);
	if (plain->head_len)
		memcpy(data, plain->head, plain->head_len);
	if (plain->rest_len)
		memcpy(data + plain->head_len, plain->rest, plain->rest_len);
	for (size_t i = 0; i < pad; i++)
		data[payload + i] = (uint8_t)(i + 1);
	data[body - 2] = (uint8_t)pad;
	data[body - 1] = next;

	set_authenticated(&op, half, seq, out, aad);
	if (!err)
		err = esp_crypto_seal(half->crypto, &op);
	if (!err)
		*ret_len = esp_len(shape, payload);
	return err;
}

int esp_wrap_transport(const struct esp_half *half, uint64_t seq, const uint8_t *iv,
		       const struct ip_info *info, const struct esp_plain *packet, uint8_t *out,
		       size_t cap, size_t *ret_len)
{
	size_t front = info->esp_off, len;
	struct esp_plain plain = {packet->head + front, packet->head_len - front, packet->rest,
				  packet->rest_len};
	int err;

	if (cap < front || packet->head_len < front)
		return -EMSGSIZE;
	memcpy(out, packet->head, front);
	err = esp_seal(half, seq, out[info->esp_next_off], iv, &plain, out + front, cap - front,
		       &len);
	if (err)
		return err;
	if (front + len > 65535)
		return -EMSGSIZE;
	out[info->esp_next_off] = IP_PROTO_ESP;
	ip_set_len(out, info, front + len);
	*ret_len = front + len;
	return 0;
}

int esp_wrap_tunnel(const struct esp_half *half, uint64_t seq, const uint8_t *iv,
		    const uint8_t *outer, const struct esp_plain *packet, uint8_t *out, size_t cap,
		    size_t *ret_len)
{
	struct ip_info info = {.family = outer[0] >> 4};
	size_t front = info.family == 4 ? 20 : 40, len;
	uint8_t next = packet->head[0] >> 4 == 4 ? IP_PROTO_IPIP : IP_PROTO_IPV6;
	int err;

	if (cap < front)
		return -EMSGSIZE;
	err = esp_seal(half, seq, next, iv, packet, out + front, cap - front, &len);
	if (err)
		return err;
	if (front + len > 65535)
		return -EMSGSIZE;
	memcpy(out, outer, front);
	out[info.family == 4 ? 9 : 6] = IP_PROTO_ESP;
	ip_set_len(out, &info, front + len);
	*ret_len = front + len;
	return 0;
}

/* RFC 4303 2.4: the padding counts 1, 2, 3, ... and a receiver should look. */
static enum xi_reason strip_trailer(uint8_t *data, size_t body, struct esp_opened *ret)
{
	size_t pad = data[body - 2];

	if (pad + TRAILER_LEN > body)
		return XI_REASON_ESP_PADDING;
	for (size_t i = 0; i < pad; i++) {
		if (data[body - TRAILER_LEN - pad + i] != i + 1)
			return XI_REASON_ESP_PADDING;
	}
	ret->data = data;
	ret->len = body - TRAILER_LEN - pad;
	ret->next = data[body - 1];
	return XI_REASON_NONE;
}

enum xi_reason esp_open(const struct esp_half *half, uint64_t seq, uint8_t *esp, size_t len,
			struct esp_opened *ret)
{
	const struct esp_shape *shape = esp_crypto_shape(half->crypto);
	size_t fixed = ESP_HDR_LEN + shape->iv_len + shape->icv_len;
	uint8_t *data = esp + ESP_HDR_LEN + shape->iv_len, aad[12];
	struct esp_crypto_op op = {.iv = esp + ESP_HDR_LEN, .data = data};

	/* One aligned block at least: it holds the trailer. */
	if (len < fixed + shape->align || (len - fixed) % shape->align)
		return XI_REASON_ESP_SHORT;
	op.len = len - fixed;
	op.icv = data + op.len;
	set_authenticated(&op, half, seq, esp, aad);
	if (esp_crypto_open(half->crypto, &op))
		return XI_REASON_ESP_ICV;
	return strip_trailer(data, op.len, ret);
}

uint8_t *esp_unwrap_transport(uint8_t *ip, const struct ip_info *info,
			      const struct esp_opened *opened)
{
	uint8_t *start = opened->data - info->l4_off;

	memmove(start, ip, info->l4_off);
	start[info->l4_next_off] = opened->next;
	ip_set_len(start, info, info->l4_off + opened->len);
	return start;
}
