/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main-mode SA as an object: its states, the tables that find it, its one
 * timer, its birth and its end. What the messages do is in main_*.c.
 *
 * Two peers may start main modes towards each other at the same time. Both
 * live; quick modes take whichever is established first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ike/engine.h"
#include "util/addr.h"

#define V1_MM_STATE(NAME, waits_for) {#NAME, waits_for},
static const struct {
	const char *name, *waits_for;
} state_text[] = {
#include "ike/v1/states.def"
};

#define V1_MM_MOVE(from, to) [V1_##from][V1_##to] = true,
static const bool allowed[V1_MM_STATE_MAX][V1_MM_STATE_MAX] = {
#include "ike/v1/states.def"
};

const char *v1_mm_state_name(enum v1_mm_state state)
{
	return state_text[state].name;
}

const char *v1_mm_text(const struct v1_mm *mm, char buf[V1_NAME])
{
	char addr[XI_ADDR_STRLEN];

	snprintf(buf, V1_NAME, "%s main mode %016llx", xi_addr_text(&mm->path.remote, addr),
		 (unsigned long long)wire_cookie_number(mm->cookie_i));
	return buf;
}

static void count_move(struct v1_mm *mm, enum v1_mm_state from, enum v1_mm_state to)
{
	struct ike_counters *c = &mm->engine->counters;

	if (from == V1_MM_NEW && to == V1_MM_I1_SENT)
		c->mm_started++;
	if (from == V1_MM_NEW && to == V1_MM_R2_SENT)
		c->mm_responded++;
	if (to == V1_ESTABLISHED)
		c->mm_established++;
	if (to == V1_DEAD && from != V1_ESTABLISHED && from != V1_MM_NEW)
		c->mm_failed++;
}

static void no_longer_half_open(struct v1_mm *mm)
{
	if (mm->half_open)
		ike_limits_close(&mm->engine->limits, &mm->path.remote);
	mm->half_open = false;
}

int v1_mm_move(struct v1_mm *mm, enum v1_mm_state to)
{
	enum v1_mm_state from = mm->state;
	char name[V1_NAME];

	if (!allowed[from][to]) {
		ike_log(mm->engine, IKE_LOG_ERROR, "%s: internal error: move from %s to %s refused",
			v1_mm_text(mm, name), v1_mm_state_name(from), v1_mm_state_name(to));
		return -EPERM;
	}
	mm->state = to;
	count_move(mm, from, to);
	if (to == V1_ESTABLISHED || to == V1_DEAD)
		no_longer_half_open(mm);
	ike_log(mm->engine, IKE_LOG_DEBUG, "%s: %s, waits for %s", v1_mm_text(mm, name),
		v1_mm_state_name(to), state_text[to].waits_for);
	return 0;
}

/* ----------------------------------------------------------------- timers */

static const char *gave_up(const struct v1_mm *mm, char *buf, size_t size)
{
	char number[IKE_NUMBER_TEXT], offer[IKE_REASON_MAX / 2];
	int message = mm->state == V1_MM_I1_SENT ? 1 : mm->state == V1_MM_I3_SENT ? 3 : 5;

	if (mm->hs->peer_notify) {
		v1_methods_text(mm->hs->offer, mm->hs->offer_count, offer, sizeof(offer));
		snprintf(buf, size,
			 "failure point peer: it answered main mode message %d with %s "
			 "(unauthenticated); we offer [%s]",
			 message,
			 ike_name_or_number(ike_notify_name(1, mm->hs->peer_notify),
					    mm->hs->peer_notify, number),
			 offer);
	} else {
		snprintf(buf, size,
			 "failure point peer: no valid answer to main mode message %d after %d "
			 "tries%s",
			 message, V1_TRIES,
			 message == 5 ? "; the preshared keys of the two ends may differ" : "");
	}
	return buf;
}

static void established_timer(struct v1_mm *mm)
{
	uint64_t now = mm->engine->now_ms;

	if (now >= mm->expires_ms || now >= mm->retire_ms) {
		/* When the peer counts the same lifetime it needs no message. */
		if (mm->shorter_here || now >= mm->retire_ms)
			v1_info_delete_mm(mm);
		v1_mm_end(mm, now >= mm->expires_ms ? "lifetime over" : "quick-mode limit reached");
		return;
	}
	if (mm->sent.msg && now >= mm->sent.sent_ms + V1_KEEP_ANSWER_MS)
		v1_sent_clear(&mm->sent);
	v1_mm_arm(mm);
}

static void on_timer(struct ike_timer *timer)
{
	struct v1_mm *mm = (struct v1_mm *)((char *)timer - offsetof(struct v1_mm, timer));
	char reason[IKE_REASON_MAX];

	if (mm->state == V1_ESTABLISHED) {
		established_timer(mm);
	} else if (!mm->initiator) {
		v1_mm_end(mm, "failure point peer: it did not finish main mode in time");
	} else if (mm->sent.tries >= V1_TRIES) {
		v1_mm_end(mm, gave_up(mm, reason, sizeof(reason)));
	} else {
		v1_resend(mm->engine, &mm->path, &mm->sent);
		v1_mm_arm(mm);
	}
}

void v1_mm_arm(struct v1_mm *mm)
{
	uint64_t due;

	if (mm->state == V1_DEAD)
		return;
	if (mm->state == V1_ESTABLISHED) {
		due = mm->expires_ms < mm->retire_ms ? mm->expires_ms : mm->retire_ms;
		if (mm->sent.msg && mm->sent.sent_ms + V1_KEEP_ANSWER_MS < due)
			due = mm->sent.sent_ms + V1_KEEP_ANSWER_MS;
	} else if (mm->initiator) {
		due = v1_retry_at(&mm->sent);
	} else {
		due = mm->created_ms + IKE_HALF_OPEN_MS;
	}
	ike_timer_set(&mm->engine->timers, &mm->timer, due);
}

/* ----------------------------------------------------------------- lookup */

static struct v1_mm_list *bucket(struct ike_engine *engine, struct v1_mm_list *table,
				 const uint8_t cookie[WIRE_COOKIE_LEN])
{
	return &table[ike_hash64(engine->limits.hash_key, cookie, WIRE_COOKIE_LEN) % V1_BUCKETS];
}

static size_t remote_slot(struct ike_engine *engine, const struct xi_addr *remote)
{
	return ike_hash64(engine->limits.hash_key, remote, sizeof(*remote)) % V1_BUCKETS;
}

struct v1_mm_list *v1_peer_mms(struct ike_engine *engine, const struct xi_addr *remote)
{
	return &engine->v1.mm_by_remote[remote_slot(engine, remote)];
}

struct v1_child_list *v1_peer_children(struct ike_engine *engine, const struct xi_addr *remote)
{
	return &engine->v1.child_by_remote[remote_slot(engine, remote)];
}

static bool same_cookie(const uint8_t a[WIRE_COOKIE_LEN], const uint8_t b[WIRE_COOKIE_LEN])
{
	return !memcmp(a, b, WIRE_COOKIE_LEN);
}

static bool same_path(const struct ike_path *a, const struct ike_path *b)
{
	return xi_addr_equal(&a->local, &b->local) && xi_addr_equal(&a->remote, &b->remote) &&
	       a->local_port == b->local_port && a->remote_port == b->remote_port;
}

void v1_mm_index(struct v1_mm *mm)
{
	struct v1 *v1 = &mm->engine->v1;
	const uint8_t *own = mm->initiator ? mm->cookie_i : mm->cookie_r;

	LIST_INSERT_HEAD(bucket(mm->engine, v1->mm_by_own, own), mm, by_own);
	LIST_INSERT_HEAD(bucket(mm->engine, v1->mm_by_peer, mm->cookie_i), mm, by_peer);
	LIST_INSERT_HEAD(v1_peer_mms(mm->engine, &mm->path.remote), mm, by_remote);
	LIST_INSERT_HEAD(&v1->mms, mm, all);
}

struct v1_mm *v1_mm_find(struct ike_engine *engine, const struct ike_path *path,
			 const struct ike_header *hdr)
{
	struct v1_mm *mm;

	LIST_FOREACH(mm, bucket(engine, engine->v1.mm_by_own, hdr->cookie_i), by_own) {
		if (mm->initiator && same_cookie(mm->cookie_i, hdr->cookie_i) &&
		    same_path(&mm->path, path) &&
		    (mm->state == V1_MM_I1_SENT || same_cookie(mm->cookie_r, hdr->cookie_r)))
			return mm;
	}
	LIST_FOREACH(mm, bucket(engine, engine->v1.mm_by_own, hdr->cookie_r), by_own) {
		if (!mm->initiator && same_cookie(mm->cookie_i, hdr->cookie_i) &&
		    same_cookie(mm->cookie_r, hdr->cookie_r) && same_path(&mm->path, path))
			return mm;
	}
	return NULL;
}

struct v1_mm *v1_mm_find_first(struct ike_engine *engine, const struct ike_path *path,
			       const uint8_t cookie_i[WIRE_COOKIE_LEN])
{
	struct v1_mm *mm;

	LIST_FOREACH(mm, bucket(engine, engine->v1.mm_by_peer, cookie_i), by_peer) {
		if (!mm->initiator && same_cookie(mm->cookie_i, cookie_i) &&
		    same_path(&mm->path, path))
			return mm;
	}
	return NULL;
}

bool v1_mm_is_own_cookie(struct ike_engine *engine, const uint8_t cookie_i[WIRE_COOKIE_LEN])
{
	struct v1_mm *mm;

	LIST_FOREACH(mm, bucket(engine, engine->v1.mm_by_own, cookie_i), by_own) {
		if (mm->initiator && same_cookie(mm->cookie_i, cookie_i))
			return true;
	}
	return false;
}

bool v1_mm_any_established(struct ike_engine *engine, const struct xi_addr *remote)
{
	struct v1_mm *mm;

	LIST_FOREACH(mm, v1_peer_mms(engine, remote), by_remote) {
		if (mm->state == V1_ESTABLISHED && xi_addr_equal(&mm->path.remote, remote))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------- message ids */

bool v1_mm_id_used(const struct v1_mm *mm, uint32_t message_id)
{
	for (size_t i = 0; i < mm->ids.count; i++) {
		if (mm->ids.id[i] == message_id)
			return true;
	}
	return false;
}

int v1_mm_id_remember(struct v1_mm *mm, uint32_t message_id)
{
	struct v1_message_ids *ids = &mm->ids;

	if (ids->count >= IKE_MESSAGE_IDS_MAX)
		return -ENOSPC;
	if (ids->count == ids->capacity) {
		size_t capacity = ids->capacity ? ids->capacity * 2 : 8;
		uint32_t *id = reallocarray(ids->id, capacity, sizeof(*id));

		if (!id)
			return -ENOMEM;
		ids->id = id;
		ids->capacity = capacity;
	}
	ids->id[ids->count++] = message_id;
	if (ids->count == IKE_MESSAGE_IDS_MAX && mm->retire_ms == IKE_NEVER) {
		mm->retire_ms = mm->engine->now_ms + V1_RETIRE_MS;
		v1_mm_arm(mm);
	}
	return 0;
}

/* ------------------------------------------------------------ birth and end */

struct v1_mm *v1_mm_new(struct ike_engine *engine, const struct ike_path *path, bool initiator)
{
	struct v1_mm *mm = calloc(1, sizeof(*mm));

	if (!mm)
		return NULL;
	mm->hs = calloc(1, sizeof(*mm->hs));
	if (!mm->hs || ike_timers_reserve(&engine->timers)) {
		free(mm->hs);
		free(mm);
		return NULL;
	}
	mm->engine = engine;
	mm->path = *path;
	mm->initiator = initiator;
	mm->state = V1_MM_NEW;
	mm->timer = (struct ike_timer){.due_ms = IKE_NEVER, .fire = on_timer};
	mm->created_ms = engine->now_ms;
	mm->created_seq = ++engine->seq;
	mm->expires_ms = mm->retire_ms = IKE_NEVER;
	mm->refusals = (struct ike_bucket){.per_second = 5, .burst = 10};
	LIST_INIT(&mm->qms);
	return mm;
}

static void key_exchange_free(struct v1_key_exchange *kex)
{
	if (!kex)
		return;
	crypto_dh_free(kex->dh);
	OPENSSL_cleanse(kex, sizeof(*kex));
	free(kex);
}

struct v1_key_exchange *v1_mm_kex(struct v1_mm *mm)
{
	if (!mm->hs->kex)
		mm->hs->kex = calloc(1, sizeof(*mm->hs->kex));
	return mm->hs->kex;
}

void v1_handshake_free(struct v1_handshake *hs)
{
	if (!hs)
		return;
	key_exchange_free(hs->kex);
	free(hs->sa_b);
	free(hs);
}

/* What becomes of a quick mode whose main mode is gone. */
static void orphan(struct v1_qm *qm, const struct v1_mm *mm, bool was_established,
		   const char *reason)
{
	if (qm->state == V1_QM_I1_SENT && v1_qm_move(qm, V1_QM_WAITING))
		return;
	if (qm->state != V1_QM_WAITING) {
		v1_qm_end(qm, -ECONNRESET, reason);
		return;
	}
	qm->moved++;
	v1_connect(qm, mm, was_established && qm->moved < 3, reason);
}

/*
 * A half-open one of a responder is a stranger's doing, and its end is too; forged packets can
 * also make us start one that nobody answers.
 */
static void log_end(const struct v1_mm *mm, const char *reason)
{
	static const char fmt[] = "%s (%s): ended in %s: %s";
	const char *role = mm->initiator ? "initiator" : "responder";
	const char *state = v1_mm_state_name(mm->state);
	char name[V1_NAME];

	v1_mm_text(mm, name);
	if (mm->state == V1_ESTABLISHED)
		ike_log(mm->engine, IKE_LOG_INFO, fmt, name, role, state, reason);
	else if (mm->initiator && mm->state != V1_MM_I1_SENT)
		ike_log(mm->engine, IKE_LOG_WARN, fmt, name, role, state, reason);
	else
		ike_log_stranger(mm->engine, fmt, name, role, state, reason);
}

void v1_mm_end(struct v1_mm *mm, const char *reason)
{
	bool was_established = mm->state == V1_ESTABLISHED, was_new = mm->state == V1_MM_NEW;
	struct ike_engine *engine = mm->engine;
	struct v1_qm *qm;

	if (mm->state == V1_DEAD)
		return;
	log_end(mm, reason);
	v1_mm_move(mm, V1_DEAD);
	ike_timers_release(&engine->timers, &mm->timer);
	if (!was_new) {
		LIST_REMOVE(mm, by_own);
		LIST_REMOVE(mm, by_peer);
	}
	LIST_INSERT_HEAD(&engine->v1.dead_mms, mm, dead);
	while ((qm = LIST_FIRST(&mm->qms))) {
		LIST_REMOVE(qm, of_mm);
		qm->mm = NULL;
		orphan(qm, mm, was_established, reason);
	}
	mm->timer.fire = NULL;
}

void v1_mm_reap(struct ike_engine *engine)
{
	struct v1_mm *mm;

	while ((mm = LIST_FIRST(&engine->v1.dead_mms))) {
		LIST_REMOVE(mm, dead);
		if (mm->all.le_prev) {
			LIST_REMOVE(mm, by_remote);
			LIST_REMOVE(mm, all);
		}
		v1_sent_clear(&mm->sent);
		v1_handshake_free(mm->hs);
		free(mm->ids.id);
		ikev1_keys_clear(&mm->keys);
		free(mm);
	}
}

/*
 * Only between the same two addresses: a peer that calls another address of ours for the first time
 * cannot know that it is us.
 */
void v1_mm_forget_before(struct v1_mm *mm)
{
	struct ike_engine *engine = mm->engine;
	struct v1_mm *other;
	struct v1_child *child;

	LIST_FOREACH(other, v1_peer_mms(engine, &mm->path.remote), by_remote) {
		if (other->state == V1_ESTABLISHED && other->established_seq < mm->created_seq &&
		    xi_addr_equal(&other->path.remote, &mm->path.remote) &&
		    xi_addr_equal(&other->path.local, &mm->path.local))
			v1_mm_end(other, "the peer has started anew (INITIAL-CONTACT)");
	}
	LIST_FOREACH(child, v1_peer_children(engine, &mm->path.remote), by_remote) {
		if (!child->gone && child->installed_seq < mm->created_seq &&
		    xi_addr_equal(&child->path.remote, &mm->path.remote) &&
		    xi_addr_equal(&child->path.local, &mm->path.local))
			v1_child_remove(child, true, false);
	}
}

/* Quick modes that wait for any main mode with this peer and key can go now. */
static void wake_waiting(struct v1_mm *mm)
{
	struct v1_mm *other;

	LIST_FOREACH(other, v1_peer_mms(mm->engine, &mm->path.remote), by_remote) {
		struct v1_qm *qm = LIST_FIRST(&other->qms);

		if (other->state == V1_DEAD || other->secret != mm->secret ||
		    !xi_addr_equal(&other->path.remote, &mm->path.remote) ||
		    !xi_addr_equal(&other->path.local, &mm->path.local) ||
		    (other != mm && other->state == V1_ESTABLISHED))
			continue;
		while (qm) {
			struct v1_qm *next = LIST_NEXT(qm, of_mm);

			if (qm->state == V1_QM_WAITING) {
				LIST_REMOVE(qm, of_mm);
				qm->mm = NULL;
				v1_connect(qm, NULL, true, "no main mode could be started");
			}
			qm = next;
		}
	}
}

void v1_mm_established(struct v1_mm *mm, bool initial_contact)
{
	struct ike_engine *engine = mm->engine;
	char name[V1_NAME];

	if (v1_mm_move(mm, V1_ESTABLISHED))
		return;
	mm->established_seq = ++engine->seq;
	mm->expires_ms = engine->now_ms + (uint64_t)mm->lifetime_s * 1000;
	v1_handshake_free(mm->hs);
	mm->hs = NULL;
	ike_log(engine, IKE_LOG_INFO,
		"%s (%s): established with %s, %s-%s-%s, preshared key, rule %s, lifetime %u s",
		v1_mm_text(mm, name), mm->initiator ? "initiator" : "responder", mm->peer_id,
		xi_cipher_info(mm->method.cipher)->name, xi_integ_info(mm->method.hash)->name,
		xi_group_info(mm->method.group)->name, mm->rule, mm->lifetime_s);
	v1_mm_arm(mm);
	if (initial_contact)
		v1_mm_forget_before(mm);
	wake_waiting(mm);
}
