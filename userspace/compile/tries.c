/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lookups would try. Headers are drawn from the list; for every header and every
 * shape up to the one that decides about it, each of the shape's filters is marked with the
 * fields that it has in common with the header. Where the marks of all filters together are
 * complete, rows let the header through and the shape is tried.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/sample.h"
#include "compile/tries.h"
#include "policy/scalar.h"

#define HEADERS_MAX 512
#define HEADERS_MIN 256
#define WORK	    (1u << 20) /* headers times filters, about */
#define MARKS_MAX   (4u << 20) /* what all of them may take */

static void masked(const uint8_t addr[16], const __u64 mask[2], uint64_t ret[2])
{
	memcpy(ret, addr, 16);
	ret[0] &= mask[0];
	ret[1] &= mask[1];
}

static uint32_t seen_bit(const struct tries *t, const uint8_t addr[16], const __u64 mask[2],
			 uint32_t shape, enum field_of of)
{
	uint64_t word[2];

	masked(addr, mask, word);
	return xi_hash_end(xi_hash_step(word[0] + 2 * shape + of, word[1])) & t->seen_mask;
}

static void note_prefixes(struct tries *t)
{
	for (uint32_t i = 0; i < t->shape_count; i++) {
		const struct tried *shape = &t->shapes[i];
		__u64 remote[2], local[2];

		prefix_words(shape->entries->remote_len, remote);
		prefix_words(side_of(shape->entries, FIELD_LOCAL).len, local);
		for (uint32_t e = 0; e < shape->count; e++) {
			const struct entry *entry = &shape->entries[e];
			uint32_t r = seen_bit(t, entry->remote, remote, i, FIELD_REMOTE);
			uint32_t l = seen_bit(t, entry->local, local, i, FIELD_LOCAL);

			t->seen[r / 8] |= 1 << r % 8;
			t->seen[l / 8] |= 1 << l % 8;
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
static int add_probe(struct tried *shape, const uint8_t *marks, uint32_t winner)
{
	if (shape->probe_count == shape->probe_room) {
		uint32_t room = 2 * shape->probe_room + 4;
		void *winners = realloc(shape->winners, room * sizeof(*shape->winners)), *all;

		if (!winners)
			return -ENOMEM;
		shape->winners = winners;
		all = realloc(shape->marks, (size_t)room * shape->count);
		if (!all)
			return -ENOMEM;
		shape->marks = all;
		shape->probe_room = room;
	}
	memcpy(&shape->marks[(size_t)shape->probe_count * shape->count], marks, shape->count);
	shape->winners[shape->probe_count++] = winner;
	shape->misses += winner == shape->count;
	return 0;
}

/* Returns 1 when the shape decides about the header, else 0 or -ENOMEM. */
static int try_shape(struct tries *t, uint32_t i, const struct xi_pkt *pkt)
{
	struct tried *shape = &t->shapes[i];
	uint8_t local_len = side_of(shape->entries, FIELD_LOCAL).len, all = 0;
	uint32_t winner = shape->count, bit, best = XI_NO_FILTER;
	__u64 remote[2], local[2];
	uint64_t r[2], l[2];
	int err;

	prefix_words(shape->entries->remote_len, remote);
	bit = seen_bit(t, pkt->remote, remote, i, FIELD_REMOTE);
	if (!(t->seen[bit / 8] >> bit % 8 & 1))
		return 0;
	prefix_words(local_len, local);
	bit = seen_bit(t, pkt->local, local, i, FIELD_LOCAL);
	if (!(t->seen[bit / 8] >> bit % 8 & 1))
		return 0;
	masked(pkt->remote, remote, r);
	masked(pkt->local, local, l);
	t->marks_made += shape->count;
	for (uint32_t e = 0; e < shape->count; e++) {
		const struct entry *entry = &shape->entries[e];
		uint8_t marks = mark(entry, pkt);

		marks |= same(entry->remote, remote, r) ? MARK_REMOTE : 0;
		marks |= same(entry->local, local, l) ? MARK_LOCAL : 0;
		if (marks == (MARK_ALL | MARK_HIT) && entry->rect.filter < best) {
			best = entry->rect.filter;
			winner = e;
		}
		t->marks[e] = marks & MARK_ALL;
		all |= marks;
	}
	if ((all & MARK_ALL) != MARK_ALL ||
	    (shape->entries->me && !(pkt->flags & XI_PKT_LOCAL_IS_ME)))
		return 0;
	err = add_probe(shape, t->marks, winner);
	return err ? err : winner < shape->count;
}

int tries_find(struct tries *t, uint32_t to)
{
	int end = 0;

	for (; end >= 0 && t->headers_done < to && t->marks_made < MARKS_MAX; t->headers_done++) {
		end = 0;
		for (uint32_t i = 0; !end && i < t->shape_count; i++)
			end = try_shape(t, i, &t->headers[t->headers_done]);
	}
	return end < 0 ? end : 0;
}

void tries_close(struct tries *t)
{
	for (uint32_t i = 0; t->shapes && i < t->shape_count; i++) {
		for (enum order o = 0; o < ORDERS; o++) {
			free(t->shapes[i].order[o]);
			free(t->shapes[i].place[o]);
		}
		free(t->shapes[i].winners);
		free(t->shapes[i].marks);
	}
	free(t->shapes);
	free(t->headers);
	free(t->from);
	free(t->seen);
	free(t->marks);
}

int tries_open(const struct entry *entries, size_t count, uint32_t shapes, struct tries *ret)
{
	uint32_t bits = 1024, n = WORK / count;

	*ret = (struct tries){.entries = entries, .count = count, .shape_count = shapes};
	while (bits < 16 * count)
		bits *= 2;
	ret->seen_mask = bits - 1;
	ret->header_count = n < HEADERS_MIN ? HEADERS_MIN : n > HEADERS_MAX ? HEADERS_MAX : n;
	ret->shapes = calloc(shapes, sizeof(*ret->shapes));
	ret->headers = malloc(ret->header_count * sizeof(*ret->headers));
	ret->from = malloc(ret->header_count * sizeof(*ret->from));
	ret->seen = calloc(bits / 8, 1);
	ret->marks = malloc(count);
	if (!ret->shapes || !ret->headers || !ret->from || !ret->seen || !ret->marks)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct tried *shape = &ret->shapes[entries[i].shape];

		if (!shape->count++)
			shape->entries = &entries[i];
	}
	draw_headers(entries, count, ret->headers, ret->from, ret->header_count);
	note_prefixes(ret);
	return 0;
}
