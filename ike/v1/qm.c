/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The quick mode exchange as an object: states, timer, birth and end.
 *
 * The responder installs its SAs before it sends message 2, so that it can
 * receive as soon as the initiator can send. If message 3 never confirms them,
 * they are removed after V1_UNCONFIRMED_MS. Message 2 is repeated by timer
 * (the peer is authenticated here), which makes the initiator repeat a lost
 * message 3.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ike/engine.h"
#include "util/addr.h"

#define V1_QM_STATE(NAME, waits_for) {#NAME, waits_for},
static const struct {
	const char *name, *waits_for;
} state_text[] = {
#include "ike/v1/states.def"
};

#define V1_QM_MOVE(from, to) [V1_##from][V1_##to] = true,
static const bool allowed[V1_QM_STATE_MAX][V1_QM_STATE_MAX] = {
#include "ike/v1/states.def"
};

const char *v1_qm_state_name(enum v1_qm_state state)
{
	return state_text[state].name;
}

bool v1_traffic_equal(const struct ike_traffic *a, const struct ike_traffic *b)
{
	return xi_addr_equal(&a->local, &b->local) && xi_addr_equal(&a->remote, &b->remote) &&
	       a->proto == b->proto && a->local_port == b->local_port &&
	       a->remote_port == b->remote_port;
}

const char *v1_traffic_text(const struct ike_traffic *traffic, char buf[V1_TRAFFIC_TEXT])
{
	char local[XI_ADDR_STRLEN], remote[XI_ADDR_STRLEN], proto[16] = "any";
	char local_port[16] = "", remote_port[16] = "";

	if (traffic->proto)
		snprintf(proto, sizeof(proto), "proto %u", traffic->proto);
	if (traffic->local_port)
		snprintf(local_port, sizeof(local_port), " port %u", traffic->local_port);
	if (traffic->remote_port)
		snprintf(remote_port, sizeof(remote_port), " port %u", traffic->remote_port);
	snprintf(buf, V1_TRAFFIC_TEXT, "%s%s <-> %s%s (%s)", xi_addr_text(&traffic->local, local),
		 local_port, xi_addr_text(&traffic->remote, remote), remote_port, proto);
	return buf;
}

static void count_move(struct v1_qm *qm, enum v1_qm_state from, enum v1_qm_state to)
{
	struct ike_counters *c = &qm->engine->counters;

	if (from == V1_QM_WAITING && to == V1_QM_I1_SENT)
		c->qm_started++;
	if (from == V1_QM_NEW && to == V1_QM_R2_SENT)
		c->qm_responded++;
	if (to == V1_QM_I3_SENT || to == V1_QM_R_DONE)
		c->qm_established++;
	if (to == V1_QM_DEAD &&
	    (from == V1_QM_WAITING || from == V1_QM_I1_SENT || from == V1_QM_R2_SENT))
		c->qm_failed++;
}

int v1_qm_move(struct v1_qm *qm, enum v1_qm_state to)
{
	enum v1_qm_state from = qm->state;

	if (!allowed[from][to]) {
		ike_log(qm->engine, IKE_LOG_ERROR,
			"quick mode %08x: internal error: move from %s to %s refused",
			qm->message_id, v1_qm_state_name(from), v1_qm_state_name(to));
		return -EPERM;
	}
	qm->state = to;
	count_move(qm, from, to);
	ike_log(qm->engine, IKE_LOG_DEBUG, "quick mode %08x: %s, waits for %s", qm->message_id,
		v1_qm_state_name(to), state_text[to].waits_for);
	return 0;
}

/* ----------------------------------------------------------------- timers */

static void on_timer(struct ike_timer *timer)
{
	struct v1_qm *qm = (struct v1_qm *)((char *)timer - offsetof(struct v1_qm, timer));
	char reason[IKE_REASON_MAX];

	if (qm->engine->now_ms >= qm->give_up_ms) {
		snprintf(reason, sizeof(reason),
			 "failure point peer: no valid answer to quick mode message %d after %d "
			 "tries",
			 qm->initiator ? 1 : 2, qm->sent.tries);
		v1_qm_end(qm, -ETIMEDOUT, reason);
		return;
	}
	switch (qm->state) {
	case V1_QM_I1_SENT:
	case V1_QM_R2_SENT:
		v1_resend(qm->engine, &qm->mm->path, &qm->sent);
		break;
	case V1_QM_WAITING:
		LIST_REMOVE(qm, of_mm);
		qm->mm = NULL;
		v1_connect(qm, NULL, true, "failure point me: no main mode");
		return;
	case V1_QM_NEW:
	case V1_QM_I3_SENT:
	case V1_QM_R_DONE:
	case V1_QM_DEAD:
	case V1_QM_STATE_MAX:
		break;
	}
	v1_qm_arm(qm);
}

void v1_qm_arm(struct v1_qm *qm)
{
	uint64_t due = IKE_NEVER;

	switch (qm->state) {
	case V1_QM_I1_SENT:
	case V1_QM_R2_SENT:
		due = v1_retry_at(&qm->sent);
		if (due > qm->give_up_ms)
			due = qm->give_up_ms;
		break;
	case V1_QM_I3_SENT:
	case V1_QM_R_DONE:
		due = qm->give_up_ms;
		break;
	case V1_QM_WAITING:
		due = qm->restart_ms;
		break;
	case V1_QM_NEW:
	case V1_QM_DEAD:
	case V1_QM_STATE_MAX:
		break;
	}
	if (qm->state != V1_QM_DEAD)
		ike_timer_set(&qm->engine->timers, &qm->timer, due);
}

/* ------------------------------------------------------------ birth and end */

struct v1_qm *v1_qm_new(struct ike_engine *engine, bool initiator)
{
	struct v1_qm *qm = calloc(1, sizeof(*qm));

	if (!qm)
		return NULL;
	if (ike_timers_reserve(&engine->timers)) {
		free(qm);
		return NULL;
	}
	qm->engine = engine;
	qm->initiator = initiator;
	qm->generation = engine->rules.generation;
	qm->started_ms = engine->now_ms;
	qm->give_up_ms = qm->restart_ms = IKE_NEVER;
	qm->timer = (struct ike_timer){.due_ms = IKE_NEVER, .fire = on_timer};
	return qm;
}

void v1_qm_attach(struct v1_qm *qm, struct v1_mm *mm)
{
	qm->mm = mm;
	LIST_INSERT_HEAD(&mm->qms, qm, of_mm);
}

unsigned v1_qm_count(const struct v1_mm *mm, enum v1_qm_state state)
{
	const struct v1_qm *qm;
	unsigned count = 0;

	LIST_FOREACH(qm, &mm->qms, of_mm)
		count += qm->state == state;
	return count;
}

struct v1_qm *v1_qm_find(const struct v1_mm *mm, uint32_t message_id)
{
	struct v1_qm *qm;

	LIST_FOREACH(qm, &mm->qms, of_mm) {
		if (qm->state != V1_QM_WAITING && qm->message_id == message_id)
			return qm;
	}
	return NULL;
}

void v1_qm_settle(struct v1_qm *qm, int status, const char *reason)
{
	struct ike_engine *engine = qm->engine;

	for (unsigned i = 0; i < qm->want_count; i++)
		engine->ops.acquire_done(engine->ctx, &qm->wants[i], status, reason);
	qm->want_count = 0;
}

/* One that never had a main mode: forged packets can make many of them. */
static void log_end(struct v1_qm *qm, const char *reason)
{
	static const char fmt[] = "%s: quick mode %08x for %s, rule %s: ended in %s: %s";
	const char *state = v1_qm_state_name(qm->state);
	char name[V1_NAME] = "no main mode", traffic[V1_TRAFFIC_TEXT];

	if (qm->state == V1_QM_I3_SENT || qm->state == V1_QM_R_DONE || qm->state == V1_QM_NEW)
		return;
	if (qm->mm)
		v1_mm_text(qm->mm, name);
	v1_traffic_text(&qm->traffic, traffic);
	if (qm->state == V1_QM_WAITING)
		ike_log_stranger(qm->engine, fmt, name, qm->message_id, traffic, qm->rule.name,
				 state, reason);
	else
		ike_log(qm->engine, IKE_LOG_WARN, fmt, name, qm->message_id, traffic, qm->rule.name,
			state, reason);
}

void v1_qm_give_spi_back(struct v1_qm *qm)
{
	struct ike_engine *engine = qm->engine;

	if (qm->spi_in && !v1_child_by_in(engine, qm->spi_in))
		engine->ops.delete_sa(engine->ctx, qm->spi_in);
	qm->spi_in = 0;
}

void v1_qm_end(struct v1_qm *qm, int status, const char *reason)
{
	struct ike_engine *engine = qm->engine;
	enum v1_qm_state from = qm->state;
	struct v1_child *child;

	if (from == V1_QM_DEAD)
		return;
	log_end(qm, reason);
	v1_qm_move(qm, V1_QM_DEAD);
	ike_timers_release(&engine->timers, &qm->timer);
	if (from == V1_QM_R2_SENT) {
		child = v1_child_by_in(engine, qm->spi_in);
		if (child)
			v1_child_remove(child, true, true);
	}
	if (from == V1_QM_NEW || from == V1_QM_WAITING || from == V1_QM_I1_SENT)
		v1_qm_give_spi_back(qm);
	if (qm->replaces && (from == V1_QM_WAITING || from == V1_QM_I1_SENT)) {
		child = v1_child_by_in(engine, qm->replaces);
		if (child)
			v1_child_rekey_failed(child);
	}
	if (qm->mm)
		LIST_REMOVE(qm, of_mm);
	qm->mm = NULL;
	LIST_INSERT_HEAD(&engine->v1.dead_qms, qm, dead);
	v1_qm_settle(qm, status, reason);
}

void v1_qm_reap(struct ike_engine *engine)
{
	struct v1_qm *qm;

	while ((qm = LIST_FIRST(&engine->v1.dead_qms))) {
		LIST_REMOVE(qm, dead);
		v1_sent_clear(&qm->sent);
		crypto_dh_free(qm->dh);
		OPENSSL_cleanse(qm, sizeof(*qm));
		free(qm);
	}
}
