// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The worst-case engine alone, for its tests and benchmark: asks dense list
 * `dense_index` about the first `count` packets of xi_trace and leaves the answers
 * in xi_answers.
 */
#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "dense.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TRACE_MAX (1 << 17)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TRACE_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct xi_pkt);
} xi_trace SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TRACE_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} xi_answers SEC(".maps");

__u32 count;	   /* packets of the trace to ask about */
__u32 dense_index; /* which list */

static int dense_step(__u32 i, void *unused)
{
	struct xi_pkt *pkt = bpf_map_lookup_elem(&xi_trace, &i);
	__u64 *answer = bpf_map_lookup_elem(&xi_answers, &i);

	struct xi_dense_addrs addrs;
	__u64 ports = 0;
	__u32 who;

	if (!answer || !pkt)
		return 1;
	if (pkt->flags & XI_PKT_LATER_FRAG)
		ports = 0;
	else if (pkt->proto == XI_ICMP || pkt->proto == XI_ICMPV6)
		ports = (__u64)(pkt->icmp_type << 8 | pkt->icmp_code) << 32;
	else
		ports = pkt->remote_port | (__u64)pkt->local_port << 16;
	who = pkt->proto | (pkt->flags & XI_PKT_LOCAL_IS_ME ? XI_DENSE_ME : 0);
	if (pkt->family == 6) {
		__builtin_memcpy(addrs.word, pkt->remote, 16);
		__builtin_memcpy(addrs.word + 2, pkt->local, 16);
		*answer = xi_dense_find6(dense_index, &addrs, ports, who);
	} else {
		*answer = xi_dense_find4(dense_index,
					 *(const __u32 *)pkt->remote |
						 (__u64) * (const __u32 *)pkt->local << 32,
					 ports, who);
	}
	return 0;
}

SEC("tc")
int dense_many(struct __sk_buff *skb)
{
	bpf_loop(count, dense_step, NULL, 0);
	return 0;
}

/* The same for a list of rectangles. */
static int rects_step(__u32 i, void *unused)
{
	struct xi_pkt *pkt = bpf_map_lookup_elem(&xi_trace, &i);
	__u64 *answer = bpf_map_lookup_elem(&xi_answers, &i);

	if (!answer || !pkt)
		return 1;
	*answer = xi_dense_rects(dense_index, pkt->remote_port, pkt->local_port);
	return 0;
}

SEC("tc")
int rects_many(struct __sk_buff *skb)
{
	bpf_loop(count, rects_step, NULL, 0);
	return 0;
}
