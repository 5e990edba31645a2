/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ingress, before the stack: parse, decide (ingress.bpf.h), act. ESP for a worker
 * goes to its AF_XDP socket from here.
 */
#include "ingress.bpf.h"
#include "sample.bpf.h"

/* To the worker that serves this receive queue, or nowhere. */
static __always_inline int xi_ingress_worker(struct xi_run *run, __u32 queue)
{
	__u32 ifindex = run->ifindex;
	struct xi_iface *iface;

	iface = bpf_map_lookup_elem(&xi_iface, &ifindex);
	if (!iface || queue >= iface->queues ||
	    bpf_redirect_map(&xi_xsks, iface->xsk_base + queue, XDP_DROP) != XDP_REDIRECT) {
		xi_ingress_drop(run, XI_REASON_NO_WORKER);
		return XDP_DROP;
	}
	return XDP_REDIRECT;
}

/* A global function: the verifier looks into it once and not once a caller. */
__noinline int xi_xdp_parse(struct xdp_md *ctx, struct xi_run *run)
{
	struct xi_frame frame = {
		.ctx = ctx,
		.data = (void *)(long)ctx->data,
		.data_end = (void *)(long)ctx->data_end,
		.len = bpf_xdp_get_buff_len(ctx),
		.xdp = true,
	};

	return run ? xi_parse(&frame, run) : XI_PARSE_BAD;
}

/* Is a fragment's frame for the MAC address of the interface itself? */
static __always_inline bool xi_xdp_to_host(struct xdp_md *ctx, const struct xi_run *run)
{
	const struct ethhdr *eth = (void *)(long)ctx->data;
	const __u8 *mac;
	struct xi_iface *iface;
	__u32 ifindex = run->ifindex;

	iface = bpf_map_lookup_elem(&xi_iface, &ifindex);
	if (!iface || (void *)(eth + 1) > (void *)(long)ctx->data_end)
		return false;
	mac = iface->mac;
	for (int i = 0; i < ETH_ALEN; i++)
		if (eth->h_dest[i] != mac[i])
			return false;
	return eth->h_proto == bpf_htons(ETH_P_IP) || eth->h_proto == bpf_htons(ETH_P_IPV6);
}

static __always_inline int xi_xdp_run(struct xdp_md *ctx, struct xi_run *run)
{
	bool loaded = xi_run_begin(run);
	int res = xi_xdp_parse(ctx, run);

	if (xi_is_fragment(run))
		run->to_host = xi_xdp_to_host(ctx, run);
	switch (xi_ingress(run, loaded, res, bpf_xdp_get_buff_len(ctx))) {
	case XI_FATE_PASS:
		return XDP_PASS;
	case XI_FATE_WORKER:
		return xi_ingress_worker(run, ctx->rx_queue_index);
	case XI_FATE_DROP:
	case XI_FATE_CLASSIFY:
		break;
	}
	return XDP_DROP;
}

/* Loaded with BPF_F_XDP_HAS_FRAGS, and without for libxdp's dispatcher. */
SEC("xdp")
int xi_ingress_list(struct xdp_md *ctx)
{
	struct xi_run *run = xi_run_new(XI_HOOK_XDP_INGRESS, XI_DIR_IN, ctx->ingress_ifindex);

	return run ? xi_xdp_sampled(ctx, run, xi_xdp_run(ctx, run)) : XDP_DROP;
}
