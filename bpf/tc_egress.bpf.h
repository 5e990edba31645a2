/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Egress, after the stack: parse, classify, and send what must be protected to
 * the worker's TAP whole, with its GSO shape and its unfinished checksum.
 *
 * IKE passes by its exemption filters; the worker's own ESP leaves through
 * AF_XDP below this hook. Whatever passes is left to the next TC program.
 *
 * Weak spot: the stack fragments above this hook, and ESP in transport mode
 * takes no fragments (RFC 4303 3.3.4): those that need protection are dropped.
 */
#include "count.bpf.h"
#include "event.bpf.h"
#include "run.bpf.h"
#include "sa.bpf.h"
#include "sample.bpf.h"
#include "skb.bpf.h"

/* With struct xi_tap_mark over the source address, which the worker puts back. */
static __always_inline int xi_egress_worker(struct __sk_buff *skb, struct xi_run *run, __u32 sa_id)
{
	struct xi_tap_mark mark = {.magic = {XI_TAP_MAGIC0, XI_TAP_MAGIC1}};
	__u32 ifindex = run->ifindex, wire = bpf_htonl(sa_id);
	struct xi_iface *iface;

	iface = bpf_map_lookup_elem(&xi_iface, &ifindex);
	if (!iface || !iface->tap_ifindex)
		return xi_skb_drop(run, XI_REASON_NO_WORKER);
	__builtin_memcpy(mark.sa_id, &wire, sizeof(wire));
	if (bpf_skb_store_bytes(skb, ETH_ALEN, &mark, sizeof(mark), 0))
		return xi_skb_drop(run, XI_REASON_NO_WORKER);
	if (sa_id == XI_SA_HOLD)
		xi_count_reason(run, XI_REASON_HELD);
	return bpf_redirect(iface->tap_ifindex, 0);
}

static __always_inline int xi_egress_protect(struct __sk_buff *skb, struct xi_run *run)
{
	struct xi_sa_out *sa;

	if (xi_unsecurable(run)) {
		xi_count_reason(run, XI_REASON_UNSECURABLE);
		return XI_SKB_PASS;
	}
	if (xi_is_fragment(run))
		return xi_skb_drop(run, XI_REASON_FRAGMENT);
	sa = xi_sa_out_find(run);
	if (!sa) {
		xi_event_need_sa(run, XI_REASON_HELD);
		return xi_egress_worker(skb, run, XI_SA_HOLD);
	}
	switch (sa->path) {
	case XI_PATH_WORKER:
		return xi_egress_worker(skb, run, sa->sa_id);
	case XI_PATH_XFRM:
		return XI_SKB_PASS;
	case XI_PATH_DROP:
		break;
	}
	return xi_skb_drop(run, XI_REASON_NO_WORKER);
}

static __always_inline int xi_egress_verdict(struct __sk_buff *skb, struct xi_run *run)
{
	switch (run->action) {
	case XI_ACT_NONE:
	case XI_ACT_PERMIT:
		return XI_SKB_PASS;
	case XI_ACT_NEGOTIATE:
		return xi_egress_protect(skb, run);
	case XI_ACT_BLOCK:
		break;
	}
	return xi_skb_drop(run,
			   run->frag == XI_FRAG_UNDECIDED ? XI_REASON_FRAGMENT : XI_REASON_BLOCKED);
}

static __always_inline int xi_egress(struct __sk_buff *skb, struct xi_run *run)
{
	bool loaded;
	int res;

	loaded = xi_run_begin(run);
	res = xi_skb_parse(skb, run);
	if (res == XI_PARSE_NOT_IP)
		return XI_SKB_PASS;
	if (res != XI_PARSE_OK) {
		run->pkt.len = skb->len;
		return xi_skb_drop(run, XI_REASON_MALFORMED);
	}
	xi_pkt_turn(&run->pkt);
	if (!loaded)
		return xi_skb_drop(run, XI_REASON_NO_POLICY);
	xi_run_addresses(run);
	if (xi_run_classify(run))
		return xi_skb_drop(run, XI_REASON_NO_POLICY);
	xi_count_verdict(run);
	return xi_egress_verdict(skb, run);
}

SEC("tc")
int xi_egress_list(struct __sk_buff *skb)
{
	struct xi_run *run = xi_run_new(XI_HOOK_TC_EGRESS, XI_DIR_OUT, skb->ifindex);

	return run ? xi_skb_sampled(skb, run, XI_HOOK_TC_EGRESS, xi_egress(skb, run)) : TC_ACT_SHOT;
}
