/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows by the longest prefix of an IPv4 address: see XI_PROBE_WHOLE. */
#ifndef COMPILE_WHOLE_H
#define COMPILE_WHOLE_H

#include "compile/rows.h"

/*
 * Entries are classes, each with a row, or blocks with XI_BLOCK_FLAG, both counted from 0:
 * which lines and which blocks of the space they become is decided when they are stored.
 */
struct whole {
	uint16_t *slot;	  /* XI_SLOTS */
	uint16_t *blocks; /* room for XI_BLOCKS */
	uint32_t block_count;
	uint32_t class_count;
	uint64_t *rows; /* of each class, `words` */
	uint32_t words;
};

/* For one side of a space, when whole_plan() allows it. 0 or -ENOMEM. */
int whole_build(struct whole *whole, const struct rows *rows, enum field_of of);
void whole_free(struct whole *whole); /* all zero is fine */
const uint64_t *whole_row(const struct whole *whole, const uint8_t addr[4]);

#endif
