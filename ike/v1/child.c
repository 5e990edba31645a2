/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Installed pairs of SAs as IKE sees them: when to rekey, when to end, and what
 * to tell the peer. The backend owns the SA itself. A pair outlives the main
 * mode it was made under, as on Windows.
 *
 * The initiator rekeys after 75 to 85 percent of the lifetime (a random point,
 * so that many SAs do not rekey at once); the responder only lets it expire.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ike/engine.h"
#include "util/addr.h"

static struct v1_child_list *bucket(struct ike_engine *engine, struct v1_child_list *table,
				    uint32_t spi)
{
	return &table[ike_hash64(engine->limits.hash_key, &spi, sizeof(spi)) % V1_BUCKETS];
}

static void arm(struct v1_child *child)
{
	uint64_t due = child->hard_ms;

	if (child->initiator && !child->rekeying && child->soft_ms < due)
		due = child->soft_ms;
	ike_timer_set(&child->engine->timers, &child->timer, due);
}

static void on_timer(struct ike_timer *timer)
{
	struct v1_child *child =
		(struct v1_child *)((char *)timer - offsetof(struct v1_child, timer));

	if (child->engine->now_ms >= child->hard_ms)
		v1_child_remove(child, true, true);
	else
		v1_child_rekey(child);
}

/* 75 to 85 percent; without random numbers the middle. */
static uint64_t soft_point(struct ike_engine *engine, uint64_t life_ms)
{
	uint16_t random;

	if (ike_random(engine, &random, sizeof(random)))
		random = UINT16_MAX / 2;
	return life_ms * 75 / 100 + life_ms / 10 * random / UINT16_MAX;
}

void v1_child_lifetime(struct v1_child *child, uint32_t life_s)
{
	uint64_t life_ms = (uint64_t)life_s * 1000;

	child->hard_ms = child->soft_ms = IKE_NEVER;
	if (life_s) {
		child->hard_ms = child->installed_ms + life_ms;
		child->soft_ms = child->installed_ms + soft_point(child->engine, life_ms);
	}
	arm(child);
}

struct v1_child *v1_child_new(struct v1_qm *qm, uint32_t life_s)
{
	struct ike_engine *engine = qm->engine;
	struct v1_child *child = calloc(1, sizeof(*child));

	if (!child)
		return NULL;
	if (ike_timers_reserve(&engine->timers)) {
		free(child);
		return NULL;
	}
	child->engine = engine;
	child->timer = (struct ike_timer){.due_ms = IKE_NEVER, .fire = on_timer};
	child->initiator = qm->initiator;
	child->path = qm->mm->path;
	child->traffic = qm->traffic;
	child->rule = qm->rule.rule;
	child->secret = qm->mm->secret;
	child->spi_in = qm->spi_in;
	child->spi_out = qm->spi_out;
	child->installed_ms = engine->now_ms;
	child->installed_seq = ++engine->seq;
	LIST_INSERT_HEAD(&engine->v1.children, child, all);
	LIST_INSERT_HEAD(v1_peer_children(engine, &child->path.remote), child, by_remote);
	LIST_INSERT_HEAD(bucket(engine, engine->v1.child_by_in, child->spi_in), child, by_in);
	LIST_INSERT_HEAD(bucket(engine, engine->v1.child_by_out, child->spi_out), child, by_out);
	v1_child_lifetime(child, life_s);
	return child;
}

struct v1_child *v1_child_by_in(struct ike_engine *engine, uint32_t spi_in)
{
	struct v1_child *child;

	LIST_FOREACH(child, bucket(engine, engine->v1.child_by_in, spi_in), by_in) {
		if (child->spi_in == spi_in)
			return child;
	}
	return NULL;
}

struct v1_child *v1_child_by_out(struct ike_engine *engine, const struct xi_addr *remote,
				 uint32_t spi_out)
{
	struct v1_child *child;

	LIST_FOREACH(child, bucket(engine, engine->v1.child_by_out, spi_out), by_out) {
		if (child->spi_out == spi_out && xi_addr_equal(&child->path.remote, remote))
			return child;
	}
	return NULL;
}

struct v1_child *v1_child_by_traffic(struct ike_engine *engine, const struct ike_traffic *traffic,
				     bool peer_started)
{
	struct v1_child *child, *newest = NULL;

	LIST_FOREACH(child, v1_peer_children(engine, &traffic->remote), by_remote) {
		if (!child->gone && v1_traffic_equal(&child->traffic, traffic) &&
		    !(peer_started && child->initiator) &&
		    (!newest || child->installed_seq > newest->installed_seq))
			newest = child;
	}
	return newest;
}

void v1_child_rekey(struct v1_child *child)
{
	struct ike_engine *engine = child->engine;
	const struct ike_rule *rule = ike_rules_covering(&engine->rules, &child->traffic);
	char traffic[V1_TRAFFIC_TEXT];
	const char *why;
	struct v1_qm *qm;

	if (child->gone || child->rekeying)
		return;
	child->rekeying = true;
	arm(child);
	v1_traffic_text(&child->traffic, traffic);
	why = !rule ? "no rule negotiates it any more" : ike_rule_unfit(rule);
	if (!why && ike_rules_conflict(&engine->rules, rule, &child->traffic))
		why = "part of it has a rule with other terms now";
	if (why) {
		ike_log(engine, IKE_LOG_INFO, "SA %08x for %s is not rekeyed: %s", child->spi_in,
			traffic, why);
		return;
	}
	qm = v1_qm_new(engine, true);
	if (!qm)
		return;
	ike_log(engine, IKE_LOG_INFO, "SA %08x for %s: rekeying", child->spi_in, traffic);
	qm->rule = *rule;
	qm->traffic = child->traffic;
	qm->replaces = child->spi_in;
	v1_qm_move(qm, V1_QM_WAITING);
	v1_connect(qm, NULL, true, "no main mode");
}

void v1_child_rekey_failed(struct v1_child *child)
{
	child->rekeying = false;
	child->soft_ms = child->engine->now_ms + V1_REKEY_AGAIN_MS;
	arm(child);
}

void v1_child_replaced(struct v1_child *child)
{
	uint64_t end = child->engine->now_ms + V1_REPLACED_MS;

	child->rekeying = true;
	if (child->hard_ms > end)
		child->hard_ms = end;
	arm(child);
}

void v1_child_remove(struct v1_child *child, bool tell_backend, bool tell_peer)
{
	struct ike_engine *engine = child->engine;
	char traffic[V1_TRAFFIC_TEXT];
	struct v1_mm *mm;

	if (child->gone)
		return;
	child->gone = true;
	ike_timers_release(&engine->timers, &child->timer);
	LIST_REMOVE(child, by_in);
	LIST_REMOVE(child, by_out);
	LIST_INSERT_HEAD(&engine->v1.dead_children, child, dead);
	ike_log(engine, IKE_LOG_INFO, "SA in %08x out %08x for %s: gone", child->spi_in,
		child->spi_out, v1_traffic_text(&child->traffic, traffic));
	if (tell_backend)
		engine->ops.delete_sa(engine->ctx, child->spi_in);
	mm = tell_peer ? v1_mm_towards(engine, &child->path.local, &child->path.remote) : NULL;
	if (mm)
		v1_info_delete_child(mm, child->spi_in);
}

void v1_child_reap(struct ike_engine *engine)
{
	struct v1_child *child;

	while ((child = LIST_FIRST(&engine->v1.dead_children))) {
		LIST_REMOVE(child, dead);
		LIST_REMOVE(child, by_remote);
		LIST_REMOVE(child, all);
		free(child);
	}
}
