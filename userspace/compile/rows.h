/* SPDX-License-Identifier: BSD-2-Clause */
/* Between rows.c, which builds rows, and choose.c, which says for which fields. */
#ifndef COMPILE_ROWS_H
#define COMPILE_ROWS_H

#include "compile/build.h"

#define SET_WORDS  (XI_SLOTS / 64)
#define INDEX_SIZE (2 * XI_LINES_BIG)

enum field_of {
	FIELD_REMOTE,
	FIELD_LOCAL,
	FIELD_REMOTE_PORT,
	FIELD_LOCAL_PORT,
	FIELD_PROTO,
};

struct whole;

/* A field that rows may be kept for. */
struct field {
	enum field_of of;
	bool used, v6;
	bool direct;		   /* an address by its first 16 bits, not by a hash */
	uint8_t shortest;	   /* of a hash: prefixes down to this length have slots */
	const struct whole *whole; /* all of an address */
	struct xi_probe probe;
	uint32_t about; /* how many different rows it may have */
	bool done;	/* it is in the tables, or there was no room */
	bool coarse;	/* there: with one row for neighbouring slots */
};

/* The work of one space. */
struct rows {
	struct build *build;
	struct xi_space *space;	     /* a copy outside the table, which may move */
	const struct entry *entries; /* in order of shape */
	size_t count;
	uint32_t words;	      /* that the shapes need; a line has four */
	uint64_t *set;	      /* SET_WORDS: the slots that the current shape can be found in */
	uint64_t *matrix;     /* XI_SLOTS rows of `words` */
	uint64_t *base;	      /* one row: the shapes that are in every slot */
	uint32_t *index;      /* hash table of distinct rows: first line + 1 */
	struct xi_row *lines; /* the rows so far */
	uint32_t line_count, line_limit;
	struct xi_slots *slots;
	uint32_t block_count;	   /* of addresses told apart whole */
	const struct whole *whole; /* of the remote and of the local address; no slots: cannot be */
};

/* Fills matrix and base. False when the field would not prune anything. */
bool rows_matrix(struct rows *rows, const struct field *field);
/* The slot of a packet, as the BPF programs find it. */
uint32_t field_slot(const struct field *field, const struct xi_pkt *pkt);
/* The slot of an entry for a hashed address, when its prefix is long enough for one. */
uint32_t entry_slot(const struct field *field, const struct entry *e);
/* choose.c: the fields that pay, each in its place (enum xi_probe_field). */
int choose_fields(struct rows *rows, struct field chosen[XI_PROBE_FIELDS]);

#endif
