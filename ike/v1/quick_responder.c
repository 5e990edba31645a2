/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quick mode, the side that answers: takes messages 1 and 3, sends message 2.
 * The SAs are installed before message 2 goes out (see qm.c).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ike/engine.h"
#include "util/addr.h"

/* Why message 1 is refused, for the log, and what the peer is told. */
struct refusal {
	uint16_t notify;
	uint32_t spi; /* the peer's, when it could be read, else 0 */
	char text[512];
};

__attribute__((format(printf, 3, 4))) static int refuse(struct refusal *refusal, uint16_t notify,
							const char *fmt, ...)
{
	va_list args;

	refusal->notify = notify;
	va_start(args, fmt);
	vsnprintf(refusal->text, sizeof(refusal->text), fmt, args);
	va_end(args);
	return -EPROTO;
}

/* One identity must be one host: an address, or a subnet or range of one address. */
static int take_id(const struct wire_payload *payload, const struct xi_addr *host, uint8_t *proto,
		   uint16_t *port, struct refusal *refusal)
{
	struct xi_prefix prefix;
	struct wire_id id;
	char text[WIRE_TEXT], addr[XI_ADDR_STRLEN];

	if (wire_id_parse(1, payload->body, &id, NULL))
		return refuse(refusal, IKE_N1_INVALID_ID_INFORMATION, "identity is not readable");
	if (wire_id_prefix(&id, &prefix) || prefix.len != xi_family_bits(prefix.addr.family) ||
	    !xi_addr_equal(&prefix.addr, host))
		return refuse(refusal, IKE_N1_INVALID_ID_INFORMATION,
			      "identity %s is not the host %s, as transport mode needs",
			      wire_id_text(&id, text), xi_addr_text(host, addr));
	if (id.port && !id.protocol)
		return refuse(refusal, IKE_N1_INVALID_ID_INFORMATION,
			      "identity %s has a port without a protocol", wire_id_text(&id, text));
	*proto = id.protocol;
	*port = id.port;
	return 0;
}

static int take_ids(const struct v1_mm *mm, const struct wire_chain *chain, struct ike_traffic *ret,
		    struct refusal *refusal)
{
	const struct wire_payload *ci = wire_chain_find(chain, IKE_PAYLOAD_ID, 0);
	const struct wire_payload *cr = wire_chain_find(chain, IKE_PAYLOAD_ID, 1);
	struct ike_traffic traffic = {.local = mm->path.local, .remote = mm->path.remote};
	uint8_t proto = 0;

	if (ci) {
		if (take_id(ci, &mm->path.remote, &traffic.proto, &traffic.remote_port, refusal) ||
		    take_id(cr, &mm->path.local, &proto, &traffic.local_port, refusal))
			return -EPROTO;
		if (proto != traffic.proto)
			return refuse(refusal, IKE_N1_INVALID_ID_INFORMATION,
				      "the two identities name different protocols");
	}
	*ret = traffic;
	return 0;
}

static const struct ike_rule *find_rule(const struct v1_mm *mm, const struct ike_traffic *traffic,
					struct refusal *refusal)
{
	const struct ike_rule *rule = ike_rules_covering(&mm->engine->rules, traffic), *higher;
	char text[V1_TRAFFIC_TEXT];

	v1_traffic_text(traffic, text);
	if (!rule) {
		refuse(refusal, IKE_N1_INVALID_ID_INFORMATION, "no rule negotiates for %s", text);
		return NULL;
	}
	if (ike_rule_unfit(rule)) {
		refuse(refusal, IKE_N1_NO_PROPOSAL_CHOSEN, "%s: %s", text, ike_rule_unfit(rule));
		return NULL;
	}
	higher = ike_rules_conflict(&mm->engine->rules, rule, traffic);
	if (higher) {
		refuse(refusal, IKE_N1_INVALID_ID_INFORMATION,
		       "%s takes in traffic of rule %s, which has other terms than rule %s", text,
		       higher->name, rule->name);
		return NULL;
	}
	if (!ike_rule_has_psk(rule, mm->secret)) {
		refuse(refusal, IKE_N1_INVALID_ID_INFORMATION,
		       "rule %s for %s wants another preshared key than that of the main mode",
		       rule->name, text);
		return NULL;
	}
	return rule;
}

/* All that message 1 asks for, once it is known to be acceptable. */
struct request {
	const struct ike_rule *rule;
	struct ike_traffic traffic;
	struct wire_sa_p2 sa;
	struct v1_p2_choice choice;
	struct wire_slice nonce, ke;
	uint32_t life_s, life_kb; /* the shorter of both sides */
	bool shorter_here;
};

static int read_request(const struct v1_mm *mm, const struct wire_chain *chain, struct request *ret,
			struct refusal *refusal)
{
	const struct wire_payload *ke = wire_chain_find(chain, IKE_PAYLOAD_KE, 0);
	struct wire_error err = {"the proposal cannot be read", 0};
	uint32_t offered_s;
	char why[400];

	ret->nonce = wire_chain_find(chain, IKE_PAYLOAD_NONCE, 0)->body;
	ret->ke = ke ? ke->body : (struct wire_slice){0};
	if (ret->nonce.len < WIRE_NONCE_MIN || ret->nonce.len > WIRE_NONCE_MAX)
		return refuse(refusal, IKE_N1_PAYLOAD_MALFORMED, "nonce of a wrong length");
	if (wire_sa_p2_parse(wire_chain_find(chain, IKE_PAYLOAD_SA, 0)->body, &ret->sa, &err))
		return refuse(refusal, IKE_N1_BAD_PROPOSAL_SYNTAX, "%s", err.why);
	if (ret->sa.doi != IKE_DOI_IPSEC)
		return refuse(refusal, IKE_N1_DOI_NOT_SUPPORTED, "not the IPsec DOI");
	if (ret->sa.situation != IKE_SIT_IDENTITY)
		return refuse(refusal, IKE_N1_SITUATION_NOT_SUPPORTED,
			      "a situation other than identity only");
	if (ret->sa.proposals && ret->sa.proposal[0].spi.len == 4)
		refusal->spi = get_be32(ret->sa.proposal[0].spi.p);
	if (take_ids(mm, chain, &ret->traffic, refusal))
		return -EPROTO;
	ret->rule = find_rule(mm, &ret->traffic, refusal);
	if (!ret->rule)
		return -EPROTO;
	if (v1_choose_p2(ret->rule, &ret->sa, &ret->choice, why, sizeof(why))) {
		mm->engine->counters.no_proposal_out++;
		return refuse(refusal, IKE_N1_NO_PROPOSAL_CHOSEN, "no proposal chosen: %s", why);
	}
	if (!!ke != (ret->choice.transform->xi_group != XI_GROUP_NONE) ||
	    (ke && ke->body.len != xi_group_info(ret->choice.transform->xi_group)->pub_len))
		return refuse(refusal, IKE_N1_INVALID_KEY_INFORMATION,
			      "key exchange does not fit the group");
	offered_s = ret->choice.transform->life_s ? ret->choice.transform->life_s
						  : V1_OFFER_LIFETIME_S;
	ret->life_s = v1_shorter(v1_life_s(ret->choice.method), offered_s);
	ret->life_kb = v1_shorter(v1_life_kb(ret->choice.method), ret->choice.transform->life_kb);
	ret->shorter_here = ret->life_s != offered_s ||
			    ret->life_kb != ret->choice.transform->life_kb;
	return 0;
}

/* A TV of 2 bytes and a TLV of 4, RFC 2408 3.3. */
static void put_life(struct wire_buf *wb, uint16_t type, uint32_t value)
{
	wire_put16(wb, 0x8000 | IKE_ATTR_P2_LIFE_TYPE);
	wire_put16(wb, type);
	wire_put16(wb, IKE_ATTR_P2_LIFE_DURATION);
	wire_put16(wb, 4);
	wire_put32(wb, value);
}

static void put_responder_lifetime(const struct v1_qm *qm, const struct request *request,
				   struct wire_buf *wb)
{
	uint8_t mem[32], spi[4];
	struct wire_buf data;

	put_be32(spi, qm->spi_in);
	wire_buf_init(&data, mem, sizeof(mem));
	put_life(&data, IKE_LIFE_SECONDS, request->life_s);
	if (request->life_kb)
		put_life(&data, IKE_LIFE_KB, request->life_kb);
	wire_put_notify1(wb, IKE_PROTO1_ESP, spi, sizeof(spi), IKE_N1_RESPONDER_LIFETIME, mem,
			 data.len);
}

static int send_message2(struct v1_qm *qm, const struct request *request, bool with_ids)
{
	struct v1_mm *mm = qm->mm;
	uint8_t mem[V1_MESSAGE_MAX], hash[CRYPTO_DIGEST_MAX];
	size_t hash_len = crypto_digest_len(mm->method.hash), hash_at, rest_at;
	struct wire_buf wb;
	int err;

	v1_begin(&wb, mem, mm, IKE_EXCHANGE_QUICK, qm->message_id);
	hash_at = wire_put_payload_zero(&wb, IKE_PAYLOAD_HASH, hash_len);
	rest_at = wb.len;
	wire_put_sa_p2_chosen(&wb, request->choice.proposal, qm->spi_in, request->choice.transform);
	wire_put_payload(&wb, IKE_PAYLOAD_NONCE, qm->nr.b, qm->nr.len);
	if (qm->dh)
		wire_put_payload(&wb, IKE_PAYLOAD_KE, crypto_dh_public(qm->dh),
				 crypto_dh_len(qm->dh));
	if (with_ids)
		v1_quick_put_ids(qm, &wb);
	if (request->shorter_here)
		put_responder_lifetime(qm, request, &wb);
	if (wb.overflow)
		return -EMSGSIZE;
	err = ikev1_hash_2(&mm->keys, qm->message_id, qm->ni.b, qm->ni.len, mem + rest_at,
			   wb.len - rest_at, hash);
	wire_patch(&wb, hash_at, hash, hash_len);
	if (!err)
		err = v1_encrypt(mm, qm->iv, &wb);
	return err ? err : v1_send(qm->engine, &mm->path, &qm->sent, &wb);
}

/*
 * A peer that rekeys: the pair it started before is the one that goes. A pair that we started has
 * its own line, which we rekey (both sides may have started one at the same time).
 */
static void note_replaced(struct v1_qm *qm)
{
	struct v1_child *old = v1_child_by_traffic(qm->engine, &qm->traffic, true);

	if (old)
		qm->replaces = old->spi_in;
}

static int answer(struct v1_qm *qm, const struct request *request, bool with_ids)
{
	struct ike_engine *engine = qm->engine;
	int err;

	err = v1_nonce_new(engine, &qm->nr);
	if (!err)
		err = engine->ops.get_spi(engine->ctx, &qm->spi_in);
	if (!err && request->choice.transform->xi_group != XI_GROUP_NONE)
		err = v1_dh_new(engine, request->choice.transform->xi_group, &qm->dh);
	if (err)
		return err;
	memcpy(qm->ni.b, request->nonce.p, request->nonce.len);
	qm->ni.len = (uint16_t)request->nonce.len;
	qm->spi_out = request->choice.spi;
	qm->rule = *request->rule;
	qm->traffic = request->traffic;
	note_replaced(qm);
	err = v1_quick_install(qm, request->choice.transform, request->life_s, request->life_kb,
			       request->ke);
	if (err)
		return err;
	err = v1_mm_id_remember(qm->mm, qm->message_id);
	if (!err)
		err = send_message2(qm, request, with_ids);
	if (err) {
		struct v1_child *child = v1_child_by_in(engine, qm->spi_in);

		if (child)
			v1_child_remove(child, true, false);
	}
	return err;
}

static void respond(struct v1_mm *mm, const struct ike_header *hdr, const struct request *request,
		    const uint8_t iv[CRYPTO_BLOCK_MAX], bool with_ids, const uint8_t *msg,
		    size_t len)
{
	struct ike_engine *engine = mm->engine;
	struct v1_qm *qm = v1_qm_new(engine, false);
	char name[V1_NAME];
	int err;

	if (!qm)
		return;
	v1_qm_attach(qm, mm);
	qm->message_id = hdr->message_id;
	memcpy(qm->iv, iv, sizeof(qm->iv));
	err = answer(qm, request, with_ids);
	if (err) {
		ike_log(engine, IKE_LOG_WARN,
			"%s: quick mode %08x refused, rule %s, failure point me: %s",
			v1_mm_text(mm, name), hdr->message_id, request->rule->name,
			err == -EBADMSG ? "key exchange is not valid" : strerror(-err));
		v1_qm_end(qm, err, "could not be answered");
		return;
	}
	v1_seen_set(&qm->seen, msg, len);
	v1_qm_move(qm, V1_QM_R2_SENT);
	mm->quick_modes++;
	qm->give_up_ms = engine->now_ms + V1_UNCONFIRMED_MS;
	v1_qm_arm(qm);
}

void v1_quick_message1(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg,
		       size_t len)
{
	struct ike_engine *engine = mm->engine;
	uint8_t iv[CRYPTO_BLOCK_MAX], hash[CRYPTO_DIGEST_MAX];
	struct wire_error err = {"it could not be decrypted", 0};
	struct refusal refusal = {0};
	struct request request;
	struct wire_chain chain;
	struct wire_slice rest;
	char name[V1_NAME], text[V1_NAME];

	if (v1_mm_id_used(mm, hdr->message_id)) {
		engine->counters.dropped_malformed++; /* a replay, or a late repetition */
		return;
	}
	if (ikev1_phase2_iv(mm->method.hash, mm->method.cipher, mm->iv, hdr->message_id, iv) ||
	    v1_decrypt(mm, iv, hdr, msg, len, &chain, &err) ||
	    v1_expect(V1_MSG_QM1, &chain, &err)) {
		engine->counters.dropped_malformed++;
		ike_log_stranger(engine, "%s: quick mode %08x message 1 dropped: %s",
				 v1_mm_text(mm, name), hdr->message_id, v1_error_text(&err, text));
		return;
	}
	rest = v1_behind_hash(&chain);
	if (ikev1_hash_1(&mm->keys, hdr->message_id, rest.p, rest.len, hash) ||
	    !v1_hash_is(&chain, mm, hash)) {
		engine->counters.dropped_bad_hash++;
		ike_log_stranger(engine, "%s: quick mode %08x message 1 dropped: wrong HASH",
				 v1_mm_text(mm, name), hdr->message_id);
		return;
	}
	v1_sent_clear(&mm->sent); /* so message 6 has arrived */
	if (v1_qm_count(mm, V1_QM_R2_SENT) >= IKE_QM_RESPONDING_MAX || mm->retire_ms != IKE_NEVER) {
		engine->counters.dropped_limit++;
		return;
	}
	if (read_request(mm, &chain, &request, &refusal)) {
		ike_log_stranger(engine, "%s: quick mode %08x refused, failure point me: %s",
				 v1_mm_text(mm, name), hdr->message_id, refusal.text);
		/* It may be a replay: a refused message id is not used up. */
		if (ike_bucket_take(&mm->refusals, engine->now_ms))
			v1_info_notify(mm, refusal.spi, refusal.notify);
		return;
	}
	respond(mm, hdr, &request, iv, wire_chain_count(&chain, IKE_PAYLOAD_ID) != 0, msg, len);
}

void v1_quick_message3(struct v1_qm *qm, const struct ike_header *hdr, const uint8_t *msg,
		       size_t len)
{
	struct v1_mm *mm = qm->mm;
	struct ike_engine *engine = qm->engine;
	uint8_t iv[CRYPTO_BLOCK_MAX], hash[CRYPTO_DIGEST_MAX];
	struct wire_error err = {"the HASH is wrong", 0};
	char name[V1_NAME], traffic[V1_TRAFFIC_TEXT], text[V1_NAME];
	struct wire_chain chain;

	memcpy(iv, qm->iv, sizeof(iv));
	if (v1_decrypt(mm, iv, hdr, msg, len, &chain, &err) ||
	    v1_expect(V1_MSG_QM3, &chain, &err)) {
		engine->counters.dropped_malformed++;
		ike_log_stranger(engine, "%s: quick mode %08x message 3 dropped: %s",
				 v1_mm_text(mm, name), qm->message_id, v1_error_text(&err, text));
		return;
	}
	if (ikev1_hash_3(&mm->keys, qm->message_id, qm->ni.b, qm->ni.len, qm->nr.b, qm->nr.len,
			 hash) ||
	    !v1_hash_is(&chain, mm, hash)) {
		engine->counters.dropped_bad_hash++;
		return;
	}
	v1_seen_set(&qm->seen, msg, len);
	v1_sent_clear(&qm->sent); /* message 3 has no answer to repeat */
	v1_qm_move(qm, V1_QM_R_DONE);
	qm->give_up_ms = engine->now_ms + V1_KEEP_ANSWER_MS;
	v1_qm_arm(qm);
	ike_log(engine, IKE_LOG_INFO,
		"%s: quick mode %08x done (responder): %s, rule %s, spi in %08x out %08x",
		v1_mm_text(mm, name), qm->message_id, v1_traffic_text(&qm->traffic, traffic),
		qm->rule.name, qm->spi_in, qm->spi_out);
	v1_quick_count_limit(mm);
}
