/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unreachable filters: who could cover whom, found without comparing all with
 * all. Within the band of rules a better filter's remote prefix lies inside the
 * other's, and where those are equal its local one does. So filters are sorted
 * into a tree of remote prefixes and, in each of its nodes, cells of one local
 * prefix. Hardly ever do the prefixes inside another one fill it. Where they
 * leave room, only the filters of the same node, or of the same cell, can cover
 * a filter: they do so at an address that no longer prefix takes, or nowhere.
 * Where they may fill it, all below is looked at (reach_walk.c). Room is
 * estimated on the safe side: too little of it costs time, never exactness.
 *
 * Built-in filters of higher bands are few and stand beside the tree.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/reach.h"
#include "util/addr.h"

typedef unsigned __int128 wide;

/* No single filter may use more of the budget than this part. */
#define SHARE 16

struct cell {
	struct xi_prefix local; /* open for `me` */
	bool me;
	bool filled;	       /* perhaps: by longer local prefixes of the node and built-in ones */
	uint32_t first, count; /* in order, best first */
	uint32_t end;	       /* the cells up to here, of this node, lie inside this one */
};

struct node {
	struct xi_prefix remote;
	uint8_t dir;
	bool filled;
	uint32_t first, count; /* in cells; that of `me` comes first */
	uint32_t end;	       /* the nodes up to here lie inside this one */
};

struct search {
	const struct filter *filters;
	const struct compile_opts *opts;
	uint32_t *order; /* filters of rules */
	struct cell *cells;
	struct node *nodes;
	size_t order_count, cell_count, node_count;
	uint32_t *special; /* built-in filters */
	size_t special_count;
	bool classes; /* some filter names a class of interface */
	struct reach_walk walk;
};

/* -------------------------------------------------------------------- index */

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
static wide special_room(const struct search *s, const struct xi_prefix *prefix, uint8_t dir,
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
static void finish_cells(struct search *s, struct node *node, wide *taken, uint32_t *stack)
{
	size_t depth = 0;
	uint32_t last = node->first + node->count;

	for (uint32_t i = node->first; i <= last; i++) {
		struct cell *cell = &s->cells[i];

		while (depth && (i == last ||
				 !prefix_within(&cell->local, &s->cells[stack[depth - 1]].local))) {
			struct cell *done = &s->cells[stack[--depth]];

			done->end = i;
			add_room(&taken[stack[depth]],
				 special_room(s, &done->local, node->dir, false));
			done->filled = taken[stack[depth]] >= room(&done->local);
		}
		if (i == last)
			break;
		taken[i] = 0;
		/* No list is long enough to name all addresses that could be `me`. */
		if (depth && !s->cells[stack[depth - 1]].me)
			taken[stack[depth - 1]] += room(&cell->local);
		stack[depth++] = i;
	}
}

static void finish_nodes(struct search *s, wide *taken, uint32_t *stack)
{
	size_t depth = 0;

	for (uint32_t i = 0; i <= s->node_count; i++) {
		struct node *node = &s->nodes[i];

		while (depth) {
			struct node *outer = &s->nodes[stack[depth - 1]];

			if (i < s->node_count && node->dir == outer->dir &&
			    node->remote.addr.family == outer->remote.addr.family &&
			    prefix_within(&node->remote, &outer->remote))
				break;
			depth--;
			outer->end = i;
			add_room(&taken[stack[depth]],
				 special_room(s, &outer->remote, outer->dir, true));
			outer->filled = taken[stack[depth]] >= room(&outer->remote);
		}
		if (i == s->node_count)
			break;
		taken[i] = 0;
		if (depth)
			taken[stack[depth - 1]] += room(&node->remote);
		stack[depth++] = i;
	}
}

static void make_cells(struct search *s)
{
	for (size_t i = 0; i < s->order_count; i++) {
		const struct filter *f = &s->filters[s->order[i]];
		const struct filter *before = i ? &s->filters[s->order[i - 1]] : NULL;
		bool new_node = !before || compare_node(before, f);

		if (new_node)
			s->nodes[s->node_count++] = (struct node){
				.remote = f->remote, .dir = f->dir, .first = s->cell_count};
		if (new_node || compare_cell(before, f)) {
			s->cells[s->cell_count++] =
				(struct cell){.local = f->local, .me = f->local_is_me, .first = i};
			s->nodes[s->node_count - 1].count++;
		}
		s->cells[s->cell_count - 1].count++;
	}
}

static int make_index(struct search *s, size_t count)
{
	wide *taken = malloc((count + 1) * sizeof(*taken));
	uint32_t *stack = malloc((count + 1) * sizeof(*stack));
	int err = -ENOMEM;

	s->order = malloc((count + 1) * sizeof(*s->order));
	s->special = malloc((count + 1) * sizeof(*s->special));
	s->cells = calloc(count + 1, sizeof(*s->cells));
	s->nodes = calloc(count + 1, sizeof(*s->nodes));
	if (!taken || !stack || !s->order || !s->special || !s->cells || !s->nodes)
		goto out;
	for (size_t i = 0; i < count; i++) {
		s->classes |= s->filters[i].iface_class >= 0;
		if (s->filters[i].band > XI_BAND_RULES)
			s->special[s->special_count++] = i;
		else if (s->filters[i].band == XI_BAND_RULES)
			s->order[s->order_count++] = i;
	}
	qsort_r(s->order, s->order_count, sizeof(*s->order), compare_order, (void *)s->filters);
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

/* --------------------------------------------------------------- candidates */

/* One kind of packets. */
struct kind {
	bool frag, me;
	int iface_class;
};

static bool sees(const struct filter *f, const struct kind *kind)
{
	return reach_sees(f, kind->frag) && (kind->me || !f->local_is_me) &&
	       (f->iface_class < 0 || f->iface_class == kind->iface_class);
}

static bool overlaps(const struct xi_prefix *a, const struct xi_prefix *b)
{
	return prefix_within(a, b) || prefix_within(b, a);
}

/* Filters of this kind that overlap f, from order[first..end). */
static void take(struct search *s, const struct kind *kind, uint32_t first, uint32_t end)
{
	struct reach_walk *w = &s->walk;
	const struct filter *f = w->f;

	if (w->err || w->steps < end - first) {
		w->err = w->err ? w->err : -EAGAIN;
		return;
	}
	w->steps -= end - first;
	for (uint32_t i = first; i < end && !w->err; i++) {
		const struct filter *other = &s->filters[s->order[i]];

		/* Those behind f in the order of precedence do not count. */
		if (other < f && sees(other, kind) && overlaps(&other->local, &f->local) &&
		    (!f->proto_given || !other->proto_given || f->proto == other->proto))
			w->err = reach_push(&w->pool, s->order[i]);
	}
}

static void take_special(struct search *s, const struct kind *kind)
{
	struct reach_walk *w = &s->walk;
	const struct filter *f = w->f;

	for (size_t i = 0; i < s->special_count && !w->err; i++) {
		const struct filter *other = &s->filters[s->special[i]];

		if (other->dir == f->dir && other->family == f->family && sees(other, kind) &&
		    overlaps(&other->remote, &f->remote) && overlaps(&other->local, &f->local))
			w->err = reach_push(&w->pool, s->special[i]);
	}
}

static uint32_t cells_end(const struct search *s, uint32_t last_cell)
{
	return s->cells[last_cell].first + s->cells[last_cell].count;
}

/* The filter being looked into is order[at]. */
static bool kind_covered(struct search *s, const struct node *node, const struct cell *cell,
			 uint32_t at, const struct kind *kind)
{
	const struct cell *me = &s->cells[node->first];
	struct reach_walk *w = &s->walk;

	w->frag = kind->frag;
	w->pool.count = 0;
	take_special(s, kind);
	if (node->filled) {
		const struct node *last = &s->nodes[node->end - 1];

		take(s, kind, s->cells[node->first].first,
		     cells_end(s, last->first + last->count - 1));
	} else if (cell->filled) {
		take(s, kind, cell->first, cells_end(s, cell->end - 1));
	} else {
		take(s, kind, cell->first, at); /* best first */
	}
	if (!node->filled && me->me && me != cell && kind->me)
		take(s, kind, me->first, me->first + me->count);
	return reach_covered(w, 0) && !w->err;
}

/* ------------------------------------------------------------------ filters */

static bool always_me(const struct search *s, const struct filter *f)
{
	if (f->local_is_me)
		return true;
	if (f->local.len != xi_family_bits(f->family))
		return false;
	for (size_t i = 0; i < s->opts->me_count; i++) {
		if (xi_addr_equal(&s->opts->me[i], &f->local.addr))
			return true;
	}
	return false;
}

static bool all_kinds_covered(struct search *s, const struct node *node, const struct cell *cell,
			      uint32_t at, bool frag)
{
	const struct filter *f = s->walk.f;
	int classes = s->classes ? 2 : 1;

	for (int class = 0; class < classes; class ++) {
		for (int me = always_me(s, f); me < 2; me++) {
			struct kind kind = {frag, me, class};

			if (f->iface_class >= 0 && f->iface_class != class && s->classes)
				continue;
			if (!kind_covered(s, node, cell, at, &kind))
				return false;
		}
	}
	return true;
}

static void find_one(struct search *s, const struct node *node, const struct cell *cell,
		     uint32_t at, struct reach *ret)
{
	struct reach_walk *w = &s->walk;
	bool covered;

	w->used_count = 0;
	covered = all_kinds_covered(s, node, cell, at, false);
	if (w->err) {
		ret->state = REACH_UNKNOWN;
		return;
	}
	if (!covered)
		return;
	ret->state = REACH_NEVER;
	ret->by_count = w->used_count;
	for (size_t i = 0; i < w->used_count && i < REACH_NAMED; i++)
		ret->by[i] = w->used[i];
	if (!reach_sees(w->f, true) || all_kinds_covered(s, node, cell, at, true))
		return;
	ret->state = w->err ? REACH_UNKNOWN : REACH_FRAGMENTS;
}

/* One filter, order[at], with its share of the budget. Returns what it used. */
static uint64_t find_one_within(struct search *s, const struct node *node, const struct cell *cell,
				uint32_t at, uint64_t share, struct reach *ret)
{
	s->walk.f = &s->filters[s->order[at]];
	s->walk.steps = share;
	s->walk.err = 0;
	find_one(s, node, cell, at, &ret[s->order[at]]);
	return share - s->walk.steps;
}

static int find_all(struct search *s, uint64_t budget, struct reach *ret)
{
	uint64_t left = budget, most = budget / SHARE;

	for (size_t n = 0; n < s->node_count; n++) {
		const struct node *node = &s->nodes[n];

		for (uint32_t c = node->first; c < node->first + node->count; c++) {
			const struct cell *cell = &s->cells[c];

			for (uint32_t i = cell->first; i < cell->first + cell->count; i++) {
				left -= find_one_within(s, node, cell, i, left < most ? left : most,
							ret);
				if (s->walk.err == -ENOMEM)
					return -ENOMEM;
			}
		}
	}
	return 0;
}

int reach_find(const struct filter *filters, size_t count, const struct compile_opts *opts,
	       uint64_t budget, struct reach *ret)
{
	struct search s = {.filters = filters, .opts = opts, .walk.filters = filters};
	int err;

	memset(ret, 0, count * sizeof(*ret));
	err = make_index(&s, count);
	if (!err)
		err = find_all(&s, budget, ret);
	free(s.walk.pool.v);
	free(s.order);
	free(s.special);
	free(s.cells);
	free(s.nodes);
	return err;
}
