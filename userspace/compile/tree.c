/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cell with many port ranges: a segment tree over the ports of one side, each
 * node holding, as sorted steps over the ports of the other side, the best rank
 * among the rectangles filed there. See struct xi_tree for the lookup. Exact for
 * any number of ranges in any overlap; n rectangles cost at most about
 * 2 * 17 * n steps on the first axis and twice that in memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"

#define NOBODY 0xffffffffu

/* One rectangle, turned so that `a` is the axis of the tree. */
struct span {
	uint32_t a_lo, a_hi, b_lo, b_hi; /* inclusive */
	uint32_t rank;
	enum xi_action action;
};

static int compare_u32(const void *pa, const void *pb)
{
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	return a < b ? -1 : a > b;
}

static size_t sort_unique(uint32_t *v, size_t n)
{
	size_t out = 0;

	qsort(v, n, sizeof(*v), compare_u32);
	for (size_t i = 0; i < n; i++) {
		if (!out || v[out - 1] != v[i])
			v[out++] = v[i];
	}
	return out;
}

/* The points where something begins or has just ended, 0 included. */
static size_t collect_edges(const struct span *spans, const uint32_t *which, size_t n, bool axis_a,
			    uint32_t *edges)
{
	size_t count = 0;

	edges[count++] = 0;
	for (size_t i = 0; i < n; i++) {
		const struct span *s = &spans[which ? which[i] : i];
		uint32_t lo = axis_a ? s->a_lo : s->b_lo, hi = axis_a ? s->a_hi : s->b_hi;

		edges[count++] = lo;
		if (hi < 65535)
			edges[count++] = hi + 1;
	}
	return sort_unique(edges, count);
}

static size_t find_edge(const uint32_t *edges, size_t count, uint32_t at)
{
	size_t lo = 0, hi = count;

	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (edges[mid] <= at)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static uint32_t next_free(uint32_t *next, uint32_t i)
{
	while (next[i] != i) {
		next[i] = next[next[i]];
		i = next[i];
	}
	return i;
}

/* Appends the steps of one node: the best rank over axis b. */
static int add_steps(struct build *build, const struct span *spans, const uint32_t *which, size_t n,
		     struct xi_node *ret)
{
	uint32_t *edges = malloc((2 * n + 1) * sizeof(*edges)), *next = NULL, *best = NULL;
	struct xi_node node = {0};
	int64_t first;
	size_t count;
	int err = -ENOMEM;

	if (!edges)
		goto out;
	count = collect_edges(spans, which, n, false, edges);
	next = malloc((count + 1) * sizeof(*next));
	best = malloc(count * sizeof(*best));
	if (!next || !best)
		goto out;
	for (size_t i = 0; i <= count; i++)
		next[i] = i;
	memset(best, 0xff, count * sizeof(*best));
	/* Best rank first: what is painted stays painted. */
	for (size_t i = 0; i < n; i++) {
		const struct span *s = &spans[which[i]];
		uint32_t end = s->b_hi == 65535 ? count : find_edge(edges, count, s->b_hi + 1);
		uint32_t at = next_free(next, find_edge(edges, count, s->b_lo));

		for (; at < end; at = next_free(next, at)) {
			best[at] = which[i];
			next[at] = at + 1;
		}
	}
	for (size_t i = 0; i < count; i++) {
		struct xi_step *step;

		if (i && best[i] == best[i - 1])
			continue;
		first = tab_add(&build->tab[XI_TABLE_STEP], 1);
		if (first < 0) {
			err = first;
			goto out;
		}
		if (!node.count++)
			node.first = first;
		step = build_at(build, STEP, struct xi_step, first);
		step->from = edges[i];
		step->value = XI_NO_FILTER;
		if (best[i] != NOBODY) {
			step->value = spans[best[i]].rank;
			step->action = spans[best[i]].action;
		}
	}
	*ret = node;
	err = 0;
out:
	free(edges);
	free(next);
	free(best);
	return err;
}

/* Calls for each node that together make up leaves [lo, hi]; heap order, root 1. */
#define for_each_cover(node, l, r, lo, hi, leaves)                                                 \
	for (uint32_t l = (lo) + (leaves), r = (hi) + (leaves) + 1; l < r; l >>= 1, r >>= 1)       \
		for (uint32_t __k = 0, node; __k < 2; __k++)                                       \
			if ((node = __k ? (r & 1 ? --r : 0) : (l & 1 ? l++ : 0)))

/* Files every span under its nodes: start[node]..start[node + 1] in *ret_list. */
static int file_spans(const struct span *spans, size_t n, const uint32_t *edges, size_t edge_count,
		      uint32_t leaves, size_t *start, uint32_t **ret_list)
{
	size_t *fill = NULL, total = 0;
	uint32_t *list = NULL;
	int err = -ENOMEM;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			uint32_t lo = find_edge(edges, edge_count, spans[i].a_lo);
			uint32_t hi = find_edge(edges, edge_count, spans[i].a_hi);

			for_each_cover(node, l, r, lo, hi, leaves) {
				if (pass)
					list[fill[node]++] = i;
				else
					start[node + 1]++;
			}
		}
		if (pass)
			break;
		for (uint32_t k = 0; k < 2 * leaves; k++)
			start[k + 1] += start[k];
		total = start[2 * leaves];
		fill = malloc(2 * leaves * sizeof(*fill));
		list = malloc((total ? total : 1) * sizeof(*list));
		if (!fill || !list)
			goto out;
		memcpy(fill, start, 2 * leaves * sizeof(*fill));
	}
	*ret_list = list;
	list = NULL;
	err = 0;
out:
	free(fill);
	free(list);
	return err;
}

/* The tree's axis is the side with fewer edges: fewer nodes, and often just one. */
static bool choose_axis(const struct xi_rect *rects, struct span *spans, size_t n, uint32_t *edges)
{
	size_t edges_x, edges_y;
	bool swapped;

	for (size_t i = 0; i < n; i++) {
		spans[i] = (struct span){rects[i].x_lo, rects[i].x_hi,	 rects[i].y_lo,
					 rects[i].y_hi, rects[i].filter, rects[i].action};
	}
	edges_x = collect_edges(spans, NULL, n, true, edges);
	edges_y = collect_edges(spans, NULL, n, false, edges);
	swapped = edges_y < edges_x;
	for (size_t i = 0; swapped && i < n; i++) {
		spans[i] = (struct span){rects[i].y_lo, rects[i].y_hi,	 rects[i].x_lo,
					 rects[i].x_hi, rects[i].filter, rects[i].action};
	}
	return swapped;
}

/* The axis steps and the nodes of a tree whose record is at `index`. */
static int fill_tree(struct build *build, int64_t index, const struct span *spans, size_t n,
		     uint32_t *edges)
{
	size_t edge_count = collect_edges(spans, NULL, n, true, edges), *start = NULL;
	int64_t axis = tab_add(&build->tab[XI_TABLE_STEP], edge_count), nodes;
	uint32_t leaves = 1, *list = NULL;
	struct xi_tree *tree;
	int err = -ENOMEM;

	while (leaves < edge_count)
		leaves *= 2;
	nodes = tab_add(&build->tab[XI_TABLE_NODE], 2 * leaves);
	start = calloc(2 * leaves + 1, sizeof(*start));
	if (axis < 0 || nodes < 0 || !start)
		goto out;
	for (size_t i = 0; i < edge_count; i++) {
		build_at(build, STEP, struct xi_step, axis + i)->from = edges[i];
		build_at(build, STEP, struct xi_step, axis + i)->value = i;
	}
	err = file_spans(spans, n, edges, edge_count, leaves, start, &list);
	for (uint32_t k = 1; !err && k < 2 * leaves; k++) {
		struct xi_node node = {0};

		if (start[k + 1] == start[k])
			continue;
		err = add_steps(build, spans, list + start[k], start[k + 1] - start[k], &node);
		*build_at(build, NODE, struct xi_node, nodes + k) = node;
	}
	tree = build_at(build, TREE, struct xi_tree, index);
	tree->axis_first = axis;
	tree->axis_count = edge_count;
	tree->node_first = nodes;
	tree->leaves = leaves;
	tree->filters = n;
out:
	free(start);
	free(list);
	return err;
}

int64_t build_tree(struct build *build, const struct xi_rect *rects, size_t count)
{
	struct span *spans = calloc(count, sizeof(*spans));
	uint32_t *edges = malloc((2 * count + 1) * sizeof(*edges));
	int64_t index = tab_add(&build->tab[XI_TABLE_TREE], 1);
	bool swapped;
	int err = -ENOMEM;

	if (!spans || !edges || index < 0)
		goto out;
	swapped = choose_axis(rects, spans, count, edges);
	build_at(build, TREE, struct xi_tree, index)->swapped = swapped;
	err = fill_tree(build, index, spans, count, edges);
out:
	free(spans);
	free(edges);
	return err ? err : index;
}
