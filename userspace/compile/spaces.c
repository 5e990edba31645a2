/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the ordered filters to the tables of xipsec/classify.h. For each space:
 * the filters that belong there become entries, entries sorted by shape and key
 * become shapes and cells, and rows are made where there are enough shapes to
 * prune. Ports that no packet can show are resolved here: ICMP has none, and in
 * the space of later fragments a filter with ports either counts for all
 * (block, negotiate) or not at all (permit).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/dense.h"
#include "compile/split.h"
#include "compile/words.h"
#include "policy/scalar.h"
#include "util/addr.h"

/* Cells with more filters than this are not searched for rectangles hidden by others. */
#define COVER_CHECK_MAX 64

static const size_t value_sizes[XI_TABLE_MAX] = {
#define XI_TABLE(NAME, name, type) sizeof(type),
#include <xipsec/tables.def>
#undef XI_TABLE
};

/* False when no packet can match it. */
bool filter_rect(const struct filter *f, uint32_t rank, bool frag, struct xi_rect *ret)
{
	struct xi_rect rect = {0, 65535, 0, 65535, rank, f->action};

	if (frag) {
		*ret = rect;
		return filter_portless(f) || f->action != XI_ACT_PERMIT;
	}
	rect.x_lo = f->remote_port_lo;
	rect.x_hi = f->remote_port_hi;
	rect.y_lo = f->local_port_lo;
	rect.y_hi = f->local_port_hi;
	if (f->proto_given && proto_is_icmp(f->proto)) {
		if (rect.x_lo || rect.y_lo)
			return false;
		rect = (struct xi_rect){0, 65535, 0, 65535, rank, f->action};
		if (f->icmp_type >= 0) {
			rect.y_lo = f->icmp_type << 8 | (f->icmp_code >= 0 ? f->icmp_code : 0);
			rect.y_hi = f->icmp_type << 8 | (f->icmp_code >= 0 ? f->icmp_code : 0xff);
		}
	}
	*ret = rect;
	return true;
}

struct entry make_entry(const struct filter *f, const struct xi_rect *rect)
{
	struct entry e = {.band = f->band,
			  .remote_len = f->remote.len,
			  .local_len = f->local_is_me ? xi_family_bits(f->family) : f->local.len,
			  .family = f->family,
			  .proto_given = f->proto_given,
			  .me = f->local_is_me,
			  .proto = f->proto_given ? f->proto : 0,
			  .rect = *rect};

	memcpy(e.remote, f->remote.addr.b, sizeof(e.remote));
	if (!f->local_is_me)
		memcpy(e.local, f->local.addr.b, sizeof(e.local));
	return e;
}

/* Order of precedence as far as the shape decides it. */
static int compare_group(const struct entry *a, const struct entry *b)
{
	if (a->band != b->band)
		return b->band - a->band;
	if (a->remote_len != b->remote_len)
		return b->remote_len - a->remote_len;
	if (a->local_len != b->local_len)
		return b->local_len - a->local_len;
	return b->proto_given - a->proto_given;
}

/* Entries that stand beside each other: are they of one shape, or part of a shape? */
static bool same_shape(const struct entry *a, const struct entry *b)
{
	return !compare_group(a, b) && a->me == b->me && a->part == b->part;
}

static int compare_cell(const struct entry *a, const struct entry *b)
{
	int diff = compare_group(a, b);

	if (!diff)
		diff = a->me - b->me;
	if (!diff)
		diff = memcmp(a->remote, b->remote, sizeof(a->remote));
	if (!diff)
		diff = memcmp(a->local, b->local, sizeof(a->local));
	return diff ? diff : a->proto - b->proto;
}

static int compare_entry(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int diff = compare_cell(a, b);

	if (diff)
		return diff;
	return a->rect.filter < b->rect.filter ? -1 : a->rect.filter > b->rect.filter;
}

static void prefix_mask4(uint8_t len, uint8_t ret[4])
{
	struct xi_addr addr = {.b = {0xff, 0xff, 0xff, 0xff}};

	xi_addr_mask(&addr, len);
	memcpy(ret, addr.b, 4);
}

static int add_shape(struct build *build, const struct entry *e)
{
	int64_t index = tab_add(&build->tab[XI_TABLE_SHAPE], 1);
	struct xi_shape *shape;

	if (index < 0)
		return index;
	shape = build_at(build, SHAPE, struct xi_shape, index);
	shape->remote_len = e->remote_len;
	shape->local_len = e->me ? 0 : e->local_len;
	if (e->family == 4) {
		prefix_mask4(shape->remote_len, shape->remote_mask);
		prefix_mask4(shape->local_len, shape->local_mask);
	}
	shape->family = e->family;
	shape->band = e->band;
	shape->flags = (e->me ? XI_SHAPE_ME : 0) | (e->proto_given ? XI_SHAPE_PROTO : 0);
	return 0;
}

static bool covers(const struct xi_rect *a, const struct xi_rect *b)
{
	return a->x_lo <= b->x_lo && a->x_hi >= b->x_hi && a->y_lo <= b->y_lo && a->y_hi >= b->y_hi;
}

/*
 * Drops the rectangles that lie whole inside a better one. `rects` is in order
 * of rank. Returns how many are left.
 */
static size_t drop_covered(struct xi_rect *rects, size_t count)
{
	size_t out = 0;

	for (size_t i = 0; i < count; i++) {
		size_t k = 0;

		while (k < out && k < COVER_CHECK_MAX && !covers(&rects[k], &rects[i]))
			k++;
		if (k == out || k == COVER_CHECK_MAX)
			rects[out++] = rects[i];
	}
	return out;
}

static int add_list(struct build *build, const struct xi_rect *rects, size_t count)
{
	static const struct xi_rect never = {.x_lo = 1, .x_hi = 0, .filter = XI_NO_FILTER};
	size_t lines = (count + 3) / 4;
	int64_t first = tab_add(&build->tab[XI_TABLE_RECT], lines);

	if (first < 0)
		return first;
	for (size_t i = 0; i < lines * 4; i++) {
		struct xi_rects *line = build_at(build, RECT, struct xi_rects, first + i / 4);

		line->rect[i % 4] = i < count ? rects[i] : never;
	}
	return first;
}

static void cell_key(const struct entry *e, __u64 key[4])
{
	uint32_t remote, local;

	if (e->family == 6) {
		memcpy(key, e->remote, 16);
		memcpy(key + 2, e->local, 16);
		return;
	}
	memcpy(&remote, e->remote, sizeof(remote));
	memcpy(&local, e->local, sizeof(local));
	key[0] = remote | (uint64_t)local << 32;
}

static struct xi_inside inside(const struct xi_rect *rect)
{
	return (struct xi_inside){.x_lo = rect->x_lo,
				  .x_hi = rect->x_hi,
				  .y_lo = rect->y_lo,
				  .y_hi = rect->y_hi,
				  .filter = rect->filter,
				  .action = rect->action};
}

/* One cell from its entries, best rank first. rects is scratch of `count`. */
static int add_cell(struct build *build, const struct entry *entries, size_t count, uint32_t shape,
		    struct xi_rect *rects)
{
	static const struct xi_rect never = {.x_lo = 1, .x_hi = 0, .filter = XI_NO_FILTER};
	int64_t index = tab_add(&build->cells, 1), first = 0;
	struct build_cell *cell;

	if (index < 0)
		return index;
	cell = &((struct build_cell *)build->cells.data)[index];
	cell_key(entries, cell->key);
	cell->tag = xi_cell_tag(shape, entries->proto);
	for (size_t i = 0; i < count; i++)
		rects[i] = entries[i].rect;
	count = drop_covered(rects, count);
	if (count > 1 + 4 * XI_LIST_LINES) {
		cell->in = inside(&never);
		cell->in.kind = XI_CELL_DENSE;
		first = count <= XI_RECTS_DENSE ? dense_build_rects(build, rects, count) : -E2BIG;
		if (first == -E2BIG) {
			cell->in.kind = XI_CELL_TREE;
			first = build_tree(build, rects, count);
		}
	} else {
		cell->in = inside(&rects[0]);
		if (count > 1) {
			cell->in.kind = XI_CELL_LIST;
			cell->in.lines = (count - 1 + 3) / 4;
			first = add_list(build, rects + 1, count - 1);
		}
	}
	cell->in.first = first;
	return first < 0 ? first : 0;
}

/*
 * The shapes of a group so far, from that of its first entry to that of its last. Of parts of one
 * shape the first with a match is enough, of an address and `me` it is not.
 */
static void mark_group(struct build *build, const struct xi_space *space, const struct entry *first,
		       const struct entry *last)
{
	for (uint32_t s = first->shape; s <= last->shape; s++) {
		struct xi_shape *shape = build_at(build, SHAPE, struct xi_shape,
						  space->first_shape + s);

		shape->group_end = last->shape + 1;
		if (first->me != last->me)
			shape->flags |= XI_SHAPE_TWIN;
	}
}

/* Shapes and cells of one space from its sorted entries. */
static int add_cells(struct build *build, struct xi_space *space, struct entry *entries,
		     size_t count)
{
	struct xi_rect *rects = malloc((count + 1) * sizeof(*rects));
	size_t to, group = 0;
	int err = rects ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < count; i = to) {
		bool new_group = !i || compare_group(&entries[i - 1], &entries[i]);

		if (new_group)
			group = i;
		if (new_group || !same_shape(&entries[i - 1], &entries[i])) {
			err = add_shape(build, &entries[i]);
			if (err)
				break;
			entries[i].shape = space->shapes++;
			mark_group(build, space, &entries[group], &entries[i]);
		}
		for (to = i; to < count && same_shape(&entries[i], &entries[to]) &&
			     !compare_cell(&entries[i], &entries[to]);
		     to++)
			entries[to].shape = space->shapes - 1;
		err = add_cell(build, &entries[i], to - i, space->first_shape + space->shapes - 1,
			       rects);
	}
	free(rects);
	return err;
}

/* All entries of a space, sorted. *ret is malloc'ed, NULL when there are none. */
static int space_entries(const struct image *image, unsigned index, struct entry **ret,
			 size_t *ret_count)
{
	unsigned dir = index >> 3, family = index & 4 ? 6 : 4, iface = index >> 1 & 1;
	struct entry *entries = NULL;
	struct xi_rect rect;
	size_t count = 0;

	for (int pass = 0; pass < 2; pass++) {
		size_t n = 0;

		for (size_t i = 0; i < image->count; i++) {
			const struct filter *f = &image->filters[i];

			if (f->dir != dir || f->family != family ||
			    (f->iface_class >= 0 && (unsigned)f->iface_class != iface) ||
			    !filter_rect(f, i, index & 1, &rect))
				continue;
			if (pass)
				entries[n] = make_entry(f, &rect);
			n++;
		}
		if (pass || !n)
			break;
		count = n;
		entries = malloc(n * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
	}
	if (entries)
		qsort(entries, count, sizeof(*entries), compare_entry);
	*ret = entries;
	*ret_count = count;
	return 0;
}

/* Entries are in order of shape. Returns how many there are. */
static uint32_t number_shapes(struct entry *entries, size_t count)
{
	uint32_t shapes = 0;

	for (size_t i = 0; i < count; i++) {
		shapes += !i || !same_shape(&entries[i - 1], &entries[i]);
		entries[i].shape = shapes - 1;
	}
	return shapes;
}

/* How many shapes these sorted entries make, and the first entry of each. */
static size_t shape_starts(const struct entry *entries, size_t count, const struct entry **starts)
{
	size_t shapes = 0;

	for (size_t i = 0; i < count; i++) {
		if (i && same_shape(&entries[i - 1], &entries[i]))
			continue;
		starts[shapes++] = &entries[i];
	}
	return shapes;
}

/*
 * The first shape: a dense list of the first `moved` entries. Against one of them only shapes
 * of its own group and of those before can win.
 */
static int add_dense(struct build *build, struct xi_space *space, struct entry *entries,
		     size_t count, size_t moved)
{
	const struct entry **starts = malloc((count - moved + 1) * sizeof(*starts));
	size_t shapes;
	int64_t list, index;

	if (!starts)
		return -ENOMEM;
	shapes = shape_starts(entries + moved, count - moved, starts);
	for (size_t i = 0; i < moved; i++) {
		size_t lo = 0, hi = shapes;

		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (compare_group(starts[mid], &entries[i]) <= 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		entries[i].shape = 1 + lo;
	}
	free(starts);
	list = dense_build(build, entries, moved);
	index = list < 0 ? list : tab_add(&build->tab[XI_TABLE_SHAPE], 1);
	if (index < 0)
		return index;
	build_at(build, SHAPE, struct xi_shape, index)->family = entries[0].family;
	space->dense = list + 1;
	for (size_t i = 0; i < moved; i++)
		entries[i].shape = 0;
	space->shapes = 1;
	return 0;
}

static int build_space(struct build *build, unsigned index)
{
	struct diag_loc loc;
	/* What rows tell apart when they must, see choose_fields(). */
	static const struct alive_depths depths[2] = {
		{.at = {[0 ... 16] = true, [24] = true, [32] = true}},
		{.at = {[0] = true, [48] = true, [64] = true, [128] = true}},
	};
	struct xi_space space = {.loaded = XI_SPACE_LOADED};
	struct entry *entries;
	bool whole[2] = {false, false};
	struct split_limits limits = {.alive = build->alive_max};
	uint32_t shapes;
	size_t count, moved = 0;
	int err = space_entries(build->image, index, &entries, &count);

	*build_at(build, SPACE, struct xi_space, index) = space;
	if (err || !entries)
		return err;
	shapes = number_shapes(entries, count);
	err = whole_plan(entries, count, shapes, whole);
	limits.remote = whole[0] ? NULL : &depths[index >> 2 & 1];
	limits.local = whole[1] ? NULL : &depths[index >> 2 & 1];
	if (!err)
		err = dense_pick(build, entries, count, shapes, limits.remote, limits.local,
				 build->alive_max, XI_DENSE_MAX, &moved);
	/* Of later fragments there are too few for it to be worth the time. */
	if (!err && !moved && !(index & 1) && rows_wanted(build, shapes))
		err = split_shapes(entries, count, shapes, &limits);
	space.first_shape = build->tab[XI_TABLE_SHAPE].count;
	if (!err && moved)
		err = add_dense(build, &space, entries, count, moved);
	build->cells.count = 0;
	if (!err)
		err = add_cells(build, &space, entries + moved, count - moved);
	if (!err && space.shapes > XI_SHAPES_MAX) {
		if (build->diag)
			/* Any is as much to blame as another. */
			diag_add(build->diag, DIAG_ERROR,
				 filter_loc(build->policy,
					    &build->image->filters[entries[count - 1].rect.filter],
					    &loc),
				 NULL,
				 "the filters combine %u different pairs of prefix lengths in one "
				 "direction and family, at most %u are possible",
				 space.shapes, XI_SHAPES_MAX);
		err = -EINVAL;
	}
	space.chunks = (space.shapes + XI_CHUNK_SHAPES - 1) / XI_CHUNK_SHAPES;
	if (!err)
		err = build_buckets(build, &space, index & 4);
	if (!err)
		err = build_rows(build, &space, entries, count, whole);
	*build_at(build, SPACE, struct xi_space, index) = space;
	free(entries);
	return err;
}

/* Without interface classes both spaces of a kind are one. */
static bool uses_iface(const struct image *image, unsigned index)
{
	for (size_t i = 0; i < image->count; i++) {
		const struct filter *f = &image->filters[i];

		if (f->dir == index >> 3 && f->family == (index & 4 ? 6 : 4) && f->iface_class >= 0)
			return true;
	}
	return false;
}

static int build_filters(struct build *build)
{
	for (size_t i = 0; i < build->image->count; i++) {
		const struct filter *f = &build->image->filters[i];
		struct xi_filter *row;

		if (tab_add(&build->tab[XI_TABLE_FILTER], 1) < 0)
			return -ENOMEM;
		row = build_at(build, FILTER, struct xi_filter, i);
		memcpy(row->remote, f->remote.addr.b, sizeof(row->remote));
		if (!f->local_is_me)
			memcpy(row->local, f->local.addr.b, sizeof(row->local));
		row->remote_len = f->remote.len;
		row->local_len = f->local_is_me ? xi_family_bits(f->family) : f->local.len;
		row->family = f->family;
		row->proto = f->proto_given ? f->proto : 0;
		row->remote_port_lo = f->remote_port_lo;
		row->remote_port_hi = f->remote_port_hi;
		row->local_port_lo = f->local_port_lo;
		row->local_port_hi = f->local_port_hi;
		row->flags = (f->local_is_me ? XI_F_LOCAL_IS_ME : 0) |
			     (f->proto_given ? XI_F_PROTO : 0) |
			     (f->icmp_type >= 0 ? XI_F_ICMP_TYPE : 0) |
			     (f->icmp_code >= 0 ? XI_F_ICMP_CODE : 0) |
			     (f->iface_class >= 0 ? XI_F_IFACE : 0) |
			     (f->passthrough ? XI_F_PASSTHROUGH : 0) | (f->soft ? XI_F_SOFT : 0);
		row->icmp_type = f->icmp_type >= 0 ? f->icmp_type : 0;
		row->icmp_code = f->icmp_code >= 0 ? f->icmp_code : 0;
		row->iface_class = f->iface_class >= 0 ? f->iface_class : 0;
		row->id = f->id;
		row->rule = f->rule;
		row->dir = f->dir;
		row->action = f->action;
		row->band = f->band;
	}
	return 0;
}

int build_tables(struct image *image, const struct policy *policy, const struct compile_opts *opts,
		 struct diag *diag)
{
	struct build build = {.image = image,
			      .policy = policy,
			      .diag = diag,
			      .rows = opts->rows,
			      .alive_max = opts->alive_max ? opts->alive_max : XI_ALIVE_MAX};
	int err = -ENOMEM;

	build.seed = opts->seed ? opts->seed : 0x7869707365630001ull;
	for (int t = 0; t < XI_TABLE_MAX; t++)
		build.tab[t].size = value_sizes[t];
	build.cells.size = sizeof(struct build_cell);
	if (tab_add(&build.tab[XI_TABLE_SPACE], XI_SPACES) < 0)
		goto out;
	err = build_filters(&build);
	for (unsigned i = 0; !err && i < XI_SPACES; i++) {
		if ((i & 2) && !uses_iface(image, i))
			*build_at(&build, SPACE, struct xi_space,
				  i) = *build_at(&build, SPACE, struct xi_space, i & ~2u);
		else
			err = build_space(&build, i);
	}
	for (int t = 0; !err && t < XI_TABLE_MAX; t++) {
		if (!build.tab[t].count && tab_add(&build.tab[t], 1) < 0)
			err = -ENOMEM;
	}
	for (int t = 0; !err && t < XI_TABLE_MAX; t++) {
		image->tables[t] = (struct image_table){build.tab[t].size, build.tab[t].count,
							build.tab[t].data};
		build.tab[t].data = NULL;
	}
out:
	for (int t = 0; t < XI_TABLE_MAX; t++)
		free(build.tab[t].data);
	free(build.cells.data);
	return err;
}
