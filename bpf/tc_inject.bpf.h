/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ingress of a worker's TAP: what came out of ESP meets the filter list once
 * more, as inbound traffic (RFC 4301 5.2). Protection was had, so a negotiate
 * filter is content; a block filter is not.
 */
#include "count.bpf.h"
#include "run.bpf.h"
#include "sample.bpf.h"
#include "skb.bpf.h"

static __always_inline int xi_inject(struct __sk_buff *skb, struct xi_run *run)
{
	bool loaded = xi_run_begin(run);

	if (xi_skb_parse(skb, run) != XI_PARSE_OK) {
		run->pkt.len = skb->len;
		return xi_skb_drop(run, XI_REASON_MALFORMED);
	}
	if (!loaded)
		return xi_skb_drop(run, XI_REASON_NO_POLICY);
	xi_run_addresses(run);
	if (xi_run_classify(run))
		return xi_skb_drop(run, XI_REASON_NO_POLICY);
	/* From here it goes nowhere but to our own stack. */
	run->to_host = 1;
	if (xi_is_fragment(run) && xi_frag_goes_up(run) &&
	    (run->frag == XI_FRAG_UNDECIDED || run->action != XI_ACT_BLOCK)) {
		xi_frag_mark(run, XI_FRAG_PROTECTED);
		xi_count_reason(run, XI_REASON_REASSEMBLY);
		return XI_SKB_PASS;
	}
	xi_count_verdict(run);
	if (run->action == XI_ACT_BLOCK)
		return xi_skb_drop(run, XI_REASON_SECURED_BLOCKED);
	return XI_SKB_PASS;
}

SEC("tc")
int xi_inject_list(struct __sk_buff *skb)
{
	struct xi_run *run = xi_run_new(XI_HOOK_TC_INJECT, XI_DIR_IN, skb->ifindex);

	return run ? xi_skb_sampled(skb, run, XI_HOOK_TC_INJECT, xi_inject(skb, run)) : TC_ACT_SHOT;
}
