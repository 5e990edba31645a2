/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inside a cell: which of its filters covers the ports, when it is not the one
 * at hand. The parts are global functions: the verifier checks each once. They
 * return a filter and its action as one number, or XI_NOTHING.
 */
#ifndef XI_CLASSIFY_INSIDE_BPF_H
#define XI_CLASSIFY_INSIDE_BPF_H

#include "classify_walk.bpf.h"

#define XI_NOTHING		 0xffffffffull	       /* filter XI_NO_FILTER */
#define XI_DAMAGED		 0xffffffff00000000ull /* an index that leads nowhere */
#define XI_FOUND(filter, action) ((__u64)(action) << 32 | (filter))

/* 1 when the rectangle does not cover the ports: of four differences one is negative. */
static __always_inline __u64 xi_rect_misses(const struct xi_rect *rect, __u64 x, __u64 y)
{
	return ((x - rect->x_lo) | (rect->x_hi - x) | (y - rect->y_lo) | (rect->y_hi - y)) >> 63;
}

/* The rectangles after the first, best rank first: four at a time, without a branch. */
__noinline __u64 xi_match_list(__u32 first, __u32 lines, __u32 x, __u32 y)
{
	const struct xi_rects *rects;
	__u32 i, hits, k;

	for (i = 0; i < XI_LIST_LINES && i < lines; i++) {
		rects = xi_at(xi_rect, first + i);
		if (!rects)
			return XI_DAMAGED;
		hits = 15 ^ (xi_rect_misses(&rects->rect[0], x, y) |
			     xi_rect_misses(&rects->rect[1], x, y) << 1 |
			     xi_rect_misses(&rects->rect[2], x, y) << 2 |
			     xi_rect_misses(&rects->rect[3], x, y) << 3);
		if (!hits)
			continue;
		k = xi_lowest_of_four(hits);
		asm volatile("" : "+r"(k));
		k &= 3;
		return XI_FOUND(rects->rect[k].filter, rects->rect[k].action);
	}
	return XI_NOTHING;
}

/* The last of `count` steps that begins at or before `at`: its value and action. */
__noinline __u64 xi_last_step(__u32 first, __u32 count, __u32 at)
{
	const struct xi_step *step;
	__u64 beyond;
	__u32 i, half;

	/*
	 * Steps begin with one at 0, so the answer lies in [first, first + count). Which half
	 * is anybody's guess, so no branch depends on it.
	 */
	for (i = 0; i < XI_TREE_DEPTH && count > 1; i++) {
		half = count / 2;
		step = xi_at(xi_step, first + half);
		if (!step)
			return XI_DAMAGED;
		beyond = (__u64)at - step->from;
		asm volatile("" : "+r"(beyond)); /* or clang compares and jumps */
		beyond >>= 63;			 /* 1: it begins behind */
		first += half & ((__u32)beyond - 1);
		count -= half; /* the larger half, either way */
	}
	step = xi_at(xi_step, first);
	return step ? XI_FOUND(step->value, step->action) : XI_DAMAGED;
}

__noinline __u64 xi_match_tree(__u32 index, __u32 x, __u32 y)
{
	const struct xi_tree *tree = xi_at(xi_tree, index);
	const struct xi_node *node;
	__u32 i, along, node_first, leaf;
	__u64 found, best = XI_NOTHING;

	if (!tree)
		return XI_DAMAGED;
	along = tree->swapped ? x : y;
	node_first = tree->node_first;
	leaf = tree->leaves;
	found = xi_last_step(tree->axis_first, tree->axis_count, tree->swapped ? y : x);
	if (found == XI_DAMAGED)
		return found;
	leaf += (__u32)found;
	for (i = 0; i < XI_TREE_DEPTH && leaf; i++, leaf >>= 1) {
		node = xi_at(xi_node, node_first + leaf);
		if (!node)
			return XI_DAMAGED;
		if (!node->count)
			continue;
		found = xi_last_step(node->first, node->count, along);
		if (found == XI_DAMAGED)
			return found;
		if ((__u32)found < (__u32)best)
			best = found;
	}
	return best;
}

#endif
