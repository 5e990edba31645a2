/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ingress at the door of the stack, where XDP cannot be had (no driver support,
 * or a program of someone else that does not share): the same decisions, later.
 * GRO has been at work, so a packet may be a super-packet.
 *
 * Weak spot: AF_XDP sockets are out of reach from here, so ESP for a worker is
 * dropped and counted; an interface that needs it needs XDP.
 */
#include "ingress.bpf.h"
#include "sample.bpf.h"
#include "skb.bpf.h"

#define XI_PACKET_HOST 0 /* linux/if_packet.h: for the interface's own MAC address */

static __always_inline int xi_tc_run(struct __sk_buff *skb, struct xi_run *run)
{
	bool loaded = xi_run_begin(run);
	int res = xi_skb_parse(skb, run);

	if (xi_is_fragment(run))
		run->to_host = skb->pkt_type == XI_PACKET_HOST && !skb->vlan_present &&
			       (skb->protocol == bpf_htons(ETH_P_IP) ||
				skb->protocol == bpf_htons(ETH_P_IPV6));
	switch (xi_ingress(run, loaded, res, skb->len)) {
	case XI_FATE_PASS:
		return XI_SKB_PASS;
	case XI_FATE_WORKER:
		return xi_skb_drop(run, XI_REASON_NO_WORKER);
	case XI_FATE_DROP:
	case XI_FATE_CLASSIFY:
		break;
	}
	return TC_ACT_SHOT;
}

SEC("tc")
int xi_in_skb_list(struct __sk_buff *skb)
{
	struct xi_run *run = xi_run_new(XI_HOOK_TC_INGRESS, XI_DIR_IN, skb->ifindex);

	return run ? xi_skb_sampled(skb, run, XI_HOOK_TC_INGRESS, xi_tc_run(skb, run))
		   : TC_ACT_SHOT;
}
