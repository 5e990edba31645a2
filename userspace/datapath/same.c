/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which filters of two lists are the same: those that select the same packets for
 * the same action. Their number and the name of their rule may change. Both lists
 * are in order of precedence, so a small change leaves a long beginning and a
 * long end alike; only what lies between is looked up by hash.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/same.h"

/* Everything but id, rule and padding. */
#define SELECT_BYTES offsetof(struct xi_filter, id)
#define ACT_FROM     offsetof(struct xi_filter, dir)
#define ACT_BYTES    (offsetof(struct xi_filter, pad) - ACT_FROM)

_Static_assert(SELECT_BYTES % 8 == 0 && ACT_BYTES <= 8, "hashed in words");
_Static_assert(ACT_FROM == offsetof(struct xi_filter, rule) + 4, "nothing else is left out");

static bool same(const struct xi_filter *a, const struct xi_filter *b)
{
	return !memcmp(a, b, SELECT_BYTES) &&
	       !memcmp((const char *)a + ACT_FROM, (const char *)b + ACT_FROM, ACT_BYTES);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

static uint64_t hash_of(const struct xi_filter *filter)
{
	uint64_t hash = 0, word;

	for (size_t i = 0; i < SELECT_BYTES; i += sizeof(word)) {
		memcpy(&word, (const char *)filter + i, sizeof(word));
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, (const char *)filter + ACT_FROM, ACT_BYTES);
	return mix(hash, word);
}

/* The middle part: places in `old` by hash, linear probing, at most half full. */
static int match_by_hash(const struct xi_filter *old, size_t old_count,
			 const struct xi_filter *fresh, size_t count, uint32_t first, uint32_t *was,
			 size_t *kept)
{
	size_t size = 16, at;
	uint32_t *place; /* index in old + 1; 0 = free */

	while (size < 2 * old_count)
		size *= 2;
	place = calloc(size, sizeof(*place));
	if (!place)
		return -ENOMEM;
	for (size_t i = 0; i < old_count; i++) {
		for (at = hash_of(&old[i]) & (size - 1); place[at]; at = (at + 1) & (size - 1))
			;
		place[at] = i + 1;
	}
	for (size_t i = 0; i < count; i++) {
		for (at = hash_of(&fresh[i]) & (size - 1); place[at]; at = (at + 1) & (size - 1))
			if (same(&old[place[at] - 1], &fresh[i])) {
				was[i] = first + place[at] - 1;
				(*kept)++;
				break;
			}
	}
	free(place);
	return 0;
}

int same_filters(const struct xi_filter *old, size_t old_count, const struct xi_filter *fresh,
		 size_t count, uint32_t *was, size_t *ret_kept)
{
	size_t least = old_count < count ? old_count : count, head = 0, tail = 0, kept;
	int err = 0;

	while (head < least && same(&old[head], &fresh[head])) {
		was[head] = head;
		head++;
	}
	while (tail < least - head && same(&old[old_count - 1 - tail], &fresh[count - 1 - tail])) {
		was[count - 1 - tail] = old_count - 1 - tail;
		tail++;
	}
	for (size_t i = head; i < count - tail; i++)
		was[i] = XI_NO_FILTER;
	kept = head + tail;
	if (head + tail < old_count && head + tail < count)
		err = match_by_hash(old + head, old_count - head - tail, fresh + head,
				    count - head - tail, head, was + head, &kept);
	if (!err)
		*ret_kept = kept;
	return err;
}
