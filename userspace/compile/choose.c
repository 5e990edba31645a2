/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which fields of a space get rows. A row costs a few loads for every packet; a
 * probe that a row spares costs a hash and, in a large list, a cache miss. So
 * headers are drawn from the list's own filters, the rows of every candidate
 * field are read for each, and the field that spares most is taken until none
 * pays. Only speed depends on the choice, and it is the same for the same list.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/alive.h"
#include "compile/depths.h"
#include "compile/sample.h"
#include "compile/whole.h"
#include "util/bits.h"

#define SAMPLES	   256
#define CANDIDATES (2 * (4 + OWN_DEPTHS) + 3)

/* Depths that are tried on every list. All but the first are promised, see keep_promise(). */
static const uint8_t usual_depths[2][4] = {{0, 16, 24, 32}, {32, 48, 64, 128}};

/* So many fields share the room for rows, when it is guessed what is left for each. */
#define FIELDS_WITH_MANY 3

/* Rough costs in tenths of a nanosecond, measured with bench/classify. */
#define COST_FIELD	20
#define COST_WHOLE	40
#define COST_PROBE	400
#define COST_PROBE_L3	450 /* cells beyond the second-level cache */
#define COST_PROBE_DRAM 900
#define CELLS_L2	20000
#define CELLS_L3	300000

/* What a lookup without a match tries counts less: all shapes that are left. */
#define MISS_SHARE 8

struct chooser {
	struct rows *rows;
	struct xi_pkt pkt[SAMPLES];
	uint32_t shape[SAMPLES]; /* where the header was drawn from */
	struct field field[CANDIDATES];
	size_t count;
	uint32_t hashed;		/* places of IPv4 hashes taken so far */
	uint64_t *row[CANDIDATES];	/* of each sample; NULL: does not prune */
	uint32_t peak[CANDIDATES];	/* the most shapes in any of its rows; 0: not known */
	uint16_t *first;		/* scratch, all 0: the first sample of a slot, and 1 */
	struct lengths lengths[2];	/* remote, local */
	uint64_t *of_len[2][ADDR_LENS]; /* shapes with such a prefix around a sample, or NULL */
	bool taken[CANDIDATES];
	unsigned place[CANDIDATES]; /* of those taken */
	uint64_t *alive;	    /* of each sample, by the fields taken so far */
};

static void draw_samples(struct chooser *c)
{
	draw_headers(c->rows->entries, c->rows->count, c->pkt, c->shape, SAMPLES);
	for (size_t i = 0; i < SAMPLES; i++)
		c->shape[i] = c->rows->entries[c->shape[i]].shape;
}

/* ------------------------------------------------------------- candidates */

/* The local address of IPv4 is the second half of a word. */
static void set_mask(struct field *field, uint8_t len)
{
	__u64 words[2];

	prefix_words(len, words);
	if (!field->v6 && field->of == FIELD_LOCAL)
		words[0] <<= 32;
	memcpy(field->probe.mask, words, sizeof(words));
}

static void add_candidate(struct chooser *c, enum field_of of, uint8_t depth)
{
	struct field *field = &c->field[c->count];
	uint64_t key = xi_hash_end(c->rows->build->seed ^ (c->count + 1));

	field->of = of;
	field->v6 = c->rows->entries[0].family == 6;
	field->direct = !field->v6 && depth == 16;
	field->probe.of_local = of == FIELD_LOCAL;
	field->probe.depth = depth;
	field->shortest = shortest_spread(&c->lengths[of == FIELD_LOCAL], depth);
	field->about = count_prefixes(&c->lengths[of == FIELD_LOCAL],
				      field->direct ? 1 : field->shortest);
	field->probe.mult[0] = key | 1;
	field->probe.mult[1] = xi_hash_end(key) | 1;
	set_mask(field, depth);
	c->count++;
}

static void add_candidates(struct chooser *c)
{
	bool v6 = c->rows->entries[0].family == 6;

	for (int side = 0; side < 2; side++) {
		enum field_of of = side ? FIELD_LOCAL : FIELD_REMOTE;
		bool wanted[ADDR_LENS] = {false};

		if (c->rows->whole[side].slot) {
			add_candidate(c, of, 32);
			c->field[c->count - 1].whole = &c->rows->whole[side];
			continue;
		}
		for (unsigned i = 0; i < 4; i++)
			wanted[usual_depths[v6][i]] = true;
		add_own_depths(&c->lengths[side], wanted);
		for (unsigned depth = v6 ? 1 : 16; depth < ADDR_LENS; depth++)
			if (wanted[depth])
				add_candidate(c, of, depth);
	}
	add_candidate(c, FIELD_REMOTE_PORT, 0);
	add_candidate(c, FIELD_LOCAL_PORT, 0);
	add_candidate(c, FIELD_PROTO, 0);
}

static void read_whole(struct chooser *c, size_t k)
{
	const struct whole *whole = c->field[k].whole;
	uint32_t words = c->rows->words;

	for (uint32_t i = 0; i < whole->class_count; i++) {
		uint32_t n = 0;

		for (uint32_t w = 0; w < words; w++)
			n += bits_set(whole->rows[i * words + w]);
		c->peak[k] = n > c->peak[k] ? n : c->peak[k];
	}
	for (size_t i = 0; i < SAMPLES; i++)
		memcpy(&c->row[k][i * words],
		       whole_row(whole, c->field[k].of == FIELD_LOCAL ? c->pkt[i].local
								      : c->pkt[i].remote),
		       words * sizeof(*c->row[k]));
}

/* From all rows of the field. False: it does not prune. */
static bool read_matrix(struct chooser *c, size_t k)
{
	struct rows *rows = c->rows;
	uint32_t words = rows->words;

	if (!rows_matrix(rows, &c->field[k]))
		return false;
	for (size_t i = 0; i < SAMPLES; i++) {
		size_t slot = field_slot(&c->field[k], &c->pkt[i]);

		for (uint32_t w = 0; w < words; w++)
			c->row[k][i * words + w] = rows->matrix[slot * words + w] | rows->base[w];
	}
	return true;
}

/*
 * How many neighbouring slots may have to share a row, as a power of two: so that what is not
 * going to be as good as it looks is not taken for it.
 */
static unsigned guess_coarse(const struct chooser *c, const struct field *field)
{
	uint32_t room = XI_LINES_BIG / c->rows->space->chunks / FIELDS_WITH_MANY;
	unsigned shift = 0;

	while (field->about > room && (uint32_t)XI_SLOTS >> shift > room)
		shift++;
	return shift;
}

/* Marks in `rows` what has a prefix of these lengths in a slot of the field with a sample. */
static void mark_hashed(struct chooser *c, const struct field *field, unsigned from, unsigned to,
			uint64_t *rows)
{
	uint32_t words = c->rows->words;
	const struct lengths *lengths = &c->lengths[field->of == FIELD_LOCAL];
	unsigned coarse = guess_coarse(c, field);
	uint16_t next[SAMPLES + 1];

	for (uint16_t i = 0; i < SAMPLES; i++) {
		uint16_t *first = &c->first[field_slot(field, &c->pkt[i]) >> coarse];

		next[i + 1] = *first;
		*first = i + 1;
	}
	for (uint32_t n = 0; n < lengths->count; n++) {
		const struct shape_prefix *p = &lengths->list[n];
		uint32_t slot;

		if (p->len < from || p->len > to)
			continue;
		slot = xi_slot_hash(&field->probe, p->word[0], p->word[1]) & (XI_SLOTS - 1);
		for (uint16_t i = c->first[slot >> coarse]; i; i = next[i])
			rows[(i - 1) * words + p->shape / 64] |= 1ull << p->shape % 64;
	}
	for (uint16_t i = 0; i < SAMPLES; i++)
		c->first[field_slot(field, &c->pkt[i]) >> coarse] = 0;
}

/* The shapes that have a prefix of this length around each sample. NULL: no memory. */
static const uint64_t *rows_of_len(struct chooser *c, const struct field *like, uint8_t len)
{
	uint64_t **rows = &c->of_len[like->of == FIELD_LOCAL][len];
	struct field field = *like;

	if (*rows)
		return *rows;
	*rows = calloc((size_t)SAMPLES * c->rows->words, sizeof(**rows));
	set_mask(&field, len);
	if (*rows)
		mark_hashed(c, &field, len, len, *rows);
	return *rows;
}

/* The shapes with prefixes that have no slots: they may be anywhere. Returns how many. */
static uint32_t mark_anywhere(struct chooser *c, size_t k)
{
	const struct field *field = &c->field[k];
	const struct lengths *lengths = &c->lengths[field->of == FIELD_LOCAL];
	uint32_t words = c->rows->words, count = 0;

	for (uint32_t shape = 0; shape < c->rows->space->shapes; shape++) {
		if (lengths->shortest[shape] >= field->shortest)
			continue;
		count++;
		for (size_t i = 0; i < SAMPLES; i++)
			c->row[k][i * words + shape / 64] |= 1ull << shape % 64;
	}
	return count;
}

/*
 * The same for hashes of an address, of which there may be many to choose from: only slots are
 * looked at into which samples fall. Returns 1 or 0, or -ENOMEM.
 */
static int read_hashed(struct chooser *c, size_t k)
{
	const struct field *field = &c->field[k];
	size_t count = (size_t)SAMPLES * c->rows->words;

	memset(c->row[k], 0, count * sizeof(*c->row[k]));
	if (mark_anywhere(c, k) == c->rows->space->shapes)
		return 0;
	mark_hashed(c, field, field->probe.depth, ADDR_LENS, c->row[k]);
	for (uint8_t len = field->shortest; len < field->probe.depth; len++) {
		const uint64_t *rows;

		if (!c->lengths[field->of == FIELD_LOCAL].shapes[len])
			continue;
		rows = rows_of_len(c, field, len);
		if (!rows)
			return -ENOMEM;
		for (size_t i = 0; i < count; i++)
			c->row[k][i] |= rows[i];
	}
	return 1;
}

/* Reads the row of every sample; there is none where the field does not prune. */
static int read_rows(struct chooser *c, size_t k)
{
	const struct field *field = &c->field[k];
	int prunes = 1;

	c->row[k] = malloc((size_t)SAMPLES * c->rows->words * 8);
	if (!c->row[k])
		return -ENOMEM;
	if (field->whole)
		read_whole(c, k);
	else if (field->of <= FIELD_LOCAL && !field->direct)
		prunes = read_hashed(c, k);
	else
		prunes = read_matrix(c, k);
	if (prunes > 0)
		return 0;
	free(c->row[k]);
	c->row[k] = NULL;
	return prunes;
}

/* --------------------------------------------------------------- choosing */

/* What probes cost with one more field (NULL: with those taken so far). */
static uint64_t probe_cost(const struct chooser *c, const uint64_t *row)
{
	size_t words = c->rows->words, cells = c->rows->build->cells.count;
	uint64_t each = cells > CELLS_L3   ? COST_PROBE_DRAM
			: cells > CELLS_L2 ? COST_PROBE_L3
					   : COST_PROBE;
	uint64_t probes = 0, all = 0;

	for (size_t i = 0; i < SAMPLES; i++) {
		for (size_t w = 0; w < words; w++) {
			uint64_t word = c->alive[i * words + w] &
					(row ? row[i * words + w] : ~0ull);
			uint32_t shape = c->shape[i];

			all += bits_set(word);
			if (w < shape / 64)
				probes += bits_set(word);
			else if (w == shape / 64)
				probes += bits_set(word & ((2ull << shape % 64) - 1));
		}
	}
	return (probes + all / MISS_SHARE) * each / SAMPLES;
}

/* Whether one more IPv4 hash finds room beside the blocks of addresses told apart whole. */
static bool fits(const struct chooser *c)
{
	const struct whole *whole = c->rows->whole;
	uint32_t each = XI_BLOCKS / XI_BLOCK_FIELDS;

	return (c->hashed + 1) * each + whole[0].block_count + whole[1].block_count <= XI_BLOCKS;
}

/* The place a field can have now, or XI_PROBE_FIELDS. */
static unsigned place_of(const struct chooser *c, const struct field *field,
			 const struct field chosen[XI_PROBE_FIELDS])
{
	unsigned first = field->of == FIELD_REMOTE ? XI_PROBE_REMOTE_FIRST : XI_PROBE_LOCAL_FIRST;

	switch (field->of) {
	case FIELD_REMOTE:
	case FIELD_LOCAL:
		if (field->whole || field->direct)
			return first;
		if (!field->v6)
			return fits(c) ? XI_PROBE_HASHED_1 + c->hashed : XI_PROBE_FIELDS;
		for (unsigned p = 0; p < XI_PROBE_ADDRS; p++)
			if (!chosen[p].used)
				return p;
		return XI_PROBE_FIELDS;
	case FIELD_REMOTE_PORT:
		return XI_PROBE_REMOTE_PORT;
	case FIELD_LOCAL_PORT:
		return XI_PROBE_LOCAL_PORT;
	case FIELD_PROTO:
		return XI_PROBE_PROTO;
	}
	return XI_PROBE_FIELDS;
}

static void all_alive(struct chooser *c)
{
	const struct rows *rows = c->rows;

	memset(c->alive, 0xff, (size_t)SAMPLES * rows->words * 8);
	if (rows->space->shapes % 64)
		for (size_t i = 1; i <= SAMPLES; i++)
			c->alive[i * rows->words - 1] = (1ull << rows->space->shapes % 64) - 1;
}

static void and_rows(struct chooser *c, size_t k)
{
	for (size_t i = 0; i < SAMPLES * (size_t)c->rows->words; i++)
		c->alive[i] &= c->row[k][i];
}

static void take(struct chooser *c, size_t k, struct field chosen[XI_PROBE_FIELDS])
{
	unsigned place = place_of(c, &c->field[k], chosen);

	and_rows(c, k);
	chosen[place] = c->field[k];
	chosen[place].used = true;
	c->taken[k] = true;
	c->place[k] = place;
	if (place >= XI_PROBE_HASHED_1 && place <= XI_PROBE_HASHED_4)
		c->hashed++;
}

static void choose(struct chooser *c, struct field chosen[XI_PROBE_FIELDS])
{
	bool always = c->rows->build->rows == COMPILE_ROWS_ALWAYS;
	uint64_t best, cost;
	size_t which;

	do {
		best = probe_cost(c, NULL);
		which = c->count;
		for (size_t k = 0; k < c->count; k++) {
			const struct field *field = &c->field[k];

			if (!c->row[k] || c->taken[k] ||
			    place_of(c, field, chosen) == XI_PROBE_FIELDS)
				continue;
			cost = probe_cost(c, c->row[k]);
			if (!always)
				cost += field->whole ? COST_WHOLE : COST_FIELD;
			if (cost < best || (always && cost == best)) {
				best = cost;
				which = k;
			}
		}
		if (which < c->count)
			take(c, which, chosen);
	} while (which < c->count);
}

/* What is alive with all fields taken, but for this one. */
static void alive_without(struct chooser *c, size_t k)
{
	all_alive(c);
	for (size_t i = 0; i < c->count; i++)
		if (c->taken[i] && i != k)
			and_rows(c, i);
}

/*
 * IPv6 has many depths to choose from and few places: what was best when it was taken need not
 * be, beside those taken later. Each gives its place to a better one, if there is.
 */
static void improve(struct chooser *c, struct field chosen[XI_PROBE_FIELDS])
{
	for (size_t k = 0; k < c->count; k++) {
		uint64_t best, cost;
		size_t which = k;

		if (!c->taken[k] || !c->field[k].v6 || c->field[k].of > FIELD_LOCAL)
			continue;
		alive_without(c, k);
		best = probe_cost(c, c->row[k]);
		for (size_t i = 0; i < c->count; i++) {
			if (c->taken[i] || !c->row[i] || c->field[i].of > FIELD_LOCAL)
				continue;
			cost = probe_cost(c, c->row[i]);
			if (cost < best) {
				best = cost;
				which = i;
			}
		}
		if (which == k)
			continue;
		c->taken[k] = false;
		c->taken[which] = true;
		c->place[which] = c->place[k];
		chosen[c->place[k]] = c->field[which];
		chosen[c->place[k]].used = true;
	}
}

/* Which prefix lengths the fields chosen tell apart. */
static void depths_of(const struct field chosen[XI_PROBE_FIELDS], struct alive_depths depths[2])
{
	for (unsigned p = 0; p < XI_PROBE_ADDRS; p++) {
		struct alive_depths *d = &depths[chosen[p].of == FIELD_LOCAL];

		if (!chosen[p].used)
			continue;
		for (unsigned len = 0; len <= chosen[p].probe.depth; len++)
			d->at[len] |= chosen[p].direct || chosen[p].whole ||
				      len >= chosen[p].shortest;
	}
	depths[0].at[0] = depths[1].at[0] = true;
}

/* 1: no packet has more than XI_ALIVE_MAX shapes alive with these fields; 0: perhaps; -ENOMEM. */
static int is_bounded(const struct chooser *c, const struct field chosen[XI_PROBE_FIELDS])
{
	uint32_t bound = c->rows->space->shapes;
	struct alive_depths depths[2] = {0};
	struct alive *alive;
	int err;

	for (size_t k = 0; k < c->count; k++)
		if (c->taken[k] && c->peak[k] && c->peak[k] < bound)
			bound = c->peak[k];
	if (bound <= XI_ALIVE_MAX)
		return 1;
	depths_of(chosen, depths);
	err = alive_open(c->rows->entries, c->rows->count, c->rows->space->shapes, &depths[0],
			 &depths[1], &alive);
	if (err)
		return err;
	bound = alive_most(alive, NULL);
	alive_close(alive);
	return bound <= XI_ALIVE_MAX;
}

/*
 * The promise that no packet has more than XI_ALIVE_MAX shapes alive was made (in
 * spaces.c) for rows of three depths of an address or of the whole of it. Where it
 * does not follow from what was chosen, these are taken.
 */
static int keep_promise(struct chooser *c, struct field chosen[XI_PROBE_FIELDS])
{
	int bounded = is_bounded(c, chosen);

	if (bounded)
		return bounded < 0 ? bounded : 0;
	memset(chosen, 0, XI_PROBE_ADDRS * sizeof(*chosen));
	c->hashed = 0;
	for (size_t k = 0; k < c->count; k++) {
		const struct field *field = &c->field[k];

		if (c->row[k] && field->of <= FIELD_LOCAL &&
		    (field->whole || memchr(usual_depths[field->v6] + 1, field->probe.depth, 3)))
			take(c, k, chosen);
	}
	return 0;
}

int choose_fields(struct rows *rows, struct field chosen[XI_PROBE_FIELDS])
{
	struct chooser *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (!c)
		return err;
	c->rows = rows;
	c->alive = malloc((size_t)SAMPLES * rows->words * 8);
	c->first = calloc(XI_SLOTS, sizeof(*c->first));
	if (!c->alive || !c->first)
		goto out;
	err = lengths_open(rows, FIELD_REMOTE, &c->lengths[0]);
	if (!err)
		err = lengths_open(rows, FIELD_LOCAL, &c->lengths[1]);
	if (err)
		goto out;
	all_alive(c);
	draw_samples(c);
	add_candidates(c);
	for (size_t k = 0; !err && k < c->count; k++)
		err = read_rows(c, k);
	if (!err) {
		choose(c, chosen);
		improve(c, chosen);
		err = keep_promise(c, chosen);
	}
out:
	for (size_t k = 0; k < c->count; k++)
		free(c->row[k]);
	lengths_close(&c->lengths[0]);
	lengths_close(&c->lengths[1]);
	for (unsigned len = 0; len < ADDR_LENS; len++) {
		free(c->of_len[0][len]);
		free(c->of_len[1][len]);
	}
	free(c->alive);
	free(c->first);
	free(c);
	return err;
}
