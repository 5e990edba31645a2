/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of the engine, for ike/ only. One struct holds everything; there
 * is no global state. Objects that die during a call stay in memory until
 * the call ends (ike_engine_reap), so that no loop ever meets a freed one.
 */
#ifndef IKE_ENGINE_H
#define IKE_ENGINE_H

#include <xipsec/ike.h>

#include "ike/limits/limits.h"
#include "ike/rules.h"
#include "ike/timer.h"
#include "ike/v1/v1.h"

#define IKE_PORT 500
#define IKE_LINE 768 /* longest log line */

struct ike_engine {
	struct ike_ops ops;
	void *ctx;
	uint64_t now_ms; /* read once when a call enters */
	uint64_t seq;	 /* counts what happens, to order events within one millisecond */
	struct ike_rules rules;
	struct ike_timers timers;
	struct ike_counters counters;
	struct ike_limits limits;
	struct v1 v1;
	size_t plain_len;
	uint8_t plain[IKE_MAX_MESSAGE + 1]; /* the message being decrypted; cleared after use */
};

void ike_log(struct ike_engine *engine, enum ike_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* For lines that unauthenticated traffic can cause: through the token bucket. */
void ike_log_stranger(struct ike_engine *engine, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int ike_random(struct ike_engine *engine, void *buf, size_t len);
/* Sends and counts. The path is the connection's, not the packet's. */
int ike_send(struct ike_engine *engine, const struct ike_path *path, const void *msg, size_t len);

#endif
