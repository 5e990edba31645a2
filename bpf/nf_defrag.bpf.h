/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a packet at a netfilter hook: there is an skb without Ethernet header,
 * seen through kernel types, and its bytes come by copy. The kernel has checked
 * the IP header and put the fragments together; what follows is read as strictly
 * as by parse.bpf.h, so that a packet in pieces means what it means whole.
 *
 * The types are those members that are read, found by BTF where this kernel has them.
 */
#ifndef XI_NF_DEFRAG_BPF_H
#define XI_NF_DEFRAG_BPF_H

#include <bpf/bpf_core_read.h>

#include "parse.bpf.h"

#define XI_NF_DROP   0
#define XI_NF_ACCEPT 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct net_device {
	int ifindex;
};

struct sk_buff {
	unsigned int len;
	char cb[48];
	__u8 ignore_df : 1;
};

struct nf_hook_state {
	__u8 pf;
	struct net_device *in;
};

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
};

/* What the IP layers keep in skb->cb. */
struct inet_skb_parm {
	__u16 frag_max_size;
};

struct inet6_skb_parm {
	__u16 frag_max_size;
};
#pragma clang attribute pop

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags,
			       struct bpf_dynptr *ret) __ksym __weak;
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#define XI_NF_PF_INET  2
#define XI_NF_LOOPBACK 1 /* ifindex of lo in every namespace */

/* Was this packet put together from fragments, by the hook before us or by act_ct? */
static __always_inline bool xi_nf_reassembled(const struct bpf_nf_ctx *ctx)
{
	const struct sk_buff *skb = ctx->skb;
	const struct inet6_skb_parm *cb6;
	const struct inet_skb_parm *cb4;

	if (BPF_CORE_READ_BITFIELD(skb, ignore_df))
		return true;
	if (ctx->state->pf == XI_NF_PF_INET) {
		cb4 = bpf_rdonly_cast(skb->cb, bpf_core_type_id_kernel(struct inet_skb_parm));
		return cb4->frag_max_size;
	}
	cb6 = bpf_rdonly_cast(skb->cb, bpf_core_type_id_kernel(struct inet6_skb_parm));
	return cb6->frag_max_size;
}

/* A copy of up to 40 bytes: an IP header, or less. */
union xi_nf_bytes {
	struct xi_ipv4_hdr ip4;
	struct xi_ipv6_hdr ip6;
	struct xi_ipv6_ext ext;
	__u8 raw[40];
};

/* Ports, type or SPI of what lies at `at`; `left` bytes of it are there. */
static __always_inline enum xi_parse_result xi_nf_upper(const struct bpf_dynptr *skb, __u32 at,
							__u32 left, struct xi_run *run)
{
	struct xi_pkt *pkt = &run->pkt;
	__u32 least = xi_upper_len[pkt->proto];
	__u8 bytes[8];

	if (!least)
		return XI_PARSE_OK;
	if (left < least)
		return XI_PARSE_BAD;
	/* Of what is shorter than eight (ICMP) the type is enough. */
	if (bpf_dynptr_read(bytes, 4, skb, at, 0))
		return XI_PARSE_BAD;
	if (pkt->proto == IPPROTO_ICMP || pkt->proto == XI_PROTO_ICMP6) {
		pkt->icmp_type = bytes[0];
		pkt->icmp_code = bytes[1];
		return XI_PARSE_OK;
	}
	if (pkt->proto == IPPROTO_ESP) {
		__builtin_memcpy(run->spi, bytes, 4);
	} else if (pkt->proto == IPPROTO_AH) {
		if (bpf_dynptr_read(run->spi, 4, skb, at + 4, 0))
			return XI_PARSE_BAD;
	} else {
		pkt->remote_port = bytes[0] << 8 | bytes[1];
		pkt->local_port = bytes[2] << 8 | bytes[3];
	}
	return XI_PARSE_OK;
}

static __always_inline enum xi_parse_result xi_nf_ipv4(const struct bpf_dynptr *skb, __u32 len,
						       struct xi_run *run)
{
	struct xi_pkt *pkt = &run->pkt;
	union xi_nf_bytes bytes;
	const struct xi_ipv4_hdr *ip = &bytes.ip4;
	__u32 header, total;

	if (bpf_dynptr_read(bytes.raw, sizeof(*ip), skb, 0, 0))
		return XI_PARSE_BAD;
	header = (ip->version_ihl & 0xf) * 4;
	total = bpf_ntohs(ip->tot_len);
	pkt->family = 4;
	pkt->proto = ip->protocol;
	pkt->len = total;
	__builtin_memcpy(pkt->remote, ip->saddr, 4);
	__builtin_memcpy(pkt->local, ip->daddr, 4);
	if ((ip->daddr[0] & 0xf0) == 0xe0 ||
	    (ip->daddr[0] & ip->daddr[1] & ip->daddr[2] & ip->daddr[3]) == 0xff)
		pkt->flags |= XI_PKT_GROUP;
	run->frag_ident = ip->id;
	/* Still a fragment? Then it did not come the way that leads here. */
	if (bpf_ntohs(ip->frag_off) & (XI_IPV4_MF | XI_IPV4_OFFSET) || total > len ||
	    header < sizeof(*ip) || header > total)
		return XI_PARSE_BAD;
	return xi_nf_upper(skb, header, total - header, run);
}

static __always_inline enum xi_parse_result xi_nf_ipv6(const struct bpf_dynptr *skb, __u32 len,
						       struct xi_run *run)
{
	struct xi_pkt *pkt = &run->pkt;
	union xi_nf_bytes bytes;
	__u32 at = sizeof(struct xi_ipv6_hdr), total;

	if (bpf_dynptr_read(bytes.raw, sizeof(bytes.ip6), skb, 0, 0))
		return XI_PARSE_BAD;
	total = at + bpf_ntohs(bytes.ip6.payload_len);
	pkt->family = 6;
	pkt->proto = bytes.ip6.nexthdr;
	pkt->len = total;
	__builtin_memcpy(pkt->remote, bytes.ip6.saddr, 16);
	__builtin_memcpy(pkt->local, bytes.ip6.daddr, 16);
	if (bytes.ip6.daddr[0] == 0xff)
		pkt->flags |= XI_PKT_GROUP;
	if (total > len)
		return XI_PARSE_BAD;
	for (int i = 0; i <= XI_EXT_MAX; i++) {
		if (!XI_IS_EXT(pkt->proto))
			return xi_nf_upper(skb, at, total - at, run);
		/* The kernel has taken the fragment header out: another one is one too many. */
		if (i == XI_EXT_MAX || pkt->proto == XI_PROTO_FRAGMENT || at + 8 > total ||
		    bpf_dynptr_read(bytes.raw, sizeof(bytes.ext), skb, at, 0))
			return XI_PARSE_BAD;
		pkt->proto = bytes.ext.nexthdr;
		at += 8 + bytes.ext.len * 8;
		if (at > total)
			return XI_PARSE_BAD;
	}
	return XI_PARSE_BAD;
}

/*
 * Fills run->pkt as xi_parse() does for the frame of the whole packet. Not inline: its
 * stack would be below the classifier's.
 */
static __noinline enum xi_parse_result xi_nf_parse(struct bpf_nf_ctx *ctx, struct xi_run *run)
{
	struct bpf_dynptr skb;

	if (bpf_dynptr_from_skb((struct __sk_buff *)ctx->skb, 0, &skb))
		return XI_PARSE_BAD;
	if (ctx->state->pf == XI_NF_PF_INET)
		return xi_nf_ipv4(&skb, ctx->skb->len, run);
	return xi_nf_ipv6(&skb, ctx->skb->len, run);
}

#endif
