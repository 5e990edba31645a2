/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows: for one field of a packet, which shapes can hold a match at all. Every
 * value of the field falls into one of 65,536 slots, a slot names a row, and
 * rows that are equal are stored once. A row is the OR of everything that can
 * fall into its slots, so a coarse slot or a collision costs a probe and never
 * an answer. A field that would not prune anything gets no rows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"

#define SLOTS 65536
#define WORDS (SLOTS / 64)

/* The depths of address, in bits, that rows may be kept for: A, B and C. */
static const uint8_t depths[2][XI_PROBE_DEPTHS] = {{16, 24, 32}, {48, 64, 0}};

struct rows {
	struct build *build;
	struct xi_space *space; /* a copy outside the table, which may move */
	const struct entry *entries;
	size_t count;
	uint64_t *set;	  /* WORDS: the slots that the current shape can be found in */
	uint32_t words;	  /* that the shapes need; stored rows are padded to whole lines */
	uint64_t *matrix; /* SLOTS rows of that many words */
	uint64_t *base;	  /* one row: the shapes that are in every slot */
	uint32_t *index;  /* hash table of distinct rows, by number + 1 */
};

static void set_range(uint64_t *set, uint32_t lo, uint32_t hi)
{
	for (uint32_t w = lo / 64; w <= hi / 64; w++) {
		uint64_t word = ~0ull;

		if (w == lo / 64)
			word &= ~0ull << lo % 64;
		if (w == hi / 64)
			word &= ~0ull >> (63 - hi % 64);
		set[w] |= word;
	}
}

static void probe_mask(uint8_t depth, uint8_t mask[8])
{
	for (unsigned i = 0; i < 8; i++)
		mask[i] = depth >= 8 * (i + 1) ? 0xff
			  : depth <= 8 * i     ? 0
					       : 0xff << (8 - depth % 8);
}

/* Returns false when the address may fall anywhere. */
static bool fill_addr(const struct rows *rows, const struct xi_probe *probe, uint8_t depth,
		      const uint8_t addr[16], uint8_t len)
{
	uint32_t first = (uint32_t)addr[0] << 8 | addr[1];
	uint64_t word, mask;

	if (!len || (probe->kind == XI_PROBE_HASHED && len < depth))
		return false;
	if (probe->kind == XI_PROBE_DIRECT) {
		set_range(rows->set, first, len >= 16 ? first : first + (1u << (16 - len)) - 1);
		return true;
	}
	memcpy(&word, addr, sizeof(word));
	memcpy(&mask, probe->mask, sizeof(mask));
	first = xi_slot_hash(rows->space->row_seed, word & mask);
	set_range(rows->set, first, first);
	return true;
}

static bool fill_ports(const struct rows *rows, const struct entry *e, bool remote)
{
	bool icmp = e->proto_given && (e->proto == 1 || e->proto == 58);
	uint32_t lo = remote ? e->rect.x_lo : e->rect.y_lo;
	uint32_t hi = remote ? e->rect.x_hi : e->rect.y_hi;

	if (icmp)
		lo = hi = 0; /* such packets are looked up with ports 0 */
	if (lo == 0 && hi == 65535)
		return false;
	set_range(rows->set, lo, hi);
	return true;
}

static bool fill(const struct rows *rows, const struct xi_probe *probe, enum xi_probe_field field,
		 uint8_t depth, const struct entry *e)
{
	switch (field) {
	case XI_PROBE_REMOTE_A:
	case XI_PROBE_REMOTE_B:
	case XI_PROBE_REMOTE_C:
		return fill_addr(rows, probe, depth, e->remote, e->remote_len);
	case XI_PROBE_LOCAL_A:
	case XI_PROBE_LOCAL_B:
	case XI_PROBE_LOCAL_C:
		return fill_addr(rows, probe, depth, e->local, e->me ? 0 : e->local_len);
	case XI_PROBE_REMOTE_PORT:
		return fill_ports(rows, e, true);
	case XI_PROBE_LOCAL_PORT:
		return fill_ports(rows, e, false);
	case XI_PROBE_PROTO:
		if (e->proto_given)
			set_range(rows->set, e->proto, e->proto);
		return e->proto_given;
	case XI_PROBE_FIELDS:
		break;
	}
	return false;
}

/* Marks one shape in the matrix, or in the base row when it is in every slot. */
static bool mark_shape(struct rows *rows, const struct xi_probe *probe, enum xi_probe_field field,
		       uint8_t depth, size_t from, size_t to)
{
	uint32_t shape = rows->entries[from].shape;
	uint64_t bit = 1ull << shape % 64;

	memset(rows->set, 0, WORDS * sizeof(*rows->set));
	for (size_t i = from; i < to; i++) {
		if (!fill(rows, probe, field, depth, &rows->entries[i])) {
			rows->base[shape / 64] |= bit;
			return false;
		}
	}
	for (size_t w = 0; w < WORDS; w++) {
		for (uint64_t left = rows->set[w]; left; left &= left - 1) {
			size_t slot = 64 * w + __builtin_ctzll(left);

			rows->matrix[slot * rows->words + shape / 64] |= bit;
		}
	}
	return true;
}

/* The number of this row among the distinct ones, appending it if it is new. */
static int64_t row_number(struct rows *rows, struct xi_probe *probe, const uint64_t *row)
{
	uint32_t words = rows->words;
	struct tab *tab = &rows->build->tab[XI_TABLE_ROW];
	uint64_t hash = 0;
	int64_t line;

	for (uint32_t w = 0; w < words; w++)
		hash = xi_hash_step(hash, row[w]);
	for (uint32_t at = xi_hash_end(hash);; at++) {
		uint32_t *number = &rows->index[at % (2 * SLOTS)];

		if (!*number) {
			line = tab_add(tab, rows->space->chunks);
			if (line < 0)
				return line;
			memcpy(build_at(rows->build, ROW, struct xi_row, line), row, words * 8);
			*number = ++probe->rows;
			return *number - 1;
		}
		line = probe->row + (*number - 1) * rows->space->chunks;
		if (!memcmp(build_at(rows->build, ROW, struct xi_row, line), row, words * 8))
			return *number - 1;
	}
}

/* Writes slots and rows of one field from the matrix. */
static int emit_field(struct rows *rows, struct xi_probe *probe)
{
	int64_t slots = tab_add(&rows->build->tab[XI_TABLE_SLOT], SLOTS / 4), number = 0;
	uint32_t words = rows->words;

	if (slots < 0)
		return slots;
	probe->slot = slots;
	probe->row = rows->build->tab[XI_TABLE_ROW].count;
	probe->rows = 0;
	memset(rows->index, 0, 2 * SLOTS * sizeof(*rows->index));
	for (size_t s = 0; s < SLOTS; s++) {
		uint64_t *row = &rows->matrix[s * words];

		for (uint32_t w = 0; w < words; w++)
			row[w] |= rows->base[w];
		/* Neighbours are often equal. */
		if (!s || memcmp(row, row - words, words * 8))
			number = row_number(rows, probe, row);
		if (number < 0)
			return number;
		build_at(rows->build, SLOT, struct xi_slot, slots + s / 4)->row[s % 4] = number;
	}
	return 0;
}

static int build_field(struct rows *rows, enum xi_probe_field field, uint8_t depth)
{
	struct xi_probe probe = {.kind = depth > 16 ? XI_PROBE_HASHED : XI_PROBE_DIRECT};
	uint32_t words = rows->words;
	bool prunes = false;
	size_t from, to;
	int err;

	probe_mask(depth, probe.mask);
	memset(rows->matrix, 0, (size_t)SLOTS * words * 8);
	memset(rows->base, 0, words * 8);
	for (from = 0; from < rows->count; from = to) {
		for (to = from;
		     to < rows->count && rows->entries[to].shape == rows->entries[from].shape;)
			to++;
		prunes |= mark_shape(rows, &probe, field, depth, from, to);
	}
	if (!prunes)
		return 0;
	err = emit_field(rows, &probe);
	if (!err)
		rows->space->probe[field] = probe;
	return err;
}

int build_rows(struct build *build, struct xi_space *space, const struct entry *entries,
	       size_t count)
{
	size_t words = (space->shapes + 63) / 64;
	struct rows rows = {
		.build = build, .space = space, .entries = entries, .count = count, .words = words};
	int v6 = entries[0].family == 6, err = -ENOMEM;

	rows.set = malloc(WORDS * sizeof(*rows.set));
	rows.matrix = malloc((size_t)SLOTS * words * 8);
	rows.base = malloc(words * 8);
	rows.index = malloc(2 * SLOTS * sizeof(*rows.index));
	if (!rows.set || !rows.matrix || !rows.base || !rows.index)
		goto out;
	err = 0;
	for (int d = 0; !err && d < XI_PROBE_DEPTHS; d++) {
		if (!depths[v6][d])
			continue;
		err = build_field(&rows, XI_PROBE_REMOTE_A + d, depths[v6][d]);
		if (!err)
			err = build_field(&rows, XI_PROBE_LOCAL_A + d, depths[v6][d]);
	}
	for (int f = XI_PROBE_REMOTE_PORT; !err && f < XI_PROBE_FIELDS; f++)
		err = build_field(&rows, f, 0);
	for (int f = 0; f < XI_PROBE_FIELDS; f++)
		space->pruned |= space->probe[f].kind != XI_PROBE_OFF;
out:
	free(rows.set);
	free(rows.matrix);
	free(rows.base);
	free(rows.index);
	return err;
}
