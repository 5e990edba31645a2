/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading what the programs count, summed over the CPUs, and carrying the counters
 * of the filters that stay (same.c) over to the next list.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/internal.h"
#include "datapath/same.h"

/* Above this the CPUs share rows. Tests set it. */
size_t dp_counts_budget = 64u << 20;

/* A row up to this stays in the caches near its CPU: no log of hits. Tests set it. */
size_t dp_counts_near = 256u << 10;

/* Rows that programs write to. */
static size_t live_rows(size_t filters, bool *ret_shared)
{
	int cpus = libbpf_num_possible_cpus();
	size_t rows = cpus > 0 ? cpus : 1;

	*ret_shared = rows * filters * sizeof(struct xi_filter_count) > dp_counts_budget;
	return *ret_shared && rows > XI_SHARED_ROWS ? XI_SHARED_ROWS : rows;
}

size_t dp_counts_rows(size_t filters)
{
	bool shared;

	return live_rows(filters, &shared) + 1;
}

uint32_t dp_counts_flags(size_t filters)
{
	bool shared, far = filters * sizeof(struct xi_filter_count) > dp_counts_near;

	live_rows(filters, &shared);
	return (shared ? XI_LIST_SHARED : 0) | (far ? XI_LIST_HIT_LOG : 0);
}

void dp_counts_clear(struct dp_slot *slot, const struct image *image)
{
	struct xi_filter_count *row = slot->table[DP_TABLE_COUNTS].mem;
	size_t rows = dp_counts_rows(image->count);

	memset(slot->table[DP_TABLE_HIT_LOG].mem, 0, dp_hit_log_cpus() * sizeof(struct xi_hit_log));
	memset(row, 0, rows * image->count * sizeof(*row));
	for (size_t r = 0; r < rows; r++)
		for (size_t i = 0; i < image->count; i++, row++) {
			row->filter = image->filters[i].id;
			row->cpu = r + 1 < rows ? r : XI_CPU_CARRIED;
		}
}

/* What xi_counts has for a filter. */
static struct xi_hits sum_of(const struct dp_slot *slot, size_t filters, size_t index)
{
	const struct xi_filter_count *rows = slot->table[DP_TABLE_COUNTS].mem;
	size_t end = dp_counts_rows(filters) * filters;
	struct xi_hits sum = {0};

	for (size_t at = index; at < end; at += filters) {
		uint64_t last = __atomic_load_n(&rows[at].hits.last_ns, __ATOMIC_RELAXED);

		sum.packets += __atomic_load_n(&rows[at].hits.packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&rows[at].hits.bytes, __ATOMIC_RELAXED);
		if (last > sum.last_ns)
			sum.last_ns = last;
	}
	return sum;
}

/*
 * All hits of all filters. A CPU that does not get on while it moves its log (a
 * virtual one may be stopped there) is not waited for for ever.
 */
static int read_all(const struct dp_slot *slot, size_t filters, struct xi_hits *ret)
{
	struct dp_hit_look *look = dp_hit_log_open(slot);

	if (!look)
		return -ENOMEM;
	for (unsigned tries = 0; tries < 100; tries++) {
		dp_hit_log_look(slot, look);
		for (size_t i = 0; i < filters; i++)
			ret[i] = sum_of(slot, filters, i);
		if (dp_hit_log_add(slot, look, ret, filters))
			break;
		sched_yield();
	}
	free(look);
	return 0;
}

int datapath_filter_counts(struct datapath *dp, struct xi_hits *ret, size_t count)
{
	uint32_t slot = dp->ctl->active & 1, filters = dp->ctl->list[slot].filters;
	int err;

	if (!dp->ctl->generation || !dp->slot[slot].made)
		return -ENOENT;
	if (count != filters)
		return -ERANGE;
	err = dp_settle(dp);
	return err ? err : read_all(&dp->slot[slot], filters, ret);
}

/* --------------------------------------------------------------- carry over */

uint32_t *dp_counts_match(const struct datapath *dp, uint32_t from, const struct xi_filter *fresh,
			  size_t count, size_t *ret_kept)
{
	uint32_t *was = malloc((count + 1) * sizeof(*was));

	if (was && same_filters(dp->slot[from].table[XI_TABLE_FILTER].mem,
				dp->ctl->list[from].filters, fresh, count, was, ret_kept)) {
		free(was);
		return NULL;
	}
	return was;
}

void dp_counts_carry(struct datapath *dp, uint32_t from, uint32_t to, const uint32_t *was)
{
	uint32_t n_from = dp->ctl->list[from].filters, n_to = dp->ctl->list[to].filters;
	struct xi_filter_count *last = dp->slot[to].table[DP_TABLE_COUNTS].mem;
	struct xi_hits *hits = calloc(n_from + 1, sizeof(*hits));

	/* Best effort, see carry() in swap.c. */
	if (!hits || read_all(&dp->slot[from], n_from, hits))
		goto out;
	/* The last row is one that no CPU touches. */
	last += (dp_counts_rows(n_to) - 1) * n_to;
	for (uint32_t i = 0; i < n_to; i++)
		if (was[i] < n_from)
			last[i].hits = hits[was[i]];
out:
	free(hits);
}

/* ------------------------------------------------------------- per CPU sums */

/* Sums element 0 of a per-CPU array whose value is a plain row of u64. */
static int percpu_sum(int fd, void *ret, size_t size)
{
	int cpus = libbpf_num_possible_cpus();
	size_t words = size / sizeof(uint64_t);
	uint64_t *all, *sum;
	uint32_t zero = 0;
	int err = 0;

	if (cpus < 0)
		return cpus;
	all = calloc(cpus, size);
	sum = calloc(1, size);
	if (!all || !sum) {
		err = -ENOMEM;
	} else if (bpf_map_lookup_elem(fd, &zero, all)) {
		err = -errno;
	} else {
		for (size_t i = 0; i < words * cpus; i++)
			sum[i % words] += all[i];
		memcpy(ret, sum, size);
	}
	free(all);
	free(sum);
	return err;
}

int datapath_reasons(struct datapath *dp, struct xi_reason_counts *ret)
{
	return percpu_sum(dp->map[DP_MAP_REASONS], ret, sizeof(*ret));
}

int datapath_totals(struct datapath *dp, struct xi_totals *ret)
{
	return percpu_sum(dp->map[DP_MAP_TOTALS], ret, sizeof(*ret));
}
