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
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>

#include "datapath/internal.h"

static int no_fault(void)
{
	return 0;
}

int (*dp_swap_fault)(void) = no_fault;

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

/* Best effort: without memory counters begin again, filters do not suffer. */
static void carry(struct datapath *dp, uint32_t from, uint32_t to)
{
	size_t kept;

	if (!dp->slot[from].made || !dp->slot[to].made)
		return;
	/* A daemon that finds the swap of another one unfinished has to compare again. */
	if (!dp->was)
		dp->was = dp_counts_match(dp, from, dp->slot[to].table[XI_TABLE_FILTER].mem,
					  dp->ctl->list[to].filters, &kept);
	if (dp->was)
		dp_counts_carry(dp, from, to, dp->was);
	free(dp->was);
	dp->was = NULL;
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
	carry(dp, !(dp->ctl->active & 1), dp->ctl->active & 1);
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

/*
 * Whatever lies behind the new contents is of an older list: nothing leads there.
 */
static void fill(struct dp_slot *slot, const struct image *image)
{
	for (unsigned i = 0; i < XI_TABLE_MAX; i++) {
		const struct image_table *from = &image->tables[i];

		memcpy(slot->table[i].mem, from->data, (size_t)from->value_size * from->count);
	}
	dp_counts_clear(slot, image);
}

static struct xi_list list_of(const struct image *image)
{
	struct xi_list list = {
		.filters = image->count,
		.flags = XI_LIST_LOADED | dp_counts_flags(image->count),
	};

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

/* What this image will change, and where its filters stand now. */
static void compare(struct datapath *dp, const struct image *image, bool had)
{
	uint32_t old = dp->ctl->active & 1;
	size_t before = had ? dp->ctl->list[old].filters : 0, kept = 0;

	if (had && dp->slot[old].made)
		dp->was = dp_counts_match(dp, old, image->tables[XI_TABLE_FILTER].data,
					  image->count, &kept);
	dp->change = (struct datapath_change){
		.added = image->count - kept,
		.removed = before - kept,
		.kept = kept,
	};
}

/* The slot is ready for this image; one that is far too large serves if there can be no other. */
static int make_for(struct datapath *dp, uint32_t slot, const struct image *image)
{
	bool fits = dp_slot_fits(&dp->slot[slot], image);
	struct dp_room room;
	int err = dp_room_for(image, &room);

	if (err)
		return err;
	if (fits && !dp_slot_wasteful(dp_slot_bytes(&dp->slot[slot]), dp_room_bytes(&room)))
		return 0;
	err = dp_slot_make(dp, slot, &room);
	return err && dp_slot_fits(&dp->slot[slot], image) ? 0 : err;
}

int dp_swap(struct datapath *dp, const struct image *image, struct diag *diag)
{
	bool had = dp->ctl->generation && dp->ctl->list[dp->ctl->active & 1].flags & XI_LIST_LOADED;
	uint32_t old = dp->ctl->active & 1, slot = had ? !old : old;
	uint32_t generation = dp->ctl->generation + 1;
	struct xi_list list = list_of(image);
	int err = dp_settle(dp);

	if (!err)
		err = dp_swap_fault();
	if (!err)
		err = make_for(dp, slot, image);
	if (!err) {
		list.generation = generation ? generation : 1;
		list.build = dp->list_build;
		fill(&dp->slot[slot], image);
		err = dp_swap_fault();
	}
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, NULL,
			 "cannot load the filter list: %s; the one in force stays", strerror(-err));
		return err;
	}
	compare(dp, image, had);
	dp->ctl->list[slot] = list;
	dp_swap_fault();
	switch_to(dp, slot, list.generation);
	dp_swap_fault();
	if (had)
		dp->unsettled = true;
	else
		dp->ctl->settled = list.generation;
	if (dp->pinned)
		dp_pin_active(dp, slot);
	return 0;
}

/* Nothing is lost if this fails: the next swap tries again and says so. */
void datapath_idle(struct datapath *dp)
{
	const struct dp_slot *active = &dp->slot[dp->ctl->active & 1];
	uint32_t spare = !(dp->ctl->active & 1);
	struct dp_room room = {0};
	bool fits = dp->slot[spare].made;

	if (!dp->ctl->generation || !active->made || dp_settle(dp))
		return;
	for (unsigned i = 0; i < DP_TABLE_MAX; i++) {
		room.capacity[i] = active->table[i].capacity;
		fits = fits && dp->slot[spare].table[i].capacity >= room.capacity[i];
	}
	fits = fits && !dp_slot_wasteful(dp_slot_bytes(&dp->slot[spare]), dp_slot_bytes(active));
	if (fits)
		return;
	dp_log_begin();
	dp_slot_make(dp, spare, &room);
	dp_log_end(0, NULL);
}

void datapath_last_change(const struct datapath *dp, struct datapath_change *ret)
{
	*ret = dp->change;
}

int datapath_swap(struct datapath *dp, const struct image *image, struct diag *diag)
{
	int err;

	dp_log_begin();
	err = dp_swap(dp, image, diag);
	dp_log_end(err, diag);
	return err;
}
