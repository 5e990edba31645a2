/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree of filters that the search for unreachable ones walks; see reach.h and reach.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/reach.h"
#include "util/addr.h"

typedef unsigned __int128 wide;

static int compare_prefix(const struct xi_prefix *a, const struct xi_prefix *b)
{
	int diff = memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));

	return diff ? diff : a->len - b->len;
}

static int compare_node(const struct filter *a, const struct filter *b)
{
	int diff = a->dir - b->dir;

	if (!diff)
		diff = a->family - b->family;
	return diff ? diff : compare_prefix(&a->remote, &b->remote);
}

static int compare_cell(const struct filter *a, const struct filter *b)
{
	int diff = b->local_is_me - a->local_is_me;

	return diff || a->local_is_me ? diff : compare_prefix(&a->local, &b->local);
}

static int compare_order(const void *pa, const void *pb, void *arg)
{
	const struct filter *filters = arg;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	int diff = compare_node(&filters[a], &filters[b]);

	if (!diff)
		diff = compare_cell(&filters[a], &filters[b]);
	return diff ? diff : a < b ? -1 : 1;
}

/* Addresses in a prefix: exact for IPv4, pairs of them rounded up for IPv6. */
static wide room(const struct xi_prefix *prefix)
{
	unsigned bits = prefix->addr.family == 4 ? 32 : 127;

	return (wide)1 << (prefix->len > bits ? 0 : bits - prefix->len);
}

/* Built-in filters may overlap, so sums may grow beyond all addresses. */
static void add_room(wide *sum, wide more)
{
	*sum = *sum + more < more ? ~(wide)0 : *sum + more;
}

/* What the built-in filters take of this prefix at most, being smaller than it. */
static wide special_room(const struct reach_index *s, const struct xi_prefix *prefix, uint8_t dir,
			 bool remote)
{
	wide sum = 0;

	for (size_t i = 0; i < s->special_count; i++) {
		const struct filter *f = &s->filters[s->special[i]];
		const struct xi_prefix *other = remote ? &f->remote : &f->local;

		if (f->dir == dir && f->family == prefix->addr.family && other->len > prefix->len &&
		    prefix_within(other, prefix))
			add_room(&sum, room(other));
	}
	return sum;
}

/* Sums up the largest prefixes inside each one. `taken` is scratch of the cells' number. */
static void finish_cells(struct reach_index *s, struct reach_node *node, wide *taken,
			 uint32_t *stack)
{
	size_t depth = 0;
	uint32_t last = node->first + node->count;

	for (uint32_t i = node->first; i <= last; i++) {
		struct reach_cell *cell = &s->cells[i];

		while (depth && (i == last ||
				 !prefix_within(&cell->local, &s->cells[stack[depth - 1]].local))) {
			struct reach_cell *done = &s->cells[stack[--depth]];

			done->end = i;
			add_room(&taken[stack[depth]],
				 special_room(s, &done->local, node->dir, false));
			done->filled = taken[stack[depth]] >= room(&done->local);
		}
		if (i == last)
			break;
		taken[i] = 0;
		cell->outer = depth ? stack[depth - 1] : REACH_NOWHERE;
		/* No list is long enough to name all addresses that could be `me`. */
		if (depth && !s->cells[stack[depth - 1]].me)
			taken[stack[depth - 1]] += room(&cell->local);
		stack[depth++] = i;
	}
}

static void finish_nodes(struct reach_index *s, wide *taken, uint32_t *stack)
{
	size_t depth = 0;

	for (uint32_t i = 0; i <= s->node_count; i++) {
		struct reach_node *node = &s->nodes[i];

		while (depth) {
			struct reach_node *outer = &s->nodes[stack[depth - 1]];

			if (i < s->node_count && node->dir == outer->dir &&
			    node->remote.addr.family == outer->remote.addr.family &&
			    prefix_within(&node->remote, &outer->remote))
				break;
			depth--;
			outer->end = i;
			outer->tiled = outer->remote.addr.family == 4 &&
				       taken[stack[depth]] == room(&outer->remote);
			add_room(&taken[stack[depth]],
				 special_room(s, &outer->remote, outer->dir, true));
			outer->filled = taken[stack[depth]] >= room(&outer->remote);
		}
		if (i == s->node_count)
			break;
		taken[i] = 0;
		node->outer = depth ? stack[depth - 1] : REACH_NOWHERE;
		if (depth)
			taken[stack[depth - 1]] += room(&node->remote);
		stack[depth++] = i;
	}
}

static void make_cells(struct reach_index *s)
{
	for (size_t i = 0; i < s->order_count; i++) {
		const struct filter *f = &s->filters[s->order[i]];
		const struct filter *before = i ? &s->filters[s->order[i - 1]] : NULL;
		bool new_node = !before || compare_node(before, f);

		if (new_node)
			s->nodes[s->node_count++] = (struct reach_node){
				.remote = f->remote, .dir = f->dir, .first = s->cell_count};
		if (new_node || compare_cell(before, f)) {
			s->cells[s->cell_count++] = (struct reach_cell){
				.local = f->local, .me = f->local_is_me, .first = i};
			s->nodes[s->node_count - 1].count++;
		}
		s->cells[s->cell_count - 1].count++;
	}
}

int reach_index_make(const struct filter *filters, size_t count, struct reach_index *s)
{
	wide *taken = malloc((count + 1) * sizeof(*taken));
	uint32_t *stack = malloc((count + 1) * sizeof(*stack));
	int err = -ENOMEM;

	*s = (struct reach_index){.filters = filters};
	s->order = malloc((count + 1) * sizeof(*s->order));
	s->special = malloc((count + 1) * sizeof(*s->special));
	s->cells = calloc(count + 1, sizeof(*s->cells));
	s->nodes = calloc(count + 1, sizeof(*s->nodes));
	if (!taken || !stack || !s->order || !s->special || !s->cells || !s->nodes)
		goto out;
	for (size_t i = 0; i < count; i++) {
		s->classes |= filters[i].iface_class >= 0;
		if (filters[i].band > XI_BAND_RULES)
			s->special[s->special_count++] = i;
		else if (filters[i].band == XI_BAND_RULES)
			s->order[s->order_count++] = i;
	}
	qsort_r(s->order, s->order_count, sizeof(*s->order), compare_order, (void *)filters);
	s->sorted = malloc((s->order_count + 1) * sizeof(*s->sorted));
	if (!s->sorted)
		goto out;
	for (size_t i = 0; i < s->order_count; i++)
		s->sorted[i] = filters[s->order[i]];
	make_cells(s);
	for (size_t i = 0; i < s->node_count; i++)
		finish_cells(s, &s->nodes[i], taken, stack);
	finish_nodes(s, taken, stack);
	err = 0;
out:
	free(taken);
	free(stack);
	return err;
}

void reach_index_free(struct reach_index *s)
{
	free(s->order);
	free(s->sorted);
	free(s->special);
	free(s->cells);
	free(s->nodes);
}
