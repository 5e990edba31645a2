/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The classifier: one packet's fields in, the filter that decides out. The
 * tables and the words used here are explained in xipsec/classify.h, the design
 * and its costs in docs/classifier.md; compile/model.c is the specification.
 *
 * Exactness: a row, a tag or a hash only ever says "perhaps". The answer comes
 * from a full comparison of the cell's key and of the rectangle's bounds.
 * Shapes are tried from the highest precedence down, so the first match ends the
 * search, except among shapes of equal precedence (a full local prefix and
 * `me`): these are all tried and the lower rank wins.
 *
 * The parts are global functions: the verifier checks each once, and loops do
 * not multiply. Needs Linux 5.17 (bpf_loop).
 */
#ifndef XI_CLASSIFY_BPF_H
#define XI_CLASSIFY_BPF_H

#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <xipsec/classify.h>

#include "classify_maps.bpf.h"

#define XI_ICMP	  1
#define XI_ICMPV6 58

#define XI_NO_ROW 0xffffffffu

/*
 * The state of one lookup, on the stack of xi_classify(). Linux 6.1 counts the
 * frames of all callers together, 512 bytes: keep it small.
 */
struct xi_walk {
	__u64 remote[2], local[2]; /* as they lie in memory */
	__u64 word[8];		   /* shapes of this chunk still to be tried */
	__u64 seed;
	__u32 nonzero;		     /* which of the words are not zero */
	__u32 line[XI_PROBE_FIELDS]; /* this packet's rows: index in xi_row, or XI_NO_ROW */
	__u32 first_shape;
	__u32 base;  /* of this chunk, relative to first_shape */
	__u32 limit; /* relative too: from here on nothing can win */
	__u32 bucket_mask;
	__u32 filter; /* best so far */
	__u32 action;
	__u16 x;       /* remote port */
	__u16 y;       /* local port */
	__u16 y_proto; /* the same, or type and code of ICMP */
	__u8 proto;
	__u8 flags; /* XI_PKT_* */
	__u8 v6;
	__u8 error; /* a table is missing or does not fit */
	__u8 pad[2];
};

static const __u8 xi_debruijn[64] = {
	0,  1,	2,  53, 3,  7,	54, 27, 4,  38, 41, 8,	34, 55, 48, 28, 62, 5,	39, 46, 44, 42,
	22, 9,	24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21,
	23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
};

/* The number of the lowest set bit; BPF has no instruction for it. Not for 0. */
static __always_inline __u32 xi_lowest_bit(__u64 word)
{
	return xi_debruijn[((word & -word) * 0x022fdd63cc95386dull) >> 58];
}

/* A macro, because the verifier must see the map as a constant. */
#define xi_table_at(table, index)                                                                  \
	({                                                                                         \
		__u32 __index = (index);                                                           \
		bpf_map_lookup_elem(&xi_##table, &__index);                                        \
	})

static __always_inline bool xi_rect_covers(const struct xi_rect *rect, __u16 x, __u16 y)
{
	return x >= rect->x_lo && x <= rect->x_hi && y >= rect->y_lo && y <= rect->y_hi;
}

/* ------------------------------------------------------------------- rows */

static __always_inline void xi_probe_row(struct xi_walk *w, const struct xi_probe *probe,
					 __u64 seed, __u32 chunks, __u32 field, __u64 addr,
					 __u16 direct)
{
	const struct xi_slot *slot;
	__u64 mask;
	__u32 at, value;

	w->line[field] = XI_NO_ROW;
	if (probe->kind == XI_PROBE_OFF)
		return;
	at = direct;
	if (probe->kind == XI_PROBE_HASHED) {
		__builtin_memcpy(&mask, probe->mask, sizeof(mask));
		at = xi_slot_hash(seed, addr & mask);
	}
	value = probe->slot + (at >> 2);
	slot = bpf_map_lookup_elem(&xi_slot, &value);
	if (!slot) {
		w->error = 1;
		return;
	}
	w->line[field] = probe->row + slot->row[at & 3] * chunks;
}

/* Finds the packet's row for each field that the space keeps rows for. */
__noinline int xi_find_rows(struct xi_walk *w, __u32 index)
{
	const struct xi_space *space;
	__u32 n;
	__u64 seed;

	if (!w)
		return -EINVAL;
	space = xi_table_at(space, index);
	if (!space)
		return -ENOENT;
	n = space->chunks;
	seed = space->row_seed;
#define XI_ROW(field, addr, direct)                                                                \
	xi_probe_row(w, &space->probe[XI_PROBE_##field], seed, n, XI_PROBE_##field, addr, direct)
	XI_ROW(REMOTE_A, w->remote[0], bpf_ntohs(*(__u16 *)&w->remote[0]));
	XI_ROW(REMOTE_B, w->remote[0], 0);
	XI_ROW(REMOTE_C, w->remote[0], 0);
	XI_ROW(LOCAL_A, w->local[0], bpf_ntohs(*(__u16 *)&w->local[0]));
	XI_ROW(LOCAL_B, w->local[0], 0);
	XI_ROW(LOCAL_C, w->local[0], 0);
	XI_ROW(REMOTE_PORT, 0, w->x);
	XI_ROW(LOCAL_PORT, 0, w->y);
	XI_ROW(PROTO, 0, w->proto);
#undef XI_ROW
	return 0;
}

/* Fills word[] with the shapes of one chunk that every row allows. */
__noinline int xi_and_rows(struct xi_walk *w, __u32 chunk)
{
	const struct xi_row *row;
	__u32 i, k, line;
	__u32 nonzero = 0;

	if (!w)
		return -EINVAL;
	for (k = 0; k < 8; k++) {
		__s32 left = (__s32)w->limit - (__s32)(w->base + 64 * k);

		w->word[k] = left >= 64 ? ~0ull : left <= 0 ? 0 : (1ull << (left & 63)) - 1;
	}
	for (i = 0; i < XI_PROBE_FIELDS; i++) {
		if (w->line[i] == XI_NO_ROW)
			continue;
		line = w->line[i] + chunk;
		row = bpf_map_lookup_elem(&xi_row, &line);
		if (!row)
			return -ENOENT;
		for (k = 0; k < 8; k++)
			w->word[k] &= row->shapes[k];
	}
	for (k = 0; k < 8; k++)
		nonzero |= (__u32)(w->word[k] != 0) << k;
	w->nonzero = nonzero;
	return 0;
}

/* ------------------------------------------------------------- inside a cell */

/* The rectangles after the first, best rank first. */
__noinline int xi_match_list(struct xi_walk *w, __u32 first, __u32 lines, __u32 y32)
{
	const struct xi_rects *rects;
	__u16 x, y = y32;
	__u32 i, k;

	if (!w)
		return -EINVAL;
	x = w->x;
	for (i = 0; i < XI_LIST_LINES && i < lines; i++) {
		rects = xi_table_at(rect, first + i);
		if (!rects)
			return -ENOENT;
		for (k = 0; k < 4; k++) {
			if (!xi_rect_covers(&rects->rect[k], x, y))
				continue;
			if (rects->rect[k].filter < w->filter) {
				w->filter = rects->rect[k].filter;
				w->action = rects->rect[k].action;
			}
			return 1;
		}
	}
	return 0;
}

/* The value of the last of `count` steps that begins at or before `at`. */
__noinline __u32 xi_last_step(__u32 first, __u32 count, __u32 at)
{
	const struct xi_step *step;
	__u32 i, half;

	/* Steps begin with one at 0, so the answer lies in [first, first + count). */
	for (i = 0; i < XI_TREE_DEPTH && count > 1; i++) {
		half = count / 2;
		step = xi_table_at(step, first + half);
		if (!step)
			return XI_NO_FILTER;
		if (step->from <= at) {
			first += half;
			count -= half;
		} else {
			count = half;
		}
	}
	step = xi_table_at(step, first);
	return step ? step->value : XI_NO_FILTER;
}

__noinline int xi_match_tree(struct xi_walk *w, __u32 index, __u32 y)
{
	const struct xi_filter *filter;
	const struct xi_tree *tree;
	const struct xi_node *node;
	__u32 i, at, along, node_first, leaf, best = XI_NO_FILTER;

	if (!w)
		return -EINVAL;
	tree = xi_table_at(tree, index);
	if (!tree)
		return -ENOENT;
	at = tree->swapped ? y : w->x;
	along = tree->swapped ? w->x : y;
	node_first = tree->node_first;
	leaf = tree->leaves + xi_last_step(tree->axis_first, tree->axis_count, at);
	for (i = 0; i < XI_TREE_DEPTH && leaf; i++, leaf >>= 1) {
		__u32 value;

		node = xi_table_at(node, node_first + leaf);
		if (!node)
			return -ENOENT;
		if (!node->count)
			continue;
		value = xi_last_step(node->first, node->count, along);
		if (value < best)
			best = value;
	}
	if (best == XI_NO_FILTER)
		return 0;
	if (best < w->filter) {
		filter = xi_table_at(filter, best);
		if (!filter)
			return -ENOENT;
		w->filter = best;
		w->action = filter->action;
	}
	return 1;
}

/* -------------------------------------------------------------------- shapes */

static __always_inline bool xi_cell_is(const struct xi_cell *cell, const __u64 key[4], __u32 shape,
				       __u8 proto)
{
	const __u64 *have = (const __u64 *)cell;
	__u64 diff;

	diff = have[0] ^ key[0];
	diff |= have[1] ^ key[1];
	diff |= have[2] ^ key[2];
	diff |= have[3] ^ key[3];
	diff |= cell->shape ^ shape;
	diff |= cell->proto ^ proto;
	return !diff;
}

/* The cell of this key, or NULL. May set w->error. */
static __always_inline const struct xi_cell *xi_find_cell(struct xi_walk *w, const __u64 key[4],
							  __u32 shape, __u8 proto)
{
	__u64 hash = xi_cell_hash(w->seed, w->v6, key[0], key[1], key[2], key[3], shape, proto);
	const struct xi_bucket *bucket;
	const struct xi_cell *cell;
	__u64 spread, t0, t1;
	__u16 tag = xi_cell_tag(hash);
	__u32 i, k, at;

	spread = tag * 0x0001000100010001ull;
	for (i = 0; i < XI_BUCKET_HOPS; i++) {
		at = ((__u32)hash + i) & w->bucket_mask;
		bucket = bpf_map_lookup_elem(&xi_bucket, &at);
		if (!bucket)
			goto broken;
		/* Is any of the eight halfwords equal? Only a hint, so one test for all. */
		t0 = ((const __u64 *)bucket)[0] ^ spread;
		t1 = ((const __u64 *)bucket)[1] ^ spread;
		t0 = (t0 - 0x0001000100010001ull) & ~t0;
		t1 = (t1 - 0x0001000100010001ull) & ~t1;
		if ((t0 | t1) & 0x8000800080008000ull) {
			for (k = 0; k < 8; k++) {
				if (bucket->tag[k] != tag)
					continue;
				at = bucket->cell[k];
				cell = bpf_map_lookup_elem(&xi_cell, &at);
				if (!cell)
					goto broken;
				if (xi_cell_is(cell, key, shape, proto))
					return cell;
			}
		}
		if (!bucket->more)
			break;
	}
	return NULL;
broken:
	w->error = 1;
	return NULL;
}

/* Tries one shape, `s` counted from the space's first. */
static __always_inline void xi_try_shape(struct xi_walk *w, __u32 s)
{
	const struct xi_shape *shape;
	const struct xi_cell *cell;
	const __u64 *mask;
	__u32 index = w->first_shape + s, y;
	__u64 key[4];
	__u8 proto;
	int hit;

	shape = bpf_map_lookup_elem(&xi_shape, &index);
	if (!shape) {
		w->error = 1;
		return;
	}
	if ((shape->flags & XI_SHAPE_ME) && !(w->flags & XI_PKT_LOCAL_IS_ME))
		return;
	mask = (const __u64 *)shape;
	key[0] = w->remote[0] & mask[0];
	key[1] = w->remote[1] & mask[1];
	key[2] = w->local[0] & mask[2];
	key[3] = w->local[1] & mask[3];
	proto = shape->flags & XI_SHAPE_PROTO ? w->proto : 0;
	y = shape->flags & XI_SHAPE_PROTO ? w->y_proto : w->y;
	cell = xi_find_cell(w, key, index, proto);
	if (!cell)
		return;
	if (cell->kind == XI_CELL_TREE) {
		hit = xi_match_tree(w, cell->first, y);
	} else if (xi_rect_covers(&cell->rect, w->x, y)) {
		if (cell->rect.filter < w->filter) {
			w->filter = cell->rect.filter;
			w->action = cell->rect.action;
		}
		hit = 1;
	} else if (cell->kind == XI_CELL_LIST) {
		hit = xi_match_list(w, cell->first, cell->lines, y);
	} else {
		hit = 0;
	}
	if (hit < 0)
		w->error = 1;
	else if (hit && shape->group_end < w->limit)
		w->limit = shape->group_end;
}

/* bpf_loop() callback: the next shape of this chunk. 1 ends the loop. */
static int xi_walk_step(__u32 i, struct xi_walk *w)
{
	__u64 word;
	__u32 k, s;

	if (!w->nonzero)
		return 1;
	k = xi_lowest_bit(w->nonzero);
	asm volatile("" : "+r"(k)); /* keep the mask, the verifier needs it */
	k &= 7;
	word = w->word[k];
	if (!word)
		return 1; /* cannot be, but a lowest bit of 0 is no answer */
	s = w->base + 64 * k + xi_lowest_bit(word);
	word &= word - 1;
	w->word[k] = word;
	if (!word)
		w->nonzero &= w->nonzero - 1;
	if (s >= w->limit)
		return 1;
	xi_try_shape(w, s);
	return w->error ? 1 : 0;
}

/* ----------------------------------------------------------------- the lookup */

static __always_inline void xi_walk_init(struct xi_walk *w, const struct xi_pkt *pkt,
					 const struct xi_space *space)
{
	__builtin_memset(w, 0, sizeof(*w));
	__builtin_memset(w->line, 0xff, sizeof(w->line)); /* XI_NO_ROW */
	__builtin_memcpy(w->remote, pkt->remote, 16);
	__builtin_memcpy(w->local, pkt->local, 16);
	w->proto = pkt->proto;
	w->flags = pkt->flags;
	w->v6 = pkt->family == 6;
	if (!(pkt->flags & XI_PKT_LATER_FRAG)) {
		if (pkt->proto == XI_ICMP || pkt->proto == XI_ICMPV6) {
			w->y_proto = (__u16)pkt->icmp_type << 8 | pkt->icmp_code;
		} else {
			w->x = pkt->remote_port;
			w->y = w->y_proto = pkt->local_port;
		}
	}
	w->seed = space->seed;
	w->first_shape = space->first_shape;
	w->limit = space->shapes;
	w->bucket_mask = space->bucket_mask;
	w->filter = XI_NO_FILTER;
}

/*
 * Which filter of this program's list decides about this packet. 0 and a verdict, XI_ACT_NONE when
 * nothing matches; or -errno when the tables are missing or damaged: the caller must then drop.
 */
__noinline int xi_classify(const struct xi_pkt *pkt, struct xi_verdict *ret)
{
	const struct xi_space *space;
	struct xi_walk walk, *w = &walk;
	__u32 index, c;
	int err;

	if (!pkt || !ret)
		return -EINVAL;
	index = XI_SPACE_INDEX(pkt->dir, pkt->family, pkt->iface_class,
			       !!(pkt->flags & XI_PKT_LATER_FRAG));
	space = xi_table_at(space, index);
	if (!space)
		return -ENOENT;
	xi_walk_init(w, pkt, space);
	if (space->pruned) {
		err = xi_find_rows(w, index);
		if (err)
			return err;
	}
	for (c = 0; c < XI_CHUNKS_MAX; c++) {
		w->base = c * XI_CHUNK_SHAPES;
		if (w->base >= w->limit || w->error)
			break;
		err = xi_and_rows(w, c);
		if (err)
			return err;
		bpf_loop(XI_CHUNK_SHAPES, xi_walk_step, w, 0);
	}
	if (w->error)
		return -EIO;
	ret->filter_idx = w->filter;
	ret->action = w->filter == XI_NO_FILTER ? XI_ACT_NONE : w->action;
	return 0;
}

#endif
