/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows for an IPv4 address told apart whole: every address leads to the row of its
 * longest prefix, 16 bits, a byte and a byte at a time. Where a list names few
 * networks that takes less room than slots for three depths, is one row to read in
 * place of three, and never says "perhaps" because of a neighbour.
 *
 * Prefixes are painted from the shortest to the longest, so what lies under a
 * prefix when its turn comes is the one around it, and its row is that one's and
 * its own shapes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/whole.h"
#include "util/radix.h"

/* Networks of 24 bits that are divided, while they are counted. */
#define SEEN_SIZE (4 * XI_BLOCKS)

struct prefix {
	uint32_t addr;
	uint8_t len;
};

static struct prefix prefix_of(const struct entry *e, enum field_of of)
{
	const uint8_t *a = of == FIELD_REMOTE ? e->remote : e->local;
	struct prefix p = {.len = of == FIELD_REMOTE ? e->remote_len : e->me ? 0 : e->local_len};

	if (p.len)
		p.addr = (uint32_t)a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3];
	return p;
}

/* Whether the networks that need a block of their own are few enough to begin with. */
static bool few_blocks(const struct rows *rows, enum field_of of)
{
	uint8_t *upper = calloc(1, XI_SLOTS);
	uint32_t *seen = calloc(SEEN_SIZE, sizeof(*seen)), blocks = 0;
	bool few = upper && seen;

	for (size_t i = 0; few && i < rows->count; i++) {
		struct prefix p = prefix_of(&rows->entries[i], of);
		uint32_t net = p.addr >> 8, at = net * 2654435761u;

		if (p.len > 16 && !upper[p.addr >> 16]) {
			upper[p.addr >> 16] = 1;
			blocks++;
		}
		if (p.len > 24) {
			while (seen[at % SEEN_SIZE] && seen[at % SEEN_SIZE] != net + 1)
				at++;
			blocks += !seen[at % SEEN_SIZE];
			seen[at % SEEN_SIZE] = net + 1;
		}
		few = blocks <= XI_BLOCKS;
	}
	free(upper);
	free(seen);
	return few;
}

/* The block behind an entry; where there was none, all of it is what the entry was. */
static uint16_t *inner(struct whole *whole, uint16_t *entry)
{
	uint16_t *block;

	if (!(*entry & XI_BLOCK_FLAG)) {
		block = &whole->blocks[whole->block_count * XI_BLOCK_SLOTS];
		for (int i = 0; i < XI_BLOCK_SLOTS; i++)
			block[i] = *entry;
		*entry = XI_BLOCK_FLAG | whole->block_count++;
	}
	return &whole->blocks[(*entry & (XI_BLOCKS - 1)) * XI_BLOCK_SLOTS];
}

/* The first entry of a prefix and how many it has. */
static uint16_t *entries_of(struct whole *whole, struct prefix p, uint32_t *ret_count)
{
	uint16_t *entry = &whole->slot[p.addr >> 16];
	unsigned bits = 16;

	if (p.len > 16) {
		entry = inner(whole, entry) + (p.addr >> 8 & 0xff);
		bits = 24;
	}
	if (p.len > 24) {
		entry = inner(whole, entry) + (p.addr & 0xff);
		bits = 32;
	}
	*ret_count = 1u << (bits - p.len);
	return entry;
}

/* Adds a class with the shapes of this one. -E2BIG: there are too many. */
static int add_class(struct whole *whole, uint32_t like)
{
	size_t size = whole->words * sizeof(*whole->rows);

	if (whole->class_count == whole->class_max)
		return -E2BIG;
	memcpy(&whole->rows[whole->class_count * whole->words], &whole->rows[like * whole->words],
	       size);
	return whole->class_count++;
}

/* `order`: the entries by prefix length, then address. */
static int paint(struct whole *whole, const struct rows *rows, enum field_of of,
		 const struct keyed *order)
{
	uint64_t last = ~0ull;
	int class = 0;

	for (size_t i = 0; i < rows->count; i++) {
		const struct entry *e = &rows->entries[order[i].index];
		struct prefix p = prefix_of(e, of);
		uint32_t n;

		if (p.len && order[i].key != last) {
			uint16_t *entry = entries_of(whole, p, &n);

			class = add_class(whole, *entry);
			if (class < 0)
				return class;
			while (n)
				entry[--n] = class;
		}
		last = order[i].key;
		whole->rows[class * whole->words + e->shape / 64] |= 1ull << e->shape % 64;
	}
	return 0;
}

int whole_build(struct whole *whole, const struct rows *rows, enum field_of of)
{
	struct keyed *order = NULL;
	int err = -E2BIG;

	*whole = (struct whole){.words = rows->words,
				.class_max = XI_BLOCK_FLAG / 2 / rows->space->chunks};
	if (rows->entries[0].family == 6 || !few_blocks(rows, of))
		return -E2BIG;
	if (whole->class_max > rows->count + 1)
		whole->class_max = rows->count + 1;
	whole->slot = calloc(XI_SLOTS, sizeof(*whole->slot));
	whole->blocks = malloc(XI_BLOCKS * XI_BLOCK_SLOTS * sizeof(*whole->blocks));
	whole->rows = calloc(whole->class_max, whole->words * sizeof(*whole->rows));
	order = malloc(rows->count * sizeof(*order));
	err = -ENOMEM;
	if (!whole->slot || !whole->blocks || !whole->rows || !order)
		goto out;
	for (size_t i = 0; i < rows->count; i++) {
		struct prefix p = prefix_of(&rows->entries[i], of);

		order[i] = (struct keyed){.key = (uint64_t)p.len << 32 | p.addr, .index = i};
	}
	whole->class_count = 1; /* what is under no prefix */
	err = radix_sort(order, rows->count);
	if (!err)
		err = paint(whole, rows, of, order);
out:
	free(order);
	if (err)
		whole_free(whole);
	return err;
}

void whole_free(struct whole *whole)
{
	free(whole->slot);
	free(whole->blocks);
	free(whole->rows);
	*whole = (struct whole){0};
}

const uint64_t *whole_row(const struct whole *whole, const uint8_t addr[4])
{
	uint16_t entry = whole->slot[(uint32_t)addr[0] << 8 | addr[1]];

	for (int byte = 2; byte < 4 && entry & XI_BLOCK_FLAG; byte++)
		entry = whole->blocks[(entry & (XI_BLOCKS - 1)) * XI_BLOCK_SLOTS + addr[byte]];
	return &whole->rows[entry * whole->words];
}
