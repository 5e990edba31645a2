/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Do these filters together cover that one? One field after the other: the
 * remote address, the local address, the protocol, the ports. Of a field only
 * places need be looked at where the set of filters that cover it changes: an
 * address range is halved as long as both halves hold prefixes of their own, a
 * protocol that nobody names stands for all such, and of ports the first
 * uncovered point, if there is one, lies at the beginning or just behind the end
 * of a rectangle.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/reach.h"
#include "util/addr.h"

#define PROTO_ICMP   1
#define PROTO_ICMPV6 58

enum field { FIELD_REMOTE, FIELD_LOCAL };

/* Ports, or for ICMP its type and code, as model.c takes them. Inclusive. */
struct box {
	uint32_t x_lo, x_hi, y_lo, y_hi;
};

static bool cover_field(struct reach_walk *w, enum field field, const struct xi_prefix *region,
			size_t first, size_t count);

int reach_push(struct reach_pool *pool, uint32_t index)
{
	if (pool->count == pool->cap) {
		size_t cap = pool->cap ? 2 * pool->cap : 256;
		uint32_t *v = realloc(pool->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		pool->v = v;
		pool->cap = cap;
	}
	pool->v[pool->count++] = index;
	return 0;
}

static void keep(struct reach_walk *w, uint32_t index)
{
	if (!w->err)
		w->err = reach_push(&w->pool, index);
}

/* False when it is time to give up. */
static bool work(struct reach_walk *w, size_t steps)
{
	if (!w->err && w->steps < steps)
		w->err = -EAGAIN;
	if (!w->err)
		w->steps -= steps;
	return !w->err;
}

static void use(struct reach_walk *w, uint32_t index)
{
	for (size_t i = 0; i < w->used_count; i++) {
		if (w->used[i] == index)
			return;
	}
	if (w->used_count < REACH_USED_MAX)
		w->used[w->used_count++] = index;
}

bool prefix_within(const struct xi_prefix *inner, const struct xi_prefix *outer)
{
	return inner->len >= outer->len && xi_prefix_covers(outer, &inner->addr);
}

bool reach_sees(const struct filter *f, bool frag)
{
	return !frag || filter_portless(f) || f->action != XI_ACT_PERMIT;
}

/* -------------------------------------------------------------------- ports */

/* False when no packet of this protocol matches the filter. */
static bool box_of(const struct filter *f, uint8_t proto, bool frag, struct box *ret)
{
	bool icmp = proto == PROTO_ICMP || proto == PROTO_ICMPV6;

	if (f->proto_given && f->proto != proto)
		return false;
	*ret = (struct box){0, 65535, 0, 65535};
	if (frag)
		return reach_sees(f, true);
	if (!icmp) {
		*ret = (struct box){f->remote_port_lo, f->remote_port_hi, f->local_port_lo,
				    f->local_port_hi};
		return f->icmp_type < 0 && f->icmp_code < 0;
	}
	if (f->remote_port_lo || f->local_port_lo)
		return false;
	/* A code needs a type. */
	if (f->icmp_type >= 0) {
		ret->y_lo = f->icmp_type << 8 | (f->icmp_code >= 0 ? f->icmp_code : 0);
		ret->y_hi = f->icmp_type << 8 | (f->icmp_code >= 0 ? f->icmp_code : 0xff);
	}
	return true;
}

static bool box_contains(const struct box *outer, const struct box *inner)
{
	return outer->x_lo <= inner->x_lo && outer->x_hi >= inner->x_hi &&
	       outer->y_lo <= inner->y_lo && outer->y_hi >= inner->y_hi;
}

static bool boxes_meet(const struct box *a, const struct box *b)
{
	return a->x_lo <= b->x_hi && b->x_lo <= a->x_hi && a->y_lo <= b->y_hi && b->y_lo <= a->y_hi;
}

/* Is own covered at this x? */
static bool column_covered(struct reach_walk *w, const struct box *own, uint8_t proto, uint32_t x,
			   size_t first, size_t count)
{
	uint32_t y = own->y_lo;

	while (y <= own->y_hi) {
		uint32_t best = 0, next = y;

		if (!work(w, count))
			return false;
		for (size_t i = first; i < first + count; i++) {
			struct box box;

			box_of(&w->filters[w->pool.v[i]], proto, w->frag, &box);
			if (box.x_lo > x || box.x_hi < x || box.y_lo > y || box.y_hi < next)
				continue;
			next = box.y_hi + 1;
			best = w->pool.v[i];
		}
		if (next == y)
			return false;
		use(w, best);
		y = next;
	}
	return true;
}

static bool boxes_cover(struct reach_walk *w, const struct box *own, uint8_t proto, size_t first,
			size_t count)
{
	if (!column_covered(w, own, proto, own->x_lo, first, count))
		return false;
	for (size_t i = first; i < first + count; i++) {
		struct box box;

		box_of(&w->filters[w->pool.v[i]], proto, w->frag, &box);
		if (box.x_hi < own->x_hi &&
		    !column_covered(w, own, proto, box.x_hi + 1, first, count))
			return false;
	}
	return true;
}

static bool ports_covered(struct reach_walk *w, uint8_t proto, size_t first, size_t count)
{
	size_t mine = w->pool.count;
	struct box own, box;
	bool covered = false;

	if (!box_of(w->f, proto, w->frag, &own))
		return true; /* there is no such packet */
	if (!work(w, count))
		return false;
	for (size_t i = first; i < first + count; i++) {
		uint32_t index = w->pool.v[i];

		if (!box_of(&w->filters[index], proto, w->frag, &box) || !boxes_meet(&box, &own))
			continue;
		if (box_contains(&box, &own)) {
			use(w, index);
			covered = true;
			goto out;
		}
		keep(w, index);
	}
	if (!w->err && w->pool.count > mine)
		covered = boxes_cover(w, &own, proto, mine, w->pool.count - mine);
out:
	w->pool.count = mine;
	return covered;
}

/* ----------------------------------------------------------------- protocol */

/* One that none of them names, which stands for all of those. -1: all are named. */
static int unnamed(const bool named[256])
{
	for (int proto = 0; proto < 256; proto++) {
		if (!named[proto] && proto != PROTO_ICMP && proto != PROTO_ICMPV6)
			return proto;
	}
	return -1;
}

static bool protocols_covered(struct reach_walk *w, size_t first, size_t count)
{
	bool named[256] = {0};
	int other;

	if (w->f->proto_given)
		return ports_covered(w, w->f->proto, first, count);
	for (size_t i = first; i < first + count; i++) {
		const struct filter *f = &w->filters[w->pool.v[i]];

		if (f->proto_given)
			named[f->proto] = true;
	}
	other = unnamed(named);
	if (other >= 0 && !ports_covered(w, other, first, count))
		return false;
	/* Their ports are of another kind. */
	named[PROTO_ICMP] = named[PROTO_ICMPV6] = true;
	for (int proto = 0; proto < 256; proto++) {
		if (named[proto] && !ports_covered(w, proto, first, count))
			return false;
	}
	return true;
}

/* ---------------------------------------------------------------- addresses */

static const struct xi_prefix *field_of(const struct filter *f, enum field field)
{
	return field == FIELD_REMOTE ? &f->remote : &f->local;
}

/* The first or second half of a prefix that is not full-length. */
static struct xi_prefix half_of(const struct xi_prefix *whole, int which)
{
	struct xi_prefix half = *whole;

	if (which)
		half.addr.b[whole->len / 8] |= 0x80 >> whole->len % 8;
	half.len++;
	return half;
}

/* The field does not matter any more: `count` filters from first cover all of it. */
static bool next_field(struct reach_walk *w, enum field field, size_t first, size_t count)
{
	struct xi_prefix all = {.addr.family = w->f->family};

	if (field == FIELD_LOCAL)
		return protocols_covered(w, first, count);
	return cover_field(w, FIELD_LOCAL, w->f->local_is_me ? &all : &w->f->local, first, count);
}

/*
 * pool[first..] are `inside`, which lie in the region and are smaller, and
 * `around`, which cover it. Both halves must hold some of the former: where there
 * are none, the latter have been found not to be enough.
 */
static bool halves_covered(struct reach_walk *w, enum field field, const struct xi_prefix *region,
			   size_t inside, size_t inside_count, size_t around, size_t around_count)
{
	size_t start[2], count[2];

	if (!work(w, 2 * (inside_count + around_count)))
		return false;
	for (int which = 0; which < 2; which++) {
		struct xi_prefix half = half_of(region, which);

		start[which] = w->pool.count;
		for (size_t i = 0; i < around_count; i++)
			keep(w, w->pool.v[around + i]);
		for (size_t i = 0; i < inside_count; i++) {
			uint32_t index = w->pool.v[inside + i];

			if (prefix_within(field_of(&w->filters[index], field), &half))
				keep(w, index);
		}
		count[which] = w->pool.count - start[which];
		if (w->err || count[which] == around_count)
			return false;
	}
	for (int which = 0; which < 2; which++) {
		struct xi_prefix half = half_of(region, which);

		if (!cover_field(w, field, &half, start[which], count[which]))
			return false;
	}
	return true;
}

static bool cover_field(struct reach_walk *w, enum field field, const struct xi_prefix *region,
			size_t first, size_t count)
{
	size_t mark = w->pool.count, used = w->used_count, around_count, inside;
	bool covered;

	if (!work(w, count))
		return false;
	for (size_t i = first; i < first + count; i++) {
		if (prefix_within(region, field_of(&w->filters[w->pool.v[i]], field)))
			keep(w, w->pool.v[i]);
	}
	around_count = w->pool.count - mark;
	covered = !w->err && next_field(w, field, mark, around_count);
	if (covered || w->err || around_count == count)
		goto out;
	w->used_count = used;
	inside = w->pool.count;
	for (size_t i = first; i < first + count; i++) {
		const struct xi_prefix *prefix = field_of(&w->filters[w->pool.v[i]], field);

		if (prefix->len > region->len && prefix_within(prefix, region))
			keep(w, w->pool.v[i]);
	}
	if (!w->err && w->pool.count > inside)
		covered = halves_covered(w, field, region, inside, w->pool.count - inside, mark,
					 around_count);
out:
	w->pool.count = mark;
	return covered;
}

bool reach_covered(struct reach_walk *w, const struct xi_prefix *remote, size_t first)
{
	return cover_field(w, FIELD_REMOTE, remote, first, w->pool.count - first);
}
