/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which shapes are worth a probe: one row for each field, and their AND, 256
 * shapes at a time. One lookup gives the memory of all rows of a space; from
 * there on there are only loads, which do not wait for each other, and no branch
 * that depends on the packet.
 */
#ifndef XI_CLASSIFY_ROWS_BPF_H
#define XI_CLASSIFY_ROWS_BPF_H

#include "classify_walk.bpf.h"

/* The memory of a space's rows. */
struct xi_block {
	const struct xi_slots *slots;
	const struct xi_row *row;
	__u64 lines; /* known to the verifier, as long as it stays in a register */
};

static __always_inline bool xi_find_block(struct xi_block *block, __u32 at, __u32 large)
{
	const struct xi_rows_big *many;
	const struct xi_rows *few;

	if (large) {
		many = xi_at(xi_rows_big, at);
		if (!many)
			return false;
		*block = (struct xi_block){&many->slots, many->row, XI_LINES_BIG};
	} else {
		few = xi_at(xi_rows, at);
		if (!few)
			return false;
		*block = (struct xi_block){&few->slots, few->row, XI_LINES};
	}
	return true;
}

/* The slot of one field in its table. */
static __always_inline __u32 xi_slot(const struct xi_ask *ask, const struct xi_probe *probe,
				     __u32 field, bool v6)
{
	bool first = field == XI_PROBE_REMOTE_FIRST || field == XI_PROBE_LOCAL_FIRST;

	if (field == XI_PROBE_REMOTE_PORT)
		return ask->x;
	if (field == XI_PROBE_LOCAL_PORT)
		return ask->y;
	if (v6)
		return probe->of_local ? xi_slot_hash(probe, ask->key[2], ask->key[3])
				       : xi_slot_hash(probe, ask->key[0], ask->key[1]);
	if (first)
		return bpf_ntohs(ask->key[0] >> (field == XI_PROBE_LOCAL_FIRST ? 32 : 0));
	return (ask->key[0] & *xi_words(probe->mask)) * probe->mult[0] >> 48;
}

/*
 * One byte of an address further: what the block says, or `line` itself when it is none. The
 * load is made either way, since which it is depends on the packet.
 */
static __always_inline __u64 xi_block_step(const struct xi_slots *slots, __u64 line, __u64 byte)
{
	const __u16 *blocks = slots->line[XI_PROBE_HASHED_1];
	__u64 at = line * XI_BLOCK_SLOTS | (byte & 0xff);

	asm volatile("" : "+r"(at)); /* Linux 6.1 knows nothing of an OR: keep the mask behind it */
	at &= XI_BLOCKS * XI_BLOCK_SLOTS - 1;
	return line ^ ((line ^ blocks[at]) & -(line / XI_BLOCK_FLAG));
}

/* The first line of the row of each field in use. */
static __always_inline void xi_set_lines(const struct xi_ask *ask, const struct xi_space *space,
					 const struct xi_slots *slots, struct xi_lines *lines,
					 bool v6)
{
	__u32 fields = space->fields;
	__u64 line;

#pragma unroll
	for (__u32 f = 0; f < XI_PROBE_FIELDS; f++) {
		if (!(fields & 1u << f))
			continue;
		if (f == XI_PROBE_PROTO)
			line = slots->proto[ask->proto >> 16 & 0xff];
		else
			line = slots->line[f][xi_slot(ask, &space->probe[f], f, v6) & 0xffff];
		if (!v6 && f <= XI_PROBE_LOCAL_FIRST && fields & XI_FIELD_WHOLE(f)) {
			__u64 addr = ask->key[0] >> (f == XI_PROBE_LOCAL_FIRST ? 32 : 0);

			line = xi_block_step(slots, line, addr >> 16);
			line = xi_block_step(slots, line, addr >> 24);
		}
		lines->line[f] = line;
	}
}

/* The AND of the rows of one chunk. False: a line leads nowhere. */
static __always_inline bool xi_and_rows(const struct xi_block *block, __u32 fields,
					const struct xi_lines *lines, __u32 chunk, __u32 words,
					__u64 ret[XI_ROW_WORDS])
{
	__u64 a = ~0ull, b = ~0ull, c = ~0ull, d = ~0ull;
	const struct xi_row *row;
	__u32 line;

	/* Lines are read again: clang would keep nine copies of them on the stack. */
	asm volatile("" : : : "memory");
#pragma unroll
	for (__u32 f = 0; f < XI_PROBE_FIELDS; f++) {
		if (!(fields & 1u << f))
			continue;
		line = lines->line[f] + chunk;
		if (line >= block->lines)
			return false;
		row = block->row + line;
		a &= row->shapes[0];
		b &= row->shapes[1];
		if (words < 3)
			continue;
		c &= row->shapes[2];
		d &= row->shapes[3];
	}
	ret[0] = a;
	ret[1] = b;
	ret[2] = words < 3 ? 0 : c;
	ret[3] = words < 3 ? 0 : d;
	return true;
}

static __always_inline int xi_set_nonzero(struct xi_left *left)
{
	left->nonzero = xi_nonzero(left->word[0]) | xi_nonzero(left->word[1]) << 1 |
			xi_nonzero(left->word[2]) << 2 | xi_nonzero(left->word[3]) << 3;
	return 0;
}

/* Without rows all shapes are worth a probe, and some beyond the last. */
static __always_inline void xi_all_shapes(struct xi_left *left)
{
	left->word[0] = left->word[1] = left->word[2] = left->word[3] = ~0ull;
	left->nonzero = 15;
}

static __always_inline int xi_first_chunk(const struct xi_ask *ask, const struct xi_space *space,
					  struct xi_left *left, bool v6)
{
	struct xi_block block;
	__u32 fields;

	if (!ask || !space || !left)
		return -EINVAL;
	left->chunk = 0;
	fields = space->fields;
	if (!fields) {
		xi_all_shapes(left);
		return 0;
	}
	if (!xi_find_block(&block, space->rows, space->large))
		return -EIO;
	xi_set_lines(ask, space, block.slots, &left->lines, v6);
	if (space->shapes <= 128) {
		if (!xi_and_rows(&block, fields, &left->lines, 0, 2, left->word))
			return -EIO;
		left->nonzero = xi_nonzero(left->word[0]) | xi_nonzero(left->word[1]) << 1;
		return 0;
	}
	return xi_and_rows(&block, fields, &left->lines, 0, XI_ROW_WORDS, left->word)
		       ? xi_set_nonzero(left)
		       : -EIO;
}

/*
 * The shapes of the first chunk that the rows of all fields allow. Global functions: the verifier
 * checks each once, however many programs of an object and ways lead here. -EIO: an index
 * leads nowhere.
 */
__noinline int xi_first_chunk4(const struct xi_ask *ask, const struct xi_space *space,
			       struct xi_left *left)
{
	return xi_first_chunk(ask, space, left, false);
}

__noinline int xi_first_chunk6(const struct xi_ask *ask, const struct xi_space *space,
			       struct xi_left *left)
{
	return xi_first_chunk(ask, space, left, true);
}

/* The same for the chunk after left->chunk, with the lines that are known from the first. */
__noinline int xi_next_chunk(const struct xi_space *space, struct xi_left *left)
{
	struct xi_block block;

	if (!space || !left)
		return -EINVAL;
	left->chunk++;
	if (!space->fields) {
		xi_all_shapes(left);
		return 0;
	}
	if (!xi_find_block(&block, space->rows, space->large))
		return -EIO;
	return xi_and_rows(&block, space->fields, &left->lines, left->chunk, XI_ROW_WORDS,
			   left->word)
		       ? xi_set_nonzero(left)
		       : -EIO;
}

/* Takes the first shape out; counted from the space's first. nonzero is not 0. */
static __always_inline __u32 xi_next_shape(struct xi_left *left)
{
	__u32 k = xi_lowest_of_four(left->nonzero);
	__u64 word, rest;

	asm volatile("" : "+r"(k)); /* keep the mask, the verifier needs it */
	k &= XI_ROW_WORDS - 1;
	word = left->word[k];
	rest = word & (word - 1);
	left->word[k] = rest;
	left->nonzero ^= (1 ^ xi_nonzero(rest)) << k;
	return left->chunk * XI_CHUNK_SHAPES + 64 * k + xi_lowest_bit(word);
}

#endif
