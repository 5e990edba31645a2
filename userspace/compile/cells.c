/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash table of one space's cells: cuckoo hashing with two buckets of two
 * cells. A cell lies in its first bucket where there is room and else in its
 * second, so a lookup reads one cache line, or two where the first one's `over`
 * says that a cell with such a hash had to leave, and never a third. Cells are
 * moved until that holds; if it cannot be done, another key and then more
 * buckets are tried. The key is drawn for each load, so nobody can choose
 * filters that collide.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"

#define SEEDS_MAX 64
#define KICKS_MAX 500

/* Buckets for each 100 cells: small tables are sparse, large ones spare the caches. */
#define DENSITY_SMALL 150
#define DENSITY_LARGE 100
#define LARGE	      50000

struct place {
	uint64_t *hash;	  /* of each cell */
	uint32_t *inmate; /* cell + 1 in each place of each bucket; 0: free */
	uint32_t count;	  /* buckets */
	uint64_t random;
};

static uint64_t cell_hash(const struct build_cell *cell, uint64_t seed, bool v6)
{
	return v6 ? xi_hash6(seed, cell->key, cell->key + 2, cell->tag)
		  : xi_hash4(seed, cell->key[0], cell->tag);
}

static bool put(struct place *place, uint32_t bucket, uint32_t cell)
{
	uint32_t *inmate = &place->inmate[XI_BUCKET_CELLS * bucket];

	for (unsigned k = 0; k < XI_BUCKET_CELLS; k++) {
		if (inmate[k])
			continue;
		inmate[k] = cell + 1;
		return true;
	}
	return false;
}

/* Puts a cell whose first bucket is full, moving others to their other bucket. */
static bool push(struct place *place, uint32_t cell)
{
	uint32_t bucket = xi_second_bucket(place->hash[cell], place->count), first, *inmate;

	for (unsigned kick = 0; kick < KICKS_MAX; kick++) {
		if (put(place, bucket, cell))
			return true;
		place->random = xi_hash_step(place->random, kick);
		inmate = &place->inmate[XI_BUCKET_CELLS * bucket + place->random % XI_BUCKET_CELLS];
		first = *inmate - 1;
		*inmate = cell + 1;
		cell = first;
		first = xi_first_bucket(place->hash[cell], place->count);
		bucket = bucket == first ? xi_second_bucket(place->hash[cell], place->count)
					 : first;
	}
	return false;
}

static bool place_all(struct place *place, const struct build *build, uint64_t seed, bool v6)
{
	const struct build_cell *cells = build->cells.data;
	size_t count = build->cells.count, late = 0;
	uint32_t *queue = malloc(count * sizeof(*queue));
	bool placed = queue;

	memset(place->inmate, 0, (size_t)XI_BUCKET_CELLS * place->count * sizeof(*place->inmate));
	for (size_t i = 0; placed && i < count; i++) {
		place->hash[i] = cell_hash(&cells[i], seed, v6);
		if (!put(place, xi_first_bucket(place->hash[i], place->count), i))
			queue[late++] = i;
	}
	for (size_t i = 0; placed && i < late; i++)
		placed = push(place, queue[i]);
	free(queue);
	return placed;
}

/* Copies the cells to their places in the table. */
static void write_cells(struct build *build, const struct xi_space *space,
			const struct place *place, bool v6)
{
	const struct build_cell *cells = build->cells.data;
	struct xi_cells4 *table4 = build->tab[XI_TABLE_CELLS4].data;
	struct xi_cells6 *table6 = build->tab[XI_TABLE_CELLS6].data;

	table4 = v6 ? NULL : table4 + space->first_bucket;
	table6 = v6 ? table6 + space->first_bucket : NULL;
	for (size_t at = 0; at < (size_t)XI_BUCKET_CELLS * place->count; at++) {
		size_t bucket = at / XI_BUCKET_CELLS, k = at % XI_BUCKET_CELLS;
		const struct build_cell *cell = &cells[place->inmate[at] - 1];

		if (!place->inmate[at])
			continue;
		if (v6) {
			struct xi_cell6 *out = &table6[bucket].cell[k];
			uint8_t over = out->in.over;

			*out = (struct xi_cell6){.tag = cell->tag, .in = cell->in};
			memcpy(out->remote, cell->key, sizeof(out->remote));
			memcpy(out->local, cell->key + 2, sizeof(out->local));
			out->in.over = over;
		} else {
			struct xi_cell4 *out = &table4[bucket].cell[k];
			uint8_t over = out->in.over;

			*out = (struct xi_cell4){.tag = cell->tag, .in = cell->in};
			memcpy(out->remote, cell->key, sizeof(out->remote));
			memcpy(out->local, (const __u8 *)cell->key + 4, sizeof(out->local));
			out->in.over = over;
		}
		uint64_t hash = place->hash[place->inmate[at] - 1];
		uint32_t first = xi_first_bucket(hash, place->count);

		if (first == bucket)
			continue;
		if (v6)
			table6[first].cell[0].in.over |= xi_over_bit(hash);
		else
			table4[first].cell[0].in.over |= xi_over_bit(hash);
	}
}

int build_buckets(struct build *build, struct xi_space *space, bool v6)
{
	struct tab *table = &build->tab[v6 ? XI_TABLE_CELLS6 : XI_TABLE_CELLS4];
	size_t cells = build->cells.count;
	struct place place = {.random = build->seed};
	uint64_t seed = build->seed;
	int64_t first;
	int err = -E2BIG;

	place.count = cells * (cells < LARGE ? DENSITY_SMALL : DENSITY_LARGE) / 100 + 1;
	place.hash = malloc(cells * sizeof(*place.hash));
	for (unsigned t = 0; err == -E2BIG && t < SEEDS_MAX; t++) {
		free(place.inmate);
		place.inmate = malloc((size_t)XI_BUCKET_CELLS * place.count * sizeof(uint32_t));
		if (!place.hash || !place.inmate) {
			err = -ENOMEM;
			break;
		}
		seed = xi_hash_end(seed + t) | 1;
		if (place_all(&place, build, seed, v6))
			err = 0;
		else
			place.count += place.count / 16 + 1;
	}
	first = err ? err : tab_add(table, place.count);
	if (first >= 0) {
		space->seed = seed;
		space->first_bucket = first;
		space->buckets = place.count;
		write_cells(build, space, &place, v6);
	}
	free(place.hash);
	free(place.inmate);
	return first < 0 ? first : 0;
}
