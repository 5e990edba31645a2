// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The classifier alone, for tests and benchmarks: classifies the first `count`
 * packets of xi_trace and leaves the answers in xi_answers. Beside it the
 * yardstick of the benchmark: one lookup in a hash map of the same size.
 */
#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "classify.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct xi_answer {
	struct xi_verdict verdict;
	__s32 err;
	__u32 pad;
};

/* What an exact-match filter would hash: a five-tuple, IPv4. */
struct xi_tuple {
	__u8 remote[4], local[4];
	__u16 remote_port, local_port;
	__u8 proto;
	__u8 pad[3];
};

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
	__type(value, struct xi_answer);
} xi_answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct xi_tuple);
	__type(value, struct xi_verdict);
} xi_tuples SEC(".maps");

__u32 count; /* packets of the trace to classify */
__u64 found; /* of the yardstick */

static int classify_step(__u32 i, void *unused)
{
	struct xi_answer *answer = bpf_map_lookup_elem(&xi_answers, &i);
	struct xi_pkt *pkt = bpf_map_lookup_elem(&xi_trace, &i);

	if (!answer || !pkt)
		return 1;
	answer->err = xi_classify(pkt, &answer->verdict);
	return 0;
}

/* What the loop itself and reading the packet cost: the floor of all figures. */
static int empty_step(__u32 i, void *unused)
{
	struct xi_answer *answer = bpf_map_lookup_elem(&xi_answers, &i);
	struct xi_pkt *pkt = bpf_map_lookup_elem(&xi_trace, &i);

	if (!answer || !pkt)
		return 1;
	answer->err = pkt->remote_port;
	return 0;
}

SEC("tc")
int empty_many(struct __sk_buff *skb)
{
	bpf_loop(count, empty_step, NULL, 0);
	return 0;
}

SEC("tc")
int classify_many(struct __sk_buff *skb)
{
	bpf_loop(count, classify_step, NULL, 0);
	return 0;
}

static int tuple_step(__u32 i, void *unused)
{
	struct xi_pkt *pkt = bpf_map_lookup_elem(&xi_trace, &i);
	struct xi_tuple tuple = {};

	if (!pkt)
		return 1;
	__builtin_memcpy(tuple.remote, pkt->remote, 4);
	__builtin_memcpy(tuple.local, pkt->local, 4);
	tuple.remote_port = pkt->remote_port;
	tuple.local_port = pkt->local_port;
	tuple.proto = pkt->proto;
	if (bpf_map_lookup_elem(&xi_tuples, &tuple))
		found++;
	return 0;
}

SEC("tc")
int lookup_many(struct __sk_buff *skb)
{
	bpf_loop(count, tuple_step, NULL, 0);
	return 0;
}
