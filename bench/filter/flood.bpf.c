// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Traffic made in the kernel, and the least that a filter can do. `flood` runs
 * under BPF_PROG_TEST_RUN with live frames: it gives each frame the headers of
 * the next flow and sends it into a veth. `limit` sits at the other end of one
 * of them: it finds the five fields that filters look at, and drops.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/in.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"

struct flow flows[FLOWS];
__u64 sent;
/* Gives every pass over the flows other source ports: no packet's flow was seen before. */
bool fresh;
__u32 target;

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	__be16 sport, dport;
} __attribute__((packed));

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	struct frame *frame = (void *)(long)ctx->data;
	__u64 i = sent++;
	const struct flow *flow = &flows[i % FLOWS];
	__u16 sport = flow->sport;

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	if (fresh)
		sport = 0x8000 | ((sport + i / FLOWS) & 0x7fff);
	frame->ip.saddr = flow->src;
	frame->ip.daddr = flow->dst;
	frame->ip.protocol = flow->proto;
	frame->ip.check = flow->check;
	frame->sport = bpf_htons(sport);
	frame->dport = bpf_htons(flow->dport);
	return bpf_redirect(target, 0);
}

/* What was found, so that nothing of it is optimised away. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow);
} seen SEC(".maps");

SEC("xdp")
int limit(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct flow *last;
	__be16 *ports;
	__u32 zero = 0;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4 ||
	    ip->ihl < 5)
		return XDP_PASS;
	ports = (void *)ip + ip->ihl * 4;
	if ((void *)(ports + 2) > end)
		return XDP_PASS;
	if (ip->protocol != IPPROTO_UDP || ip->frag_off & bpf_htons(0x1fff))
		return XDP_PASS;
	last = bpf_map_lookup_elem(&seen, &zero);
	if (!last)
		return XDP_PASS;
	last->src = ip->saddr;
	last->dst = ip->daddr;
	last->proto = ip->protocol;
	last->sport = ports[0];
	last->dport = ports[1];
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
