/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting. Every element is written by one CPU only (programs run with
 * bottom halves off), so plain additions do; but for filters on hosts with so many
 * CPUs that they share. A GSO super-packet counts as one
 * packet with all its bytes.
 */
#ifndef XI_COUNT_BPF_H
#define XI_COUNT_BPF_H

#include "maps.bpf.h"
#include "run.bpf.h"

/* The clock of the last tick costs a third of the exact one, but not all hooks have it. */
#ifndef XI_COUNT_NOW
#define XI_COUNT_NOW bpf_ktime_get_coarse_ns
#endif

static __always_inline void xi_add(struct xi_count *count, __u32 bytes)
{
	count->packets++;
	count->bytes += bytes;
}

/* What became of this packet, beside its verdict. */
static __always_inline void xi_count_reason(struct xi_run *run, enum xi_reason reason)
{
	struct xi_reason_counts *all;
	__u32 zero = 0;

	run->reason = reason;
	all = bpf_map_lookup_elem(&xi_reasons, &zero);
	if (!all || reason >= XI_REASON_MAX)
		return;
	xi_add((struct xi_count *)all + reason, run->pkt.len);
}

static __always_inline void xi_count_total(const struct xi_run *run)
{
	__u32 zero = 0, bytes = run->pkt.len;
	bool in = run->pkt.dir == XI_DIR_IN;
	struct xi_totals *totals;

	totals = bpf_map_lookup_elem(&xi_totals, &zero);
	if (!totals)
		return;
	switch (run->action) {
	case XI_ACT_NONE:
		xi_add(in ? &totals->in_none : &totals->out_none, bytes);
		break;
	case XI_ACT_PERMIT:
		xi_add(in ? &totals->in_permit : &totals->out_permit, bytes);
		break;
	case XI_ACT_BLOCK:
		xi_add(in ? &totals->in_block : &totals->out_block, bytes);
		break;
	case XI_ACT_NEGOTIATE:
		xi_add(in ? &totals->in_secure : &totals->out_secure, bytes);
		break;
	}
}

static __always_inline void xi_count_filter(const struct xi_run *run)
{
	struct xi_filter_count *count;
	__u32 index = run->filter_idx, row = bpf_get_smp_processor_id();

	if (index >= run->filters)
		return;
	if (run->list_flags & XI_LIST_SHARED)
		row &= XI_SHARED_ROWS - 1;
	index += row * run->filters;
	count = bpf_map_lookup_elem(&xi_counts, &index);
	if (!count)
		return;
	if (run->list_flags & XI_LIST_SHARED) {
		__sync_fetch_and_add(&count->hits.packets, 1);
		__sync_fetch_and_add(&count->hits.bytes, run->pkt.len);
	} else {
		count->hits.packets++;
		count->hits.bytes += run->pkt.len;
	}
	count->hits.last_ns = XI_COUNT_NOW();
}

/* Once a packet, when the classifier has decided. */
static __always_inline void xi_count_verdict(const struct xi_run *run)
{
	xi_count_total(run);
	xi_count_filter(run);
}

#endif
