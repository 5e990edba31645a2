/* SPDX-License-Identifier: BSD-2-Clause */
/* Main mode, the side that starts: sends messages 1, 3, 5 and takes 2, 4, 6. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ike/engine.h"
#include "util/addr.h"

/* Offers only what main mode can do at all: CBC ciphers, a hash and a group. */
static void set_offer(struct v1_handshake *hs, const struct ike_rule *rule)
{
	for (uint8_t i = 0; i < rule->mm_count && i < IKE_METHODS_MAX; i++) {
		const struct ike_mm_method *m = &rule->mm[i];

		if (xi_cipher_info(m->cipher)->ike_id && xi_integ_info(m->hash)->ike_id &&
		    m->group != XI_GROUP_NONE)
			hs->offer[hs->offer_count++] = *m;
	}
}

static int send_message1(struct v1_mm *mm)
{
	struct wire_transform1 t[IKE_METHODS_MAX];
	uint8_t mem[V1_MESSAGE_MAX];
	struct wire_buf wb;
	int err;

	for (uint8_t i = 0; i < mm->hs->offer_count; i++) {
		const struct ike_mm_method *m = &mm->hs->offer[i];

		wire_transform1_set(&t[i], m->cipher, m->hash, m->group, IKE_AUTH1_PSK,
				    mm->lifetime_s);
	}
	v1_begin(&wb, mem, mm, IKE_EXCHANGE_MAIN, 0);
	wire_put_sa_p1(&wb, t, mm->hs->offer_count);
	err = wire_msg_end(&wb);
	if (err)
		return err;
	/* SAi_b: the body of the first payload. */
	mm->hs->sa_len = wb.len - WIRE_HEADER_LEN - 4;
	mm->hs->sa_b = malloc(mm->hs->sa_len);
	if (!mm->hs->sa_b)
		return -ENOMEM;
	memcpy(mm->hs->sa_b, mem + WIRE_HEADER_LEN + 4, mm->hs->sa_len);
	return v1_send(mm->engine, &mm->path, &mm->sent, &wb);
}

/*
 * A flood of wishes must neither fill the memory nor keep others from starting: at the limit the
 * oldest one that nobody has answered, not even the second time, makes room.
 */
static int make_room(struct ike_engine *engine)
{
	struct v1_mm *mm, *oldest = NULL;
	unsigned count = 0;

	LIST_FOREACH(mm, &engine->v1.mms, all) {
		if (!mm->initiator || mm->state == V1_ESTABLISHED || mm->state == V1_DEAD)
			continue;
		count++;
		if (mm->state == V1_MM_I1_SENT && mm->sent.tries > 1 &&
		    (!oldest || mm->created_seq < oldest->created_seq))
			oldest = mm;
	}
	if (count < IKE_STARTED_MAX)
		return 0;
	engine->counters.dropped_limit++;
	if (!oldest)
		return -EBUSY;
	v1_mm_end(oldest, "failure point me: too many negotiations at once, and this one had no "
			  "answer");
	return 0;
}

int v1_main_start(struct ike_engine *engine, const struct ike_rule *rule,
		  const struct xi_addr *local, const struct xi_addr *remote, struct v1_mm **ret)
{
	const struct ike_path path = {*local, *remote, IKE_PORT, IKE_PORT};
	char name[V1_NAME];
	struct v1_mm *mm;
	int err = make_room(engine);

	if (err)
		return err;
	mm = v1_mm_new(engine, &path, true);
	if (!mm)
		return -ENOMEM;
	mm->lifetime_s = rule->mm_lifetime_s ? rule->mm_lifetime_s : V1_MM_LIFETIME_S;
	mm->quick_mode_limit = rule->qm_per_mm;
	mm->first_contact = !v1_knows_peer(engine, remote);
	memcpy(mm->rule, rule->name, sizeof(mm->rule));
	set_offer(mm->hs, rule);
	err = -EINVAL;
	if (!mm->hs->offer_count || !ike_rule_psk(rule, &mm->secret))
		goto out;
	do {
		err = ike_random(engine, mm->cookie_i, sizeof(mm->cookie_i));
		if (err)
			goto out;
	} while (!wire_cookie_number(mm->cookie_i));
	err = send_message1(mm);
	if (err)
		goto out;
	v1_mm_index(mm);
	v1_mm_move(mm, V1_MM_I1_SENT);
	v1_mm_arm(mm);
	ike_log(engine, IKE_LOG_DEBUG, "%s (initiator): started for rule %s", v1_mm_text(mm, name),
		mm->rule);
	*ret = mm;
	return 0;
out:
	v1_mm_end(mm, strerror(-err));
	return err;
}

/* Is it one of our offers, and which? */
static const struct ike_mm_method *our_offer(const struct v1_mm *mm,
					     const struct wire_transform1 *chosen)
{
	for (uint8_t i = 0; i < mm->hs->offer_count; i++) {
		const struct ike_mm_method *m = &mm->hs->offer[i];
		struct wire_transform1 t;

		wire_transform1_set(&t, m->cipher, m->hash, m->group, IKE_AUTH1_PSK, 0);
		if (!chosen->problem && wire_transform1_same(&t, chosen))
			return m;
	}
	return NULL;
}

static int send_message3(struct v1_mm *mm)
{
	struct v1_key_exchange *kex = v1_mm_kex(mm);
	int err;

	if (!kex)
		return -ENOMEM;
	crypto_dh_free(kex->dh);
	kex->dh = NULL;
	err = v1_dh_new(mm->engine, mm->method.group, &kex->dh);
	if (!err)
		err = v1_nonce_new(mm->engine, &kex->ni);
	return err ? err : v1_main_send_kex(mm, &kex->ni);
}

static void drop(struct v1_mm *mm, unsigned message, const char *why)
{
	char name[V1_NAME];

	ike_log_stranger(mm->engine, "%s: main mode message %u dropped: %s", v1_mm_text(mm, name),
			 message, why);
}

void v1_main_message2(struct v1_mm *mm, const struct wire_chain *chain)
{
	struct wire_sa_p1 sa;
	struct wire_error err = {"not exactly one proposal, or no responder cookie", 0};
	const struct ike_mm_method *method;
	char text[WIRE_TEXT];

	if (!wire_cookie_number(mm->cookie_r) ||
	    wire_sa_p1_parse(wire_chain_find(chain, IKE_PAYLOAD_SA, 0)->body, &sa, &err) ||
	    sa.count != 1) {
		mm->engine->counters.dropped_malformed++;
		drop(mm, 2, v1_error_text(&err, text));
		return;
	}
	method = our_offer(mm, &sa.transform[0]);
	if (!method) {
		mm->engine->counters.dropped_malformed++;
		ike_log_stranger(mm->engine,
				 "main mode message 2 dropped: peer chose %s, which "
				 "was not offered",
				 wire_transform1_text(&sa.transform[0], text, sizeof(text)));
		return;
	}
	mm->method = *method;
	if (send_message3(mm)) {
		drop(mm, 2, "out of memory or random numbers");
		return;
	}
	mm->lifetime_s = v1_shorter(mm->lifetime_s, sa.transform[0].life_s);
	v1_mm_move(mm, V1_MM_I3_SENT);
	v1_mm_arm(mm);
}

void v1_main_message4(struct v1_mm *mm, const struct wire_chain *chain)
{
	int err = v1_main_take_kex(mm, chain, &mm->hs->kex->nr);
	char reason[IKE_REASON_MAX];

	if (!err)
		err = v1_main_keys(mm);
	if (err == -EBADMSG) {
		mm->engine->counters.dropped_malformed++;
		drop(mm, 4, "key exchange or nonce is not valid");
		return;
	}
	if (err) {
		v1_mm_end(mm, v1_main_own_failure(err, reason, sizeof(reason)));
		return;
	}
	if (v1_main_send_id(mm)) {
		drop(mm, 4, "message 5 could not be made");
		return;
	}
	v1_mm_move(mm, V1_MM_I5_SENT);
	v1_mm_arm(mm);
}

void v1_main_message6(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg,
		      size_t len)
{
	struct wire_error err = {0};
	bool initial_contact = false;
	uint8_t iv[CRYPTO_BLOCK_MAX];
	char text[V1_NAME];

	if (v1_main_take_id(mm, hdr, msg, len, iv, &initial_contact, &err)) {
		drop(mm, 6, v1_error_text(&err, text));
		return;
	}
	memcpy(mm->iv, iv, sizeof(iv));
	v1_sent_clear(&mm->sent);
	v1_mm_established(mm, initial_contact);
}
