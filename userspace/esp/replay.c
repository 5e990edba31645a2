// SPDX-License-Identifier: BSD-2-Clause
/* The anti-replay window as a ring of blocks (RFC 6479); see replay.h. */
#include "esp/replay.h"

#include <string.h>

void replay_init(struct replay *replay, uint32_t window)
{
	uint32_t blocks = 2;

	memset(replay, 0, sizeof(*replay));
	if (!window)
		return;
	if (window > REPLAY_MAX)
		window = REPLAY_MAX;
	replay->size = (window + 63) / 64 * 64;
	/* One more than the window needs, and a power of two. */
	while (blocks < replay->size / 64 + 1)
		blocks *= 2;
	replay->mask = blocks - 1;
}

bool replay_check(const struct replay *replay, uint64_t seq)
{
	if (!seq)
		return false;
	if (seq > replay->top || !replay->size)
		return true;
	if (replay->top - seq >= replay->size)
		return false;
	return !(replay->bits[seq / 64 & replay->mask] >> (seq & 63) & 1);
}

bool replay_update(struct replay *replay, uint64_t seq)
{
	uint64_t from = replay->top / 64, to = seq / 64;

	if (!replay_check(replay, seq))
		return false;
	if (seq > replay->top) {
		if (to - from > replay->mask)
			from = to - replay->mask - 1;
		while (from < to)
			replay->bits[++from & replay->mask] = 0;
		replay->top = seq;
	}
	if (replay->size)
		replay->bits[seq / 64 & replay->mask] |= 1ULL << (seq & 63);
	return true;
}

uint64_t replay_extend(const struct replay *replay, uint32_t low)
{
	uint32_t window = replay->size ? replay->size : REPLAY_DEFAULT;
	uint32_t top_low = (uint32_t)replay->top, high = (uint32_t)(replay->top >> 32);
	uint32_t bottom = top_low - window + 1;

	if (top_low >= window - 1) {
		/* The window lies in one subspace: what is left of it comes from the next. */
		if (low < bottom)
			high++;
	} else if (low >= bottom && high) {
		/* The window spans two subspaces: high numbers belong to the earlier one. */
		high--;
	}
	return (uint64_t)high << 32 | low;
}
