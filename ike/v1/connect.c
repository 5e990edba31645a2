/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a wish for protection to the quick mode that fulfils it: joins one that
 * is under way for the same traffic, else finds or starts a main mode.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ike/engine.h"
#include "util/addr.h"

static bool between(const struct v1_mm *mm, const struct xi_addr *local,
		    const struct xi_addr *remote)
{
	return xi_addr_equal(&mm->path.local, local) && xi_addr_equal(&mm->path.remote, remote);
}

static bool has_room(const struct v1_mm *mm, unsigned waiting)
{
	return !mm->quick_mode_limit || mm->quick_modes + waiting < mm->quick_mode_limit;
}

struct v1_mm *v1_mm_usable(struct ike_engine *engine, const struct xi_addr *local,
			   const struct xi_addr *remote, uint32_t secret)
{
	struct v1_mm *mm, *newest = NULL;

	LIST_FOREACH(mm, v1_peer_mms(engine, remote), by_remote) {
		if (mm->state != V1_ESTABLISHED || mm->secret != secret ||
		    !between(mm, local, remote) || !has_room(mm, 0) || mm->retire_ms != IKE_NEVER ||
		    mm->expires_ms <= engine->now_ms)
			continue;
		if (!newest || mm->established_seq > newest->established_seq)
			newest = mm;
	}
	return newest;
}

struct v1_mm *v1_mm_towards(struct ike_engine *engine, const struct xi_addr *local,
			    const struct xi_addr *remote)
{
	struct v1_mm *mm, *newest = NULL;

	LIST_FOREACH(mm, v1_peer_mms(engine, remote), by_remote) {
		if (mm->state == V1_ESTABLISHED && between(mm, local, remote) &&
		    (!newest || mm->established_seq > newest->established_seq))
			newest = mm;
	}
	return newest;
}

bool v1_knows_peer(struct ike_engine *engine, const struct xi_addr *remote)
{
	struct v1_child *child;

	LIST_FOREACH(child, v1_peer_children(engine, remote), by_remote) {
		if (!child->gone && xi_addr_equal(&child->path.remote, remote))
			return true;
	}
	return v1_mm_any_established(engine, remote);
}

static struct v1_mm *under_way(struct ike_engine *engine, const struct xi_addr *local,
			       const struct xi_addr *remote, uint32_t secret,
			       const struct v1_mm *except)
{
	struct v1_mm *mm;

	LIST_FOREACH(mm, v1_peer_mms(engine, remote), by_remote) {
		if (mm != except && mm->initiator && mm->state != V1_ESTABLISHED &&
		    mm->state != V1_DEAD && mm->secret == secret && between(mm, local, remote) &&
		    has_room(mm, v1_qm_count(mm, V1_QM_WAITING)))
			return mm;
	}
	return NULL;
}

void v1_connect(struct v1_qm *qm, const struct v1_mm *except, bool may_start, const char *reason)
{
	struct ike_engine *engine = qm->engine;
	const struct xi_addr *local = &qm->traffic.local, *remote = &qm->traffic.remote;
	char why[IKE_REASON_MAX];
	uint32_t secret = 0;
	struct v1_mm *mm;
	int err;

	ike_rule_psk(&qm->rule, &secret);
	mm = v1_mm_usable(engine, local, remote, secret);
	if (mm) {
		v1_qm_attach(qm, mm);
		err = v1_quick_start(qm);
		if (err == -EAGAIN && qm->starts++ < V1_STARTS_MAX) {
			qm->restart_ms = engine->now_ms + V1_RESTART_MS;
			v1_qm_arm(qm);
		} else if (err) {
			snprintf(why, sizeof(why),
				 "failure point me: quick mode could not be started: %s",
				 strerror(-err));
			v1_qm_end(qm, err, why);
		}
		return;
	}
	mm = under_way(engine, local, remote, secret, except);
	if (!mm && may_start) {
		err = v1_main_start(engine, &qm->rule, local, remote, &mm);
		if (err) {
			snprintf(why, sizeof(why),
				 "failure point me: main mode could not be started: %s",
				 strerror(-err));
			v1_qm_end(qm, err, why);
			return;
		}
	}
	if (mm)
		v1_qm_attach(qm, mm);
	else
		v1_qm_end(qm, -ECONNREFUSED, reason);
}

/* ---------------------------------------------------------------- acquires */

static struct v1_qm *same_wish(struct ike_engine *engine, const struct ike_traffic *traffic)
{
	struct v1_mm *mm;
	struct v1_qm *qm;

	LIST_FOREACH(mm, v1_peer_mms(engine, &traffic->remote), by_remote) {
		if (mm->state == V1_DEAD || !xi_addr_equal(&mm->path.remote, &traffic->remote))
			continue;
		LIST_FOREACH(qm, &mm->qms, of_mm) {
			if ((qm->state == V1_QM_WAITING || qm->state == V1_QM_I1_SENT) &&
			    v1_traffic_equal(&qm->traffic, traffic))
				return qm;
		}
	}
	return NULL;
}

static bool same_acquire(const struct ike_acquire *a, const struct ike_acquire *b)
{
	return a->rule == b->rule && xi_addr_equal(&a->local, &b->local) &&
	       xi_addr_equal(&a->remote, &b->remote) && a->proto == b->proto &&
	       a->local_port == b->local_port && a->remote_port == b->remote_port;
}

static int join(struct v1_qm *qm, const struct ike_acquire *acquire)
{
	for (unsigned i = 0; i < qm->want_count; i++) {
		if (same_acquire(&qm->wants[i], acquire))
			return 0;
	}
	if (qm->want_count == IKE_WANTS_MAX)
		return -EBUSY;
	qm->wants[qm->want_count++] = *acquire;
	return 0;
}

int v1_acquire(struct ike_engine *engine, const struct ike_acquire *acquire)
{
	const struct ike_rule *rule = ike_rules_for_acquire(&engine->rules, acquire);
	struct ike_traffic traffic;
	struct v1_child *child;
	struct v1_qm *qm;
	int err;

	if (!rule)
		return -ENOENT;
	if (ike_rule_unfit(rule)) {
		ike_log(engine, IKE_LOG_WARN, "rule %s cannot be negotiated: %s", rule->name,
			ike_rule_unfit(rule));
		return -EOPNOTSUPP;
	}
	err = ike_rules_narrow(&engine->rules, rule, acquire, &traffic);
	if (err)
		return err;
	qm = same_wish(engine, &traffic);
	if (qm)
		return join(qm, acquire);
	child = v1_child_by_traffic(engine, &traffic, false);
	if (child && engine->now_ms - child->installed_ms < V1_FRESH_MS) {
		engine->ops.acquire_done(engine->ctx, acquire, 0, "just installed");
		return 0;
	}
	qm = v1_qm_new(engine, true);
	if (!qm)
		return -ENOMEM;
	qm->rule = *rule;
	qm->traffic = traffic;
	join(qm, acquire);
	v1_qm_move(qm, V1_QM_WAITING);
	v1_connect(qm, NULL, true, "no main mode");
	return 0;
}
