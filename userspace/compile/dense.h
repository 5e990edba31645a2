/* SPDX-License-Identifier: BSD-2-Clause */
/* Dense lists: the worst-case engine of xipsec/dense.h, and what is given to it. */
#ifndef COMPILE_DENSE_H
#define COMPILE_DENSE_H

#include "compile/alive.h"

/*
 * Makes a dense list of these entries of one space, in any order; entries[].shape
 * is the shape from which on nothing can win against the entry. Returns its index
 * in xi_dense, or -E2BIG for more than XI_DENSE_MAX, -ENOMEM.
 */
int64_t dense_build(struct build *build, const struct entry *entries, size_t count);

/*
 * The same for the rectangles of one cell, best rank first: looked up by ports
 * alone (xi_dense_rects()). -E2BIG also when the vectors of all cells together
 * would take more than DENSE_RECTS_BYTES.
 */
#define DENSE_RECTS_BYTES (64u << 20)
int64_t dense_build_rects(struct build *build, const struct xi_rect *rects, size_t count);

/*
 * Sees to it that at most `budget` shapes are alive for one packet: puts the entries
 * of shapes that are too many before the others, each part in the order it had, and
 * says how many these are in *ret_moved, `capacity` at most. `shapes` and the depths are as
 * alive_open() wants them. -EINVAL with the rules named in diag when it cannot be done.
 */
int dense_pick(struct build *build, struct entry *entries, size_t count, uint32_t shapes,
	       const struct alive_depths *remote, const struct alive_depths *local, uint32_t budget,
	       size_t capacity, size_t *ret_moved);

#endif
