/* SPDX-License-Identifier: BSD-2-Clause */
/* Which filters of two lists are the same; see same.c. */
#ifndef DATAPATH_SAME_H
#define DATAPATH_SAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/classify.h>

/*
 * For each filter of the fresh list: its place in the old one, or XI_NO_FILTER.
 * ret_kept: how many have one. Padding must be zero. 0 or -ENOMEM.
 */
int same_filters(const struct xi_filter *old, size_t old_count, const struct xi_filter *fresh,
		 size_t count, uint32_t *was, size_t *ret_kept);

#endif
