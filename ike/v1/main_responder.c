/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Main mode, the side that answers: takes messages 1, 3, 5 and sends 2, 4, 6.
 * Nothing is kept for a message 1 that is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/engine.h"
#include "util/addr.h"

static int keep_sa_body(struct v1_mm *mm, struct wire_slice body)
{
	if (body.len > IKE_SA_BODY_MAX)
		return -EMSGSIZE;
	mm->hs->sa_b = malloc(body.len);
	if (!mm->hs->sa_b)
		return -ENOMEM;
	memcpy(mm->hs->sa_b, body.p, body.len);
	mm->hs->sa_len = body.len;
	return 0;
}

static int new_cookie(struct v1_mm *mm)
{
	int err;

	do {
		err = ike_random(mm->engine, mm->cookie_r, sizeof(mm->cookie_r));
		if (err)
			return err;
	} while (!wire_cookie_number(mm->cookie_r));
	return 0;
}

static int send_message2(struct v1_mm *mm, const struct wire_transform1 *chosen)
{
	uint8_t mem[V1_MESSAGE_MAX];
	struct wire_buf wb;
	int err;

	v1_begin(&wb, mem, mm, IKE_EXCHANGE_MAIN, 0);
	wire_put_sa_p1_chosen(&wb, chosen);
	err = wire_msg_end(&wb);
	return err ? err : v1_send(mm->engine, &mm->path, &mm->sent, &wb);
}

static void respond(struct ike_engine *engine, const struct ike_path *path,
		    const struct ike_header *hdr, const struct ike_rule *rule,
		    struct wire_slice sa_body, const struct wire_transform1 *chosen,
		    const struct ike_mm_method *method, const uint8_t *msg, size_t len)
{
	uint32_t ours = rule->mm_lifetime_s ? rule->mm_lifetime_s : V1_MM_LIFETIME_S;
	uint32_t offered = chosen->life_s ? chosen->life_s : V1_OFFER_LIFETIME_S;
	struct v1_mm *mm;
	char name[V1_NAME];

	if (!ike_limits_open(&engine->limits, &path->remote,
			     v1_mm_any_established(engine, &path->remote))) {
		engine->counters.dropped_limit++;
		ike_log_stranger(engine, "main mode message 1 dropped: too many half-open "
					 "negotiations");
		return;
	}
	mm = v1_mm_new(engine, path, false);
	if (!mm) {
		ike_limits_close(&engine->limits, &path->remote);
		return;
	}
	mm->half_open = true;
	memcpy(mm->cookie_i, hdr->cookie_i, WIRE_COOKIE_LEN);
	memcpy(mm->rule, rule->name, sizeof(mm->rule));
	ike_rule_psk(rule, &mm->secret);
	mm->method = *method;
	mm->lifetime_s = v1_shorter(ours, offered);
	mm->shorter_here = ours < offered;
	mm->quick_mode_limit = rule->qm_per_mm;
	mm->first_contact = !v1_knows_peer(engine, &path->remote);
	if (keep_sa_body(mm, sa_body) || new_cookie(mm) || send_message2(mm, chosen)) {
		v1_mm_end(mm, "message 2 could not be made");
		return;
	}
	v1_mm_index(mm);
	v1_seen_set(&mm->seen, msg, len);
	v1_mm_move(mm, V1_MM_R2_SENT);
	v1_mm_arm(mm);
	ike_log(engine, IKE_LOG_DEBUG, "%s (responder): started for rule %s", v1_mm_text(mm, name),
		mm->rule);
}

/* RFC 2408 5.4, RFC 2407 4.2: what to say to a request that does not fit us, 0 = nothing. */
static uint16_t refusal_of(const struct wire_sa_p1 *sa, const struct ike_rule *rule,
			   const struct wire_transform1 **ret, struct ike_mm_method *ret_method,
			   char *why, size_t size)
{
	if (sa->doi != IKE_DOI_IPSEC) {
		snprintf(why, size, "domain of interpretation %u is not IPsec", sa->doi);
		return IKE_N1_DOI_NOT_SUPPORTED;
	}
	if (sa->situation != IKE_SIT_IDENTITY) {
		snprintf(why, size, "situation %#x is not identity only", sa->situation);
		return IKE_N1_SITUATION_NOT_SUPPORTED;
	}
	if (v1_choose_p1(rule->mm, rule->mm_count, sa, ret, ret_method, why, size))
		return IKE_N1_NO_PROPOSAL_CHOSEN;
	return 0;
}

void v1_main_message1(struct ike_engine *engine, const struct ike_path *path,
		      const struct ike_header *hdr, const uint8_t *msg, size_t len)
{
	struct wire_error err = {"encrypted too early", 0};
	const struct wire_transform1 *chosen;
	const struct ike_rule *rule;
	struct ike_mm_method method;
	char addr[XI_ADDR_STRLEN], reason[512], text[V1_NAME];
	const char *why = NULL;
	struct wire_chain chain;
	struct wire_slice body;
	uint16_t notify;
	struct wire_sa_p1 sa;

	xi_addr_text(&path->remote, addr);
	if ((hdr->flags & IKE_FLAG1_ENCRYPTED) ||
	    wire_chain_parse(1, hdr->next_payload, msg + WIRE_HEADER_LEN, len - WIRE_HEADER_LEN,
			     WIRE_EXACT, &chain, &err) ||
	    v1_expect(V1_MSG_MM1, &chain, &err) ||
	    wire_sa_p1_parse(body = wire_chain_find(&chain, IKE_PAYLOAD_SA, 0)->body, &sa, &err)) {
		engine->counters.dropped_malformed++;
		ike_log_stranger(engine, "%s: main mode message 1 dropped: %s", addr,
				 v1_error_text(&err, text));
		return;
	}
	rule = ike_rules_for_peer(&engine->rules, &path->local, &path->remote, &why);
	if (!rule) {
		engine->counters.dropped_no_rule++;
		ike_log_stranger(engine, "%s: main mode message 1 dropped: %s", addr, why);
		return;
	}
	notify = refusal_of(&sa, rule, &chosen, &method, reason, sizeof(reason));
	if (notify) {
		if (notify == IKE_N1_NO_PROPOSAL_CHOSEN)
			engine->counters.no_proposal_out++;
		ike_log_stranger(engine, "%s: main mode refused, rule %s, failure point me: %s%s",
				 addr, rule->name,
				 notify == IKE_N1_NO_PROPOSAL_CHOSEN ? "no proposal chosen: " : "",
				 reason);
		v1_info_refuse(engine, path, hdr, notify);
		return;
	}
	respond(engine, path, hdr, rule, body, chosen, &method, msg, len);
}

static int answer_message3(struct v1_mm *mm, const struct wire_chain *chain)
{
	struct v1_key_exchange *kex = v1_mm_kex(mm);
	int err;

	if (!kex)
		return -ENOMEM;
	err = v1_main_take_kex(mm, chain, &kex->ni);
	if (!err && !kex->dh) /* once: a stranger's bad messages cost no more key pairs */
		err = v1_dh_new(mm->engine, mm->method.group, &kex->dh);
	if (!err)
		err = v1_nonce_new(mm->engine, &kex->nr);
	if (!err)
		err = v1_main_keys(mm);
	return err ? err : v1_main_send_kex(mm, &kex->nr);
}

void v1_main_message3(struct v1_mm *mm, const struct wire_chain *chain)
{
	int err = answer_message3(mm, chain);
	char name[V1_NAME], reason[IKE_REASON_MAX];

	if (err == -EBADMSG) {
		mm->engine->counters.dropped_malformed++;
		ike_log_stranger(mm->engine,
				 "%s: main mode message 3 dropped: key exchange or nonce is not "
				 "valid",
				 v1_mm_text(mm, name));
		return;
	}
	if (err) {
		v1_mm_end(mm, v1_main_own_failure(err, reason, sizeof(reason)));
		return;
	}
	v1_mm_move(mm, V1_MM_R4_SENT);
	v1_mm_arm(mm);
}

void v1_main_message5(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg,
		      size_t len)
{
	struct ike_engine *engine = mm->engine;
	struct wire_error err = {0};
	bool initial_contact = false;
	uint8_t iv[CRYPTO_BLOCK_MAX], before[CRYPTO_BLOCK_MAX];
	char name[V1_NAME], text[V1_NAME];

	if (v1_main_take_id(mm, hdr, msg, len, iv, &initial_contact, &err)) {
		if (mm->hs->complained)
			return;
		mm->hs->complained = true;
		ike_log_stranger(
			engine,
			"%s: authentication failed, failure point me: message 5: %s; the preshared "
			"keys of the two ends may differ",
			v1_mm_text(mm, name), v1_error_text(&err, text));
		v1_info_refuse(engine, &mm->path, hdr, IKE_N1_AUTHENTICATION_FAILED);
		return;
	}
	memcpy(before, mm->iv, sizeof(before));
	memcpy(mm->iv, iv, sizeof(iv));
	if (v1_main_send_id(mm)) {
		memcpy(mm->iv, before, sizeof(before)); /* the peer will repeat message 5 */
		ike_log(engine, IKE_LOG_ERROR, "%s: message 6 could not be made",
			v1_mm_text(mm, name));
		return;
	}
	v1_mm_established(mm, initial_contact);
}
