/* SPDX-License-Identifier: BSD-2-Clause */
/* Headers drawn from the filters of a space: what packets may look like that it is asked about. */
#ifndef COMPILE_SAMPLE_H
#define COMPILE_SAMPLE_H

#include "compile/rows.h"

/* One side of an entry; of `me` no address is known. */
struct side {
	const uint8_t *addr;
	uint8_t len;
};

struct side side_of(const struct entry *e, enum field_of of);

/* The mask of a prefix length, for the 16 bytes of an address as they lie in memory. */
void prefix_words(uint8_t len, __u64 ret[2]);

/*
 * n headers, each drawn from one of the entries (its index in ret_from): always the same for
 * the same entries. A header that was drawn from a filter for `me` is for an address of ours.
 */
void draw_headers(const struct entry *entries, size_t count, struct xi_pkt *ret, uint32_t *ret_from,
		  size_t n);

#endif
