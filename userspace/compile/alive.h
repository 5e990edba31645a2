/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many shapes can be alive for one packet: have a filter for its remote and
 * one for its local address, so that rows cannot rule them out. This is what
 * a lookup costs at worst, and what a dense list (compile/dense.h) bounds.
 */
#ifndef COMPILE_ALIVE_H
#define COMPILE_ALIVE_H

#include "compile/build.h"

/*
 * The prefix lengths that the rows of a space tell apart: an address prefix counts
 * as the longest of these that is not longer. [0] must be set.
 */
struct alive_depths {
	bool at[129];
};

/* One space, for as many questions as there are. */
struct alive;

/* entries[].shape counts from 0 to shapes - 1. 0 or -ENOMEM. depths NULL: all lengths. */
int alive_open(const struct entry *entries, size_t count, uint32_t shapes,
	       const struct alive_depths *remote, const struct alive_depths *local,
	       struct alive **ret);
void alive_close(struct alive *alive); /* NULL is fine */

/*
 * The most shapes that are alive for any one packet, of those that were not
 * moved. Exact, except that protocols and ports are not looked at, or an upper bound
 * where the search would take too long (ret_exact, may be NULL).
 */
uint32_t alive_most(struct alive *alive, bool *ret_exact);
/* True when it is certain, without a long search, that no more than `most` are alive anywhere. */
bool alive_within(struct alive *alive, uint32_t most);

/*
 * Takes shapes out until at most `budget` are alive anywhere: those with few
 * filters first. Returns how many filters that are; a shape was moved when
 * alive_moved(). -E2BIG when more than `capacity` filters would have to go:
 * then alive_culprits() tells filters that are to blame. -ETIME when that is so because there
 * are too many pairs of addresses to look at, and one side alone does not keep the budget.
 */
int64_t alive_limit(struct alive *alive, uint32_t budget, size_t capacity);
bool alive_moved(const struct alive *alive, uint32_t shape);
/*
 * After -E2BIG: one filter (its rank) of each shape that is alive where the limit was
 * hit; returns how many, at most `max`, and how many are alive there in *ret_alive.
 */
size_t alive_culprits(const struct alive *alive, uint32_t *ranks, size_t max, uint32_t *ret_alive);
/* After -E2BIG: two addresses for which the limit was hit. */
void alive_where(const struct alive *alive, struct xi_addr *ret_remote, struct xi_addr *ret_local);

#endif
