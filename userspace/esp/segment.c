// SPDX-License-Identifier: BSD-2-Clause
/*
 * TCP segmentation and checksum completion in software, as a network card with
 * TSO would do it: RFC 9293 (TCP), RFC 3168 6.1.2 (CWR belongs to the first
 * segment only), RFC 6864 (the IPv4 identification counts on).
 *
 * The header comes from the kernel, but its numbers are checked like any other
 * input: a wrong one must not make the worker read beside the packet.
 */
#include "esp/segment.h"

#include <string.h>

#include "esp/csum.h"
#include "util/bytes.h"

#define TCP_SEQ	  4
#define TCP_OFF	  12
#define TCP_FLAGS 13
#define TCP_SUM	  16

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_CWR 0x80

static size_t payload_len(const struct segmenter *seg)
{
	return seg->info.len - seg->head_len;
}

static enum xi_reason start_tcp(struct segmenter *seg, size_t gso_size, size_t max_len)
{
	const uint8_t *tcp = seg->ip + seg->info.l4_off;
	size_t tcp_len;

	if (seg->info.proto != IP_PROTO_TCP || seg->info.fragment ||
	    seg->info.l4_off + 20u > seg->info.len)
		return XI_REASON_MALFORMED;
	tcp_len = (tcp[TCP_OFF] >> 4) * 4u;
	if (tcp_len < 20 || seg->info.l4_off + tcp_len > seg->info.len)
		return XI_REASON_MALFORMED;
	if (tcp[TCP_FLAGS] & (TCP_SYN | TCP_RST))
		return XI_REASON_TOO_BIG;
	seg->head_len = seg->info.l4_off + tcp_len;
	if (max_len <= seg->head_len)
		return XI_REASON_TOO_BIG;
	seg->mss = max_len - seg->head_len;
	if (gso_size && gso_size < seg->mss)
		seg->mss = gso_size;
	return XI_REASON_NONE;
}

static enum xi_reason start_whole(struct segmenter *seg, const struct virtio_net_hdr *vnet,
				  size_t ip_off, size_t max_len)
{
	if (seg->info.len > max_len)
		return XI_REASON_TOO_BIG;
	seg->head_len = seg->info.l4_off;
	if (!(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return XI_REASON_NONE;
	if (vnet->csum_start < ip_off + seg->info.l4_off)
		return XI_REASON_MALFORMED;
	seg->csum_start = vnet->csum_start - ip_off;
	seg->csum_at = seg->csum_start + vnet->csum_offset;
	if (seg->csum_at + 2 > seg->info.len || seg->csum_at + 2 > sizeof(seg->head))
		return XI_REASON_MALFORMED;
	seg->head_len = seg->csum_at + 2;
	return XI_REASON_NONE;
}

enum xi_reason segment_start(struct segmenter *seg, const struct virtio_net_hdr *vnet,
			     size_t ip_off, const uint8_t *ip, const struct ip_info *info,
			     size_t max_len)
{
	uint8_t gso = vnet->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;

	seg->ip = ip;
	seg->info = *info;
	seg->mss = seg->done = seg->csum_start = seg->csum_at = 0;
	seg->index = 0;
	seg->finished = false;
	switch (gso) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		if (!vnet->gso_size || (gso == VIRTIO_NET_HDR_GSO_TCPV4) != (info->family == 4))
			return XI_REASON_MALFORMED;
		return start_tcp(seg, vnet->gso_size, max_len);
	case VIRTIO_NET_HDR_GSO_NONE:
		/* The stack was told a larger MTU than is left: cut here what it did not. */
		if (info->len > max_len && info->proto == IP_PROTO_TCP && !info->fragment)
			return start_tcp(seg, 0, max_len);
		return start_whole(seg, vnet, ip_off, max_len);
	default:
		return XI_REASON_MALFORMED;
	}
}

static void next_tcp(struct segmenter *seg, struct esp_plain *ret)
{
	size_t left = payload_len(seg) - seg->done, len = left < seg->mss ? left : seg->mss;
	bool first = !seg->done, last = len == left;
	size_t l4_len = seg->head_len - seg->info.l4_off + len;
	uint8_t *head = seg->head, *tcp = head + seg->info.l4_off;
	const uint8_t *payload = seg->ip + seg->head_len + seg->done;
	uint64_t sum;
	uint16_t folded;

	memcpy(head, seg->ip, seg->head_len);
	if (seg->info.family == 4)
		put_be16(head + 4, (uint16_t)(get_be16(head + 4) + seg->index));
	ip_set_len(head, &seg->info, seg->head_len + len);
	put_be32(tcp + TCP_SEQ, get_be32(tcp + TCP_SEQ) + (uint32_t)seg->done);
	if (!first)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	if (!last)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	memset(tcp + TCP_SUM, 0, 2);
	sum = ip_pseudo_sum(&seg->info, IP_PROTO_TCP, l4_len);
	sum = csum_add(sum, tcp, seg->head_len - seg->info.l4_off);
	folded = csum_fold(csum_add(sum, payload, len));
	memcpy(tcp + TCP_SUM, &folded, 2);

	*ret = (struct esp_plain){head, seg->head_len, payload, len};
	seg->done += len;
	seg->index++;
	seg->finished = last;
}

static void next_whole(struct segmenter *seg, struct esp_plain *ret)
{
	uint16_t folded;

	memcpy(seg->head, seg->ip, seg->head_len);
	if (seg->csum_at) {
		/* The field holds the pseudo-header sum: it is part of what is summed up. */
		folded = csum_fold(
			csum_add(0, seg->ip + seg->csum_start, seg->info.len - seg->csum_start));
		/* RFC 768: a computed zero goes out as all ones; in TCP both mean the same. */
		if (!folded)
			folded = 0xffff;
		memcpy(seg->head + seg->csum_at, &folded, 2);
	}
	*ret = (struct esp_plain){seg->head, seg->head_len, seg->ip + seg->head_len,
				  payload_len(seg)};
	seg->finished = true;
}

bool segment_next(struct segmenter *seg, struct esp_plain *ret)
{
	if (seg->finished)
		return false;
	if (seg->mss)
		next_tcp(seg, ret);
	else
		next_whole(seg, ret);
	return true;
}
