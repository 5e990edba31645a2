/* SPDX-License-Identifier: BSD-2-Clause */
/* What a compiled list looks like and what a lookup in it can cost. */
#ifndef COMPILE_STATS_H
#define COMPILE_STATS_H

#include "compile/image.h"

/* One space of the classifier: filters that never mix with others. */
struct space_stats {
	enum xi_dir dir;
	uint8_t family;
	int iface_class; /* enum xi_iface_class, -1: no filter names one, both are the same */
	bool frag;	 /* later fragments */
	size_t filters;
	uint32_t shapes; /* pairs of prefix lengths, with or without a protocol */
	uint32_t alive;	 /* of those, the most that hold a filter for one packet's addresses */
	bool exact;	 /* else alive is an upper bound */
	uint32_t bound;	 /* no lookup tries more shapes and parts of shapes (split.h) */
	uint32_t dense;	 /* filters of a dense list, searched beside in bounded time */
};

/* Fills ret with the spaces that hold a filter; returns how many, or -ENOMEM. */
int image_stats(const struct image *image, struct space_stats ret[XI_SPACES]);

#endif
