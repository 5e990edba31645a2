/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One probe: the cell of a shape, and the filter in it that covers the packet. A
 * cell lies in the first or the second of two buckets; a bucket is one cache
 * line (IPv6: two neighbours), compared without a branch. The second is looked
 * at only when the first says that a cell with such a hash had to go there.
 */
#ifndef XI_CLASSIFY_CELLS_BPF_H
#define XI_CLASSIFY_CELLS_BPF_H

#include "classify_inside.bpf.h"
#include "classify_walk.bpf.h"
#include "dense.bpf.h"
#include "mask6.bpf.h"

static __always_inline __u64 xi_differs4(const struct xi_cell4 *cell, __u64 key, __u32 tag)
{
	return xi_nonzero((*xi_words(cell->remote) ^ key) | (cell->tag ^ tag));
}

static __always_inline const struct xi_inside *xi_find4(const struct xi_ask *ask,
							const struct xi_space *space,
							const struct xi_shape *shape, __u32 tag,
							__s32 *error)
{
	__u64 key = ask->key[0] & *xi_words(shape->remote_mask), n0, n1;
	__u64 hash = xi_hash4(space->seed, key, tag);
	const struct xi_cells4 *bucket;

	bucket = xi_at(xi_cells4, space->first_bucket + xi_first_bucket(hash, space->buckets));
	if (!bucket)
		goto broken;
	n0 = xi_differs4(&bucket->cell[0], key, tag);
	n1 = xi_differs4(&bucket->cell[1], key, tag);
	if (n0 & n1) {
		if (!(bucket->cell[0].in.over & xi_over_bit(hash)))
			return NULL;
		bucket = xi_at(xi_cells4,
			       space->first_bucket + xi_second_bucket(hash, space->buckets));
		if (!bucket)
			goto broken;
		n0 = xi_differs4(&bucket->cell[0], key, tag);
		n1 = xi_differs4(&bucket->cell[1], key, tag);
		if (n0 & n1)
			return NULL;
	}
	asm volatile("" : "+r"(n0));
	return &bucket->cell[n0 & 1].in;
broken:
	*error = -EIO;
	return NULL;
}

static __always_inline __u64 xi_differs6(const struct xi_cell6 *cell, const __u64 key[4], __u32 tag)
{
	const xi_word *remote = xi_words(cell->remote), *local = xi_words(cell->local);

	return xi_nonzero((remote[0] ^ key[0]) | (remote[1] ^ key[1]) | (local[0] ^ key[2]) |
			  (local[1] ^ key[3]) | (cell->tag ^ tag));
}

static __always_inline const struct xi_inside *xi_find6(const struct xi_ask *ask,
							const struct xi_space *space,
							const struct xi_shape *shape, __u32 tag,
							__s32 *error)
{
	const __u64 *remote = xi_mask6(shape->remote_len), *local = xi_mask6(shape->local_len);
	__u64 key[4] = {ask->key[0] & remote[0], ask->key[1] & remote[1], ask->key[2] & local[0],
			ask->key[3] & local[1]};
	__u64 hash = xi_hash6(space->seed, key, key + 2, tag), n0, n1;
	const struct xi_cells6 *bucket;

	bucket = xi_at(xi_cells6, space->first_bucket + xi_first_bucket(hash, space->buckets));
	if (!bucket)
		goto broken;
	n0 = xi_differs6(&bucket->cell[0], key, tag);
	n1 = xi_differs6(&bucket->cell[1], key, tag);
	if (n0 & n1) {
		if (!(bucket->cell[0].in.over & xi_over_bit(hash)))
			return NULL;
		bucket = xi_at(xi_cells6,
			       space->first_bucket + xi_second_bucket(hash, space->buckets));
		if (!bucket)
			goto broken;
		n0 = xi_differs6(&bucket->cell[0], key, tag);
		n1 = xi_differs6(&bucket->cell[1], key, tag);
		if (n0 & n1)
			return NULL;
	}
	asm volatile("" : "+r"(n0));
	return &bucket->cell[n0 & 1].in;
broken:
	*error = -EIO;
	return NULL;
}

/*
 * What shape `s` of the space has for the packet: XI_FOUND(), XI_NOTHING or
 * XI_DAMAGED. *ret_shape: the shape.
 */
static __always_inline __u64 xi_probe_shape(const struct xi_ask *ask, const struct xi_space *space,
					    __u32 s, const struct xi_shape **ret_shape, bool v6)
{
	__u32 index = space->first_shape + s, proto_mask, tag;
	const struct xi_shape *shape = xi_at(xi_shape, index);
	const struct xi_inside *in;
	__s32 error = 0;
	__u64 x, y;

	if (!shape)
		return XI_DAMAGED;
	*ret_shape = shape;
	if ((shape->flags & XI_SHAPE_ME) && !(ask->flags & XI_PKT_LOCAL_IS_ME))
		return XI_NOTHING;
	proto_mask = -(__u32)(shape->flags & XI_SHAPE_PROTO);
	tag = xi_cell_tag(index, 0) | (ask->proto & proto_mask);
	in = v6 ? xi_find6(ask, space, shape, tag, &error)
		: xi_find4(ask, space, shape, tag, &error);
	if (!in)
		return error ? XI_DAMAGED : XI_NOTHING;
	/* Read here, not kept on the stack while the cell is looked for. */
	x = ask->x;
	y = ask->y | (ask->icmp & -(__u32)(shape->flags & XI_SHAPE_PROTO));
	/* All four differences at once: a negative one has its top bit set. */
	if ((__s64)((x - in->x_lo) | (in->x_hi - x) | (y - in->y_lo) | (in->y_hi - y)) >= 0)
		return XI_FOUND(in->filter, in->action);
	if (in->kind == XI_CELL_LIST)
		return xi_match_list(in->first, in->lines, x, y);
	if (in->kind == XI_CELL_DENSE)
		return xi_dense_rects(in->first, x, y);
	if (in->kind == XI_CELL_TREE)
		return xi_match_tree(in->first, x, y);
	return XI_NOTHING;
}

/* Tries shape `s`. True when nothing later can win. */
static __always_inline bool xi_try_shape(const struct xi_ask *ask, const struct xi_space *space,
					 struct xi_best *best, __u32 s, bool v6)
{
	const struct xi_shape *shape = NULL;
	__u64 found = xi_probe_shape(ask, space, s, &shape, v6);

	if (found == XI_NOTHING)
		return false;
	if (found == XI_DAMAGED || !shape) {
		best->error = -EIO;
		return true;
	}
	if ((__u32)found < best->filter) {
		best->filter = found;
		best->action = found >> 32;
	}
	if (!(shape->flags & XI_SHAPE_TWIN))
		return true;
	if (shape->group_end < best->limit)
		best->limit = shape->group_end;
	return false;
}

#endif
