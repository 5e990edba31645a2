/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which shapes are parted. A shape is tried when it has a filter for the remote
 * address, one for the local address, one for the protocol and one for each port
 * of a packet; often these are different filters, and the probe finds nothing. Where
 * rows have bits to spare, such shapes become several: fewer filters behind one bit
 * agree less by accident.
 *
 * Headers are drawn from the list. For every header and every shape that would be tried
 * for it, each of the shape's filters is marked with the fields that it has in common
 * with the header. Then the cut that spares most probes is made, of all cuts of any
 * part along any of four orders, until there are no bits or no gain.
 *
 * Weak spot: a probe that two cuts together would spare and neither alone is not seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/sample.h"
#include "compile/split.h"
#include "policy/scalar.h"
#include "util/radix.h"

/* Shapes up to which a row is read in two words, and in four. */
#define TWO_WORDS  128
#define FOUR_WORDS XI_CHUNK_SHAPES

#define HEADERS_MAX 512
#define HEADERS_MIN 256
#define WORK	    (1u << 20) /* headers times filters, about */
#define MARKS_MAX   (4u << 20) /* what all of them may take */

/* A look at so many says whether it is worth the time. */
#define HEADERS_FIRST 64

/* A cut must spare so many probes of HEADERS_MIN headers. */
#define GAIN_MIN 1
/* All of them must spare so many probes of 100 packets. */
#define GAIN_ALL 4
/* The third and fourth word must spare so many probes of 100 packets. */
#define GAIN_WORDS 10

/* What a filter has in common with a header, as rows see it; MARK_HIT: it covers it. */
#define MARK_REMOTE 1
#define MARK_LOCAL  2
#define MARK_PROTO  4
#define MARK_X	    8
#define MARK_Y	    16
#define MARK_ALL    31
#define MARK_HIT    32

enum order { BY_CELL, BY_LOCAL, BY_PROTO, BY_RANK, ORDERS };

/* A header for which a shape is tried. */
struct probe {
	uint32_t winner; /* of the shape's filters; as many as there are: none of them */
};

struct shape {
	const struct entry *entries;
	uint32_t count;
	uint32_t *order[ORDERS]; /* entries along each; any part has the same places in all */
	uint32_t *place[ORDERS]; /* of each entry */
	struct probe *probes;
	uint8_t *marks; /* `count` for each probe */
	uint32_t probe_count, probe_room, misses;
};

struct part {
	struct shape *shape;
	uint32_t from, to; /* in the shape's orders */
	/* The best cut: before place `at`. */
	int32_t gain;
	uint32_t at;
	enum order along;
	uint32_t number; /* of the cut that was made, from 1; 0: none */
	struct part *left, *right;
};

struct splitter {
	const struct entry *entries;
	size_t count;
	uint32_t shape_count;
	struct shape *shapes;
	struct xi_pkt *headers;
	uint32_t *from;
	uint32_t header_count, headers_done;
	size_t marks_made;
	uint8_t *seen; /* bits: some entry of a shape may have this prefix */
	uint32_t seen_mask;
	uint8_t *marks; /* scratch: of one shape */
	int32_t *gain;	/* scratch: along one shape */
	uint32_t *spare;
	struct part *parts; /* the first shape_count are whole shapes */
	uint32_t part_count;
	int32_t *gains; /* of each cut made */
	uint32_t cuts;
};

/* --------------------------------------------------------- what would be tried */

static void masked(const uint8_t addr[16], const __u64 mask[2], uint64_t ret[2])
{
	memcpy(ret, addr, 16);
	ret[0] &= mask[0];
	ret[1] &= mask[1];
}

static uint32_t seen_bit(const struct splitter *s, const uint8_t addr[16], const __u64 mask[2],
			 uint32_t shape, enum field_of of)
{
	uint64_t word[2];

	masked(addr, mask, word);
	return xi_hash_end(xi_hash_step(word[0] + 2 * shape + of, word[1])) & s->seen_mask;
}

static void note_prefixes(struct splitter *s)
{
	for (uint32_t i = 0; i < s->shape_count; i++) {
		const struct shape *shape = &s->shapes[i];
		__u64 remote[2], local[2];

		prefix_words(shape->entries->remote_len, remote);
		prefix_words(side_of(shape->entries, FIELD_LOCAL).len, local);
		for (uint32_t e = 0; e < shape->count; e++) {
			const struct entry *entry = &shape->entries[e];
			uint32_t r = seen_bit(s, entry->remote, remote, i, FIELD_REMOTE);
			uint32_t l = seen_bit(s, entry->local, local, i, FIELD_LOCAL);

			s->seen[r / 8] |= 1 << r % 8;
			s->seen[l / 8] |= 1 << l % 8;
		}
	}
}

static bool same(const uint8_t addr[16], const __u64 mask[2], const uint64_t want[2])
{
	uint64_t word[2];

	masked(addr, mask, word);
	return !((word[0] ^ want[0]) | (word[1] ^ want[1]));
}

static uint8_t mark(const struct entry *e, const struct xi_pkt *pkt)
{
	uint8_t marks = !e->proto_given || e->proto == pkt->proto ? MARK_PROTO : 0;
	uint16_t y = pkt->local_port;

	if (e->proto_given && proto_is_icmp(e->proto)) {
		/* Rows are read with ports 0 for such packets, cells with type and code. */
		if (!pkt->remote_port && !pkt->local_port)
			marks |= MARK_X | MARK_Y;
		y = pkt->icmp_type << 8 | pkt->icmp_code;
		return marks | (y >= e->rect.y_lo && y <= e->rect.y_hi ? MARK_HIT : 0);
	}
	if (pkt->remote_port >= e->rect.x_lo && pkt->remote_port <= e->rect.x_hi)
		marks |= MARK_X;
	if (y >= e->rect.y_lo && y <= e->rect.y_hi)
		marks |= MARK_Y;
	return marks | MARK_HIT;
}

/* Keeps the marks of a header for which the shape is tried. */
static int add_probe(struct shape *shape, const uint8_t *marks, uint32_t winner)
{
	if (shape->probe_count == shape->probe_room) {
		uint32_t room = 2 * shape->probe_room + 4;
		void *probes = realloc(shape->probes, room * sizeof(*shape->probes)), *all;

		if (!probes)
			return -ENOMEM;
		shape->probes = probes;
		all = realloc(shape->marks, (size_t)room * shape->count);
		if (!all)
			return -ENOMEM;
		shape->marks = all;
		shape->probe_room = room;
	}
	memcpy(&shape->marks[(size_t)shape->probe_count * shape->count], marks, shape->count);
	shape->probes[shape->probe_count++].winner = winner;
	shape->misses += winner == shape->count;
	return 0;
}

/* Returns 1 when the shape decides about the header, else 0 or -ENOMEM. */
static int try_shape(struct splitter *s, uint32_t i, const struct xi_pkt *pkt)
{
	struct shape *shape = &s->shapes[i];
	uint8_t local_len = side_of(shape->entries, FIELD_LOCAL).len, all = 0;
	uint32_t winner = shape->count, bit, best = XI_NO_FILTER;
	__u64 remote[2], local[2];
	uint64_t r[2], l[2];
	int err;

	prefix_words(shape->entries->remote_len, remote);
	bit = seen_bit(s, pkt->remote, remote, i, FIELD_REMOTE);
	if (!(s->seen[bit / 8] >> bit % 8 & 1))
		return 0;
	prefix_words(local_len, local);
	bit = seen_bit(s, pkt->local, local, i, FIELD_LOCAL);
	if (!(s->seen[bit / 8] >> bit % 8 & 1))
		return 0;
	masked(pkt->remote, remote, r);
	masked(pkt->local, local, l);
	s->marks_made += shape->count;
	for (uint32_t e = 0; e < shape->count; e++) {
		const struct entry *entry = &shape->entries[e];
		uint8_t marks = mark(entry, pkt);

		marks |= same(entry->remote, remote, r) ? MARK_REMOTE : 0;
		marks |= same(entry->local, local, l) ? MARK_LOCAL : 0;
		if (marks == (MARK_ALL | MARK_HIT) && entry->rect.filter < best) {
			best = entry->rect.filter;
			winner = e;
		}
		s->marks[e] = marks & MARK_ALL;
		all |= marks;
	}
	if ((all & MARK_ALL) != MARK_ALL ||
	    (shape->entries->me && !(pkt->flags & XI_PKT_LOCAL_IS_ME)))
		return 0;
	err = add_probe(shape, s->marks, winner);
	return err ? err : winner < shape->count;
}

/* For the headers up to this one, as far as there is time. 0 or -ENOMEM. */
static int find_probes(struct splitter *s, uint32_t to)
{
	int end = 0;

	for (; end >= 0 && s->headers_done < to && s->marks_made < MARKS_MAX; s->headers_done++) {
		end = 0;
		for (uint32_t i = 0; !end && i < s->shape_count; i++)
			end = try_shape(s, i, &s->headers[s->headers_done]);
	}
	return end < 0 ? end : 0;
}

/* Whether probes could be spared at all, if all that is in vain so far were. */
static bool promising(const struct splitter *s)
{
	uint32_t misses = 0;

	for (uint32_t i = 0; i < s->shape_count; i++)
		misses += s->shapes[i].misses;
	return s->headers_done >= HEADERS_FIRST && misses * 100 >= s->headers_done * GAIN_ALL;
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
static int sort_by(struct shape *shape, enum order order, struct keyed *keys)
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

static int make_orders(struct shape *shape)
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
	/* From `left` on the left part is tried, up to `right` the right one. */
	s->gain[0]++;
	s->gain[left]--;
	s->gain[0]--;
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
	const struct shape *shape = part->shape;

	part->gain = 0;
	part->at = part->from;
	for (enum order o = 0; o < ORDERS; o++) {
		memset(s->gain, 0, (part->to - part->from + 2) * sizeof(*s->gain));
		for (uint32_t p = 0; p < shape->probe_count; p++) {
			uint32_t winner = shape->probes[p].winner;

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
	struct shape *shape = part->shape;
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

static struct part *add_part(struct splitter *s, struct shape *shape, uint32_t from, uint32_t to)
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
	int32_t least = 1 + GAIN_MIN * (s->headers_done - 1) / HEADERS_MIN;

	for (uint32_t i = 0; i < s->shape_count; i++) {
		struct shape *shape = &s->shapes[i];

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
	return gain * 100 / s->headers_done;
}

/* How many of the cuts pay: a third and a fourth word of rows must be worth it. */
static uint32_t worth(const struct splitter *s)
{
	uint32_t few = s->shape_count < TWO_WORDS ? TWO_WORDS - s->shape_count : 0, cuts = s->cuts;

	if (s->shape_count <= TWO_WORDS && cuts > few && gain_of(s, few, cuts) < GAIN_WORDS)
		cuts = few;
	return gain_of(s, 0, cuts) < GAIN_ALL ? 0 : cuts;
}

/*
 * Each cut may be one more shape alive somewhere. Where there are too many for it to go
 * without saying that the limit is kept, the shapes as they were must leave room for them.
 */
static int within(const struct splitter *s, const struct split_limits *limits, uint32_t *cuts)
{
	uint32_t few = s->shape_count < limits->alive ? limits->alive - s->shape_count : 0;
	struct alive *alive;
	int err;

	if (*cuts <= few)
		return 0;
	err = alive_open(s->entries, s->count, s->shape_count, limits->remote, limits->local,
			 &alive);
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
	const struct shape *shape = whole->shape;
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
	struct entry *out = malloc(s->count * sizeof(*out));
	uint16_t *labels = malloc(s->count * sizeof(*labels));
	int err = out && labels ? 0 : -ENOMEM;

	for (uint32_t i = 0; !err && i < s->shape_count; i++) {
		const struct part *part = &s->parts[i];
		size_t at = part->shape->entries - s->entries;

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
	for (uint32_t i = 0; s->shapes && i < s->shape_count; i++) {
		for (enum order o = 0; o < ORDERS; o++) {
			free(s->shapes[i].order[o]);
			free(s->shapes[i].place[o]);
		}
		free(s->shapes[i].probes);
		free(s->shapes[i].marks);
	}
	free(s->shapes);
	free(s->headers);
	free(s->from);
	free(s->seen);
	free(s->marks);
	free(s->gain);
	free(s->spare);
	free(s->parts);
	free(s->gains);
}

static int open_splitter(struct splitter *s)
{
	uint32_t bits = 1024, n = WORK / s->count;
	struct shape *shape;

	while (bits < 16 * s->count)
		bits *= 2;
	s->seen_mask = bits - 1;
	s->header_count = n < HEADERS_MIN ? HEADERS_MIN : n > HEADERS_MAX ? HEADERS_MAX : n;
	s->shapes = calloc(s->shape_count, sizeof(*s->shapes));
	s->headers = malloc(s->header_count * sizeof(*s->headers));
	s->from = malloc(s->header_count * sizeof(*s->from));
	s->seen = calloc(bits / 8, 1);
	s->marks = malloc(s->count);
	s->gain = malloc((s->count + 2) * sizeof(*s->gain));
	s->spare = malloc(s->count * sizeof(*s->spare));
	s->parts = calloc(3 * FOUR_WORDS, sizeof(*s->parts));
	s->gains = calloc(FOUR_WORDS, sizeof(*s->gains));
	if (!s->shapes || !s->headers || !s->from || !s->seen || !s->marks || !s->gain ||
	    !s->spare || !s->parts || !s->gains)
		return -ENOMEM;
	for (size_t i = 0; i < s->count; i++) {
		shape = &s->shapes[s->entries[i].shape];
		if (!shape->count++)
			shape->entries = &s->entries[i];
	}
	return 0;
}

int split_shapes(struct entry *entries, size_t count, uint32_t shapes,
		 const struct split_limits *limits)
{
	struct splitter s = {.entries = entries, .count = count, .shape_count = shapes};
	uint32_t cuts;
	int err;

	if (shapes >= FOUR_WORDS)
		return 0;
	err = open_splitter(&s);
	if (err)
		goto out;
	draw_headers(entries, count, s.headers, s.from, s.header_count);
	note_prefixes(&s);
	err = find_probes(&s, HEADERS_FIRST);
	if (err || !promising(&s))
		goto out;
	err = find_probes(&s, s.header_count);
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
