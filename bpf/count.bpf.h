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

/* One hit of the filter whose counters are at `index`. */
static __always_inline void xi_count_hit(__u32 index, const struct xi_hit *hit, bool shared)
{
	struct xi_filter_count *count = xi_at(xi_counts, index);

	if (!count)
		return;
	if (shared) {
		__sync_fetch_and_add(&count->hits.packets, 1);
		__sync_fetch_and_add(&count->hits.bytes, hit->bytes);
	} else {
		count->hits.packets++;
		count->hits.bytes += hit->bytes;
	}
	/* Only in shared rows, and from logs, can an earlier hit come later. */
	if (count->hits.last_ns < hit->ns)
		count->hits.last_ns = hit->ns;
}

/*
 * A full log goes to the counters whose row begins at `row`. None of the sixteen
 * loads waits for another: that is what the log is for. Global: verified once.
 */
__noinline int xi_hit_log_empty(struct xi_hit_log *log, __u32 row, __u32 shared)
{
	if (!log)
		return -EINVAL;
	log->rounds++;
	barrier();
	for (int i = 0; i < XI_HIT_LOG; i++)
		xi_count_hit(row + log->hit[i].filter_idx, &log->hit[i], shared);
	barrier();
	log->held = 0;
	barrier();
	log->rounds++;
	return 0;
}

/* Readers look at xi_hit_log.held: it follows what it speaks of. */
static __always_inline void xi_hit_log_add(__u32 cpu, const struct xi_hit *hit, __u32 row,
					   bool shared)
{
	struct xi_hit_log *log = xi_at(xi_hit_log, cpu);
	__u32 at;

	if (!log)
		return;
	at = log->held & (XI_HIT_LOG - 1);
	log->hit[at] = *hit;
	barrier();
	log->held = at + 1;
	if (at == XI_HIT_LOG - 1)
		xi_hit_log_empty(log, row, shared);
}

static __always_inline void xi_count_filter(const struct xi_run *run)
{
	struct xi_hit hit = {.filter_idx = run->filter_idx, .bytes = run->pkt.len};
	__u32 cpu = bpf_get_smp_processor_id(), row = cpu;
	bool shared = run->list_flags & XI_LIST_SHARED;

	if (hit.filter_idx >= run->filters)
		return;
	if (shared)
		row &= XI_SHARED_ROWS - 1;
	row *= run->filters;
	hit.ns = XI_COUNT_NOW();
	if (run->list_flags & XI_LIST_HIT_LOG)
		xi_hit_log_add(cpu, &hit, row, shared);
	else
		xi_count_hit(row + hit.filter_idx, &hit, shared);
}

/* Once a packet, when the classifier has decided. */
static __always_inline void xi_count_verdict(const struct xi_run *run)
{
	xi_count_total(run);
	xi_count_filter(run);
}

#endif
