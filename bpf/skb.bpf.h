/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the two TC hooks share: reading an skb, letting it go, dropping it. */
#ifndef XI_SKB_BPF_H
#define XI_SKB_BPF_H

#include <linux/pkt_cls.h>

#include "count.bpf.h"
#include "event.bpf.h"
#include "run.bpf.h"

/* Ethernet, two tags, the longest IPv4 header and ports; most IPv6 chains. */
#define XI_PULL_BYTES 256

static __always_inline int xi_skb_drop(struct xi_run *run, enum xi_reason reason)
{
	xi_count_reason(run, reason);
	if (run->ctl_flags & XI_CTL_DROP_EVENTS)
		xi_event_hosts(run, XI_EVENT_DROP, reason);
	return TC_ACT_SHOT;
}

/* The next program of the chain, if any, decides on. */
#define XI_SKB_PASS TC_ACT_UNSPEC

/* A global function: the verifier looks into it once and not once a caller. */
__noinline int xi_skb_parse_linear(struct __sk_buff *skb, struct xi_run *run)
{
	struct xi_frame frame = {
		.ctx = skb,
		.data = (void *)(long)skb->data,
		.data_end = (void *)(long)skb->data_end,
		.len = skb->len,
	};

	return run ? xi_parse(&frame, run) : XI_PARSE_BAD;
}

/* Parses; if the headers are not in the linear part, once more with them there. */
static __always_inline int xi_skb_parse(struct __sk_buff *skb, struct xi_run *run)
{
	struct xi_pkt blank = {.dir = run->pkt.dir};
	int res;

	res = xi_skb_parse_linear(skb, run);
	if (res != XI_PARSE_SHORT)
		return res;
	if (bpf_skb_pull_data(skb, skb->len < XI_PULL_BYTES ? skb->len : XI_PULL_BYTES))
		return XI_PARSE_BAD;
	run->pkt = blank;
	return xi_skb_parse_linear(skb, run);
}

#endif
