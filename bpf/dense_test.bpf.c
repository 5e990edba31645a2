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

#include "classify.bpf.h"
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
__u32 best;	   /* only better ranks count */

static int dense_step(__u32 i, void *unused)
{
	struct xi_pkt *pkt = bpf_map_lookup_elem(&xi_trace, &i);
	__u64 *answer = bpf_map_lookup_elem(&xi_answers, &i);

	if (!answer || !pkt)
		return 1;
	*answer = xi_dense_find(pkt, dense_index, best);
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
