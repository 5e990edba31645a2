/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ingress, before the stack: parse, take ESP and AH for our SAs out, classify
 * the rest, act on the verdict.
 *
 * Weak spots: fragments of ESP or AH pass to the stack unless a filter blocks
 * them (nothing reassembles them for the workers yet); ESP in UDP belongs
 * behind xi_ingress_esp() and is not there yet.
 */
#include "count.bpf.h"
#include "event.bpf.h"
#include "run.bpf.h"
#include "sa.bpf.h"

static __always_inline int xi_ingress_drop(struct xi_run *run, enum xi_reason reason)
{
	xi_count_reason(run, reason);
	if (run->ctl_flags & XI_CTL_DROP_EVENTS)
		xi_event_hosts(run, XI_EVENT_DROP, reason);
	return XDP_DROP;
}

/* To the worker that serves this receive queue, or nowhere. */
static __always_inline int xi_ingress_worker(struct xi_run *run, __u32 queue)
{
	__u32 ifindex = run->ifindex;
	struct xi_iface *iface;

	iface = bpf_map_lookup_elem(&xi_iface, &ifindex);
	if (!iface || queue >= iface->queues ||
	    bpf_redirect_map(&xi_xsks, iface->xsk_base + queue, XDP_DROP) != XDP_REDIRECT)
		return xi_ingress_drop(run, XI_REASON_NO_WORKER);
	return XDP_REDIRECT;
}

/* ESP and AH to an address of ours. Returns an action, or -1: classify it. */
static __always_inline int xi_ingress_esp(struct xi_run *run, __u32 queue)
{
	struct xi_sa_in *sa = xi_sa_in_find(run);

	if (sa) {
		switch (sa->path) {
		case XI_PATH_WORKER:
			return xi_ingress_worker(run, queue);
		case XI_PATH_XFRM:
			return XDP_PASS;
		case XI_PATH_DROP:
			break;
		}
		return xi_ingress_drop(run, XI_REASON_NO_WORKER);
	}
	if (run->ctl_flags & XI_CTL_OWNS_ESP && run->list_flags & XI_LIST_NEGOTIATE) {
		xi_event_hosts(run, XI_EVENT_INVALID_SPI, XI_REASON_INVALID_SPI);
		return xi_ingress_drop(run, XI_REASON_INVALID_SPI);
	}
	return -1;
}

/* Arrived in clear although a negotiate filter covers it. */
static __always_inline int xi_ingress_clear(struct xi_run *run, bool esp)
{
	const struct xi_filter *filter;

	if (xi_unsecurable(run)) {
		xi_count_reason(run, XI_REASON_UNSECURABLE);
		return XDP_PASS;
	}
	if (esp && xi_is_fragment(run))
		return XDP_PASS;
	filter = xi_run_filter(run);
	if (filter && filter->flags & XI_F_PASSTHROUGH) {
		xi_event_hosts(run, XI_EVENT_CLEAR_ACCEPTED, XI_REASON_NONE);
		return XDP_PASS;
	}
	return xi_ingress_drop(run, XI_REASON_CLEAR_INBOUND);
}

static __always_inline int xi_ingress_verdict(struct xi_run *run, bool esp)
{
	switch (run->action) {
	case XI_ACT_NONE:
	case XI_ACT_PERMIT:
		return XDP_PASS;
	case XI_ACT_NEGOTIATE:
		return xi_ingress_clear(run, esp);
	case XI_ACT_BLOCK:
		break;
	}
	return xi_ingress_drop(run, run->orphan ? XI_REASON_FRAGMENT : XI_REASON_BLOCKED);
}

/* A global function: the verifier looks into it once and not once a caller. */
__noinline int xi_xdp_parse(struct xdp_md *ctx, struct xi_run *run)
{
	if (!run)
		return XI_PARSE_BAD;
	return xi_parse((void *)(long)ctx->data, (void *)(long)ctx->data_end,
			bpf_xdp_get_buff_len(ctx), run);
}

SEC("xdp.frags")
int xi_xdp_ingress(struct xdp_md *ctx)
{
	struct xi_run *run = xi_run_new(XI_HOOK_XDP_INGRESS, XI_DIR_IN, ctx->ingress_ifindex);
	bool loaded, esp;
	int res, action;

	if (!run)
		return XDP_DROP;
	loaded = xi_run_begin(run);
	res = xi_xdp_parse(ctx, run);
	if (res == XI_PARSE_NOT_IP)
		return XDP_PASS;
	if (res != XI_PARSE_OK) {
		run->pkt.len = bpf_xdp_get_buff_len(ctx);
		return xi_ingress_drop(run, XI_REASON_MALFORMED);
	}
	if (!loaded)
		return xi_ingress_drop(run, XI_REASON_NO_POLICY);
	xi_run_addresses(run);

	esp = (run->pkt.proto == IPPROTO_ESP || run->pkt.proto == IPPROTO_AH) &&
	      run->pkt.flags & XI_PKT_LOCAL_IS_ME;
	if (esp && !xi_is_fragment(run)) {
		action = xi_ingress_esp(run, ctx->rx_queue_index);
		if (action >= 0)
			return action;
	}

	if (xi_run_classify(run))
		return xi_ingress_drop(run, XI_REASON_NO_POLICY);
	xi_count_verdict(run);
	return xi_ingress_verdict(run, esp);
}
