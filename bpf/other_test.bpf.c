// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Someone else's XDP programs, for tests: they count what they see and pass it,
 * one of them knowing frames of several buffers.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} other_seen SEC(".maps");

static __always_inline int seen(void)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&other_seen, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}

SEC("xdp")
int other_plain(struct xdp_md *ctx)
{
	return seen();
}

SEC("xdp.frags")
int other_frags(struct xdp_md *ctx)
{
	return seen();
}
