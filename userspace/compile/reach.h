/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which filters of a list can never decide about a packet, because better ones
 * take everything that they cover. The answer is exact: no filter that decides
 * about some packet is called unreachable, whatever the addresses of the host.
 */
#ifndef COMPILE_REACH_H
#define COMPILE_REACH_H

#include <stddef.h>
#include <stdint.h>

#include "compile/image.h"

enum reach_state {
	REACH_DECIDES,	 /* about some packet; also said of what was not asked for */
	REACH_FRAGMENTS, /* only about later fragments whose first one was not seen */
	REACH_NEVER,
	REACH_UNKNOWN, /* the budget ran out before */
};

#define REACH_NAMED 4

struct reach {
	enum reach_state state;
	uint32_t by[REACH_NAMED]; /* filters (indices) that take it all together */
	uint32_t by_count; /* how many they are, REACH_USED_MAX = or more; 0: it matches nothing */
};
#define REACH_USED_MAX 64

/*
 * Fills ret[count] for filters in order of precedence. Only filters of rules are
 * looked into; built-in ones count as better than those. Work is counted in
 * filters looked at: `budget` in all. 0 or -ENOMEM.
 *
 * A packet's local address and whether it is one of this host's are taken for
 * independent of each other, except that opts->me are.
 */
int reach_find(const struct filter *filters, size_t count, const struct compile_opts *opts,
	       uint64_t budget, struct reach *ret);

/* ------------------------------------------------------- inside the search */

/*
 * Filters of rules as a tree of remote prefixes (nodes) with cells of one local
 * prefix each. Arrays of both are in order of address, outer prefixes first.
 */
struct reach_cell {
	struct xi_prefix local; /* open for `me` */
	bool me;
	bool filled;	       /* perhaps: by longer local prefixes of the node and built-in ones */
	uint32_t first, count; /* in order, best first */
	uint32_t end;	       /* the cells up to here, of this node, lie inside this one */
	uint32_t outer;	       /* the smallest that this one lies inside, or REACH_NOWHERE */
};

struct reach_node {
	struct xi_prefix remote;
	uint8_t dir;
	bool filled;	       /* perhaps: by longer remote prefixes and built-in ones */
	bool tiled;	       /* for sure, by the largest ones inside */
	uint32_t first, count; /* in cells; that of `me` comes first */
	uint32_t end;	       /* the nodes up to here lie inside this one */
	uint32_t outer;	       /* as in struct reach_cell */
};
#define REACH_NOWHERE UINT32_MAX

struct reach_index {
	const struct filter *filters;
	uint32_t *order;       /* filters of rules */
	struct filter *sorted; /* copies of them in that order, to be read in turn */
	struct reach_cell *cells;
	struct reach_node *nodes;
	size_t order_count, cell_count, node_count;
	uint32_t *special; /* built-in filters */
	size_t special_count;
	bool classes; /* some filter names a class of interface */
};

/* reach_index.c. 0 or -ENOMEM; free it in any case. */
int reach_index_make(const struct filter *filters, size_t count, struct reach_index *ret);
void reach_index_free(struct reach_index *index);

/*
 * reach_try.c: tries packets that the filter covers, chosen at random. True when
 * one was found that it decides about; false says nothing.
 */
bool reach_try(const struct reach_index *index, const struct compile_opts *opts, uint32_t filter,
	       uint64_t *steps);

/* A stack of filter indices. */
struct reach_pool {
	uint32_t *v;
	size_t count, cap;
};

/* Adds one; -ENOMEM. */
int reach_push(struct reach_pool *pool, uint32_t index);

/* One question: is this filter covered, in one kind of packets? */
struct reach_walk {
	const struct filter *filters;
	const struct filter *f;
	bool frag; /* later fragments, else whole packets */
	struct reach_pool pool;
	uint64_t steps;		       /* left */
	uint32_t used[REACH_USED_MAX]; /* who covered it */
	size_t used_count;
	int err; /* -ENOMEM, or -EAGAIN: no steps left */
};

/*
 * reach_walk.c: do the filters pool.v[first..], all of which go before walk->f,
 * together cover it as far as it lies in this remote prefix? Not to be believed
 * when walk->err is set.
 */
bool reach_covered(struct reach_walk *walk, const struct xi_prefix *remote, size_t first);
/* Every address in `inner` is in `outer`. */
bool prefix_within(const struct xi_prefix *inner, const struct xi_prefix *outer);
/* Can the filter match packets of this kind at all? */
bool reach_sees(const struct filter *f, bool frag);

#endif
