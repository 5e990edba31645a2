/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Figures of a compiled list. The shapes that are alive for one packet are what a
 * lookup must try at worst, whatever the tables do to rule others out.
 */
#include <errno.h>
#include <stdlib.h>

#include "compile/alive.h"
#include "compile/stats.h"

static bool belongs(const struct filter *f, const struct space_stats *space)
{
	return f->dir == space->dir && f->family == space->family &&
	       (f->iface_class < 0 || f->iface_class == space->iface_class) &&
	       (!space->frag || filter_portless(f) || f->action != XI_ACT_PERMIT);
}

/* In order of precedence filters of one shape stand together, but for `me` beside an address. */
static uint64_t shape_of(const struct entry *e)
{
	return (uint64_t)e->band << 32 | e->remote_len << 24 | e->local_len << 16 | e->me << 8 |
	       e->proto_given;
}

static int compare_shape(const void *a, const void *b)
{
	uint64_t x = shape_of(a), y = shape_of(b);

	return x < y ? 1 : x > y ? -1 : 0;
}

static int measure(struct entry *entries, size_t count, struct space_stats *ret)
{
	struct alive *alive = NULL;
	int err;

	qsort(entries, count, sizeof(*entries), compare_shape);
	for (size_t i = 0; i < count; i++) {
		ret->shapes += !i || compare_shape(&entries[i - 1], &entries[i]);
		entries[i].shape = ret->shapes - 1;
	}
	err = alive_open(entries, count, ret->shapes, NULL, NULL, &alive);
	if (!err)
		ret->alive = alive_most(alive, &ret->exact);
	alive_close(alive);
	return err;
}

static int fill_space(const struct image *image, struct entry *entries, struct space_stats *ret)
{
	static const struct xi_rect none;

	for (size_t i = 0; i < image->count; i++) {
		if (belongs(&image->filters[i], ret))
			entries[ret->filters++] = make_entry(&image->filters[i], &none);
	}
	return ret->filters ? measure(entries, ret->filters, ret) : 0;
}

/* What the tables guarantee, whatever the packet. */
static void read_tables(const struct image *image, unsigned index, struct space_stats *ret)
{
	const struct image_table *spaces = &image->tables[XI_TABLE_SPACE];
	const struct image_table *lists = &image->tables[XI_TABLE_DENSE];
	const struct xi_space *space;

	if (index >= spaces->count)
		return;
	space = &((const struct xi_space *)spaces->data)[index];
	ret->bound = space->shapes < XI_ALIVE_MAX ? space->shapes : XI_ALIVE_MAX;
	if (space->dense && space->dense <= lists->count)
		ret->dense = ((const struct xi_dense *)lists->data)[space->dense - 1].filters;
}

int image_stats(const struct image *image, struct space_stats ret[XI_SPACES])
{
	struct entry *entries = malloc((image->count + 1) * sizeof(*entries));
	bool classes = false;
	int count = 0, err = entries ? 0 : -ENOMEM;

	for (size_t i = 0; i < image->count; i++)
		classes |= image->filters[i].iface_class >= 0;
	for (int i = 0; i < XI_SPACES && !err; i++) {
		struct space_stats *space = &ret[count];
		int iface_class = i >> 1 & 1;

		if (iface_class && !classes)
			continue;
		*space = (struct space_stats){.dir = i >> 3 & 1,
					      .family = i >> 2 & 1 ? 6 : 4,
					      .iface_class = classes ? iface_class : -1,
					      .frag = i & 1};
		err = fill_space(image, entries, space);
		read_tables(image, i, space);
		count += space->filters > 0;
	}
	free(entries);
	return err ? err : count;
}
