/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For each side, remote and local, the address space falls into stretches inside
 * of which the same prefixes cover every address; a stretch has a row, one bit a
 * shape. Only the innermost stretches count, since an outer one has no shape that
 * an inner one has not. Alive for a packet is the AND of two rows, so the answer
 * is a search over pairs of rows. Stretches that lie close together are alike:
 * a tree over them holds the OR of all rows below, and where even the ORs of two
 * trees have too little in common, no pair below is looked at.
 *
 * Weak spot: the search may be quadratic for lists made for that. It has a
 * budget; when it is used up, the rows of one side alone have to keep the limit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/alive.h"
#include "util/addr.h"
#include "util/bits.h"
#include "util/radix.h"

#define VISITS_MAX    4000000 /* to keep a limit */
#define VISITS_MOST   400000  /* to tell a number */
#define VISITS_WITHIN 20000   /* to be certain of one */
#define LENS	      129

/* The rows of one side as the leaves of a heap: nodes 1 .. 2 * leaves - 1. */
struct side {
	uint64_t *rows;
	uint8_t (*addr)[16]; /* an address in each stretch */
	size_t count, leaves, cap;
};

struct alive {
	const struct entry *entries;
	size_t count;
	uint32_t shapes, words;
	struct side side[2]; /* remote, local */
	uint64_t *moved;
	uint32_t *sizes;     /* filters of a shape */
	struct keyed *order; /* shapes by size, smallest first */
	uint64_t *both;	     /* scratch: one row */
	size_t visits, visits_max;
	uint32_t most;	/* found so far, or not of interest */
	size_t filters; /* moved */
	size_t capacity;
	uint32_t limit;	 /* that is known to hold */
	size_t worst[2]; /* leaves where the capacity ran out */
	const struct alive_depths *depths[2];
};

static uint64_t *row_at(const struct alive *a, int which, size_t node)
{
	return &a->side[which].rows[node * a->words];
}

/* ------------------------------------------------------------------ stretches */

static const uint8_t *side_addr(const struct entry *e, int which, uint8_t *ret_len)
{
	*ret_len = which ? (e->me ? 0 : e->local_len) : e->remote_len;
	return which ? e->local : e->remote;
}

/* An address prefix as the rows see it. */
struct prefix {
	uint64_t upper, lower;
	uint8_t len;
};

static uint64_t big_endian(const uint8_t bytes[8])
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

static struct prefix mask(struct prefix p, uint8_t len)
{
	p.upper &= len >= 64 ? ~0ull : len ? ~0ull << (64 - len) : 0;
	p.lower &= len >= 128 ? ~0ull : len > 64 ? ~0ull << (128 - len) : 0;
	p.len = len;
	return p;
}

static struct prefix prefix_of(const struct entry *e, int which, const struct alive_depths *depths)
{
	uint8_t len;
	const uint8_t *addr = side_addr(e, which, &len);
	struct prefix p = {big_endian(addr), big_endian(addr + 8), len};

	while (depths && len && !depths->at[len])
		len--;
	return mask(p, len);
}

static bool covers(const struct prefix *outer, const struct prefix *inner)
{
	struct prefix p = mask(*inner, outer->len);

	return outer->len <= inner->len && p.upper == outer->upper && p.lower == outer->lower;
}

/* By address, then the shorter first: outer prefixes come before what is in them. */
static int sort_prefixes(const struct prefix *prefixes, struct keyed *order, size_t count)
{
	int err;

	for (size_t i = 0; i < count; i++)
		order[i] = (struct keyed){.key = prefixes[i].len, .index = i};
	err = radix_sort(order, count);
	for (size_t i = 0; !err && i < count; i++)
		order[i].key = prefixes[order[i].index].lower;
	if (!err)
		err = radix_sort(order, count);
	for (size_t i = 0; !err && i < count; i++)
		order[i].key = prefixes[order[i].index].upper;
	return err ? err : radix_sort(order, count);
}

/* Appends a row unless it is the one before. */
static int add_row(struct alive *a, struct side *side, const uint64_t *row, const struct prefix *at)
{
	size_t size = a->words * sizeof(*row);

	if (side->count && !memcmp(&side->rows[(side->count - 1) * a->words], row, size))
		return 0;
	if (side->count == side->cap) {
		size_t cap = side->cap ? 2 * side->cap : 64;
		uint64_t *rows = realloc(side->rows, cap * size);
		void *addr;

		if (!rows)
			return -ENOMEM;
		side->rows = rows;
		addr = realloc(side->addr, cap * sizeof(*side->addr));
		if (!addr)
			return -ENOMEM;
		side->addr = addr;
		side->cap = cap;
	}
	memcpy(&side->rows[side->count * a->words], row, size);
	for (int i = 0; i < 8; i++) {
		side->addr[side->count][i] = at->upper >> (56 - 8 * i);
		side->addr[side->count][8 + i] = at->lower >> (56 - 8 * i);
	}
	side->count++;
	return 0;
}

/* Prefixes in order; `stack` are those that hold the current one, each with its row. */
static int sweep(struct alive *a, struct side *side, const struct prefix *prefixes,
		 const struct keyed *order)
{
	const struct prefix *stack[LENS];
	uint64_t *rows = calloc(LENS + 1, a->words * sizeof(*rows));
	size_t depth = 0;
	bool innermost = false;
	int err = rows ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < a->count; i++) {
		const struct prefix *p = &prefixes[order[i].index];
		uint32_t shape = a->entries[order[i].index].shape;

		while (!err && depth && !covers(stack[depth - 1], p)) {
			if (innermost)
				err = add_row(a, side, &rows[depth * a->words], stack[depth - 1]);
			innermost = false;
			depth--;
		}
		/* rows[d] belongs to stack[d - 1]; rows[0] is of no prefix at all. */
		if (!depth || stack[depth - 1]->len != p->len) {
			stack[depth++] = p;
			memcpy(&rows[depth * a->words], &rows[(depth - 1) * a->words],
			       a->words * sizeof(*rows));
			innermost = true;
		}
		rows[depth * a->words + shape / 64] |= 1ull << shape % 64;
	}
	if (!err && innermost)
		err = add_row(a, side, &rows[depth * a->words], stack[depth - 1]);
	free(rows);
	return err;
}

/* Turns the list of rows into a heap whose leaves they are. */
static int grow_tree(struct alive *a, struct side *side)
{
	size_t words = a->words;
	uint64_t *heap;

	for (side->leaves = 1; side->leaves < side->count;)
		side->leaves *= 2;
	heap = calloc(2 * side->leaves, words * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	if (side->count)
		memcpy(&heap[side->leaves * words], side->rows,
		       side->count * words * sizeof(*heap));
	for (size_t n = side->leaves - 1; n; n--)
		for (size_t w = 0; w < words; w++)
			heap[n * words + w] = heap[2 * n * words + w] |
					      heap[(2 * n + 1) * words + w];
	free(side->rows);
	side->rows = heap;
	return 0;
}

static int build_side(struct alive *a, int which, const struct alive_depths *depths)
{
	size_t n = a->count ? a->count : 1;
	struct prefix *prefixes = malloc(n * sizeof(*prefixes));
	struct keyed *order = malloc(n * sizeof(*order));
	int err = -ENOMEM;

	if (!prefixes || !order)
		goto out;
	for (size_t i = 0; i < a->count; i++)
		prefixes[i] = prefix_of(&a->entries[i], which, depths);
	err = sort_prefixes(prefixes, order, a->count);
	if (!err)
		err = sweep(a, &a->side[which], prefixes, order);
	if (!err)
		err = grow_tree(a, &a->side[which]);
out:
	free(prefixes);
	free(order);
	return err;
}

int alive_open(const struct entry *entries, size_t count, uint32_t shapes,
	       const struct alive_depths *remote, const struct alive_depths *local,
	       struct alive **ret)
{
	struct alive *a = calloc(1, sizeof(*a));
	int err = -ENOMEM;

	if (!a)
		return err;
	a->entries = entries;
	a->count = count;
	a->shapes = shapes;
	a->words = (shapes + 63) / 64 + !shapes;
	a->limit = shapes;
	a->depths[0] = remote;
	a->depths[1] = local;
	a->moved = calloc(a->words, sizeof(*a->moved));
	a->both = calloc(a->words, sizeof(*a->both));
	a->sizes = calloc(shapes + 1, sizeof(*a->sizes));
	a->order = calloc(shapes + 1, sizeof(*a->order));
	if (!a->moved || !a->both || !a->sizes || !a->order)
		goto fail;
	for (size_t i = 0; i < count; i++)
		a->sizes[entries[i].shape]++;
	for (uint32_t s = 0; s < shapes; s++)
		a->order[s] = (struct keyed){.key = a->sizes[s], .index = s};
	err = radix_sort(a->order, shapes);
	if (!err)
		err = build_side(a, 0, remote);
	if (!err)
		err = build_side(a, 1, local);
	if (err)
		goto fail;
	*ret = a;
	return 0;
fail:
	alive_close(a);
	return err;
}

void alive_close(struct alive *a)
{
	if (!a)
		return;
	for (int which = 0; which < 2; which++) {
		free(a->side[which].rows);
		free(a->side[which].addr);
	}
	free(a->moved);
	free(a->both);
	free(a->sizes);
	free(a->order);
	free(a);
}

/* --------------------------------------------------------------------- pairs */

static uint32_t common(const struct alive *a, size_t remote, size_t local)
{
	const uint64_t *r = row_at(a, 0, remote), *l = row_at(a, 1, local);
	uint32_t n = 0;

	for (uint32_t w = 0; w < a->words; w++)
		n += bits_set(r[w] & l[w] & ~a->moved[w]);
	return n;
}

/*
 * Calls `found` for pairs of leaves that have more than a->most in common, which it may
 * raise. Nonzero from there ends the search. In the end 0, 1 when the budget of visits
 * ran out, or what `found` returned.
 */
static int search(struct alive *a, size_t remote, size_t local,
		  int (*found)(struct alive *a, size_t remote, size_t local, uint32_t common))
{
	uint32_t n = common(a, remote, local);
	int end = 0;

	if (n <= a->most)
		return 0;
	if (remote >= a->side[0].leaves && local >= a->side[1].leaves)
		return found(a, remote, local, n);
	if (++a->visits > a->visits_max)
		return 1;
	/* The larger half first: what it holds rules out more. */
	if (local >= a->side[1].leaves ||
	    (remote < a->side[0].leaves &&
	     a->side[0].leaves / remote >= a->side[1].leaves / local)) {
		bool second = common(a, 2 * remote + 1, local) > common(a, 2 * remote, local);

		end = search(a, 2 * remote + second, local, found);
		return end ? end : search(a, 2 * remote + !second, local, found);
	}
	end = search(a, remote, 2 * local + 1, found);
	return end ? end : search(a, remote, 2 * local, found);
}

static int raise_most(struct alive *a, size_t remote, size_t local, uint32_t n)
{
	a->most = n;
	return 0;
}

/* The most shapes in any one row of a side. */
static uint32_t widest(const struct alive *a, int which)
{
	uint32_t most = 0;

	for (size_t i = 0; i < a->side[which].count; i++) {
		const uint64_t *row = row_at(a, which, a->side[which].leaves + i);
		uint32_t n = 0;

		for (uint32_t w = 0; w < a->words; w++)
			n += bits_set(row[w] & ~a->moved[w]);
		most = n > most ? n : most;
	}
	return most;
}

uint32_t alive_most(struct alive *a, bool *ret_exact)
{
	uint32_t remote, local, bound;
	int end;

	a->most = 0;
	a->visits = 0;
	a->visits_max = VISITS_MOST;
	end = search(a, 1, 1, raise_most);
	if (ret_exact)
		*ret_exact = !end;
	if (!end)
		return a->most;
	remote = widest(a, 0);
	local = widest(a, 1);
	bound = remote < local ? remote : local;
	return bound < a->limit ? bound : a->limit;
}

static int end_search(struct alive *a, size_t remote, size_t local, uint32_t n)
{
	return 1;
}

bool alive_within(struct alive *a, uint32_t most)
{
	a->most = most;
	a->visits = 0;
	a->visits_max = VISITS_WITHIN;
	return !search(a, 1, 1, end_search);
}

/* Moves the smallest of the n shapes in a->both until no more than the budget (a->most) is left. */
static bool move_smallest(struct alive *a, uint32_t n)
{
	for (uint32_t i = 0; i < a->shapes && n > a->most; i++) {
		uint32_t s = a->order[i].index;

		if (!(a->both[s / 64] >> s % 64 & 1))
			continue;
		a->moved[s / 64] |= 1ull << s % 64;
		a->filters += a->sizes[s];
		n--;
	}
	return a->filters <= a->capacity;
}

static int limit_pair(struct alive *a, size_t remote, size_t local, uint32_t n)
{
	const uint64_t *r = row_at(a, 0, remote), *l = row_at(a, 1, local);

	for (uint32_t w = 0; w < a->words; w++)
		a->both[w] = r[w] & l[w] & ~a->moved[w];
	if (move_smallest(a, n))
		return 0;
	a->worst[0] = remote - a->side[0].leaves;
	a->worst[1] = local - a->side[1].leaves;
	return -E2BIG;
}

/* Where there are too many pairs to look at: no address of one side may have more, whatever the
 * other one is. */
static int limit_side(struct alive *a, int which)
{
	for (size_t i = 0; i < a->side[which].count; i++) {
		const uint64_t *row = row_at(a, which, a->side[which].leaves + i);
		uint32_t n = 0;

		for (uint32_t w = 0; w < a->words; w++) {
			a->both[w] = row[w] & ~a->moved[w];
			n += bits_set(a->both[w]);
		}
		if (!move_smallest(a, n))
			return -ETIME;
	}
	return 0;
}

int64_t alive_limit(struct alive *a, uint32_t budget, size_t capacity)
{
	int end;

	a->most = budget;
	a->visits = 0;
	a->visits_max = VISITS_MAX;
	a->capacity = capacity;
	end = search(a, 1, 1, limit_pair);
	if (end > 0)
		end = limit_side(a, widest(a, 0) <= widest(a, 1) ? 0 : 1);
	if (!end)
		a->limit = budget;
	return end < 0 ? end : (int64_t)a->filters;
}

bool alive_moved(const struct alive *a, uint32_t shape)
{
	return a->moved[shape / 64] >> shape % 64 & 1;
}

/* Does this filter cover the stretches where the capacity ran out? */
static bool covers_worst(const struct alive *a, const struct entry *e)
{
	for (int which = 0; which < 2; which++) {
		const uint8_t *addr = a->side[which].addr[a->worst[which]];
		struct prefix at = {big_endian(addr), big_endian(addr + 8), LENS - 1};
		struct prefix p = prefix_of(e, which, a->depths[which]);

		if (!covers(&p, &at))
			return false;
	}
	return true;
}

size_t alive_culprits(const struct alive *a, uint32_t *ranks, size_t max, uint32_t *ret_alive)
{
	uint64_t *seen = calloc(a->words, sizeof(*seen));
	uint32_t alive = 0;
	size_t n = 0;

	for (size_t i = 0; seen && i < a->count; i++) {
		const struct entry *e = &a->entries[i];

		if (seen[e->shape / 64] >> e->shape % 64 & 1 || !covers_worst(a, e))
			continue;
		seen[e->shape / 64] |= 1ull << e->shape % 64;
		alive++;
		if (n < max)
			ranks[n++] = e->rect.filter;
	}
	free(seen);
	*ret_alive = alive;
	return n;
}

void alive_where(const struct alive *a, struct xi_addr *ret_remote, struct xi_addr *ret_local)
{
	struct xi_addr *ret[2] = {ret_remote, ret_local};

	for (int which = 0; which < 2; which++) {
		*ret[which] = (struct xi_addr){.family = a->entries[0].family};
		memcpy(ret[which]->b, a->side[which].addr[a->worst[which]], 16);
	}
}
