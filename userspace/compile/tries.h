/* SPDX-License-Identifier: BSD-2-Clause */
/* Which shapes of a space would be tried for headers drawn from its filters, and in vain. */
#ifndef COMPILE_TRIES_H
#define COMPILE_TRIES_H

#include "compile/build.h"

/* What a filter has in common with a header, as rows see it; MARK_HIT: it covers it. */
#define MARK_REMOTE 1
#define MARK_LOCAL  2
#define MARK_PROTO  4
#define MARK_X	    8
#define MARK_Y	    16
#define MARK_ALL    31
#define MARK_HIT    32

enum order { BY_CELL, BY_LOCAL, BY_PROTO, BY_RANK, ORDERS };

/* A shape and what it is tried for: a probe is a header. The orders are split.c's. */
struct tried {
	const struct entry *entries;
	uint32_t count;
	uint32_t *order[ORDERS]; /* entries along each; any part has the same places in all */
	uint32_t *place[ORDERS]; /* of each entry */
	uint32_t *winners;	 /* of each probe, one of the entries; `count`: none of them */
	uint8_t *marks;		 /* `count` for each probe */
	uint32_t probe_count, probe_room, misses;
};

struct tries {
	const struct entry *entries;
	size_t count;
	uint32_t shape_count;
	struct tried *shapes;
	struct xi_pkt *headers;
	uint32_t *from;
	uint32_t header_count, headers_done;
	size_t marks_made;
	uint8_t *seen; /* bits: some entry of a shape may have this prefix */
	uint32_t seen_mask;
	uint8_t *marks; /* scratch: of one shape */
};

/* Entries in order of shape. 0 or -ENOMEM; to be closed either way. */
int tries_open(const struct entry *entries, size_t count, uint32_t shapes, struct tries *ret);
void tries_close(struct tries *tries); /* all zero is fine */
/* Tries the headers up to this one, as far as there is time. 0 or -ENOMEM. */
int tries_find(struct tries *tries, uint32_t to);

#endif
