/* SPDX-License-Identifier: BSD-2-Clause */
/* A stable sort by a 64-bit number, for arrays of any length. */
#ifndef UTIL_RADIX_H
#define UTIL_RADIX_H

#include <stddef.h>
#include <stdint.h>

/* What is sorted: a key, and the index of the thing that it belongs to. */
struct keyed {
	uint64_t key;
	uint32_t index;
	uint32_t extra; /* travels along */
};

/*
 * Ascending by key; equal keys keep their order. Time is linear: one pass for
 * each byte in which keys differ. -ENOMEM, and v is then as it was.
 */
int radix_sort(struct keyed *v, size_t count);

#endif
