/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replacing the whole filter list. The new tables and counters are made beside
 * the active ones, put into the spare slot of every outer map, and then one
 * 64-bit store to xi_ctl switches. A program run reads that word once, so it
 * uses one list from beginning to end.
 *
 * The slot that became spare may still be read by runs that began before the
 * switch. The kernel waits for them in every update of an outer map (some 15 ms,
 * for each table when the spare slot is filled): one such update after the switch
 * makes the old counters final and the slot free for the next list. The old list
 * itself stays there until then.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datapath/internal.h"

struct staged {
	int fd[DP_INNER_MAX];
};

static int outer_of(const struct datapath *dp, unsigned table)
{
	return dp->map[table < XI_TABLE_MAX ? DP_MAP_TABLES + table : DP_MAP_COUNTS_OF];
}

static int inner_create(const struct datapath *dp, unsigned table, uint32_t count)
{
	const struct dp_inner *inner = &dp->inner[table];
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = inner->flags, .btf_fd = dp->btf_fd,
		    .btf_key_type_id = inner->key_btf, .btf_value_type_id = inner->value_btf);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, dp_table_name(table), sizeof(uint32_t),
				inner->value_size, count, &opts);

	return fd < 0 ? -errno : fd;
}

/* Array elements lie 8-aligned one behind the other, in pages of their own. */
static size_t inner_bytes(const struct dp_inner *inner, uint32_t count)
{
	size_t page = sysconf(_SC_PAGESIZE), each = (inner->value_size + 7) & ~7u;

	return (each * count + page - 1) / page * page;
}

static void *inner_map(const struct dp_inner *inner, int fd, uint32_t count)
{
	void *mem = mmap(NULL, inner_bytes(inner, count), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);

	return mem == MAP_FAILED ? NULL : mem;
}

static int table_make(const struct datapath *dp, unsigned table, const struct image_table *from,
		      int *ret_fd)
{
	const struct dp_inner *inner = &dp->inner[table];
	void *mem;
	int fd;

	if (!from->count || from->value_size != ((inner->value_size + 7) & ~7u))
		return -EINVAL;
	fd = inner_create(dp, table, from->count);
	if (fd < 0)
		return fd;
	mem = inner_map(inner, fd, from->count);
	if (!mem) {
		int err = -errno;

		close(fd);
		return err;
	}
	memcpy(mem, from->data, (size_t)from->value_size * from->count);
	munmap(mem, inner_bytes(inner, from->count));
	*ret_fd = fd;
	return 0;
}

static int counts_make(const struct datapath *dp, const struct image *image, int *ret_fd)
{
	const struct dp_inner *inner = &dp->inner[XI_TABLE_MAX];
	int cpus = libbpf_num_possible_cpus(), fd;
	struct xi_filter_count *mem;
	size_t rows, count;

	if (cpus < 0)
		return cpus;
	rows = cpus + 1;
	count = image->count ? rows * image->count : 1;
	if (count > UINT32_MAX)
		return -E2BIG;
	fd = inner_create(dp, XI_TABLE_MAX, count);
	if (fd < 0)
		return fd;
	mem = inner_map(inner, fd, count);
	if (!mem) {
		int err = -errno;

		close(fd);
		return err;
	}
	for (size_t row = 0; row < rows; row++)
		for (size_t i = 0; i < image->count; i++)
			mem[row * image->count + i] = (struct xi_filter_count){
				.filter = image->filters[i].id,
				.cpu = row < (size_t)cpus ? row : XI_CPU_CARRIED,
			};
	munmap(mem, inner_bytes(inner, count));
	*ret_fd = fd;
	return 0;
}

/* See struct xi_list.frag_bound. */
static bool hidden_from_fragments(const struct filter *f)
{
	if (f->family == 6)
		return f->proto_given;
	return f->action == XI_ACT_PERMIT && !filter_portless(f);
}

static struct xi_list list_of(const struct image *image)
{
	struct xi_list list = {.filters = image->count, .flags = XI_LIST_LOADED};

	memset(list.frag_bound, 0xff, sizeof(list.frag_bound)); /* XI_NO_FILTER */
	for (size_t i = 0; i < image->count; i++) {
		uint32_t *bound =
			&list.frag_bound[image->filters[i].dir][image->filters[i].family == 6];

		if (i < *bound && hidden_from_fragments(&image->filters[i]))
			*bound = i;
		if (image->filters[i].action == XI_ACT_NEGOTIATE)
			list.flags |= XI_LIST_NEGOTIATE;
		if (image->filters[i].iface_class >= 0)
			list.flags |= XI_LIST_IFACE;
	}
	return list;
}

/* The active inner maps by plain names, for people: .../INSTANCE/xi_filter */
static void pin_active(const struct datapath *dp, const struct staged *staged)
{
	for (unsigned i = 0; dp->pinned && i < DP_INNER_MAX; i++)
		dp_pin(dp->instance, dp_table_name(i), staged->fd[i]);
}

static void switch_to(struct datapath *dp, uint32_t slot)
{
	union {
		struct {
			uint32_t active, generation;
		};
		uint64_t whole;
	} word = {.active = slot, .generation = dp->ctl->generation + 1};

	if (!word.generation)
		word.generation = 1;
	__atomic_store_n((uint64_t *)&dp->ctl->active, word.whole, __ATOMIC_SEQ_CST);
}

int dp_swap(struct datapath *dp, const struct image *image, struct diag *diag)
{
	bool had = dp->ctl->generation && dp->ctl->list[dp->ctl->active & 1].flags & XI_LIST_LOADED;
	uint32_t old = dp->ctl->active & 1, slot = had ? !old : old;
	struct staged staged;
	int err = 0;

	for (unsigned i = 0; i < DP_INNER_MAX; i++)
		staged.fd[i] = -1;
	for (unsigned i = 0; i < XI_TABLE_MAX && !err; i++)
		err = table_make(dp, i, &image->tables[i], &staged.fd[i]);
	if (!err)
		err = counts_make(dp, image, &staged.fd[XI_TABLE_MAX]);
	for (unsigned i = 0; i < DP_INNER_MAX && !err; i++)
		if (bpf_map_update_elem(outer_of(dp, i), &slot, &staged.fd[i], BPF_ANY))
			err = -errno;
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, NULL,
			 "cannot load the filter list: %s; the one in force stays", strerror(-err));
		goto out;
	}
	dp->ctl->list[slot] = list_of(image);
	switch_to(dp, slot);
	/* Waits for the last run on the old list. */
	bpf_map_update_elem(outer_of(dp, XI_TABLE_MAX), &slot, &staged.fd[XI_TABLE_MAX], BPF_ANY);
	if (had)
		dp_counts_carry(dp, old, slot);
	pin_active(dp, &staged);
out:
	for (unsigned i = 0; i < DP_INNER_MAX; i++)
		if (staged.fd[i] >= 0)
			close(staged.fd[i]);
	return err;
}

int datapath_swap(struct datapath *dp, const struct image *image, struct diag *diag)
{
	int err;

	dp_log_begin();
	err = dp_swap(dp, image, diag);
	dp_log_end(err, diag);
	return err;
}
