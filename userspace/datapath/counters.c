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
#include <sys/mman.h>
#include <unistd.h>

#include "datapath/internal.h"

struct view {
	void *mem;
	size_t bytes;
	uint32_t count; /* elements */
};

/* Maps the inner map in one slot of an outer one. */
static int view_open(int outer_fd, uint32_t slot, struct view *ret)
{
	struct bpf_map_info info = {0};
	uint32_t id, len = sizeof(info);
	size_t page = sysconf(_SC_PAGESIZE);
	int fd, err = 0;

	if (bpf_map_lookup_elem(outer_fd, &slot, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len)) {
		err = -errno;
		goto out;
	}
	ret->count = info.max_entries;
	ret->bytes = ((size_t)((info.value_size + 7) & ~7u) * info.max_entries + page - 1) / page *
		     page;
	ret->mem = mmap(NULL, ret->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ret->mem == MAP_FAILED)
		err = -errno;
out:
	close(fd);
	return err;
}

static void view_close(struct view *view)
{
	munmap(view->mem, view->bytes);
}

static int counts_open(const struct datapath *dp, uint32_t slot, struct view *ret)
{
	return view_open(dp->map[DP_MAP_COUNTS_OF], slot, ret);
}

static struct xi_count sum_of(const struct view *counts, uint32_t filters, uint32_t index)
{
	const struct xi_filter_count *rows = counts->mem;
	struct xi_count sum = {0};

	for (uint32_t at = index; at < counts->count; at += filters) {
		sum.packets += __atomic_load_n(&rows[at].hits.packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&rows[at].hits.bytes, __ATOMIC_RELAXED);
	}
	return sum;
}

int datapath_filter_counts(struct datapath *dp, struct xi_count *ret, size_t count)
{
	uint32_t slot = dp->ctl->active & 1, filters = dp->ctl->list[slot].filters;
	struct view counts;
	int err;

	if (!dp->ctl->generation)
		return -ENOENT;
	if (count != filters)
		return -ERANGE;
	if (!count)
		return 0;
	err = counts_open(dp, slot, &counts);
	if (err)
		return err;
	for (uint32_t i = 0; i < filters; i++)
		ret[i] = sum_of(&counts, filters, i);
	view_close(&counts);
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

static struct known *known_of(const struct view *filters, const struct view *counts, uint32_t n)
{
	const struct xi_filter *filter = filters->mem;
	struct known *known = calloc(n, sizeof(*known));

	for (uint32_t i = 0; known && i < n; i++) {
		known[i].filter = identity(&filter[i]);
		known[i].sum = sum_of(counts, n, i);
	}
	if (known)
		qsort(known, n, sizeof(*known), known_compare);
	return known;
}

/* Writes the last row of the new counters, which no CPU touches. Best effort. */
static void carry(const struct view *filters, struct view *counts, uint32_t n,
		  const struct known *known, uint32_t known_count)
{
	struct xi_filter_count *last = (struct xi_filter_count *)counts->mem + counts->count - n;
	const struct xi_filter *filter = filters->mem;

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
	int filters_of = dp->map[DP_MAP_TABLES + XI_TABLE_FILTER];
	uint32_t n_from = dp->ctl->list[from].filters, n_to = dp->ctl->list[to].filters;
	struct view filters[2], counts[2];
	struct known *known = NULL;

	if (!n_from || !n_to || view_open(filters_of, from, &filters[0]))
		return;
	if (view_open(filters_of, to, &filters[1]))
		goto out_from;
	if (counts_open(dp, from, &counts[0]))
		goto out_to;
	if (counts_open(dp, to, &counts[1]))
		goto out_counts;
	known = known_of(&filters[0], &counts[0], n_from);
	if (known)
		carry(&filters[1], &counts[1], n_to, known, n_from);
	free(known);
	view_close(&counts[1]);
out_counts:
	view_close(&counts[0]);
out_to:
	view_close(&filters[1]);
out_from:
	view_close(&filters[0]);
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
