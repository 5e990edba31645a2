/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Main mode (RFC 2409 5.4): what both roles share, and the way of a message to
 * the function of its state.
 *
 *	initiator			responder
 *	HDR, SA			-->				message 1
 *				<--	HDR, SA			message 2
 *	HDR, KE, Ni		-->				message 3
 *				<--	HDR, KE, Nr		message 4
 *	HDR*, IDii, HASH_I	-->				message 5
 *				<--	HDR*, IDir, HASH_R	message 6
 *
 * A message that fails any check changes nothing: the exchange goes on waiting
 * for a good one until its timer ends it. So a stranger who injects garbage
 * cannot end a negotiation.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ike/engine.h"
#include "util/addr.h"

int v1_main_keys(struct v1_mm *mm)
{
	struct v1_key_exchange *kex = mm->hs->kex;
	uint8_t gxy[CRYPTO_DH_MAX], skeyid[CRYPTO_DIGEST_MAX];
	const uint8_t *mine = crypto_dh_public(kex->dh), *theirs = kex->peer;
	size_t len = crypto_dh_len(kex->dh);
	int err;

	err = crypto_dh_derive(kex->dh, kex->peer, len, gxy);
	if (err)
		goto out;
	err = v1_psk_skeyid(mm, skeyid);
	if (err)
		goto out;
	err = ikev1_keys_derive(mm->method.hash, mm->method.cipher, skeyid, gxy, len, mm->cookie_i,
				mm->cookie_r, &mm->keys);
	if (err)
		goto out;
	err = ikev1_phase1_iv(mm->method.hash, mm->method.cipher, mm->initiator ? mine : theirs,
			      mm->initiator ? theirs : mine, len, mm->iv);
out:
	OPENSSL_cleanse(gxy, sizeof(gxy));
	OPENSSL_cleanse(skeyid, sizeof(skeyid));
	return err;
}

const char *v1_main_own_failure(int err, char *buf, size_t size)
{
	if (err == -ENOKEY || err == -ENOENT)
		snprintf(buf, size, "failure point me: the preshared key is not available");
	else
		snprintf(buf, size, "failure point me: keys could not be made: %s", strerror(-err));
	return buf;
}

int v1_main_take_kex(struct v1_mm *mm, const struct wire_chain *chain, struct v1_nonce *ret_nonce)
{
	const struct wire_slice ke = wire_chain_find(chain, IKE_PAYLOAD_KE, 0)->body;
	const struct wire_slice nonce = wire_chain_find(chain, IKE_PAYLOAD_NONCE, 0)->body;

	if (ke.len != xi_group_info(mm->method.group)->pub_len)
		return -EBADMSG;
	if (nonce.len < WIRE_NONCE_MIN || nonce.len > WIRE_NONCE_MAX)
		return -EBADMSG;
	memcpy(mm->hs->kex->peer, ke.p, ke.len);
	memcpy(ret_nonce->b, nonce.p, nonce.len);
	ret_nonce->len = (uint16_t)nonce.len;
	return 0;
}

int v1_main_send_kex(struct v1_mm *mm, const struct v1_nonce *nonce)
{
	const struct crypto_dh *dh = mm->hs->kex->dh;
	uint8_t mem[V1_MESSAGE_MAX];
	struct wire_buf wb;
	int err;

	v1_begin(&wb, mem, mm, IKE_EXCHANGE_MAIN, 0);
	wire_put_payload(&wb, IKE_PAYLOAD_KE, crypto_dh_public(dh), crypto_dh_len(dh));
	wire_put_payload(&wb, IKE_PAYLOAD_NONCE, nonce->b, nonce->len);
	err = wire_msg_end(&wb);
	return err ? err : v1_send(mm->engine, &mm->path, &mm->sent, &wb);
}

/* HASH_I when the sender is the initiator, HASH_R when it is the responder. */
static int hash_of(const struct v1_mm *mm, bool by_initiator, struct wire_slice id_b,
		   uint8_t ret[CRYPTO_DIGEST_MAX])
{
	const struct v1_key_exchange *kex = mm->hs->kex;
	const uint8_t *mine = crypto_dh_public(kex->dh);
	bool by_us = by_initiator == mm->initiator;

	return ikev1_hash_phase1(&mm->keys, by_us ? mine : kex->peer, by_us ? kex->peer : mine,
				 crypto_dh_len(kex->dh), by_initiator ? mm->cookie_i : mm->cookie_r,
				 by_initiator ? mm->cookie_r : mm->cookie_i, mm->hs->sa_b,
				 mm->hs->sa_len, id_b.p, id_b.len, ret);
}

int v1_main_send_id(struct v1_mm *mm)
{
	const struct xi_prefix self = {mm->path.local, mm->path.local.family == 4 ? 32 : 128};
	uint8_t mem[V1_MESSAGE_MAX], hash[CRYPTO_DIGEST_MAX], spi[2 * WIRE_COOKIE_LEN];
	uint8_t iv[CRYPTO_BLOCK_MAX];
	struct wire_buf wb;
	size_t id_at;
	int err;

	v1_begin(&wb, mem, mm, IKE_EXCHANGE_MAIN, 0);
	id_at = wb.len + 4; /* behind the generic header */
	wire_put_id1_prefix(&wb, &self, 0, 0);
	err = hash_of(mm, mm->initiator, (struct wire_slice){mem + id_at, wb.len - id_at}, hash);
	if (err)
		return err;
	if (mm->first_contact) {
		memcpy(spi, mm->cookie_i, WIRE_COOKIE_LEN);
		memcpy(spi + WIRE_COOKIE_LEN, mm->cookie_r, WIRE_COOKIE_LEN);
		wire_put_notify1(&wb, IKE_PROTO1_ISAKMP, spi, sizeof(spi), IKE_N1_INITIAL_CONTACT,
				 NULL, 0);
	}
	/*
	 * HASH last: it covers the identity but not the notify, and the last cipher block, which
	 * the next message is chained to, must not be alterable without breaking HASH.
	 */
	wire_put_payload(&wb, IKE_PAYLOAD_HASH, hash, crypto_digest_len(mm->method.hash));
	memcpy(iv, mm->iv, sizeof(iv));
	err = v1_encrypt(mm, iv, &wb);
	if (err)
		return err;
	err = v1_send(mm->engine, &mm->path, &mm->sent, &wb);
	if (!err)
		memcpy(mm->iv, iv, sizeof(iv));
	return err;
}

/* In phase 1 the port of an identity is 0 or that of IKE itself (RFC 2407 4.6.2). */
static bool phase1_id_allowed(const struct wire_id *id)
{
	return (id->protocol == 0 || id->protocol == 17) &&
	       (id->port == 0 || id->port == 500 || id->port == 4500);
}

/*
 * With a key that both ends share, what we sent ourselves would verify: so nobody may come to
 * us under our own address.
 */
static bool claims_to_be_us(const struct v1_mm *mm, const struct wire_id *id)
{
	struct xi_prefix prefix;

	return !wire_id_prefix(id, &prefix) && xi_prefix_covers(&prefix, &mm->path.local);
}

static bool has_initial_contact(const struct wire_chain *chain)
{
	const struct wire_payload *payload;
	struct wire_notify notify;

	for (unsigned i = 0; (payload = wire_chain_find(chain, IKE_PAYLOAD_NOTIFY, i)); i++) {
		if (!wire_notify_parse(1, payload->body, &notify, NULL) &&
		    notify.type == IKE_N1_INITIAL_CONTACT)
			return true;
	}
	return false;
}

/* The identity is whose it may be and the HASH proves it; peer_id is set then. */
static int check_id(struct v1_mm *mm, const struct wire_chain *chain, bool *ret_initial_contact,
		    struct wire_error *err)
{
	uint8_t expected[CRYPTO_DIGEST_MAX];
	char text[WIRE_TEXT];
	struct wire_slice id_b;
	struct wire_id id;

	if (v1_expect(V1_MSG_MM56, chain, err))
		return -EBADMSG;
	id_b = wire_chain_find(chain, IKE_PAYLOAD_ID, 0)->body;
	if (wire_id_parse(1, id_b, &id, err))
		return -EBADMSG;
	if (hash_of(mm, !mm->initiator, id_b, expected))
		return wire_bad(err, IKE_PAYLOAD_HASH, "the HASH cannot be verified");
	if (!v1_hash_is(chain, mm, expected)) {
		mm->engine->counters.dropped_bad_hash++;
		return wire_bad(err, IKE_PAYLOAD_HASH, "the HASH is wrong");
	}
	if (!phase1_id_allowed(&id))
		return wire_bad(err, IKE_PAYLOAD_ID, "the identity has a foreign port");
	if (claims_to_be_us(mm, &id))
		return wire_bad(err, IKE_PAYLOAD_ID, "the identity is our own address");
	snprintf(mm->peer_id, sizeof(mm->peer_id), "%s", wire_id_text(&id, text));
	*ret_initial_contact = has_initial_contact(chain);
	return 0;
}

int v1_main_take_id(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg, size_t len,
		    uint8_t ret_iv[CRYPTO_BLOCK_MAX], bool *ret_initial_contact,
		    struct wire_error *err)
{
	uint8_t iv[CRYPTO_BLOCK_MAX];
	struct wire_chain chain;

	memcpy(iv, mm->iv, sizeof(iv));
	if (v1_decrypt(mm, iv, hdr, msg, len, &chain, err) ||
	    check_id(mm, &chain, ret_initial_contact, err)) {
		mm->engine->counters.auth_failures++;
		return -EBADMSG;
	}
	memcpy(ret_iv, iv, sizeof(iv));
	return 0;
}

/* ------------------------------------------------------------------ dispatch */

/* Messages 2, 3 and 4 are in the clear and have one payload table each. */
static void feed_clear(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg,
		       size_t len)
{
	struct ike_engine *engine = mm->engine;
	enum v1_message message = mm->state == V1_MM_I1_SENT ? V1_MSG_MM2 : V1_MSG_MM34;
	struct wire_error err = {"encrypted too early", 0};
	struct wire_chain chain;
	enum v1_mm_state before = mm->state;
	char name[V1_NAME], text[V1_NAME];

	if ((hdr->flags & IKE_FLAG1_ENCRYPTED) ||
	    wire_chain_parse(1, hdr->next_payload, msg + WIRE_HEADER_LEN, len - WIRE_HEADER_LEN,
			     WIRE_EXACT, &chain, &err) ||
	    v1_expect(message, &chain, &err)) {
		engine->counters.dropped_malformed++;
		ike_log_stranger(engine, "%s: message dropped in %s: %s", v1_mm_text(mm, name),
				 v1_mm_state_name(mm->state), v1_error_text(&err, text));
		return;
	}
	if (mm->state == V1_MM_I1_SENT) {
		memcpy(mm->cookie_r, hdr->cookie_r, WIRE_COOKIE_LEN);
		v1_main_message2(mm, &chain);
		if (mm->state == before)
			memset(mm->cookie_r, 0, WIRE_COOKIE_LEN);
	} else if (mm->state == V1_MM_I3_SENT) {
		v1_main_message4(mm, &chain);
	} else {
		v1_main_message3(mm, &chain);
	}
}

static void feed_known(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg,
		       size_t len)
{
	enum v1_mm_state before = mm->state;

	if (v1_seen_match(&mm->seen, msg, len)) {
		/* Only a responder answers again: an initiator's answer repeats by timer. */
		if (!mm->initiator)
			v1_repeat(mm->engine, &mm->path, &mm->sent);
		return;
	}
	switch (mm->state) {
	case V1_MM_I1_SENT:
	case V1_MM_I3_SENT:
	case V1_MM_R2_SENT:
		feed_clear(mm, hdr, msg, len);
		break;
	case V1_MM_I5_SENT:
		v1_main_message6(mm, hdr, msg, len);
		break;
	case V1_MM_R4_SENT:
		v1_main_message5(mm, hdr, msg, len);
		break;
	case V1_ESTABLISHED: /* nothing of main mode is expected any more */
		mm->engine->counters.dropped_malformed++;
		break;
	case V1_MM_NEW:
	case V1_DEAD:
	case V1_MM_STATE_MAX:
		break;
	}
	if (mm->state != before && mm->state != V1_DEAD)
		v1_seen_set(&mm->seen, msg, len);
	v1_forget_plain(mm->engine);
}

static bool is_zero(const uint8_t cookie[WIRE_COOKIE_LEN])
{
	static const uint8_t zero[WIRE_COOKIE_LEN];

	return !memcmp(cookie, zero, WIRE_COOKIE_LEN);
}

void v1_main_feed(struct ike_engine *engine, const struct ike_path *path,
		  const struct ike_header *hdr, const uint8_t *msg, size_t len)
{
	struct v1_mm *mm;

	if (hdr->message_id) {
		engine->counters.dropped_malformed++;
		return;
	}
	if (!is_zero(hdr->cookie_r)) {
		mm = v1_mm_find(engine, path, hdr);
		if (mm)
			feed_known(mm, hdr, msg, len);
		else
			engine->counters.dropped_unknown_spi++;
		return;
	}
	mm = v1_mm_find_first(engine, path, hdr->cookie_i);
	if (mm) {
		if (mm->state == V1_MM_R2_SENT && v1_seen_match(&mm->seen, msg, len))
			v1_repeat(engine, path, &mm->sent);
		return;
	}
	if (v1_mm_is_own_cookie(engine, hdr->cookie_i)) { /* our own message 1, reflected */
		engine->counters.dropped_malformed++;
		return;
	}
	v1_main_message1(engine, path, hdr, msg, len);
}
