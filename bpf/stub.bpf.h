/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the attached programs have in common: they read which slot is active, once,
 * and jump to the program of that slot, which does not come back. They know
 * nothing of filters and stay where they are attached while lists, tables and
 * the programs behind them come and go.
 *
 * If the jump fails there is no list: nothing passes but what is no IP.
 */
#ifndef XI_STUB_BPF_H
#define XI_STUB_BPF_H

#include <stdbool.h>

#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>

#include "maps.bpf.h"

/* Of the program that is to run now at this hook. */
static __always_inline __u32 xi_stub_index(enum xi_hook hook)
{
	struct xi_ctl *ctl;
	__u32 zero = 0;

	ctl = bpf_map_lookup_elem(&xi_ctl, &zero);
	return XI_PROG_INDEX(hook, ctl ? *(volatile __u32 *)&ctl->active & 1 : 0);
}

static __always_inline bool xi_stub_is_ip(__be16 proto)
{
	return proto == bpf_htons(ETH_P_IP) || proto == bpf_htons(ETH_P_IPV6) ||
	       proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

/* Accounts for a packet that no list could be asked about. */
static __always_inline void xi_stub_note(enum xi_hook hook, __u32 ifindex, __u32 len, bool ip)
{
	__u32 index = hook, zero = 0;
	struct xi_reason_counts *counts;
	struct xi_run *run;

	run = bpf_map_lookup_elem(&xi_run, &index);
	counts = bpf_map_lookup_elem(&xi_reasons, &zero);
	if (!run || !counts)
		return;
	__builtin_memset(run, 0, sizeof(*run));
	run->ifindex = ifindex;
	run->filter_idx = XI_NO_FILTER;
	if (!ip)
		return;
	run->reason = XI_REASON_NO_POLICY;
	counts->NO_POLICY.packets++;
	counts->NO_POLICY.bytes += len;
}

static __always_inline int xi_stub_skb(struct __sk_buff *skb, enum xi_hook hook)
{
	bool ip = xi_stub_is_ip(skb->protocol);

	xi_stub_note(hook, skb->ifindex, skb->len, ip);
	return ip ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

#endif
