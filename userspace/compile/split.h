/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of shapes: more bits in the rows, so that they rule out more. */
#ifndef COMPILE_SPLIT_H
#define COMPILE_SPLIT_H

#include "compile/alive.h"

struct split_limits {
	uint32_t alive; /* the most shapes that may be alive for one packet */
	const struct alive_depths *remote, *local; /* as alive_open() wants them */
};

/*
 * Parts shapes where that spares probes: gives entries[].part and puts those of a shape in order
 * of part, everything else staying in order. `shapes` is how many there are, entries[].shape says
 * which. Of the entries of one cell the better ranks are in the earlier parts, and a packet has
 * one cell in a shape; so the first part with a match holds the winner, as the first shape did.
 * 0 or -ENOMEM.
 */
int split_shapes(struct entry *entries, size_t count, uint32_t shapes,
		 const struct split_limits *limits);

#endif
