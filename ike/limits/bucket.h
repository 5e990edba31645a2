/* SPDX-License-Identifier: BSD-2-Clause */
/* A token bucket in engine time, for log lines and answers that strangers can cause. */
#ifndef IKE_LIMITS_BUCKET_H
#define IKE_LIMITS_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct ike_bucket {
	uint32_t per_second, burst;
	uint64_t filled_ms; /* up to when tokens were added */
	uint32_t tokens;
	uint64_t refused; /* since the last one that was let through */
	bool started;
};

/* True when one more is allowed now. */
bool ike_bucket_take(struct ike_bucket *bucket, uint64_t now_ms);

#endif
