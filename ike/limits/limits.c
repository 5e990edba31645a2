/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting what strangers cost; see limits.h. */
#include "ike/limits/limits.h"

#include <string.h>

#include "util/addr.h"

/* Keyed multiply-and-fold: not a MAC, but the key is random and never shown. */
uint64_t ike_hash64(uint64_t key, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = key ^ (len * 0x9e3779b97f4a7c15ull);

	for (size_t i = 0; i < len; i++) {
		h = (h ^ p[i]) * 0x2127599bf4325c37ull;
		h ^= h >> 29;
	}
	h *= 0x880355f21e6d1965ull;
	return h ^ (h >> 32);
}

void ike_limits_init(struct ike_limits *limits, uint64_t hash_key)
{
	memset(limits, 0, sizeof(*limits));
	limits->hash_key = hash_key;
	limits->answers = (struct ike_bucket){.per_second = 10, .burst = 20};
	limits->lines = (struct ike_bucket){.per_second = 5, .burst = 20};
}

static struct xi_addr source_of(const struct xi_addr *remote)
{
	struct xi_addr source = *remote;

	if (source.family == 6)
		xi_addr_mask(&source, 64);
	return source;
}

static size_t home_slot(const struct ike_limits *limits, const struct xi_addr *source)
{
	return ike_hash64(limits->hash_key, source, sizeof(*source)) % IKE_SOURCE_SLOTS;
}

/* The slot of this source, or the free one where it would go. The table is never full. */
static size_t find_slot(const struct ike_limits *limits, const struct xi_addr *source)
{
	size_t slot = home_slot(limits, source);

	while (limits->source[slot].half_open && !xi_addr_equal(&limits->source[slot].addr, source))
		slot = (slot + 1) % IKE_SOURCE_SLOTS;
	return slot;
}

bool ike_limits_open(struct ike_limits *limits, const struct xi_addr *remote, bool has_established)
{
	struct xi_addr source = source_of(remote);
	uint32_t most = has_established ? IKE_HALF_OPEN_ESTABLISHED : IKE_HALF_OPEN_PER_SOURCE;
	struct ike_source *entry;

	if (limits->half_open >= IKE_HALF_OPEN_TOTAL)
		return false;
	entry = &limits->source[find_slot(limits, &source)];
	if (entry->half_open >= most)
		return false;
	entry->addr = source;
	entry->half_open++;
	limits->half_open++;
	return true;
}

/* Closes the gap that a removed entry leaves, so that probing still finds the others. */
static void fill_gap(struct ike_limits *limits, size_t gap)
{
	for (size_t slot = (gap + 1) % IKE_SOURCE_SLOTS; limits->source[slot].half_open;
	     slot = (slot + 1) % IKE_SOURCE_SLOTS) {
		size_t home = home_slot(limits, &limits->source[slot].addr);
		size_t from_home = (slot - home) % IKE_SOURCE_SLOTS;
		size_t from_gap = (slot - gap) % IKE_SOURCE_SLOTS;

		if (from_home < from_gap)
			continue;
		limits->source[gap] = limits->source[slot];
		limits->source[slot].half_open = 0;
		gap = slot;
	}
}

void ike_limits_close(struct ike_limits *limits, const struct xi_addr *remote)
{
	struct xi_addr source = source_of(remote);
	size_t slot = find_slot(limits, &source);

	if (!limits->source[slot].half_open)
		return;
	limits->half_open--;
	if (!--limits->source[slot].half_open)
		fill_gap(limits, slot);
}
