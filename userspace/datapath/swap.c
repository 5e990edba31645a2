/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replacing the whole filter list. The spare slot is filled (or made anew, when
 * the list does not fit into its tables), and then one 64-bit store to xi_ctl
 * switches. A stub reads that word once and jumps to the programs of that slot,
 * which know no other: a packet meets one list from beginning to end.
 *
 * The slot that became spare may still be read by runs that began before the
 * switch. It is left alone until dp_settle(), which waits for them: at the latest
 * before the slot is written again, at the soonest when somebody asks for
 * counters.
 */
#include <errno.h>
#include <string.h>
#include <netinet/in.h>

#include "datapath/internal.h"

/*
 * The kernel waits for all running programs in every update of a map of maps:
 * "no BPF program is using the old inner map when the call returns".
 */
int dp_grace(struct datapath *dp)
{
	uint32_t zero = 0;

	if (dp->grace_fd[0] < 0)
		dp->grace_fd[0] = bpf_map_create(BPF_MAP_TYPE_ARRAY, "xi_grace_in", 4, 4, 1, NULL);
	if (dp->grace_fd[0] >= 0 && dp->grace_fd[1] < 0) {
		LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = dp->grace_fd[0]);

		dp->grace_fd[1] = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "xi_grace", 4, 4, 1,
						 &opts);
	}
	if (dp->grace_fd[1] < 0 ||
	    bpf_map_update_elem(dp->grace_fd[1], &zero, &dp->grace_fd[0], BPF_ANY))
		return -errno;
	return 0;
}

/* Ends what the last swap left open. */
int dp_settle(struct datapath *dp)
{
	int err;

	if (!dp->unsettled)
		return 0;
	err = dp_grace(dp);
	if (err)
		return err;
	dp_counts_carry(dp, !(dp->ctl->active & 1), dp->ctl->active & 1);
	dp->unsettled = false;
	dp->ctl->settled = dp->ctl->generation;
	return 0;
}

/* See struct xi_list.frag_bound. */
static void frag_bounds(struct xi_list *list, const struct image *image)
{
	memset(list->frag_bound, 0xff, sizeof(list->frag_bound)); /* XI_NO_FILTER */
	for (size_t i = image->count; i-- > 0;) {
		const struct filter *f = &image->filters[i];

		if (f->family != 4 || f->action != XI_ACT_PERMIT || filter_portless(f))
			continue;
		if (!f->proto_given || f->proto == IPPROTO_UDP)
			list->frag_bound[f->dir][1] = i;
		if (!f->proto_given || f->proto != IPPROTO_UDP)
			list->frag_bound[f->dir][0] = i;
	}
}

static void fill_counts(struct dp_table *table, const struct image *image)
{
	struct xi_filter_count *row = table->mem;
	size_t rows = dp_counts_rows();

	memset(row, 0, rows * image->count * sizeof(*row));
	for (size_t r = 0; r < rows; r++)
		for (size_t i = 0; i < image->count; i++, row++) {
			row->filter = image->filters[i].id;
			row->cpu = r + 1 < rows ? r : XI_CPU_CARRIED;
		}
}

/*
 * Whatever lies behind the new contents is of an older list: nothing leads there.
 */
static void fill(struct dp_slot *slot, const struct image *image)
{
	for (unsigned i = 0; i < XI_TABLE_MAX; i++) {
		const struct image_table *from = &image->tables[i];

		memcpy(slot->table[i].mem, from->data, (size_t)from->value_size * from->count);
	}
	fill_counts(&slot->table[DP_TABLE_COUNTS], image);
}

static struct xi_list list_of(const struct image *image)
{
	struct xi_list list = {.filters = image->count, .flags = XI_LIST_LOADED};

	frag_bounds(&list, image);
	for (size_t i = 0; i < image->count; i++) {
		if (image->filters[i].action == XI_ACT_NEGOTIATE)
			list.flags |= XI_LIST_NEGOTIATE;
		if (image->filters[i].iface_class >= 0)
			list.flags |= XI_LIST_IFACE;
	}
	return list;
}

static void switch_to(struct datapath *dp, uint32_t slot, uint32_t generation)
{
	union {
		struct {
			uint32_t active, generation;
		};
		uint64_t whole;
	} word = {.active = slot, .generation = generation};

	__atomic_store_n((uint64_t *)&dp->ctl->active, word.whole, __ATOMIC_SEQ_CST);
}

int dp_swap(struct datapath *dp, const struct image *image, struct diag *diag)
{
	bool had = dp->ctl->generation && dp->ctl->list[dp->ctl->active & 1].flags & XI_LIST_LOADED;
	uint32_t old = dp->ctl->active & 1, slot = had ? !old : old;
	uint32_t generation = dp->ctl->generation + 1;
	struct xi_list list = list_of(image);
	int err = dp_settle(dp);

	if (!err && !dp_slot_fits(&dp->slot[slot], image))
		err = dp_slot_make(dp, slot, image, diag);
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, NULL,
			 "cannot load the filter list: %s; the one in force stays", strerror(-err));
		return err;
	}
	fill(&dp->slot[slot], image);
	list.generation = generation ? generation : 1;
	list.build = dp->list_build;
	dp->ctl->list[slot] = list;
	switch_to(dp, slot, list.generation);
	dp->unsettled = had;
	if (dp->pinned)
		dp_pin_active(dp, slot);
	return 0;
}

int datapath_swap(struct datapath *dp, const struct image *image, struct diag *diag)
{
	int err;

	dp_log_begin();
	err = dp_swap(dp, image, diag);
	dp_log_end(err, diag);
	return err;
}
