/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading what the programs count, summed over the CPUs, and carrying the
 * counters of a filter over to the next list. A filter is the same one if it
 * selects the same packets for the same action; its number and the name of its
 * rule may change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/internal.h"

static struct xi_count sum_of(const struct dp_slot *slot, size_t filters, size_t index)
{
	const struct xi_filter_count *rows = slot->table[DP_TABLE_COUNTS].mem;
	size_t end = dp_counts_rows() * filters;
	struct xi_count sum = {0};

	for (size_t at = index; at < end; at += filters) {
		sum.packets += __atomic_load_n(&rows[at].hits.packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&rows[at].hits.bytes, __ATOMIC_RELAXED);
	}
	return sum;
}

int datapath_filter_counts(struct datapath *dp, struct xi_count *ret, size_t count)
{
	uint32_t slot = dp->ctl->active & 1, filters = dp->ctl->list[slot].filters;
	int err;

	if (!dp->ctl->generation || !dp->slot[slot].made)
		return -ENOENT;
	if (count != filters)
		return -ERANGE;
	err = dp_settle(dp);
	if (err)
		return err;
	for (uint32_t i = 0; i < filters; i++)
		ret[i] = sum_of(&dp->slot[slot], filters, i);
	return 0;
}

/* --------------------------------------------------------------- carry over */

struct known {
	struct xi_filter filter; /* without the numbers that may change */
	struct xi_count sum;
};

static struct xi_filter identity(const struct xi_filter *filter)
{
	struct xi_filter same = *filter;

	same.id = same.rule = same.pad = 0;
	return same;
}

static int known_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct xi_filter));
}

static struct known *known_of(const struct dp_slot *slot, uint32_t n)
{
	const struct xi_filter *filter = slot->table[XI_TABLE_FILTER].mem;
	struct known *known = calloc(n, sizeof(*known));

	for (uint32_t i = 0; known && i < n; i++) {
		known[i].filter = identity(&filter[i]);
		known[i].sum = sum_of(slot, n, i);
	}
	if (known)
		qsort(known, n, sizeof(*known), known_compare);
	return known;
}

/* Writes the last row of the new counters, which no CPU touches. Best effort. */
static void carry(const struct dp_slot *slot, uint32_t n, const struct known *known,
		  uint32_t known_count)
{
	struct xi_filter_count *last = slot->table[DP_TABLE_COUNTS].mem;
	const struct xi_filter *filter = slot->table[XI_TABLE_FILTER].mem;

	last += (dp_counts_rows() - 1) * n;
	for (uint32_t i = 0; i < n; i++) {
		struct known key = {.filter = identity(&filter[i])};
		const struct known *hit = bsearch(&key, known, known_count, sizeof(key),
						  known_compare);

		if (hit)
			last[i].hits = hit->sum;
	}
}

void dp_counts_carry(struct datapath *dp, uint32_t from, uint32_t to)
{
	uint32_t n_from = dp->ctl->list[from].filters, n_to = dp->ctl->list[to].filters;
	struct known *known;

	if (!n_from || !n_to || !dp->slot[from].made || !dp->slot[to].made)
		return;
	known = known_of(&dp->slot[from], n_from);
	if (known)
		carry(&dp->slot[to], n_to, known, n_from);
	free(known);
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
