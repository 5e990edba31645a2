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

/* Lines that one side may take at most: those of both stay below XI_BLOCK_FLAG. */
#define CLASSES_MAX (XI_BLOCK_FLAG / 2)
#define SEEN_SIZE   (4 * CLASSES_MAX)

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

/* What a side needs, counted up to what there can be. */
struct need {
	uint32_t blocks, prefixes;
};

/* Numbers above 0, each counted once. */
struct seen {
	uint64_t number[SEEN_SIZE];
};

static bool is_new(struct seen *seen, uint64_t number)
{
	uint32_t at = xi_hash_end(number);

	while (seen->number[at % SEEN_SIZE] && seen->number[at % SEEN_SIZE] != number)
		at++;
	if (seen->number[at % SEEN_SIZE])
		return false;
	seen->number[at % SEEN_SIZE] = number;
	return true;
}

static struct need count_need(struct seen *seen, const struct entry *entries, size_t count,
			      enum field_of of)
{
	struct need need = {0};

	memset(seen, 0, sizeof(*seen));
	for (size_t i = 0; i < count; i++) {
		struct prefix p = prefix_of(&entries[i], of);
		uint64_t kind = (uint64_t)p.len << 32;

		if (need.blocks > XI_BLOCKS || need.prefixes > CLASSES_MAX)
			break;
		if (!is_new(seen, kind | p.addr | 1ull << 40))
			continue;
		need.prefixes++;
		if (p.len > 16)
			need.blocks += is_new(seen, p.addr >> 16 | 2ull << 40);
		if (p.len > 24)
			need.blocks += is_new(seen, p.addr >> 8 | 3ull << 40);
	}
	return need;
}

int whole_plan(const struct entry *entries, size_t count, uint32_t shapes, bool ret[2])
{
	uint32_t chunks = (shapes + XI_CHUNK_SHAPES - 1) / XI_CHUNK_SHAPES;
	struct need need[2];
	struct seen *seen;

	ret[0] = ret[1] = false;
	if (entries[0].family == 6)
		return 0;
	seen = malloc(sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	for (int side = 0; side < 2; side++) {
		need[side] = count_need(seen, entries, count, side ? FIELD_LOCAL : FIELD_REMOTE);
		ret[side] = (need[side].prefixes + 1) * chunks <= CLASSES_MAX &&
			    need[side].blocks <= XI_BLOCKS;
	}
	free(seen);
	if (ret[0] && ret[1] && need[0].blocks + need[1].blocks <= XI_BLOCKS)
		return 0;
	/* One alone leaves room for two hashes of the other. */
	ret[0] = ret[0] && need[0].blocks <= XI_BLOCKS / 2 &&
		 (!ret[1] || need[0].blocks <= need[1].blocks);
	ret[1] = ret[1] && need[1].blocks <= XI_BLOCKS / 2 && !ret[0];
	return 0;
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

/* Adds a class with the shapes of this one. */
static uint32_t add_class(struct whole *whole, uint32_t like)
{
	size_t size = whole->words * sizeof(*whole->rows);

	memcpy(&whole->rows[whole->class_count * whole->words], &whole->rows[like * whole->words],
	       size);
	return whole->class_count++;
}

/* `order`: the entries by prefix length, then address. */
static void paint(struct whole *whole, const struct rows *rows, enum field_of of,
		  const struct keyed *order)
{
	uint64_t last = ~0ull;
	uint32_t class = 0;

	for (size_t i = 0; i < rows->count; i++) {
		const struct entry *e = &rows->entries[order[i].index];
		struct prefix p = prefix_of(e, of);
		uint32_t n;

		if (p.len && order[i].key != last) {
			uint16_t *entry = entries_of(whole, p, &n);

			class = add_class(whole, *entry);
			while (n)
				entry[--n] = class;
		}
		last = order[i].key;
		whole->rows[class * whole->words + e->shape / 64] |= 1ull << e->shape % 64;
	}
}

/* How many different prefixes there are: classes, with that for no prefix. */
static uint32_t count_classes(const struct keyed *order, size_t count)
{
	uint32_t n = 1;

	for (size_t i = 0; i < count; i++)
		n += order[i].key && (!i || order[i].key != order[i - 1].key);
	return n;
}

int whole_build(struct whole *whole, const struct rows *rows, enum field_of of)
{
	struct keyed *order = malloc(rows->count * sizeof(*order));
	int err = -ENOMEM;

	*whole = (struct whole){.words = rows->words};
	if (!order)
		return err;
	for (size_t i = 0; i < rows->count; i++) {
		struct prefix p = prefix_of(&rows->entries[i], of);

		order[i] = (struct keyed){.key = (uint64_t)p.len << 32 | p.addr, .index = i};
	}
	err = radix_sort(order, rows->count);
	if (err)
		goto out;
	err = -ENOMEM;
	whole->slot = calloc(XI_SLOTS, sizeof(*whole->slot));
	whole->blocks = malloc(XI_BLOCKS * XI_BLOCK_SLOTS * sizeof(*whole->blocks));
	whole->rows = calloc(count_classes(order, rows->count),
			     whole->words * sizeof(*whole->rows));
	if (!whole->slot || !whole->blocks || !whole->rows)
		goto out;
	whole->class_count = 1; /* what is under no prefix */
	paint(whole, rows, of, order);
	err = 0;
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
