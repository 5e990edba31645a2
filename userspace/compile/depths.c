/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The depths of hashed addresses. A hash of the first d bits tells prefixes of d bits
 * apart, and longer ones as far as these bits go. A shorter one would be everywhere; but
 * one of d - k bits is 2^k of d bits, so where that is not too many it has their slots.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/depths.h"
#include "compile/sample.h"

/* Slots for what is spread: more would collide with each other. */
#define SPREAD_SLOTS 8192
/* Filters times slots: the time that it takes. */
#define SPREAD_WORK 400000

/* A set of numbers that now and then takes a new one for an old one. */
struct seen {
	uint8_t *bits;
	uint32_t mask;
};

static bool is_new(struct seen *seen, const struct shape_prefix *p, uint32_t shape)
{
	uint64_t hash = xi_hash_step(p->word[0] + p->len + ((uint64_t)shape << 8), p->word[1]);
	uint32_t bit = xi_hash_end(hash) & seen->mask;
	bool old = seen->bits[bit / 8] >> bit % 8 & 1;

	seen->bits[bit / 8] |= 1 << bit % 8;
	return !old;
}

static struct shape_prefix prefix_of(const struct entry *e, enum field_of of)
{
	struct side side = side_of(e, of);
	struct shape_prefix p = {.shape = e->shape, .len = side.len};

	memcpy(p.word, side.addr, sizeof(p.word));
	if (e->family == 4 && of == FIELD_LOCAL)
		p.word[0] <<= 32;
	return p;
}

int lengths_open(const struct rows *rows, enum field_of of, struct lengths *ret)
{
	uint32_t shapes = rows->space->shapes, bits = 4096;
	struct seen seen = {0};
	int err = -ENOMEM;

	*ret = (struct lengths){0};
	while (bits < 32 * rows->count)
		bits *= 2;
	seen.mask = bits - 1;
	seen.bits = calloc(bits / 8, 1);
	ret->list = malloc(rows->count * sizeof(*ret->list));
	ret->shortest = malloc(shapes);
	if (!seen.bits || !ret->list || !ret->shortest)
		goto out;
	memset(ret->shortest, 0xff, shapes);
	for (size_t i = 0; i < rows->count; i++) {
		struct shape_prefix p = prefix_of(&rows->entries[i], of);

		if (p.len < ret->shortest[p.shape])
			ret->shortest[p.shape] = p.len;
		ret->entries[p.len]++;
		ret->shapes[p.len] += !i || p.shape != rows->entries[i - 1].shape;
		if (!is_new(&seen, &p, 1 + p.shape))
			continue;
		ret->list[ret->count++] = p;
		ret->prefixes[p.len] += is_new(&seen, &p, 0);
	}
	err = 0;
out:
	free(seen.bits);
	if (err)
		lengths_close(ret);
	return err;
}

void lengths_close(struct lengths *lengths)
{
	free(lengths->list);
	free(lengths->shortest);
	*lengths = (struct lengths){0};
}

void add_own_depths(const struct lengths *lengths, bool wanted[ADDR_LENS])
{
	uint32_t shapes = 0, below = 0, lot = 1, lens = 0;

	for (unsigned len = 1; len < ADDR_LENS; len++) {
		shapes += lengths->shapes[len];
		lens += lengths->shapes[len] > 0;
	}
	for (unsigned len = 1; len < ADDR_LENS; len++) {
		below += lengths->shapes[len];
		if (!lengths->shapes[len] ||
		    (lens > OWN_DEPTHS && below * OWN_DEPTHS < lot * shapes))
			continue;
		wanted[len] = true;
		lot = below * OWN_DEPTHS / shapes + 1;
	}
}

uint8_t shortest_spread(const struct lengths *lengths, uint8_t depth)
{
	uint64_t slots = 0, work = 0;
	uint8_t shortest = depth;

	for (unsigned len = depth; len-- > 1 && depth - len < 16;) {
		slots += (uint64_t)lengths->prefixes[len] << (depth - len);
		work += (uint64_t)lengths->entries[len] << (depth - len);
		if (slots > SPREAD_SLOTS || work > SPREAD_WORK)
			break;
		if (lengths->shapes[len])
			shortest = len;
	}
	return shortest;
}

uint32_t count_prefixes(const struct lengths *lengths, uint8_t shortest)
{
	uint32_t count = 0;

	for (unsigned len = shortest; len < ADDR_LENS; len++)
		count += lengths->prefixes[len];
	return count;
}
