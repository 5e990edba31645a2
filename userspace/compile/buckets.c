/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash table of all cells. A full bucket says `more` and its cells spill
 * into the next; the table is rebuilt with another key, then with twice the
 * buckets, until no cell lies further than a lookup goes. The key is drawn for
 * each load, so nobody can choose filters that collide.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"

#define CELLS_PER_BUCKET     2 /* on average: a full bucket is then rare */
#define TRIES_PER_SIZE	     4
#define BUCKETS_PER_CELL_MAX 16 /* a hash that needs more is broken */

static uint64_t cell_hash(const struct build *build, uint64_t seed, uint32_t index)
{
	const struct xi_cell *cell = build_at(build, CELL, struct xi_cell, index);
	const struct xi_shape *shape = build_at(build, SHAPE, struct xi_shape, cell->shape);
	uint64_t r[2], l[2];

	memcpy(r, cell->remote, sizeof(r));
	memcpy(l, cell->local, sizeof(l));
	return xi_cell_hash(seed, shape->family == 6, r[0], r[1], l[0], l[1], cell->shape,
			    cell->proto);
}

static bool place(struct build *build, uint64_t seed, uint32_t mask, uint32_t cell)
{
	uint64_t hash = cell_hash(build, seed, cell);

	for (unsigned hop = 0; hop < XI_BUCKET_HOPS; hop++) {
		uint32_t at = ((uint32_t)hash + hop) & mask;
		struct xi_bucket *bucket = build_at(build, BUCKET, struct xi_bucket, at);

		for (unsigned k = 0; k < 8; k++) {
			if (bucket->tag[k])
				continue;
			bucket->tag[k] = xi_cell_tag(hash);
			bucket->cell[k] = cell;
			return true;
		}
		bucket->more = 1;
	}
	return false;
}

static bool place_all(struct build *build, uint64_t seed, uint32_t mask)
{
	struct tab *buckets = &build->tab[XI_TABLE_BUCKET];

	memset(buckets->data, 0, buckets->count * buckets->size);
	for (size_t i = 0; i < build->tab[XI_TABLE_CELL].count; i++) {
		if (!place(build, seed, mask, i))
			return false;
	}
	return true;
}

int build_buckets(struct build *build)
{
	struct tab *buckets = &build->tab[XI_TABLE_BUCKET];
	size_t cells = build->tab[XI_TABLE_CELL].count, want = 1, limit;
	uint64_t seed = build->seed;
	int64_t first;

	while (want * CELLS_PER_BUCKET < cells)
		want *= 2;
	for (limit = BUCKETS_PER_CELL_MAX * (cells + 1); want < limit; want *= 2) {
		first = tab_add(buckets, want - buckets->count);
		if (first < 0)
			return first;
		for (unsigned t = 0; t < TRIES_PER_SIZE; t++) {
			if (place_all(build, seed, want - 1))
				goto placed;
			seed = xi_hash_end(seed + 1);
		}
	}
	return -E2BIG;
placed:
	for (size_t i = 0; i < XI_SPACES; i++) {
		struct xi_space *space = build_at(build, SPACE, struct xi_space, i);

		space->seed = seed;
		space->bucket_mask = want - 1;
	}
	return 0;
}
