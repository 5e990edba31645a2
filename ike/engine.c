/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IKE engine: feed(datagram | acquire | tick) -> calls of struct ike_ops.
 *
 * What lives here: the public functions, the clock, logging, and the choice of
 * the protocol version. Each public function reads the clock once, does its
 * work, and frees at the end what died in between. Version 1 is in v1/; version
 * 2 messages are recognised and dropped.
 *
 * Known weak spots: rules are searched linearly; an established main mode keeps
 * at most IKE_MESSAGE_IDS_MAX message ids and is then replaced; no NAT
 * traversal, no fragments, no dead peer detection yet.
 */
#include "ike/engine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "util/addr.h"

/* ------------------------------------------------------------- calls out */

__attribute__((format(printf, 3, 0))) static void vlog(struct ike_engine *engine,
						       enum ike_log_level level, const char *fmt,
						       va_list args)
{
	char line[IKE_LINE];

	vsnprintf(line, sizeof(line), fmt, args);
	/* Names come from the policy and the peer: nothing may break the line. */
	for (char *c = line; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	engine->ops.log(engine->ctx, level, line);
}

void ike_log(struct ike_engine *engine, enum ike_log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vlog(engine, level, fmt, args);
	va_end(args);
}

void ike_log_stranger(struct ike_engine *engine, const char *fmt, ...)
{
	struct ike_bucket *bucket = &engine->limits.lines;
	uint64_t refused = bucket->refused;
	va_list args;

	if (!ike_bucket_take(bucket, engine->now_ms))
		return;
	if (refused) {
		ike_log(engine, IKE_LOG_WARN, "%llu lines about dropped messages left out",
			(unsigned long long)refused);
		bucket->refused = 0;
	}
	va_start(args, fmt);
	vlog(engine, IKE_LOG_WARN, fmt, args);
	va_end(args);
}

int ike_random(struct ike_engine *engine, void *buf, size_t len)
{
	return engine->ops.random(engine->ctx, buf, len);
}

int ike_send(struct ike_engine *engine, const struct ike_path *path, const void *msg, size_t len)
{
	engine->counters.packets_out++;
	return engine->ops.send(engine->ctx, path, msg, len);
}

/* ------------------------------------------------------------- life cycle */

static void enter(struct ike_engine *engine)
{
	engine->now_ms = engine->ops.now_ms(engine->ctx);
}

static void leave(struct ike_engine *engine)
{
	v1_qm_reap(engine);
	v1_child_reap(engine);
	v1_mm_reap(engine);
}

struct ike_engine *ike_engine_new(const struct ike_ops *ops, void *ctx)
{
	struct ike_engine *engine = calloc(1, sizeof(*engine));
	uint64_t hash_key;

	if (!engine)
		return NULL;
	engine->ops = *ops;
	engine->ctx = ctx;
	if (ike_random(engine, &hash_key, sizeof(hash_key))) {
		free(engine);
		return NULL;
	}
	ike_limits_init(&engine->limits, hash_key);
	enter(engine);
	return engine;
}

void ike_engine_free(struct ike_engine *engine)
{
	struct v1_child *child;
	struct v1_mm *mm;
	struct v1_qm *qm;

	if (!engine)
		return;
	enter(engine);
	LIST_FOREACH(mm, &engine->v1.mms, all) {
		while ((qm = LIST_FIRST(&mm->qms))) {
			qm->state = V1_QM_R_DONE; /* the owner goes: nobody is told */
			qm->want_count = 0;
			v1_qm_end(qm, -ECANCELED, "shut down");
		}
		v1_mm_end(mm, "shut down");
	}
	LIST_FOREACH(child, &engine->v1.children, all)
		v1_child_remove(child, false, false);
	leave(engine);
	ike_timers_free(&engine->timers);
	ike_rules_free(&engine->rules);
	OPENSSL_cleanse(engine, sizeof(*engine));
	free(engine);
}

int ike_engine_set_rules(struct ike_engine *engine, const struct ike_rule *rules, size_t count,
			 uint32_t generation)
{
	int err;

	enter(engine);
	err = ike_rules_replace(&engine->rules, rules, count, generation);
	if (!err)
		v1_rules_changed(engine);
	leave(engine);
	return err;
}

/* ------------------------------------------------------------------ calls in */

void ike_engine_feed(struct ike_engine *engine, const struct ike_path *path, const void *msg,
		     size_t len)
{
	struct wire_error err = {0};
	char addr[XI_ADDR_STRLEN];
	struct ike_header hdr;

	enter(engine);
	engine->counters.packets_in++;
	if (len > IKE_MAX_MESSAGE || wire_header_parse(msg, len, &hdr, &err)) {
		engine->counters.dropped_malformed++;
		ike_log_stranger(engine, "%s: dropped %zu bytes: not an IKE message: %s",
				 xi_addr_text(&path->remote, addr), len,
				 err.why ? err.why : "too long");
	} else if (hdr.major == 1) {
		v1_feed(engine, path, &hdr, msg, len);
	} else {
		engine->counters.dropped_malformed++;
		ike_log_stranger(engine,
				 "%s: dropped an IKE version %u.%u message: only version "
				 "1 is supported yet",
				 xi_addr_text(&path->remote, addr), hdr.major, hdr.minor);
	}
	leave(engine);
}

int ike_engine_acquire(struct ike_engine *engine, const struct ike_acquire *acquire)
{
	int err;

	enter(engine);
	err = v1_acquire(engine, acquire);
	leave(engine);
	return err;
}

void ike_engine_rekey(struct ike_engine *engine, uint32_t spi_in)
{
	struct v1_child *child;

	enter(engine);
	child = v1_child_by_in(engine, spi_in);
	if (child)
		v1_child_rekey(child);
	leave(engine);
}

void ike_engine_sa_gone(struct ike_engine *engine, uint32_t spi_in)
{
	struct v1_child *child;

	enter(engine);
	child = v1_child_by_in(engine, spi_in);
	if (child)
		v1_child_remove(child, false, true);
	leave(engine);
}

void ike_engine_close(struct ike_engine *engine, const struct xi_addr *remote)
{
	struct v1_child *child;
	struct v1_mm *mm;
	struct v1_qm *qm;

	enter(engine);
	LIST_FOREACH(child, &engine->v1.children, all) {
		if (!remote->family || xi_addr_equal(&child->path.remote, remote))
			v1_child_remove(child, true, true);
	}
	LIST_FOREACH(mm, &engine->v1.mms, all) {
		if (mm->state == V1_DEAD ||
		    (remote->family && !xi_addr_equal(&mm->path.remote, remote)))
			continue;
		v1_info_delete_mm(mm);
		while ((qm = LIST_FIRST(&mm->qms)))
			v1_qm_end(qm, -ECANCELED, "failure point me: closed by the operator");
		v1_mm_end(mm, "closed by the operator");
	}
	leave(engine);
}

void ike_engine_tick(struct ike_engine *engine)
{
	struct ike_timer *timer;

	enter(engine);
	/* Objects that die here stay in memory until leave(), so a timer is never stale. */
	while ((timer = ike_timers_due(&engine->timers, engine->now_ms)))
		timer->fire(timer);
	leave(engine);
}

uint64_t ike_engine_next_ms(const struct ike_engine *engine)
{
	return ike_timers_next(&engine->timers);
}

/* ----------------------------------------------------------------- views out */

static void describe(const struct v1_mm *mm, struct ike_mm_info *ret)
{
	*ret = (struct ike_mm_info){
		.path = mm->path,
		.version = 1,
		.initiator = mm->initiator,
		.established = mm->state == V1_ESTABLISHED,
		.auth = "psk",
		.method = mm->method,
		.spi_i = wire_cookie_number(mm->cookie_i),
		.spi_r = wire_cookie_number(mm->cookie_r),
		.created_ms = mm->created_ms,
		.rekey_at_ms = mm->expires_ms,
		.quick_modes = mm->quick_modes,
	};
	snprintf(ret->state, sizeof(ret->state), "%s", v1_mm_state_name(mm->state));
	memcpy(ret->rule, mm->rule, sizeof(ret->rule));
	memcpy(ret->peer_id, mm->peer_id, sizeof(ret->peer_id));
}

void ike_engine_each_mm(const struct ike_engine *engine,
			void (*fn)(void *arg, const struct ike_mm_info *info), void *arg)
{
	const struct v1_mm *mm;
	struct ike_mm_info info;

	LIST_FOREACH(mm, &engine->v1.mms, all) {
		describe(mm, &info);
		fn(arg, &info);
	}
}

void ike_engine_counters(const struct ike_engine *engine, struct ike_counters *ret)
{
	*ret = engine->counters;
}
