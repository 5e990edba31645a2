/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unreachable filters: who could cover whom, found without comparing all with
 * all. Within the band of rules a better filter's remote prefix lies inside the
 * other's, and where those are equal its local one does. So filters stand in a
 * tree of remote prefixes and, in each of its nodes, in cells of one local prefix
 * (reach_index.c). Where the prefixes inside a node may fill it, the first question is
 * whether their filters take everything, or all of one protocol, whatever its own
 * ask for: then all of those are unreachable at once. Long lists often have two
 * halves of everything and thousands of filters around them. Else three steps for
 * each filter, each only for what the one before left open:
 *
 *  1. Do the better ones of its own cell, with `me` and the built-in filters,
 *     cover it? Where longer prefixes leave room beside them, that decides both
 *     ways: at an address that none of them takes, nobody else could cover it.
 *  2. Some packets at random (reach_try.c): mostly one is decided by the filter.
 *  3. Down the tree, as long as what has been collected does not cover a node
 *     and the prefixes inside it may fill it.
 *
 * Room is estimated on the safe side: too little of it costs time, never
 * exactness. Built-in filters are few and stand beside the tree.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/reach.h"
#include "policy/scalar.h"
#include "util/addr.h"

/* No single filter may use more of the budget than this part. */
#define SHARE 16

/* Is everything of a protocol in a node taken by the nodes inside it, and by whom? */
struct sealed {
	enum { NOT_ASKED, OPEN, SEALED } state;
	uint32_t by[REACH_NAMED], by_count;
};
#define ANY_PROTO 256

struct search {
	struct reach_index index;
	const struct compile_opts *opts;
	struct reach_walk walk;
	uint32_t mine; /* place of walk.f in the list */
	bool thorough; /* the second pass */
	/* The node at hand, for whole packets and for later fragments. */
	struct sealed sealed[2][ANY_PROTO + 1];
};

/* The filter under question and where it stands. */
struct place {
	const struct reach_node *node;
	const struct reach_cell *cell;
	uint32_t at; /* in index.order */
};

/* One kind of packets. */
struct kind {
	bool frag, me;
	int iface_class;
};

/* --------------------------------------------------------------- candidates */

static bool sees(const struct filter *f, const struct kind *kind)
{
	return reach_sees(f, kind->frag) && (kind->me || !f->local_is_me) &&
	       (f->iface_class < 0 || f->iface_class == kind->iface_class);
}

static bool overlaps(const struct xi_prefix *a, const struct xi_prefix *b)
{
	return prefix_within(a, b) || prefix_within(b, a);
}

/* Only for what both surely have: ICMP has no ports, later fragments do not show them. */
static bool ports_meet(const struct filter *a, const struct filter *b)
{
	return a->remote_port_lo <= b->remote_port_hi && b->remote_port_lo <= a->remote_port_hi &&
	       a->local_port_lo <= b->local_port_hi && b->local_port_lo <= a->local_port_hi;
}

/* Filters of this kind that go before f and overlap it, from order[first..end). */
static void take(struct search *s, const struct kind *kind, uint32_t first, uint32_t end)
{
	struct reach_walk *w = &s->walk;
	const struct filter *f = w->f;
	bool ports = !kind->frag && f->proto_given && proto_has_ports(f->proto);

	if (w->err || w->steps < end - first) {
		w->err = w->err ? w->err : -EAGAIN;
		return;
	}
	w->steps -= end - first;
	for (uint32_t i = first; i < end && !w->err; i++) {
		const struct filter *other = &s->index.sorted[i];

		if (s->index.order[i] < s->mine && sees(other, kind) &&
		    overlaps(&other->local, &f->local) &&
		    (!f->proto_given || !other->proto_given || f->proto == other->proto) &&
		    (!ports || ports_meet(other, f)))
			w->err = reach_push(&w->pool, s->index.order[i]);
	}
}

static void take_special(struct search *s, const struct kind *kind)
{
	struct reach_walk *w = &s->walk;
	const struct filter *f = w->f;

	for (size_t i = 0; i < s->index.special_count && !w->err; i++) {
		const struct filter *other = &w->filters[s->index.special[i]];

		if (other->dir == f->dir && other->family == f->family && sees(other, kind) &&
		    overlaps(&other->remote, &f->remote) && overlaps(&other->local, &f->local))
			w->err = reach_push(&w->pool, s->index.special[i]);
	}
}

static void take_cells(struct search *s, const struct kind *kind, uint32_t first_cell,
		       uint32_t end_cell)
{
	const struct reach_cell *cells = s->index.cells;

	take(s, kind, cells[first_cell].first,
	     cells[end_cell - 1].first + cells[end_cell - 1].count);
}

/* The filters of its own node that can matter: `deep` with all local prefixes inside its own. */
static void take_own(struct search *s, const struct place *p, const struct kind *kind, bool deep)
{
	const struct reach_cell *me = &s->index.cells[p->node->first];

	if (deep)
		take_cells(s, kind, p->cell - s->index.cells, p->cell->end);
	else
		take(s, kind, p->cell->first, p->at);
	if (me->me && me != p->cell && kind->me)
		take(s, kind, me->first, me->first + me->count);
}

/* -------------------------------------------------------------------- steps */

/* Everything below a node at once. */
static bool covered_by_all(struct search *s, const struct reach_node *node, const struct kind *kind,
			   size_t base)
{
	const struct reach_node *last = &s->index.nodes[node->end - 1];
	struct reach_walk *w = &s->walk;
	size_t mark = w->pool.count;
	bool covered;

	if (node + 1 <= last)
		take_cells(s, kind, node[1].first, last->first + last->count);
	covered = reach_covered(w, &node->remote, base);
	w->pool.count = mark;
	return covered;
}

/*
 * As far as f lies in this node, which is inside its own or is it. pool[base..]
 * are the filters of outer nodes, and of this one if it is f's own.
 */
static bool covered_below(struct search *s, const struct place *p, const struct reach_node *node,
			  const struct kind *kind, size_t base)
{
	struct reach_walk *w = &s->walk;
	size_t mark = w->pool.count;
	const struct reach_node *nodes = s->index.nodes, *end = nodes + node->end;
	bool covered;

	if (node != p->node)
		take_cells(s, kind, node->first, node->first + node->count);
	covered = reach_covered(w, &node->remote, base);
	if (covered || w->err || !node->filled)
		goto out;
	for (const struct reach_node *inner = node + 1; inner < end; inner = nodes + inner->end) {
		if (!covered_below(s, p, inner, kind, base))
			goto out;
	}
	covered = node->tiled || covered_by_all(s, node, kind, base);
out:
	w->pool.count = mark;
	return covered;
}

/* The first step, or with `deep` the third. */
static bool kind_covered(struct search *s, const struct place *p, const struct kind *kind,
			 bool deep)
{
	struct reach_walk *w = &s->walk;

	w->frag = kind->frag;
	w->pool.count = 0;
	take_special(s, kind);
	take_own(s, p, kind, deep && (p->node->filled || p->cell->filled));
	if (deep)
		return covered_below(s, p, p->node, kind, 0) && !w->err;
	return reach_covered(w, &w->f->remote, 0) && !w->err;
}

/* A filter of this node that asks for nothing more than perhaps a protocol. */
static struct filter open_filter(const struct reach_node *node, unsigned proto)
{
	return (struct filter){.dir = node->dir,
			       .band = XI_BAND_RULES,
			       .action = XI_ACT_BLOCK,
			       .family = node->remote.addr.family,
			       .remote = node->remote,
			       .local.addr.family = node->remote.addr.family,
			       .proto_given = proto != ANY_PROTO,
			       .proto = proto & 0xff,
			       .remote_port_hi = 65535,
			       .local_port_hi = 65535,
			       .icmp_type = -1,
			       .icmp_code = -1,
			       .iface_class = -1};
}

static bool kind_sealed(struct search *s, const struct reach_node *node, const struct kind *kind)
{
	const struct place p = {.node = node};

	s->walk.frag = kind->frag;
	s->walk.pool.count = 0;
	take_special(s, kind);
	return covered_below(s, &p, node, kind, 0) && !s->walk.err;
}

static void name_takers(const struct reach_walk *w, uint32_t by[REACH_NAMED], uint32_t *ret_count)
{
	*ret_count = w->used_count;
	for (size_t i = 0; i < w->used_count && i < REACH_NAMED; i++)
		by[i] = w->used[i];
}

/* What is not found out for want of steps is asked of each filter, and in the second pass. */
static const struct sealed *seal(struct search *s, const struct reach_node *node, bool frag,
				 unsigned proto)
{
	const struct filter all = open_filter(node, proto);
	struct sealed *sealed = &s->sealed[frag][proto];
	struct reach_walk *w = &s->walk;

	if (sealed->state != NOT_ASKED)
		return sealed;
	sealed->state = SEALED;
	w->f = &all;
	w->used_count = 0;
	s->mine = UINT32_MAX; /* behind all others */
	for (int i = 0; i < (s->index.classes ? 4 : 2) && sealed->state == SEALED; i++) {
		struct kind kind = {.frag = frag, .me = i & 1, .iface_class = i >> 1};

		if (!kind_sealed(s, node, &kind))
			sealed->state = OPEN;
	}
	name_takers(w, sealed->by, &sealed->by_count);
	if (w->err == -EAGAIN)
		w->err = 0;
	return sealed;
}

/* Is all taken that this filter of the node could ask for? NULL: perhaps not. */
static const struct sealed *sealed_for(struct search *s, const struct reach_node *node, bool frag,
				       const struct filter *f)
{
	const struct sealed *sealed;

	if (!node->filled)
		return NULL;
	sealed = seal(s, node, frag, ANY_PROTO);
	if (sealed->state != SEALED && f->proto_given)
		sealed = seal(s, node, frag, f->proto);
	return sealed->state == SEALED ? sealed : NULL;
}

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

static bool all_kinds_covered(struct search *s, const struct place *p, bool frag, bool deep)
{
	const struct filter *f = s->walk.f;
	int classes = s->index.classes ? 2 : 1;

	s->walk.used_count = 0;
	for (int iface_class = 0; iface_class < classes; iface_class++) {
		if (f->iface_class >= 0 && f->iface_class != iface_class)
			continue;
		for (int me = always_me(s, f); me < 2; me++) {
			struct kind kind = {frag, me, iface_class};

			if (!kind_covered(s, p, &kind, deep))
				return false;
		}
	}
	return true;
}

/*
 * One universe: whole packets or later fragments. The first pass, which comes to
 * all filters while there is plenty of budget, leaves the third step to the second.
 */
static bool is_covered(struct search *s, const struct place *p, bool frag)
{
	if (all_kinds_covered(s, p, frag, false))
		return true;
	if (s->walk.err || (!p->node->filled && !p->cell->filled))
		return false;
	if (s->thorough)
		return all_kinds_covered(s, p, frag, true);
	if (frag || !reach_try(&s->index, s->opts, s->index.order[p->at], &s->walk.steps))
		s->walk.err = -EAGAIN;
	return false;
}

/* ------------------------------------------------------------------ filters */

/* One filter, whose place in the list is s->mine. */
static void find_one(struct search *s, const struct place *p, struct reach *ret)
{
	const uint32_t index = s->index.order[p->at];
	const struct filter *f = &s->walk.filters[index];
	const struct sealed *whole = sealed_for(s, p->node, false, f);
	bool later = whole && reach_sees(f, true) && sealed_for(s, p->node, true, f);
	struct reach_walk *w = &s->walk;
	bool covered;

	w->f = f;
	s->mine = index;
	covered = whole || is_covered(s, p, false);
	ret->state = REACH_DECIDES;
	if (w->err) {
		ret->state = REACH_UNKNOWN;
		return;
	}
	if (!covered)
		return;
	ret->state = REACH_NEVER;
	if (whole) {
		memcpy(ret->by, whole->by, sizeof(ret->by));
		ret->by_count = whole->by_count;
	} else {
		name_takers(w, ret->by, &ret->by_count);
	}
	if (later || !reach_sees(f, true) || is_covered(s, p, true))
		return;
	ret->state = w->err ? REACH_UNKNOWN : REACH_FRAGMENTS;
}

/* One filter with its share of the budget. Returns what it used. */
static uint64_t find_one_within(struct search *s, const struct place *p, uint64_t share,
				struct reach *ret)
{
	s->walk.steps = share;
	s->walk.err = 0;
	find_one(s, p, &ret[s->index.order[p->at]]);
	return share - s->walk.steps;
}

/* The first pass looks into all filters, the second into those that it left open. */
static int pass(struct search *s, uint64_t *left, uint64_t most, struct reach *ret)
{
	struct place p;

	for (size_t n = 0; n < s->index.node_count; n++) {
		p.node = &s->index.nodes[n];
		if (p.node->filled)
			memset(s->sealed, 0, sizeof(s->sealed));
		for (uint32_t c = p.node->first; c < p.node->first + p.node->count; c++) {
			p.cell = &s->index.cells[c];
			for (p.at = p.cell->first; p.at < p.cell->first + p.cell->count; p.at++) {
				if (s->thorough && ret[s->index.order[p.at]].state != REACH_UNKNOWN)
					continue;
				*left -= find_one_within(s, &p, *left < most ? *left : most, ret);
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
	struct search s = {.opts = opts, .walk.filters = filters};
	uint64_t most = budget / SHARE;
	int err;

	memset(ret, 0, count * sizeof(*ret));
	err = reach_index_make(filters, count, &s.index);
	if (!err)
		err = pass(&s, &budget, most, ret);
	s.thorough = true;
	if (!err)
		err = pass(&s, &budget, most, ret);
	free(s.walk.pool.v);
	reach_index_free(&s.index);
	return err;
}
