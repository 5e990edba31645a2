/* SPDX-License-Identifier: BSD-2-Clause */
/* Quick mode, the side that starts: sends messages 1 and 3, takes message 2. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ike/engine.h"

static int new_message_id(struct v1_qm *qm)
{
	int err;

	do {
		err = ike_random(qm->engine, &qm->message_id, sizeof(qm->message_id));
		if (err)
			return err;
	} while (!qm->message_id || v1_mm_id_used(qm->mm, qm->message_id));
	return v1_mm_id_remember(qm->mm, qm->message_id);
}

static int put_message1(struct v1_qm *qm, struct wire_buf *wb)
{
	struct wire_transform2 t[IKE_METHODS_MAX];
	uint8_t hash[CRYPTO_DIGEST_MAX];
	size_t hash_len = crypto_digest_len(qm->mm->method.hash), hash_at, rest_at;
	unsigned count = 0;
	int err;

	for (uint8_t i = 0; i < qm->rule.qm_count && i < IKE_METHODS_MAX; i++) {
		if (qm->rule.qm[i].protocol == 50)
			v1_transform2_of(&qm->rule, &qm->rule.qm[i], &t[count++]);
	}
	if (!count)
		return -EOPNOTSUPP;
	hash_at = wire_put_payload_zero(wb, IKE_PAYLOAD_HASH, hash_len);
	rest_at = wb->len;
	wire_put_sa_p2(wb, qm->spi_in, t, count);
	wire_put_payload(wb, IKE_PAYLOAD_NONCE, qm->ni.b, qm->ni.len);
	if (qm->dh)
		wire_put_payload(wb, IKE_PAYLOAD_KE, crypto_dh_public(qm->dh),
				 crypto_dh_len(qm->dh));
	v1_quick_put_ids(qm, wb);
	if (wb->overflow)
		return -EMSGSIZE;
	err = ikev1_hash_1(&qm->mm->keys, qm->message_id, wb->p + rest_at, wb->len - rest_at, hash);
	wire_patch(wb, hash_at, hash, hash_len);
	return err;
}

int v1_quick_start(struct v1_qm *qm)
{
	struct ike_engine *engine = qm->engine;
	struct v1_mm *mm = qm->mm;
	char name[V1_NAME], traffic[V1_TRAFFIC_TEXT];
	uint8_t mem[V1_MESSAGE_MAX];
	struct wire_buf wb;
	int err;

	crypto_dh_free(qm->dh);
	qm->dh = NULL;
	v1_qm_give_spi_back(qm);
	err = new_message_id(qm);
	if (!err)
		err = v1_nonce_new(engine, &qm->ni);
	if (!err)
		err = engine->ops.get_spi(engine->ctx, &qm->spi_in);
	if (!err && qm->rule.pfs != XI_GROUP_NONE)
		err = v1_dh_new(engine, qm->rule.pfs, &qm->dh);
	if (err)
		return err;
	v1_begin(&wb, mem, mm, IKE_EXCHANGE_QUICK, qm->message_id);
	err = put_message1(qm, &wb);
	if (!err)
		err = ikev1_phase2_iv(mm->method.hash, mm->method.cipher, mm->iv, qm->message_id,
				      qm->iv);
	if (!err)
		err = v1_encrypt(mm, qm->iv, &wb);
	if (!err)
		err = v1_send(engine, &mm->path, &qm->sent, &wb);
	if (err)
		return err;
	mm->quick_modes++;
	qm->restart_ms = IKE_NEVER;
	v1_qm_move(qm, V1_QM_I1_SENT);
	qm->give_up_ms = engine->now_ms + (((uint64_t)V1_RETRY_MS << V1_TRIES) - V1_RETRY_MS);
	v1_qm_arm(qm);
	ike_log(engine, IKE_LOG_DEBUG, "%s: quick mode %08x started for %s, rule %s",
		v1_mm_text(mm, name), qm->message_id, v1_traffic_text(&qm->traffic, traffic),
		qm->rule.name);
	return 0;
}

/* The first of our methods that the chosen transform is one of. */
static const struct ike_qm_method *our_offer(const struct v1_qm *qm,
					     const struct wire_transform2 *chosen)
{
	for (uint8_t i = 0; i < qm->rule.qm_count && i < IKE_METHODS_MAX; i++) {
		struct wire_transform2 t;

		v1_transform2_of(&qm->rule, &qm->rule.qm[i], &t);
		if (qm->rule.qm[i].protocol == 50 && !chosen->problem &&
		    wire_transform2_same(&t, chosen))
			return &qm->rule.qm[i];
	}
	return NULL;
}

/* Identities must come back as we sent them, or not at all when they say nothing. */
static bool same_ids(const struct v1_qm *qm, const struct wire_chain *chain)
{
	const struct wire_payload *ci = wire_chain_find(chain, IKE_PAYLOAD_ID, 0);
	const struct wire_payload *cr = wire_chain_find(chain, IKE_PAYLOAD_ID, 1);
	const struct ike_traffic *t = &qm->traffic;
	uint8_t mem[V1_MESSAGE_MAX], *ids = mem + WIRE_HEADER_LEN;
	struct wire_buf wb;
	size_t half;

	if (!ci)
		return !t->proto && !t->local_port && !t->remote_port;
	v1_begin(&wb, mem, qm->mm, IKE_EXCHANGE_QUICK, qm->message_id);
	v1_quick_put_ids(qm, &wb);
	half = (wb.len - WIRE_HEADER_LEN) / 2; /* two payloads of equal length, header 4 bytes */
	return ci->body.len == half - 4 && cr->body.len == half - 4 &&
	       !memcmp(ci->body.p, ids + 4, half - 4) &&
	       !memcmp(cr->body.p, ids + half + 4, half - 4);
}

/* RESPONDER-LIFETIME, RFC 2407 4.6.3.1: the responder keeps the SA for less time. */
static void take_responder_lifetime(const struct wire_chain *chain, uint32_t *life_s,
				    uint32_t *life_kb)
{
	const struct wire_payload *payload;
	struct wire_notify notify;
	struct wire_attr attr;
	uint32_t type = 0, value;

	for (unsigned i = 0; (payload = wire_chain_find(chain, IKE_PAYLOAD_NOTIFY, i)); i++) {
		if (wire_notify_parse(1, payload->body, &notify, NULL) ||
		    notify.type != IKE_N1_RESPONDER_LIFETIME)
			continue;
		while (wire_attr_next(&notify.data, &attr, NULL) > 0) {
			if (wire_attr_number(&attr, &value))
				continue;
			if (attr.type == IKE_ATTR_P2_LIFE_TYPE)
				type = value;
			else if (attr.type == IKE_ATTR_P2_LIFE_DURATION && type == IKE_LIFE_SECONDS)
				*life_s = v1_shorter(*life_s, value);
			else if (attr.type == IKE_ATTR_P2_LIFE_DURATION && type == IKE_LIFE_KB)
				*life_kb = v1_shorter(*life_kb, value);
		}
	}
}

static int send_message3(struct v1_qm *qm)
{
	struct v1_mm *mm = qm->mm;
	uint8_t mem[V1_MESSAGE_MAX], hash[CRYPTO_DIGEST_MAX];
	struct wire_buf wb;
	int err;

	err = ikev1_hash_3(&mm->keys, qm->message_id, qm->ni.b, qm->ni.len, qm->nr.b, qm->nr.len,
			   hash);
	if (err)
		return err;
	v1_begin(&wb, mem, mm, IKE_EXCHANGE_QUICK, qm->message_id);
	wire_put_payload(&wb, IKE_PAYLOAD_HASH, hash, crypto_digest_len(mm->method.hash));
	err = v1_encrypt(mm, qm->iv, &wb);
	return err ? err : v1_send(qm->engine, &mm->path, &qm->sent, &wb);
}

static void bad(struct v1_qm *qm, const char *why)
{
	char name[V1_NAME];

	qm->engine->counters.dropped_malformed++;
	ike_log_stranger(qm->engine, "%s: quick mode %08x message 2 dropped: %s",
			 v1_mm_text(qm->mm, name), qm->message_id, why);
}

/* Everything that can be wrong with message 2, before any effect. */
static const char *check_message2(struct v1_qm *qm, const struct wire_chain *chain,
				  struct wire_sa_p2 *sa, const struct ike_qm_method **ret_method)
{
	const struct wire_slice nonce = wire_chain_find(chain, IKE_PAYLOAD_NONCE, 0)->body;
	const struct wire_payload *ke = wire_chain_find(chain, IKE_PAYLOAD_KE, 0);
	struct wire_error err = {0};

	if (wire_sa_p2_parse(wire_chain_find(chain, IKE_PAYLOAD_SA, 0)->body, sa, &err))
		return err.why;
	if (sa->proposals != 1 || sa->count != 1 || sa->proposal[0].spi.len != 4 ||
	    get_be32(sa->proposal[0].spi.p) < 256)
		return "it does not choose exactly one proposal with an SPI";
	*ret_method = our_offer(qm, &sa->transform[0]);
	if (!*ret_method)
		return "it chooses a proposal that was not offered";
	if (!!ke != (sa->transform[0].xi_group != XI_GROUP_NONE) ||
	    (ke && ke->body.len != xi_group_info(sa->transform[0].xi_group)->pub_len))
		return "the key exchange does not fit the group";
	if (nonce.len < WIRE_NONCE_MIN || nonce.len > WIRE_NONCE_MAX)
		return "the nonce has a wrong length";
	if (!same_ids(qm, chain))
		return "it changes the identities";
	return NULL;
}

static void finish(struct v1_qm *qm)
{
	char name[V1_NAME], traffic[V1_TRAFFIC_TEXT];
	struct v1_child *old;

	v1_qm_move(qm, V1_QM_I3_SENT);
	qm->give_up_ms = qm->engine->now_ms + V1_KEEP_ANSWER_MS;
	v1_qm_arm(qm);
	ike_log(qm->engine, IKE_LOG_INFO,
		"%s: quick mode %08x done (initiator): %s, rule %s, spi in %08x out %08x",
		v1_mm_text(qm->mm, name), qm->message_id, v1_traffic_text(&qm->traffic, traffic),
		qm->rule.name, qm->spi_in, qm->spi_out);
	old = qm->replaces ? v1_child_by_in(qm->engine, qm->replaces) : NULL;
	if (old)
		v1_child_replaced(old);
	v1_qm_settle(qm, 0, "installed");
	v1_quick_count_limit(qm->mm);
}

/* Decrypts message 2 and verifies its HASH; iv becomes the next IV. False: dropped and counted. */
static bool open_message2(struct v1_qm *qm, const struct ike_header *hdr, const uint8_t *msg,
			  size_t len, uint8_t iv[CRYPTO_BLOCK_MAX], struct wire_chain *ret)
{
	struct v1_mm *mm = qm->mm;
	struct wire_error err = {"the HASH is wrong", 0};
	uint8_t hash[CRYPTO_DIGEST_MAX];
	struct wire_slice rest;
	char text[V1_NAME];

	if (v1_decrypt(mm, iv, hdr, msg, len, ret, &err) || v1_expect(V1_MSG_QM2, ret, &err)) {
		bad(qm, v1_error_text(&err, text));
		return false;
	}
	rest = v1_behind_hash(ret);
	if (ikev1_hash_2(&mm->keys, qm->message_id, qm->ni.b, qm->ni.len, rest.p, rest.len, hash) ||
	    !v1_hash_is(ret, mm, hash)) {
		mm->engine->counters.dropped_bad_hash++;
		bad(qm, "the HASH is wrong");
		return false;
	}
	return true;
}

/* What was made of the pair is taken back, and the peer is told. */
static void not_installed(struct v1_qm *qm, int err)
{
	struct v1_child *child = v1_child_by_in(qm->engine, qm->spi_in);
	char reason[IKE_REASON_MAX];

	snprintf(reason, sizeof(reason), "failure point me: SA could not be installed: %s",
		 strerror(-err));
	if (child)
		v1_child_remove(child, true, false);
	v1_info_delete_child(qm->mm, qm->spi_in);
	v1_qm_end(qm, err, reason);
}

void v1_quick_message2(struct v1_qm *qm, const struct ike_header *hdr, const uint8_t *msg,
		       size_t len)
{
	const struct ike_qm_method *method = NULL;
	const struct wire_payload *ke;
	uint8_t iv[CRYPTO_BLOCK_MAX];
	struct wire_slice nonce;
	struct wire_chain chain;
	struct wire_sa_p2 sa;
	uint32_t life_s, life_kb;
	char reason[IKE_REASON_MAX];
	const char *why;
	int err;

	memcpy(iv, qm->iv, sizeof(iv));
	if (!open_message2(qm, hdr, msg, len, iv, &chain))
		return;
	why = check_message2(qm, &chain, &sa, &method);
	if (why) {
		/* Authenticated, so it is the peer's last word. */
		snprintf(reason, sizeof(reason), "failure point peer: quick mode message 2: %s",
			 why);
		v1_qm_end(qm, -EPROTO, reason);
		return;
	}
	nonce = wire_chain_find(&chain, IKE_PAYLOAD_NONCE, 0)->body;
	memcpy(qm->nr.b, nonce.p, nonce.len);
	qm->nr.len = (uint16_t)nonce.len;
	qm->spi_out = get_be32(sa.proposal[0].spi.p);
	life_s = v1_shorter(v1_life_s(method), sa.transform[0].life_s);
	life_kb = v1_shorter(v1_life_kb(method), sa.transform[0].life_kb);
	take_responder_lifetime(&chain, &life_s, &life_kb);
	ke = wire_chain_find(&chain, IKE_PAYLOAD_KE, 0);
	err = v1_quick_install(qm, &sa.transform[0], life_s, life_kb,
			       ke ? ke->body : (struct wire_slice){0});
	memcpy(qm->iv, iv, sizeof(iv));
	if (!err)
		err = send_message3(qm);
	if (err) {
		not_installed(qm, err);
		return;
	}
	v1_seen_set(&qm->seen, msg, len);
	finish(qm);
}
