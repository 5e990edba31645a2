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

static __always_inline void xi_left_set(struct xi_left *left, __u32 chunk, __u64 a, __u64 b,
					__u64 c, __u64 d)
{
	left->chunk = chunk;
	left->word[0] = a;
	left->word[1] = b;
	left->word[2] = c;
	left->word[3] = d;
	left->nonzero = xi_nonzero(a) | xi_nonzero(b) << 1 | xi_nonzero(c) << 2 |
			xi_nonzero(d) << 3;
}

/* A space without rows: as many shapes as it has. */
static __always_inline void xi_left_all(struct xi_left *left, __u32 shapes)
{
	xi_left_set(left, 0, shapes < 64 ? (1ull << (shapes & 63)) - 1 : ~0ull,
		    shapes > 64 ? ~0ull : 0, shapes > 128 ? ~0ull : 0, shapes > 192 ? ~0ull : 0);
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
	return (ask->key[0] & probe->mask[0]) * probe->mult[0] >> 48;
}

/*
 * The lines of this packet's rows, and the shapes of the first chunk that all of
 * them allow. False: an index leads nowhere.
 */
static __always_inline bool xi_first_chunk(const struct xi_ask *ask, const struct xi_space *space,
					   const struct xi_block *block,
					   __u16 line[XI_PROBE_FIELDS], struct xi_left *left,
					   bool v6)
{
	const struct xi_slots *slots = block->slots;
	const struct xi_row *row = block->row;
	__u64 a = row->shapes[0], b = row->shapes[1], c = row->shapes[2], d = row->shapes[3];
	__u32 fields = space->fields, found;
	const struct xi_row *at;

#pragma unroll
	for (__u32 f = 0; f < XI_PROBE_FIELDS; f++) {
		/* 0, but the verifier must not try every combination of constants. */
		line[f] = space->none;
		if (!(fields & 1u << f))
			continue;
		if (f == XI_PROBE_PROTO)
			found = slots->proto[ask->proto >> 16 & 0xff];
		else
			found = slots->line[f][xi_slot(ask, &space->probe[f], f, v6) & 0xffff];
		line[f] = found;
		if (found >= block->lines)
			return false;
		at = row + found;
		a &= at->shapes[0];
		b &= at->shapes[1];
		c &= at->shapes[2];
		d &= at->shapes[3];
	}
	xi_left_set(left, 0, a, b, c, d);
	return true;
}

/* The same for a later chunk. */
static __always_inline bool xi_next_chunk(struct xi_walk *w)
{
	__u64 a = ~0ull, b = ~0ull, c = ~0ull, d = ~0ull;
	__u32 chunk = w->left.chunk + 1, at;
	const struct xi_row *row;
	struct xi_block block;

	if (!xi_find_block(&block, w->rows, w->large))
		return false;
	row = block.row;
#pragma unroll
	for (__u32 f = 0; f < XI_PROBE_FIELDS; f++) {
		at = w->line[f] + chunk;
		if (at >= block.lines)
			return false;
		a &= row[at].shapes[0];
		b &= row[at].shapes[1];
		c &= row[at].shapes[2];
		d &= row[at].shapes[3];
	}
	xi_left_set(&w->left, chunk, a, b, c, d);
	return true;
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
