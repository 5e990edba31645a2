/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows: for one field of a packet, which shapes can hold a match at all. Every
 * value of the field falls into one of 65,536 slots, a slot names a row, and
 * rows that are equal are stored once. A row is the OR of everything that can
 * fall into its slots, so a coarse slot or a collision costs a probe and never
 * an answer.
 *
 * Which fields get rows is chosen by counting: choose.c says which pay.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/sample.h"
#include "compile/whole.h"
#include "policy/scalar.h"

/* Up to here trying every shape is cheaper than reading rows. */
#define SHAPES_WITHOUT_ROWS 6

/* Shares of the room for lines: of a field without a deeper one, and 1 of any other. */
#define SHARE_DEEPEST 4

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

static uint32_t addr_slot(const struct field *field, const uint8_t remote[16],
			  const uint8_t local[16])
{
	const uint8_t *addr = field->probe.of_local ? local : remote;
	uint32_t r, l;
	uint64_t word[2];

	if (field->direct)
		return (uint32_t)addr[0] << 8 | addr[1];
	if (field->v6) {
		memcpy(word, addr, sizeof(word));
		return xi_slot_hash(&field->probe, word[0], word[1]);
	}
	memcpy(&r, remote, sizeof(r));
	memcpy(&l, local, sizeof(l));
	return xi_slot_hash(&field->probe, r | (uint64_t)l << 32, 0);
}

uint32_t field_slot(const struct field *field, const struct xi_pkt *pkt)
{
	switch (field->of) {
	case FIELD_REMOTE:
	case FIELD_LOCAL:
		return addr_slot(field, pkt->remote, pkt->local);
	case FIELD_REMOTE_PORT:
		return pkt->remote_port;
	case FIELD_LOCAL_PORT:
		return pkt->local_port;
	case FIELD_PROTO:
		return pkt->proto;
	}
	return 0;
}

uint32_t entry_slot(const struct field *field, const struct entry *e)
{
	return addr_slot(field, e->remote, e->local);
}

/* The slots of all prefixes of the field's depth that lie in this one. */
static void fill_inside(const struct field *field, uint64_t *set, const struct side *side)
{
	unsigned bits = field->probe.depth - side->len;
	uint8_t addr[16];

	for (uint32_t n = 0; n < 1u << bits; n++) {
		uint32_t slot;

		memcpy(addr, side->addr, sizeof(addr));
		for (unsigned i = 0; i < bits; i++) {
			unsigned bit = field->probe.depth - 1 - i;

			addr[bit / 8] |= (n >> i & 1) << (7 - bit % 8);
		}
		slot = addr_slot(field, addr, addr);
		set[slot / 64] |= 1ull << slot % 64;
	}
}

/* The functions below add the slots of one entry; false when it may be anywhere. */
static bool fill_addr(const struct field *field, uint64_t *set, const struct entry *e)
{
	struct side side = side_of(e, field->of);
	uint32_t first;

	if (!side.len || (!field->direct && side.len < field->shortest))
		return false;
	if (!field->direct && side.len < field->probe.depth) {
		fill_inside(field, set, &side);
		return true;
	}
	first = entry_slot(field, e);
	set_range(set, first,
		  !field->direct || side.len >= 16 ? first : first + (1u << (16 - side.len)) - 1);
	return true;
}

static bool fill_ports(uint64_t *set, const struct entry *e, bool remote)
{
	bool icmp = e->proto_given && proto_is_icmp(e->proto);
	uint32_t lo = remote ? e->rect.x_lo : e->rect.y_lo;
	uint32_t hi = remote ? e->rect.x_hi : e->rect.y_hi;

	if (icmp)
		lo = hi = 0; /* such packets are looked up with ports 0 */
	if (lo == 0 && hi == 65535)
		return false;
	set_range(set, lo, hi);
	return true;
}

static bool fill(const struct field *field, uint64_t *set, const struct entry *e)
{
	switch (field->of) {
	case FIELD_REMOTE:
	case FIELD_LOCAL:
		return fill_addr(field, set, e);
	case FIELD_REMOTE_PORT:
		return fill_ports(set, e, true);
	case FIELD_LOCAL_PORT:
		return fill_ports(set, e, false);
	case FIELD_PROTO:
		if (e->proto_given)
			set_range(set, e->proto, e->proto);
		return e->proto_given;
	}
	return false;
}

/*
 * Marks one shape, or puts it in the base row when it is in every slot. The matrix has its bit
 * where it begins and where it ends: ports come in long ranges. See sweep().
 */
static bool mark_shape(struct rows *rows, const struct field *field, size_t from, size_t to)
{
	uint32_t shape = rows->entries[from].shape;
	uint64_t bit = 1ull << shape % 64, before = 0;

	memset(rows->set, 0, SET_WORDS * sizeof(*rows->set));
	for (size_t i = from; i < to; i++) {
		if (!fill(field, rows->set, &rows->entries[i])) {
			rows->base[shape / 64] |= bit;
			return false;
		}
	}
	for (size_t w = 0; w < SET_WORDS; w++) {
		uint64_t edges = rows->set[w] ^ (rows->set[w] << 1 | before);

		before = rows->set[w] >> 63;
		for (; edges; edges &= edges - 1) {
			size_t slot = 64 * w + __builtin_ctzll(edges);

			rows->matrix[slot * rows->words + shape / 64] |= bit;
		}
	}
	return true;
}

/* From the edges to what is between them. */
static void sweep(struct rows *rows)
{
	size_t words = rows->words;

	for (size_t at = words; at < XI_SLOTS * words; at++)
		rows->matrix[at] ^= rows->matrix[at - words];
}

bool rows_matrix(struct rows *rows, const struct field *field)
{
	uint32_t words = rows->words;
	bool prunes = false;
	size_t from, to;

	memset(rows->matrix, 0, (size_t)XI_SLOTS * words * 8);
	memset(rows->base, 0, words * 8);
	for (from = 0; from < rows->count; from = to) {
		for (to = from;
		     to < rows->count && rows->entries[to].shape == rows->entries[from].shape;)
			to++;
		prunes |= mark_shape(rows, field, from, to);
	}
	sweep(rows);
	return prunes;
}

/* ----------------------------------------------------------------- storing */

static uint32_t row_hash(const struct rows *rows, const uint64_t *row)
{
	uint64_t hash = 0;

	for (uint32_t w = 0; w < rows->words; w++)
		hash = xi_hash_step(hash, row[w]);
	return xi_hash_end(hash);
}

static bool same_row(const struct rows *rows, const uint64_t *a, const uint64_t *b)
{
	uint64_t differs = 0;

	for (uint32_t w = 0; w < rows->words; w++)
		differs |= a[w] ^ b[w];
	return !differs;
}

/* Where the index has this row, or room for it. */
static uint32_t *find_row(struct rows *rows, const uint64_t *row)
{
	for (uint32_t at = row_hash(rows, row);; at++) {
		uint32_t *number = &rows->index[at % INDEX_SIZE];

		if (!*number || same_row(rows, (const uint64_t *)&rows->lines[*number - 1], row))
			return number;
	}
}

/* The first line of this row, which is appended if it is new. -E2BIG: no room. */
static int64_t row_line(struct rows *rows, const uint64_t *row)
{
	uint32_t chunks = rows->space->chunks, line = rows->line_count;
	uint32_t *number = find_row(rows, row);

	if (*number)
		return *number - 1;
	if (line + chunks > rows->line_limit)
		return -E2BIG;
	memset(&rows->lines[line], 0, chunks * sizeof(*rows->lines));
	memcpy(&rows->lines[line], row, rows->words * 8);
	rows->line_count += chunks;
	*number = line + 1;
	return line;
}

/* Forgets the lines from `count` on. */
static void forget_lines(struct rows *rows, uint32_t count)
{
	memset(rows->index, 0, INDEX_SIZE * sizeof(*rows->index));
	for (uint32_t line = 0; line < count; line += rows->space->chunks)
		*find_row(rows, (const uint64_t *)rows->lines[line].shapes) = line + 1;
	rows->line_count = count;
}

/* Gives 2^shift neighbouring slots what each of them has. */
static void coarsen(struct rows *rows, unsigned shift)
{
	uint32_t words = rows->words, group = 1u << shift;

	for (uint32_t s = 0; s < XI_SLOTS; s += group) {
		uint64_t *first = &rows->matrix[(size_t)s * words];

		for (uint32_t k = 1; k < group; k++)
			for (uint32_t w = 0; w < words; w++)
				first[w] |= first[(size_t)k * words + w];
		for (uint32_t k = 1; k < group; k++)
			memcpy(first + (size_t)k * words, first, words * 8);
	}
}

/* Writes the slots of one field from the matrix. -E2BIG when there are too many rows. */
static int try_emit(struct rows *rows, uint16_t *out, uint32_t slots)
{
	uint32_t words = rows->words;
	int64_t line = 0;

	for (size_t s = 0; s < slots; s++) {
		uint64_t *row = &rows->matrix[s * words];

		for (uint32_t w = 0; w < words; w++)
			row[w] |= rows->base[w];
		/* Neighbours are often equal. */
		if (!s || !same_row(rows, row, row - words))
			line = row_line(rows, row);
		if (line < 0)
			return line;
		out[s] = line;
	}
	return 0;
}

/* Slots whose rows agree on some shapes have one row in common. */
struct groups {
	uint64_t *kept, *all; /* of each group, `words`: what they agree on; the OR of all */
	uint32_t *of_slot, *line;
	uint32_t count, most;
};

static bool open_groups(struct groups *g, const struct rows *rows)
{
	g->most = (rows->line_limit - rows->line_count) / rows->space->chunks;
	g->kept = malloc((size_t)g->most * rows->words * 8 + 1);
	g->all = malloc((size_t)g->most * rows->words * 8 + 1);
	g->of_slot = malloc(XI_SLOTS * sizeof(*g->of_slot));
	g->line = malloc((size_t)g->most * sizeof(*g->line) + 1);
	return g->kept && g->all && g->of_slot && g->line;
}

static void close_groups(struct groups *g)
{
	free(g->kept);
	free(g->all);
	free(g->of_slot);
	free(g->line);
}

/* The group of a row, -E2BIG when it would be one too many. `kept`: scratch. */
static int64_t find_group(struct rows *rows, struct groups *g, const uint64_t *row,
			  const uint64_t *keep, uint64_t *kept)
{
	uint32_t words = rows->words;

	for (uint32_t w = 0; w < words; w++)
		kept[w] = row[w] & keep[w];
	for (uint32_t at = row_hash(rows, kept);; at++) {
		uint32_t *number = &rows->index[at % INDEX_SIZE];

		if (*number && !same_row(rows, &g->kept[(*number - 1) * (size_t)words], kept))
			continue;
		if (*number)
			return *number - 1;
		if (g->count == g->most)
			return -E2BIG;
		memcpy(&g->kept[g->count * (size_t)words], kept, words * 8);
		memset(&g->all[g->count * (size_t)words], 0, words * 8);
		*number = ++g->count;
		return g->count - 1;
	}
}

/* Groups all slots by the shapes in `keep`. 0, or -E2BIG when there are too many groups. */
static int group_slots(struct rows *rows, struct groups *g, const uint64_t *keep, uint64_t *kept)
{
	uint32_t words = rows->words;
	int64_t group = 0;

	g->count = 0;
	memset(rows->index, 0, INDEX_SIZE * sizeof(*rows->index));
	for (size_t s = 0; s < XI_SLOTS; s++) {
		uint64_t *row = &rows->matrix[s * words];

		for (uint32_t w = 0; w < words; w++)
			row[w] |= rows->base[w];
		if (!s || !same_row(rows, row, row - words))
			group = find_group(rows, g, row, keep, kept);
		if (group < 0)
			return group;
		g->of_slot[s] = group;
		for (uint32_t w = 0; w < words; w++)
			g->all[group * words + w] |= row[w];
	}
	return 0;
}

/* The shapes with prefixes below this length, or none. */
static void keep_below(const struct rows *rows, enum field_of of, uint8_t len, uint64_t *keep)
{
	memset(keep, 0, rows->words * 8);
	for (size_t i = 0; i < rows->count; i++) {
		uint32_t shape = rows->entries[i].shape;

		if (side_of(&rows->entries[i], of).len < len)
			keep[shape / 64] |= 1ull << shape % 64;
	}
}

/*
 * Rows of a field which a deeper one of the same address stands beside: that one tells prefixes
 * from `deeper` on better, so slots that only differ in these may share a row. -E2BIG: there
 * are still too many.
 */
static int emit_shared(struct rows *rows, enum field_of of, uint8_t deeper, uint16_t *out)
{
	uint64_t *keep = malloc(2 * rows->words * 8);
	uint32_t before = rows->line_count;
	struct groups g = {0};
	int err = -ENOMEM;

	if (!keep || !open_groups(&g, rows))
		goto out;
	err = -E2BIG;
	for (int len = deeper; err == -E2BIG && len > 0; len -= 2) {
		keep_below(rows, of, len, keep);
		err = group_slots(rows, &g, keep, keep + rows->words);
	}
	forget_lines(rows, before);
	for (uint32_t i = 0; !err && i < g.count; i++) {
		int64_t line = row_line(rows, &g.all[i * (size_t)rows->words]);

		g.line[i] = line;
		err = line < 0 ? line : 0;
	}
	for (size_t s = 0; !err && s < XI_SLOTS; s++)
		out[s] = g.line[g.of_slot[s]];
out:
	close_groups(&g);
	free(keep);
	return err;
}

/* `deeper`: see emit_shared(); 0: there is none. */
static int emit_field(struct rows *rows, struct field *field, enum xi_probe_field place,
		      uint8_t deeper)
{
	bool proto = place == XI_PROBE_PROTO;
	uint16_t *out = proto ? rows->slots->proto : rows->slots->line[place];
	uint32_t before = rows->line_count;
	int err;

	rows_matrix(rows, field);
	err = try_emit(rows, out, proto ? 256 : XI_SLOTS);
	if (err == -E2BIG && deeper) {
		forget_lines(rows, before);
		err = emit_shared(rows, field->of, deeper, out);
	}
	for (unsigned shift = 1; err == -E2BIG && shift < 16; shift++) {
		forget_lines(rows, before);
		coarsen(rows, shift);
		field->coarse = true;
		err = try_emit(rows, out, proto ? 256 : XI_SLOTS);
	}
	if (err) {
		forget_lines(rows, before);
		return err == -E2BIG ? 0 : err;
	}
	field->probe.on = XI_PROBE_HASH;
	field->probe.rows = (rows->line_count - before) / rows->space->chunks;
	rows->space->probe[place] = field->probe;
	rows->space->fields |= 1u << place;
	return 0;
}

/* An entry of whole.c as it lies in the tables. */
static uint16_t whole_entry(const struct rows *rows, const uint16_t *lines, uint16_t entry)
{
	if (entry & XI_BLOCK_FLAG)
		return XI_BLOCK_FLAG |
		       (XI_BLOCKS - 1 - rows->block_count - (entry & (XI_BLOCKS - 1)));
	return lines[entry];
}

/* The same as emit_field(). whole_plan() saw to it that there is room. */
static int emit_whole(struct rows *rows, struct field *field, enum xi_probe_field place)
{
	const struct whole *whole = field->whole;
	uint16_t *blocks = rows->slots->line[XI_PROBE_HASHED_1];
	uint16_t *lines = malloc(whole->class_count * sizeof(*lines));
	uint32_t before = rows->line_count;
	int64_t line = 0;

	if (!lines)
		return -ENOMEM;
	rows->line_limit = XI_BLOCK_FLAG;
	for (uint32_t c = 0; line >= 0 && c < whole->class_count; c++) {
		line = row_line(rows, &whole->rows[c * whole->words]);
		lines[c] = line;
	}
	for (uint32_t s = 0; line >= 0 && s < XI_SLOTS; s++)
		rows->slots->line[place][s] = whole_entry(rows, lines, whole->slot[s]);
	for (uint32_t b = 0; line >= 0 && b < whole->block_count; b++) {
		uint32_t to = XI_BLOCKS - 1 - rows->block_count - b;

		for (uint32_t i = 0; i < XI_BLOCK_SLOTS; i++)
			blocks[to * XI_BLOCK_SLOTS + i] =
				whole_entry(rows, lines, whole->blocks[b * XI_BLOCK_SLOTS + i]);
	}
	free(lines);
	if (line < 0)
		return line;
	rows->block_count += whole->block_count;
	field->probe.on = XI_PROBE_WHOLE;
	field->probe.rows = (rows->line_count - before) / rows->space->chunks;
	rows->space->probe[place] = field->probe;
	rows->space->fields |= 1u << place | XI_FIELD_WHOLE(place);
	return 0;
}

/* From which length on a deeper field of the same address tells prefixes apart. 0: there is none.
 */
static uint8_t deeper_than(const struct field *field, const struct field chosen[XI_PROBE_FIELDS])
{
	uint8_t len = 0;

	if (field->of > FIELD_LOCAL)
		return 0;
	for (int place = 0; place < XI_PROBE_ADDRS; place++) {
		const struct field *other = &chosen[place];

		if (other->used && !other->coarse && other->of == field->of &&
		    other->probe.depth > field->probe.depth && (!len || other->shortest < len))
			len = other->shortest;
	}
	return len;
}

/* Fields which others can stand in for come last, and otherwise those with many rows. */
static uint64_t turn_of(const struct field *field, const struct field chosen[XI_PROBE_FIELDS])
{
	return (uint64_t)(deeper_than(field, chosen) > 0) << 32 | field->about;
}

static uint32_t share_of(const struct field *field, const struct field chosen[XI_PROBE_FIELDS])
{
	return deeper_than(field, chosen) ? 1 : SHARE_DEEPEST;
}

/* The next field to emit, NULL when there is none; and the shares of all that are left. */
static struct field *next_field(struct field chosen[XI_PROBE_FIELDS], uint32_t *ret_shares)
{
	struct field *next = NULL;

	*ret_shares = 0;
	for (int place = 0; place < XI_PROBE_FIELDS; place++) {
		struct field *field = &chosen[place];

		if (!field->used || field->whole || field->done)
			continue;
		*ret_shares += share_of(field, chosen);
		if (!next || turn_of(field, chosen) < turn_of(next, chosen))
			next = field;
	}
	return next;
}

/*
 * Addresses told apart whole first: their lines must be below XI_BLOCK_FLAG. Then the others share
 * the lines that are left, and what one does not need of its share is for those after it.
 */
static int emit_fields(struct rows *rows, struct field chosen[XI_PROBE_FIELDS])
{
	struct field *field;
	uint32_t shares;
	int err = 0;

	for (int place = 0; !err && place < XI_PROBE_FIELDS; place++)
		if (chosen[place].used && chosen[place].whole)
			err = emit_whole(rows, &chosen[place], place);
	while (!err && (field = next_field(chosen, &shares))) {
		uint64_t room = XI_LINES_BIG - rows->line_count;

		rows->line_limit = rows->line_count + room * share_of(field, chosen) / shares;
		field->done = true;
		err = emit_field(rows, field, field - chosen, deeper_than(field, chosen));
	}
	return err;
}

/* Copies slots and lines to a value of the table that is large enough. */
static int store(struct rows *rows)
{
	struct build *build = rows->build;
	bool large = rows->line_count > XI_LINES;
	int64_t at = tab_add(&build->tab[large ? XI_TABLE_ROWS_BIG : XI_TABLE_ROWS], 1);
	struct xi_slots *slots;
	struct xi_row *row;

	if (at < 0)
		return at;
	rows->space->rows = at;
	rows->space->large = large;
	if (large) {
		slots = &build_at(build, ROWS_BIG, struct xi_rows_big, at)->slots;
		row = build_at(build, ROWS_BIG, struct xi_rows_big, at)->row;
	} else {
		slots = &build_at(build, ROWS, struct xi_rows, at)->slots;
		row = build_at(build, ROWS, struct xi_rows, at)->row;
	}
	memcpy(slots, rows->slots, sizeof(*slots));
	memcpy(row, rows->lines, rows->line_count * sizeof(*row));
	return 0;
}

bool rows_wanted(const struct build *build, uint32_t shapes)
{
	return build->rows != COMPILE_ROWS_NEVER &&
	       (build->rows == COMPILE_ROWS_ALWAYS || shapes > SHAPES_WITHOUT_ROWS);
}

int build_rows(struct build *build, struct xi_space *space, const struct entry *entries,
	       size_t count, const bool can_whole[2])
{
	struct rows rows = {.build = build,
			    .space = space,
			    .entries = entries,
			    .count = count,
			    .words = (space->shapes + 63) / 64};
	struct field chosen[XI_PROBE_FIELDS] = {0};
	struct whole whole[2] = {0};
	int err = -ENOMEM;

	rows.whole = whole;
	if (!rows_wanted(build, space->shapes))
		return 0;
	rows.set = malloc(SET_WORDS * sizeof(*rows.set));
	rows.matrix = malloc((size_t)XI_SLOTS * rows.words * 8);
	rows.base = malloc(rows.words * 8);
	rows.index = calloc(INDEX_SIZE, sizeof(*rows.index));
	rows.lines = malloc(XI_LINES_BIG * sizeof(*rows.lines));
	rows.slots = calloc(1, sizeof(*rows.slots));
	if (!rows.set || !rows.matrix || !rows.base || !rows.index || !rows.lines || !rows.slots)
		goto out;
	err = 0;
	for (int side = 0; !err && side < 2; side++)
		if (can_whole[side])
			err = whole_build(&whole[side], &rows, side ? FIELD_LOCAL : FIELD_REMOTE);
	if (!err)
		err = choose_fields(&rows, chosen);
	if (!err)
		err = emit_fields(&rows, chosen);
	if (!err && space->fields)
		err = store(&rows);
out:
	whole_free(&whole[0]);
	whole_free(&whole[1]);
	free(rows.set);
	free(rows.matrix);
	free(rows.base);
	free(rows.index);
	free(rows.lines);
	free(rows.slots);
	return err;
}
