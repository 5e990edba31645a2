/* SPDX-License-Identifier: BSD-2-Clause */
/* Which prefix lengths the hashes of an address should tell apart. */
#ifndef COMPILE_DEPTHS_H
#define COMPILE_DEPTHS_H

#include "compile/rows.h"

#define ADDR_LENS 129
/* So many depths at most come from the list's own prefixes. */
#define OWN_DEPTHS 32

/* A prefix of a shape: its address as xi_slot_hash() wants it. */
struct shape_prefix {
	uint64_t word[2];
	uint32_t shape;
	uint8_t len;
};

/* What prefixes one side of a space has. */
struct lengths {
	uint32_t shapes[ADDR_LENS]; /* by length */
	uint32_t entries[ADDR_LENS];
	uint32_t prefixes[ADDR_LENS]; /* different ones, about */
	struct shape_prefix *list;    /* of each shape, different ones */
	uint32_t count;
	uint8_t *shortest; /* of each shape */
};

/* 0 or -ENOMEM. About, and the list not whole: good enough to choose by. */
int lengths_open(const struct rows *rows, enum field_of of, struct lengths *ret);
void lengths_close(struct lengths *lengths); /* all zero is fine */
/* Adds all lengths that there are, or such as part the shapes evenly. */
void add_own_depths(const struct lengths *lengths, bool wanted[ADDR_LENS]);
/*
 * The shortest prefixes that a field of this depth should spread over the slots of all that lies
 * inside of them: as short as there is room for.
 */
uint8_t shortest_spread(const struct lengths *lengths, uint8_t depth);

/* How many different prefixes have slots of their own, down to the shortest. */
uint32_t count_prefixes(const struct lengths *lengths, uint8_t shortest);

#endif
