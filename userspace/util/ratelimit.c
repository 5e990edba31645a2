/* SPDX-License-Identifier: BSD-2-Clause */
/* Token buckets by source; see ratelimit.h. */
#include <string.h>

#include "util/addr.h"
#include "util/ratelimit.h"

/* All sources together may use this many times what one may. */
#define ALL_FACTOR 8

void ratelimit_init(struct ratelimit *limit, uint32_t per_second, uint32_t burst, uint64_t seed)
{
	memset(limit, 0, sizeof(*limit));
	limit->per_second = per_second;
	limit->burst = burst;
	limit->all_per_second = per_second * ALL_FACTOR;
	limit->all_burst = burst * ALL_FACTOR;
	limit->seed = seed;
	limit->all.tokens = limit->all_burst * 1000;
}

static void refill(struct ratelimit_slot *slot, uint32_t per_second, uint32_t burst,
		   uint64_t now_ms)
{
	uint64_t passed = now_ms > slot->last_ms ? now_ms - slot->last_ms : 0;
	uint64_t tokens;

	if (passed > 1000000)
		passed = 1000000;
	tokens = slot->tokens + passed * per_second;
	slot->tokens = tokens > burst * 1000ull ? burst * 1000 : (uint32_t)tokens;
	slot->last_ms = now_ms;
}

static uint32_t slot_of(const struct ratelimit *limit, const struct xi_addr *source)
{
	uint64_t hash = limit->seed ^ 0xcbf29ce484222325ull;

	for (size_t i = 0; i < sizeof(source->b); i++)
		hash = (hash ^ source->b[i]) * 0x100000001b3ull;
	hash ^= hash >> 29;
	return (hash * 0x9e3779b97f4a7c15ull) >> 56;
}

bool ratelimit_pass(struct ratelimit *limit, const struct xi_addr *source, uint64_t now_ms,
		    uint32_t *ret_suppressed)
{
	struct ratelimit_slot *slot = &limit->slots[slot_of(limit, source)];

	if (!xi_addr_equal(&slot->source, source)) {
		memset(slot, 0, sizeof(*slot));
		slot->source = *source;
		slot->last_ms = now_ms;
		slot->tokens = limit->burst * 1000;
	}
	refill(slot, limit->per_second, limit->burst, now_ms);
	refill(&limit->all, limit->all_per_second, limit->all_burst, now_ms);
	if (slot->tokens < 1000 || limit->all.tokens < 1000) {
		slot->suppressed++;
		return false;
	}
	slot->tokens -= 1000;
	limit->all.tokens -= 1000;
	if (ret_suppressed)
		*ret_suppressed = slot->suppressed;
	slot->suppressed = 0;
	return true;
}
