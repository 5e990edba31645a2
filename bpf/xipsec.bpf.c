// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is attached: one short program a hook, which jumps to the program of the
 * active filter list (xipsec_list.bpf.c). This object also makes every map that
 * outlives a list.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "stub.bpf.h"

/* Loaded with BPF_F_XDP_HAS_FRAGS, and by libxdp without. */
SEC("xdp")
int xi_xdp_ingress(struct xdp_md *ctx)
{
	const struct ethhdr *eth;
	void *data, *data_end;
	bool ip;

	bpf_tail_call(ctx, &xi_xdp_slots, xi_stub_index(XI_HOOK_XDP_INGRESS));
	/* Not sooner: to a verifier of today the jump changes the packet. */
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	eth = data;
	ip = data + sizeof(*eth) > data_end || xi_stub_is_ip(eth->h_proto);
	xi_stub_note(XI_HOOK_XDP_INGRESS, ctx->ingress_ifindex, data_end - data, ip);
	return ip ? XDP_DROP : XDP_PASS;
}

#define XI_TC_STUB(name, hook)                                                                     \
	SEC("tc")                                                                                  \
	int name(struct __sk_buff *skb)                                                            \
	{                                                                                          \
		bpf_tail_call(skb, &xi_tc_slots, xi_stub_index(hook));                             \
		return xi_stub_skb(skb, hook);                                                     \
	}

XI_TC_STUB(xi_tc_egress, XI_HOOK_TC_EGRESS)
XI_TC_STUB(xi_tc_inject, XI_HOOK_TC_INJECT)
XI_TC_STUB(xi_tc_ingress, XI_HOOK_TC_INGRESS)

char _license[] SEC("license") = "Dual BSD/GPL";
