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
 * reach_walk.c: do the filters pool.v[first..] together cover walk->f? All of them
 * go before it and overlap it in everything but protocol and ports. Not to be
 * believed when walk->err is set.
 */
bool reach_covered(struct reach_walk *walk, size_t first);
/* Every address in `inner` is in `outer`. */
bool prefix_within(const struct xi_prefix *inner, const struct xi_prefix *outer);
/* Can the filter match packets of this kind at all? */
bool reach_sees(const struct filter *f, bool frag);

#endif
