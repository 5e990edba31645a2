/* SPDX-License-Identifier: BSD-2-Clause */
/* Dense lists: the worst-case engine of xipsec/dense.h, and what is given to it. */
#ifndef COMPILE_DENSE_H
#define COMPILE_DENSE_H

#include "compile/build.h"

/*
 * Makes a dense list of these entries of one space, in any order. Returns its
 * index in xi_dense, or -E2BIG for more than XI_DENSE_MAX, -ENOMEM.
 */
int64_t dense_build(struct build *build, const struct entry *entries, size_t count);

#endif
