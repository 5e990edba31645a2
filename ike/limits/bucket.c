/* SPDX-License-Identifier: BSD-2-Clause */
/* A token bucket; see bucket.h. */
#include "ike/limits/bucket.h"

bool ike_bucket_take(struct ike_bucket *bucket, uint64_t now_ms)
{
	uint64_t interval = 1000 / bucket->per_second, earned;

	if (!bucket->started) {
		bucket->started = true;
		bucket->tokens = bucket->burst;
		bucket->filled_ms = now_ms;
	}
	earned = (now_ms - bucket->filled_ms) / interval;
	if (earned >= bucket->burst - bucket->tokens) {
		bucket->tokens = bucket->burst;
		bucket->filled_ms = now_ms;
	} else {
		bucket->tokens += (uint32_t)earned;
		bucket->filled_ms += earned * interval;
	}
	if (!bucket->tokens) {
		bucket->refused++;
		return false;
	}
	bucket->tokens--;
	return true;
}
