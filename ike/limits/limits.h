/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What strangers may cost us. Half-open main modes are capped in total and per
 * source (an IPv4 address, an IPv6 /64), log lines and unprotected answers that
 * anybody can provoke go through token buckets. Main modes that we start are
 * capped too: a packet with a forged source can make this host want to answer.
 *
 * The numbers are those of Windows where it has any: 35 outstanding main modes
 * of one address, 5 when it has an established one already.
 */
#ifndef IKE_LIMITS_H
#define IKE_LIMITS_H

#include <stddef.h>

#include <xipsec/addr.h>

#include "ike/limits/bucket.h"

#define IKE_MAX_MESSAGE		  65535 /* bytes; a larger datagram cannot come */
#define IKE_HALF_OPEN_TOTAL	  500
#define IKE_HALF_OPEN_PER_SOURCE  35
#define IKE_HALF_OPEN_ESTABLISHED 5
#define IKE_HALF_OPEN_MS	  60000
#define IKE_STARTED_MAX		  1000 /* main modes of ours on their way */
#define IKE_SA_BODY_MAX		  8192 /* bytes of a proposal list that we keep until HASH_I */
#define IKE_QM_RESPONDING_MAX	  64   /* quick modes of one peer's main mode in progress */
#define IKE_WANTS_MAX		  16   /* acquires that share one quick mode */
#define IKE_MESSAGE_IDS_MAX	  4096 /* after so many exchanges a main mode is retired */

struct ike_source {
	struct xi_addr addr; /* masked to what is counted as one source */
	uint32_t half_open;
};

/*
 * A small open-addressed table: never more entries than half-open main modes,
 * which are at most IKE_HALF_OPEN_TOTAL.
 */
#define IKE_SOURCE_SLOTS 1024

struct ike_limits {
	struct ike_source source[IKE_SOURCE_SLOTS];
	uint32_t half_open;
	uint64_t hash_key;	   /* random: a stranger cannot aim at one slot */
	struct ike_bucket answers; /* unprotected notifies that we send */
	struct ike_bucket lines;   /* log lines about unauthenticated traffic */
};

void ike_limits_init(struct ike_limits *limits, uint64_t hash_key);
/* Counts one more half-open main mode of this source. False: it is one too many. */
bool ike_limits_open(struct ike_limits *limits, const struct xi_addr *remote, bool has_established);
/* The main mode came through or died. */
void ike_limits_close(struct ike_limits *limits, const struct xi_addr *remote);
uint64_t ike_hash64(uint64_t key, const void *data, size_t len);

#endif
