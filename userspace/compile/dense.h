/* SPDX-License-Identifier: BSD-2-Clause */
/* Dense lists: the worst-case engine of xipsec/dense.h, and what is given to it. */
#ifndef COMPILE_DENSE_H
#define COMPILE_DENSE_H

#include "compile/alive.h"

/*
 * Makes a dense list of these entries of one space, in any order. Returns its
 * index in xi_dense, or -E2BIG for more than XI_DENSE_MAX, -ENOMEM.
 */
int64_t dense_build(struct build *build, const struct entry *entries, size_t count);

/*
 * The same for the rectangles of one cell, best rank first: looked up by ports
 * alone (xi_dense_rects()).
 */
int64_t dense_build_rects(struct build *build, const struct xi_rect *rects, size_t count);

#define DENSE_NONE UINT32_MAX

/*
 * Sees to it that at most `budget` shapes are alive for one packet: the entries
 * of shapes that are too many go into a dense list, those that stay keep their
 * order (entries[].shape is not numbered anew). `shapes` and the depths are as
 * alive_open() wants them. *ret_list is an index in xi_dense, or DENSE_NONE when
 * nothing had to go. -EINVAL with the rules named in diag when it cannot be done.
 */
int dense_pick(struct build *build, struct entry *entries, size_t *count, uint32_t shapes,
	       const struct alive_depths *remote, const struct alive_depths *local, uint32_t budget,
	       uint32_t *ret_list);

#endif
