// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The classifier alone, for tests and benchmarks: the packet's data is a struct
 * xi_pkt, the answer is left in the map xi_answer.
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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xi_answer);
} xi_answer SEC(".maps");

SEC("tc")
int classify_one(struct __sk_buff *skb)
{
	struct xi_answer *answer;
	struct xi_pkt pkt;
	__u32 zero = 0;

	answer = bpf_map_lookup_elem(&xi_answer, &zero);
	if (!answer)
		return 1;
	answer->err = bpf_skb_load_bytes(skb, 0, &pkt, sizeof(pkt));
	if (answer->err)
		return 1;
	answer->err = xi_classify(&pkt, 0, &answer->verdict);
	return 0;
}
