/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slot: one of the two places for a filter list. Its tables are plain arrays,
 * whose size is fixed when they are made, and its programs are loaded for just
 * these arrays. Both are used again for every list that fits; there is some room
 * in each table, so most do. A slot that is many times too large is made anew, so that
 * a list of a million filters does not hold its memory for the next hundred.
 *
 * The stubs reach the programs through the program arrays. These are also what
 * a new daemon goes by: the maps of the programs found there are the slot's
 * tables, whatever is pinned.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datapath/internal.h"
#include "skel/xipsec_list.skel.h"

/* The programs of a slot, and where the stubs look for them. */
static const struct {
	const char *name;
	enum xi_hook hook;
	enum dp_map array;
} list_progs[] = {
	{"xi_ingress_list", XI_HOOK_XDP_INGRESS, DP_MAP_XDP_SLOTS},
	{"xi_egress_list", XI_HOOK_TC_EGRESS, DP_MAP_TC_SLOTS},
	{"xi_inject_list", XI_HOOK_TC_INJECT, DP_MAP_TC_SLOTS},
	{"xi_in_skb_list", XI_HOOK_TC_INGRESS, DP_MAP_TC_SLOTS},
};
#define LIST_PROGS (sizeof(list_progs) / sizeof(*list_progs))

uint32_t dp_list_build(void)
{
	size_t size;
	const void *elf = xipsec_list__elf_bytes(&size);

	return dp_object_hash(elf, size) ^ dp_nf_build();
}

static size_t elements(const struct image *image, unsigned table)
{
	size_t count;

	if (table < XI_TABLE_MAX)
		return image->tables[table].count;
	if (table == DP_TABLE_HIT_LOG)
		return dp_hit_log_cpus();
	count = dp_counts_rows(image->count) * image->count;
	return count ? count : 1;
}

bool dp_slot_fits(const struct dp_slot *slot, const struct image *image)
{
	if (!slot->made)
		return false;
	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		if (elements(image, i) > slot->table[i].capacity ||
		    (i < XI_TABLE_MAX && image->tables[i].value_size != slot->table[i].value_size))
			return false;
	return true;
}

/* Below this nobody minds. */
#define WASTE_LEAST (64u << 20)
#define WASTE_TIMES 4

size_t dp_slot_bytes(const struct dp_slot *slot)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		bytes += slot->table[i].bytes;
	return bytes;
}

size_t dp_room_bytes(const struct dp_room *room)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		bytes += (size_t)room->capacity[i] * room->value_size[i];
	return bytes;
}

bool dp_slot_wasteful(size_t bytes, size_t wanted)
{
	return bytes > WASTE_LEAST && bytes / WASTE_TIMES > wanted;
}

/* A quarter more than now, at least some pages: the next list is to fit too. */
static size_t capacity_for(size_t count, size_t value_size)
{
	size_t want = count + count / 4, least = 16384 / value_size, step = 1;

	if (want < least)
		want = least;
	while (step <= want / 16)
		step *= 2;
	return (want + step - 1) / step * step;
}

int dp_room_for(const struct image *image, struct dp_room *ret)
{
	struct dp_room room = {
		.value_size[DP_TABLE_COUNTS] = sizeof(struct xi_filter_count),
		.value_size[DP_TABLE_HIT_LOG] = sizeof(struct xi_hit_log),
	};

	for (unsigned i = 0; i < DP_TABLE_MAX; i++) {
		size_t count = elements(image, i);

		if (i < XI_TABLE_MAX)
			room.value_size[i] = image->tables[i].value_size;
		if (!count || !room.value_size[i])
			return -EINVAL;
		count = capacity_for(count, room.value_size[i]);
		if (count > UINT32_MAX)
			return -E2BIG;
		room.capacity[i] = count;
	}
	*ret = room;
	return 0;
}

/* ------------------------------------------------------------------ tables */

static void table_close(struct dp_table *table)
{
	if (table->mem)
		munmap(table->mem, table->bytes);
	if (table->fd > 0)
		close(table->fd);
	*table = (struct dp_table){.fd = -1};
}

/* Takes the fd over, also when it fails. */
static int table_open(struct dp_table *table, int fd)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	void *mem;
	int err;

	if (fd < 0)
		return fd;
	*table = (struct dp_table){.fd = fd};
	if (bpf_obj_get_info_by_fd(fd, &info, &len)) {
		err = -errno;
		goto fail;
	}
	table->value_size = (info.value_size + 7) & ~7u;
	table->capacity = info.max_entries;
	table->bytes = ((size_t)table->value_size * info.max_entries + page - 1) / page * page;
	mem = mmap(NULL, table->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED) {
		err = -errno;
		goto fail;
	}
	table->mem = mem;
	return 0;
fail:
	table_close(table);
	return err;
}

void dp_slot_free(struct dp_slot *slot)
{
	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		table_close(&slot->table[i]);
	slot->made = false;
}

/* ----------------------------------------------------------------- loading */

static struct bpf_map *map_named(const struct xipsec_list *skel, const char *name)
{
	return bpf_object__find_map_by_name(skel->obj, name);
}

/* The built-in object on the shared maps, ready to be told about its tables. */
static struct xipsec_list *list_open(struct datapath *dp, uint32_t slot)
{
	struct xipsec_list *skel = xipsec_list__open();
	int err = 0;

	if (!skel)
		return NULL;
	for (unsigned i = 0; i < DP_MAP_MAX && !err; i++)
		err = bpf_map__reuse_fd(map_named(skel, dp_map_name(i)), dp->map[i]);
	bpf_program__set_expected_attach_type(skel->progs.xi_ingress_list, 0);
	skel->rodata->xi_list_slot = slot;
	if (!err)
		return skel;
	xipsec_list__destroy(skel);
	return NULL;
}

static int prog_place(struct datapath *dp, const struct bpf_program *prog, enum dp_map array,
		      uint32_t index)
{
	int fd = bpf_program__fd(prog), err = dp_swap_fault();

	if (err)
		return err;
	return bpf_map_update_elem(dp->map[array], &index, &fd, BPF_ANY) ? -errno : 0;
}

/* A program lists the maps that it uses: make that all tables, see dp_slot_adopt(). */
static int bind_tables(const struct bpf_program *prog, const struct dp_slot *slot)
{
	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		if (bpf_prog_bind_map(bpf_program__fd(prog), slot->table[i].fd, NULL) &&
		    errno != EEXIST)
			return -errno;
	return 0;
}

static int load_with_tables(struct xipsec_list *skel, const struct dp_room *room,
			    struct dp_slot *fresh)
{
	int err;

	for (unsigned i = 0; i < DP_TABLE_MAX; i++) {
		struct bpf_map *map = map_named(skel, dp_table_name(i));

		if (!map)
			return -ENOENT;
		if (room->value_size[i] &&
		    room->value_size[i] != ((bpf_map__value_size(map) + 7) & ~7u))
			return -EINVAL;
		err = bpf_map__set_max_entries(map, room->capacity[i]);
		if (err)
			return err;
	}
	bpf_program__set_flags(skel->progs.xi_ingress_list, BPF_F_XDP_HAS_FRAGS);
	err = xipsec_list__load(skel);
	for (unsigned i = 0; i < DP_TABLE_MAX && !err; i++)
		err = table_open(
			&fresh->table[i],
			fcntl(bpf_map__fd(map_named(skel, dp_table_name(i))), F_DUPFD_CLOEXEC, 3));
	if (!err)
		err = bind_tables(skel->progs.xi_ingress_list, fresh);
	return err;
}

/* The XDP program once more, as a stub in libxdp's dispatcher can reach it. */
static int load_for_dispatcher(struct datapath *dp, struct xipsec_list *skel,
			       const struct dp_slot *fresh)
{
	struct bpf_program *prog;
	int err = 0;

	for (unsigned i = 0; i < DP_TABLE_MAX && !err; i++)
		err = bpf_map__reuse_fd(map_named(skel, dp_table_name(i)), fresh->table[i].fd);
	/* Programs without fragments jump to such alone. */
	if (!err)
		err = bpf_map__reuse_fd(map_named(skel, dp_map_name(DP_MAP_SAMPLE_XDP)),
					dp->map[DP_MAP_SAMPLE_EXT]);
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == skel->progs.xi_ingress_list);
	return err ? err : xipsec_list__load(skel);
}

int dp_slot_make(struct datapath *dp, uint32_t slot, const struct dp_room *room)
{
	struct xipsec_list *skel = list_open(dp, slot), *ext = list_open(dp, slot);
	struct dp_slot fresh = {0};
	int err = skel && ext ? 0 : -ENOMEM;

	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		fresh.table[i].fd = -1;
	if (!err)
		err = load_with_tables(skel, room, &fresh);
	if (!err)
		err = load_for_dispatcher(dp, ext, &fresh);
	if (err)
		goto out;
	/* From here on the slot is neither the old nor the new one until all is in place. */
	dp->ctl->list[slot] = (struct xi_list){0};
	dp_slot_free(&dp->slot[slot]);
	for (unsigned i = 0; i < LIST_PROGS && !err; i++)
		err = prog_place(dp,
				 bpf_object__find_program_by_name(skel->obj, list_progs[i].name),
				 list_progs[i].array, XI_PROG_INDEX(list_progs[i].hook, slot));
	if (!err)
		err = prog_place(dp, ext->progs.xi_ingress_list, DP_MAP_EXT_SLOTS,
				 XI_PROG_INDEX(XI_HOOK_XDP_INGRESS, slot));
	/* Without it fragments get the verdicts that they get where no kernel puts them together.
	 */
	if (!err && dp_nf_slot(dp, slot, fresh.table))
		dp_nf_detach(dp);
	if (err)
		goto out;
	fresh.made = true;
	dp->slot[slot] = fresh;
	fresh = (struct dp_slot){0};
	__atomic_store_n(&dp->ctl->list[slot].build, dp->list_build, __ATOMIC_RELEASE);
	err = dp_swap_fault();
	if (!err)
		err = dp_pin_slot(dp, slot);
out:
	dp_slot_free(&fresh);
	xipsec_list__destroy(skel);
	xipsec_list__destroy(ext);
	return err;
}

/* ---------------------------------------------------------------- adopting */

static int prog_in(const struct datapath *dp, enum dp_map array, uint32_t index)
{
	uint32_t id;

	if (bpf_map_lookup_elem(dp->map[array], &index, &id))
		return -errno;
	return bpf_prog_get_fd_by_id(id);
}

static void table_by_id(struct dp_slot *slot, uint32_t id)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);

	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		info.name[0] = '\0';
	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		if (slot->table[i].fd < 0 && !strcmp(info.name, dp_table_name(i))) {
			table_open(&slot->table[i], fd);
			return;
		}
	close(fd);
}

void dp_slot_adopt(struct datapath *dp, uint32_t slot)
{
	uint32_t maps[64], len;
	struct bpf_prog_info info = {.map_ids = (uintptr_t)maps, .nr_map_ids = 64};
	struct dp_slot found = {0};
	int fd;

	if (dp->ctl->list[slot].build != dp->list_build)
		return;
	fd = prog_in(dp, DP_MAP_XDP_SLOTS, XI_PROG_INDEX(XI_HOOK_XDP_INGRESS, slot));
	if (fd < 0)
		return;
	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		found.table[i].fd = -1;
	len = sizeof(info);
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++)
			table_by_id(&found, maps[i]);
	close(fd);
	found.made = true;
	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		found.made = found.made && found.table[i].mem;
	if (found.made)
		dp->slot[slot] = found;
	else
		dp_slot_free(&found);
}
