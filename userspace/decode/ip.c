/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The UDP datagram inside an IP packet, fragments joined (RFC 791, RFC 8200).
 * Memory is bounded: a fixed number of datagrams can be incomplete, the oldest
 * gives way. Overlapping fragments are refused, as RFC 5722 asks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode.h"

#define PARTIAL_MAX   16
#define PARTIAL_BYTES 65536
#define PROTO_UDP     17
#define PROTO_FRAG    44
#define HEADERS_MAX   8 /* IPv6 extension headers walked */

/* What identifies a datagram in fragments, and where this piece belongs. */
struct piece {
	struct xi_addr src, dst;
	uint32_t id;
	uint8_t proto;
	size_t offset, len;
	bool more;
	const uint8_t *p;
};

struct partial {
	bool used;
	unsigned age;
	struct xi_addr src, dst;
	uint32_t id;
	uint8_t proto;
	size_t got, total;		     /* total 0 = the last piece has not come */
	uint8_t have[PARTIAL_BYTES / 8 / 8]; /* a bit per 8 bytes */
	uint8_t bytes[PARTIAL_BYTES];
};

struct decode_ip {
	unsigned clock;
	struct partial partial[PARTIAL_MAX];
	uint8_t whole[PARTIAL_BYTES];
};

struct decode_ip *decode_ip_new(void)
{
	return calloc(1, sizeof(struct decode_ip));
}

void decode_ip_free(struct decode_ip *ip)
{
	free(ip);
}

static int parse_v4(const uint8_t *p, size_t len, struct piece *ret)
{
	size_t head, total;

	if (len < 20)
		return -EBADMSG;
	head = (size_t)(p[0] & 0xf) * 4;
	total = get_be16(p + 2);
	/* 0 is what captures of segmentation offload show; more than there is, a cut packet. */
	if (!total || total > len)
		total = len;
	if (head < 20 || total < head)
		return -EBADMSG;
	ret->src.family = ret->dst.family = 4;
	memcpy(ret->src.b, p + 12, 4);
	memcpy(ret->dst.b, p + 16, 4);
	ret->id = get_be16(p + 4);
	ret->proto = p[9];
	ret->more = p[6] & 0x20;
	ret->offset = (size_t)(get_be16(p + 6) & 0x1fff) * 8;
	ret->p = p + head;
	ret->len = total - head;
	return 0;
}

static int parse_v6(const uint8_t *p, size_t len, struct piece *ret)
{
	size_t left;

	if (len < 40)
		return -EBADMSG;
	left = get_be16(p + 4);
	if (left > len - 40)
		left = len - 40;
	ret->src.family = ret->dst.family = 6;
	memcpy(ret->src.b, p + 8, 16);
	memcpy(ret->dst.b, p + 24, 16);
	ret->proto = p[6];
	p += 40;
	for (int i = 0; i < HEADERS_MAX; i++) {
		size_t size;

		/* Hop-by-hop, routing, fragment, destination options. */
		if (ret->proto != 0 && ret->proto != 43 && ret->proto != PROTO_FRAG &&
		    ret->proto != 60)
			break;
		if (left < 8)
			return -EBADMSG;
		size = ret->proto == PROTO_FRAG ? 8 : ((size_t)p[1] + 1) * 8;
		if (size > left)
			return -EBADMSG;
		if (ret->proto == PROTO_FRAG) {
			ret->id = get_be32(p + 4);
			ret->more = p[3] & 1;
			ret->offset = get_be16(p + 2) & 0xfff8;
		}
		ret->proto = p[0];
		p += size;
		left -= size;
	}
	ret->p = p;
	ret->len = left;
	return 0;
}

static bool same(const struct partial *partial, const struct piece *piece)
{
	return partial->used && partial->id == piece->id && partial->proto == piece->proto &&
	       !memcmp(&partial->src, &piece->src, sizeof(piece->src)) &&
	       !memcmp(&partial->dst, &piece->dst, sizeof(piece->dst));
}

static struct partial *find_partial(struct decode_ip *ip, const struct piece *piece)
{
	struct partial *oldest = &ip->partial[0];

	for (size_t i = 0; i < PARTIAL_MAX; i++) {
		struct partial *partial = &ip->partial[i];

		if (same(partial, piece))
			return partial;
		if (!partial->used || (oldest->used && partial->age < oldest->age))
			oldest = partial;
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->used = true;
	oldest->age = ip->clock++;
	oldest->id = piece->id;
	oldest->proto = piece->proto;
	oldest->src = piece->src;
	oldest->dst = piece->dst;
	return oldest;
}

/* 1 when the datagram is whole, 0 when not yet, -EBADMSG when the pieces do not fit together. */
static int join(struct decode_ip *ip, struct piece *piece)
{
	struct partial *partial;
	size_t end = piece->offset + piece->len;

	if (end > PARTIAL_BYTES || !piece->len || (piece->more && piece->len % 8))
		return -EBADMSG;
	partial = find_partial(ip, piece);
	for (size_t unit = piece->offset / 8; unit * 8 < end; unit++) {
		uint8_t bit = (uint8_t)(1 << unit % 8);

		if (partial->have[unit / 8] & bit) {
			partial->used = false;
			return -EBADMSG;
		}
		partial->have[unit / 8] |= bit;
	}
	memcpy(partial->bytes + piece->offset, piece->p, piece->len);
	partial->got += piece->len;
	if (!piece->more)
		partial->total = end;
	if (!partial->total || partial->got < partial->total)
		return 0;
	partial->used = false;
	if (partial->got != partial->total)
		return -EBADMSG;
	memcpy(ip->whole, partial->bytes, partial->total);
	piece->p = ip->whole;
	piece->len = partial->total;
	return 1;
}

int decode_ip_feed(struct decode_ip *ip, const struct capture_packet *packet,
		   struct decode_udp *ret)
{
	struct piece piece = {0};
	const uint8_t *p;
	size_t len, udp_len;
	int rc = capture_ip(packet, &p, &len);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = p[0] >> 4 == 4 ? parse_v4(p, len, &piece) : parse_v6(p, len, &piece);
	if (rc)
		return rc;
	if (piece.proto != PROTO_UDP)
		return 0;
	if (piece.more || piece.offset) {
		rc = join(ip, &piece);
		if (rc <= 0)
			return rc;
	}
	if (piece.len < 8)
		return -EBADMSG;
	udp_len = get_be16(piece.p + 4);
	if (udp_len < 8)
		return -EBADMSG;
	/* Cut short by the capture or by a liar: what is there is shown. */
	if (udp_len > piece.len)
		udp_len = piece.len;
	ret->src = piece.src;
	ret->dst = piece.dst;
	ret->sport = get_be16(piece.p);
	ret->dport = get_be16(piece.p + 2);
	ret->p = piece.p + 8;
	ret->len = udp_len - 8;
	return 1;
}
