/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UTIL_RATELIMIT_H
#define UTIL_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include <xipsec/addr.h>

/*
 * Token buckets by source address in bounded memory: a fixed table, where a new
 * source takes the place of another one. All sources together have a bucket as
 * well, so that many forged sources cannot make much noise either.
 */
#define RATELIMIT_SLOTS 256

struct ratelimit_slot {
	struct xi_addr source;
	uint64_t last_ms;
	uint32_t tokens; /* thousandths */
	uint32_t suppressed;
};

struct ratelimit {
	uint32_t per_second, burst;	    /* for one source */
	uint32_t all_per_second, all_burst; /* for all of them */
	uint64_t seed;
	struct ratelimit_slot all;
	struct ratelimit_slot slots[RATELIMIT_SLOTS];
};

/* seed: random, so that strangers cannot aim at a slot. */
void ratelimit_init(struct ratelimit *limit, uint32_t per_second, uint32_t burst, uint64_t seed);
/*
 * True when one more may pass at now_ms. *ret_suppressed, when asked for, says
 * how many of this source were held back since the last one that passed.
 */
bool ratelimit_pass(struct ratelimit *limit, const struct xi_addr *source, uint64_t now_ms,
		    uint32_t *ret_suppressed);

#endif
