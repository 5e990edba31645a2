/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which shapes are parted. A shape is tried when it has a filter for the remote
 * address, one for the local address, one for the protocol and one for each port
 * of a packet; often these are different filters, and the probe finds nothing. Where
 * rows have bits to spare, such shapes become several: fewer filters behind one bit
 * agree less by accident.
 *
 * What is tried for headers drawn from the list says tries.c. The cut that spares most
 * probes is made, of all cuts of any part along any of four orders, until there are no
 * bits or no gain.
 *
 * Weak spot: a probe that two cuts together would spare and neither alone is not seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/split.h"
#include "compile/tries.h"
#include "util/radix.h"

/* Shapes up to which a row is read in two words, and in four. */
#define TWO_WORDS  128
#define FOUR_WORDS XI_CHUNK_SHAPES

/* A look at so many says whether it is worth the time. */
#define HEADERS_FIRST 64

/* Of so many headers a cut must spare one probe. */
#define HEADERS_A_PROBE 256
/* All of them must spare so many probes of 100 packets. */
#define GAIN_ALL 4
/* The third and fourth word must spare so many probes of 100 packets. */
#define GAIN_WORDS 10

struct part {
	struct tried *shape;
	uint32_t from, to; /* in the shape's orders */
	/* The best cut: before place `at`. */
	int32_t gain;
	uint32_t at;
	enum order along;
	uint32_t number; /* of the cut that was made, from 1; 0: none */
	struct part *left, *right;
};

struct splitter {
	struct tries tries;
	int32_t *gain; /* scratch: along one shape */
	uint32_t *spare;
	struct part *parts; /* the first shape_count are whole shapes */
	uint32_t part_count;
	int32_t *gains; /* of each cut made */
	uint32_t cuts;
};

/* Whether probes could be spared at all, if all that is in vain so far were. */
static bool promising(const struct splitter *s)
{
	uint32_t misses = 0;

	for (uint32_t i = 0; i < s->tries.shape_count; i++)
		misses += s->tries.shapes[i].misses;
	return s->tries.headers_done >= HEADERS_FIRST &&
	       misses * 100 >= s->tries.headers_done * GAIN_ALL;
}

/* ---------------------------------------------------------------------- orders */

static uint64_t number(const uint8_t bytes[8])
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | bytes[i];
	return n;
}

/*
 * Entries come by cell and then rank; the other orders are stable sorts of that one. So all have
 * those of a cell in order of rank, and a cut anywhere leaves the better ones on the left.
 */
static int sort_by(struct tried *shape, enum order order, struct keyed *keys)
{
	int err = 0;

	for (uint32_t i = 0; i < shape->count; i++) {
		const struct entry *e = &shape->entries[i];

		keys[i] = (struct keyed){.index = i};
		keys[i].key = order == BY_CELL	  ? i
			      : order == BY_LOCAL ? (e->me ? 0 : number(e->local + 8))
			      : order == BY_PROTO ? e->proto
						  : e->rect.filter;
	}
	if (order != BY_CELL)
		err = radix_sort(keys, shape->count);
	if (err || order != BY_LOCAL)
		return err;
	for (uint32_t i = 0; i < shape->count; i++) {
		const struct entry *e = &shape->entries[keys[i].index];

		keys[i].key = e->me ? 0 : number(e->local);
	}
	return radix_sort(keys, shape->count);
}

static int make_orders(struct tried *shape)
{
	struct keyed *keys = malloc(shape->count * sizeof(*keys));
	int err = keys ? 0 : -ENOMEM;

	for (enum order o = 0; !err && o < ORDERS; o++) {
		shape->order[o] = malloc(shape->count * sizeof(**shape->order));
		shape->place[o] = malloc(shape->count * sizeof(**shape->place));
		err = shape->order[o] && shape->place[o] ? sort_by(shape, o, keys) : -ENOMEM;
		for (uint32_t i = 0; !err && i < shape->count; i++) {
			shape->order[o][i] = keys[i].index;
			shape->place[o][keys[i].index] = i;
		}
	}
	free(keys);
	return err;
}

/* ------------------------------------------------------------------------ cuts */

/*
 * Adds what cuts spare one header: gain[b] is the difference between a cut before
 * place b and one before b - 1. Places count from the part's first.
 */
static void add_gains(const struct splitter *s, const struct part *part, enum order along,
		      const uint8_t *marks, uint32_t winner)
{
	const uint32_t *order = part->shape->order[along] + part->from;
	uint32_t n = part->to - part->from, left = 0, right = n, at;
	uint8_t all = 0;

	while (left < n && all != MARK_ALL)
		all |= marks[order[left++]];
	if (all != MARK_ALL)
		return;
	if (winner < part->shape->count) {
		/* The left part is tried before the right one with the winner. */
		at = part->shape->place[along][winner] - part->from;
		if (left <= at) {
			s->gain[left]--;
			s->gain[at + 1]++;
		}
		return;
	}
	for (all = 0; all != MARK_ALL;)
		all |= marks[order[--right]];
	/*
	 * With a cut from `left` on the left part is tried, with one up to `right` the right
	 * one. Uncut it is one probe: where both are tried one is added, where neither is one
	 * is spared. Before place 0 all is on the right, which is as before: gain[0] stays.
	 */
	s->gain[left]--;
	s->gain[right + 1]++;
}

static uint32_t smaller_side(const struct part *part, uint32_t at)
{
	return at - part->from < part->to - at ? at - part->from : part->to - at;
}

static void find_best(const struct splitter *s, struct part *part, enum order along)
{
	int32_t gain = s->gain[0];

	for (uint32_t at = part->from + 1; at < part->to; at++) {
		gain += s->gain[at - part->from];
		if (gain < part->gain || gain <= 0 ||
		    (gain == part->gain && smaller_side(part, at) <= smaller_side(part, part->at)))
			continue;
		part->gain = gain;
		part->at = at;
		part->along = along;
	}
}

/* Finds the best cut of a part. */
static void weigh(const struct splitter *s, struct part *part)
{
	const struct tried *shape = part->shape;

	part->gain = 0;
	part->at = part->from;
	for (enum order o = 0; o < ORDERS; o++) {
		memset(s->gain, 0, (part->to - part->from + 2) * sizeof(*s->gain));
		for (uint32_t p = 0; p < shape->probe_count; p++) {
			uint32_t winner = shape->winners[p];

			if (winner < shape->count) {
				uint32_t at = shape->place[BY_CELL][winner];

				if (at < part->from)
					continue; /* decided before this part's turn */
				if (at >= part->to)
					winner = shape->count;
			}
			add_gains(s, part, o, &shape->marks[(size_t)p * shape->count], winner);
		}
		find_best(s, part, o);
	}
}

/* Those left of the cut first, in all orders. */
static void divide(struct splitter *s, struct part *part)
{
	struct tried *shape = part->shape;
	const uint32_t *place = shape->place[part->along];
	uint32_t n, m;

	for (enum order o = 0; o < ORDERS; o++) {
		uint32_t *order = shape->order[o];

		if (o == part->along)
			continue; /* last: the others are divided by it */
		n = part->from;
		m = 0;
		for (uint32_t i = part->from; i < part->to; i++) {
			if (place[order[i]] < part->at)
				order[n++] = order[i];
			else
				s->spare[m++] = order[i];
		}
		memcpy(&order[n], s->spare, m * sizeof(*s->spare));
		for (uint32_t i = part->from; i < part->to; i++)
			shape->place[o][order[i]] = i;
	}
}

static struct part *add_part(struct splitter *s, struct tried *shape, uint32_t from, uint32_t to)
{
	struct part *part = &s->parts[s->part_count++];

	*part = (struct part){.shape = shape, .from = from, .to = to};
	weigh(s, part);
	return part;
}

static void cut(struct splitter *s, struct part *part)
{
	divide(s, part);
	s->gains[s->cuts++] = part->gain;
	part->number = s->cuts;
	part->left = add_part(s, part->shape, part->from, part->at);
	part->right = add_part(s, part->shape, part->at, part->to);
}

static int make_cuts(struct splitter *s, uint32_t most)
{
	int32_t least = 1 + (s->tries.headers_done - 1) / HEADERS_A_PROBE;

	for (uint32_t i = 0; i < s->tries.shape_count; i++) {
		struct tried *shape = &s->tries.shapes[i];

		s->parts[s->part_count] = (struct part){.shape = shape, .to = shape->count};
		if (shape->misses < (uint32_t)least || shape->count < 2) {
			s->part_count++;
			continue;
		}
		if (make_orders(shape))
			return -ENOMEM;
		add_part(s, shape, 0, shape->count);
	}
	while (s->cuts < most) {
		struct part *best = NULL;

		for (uint32_t i = 0; i < s->part_count; i++)
			if (!s->parts[i].number && (!best || s->parts[i].gain > best->gain))
				best = &s->parts[i];
		if (!best || best->gain < least)
			break;
		cut(s, best);
	}
	return 0;
}

/* ---------------------------------------------------------------------- result */

/* Probes spared by the cuts from one to another, of 100 packets. */
static uint32_t gain_of(const struct splitter *s, uint32_t from, uint32_t to)
{
	uint32_t gain = 0;

	for (uint32_t i = from; i < to; i++)
		gain += s->gains[i];
	return gain * 100 / s->tries.headers_done;
}

/* How many of the cuts pay: a third and a fourth word of rows must be worth it. */
static uint32_t worth(const struct splitter *s)
{
	uint32_t few = s->tries.shape_count < TWO_WORDS ? TWO_WORDS - s->tries.shape_count : 0,
		 cuts = s->cuts;

	if (s->tries.shape_count <= TWO_WORDS && cuts > few && gain_of(s, few, cuts) < GAIN_WORDS)
		cuts = few;
	return gain_of(s, 0, cuts) < GAIN_ALL ? 0 : cuts;
}

/*
 * Each cut may be one more shape alive somewhere. Where there are too many for it to go
 * without saying that the limit is kept, the shapes as they were must leave room for them.
 */
static int within(const struct splitter *s, const struct split_limits *limits, uint32_t *cuts)
{
	uint32_t few = s->tries.shape_count < limits->alive ? limits->alive - s->tries.shape_count
							    : 0;
	struct alive *alive;
	int err;

	if (*cuts <= few)
		return 0;
	err = alive_open(s->tries.entries, s->tries.count, s->tries.shape_count, limits->remote,
			 limits->local, &alive);
	if (err)
		return err;
	while (*cuts > few &&
	       (*cuts >= limits->alive || !alive_within(alive, limits->alive - *cuts)))
		*cuts = *cuts / 2 > few ? *cuts / 2 : few;
	alive_close(alive);
	return 0;
}

/* Numbers the parts of a shape in order, as the first so many cuts make them. */
static uint32_t label(const struct part *part, uint32_t cuts, uint32_t number, uint16_t *labels)
{
	if (part->number && part->number <= cuts) {
		number = label(part->left, cuts, number, labels);
		return label(part->right, cuts, number, labels);
	}
	for (uint32_t i = part->from; i < part->to; i++)
		labels[part->shape->order[BY_CELL][i]] = number;
	return number + 1;
}

/* Puts the entries of a shape in order of their part; those of a part stay in order. */
static void reorder(const struct part *whole, uint32_t cuts, uint16_t *labels, struct entry *out)
{
	const struct tried *shape = whole->shape;
	uint32_t at[FOUR_WORDS + 1] = {0}, parts = label(whole, cuts, 0, labels);

	for (uint32_t i = 0; i < shape->count; i++)
		at[labels[i] + 1]++;
	for (uint32_t k = 1; k < parts; k++)
		at[k] += at[k - 1];
	for (uint32_t i = 0; i < shape->count; i++) {
		struct entry *to = &out[at[labels[i]]++];

		*to = shape->entries[i];
		to->part = labels[i];
	}
}

static int apply(const struct splitter *s, uint32_t cuts, struct entry *entries)
{
	struct entry *out = malloc(s->tries.count * sizeof(*out));
	uint16_t *labels = malloc(s->tries.count * sizeof(*labels));
	int err = out && labels ? 0 : -ENOMEM;

	for (uint32_t i = 0; !err && i < s->tries.shape_count; i++) {
		const struct part *part = &s->parts[i];
		size_t at = part->shape->entries - s->tries.entries;

		if (!part->number || part->number > cuts)
			continue;
		reorder(part, cuts, labels, out);
		memcpy(&entries[at], out, part->shape->count * sizeof(*out));
	}
	free(out);
	free(labels);
	return err;
}

static void close_splitter(struct splitter *s)
{
	tries_close(&s->tries);
	free(s->gain);
	free(s->spare);
	free(s->parts);
	free(s->gains);
}

static int open_splitter(struct splitter *s, const struct entry *entries, size_t count,
			 uint32_t shapes)
{
	int err = tries_open(entries, count, shapes, &s->tries);

	s->gain = malloc((count + 2) * sizeof(*s->gain));
	s->spare = malloc(count * sizeof(*s->spare));
	s->parts = calloc(3 * FOUR_WORDS, sizeof(*s->parts));
	s->gains = calloc(FOUR_WORDS, sizeof(*s->gains));
	if (!s->gain || !s->spare || !s->parts || !s->gains)
		return -ENOMEM;
	return err;
}

int split_shapes(struct entry *entries, size_t count, uint32_t shapes,
		 const struct split_limits *limits)
{
	struct splitter s = {0};
	uint32_t cuts;
	int err;

	if (shapes >= FOUR_WORDS)
		return 0;
	err = open_splitter(&s, entries, count, shapes);
	if (!err)
		err = tries_find(&s.tries, HEADERS_FIRST);
	if (err || !promising(&s))
		goto out;
	err = tries_find(&s.tries, s.tries.header_count);
	if (!err)
		err = make_cuts(&s, FOUR_WORDS - shapes);
	if (err)
		goto out;
	cuts = worth(&s);
	err = within(&s, limits, &cuts);
	if (!err)
		err = apply(&s, cuts, entries);
out:
	close_splitter(&s);
	return err;
}
