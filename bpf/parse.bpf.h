/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frame -> struct xi_pkt, for XDP and TC alike: a cursor over the linear bytes
 * that also knows how much is left of the packet as its headers declare it.
 *
 * Three kinds of failure are kept apart. NOT_IP is not for us. SHORT means that
 * the bytes exist but not in the linear part: TC pulls them and tries again.
 * BAD is certainly malformed: a header that does not fit the packet around it.
 * An odd but legal packet is never BAD.
 *
 * RFC 791 (IPv4), 8200 (IPv6, 4.1 order and 4.5 fragments), 7112 (a first
 * fragment has the whole header chain), 1858 and 3128 (tiny fragments), 4861
 * (neighbour discovery).
 * Weak spots: a third VLAN tag is NOT_IP; more than XI_EXT_MAX extension headers
 * are BAD, because a chain that is not walked to its end cannot be classified.
 */
#ifndef XI_PARSE_BPF_H
#define XI_PARSE_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <xipsec/abi.h>

#define XI_EXT_MAX 8

enum xi_parse_result { XI_PARSE_OK, XI_PARSE_NOT_IP, XI_PARSE_SHORT, XI_PARSE_BAD };

struct xi_cursor {
	void *pos;
	void *end;  /* of the linear bytes */
	__u32 left; /* bytes from pos to the end of the packet, linear or not */
};

/* What there is to parse. The context is a struct xdp_md or a struct __sk_buff. */
struct xi_frame {
	void *ctx, *data, *data_end; /* the linear bytes */
	__u32 len;		     /* of the whole frame */
	bool xdp;
};

struct xi_vlan_hdr {
	__be16 tci, proto;
};

struct xi_ipv4_hdr {
	__u8 version_ihl, tos;
	__be16 tot_len, id, frag_off;
	__u8 ttl, protocol;
	__be16 check;
	__u8 saddr[4], daddr[4];
};

struct xi_ipv6_hdr {
	__u8 version_class, flow[3];
	__be16 payload_len;
	__u8 nexthdr, hop_limit;
	__u8 saddr[16], daddr[16];
};

struct xi_ipv6_ext {
	__u8 nexthdr, len; /* in 8 bytes, not counting the first 8 */
};

struct xi_ipv6_frag {
	__u8 nexthdr, reserved;
	__be16 frag_off;
	__be32 ident;
};

#define XI_IPV4_MF     0x2000
#define XI_IPV4_OFFSET 0x1fff
#define XI_IPV6_MF     0x0001
#define XI_IPV6_OFFSET 0xfff8
/* linux/in.h has no IPv6, linux/in6.h cannot be included here. */
#define XI_PROTO_HOPOPTS  0
#define XI_PROTO_DCCP	  33
#define XI_PROTO_ROUTING  43
#define XI_PROTO_FRAGMENT 44
#define XI_PROTO_ICMP6	  58
#define XI_PROTO_DSTOPTS  60
#define XI_ND_FIRST	  133
#define XI_ND_LAST	  137

/* Are the next `bytes` bytes there to be read? */
static __always_inline enum xi_parse_result xi_need(const struct xi_cursor *cur, __u32 bytes)
{
	if (bytes > cur->left)
		return XI_PARSE_BAD;
	if (cur->pos + bytes > cur->end)
		return XI_PARSE_SHORT;
	return XI_PARSE_OK;
}

static __always_inline void xi_skip(struct xi_cursor *cur, __u32 bytes)
{
	cur->pos += bytes;
	cur->left -= bytes;
}

/*
 * The least length of an unfragmented packet's upper-layer header by protocol;
 * 0: opaque to us. A table and not a switch: a branch for every protocol here
 * would multiply the states that the verifier walks.
 */
static const __u8 xi_upper_len[256] = {
	[IPPROTO_ICMP] = 4,   [IPPROTO_TCP] = 20,  [IPPROTO_UDP] = 8,
	[XI_PROTO_DCCP] = 12, [IPPROTO_ESP] = 8,   [IPPROTO_AH] = 12,
	[XI_PROTO_ICMP6] = 4, [IPPROTO_SCTP] = 12, [IPPROTO_UDPLITE] = 8,
};

#define XI_IS_EXT(proto)                                                                           \
	((proto) < 64 && 1ull << (proto) & (1ull << XI_PROTO_HOPOPTS | 1ull << XI_PROTO_ROUTING |  \
					    1ull << XI_PROTO_FRAGMENT | 1ull << XI_PROTO_DSTOPTS))

/* RFC 1858 3.1: what a first fragment of TCP must have at least, for its flags. */
#define XI_TCP_TINY 16

/*
 * The least upper-layer header that this packet must show. A first fragment of
 * IPv4 may be as short as eight bytes, which show all that we read, but not one of TCP;
 * one of IPv6 has the whole header (RFC 7112).
 */
static __always_inline __u32 xi_upper_least(const struct xi_pkt *pkt)
{
	__u32 least = xi_upper_len[pkt->proto];

	if (!(pkt->flags & XI_PKT_FIRST_FRAG) || pkt->family == 6)
		return least;
	if (pkt->proto == IPPROTO_TCP)
		return XI_TCP_TINY;
	return least < 8 ? least : 8;
}

/* Ports, ICMP type or SPI. */
static __always_inline enum xi_parse_result xi_parse_upper(struct xi_cursor *cur,
							   struct xi_run *run, __u8 hop_limit)
{
	struct xi_pkt *pkt = &run->pkt;
	__u32 least = xi_upper_len[pkt->proto];
	enum xi_parse_result res;
	const __u8 *bytes;

	if (!least || pkt->flags & XI_PKT_LATER_FRAG)
		return XI_PARSE_OK;
	if (xi_upper_least(pkt) > cur->left)
		return XI_PARSE_BAD;
	if (pkt->proto == IPPROTO_ICMP || pkt->proto == XI_PROTO_ICMP6) {
		res = xi_need(cur, 4);
		if (res != XI_PARSE_OK)
			return res;
		bytes = cur->pos;
		pkt->icmp_type = bytes[0];
		pkt->icmp_code = bytes[1];
		/* RFC 4861 6.1: valid only if it has crossed no router; RFC 6980: nor in pieces. */
		if (pkt->family == 6 && !(pkt->flags & XI_PKT_FIRST_FRAG) &&
		    pkt->proto == XI_PROTO_ICMP6 && hop_limit == 255 && bytes[0] >= XI_ND_FIRST &&
		    bytes[0] <= XI_ND_LAST)
			pkt->flags |= XI_PKT_ND;
		return XI_PARSE_OK;
	}
	res = xi_need(cur, 8);
	if (res != XI_PARSE_OK)
		return res;
	bytes = cur->pos;
	if (pkt->proto == IPPROTO_ESP) {
		__builtin_memcpy(run->spi, bytes, 4);
	} else if (pkt->proto == IPPROTO_AH) {
		__builtin_memcpy(run->spi, bytes + 4, 4);
	} else {
		pkt->remote_port = bytes[0] << 8 | bytes[1];
		pkt->local_port = bytes[2] << 8 | bytes[3];
	}
	return XI_PARSE_OK;
}

/*
 * Fragments that no sender makes: an empty one; one in the middle that does not
 * end on eight bytes; one that would make a packet longer than any; and the second
 * eight bytes of TCP, where there is something to overwrite in its header (RFC 3128).
 */
static __always_inline bool xi_frag_absurd(const struct xi_pkt *pkt, __u32 offset, __u32 bytes,
					   bool more)
{
	return !bytes || (more && bytes & 7) || offset + bytes > 0xffff ||
	       (offset == 8 && pkt->proto == IPPROTO_TCP);
}

static __always_inline enum xi_parse_result xi_parse_ipv4(struct xi_cursor *cur, struct xi_run *run)
{
	struct xi_pkt *pkt = &run->pkt;
	enum xi_parse_result res = xi_need(cur, sizeof(struct xi_ipv4_hdr));
	const struct xi_ipv4_hdr *ip = cur->pos;
	__u32 header, total, frag;

	if (res != XI_PARSE_OK)
		return res;
	header = (ip->version_ihl & 0xf) * 4;
	total = bpf_ntohs(ip->tot_len);
	/* A super-packet above 64 KiB cannot state its length and has none. */
	if (!total) {
		if (cur->left <= 0xffff)
			return XI_PARSE_BAD;
		total = cur->left;
	}
	if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip) || header > total ||
	    total > cur->left)
		return XI_PARSE_BAD;
	pkt->family = 4;
	pkt->proto = ip->protocol;
	pkt->len = total;
	__builtin_memcpy(pkt->remote, ip->saddr, 4);
	__builtin_memcpy(pkt->local, ip->daddr, 4);
	if ((ip->daddr[0] & 0xf0) == 0xe0 ||
	    (ip->daddr[0] & ip->daddr[1] & ip->daddr[2] & ip->daddr[3]) == 0xff)
		pkt->flags |= XI_PKT_GROUP;
	frag = bpf_ntohs(ip->frag_off);
	if (frag & XI_IPV4_OFFSET)
		pkt->flags |= XI_PKT_LATER_FRAG;
	else if (frag & XI_IPV4_MF)
		pkt->flags |= XI_PKT_FIRST_FRAG;
	if (frag & (XI_IPV4_OFFSET | XI_IPV4_MF) &&
	    xi_frag_absurd(pkt, (frag & XI_IPV4_OFFSET) * 8, total - header, frag & XI_IPV4_MF))
		return XI_PARSE_BAD;
	run->frag_ident = ip->id;
	cur->left = total;
	xi_skip(cur, header);
	return xi_parse_upper(cur, run, 0);
}

/*
 * The fragment header; a lone "atomic" fragment (RFC 6946) is a whole packet. `bytes`
 * follow it. Two of them are one too many: the inner one would be put together
 * where nobody looks. False: malformed.
 */
static __always_inline bool xi_parse_ipv6_frag(const struct xi_ipv6_frag *frag, struct xi_run *run,
					       __u32 bytes)
{
	struct xi_pkt *pkt = &run->pkt;
	__u16 off = bpf_ntohs(frag->frag_off);

	if (run->frag != XI_FRAG_NONE)
		return false;
	run->frag = XI_FRAG_SEEN;
	pkt->proto = frag->nexthdr;
	if (off & (XI_IPV6_OFFSET | XI_IPV6_MF) &&
	    xi_frag_absurd(pkt, off & XI_IPV6_OFFSET, bytes, off & XI_IPV6_MF))
		return false;
	if (off & XI_IPV6_OFFSET)
		pkt->flags |= XI_PKT_LATER_FRAG;
	else if (off & XI_IPV6_MF)
		pkt->flags |= XI_PKT_FIRST_FRAG;
	run->frag_ident = frag->ident;
	return true;
}

/*
 * Walks to the upper-layer protocol, from the byte `at` of the frame on; `left`
 * bytes of the packet begin there. ESP and AH end the walk: what follows them is
 * for their SA. So does whatever is no extension header to us. Returns where it
 * ended, or what is wrong, negative.
 */
static __always_inline int xi_ipv6_chain(const void *data, const void *data_end, __u32 at,
					 __u32 left, struct xi_run *run)
{
	struct xi_pkt *pkt = &run->pkt;

	for (int i = 0; i <= XI_EXT_MAX; i++) {
		const struct xi_ipv6_ext *ext = data + at;
		__u32 bytes = 8;

		if (!XI_IS_EXT(pkt->proto))
			return at;
		if (i == XI_EXT_MAX || bytes > left)
			break;
		if (data + at + 8 > data_end)
			return -XI_PARSE_SHORT;
		if (pkt->proto != XI_PROTO_FRAGMENT)
			bytes += ext->len * 8;
		else if (!xi_parse_ipv6_frag((const void *)ext, run, left - bytes))
			break;
		if (bytes > left)
			break;
		pkt->proto = ext->nexthdr;
		at += bytes;
		left -= bytes;
		/* Behind the header of a later fragment is the middle of something. */
		if (pkt->flags & XI_PKT_LATER_FRAG)
			return at;
	}
	return -XI_PARSE_BAD;
}

/*
 * Global functions: the verifier looks into each once, and not once for every way
 * that leads here, nor at what follows once for every length of a chain.
 */
#define XI_CHAIN(name, context)                                                                    \
	__noinline int name(context *ctx, struct xi_run *run, __u32 at, __u32 left)                \
	{                                                                                          \
		if (!run || at > XI_CHAIN_BEGIN_MAX)                                               \
			return -XI_PARSE_BAD;                                                      \
		return xi_ipv6_chain((void *)(long)ctx->data, (void *)(long)ctx->data_end, at,     \
				     left, run);                                                   \
	}

#define XI_CHAIN_BEGIN_MAX 128 /* Ethernet, two tags, IPv6: 62 */
#define XI_CHAIN_BYTES_MAX (XI_EXT_MAX * 2048)

XI_CHAIN(xi_xdp_chain, struct xdp_md)
XI_CHAIN(xi_skb_chain, struct __sk_buff)

static __always_inline enum xi_parse_result xi_parse_ipv6(struct xi_frame *frame,
							  struct xi_cursor *cur, struct xi_run *run)
{
	struct xi_pkt *pkt = &run->pkt;
	enum xi_parse_result res = xi_need(cur, sizeof(struct xi_ipv6_hdr));
	const struct xi_ipv6_hdr *ip = cur->pos;
	__u32 payload, at, walked;
	__u8 hop_limit;
	int end;

	if (res != XI_PARSE_OK)
		return res;
	payload = bpf_ntohs(ip->payload_len);
	/* RFC 2675, and how the stack marks a super-packet above 64 KiB. */
	if (!payload && cur->left - sizeof(*ip) > 0xffff)
		payload = cur->left - sizeof(*ip);
	if (ip->version_class >> 4 != 6 || payload > cur->left - sizeof(*ip))
		return XI_PARSE_BAD;
	pkt->family = 6;
	pkt->proto = ip->nexthdr;
	pkt->len = sizeof(*ip) + payload;
	hop_limit = ip->hop_limit;
	__builtin_memcpy(pkt->remote, ip->saddr, 16);
	__builtin_memcpy(pkt->local, ip->daddr, 16);
	if (ip->daddr[0] == 0xff)
		pkt->flags |= XI_PKT_GROUP;
	cur->left = sizeof(*ip) + payload;
	run->frag = XI_FRAG_NONE; /* it may be the second try */
	xi_skip(cur, sizeof(*ip));
	if (XI_IS_EXT(pkt->proto)) {
		at = cur->pos - frame->data;
		end = frame->xdp ? xi_xdp_chain(frame->ctx, run, at, cur->left)
				 : xi_skb_chain(frame->ctx, run, at, cur->left);
		if (end < 0)
			return -end;
		walked = end - at;
		if (walked > XI_CHAIN_BYTES_MAX)
			return XI_PARSE_BAD;
		xi_skip(cur, walked);
	}
	return xi_parse_upper(cur, run, hop_limit);
}

/*
 * Parses a frame. run->pkt
 * must be zero but for dir, and is filled as on ingress; xi_pkt_turn() makes it one
 * that leaves. XI_PKT_LOCAL_IS_ME and subnet broadcasts are the caller's to find
 * out. The MAC addresses say nothing here: who forges them (or an ARP
 * answer) must not get a packet treated as a broadcast.
 */
static __always_inline enum xi_parse_result xi_parse(struct xi_frame *frame, struct xi_run *run)
{
	struct xi_cursor cur = {.pos = frame->data, .end = frame->data_end, .left = frame->len};
	enum xi_parse_result res = xi_need(&cur, ETH_HLEN);
	const struct ethhdr *eth = cur.pos;
	__be16 proto;

	if (res != XI_PARSE_OK)
		return res;
	proto = eth->h_proto;
	xi_skip(&cur, ETH_HLEN);
#pragma unroll
	for (int i = 0; i < 2; i++) {
		const struct xi_vlan_hdr *vlan = cur.pos;

		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		res = xi_need(&cur, sizeof(*vlan));
		if (res != XI_PARSE_OK)
			return res;
		proto = vlan->proto;
		xi_skip(&cur, sizeof(*vlan));
	}
	if (proto == bpf_htons(ETH_P_IP))
		return xi_parse_ipv4(&cur, run);
	if (proto == bpf_htons(ETH_P_IPV6))
		return xi_parse_ipv6(frame, &cur, run);
	return XI_PARSE_NOT_IP;
}

/* Source and destination change sides: what was parsed is leaving. */
static __always_inline void xi_pkt_turn(struct xi_pkt *pkt)
{
	__u16 port = pkt->remote_port;
	__u64 addr[2];

	__builtin_memcpy(addr, pkt->remote, 16);
	__builtin_memcpy(pkt->remote, pkt->local, 16);
	__builtin_memcpy(pkt->local, addr, 16);
	pkt->remote_port = pkt->local_port;
	pkt->local_port = port;
}

#endif
