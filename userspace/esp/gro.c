// SPDX-License-Identifier: BSD-2-Clause
/*
 * Coalescing of TCP segments. The rules are those every receive offload obeys,
 * so that cutting the super-packet gives back the segments that came: same
 * headers but for length, identification, sequence number, checksum and PSH;
 * consecutive numbers; equal sizes but for the last; nothing behind FIN or PSH.
 *
 * A super-packet is written with a begun checksum, which the stack takes as
 * good: each segment's own checksum is therefore verified here first.
 */
#include "esp/gro.h"

#include <stdlib.h>
#include <string.h>

#include "esp/csum.h"
#include "util/bytes.h"

#define FLOWS	     8
#define SEGMENTS_MAX 46
#define LEN_MAX	     65535

#define TCP_SEQ	  4
#define TCP_ACK	  8
#define TCP_OFF	  12
#define TCP_FLAGS 13
#define TCP_SUM	  16

#define TCP_PSH_BIT 0x08
#define TCP_ACK_BIT 0x10

struct super {
	uint8_t *ip; /* the first segment; NULL when the place is free */
	struct ip_info info;
	size_t head_len;
	size_t mss; /* payload of the first segment */
	size_t len; /* of the whole IP packet */
	uint32_t next_seq;
	bool closed; /* its last segment was short or pushed */
	int pieces;
	struct iovec iov[SEGMENTS_MAX];
};

struct gro {
	gro_write_fn write;
	void *arg;
	struct super flows[FLOWS];
	unsigned victim;
};

struct gro *gro_new(gro_write_fn write, void *arg)
{
	struct gro *gro = calloc(1, sizeof(*gro));

	if (gro) {
		gro->write = write;
		gro->arg = arg;
	}
	return gro;
}

void gro_free(struct gro *gro)
{
	free(gro);
}

static void super_write(struct gro *gro, struct super *super)
{
	struct virtio_net_hdr vnet = {0};
	uint8_t *tcp = super->ip + super->info.l4_off;
	uint16_t seed;

	if (super->pieces > 1) {
		vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vnet.gso_type = super->info.family == 4 ? VIRTIO_NET_HDR_GSO_TCPV4
							: VIRTIO_NET_HDR_GSO_TCPV6;
		vnet.gso_size = (uint16_t)super->mss;
		vnet.hdr_len = (uint16_t)super->head_len;
		vnet.csum_start = super->info.l4_off;
		vnet.csum_offset = TCP_SUM;
		ip_set_len(super->ip, &super->info, super->len);
		seed = (uint16_t)~csum_fold(
			ip_pseudo_sum(&super->info, IP_PROTO_TCP, super->len - super->info.l4_off));
		memcpy(tcp + TCP_SUM, &seed, 2);
	}
	gro->write(gro->arg, &vnet, super->iov, super->pieces);
	super->ip = NULL;
}

static bool tcp_sum_good(const uint8_t *ip, const struct ip_info *info)
{
	size_t l4_len = info->len - info->l4_off;
	uint64_t sum = ip_pseudo_sum(info, IP_PROTO_TCP, l4_len);

	return !csum_fold(csum_add(sum, ip + info->l4_off, l4_len));
}

/* Everything in front of the payload that must be equal. */
static bool same_headers(const struct super *super, const uint8_t *ip, const struct ip_info *info,
			 size_t head_len)
{
	const uint8_t *a = super->ip, *b = ip;
	const uint8_t *ta = a + info->l4_off, *tb = b + info->l4_off;

	if (super->head_len != head_len || super->info.l4_off != info->l4_off)
		return false;
	if (info->family == 4) {
		/* Version, TOS; flags, TTL, protocol; addresses. Options: see mergeable(). */
		if (memcmp(a, b, 2) || memcmp(a + 6, b + 6, 4) || memcmp(a + 12, b + 12, 8))
			return false;
	} else if (memcmp(a, b, 4) || memcmp(a + 6, b + 6, 34)) {
		return false;
	}
	/* Ports, acknowledgment; offset; flags but PSH; window; urgent pointer, options. */
	return !memcmp(ta, tb, 4) && !memcmp(ta + TCP_ACK, tb + TCP_ACK, 5) &&
	       !((ta[TCP_FLAGS] ^ tb[TCP_FLAGS]) & ~TCP_PSH_BIT) && !memcmp(ta + 14, tb + 14, 2) &&
	       !memcmp(ta + 18, tb + 18, head_len - info->l4_off - 18);
}

/* Does the IPv4 identification go on by one, as cutting the packet again would make it? */
static bool ident_follows(const struct super *super, const uint8_t *ip)
{
	if (super->info.family == 6)
		return true;
	return (uint16_t)(get_be16(super->ip + 4) + super->pieces) == get_be16(ip + 4);
}

static bool append(struct super *super, uint8_t *ip, const struct ip_info *info, size_t head_len)
{
	size_t payload = info->len - head_len;
	uint8_t *tcp = ip + info->l4_off;

	if (super->closed || super->pieces == SEGMENTS_MAX || payload > super->mss ||
	    super->len + payload > LEN_MAX || get_be32(tcp + TCP_SEQ) != super->next_seq ||
	    !same_headers(super, ip, info, head_len) || !ident_follows(super, ip))
		return false;
	super->iov[super->pieces++] = (struct iovec){ip + head_len, payload};
	super->len += payload;
	super->next_seq += (uint32_t)payload;
	super->closed = payload < super->mss || tcp[TCP_FLAGS] & TCP_PSH_BIT;
	super->ip[super->info.l4_off + TCP_FLAGS] |= tcp[TCP_FLAGS] & TCP_PSH_BIT;
	return true;
}

static bool same_flow(const struct super *super, const struct ip_info *info)
{
	return super->ip && super->info.sport == info->sport && super->info.dport == info->dport &&
	       !memcmp(&super->info.src, &info->src, sizeof(info->src)) &&
	       !memcmp(&super->info.dst, &info->dst, sizeof(info->dst));
}

static void begin(struct gro *gro, struct super *super, uint8_t *ip, const struct ip_info *info,
		  size_t head_len)
{
	uint8_t *tcp = ip + info->l4_off;

	if (super->ip)
		super_write(gro, super);
	super->ip = ip;
	super->info = *info;
	super->head_len = head_len;
	super->mss = info->len - head_len;
	super->len = info->len;
	super->next_seq = get_be32(tcp + TCP_SEQ) + (uint32_t)super->mss;
	super->closed = tcp[TCP_FLAGS] & TCP_PSH_BIT;
	super->pieces = 1;
	super->iov[0] = (struct iovec){ip, info->len};
}

/* Length of the headers of a plain data segment, or 0 for all that is better left alone. */
static size_t mergeable(const uint8_t *ip, const struct ip_info *info)
{
	const uint8_t *tcp = ip + info->l4_off;
	size_t head_len;

	if (info->proto != IP_PROTO_TCP || info->fragment || info->l4_off + 20u > info->len)
		return 0;
	if (info->l4_off != (info->family == 4 ? 20 : 40))
		return 0;
	head_len = info->l4_off + (tcp[TCP_OFF] >> 4) * 4u;
	if (head_len < info->l4_off + 20u || head_len >= info->len)
		return 0;
	if ((tcp[TCP_FLAGS] & ~TCP_PSH_BIT) != TCP_ACK_BIT)
		return 0;
	return head_len;
}

bool gro_add(struct gro *gro, uint8_t *ip, const struct ip_info *info)
{
	static const struct virtio_net_hdr none;
	size_t head_len = mergeable(ip, info);
	struct super *place = NULL;

	if (head_len && !tcp_sum_good(ip, info))
		return false;
	for (unsigned i = 0; i < FLOWS; i++) {
		struct super *super = &gro->flows[i];

		if (info->has_ports && same_flow(super, info)) {
			if (head_len && append(super, ip, info, head_len))
				return true;
			/* Order within the flow: what is there goes first. */
			super_write(gro, super);
		}
		if (!super->ip && !place)
			place = super;
	}
	if (!head_len) {
		gro->write(gro->arg, &none, &(struct iovec){ip, info->len}, 1);
		return true;
	}
	if (!place)
		place = &gro->flows[gro->victim++ % FLOWS];
	begin(gro, place, ip, info, head_len);
	return true;
}

void gro_flush(struct gro *gro)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		if (gro->flows[i].ip)
			super_write(gro, &gro->flows[i]);
	}
}
