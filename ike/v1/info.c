/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Informational exchanges (RFC 2409 5.7): deletes and notifies.
 *
 *	HDR*, HASH(1), N/D	-->
 *
 * Only what carries a valid HASH(1) under an established main mode can change
 * anything. What comes in the clear is counted, said in the log at a limited
 * rate, and remembered as a hint for the reason of a failure, no more.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ike/engine.h"
#include "util/addr.h"

/* ---------------------------------------------------------------- sending */

void v1_info_refuse(struct ike_engine *engine, const struct ike_path *path,
		    const struct ike_header *hdr, uint16_t type)
{
	struct ike_header answer = {.major = 1, .exchange = IKE_EXCHANGE_INFORMATIONAL};
	uint8_t mem[64];
	struct wire_buf wb;

	memcpy(answer.cookie_i, hdr->cookie_i, WIRE_COOKIE_LEN);
	memcpy(answer.cookie_r, hdr->cookie_r, WIRE_COOKIE_LEN);
	if (ike_random(engine, &answer.message_id, sizeof(answer.message_id)))
		return;
	wire_buf_init(&wb, mem, sizeof(mem));
	wire_msg_begin(&wb, &answer);
	wire_put_notify1(&wb, IKE_PROTO1_ISAKMP, NULL, 0, type, NULL, 0);
	if (wire_msg_end(&wb) || wb.len > hdr->length)
		return;
	if (ike_bucket_take(&engine->limits.answers, engine->now_ms))
		ike_send(engine, path, wb.p, wb.len);
}

/* Begins a protected informational message; the caller adds one payload and calls finish(). */
static int begin(struct v1_mm *mm, struct wire_buf *wb, uint8_t *mem, uint32_t *ret_message_id)
{
	int err;

	if (mm->state != V1_ESTABLISHED)
		return -ENOTCONN;
	do {
		err = ike_random(mm->engine, ret_message_id, sizeof(*ret_message_id));
		if (err)
			return err;
	} while (!*ret_message_id || v1_mm_id_used(mm, *ret_message_id));
	/*
	 * One key serves both directions: a message of ours that is sent back to us must not be
	 * taken for the peer's. Without room for the id it goes out all the same.
	 */
	v1_mm_id_remember(mm, *ret_message_id);
	v1_begin(wb, mem, mm, IKE_EXCHANGE_INFORMATIONAL, *ret_message_id);
	wire_put_payload_zero(wb, IKE_PAYLOAD_HASH, crypto_digest_len(mm->method.hash));
	return 0;
}

static int finish(struct v1_mm *mm, struct wire_buf *wb, uint32_t message_id)
{
	size_t hash_len = crypto_digest_len(mm->method.hash);
	size_t hash_at = WIRE_HEADER_LEN + 4, rest_at = hash_at + hash_len;
	uint8_t hash[CRYPTO_DIGEST_MAX], iv[CRYPTO_BLOCK_MAX];
	int err;

	if (wb->overflow)
		return -EMSGSIZE;
	err = ikev1_hash_1(&mm->keys, message_id, wb->p + rest_at, wb->len - rest_at, hash);
	if (err)
		return err;
	wire_patch(wb, hash_at, hash, hash_len);
	err = ikev1_phase2_iv(mm->method.hash, mm->method.cipher, mm->iv, message_id, iv);
	if (!err)
		err = v1_encrypt(mm, iv, wb);
	return err ? err : ike_send(mm->engine, &mm->path, wb->p, wb->len);
}

static void mm_spi(const struct v1_mm *mm, uint8_t ret[2 * WIRE_COOKIE_LEN])
{
	memcpy(ret, mm->cookie_i, WIRE_COOKIE_LEN);
	memcpy(ret + WIRE_COOKIE_LEN, mm->cookie_r, WIRE_COOKIE_LEN);
}

void v1_info_notify(struct v1_mm *mm, uint32_t spi, uint16_t type)
{
	uint8_t mem[V1_MESSAGE_MAX], bytes[2 * WIRE_COOKIE_LEN];
	uint32_t message_id;
	struct wire_buf wb;

	if (begin(mm, &wb, mem, &message_id))
		return;
	if (spi) {
		put_be32(bytes, spi);
		wire_put_notify1(&wb, IKE_PROTO1_ESP, bytes, 4, type, NULL, 0);
	} else {
		mm_spi(mm, bytes);
		wire_put_notify1(&wb, IKE_PROTO1_ISAKMP, bytes, sizeof(bytes), type, NULL, 0);
	}
	finish(mm, &wb, message_id);
}

void v1_info_delete_child(struct v1_mm *mm, uint32_t spi_in)
{
	uint8_t mem[V1_MESSAGE_MAX], bytes[4];
	uint32_t message_id;
	struct wire_buf wb;

	if (begin(mm, &wb, mem, &message_id))
		return;
	put_be32(bytes, spi_in);
	wire_put_delete1(&wb, IKE_PROTO1_ESP, 4, bytes, 1);
	if (!finish(mm, &wb, message_id))
		mm->engine->counters.deletes_out++;
}

void v1_info_delete_mm(struct v1_mm *mm)
{
	uint8_t mem[V1_MESSAGE_MAX], bytes[2 * WIRE_COOKIE_LEN];
	uint32_t message_id;
	struct wire_buf wb;

	if (begin(mm, &wb, mem, &message_id))
		return;
	mm_spi(mm, bytes);
	wire_put_delete1(&wb, IKE_PROTO1_ISAKMP, sizeof(bytes), bytes, 1);
	if (!finish(mm, &wb, message_id))
		mm->engine->counters.deletes_out++;
}

/* --------------------------------------------------------------- receiving */

/*
 * The peer should name its inbound SPI, which is our outbound one; some name the other. Only
 * pairs with this very peer are looked at.
 */
static struct v1_child *child_named(struct v1_mm *mm, uint32_t spi)
{
	struct v1_child *child = v1_child_by_out(mm->engine, &mm->path.remote, spi);

	if (child)
		return child;
	child = v1_child_by_in(mm->engine, spi);
	return child && xi_addr_equal(&child->path.remote, &mm->path.remote) ? child : NULL;
}

/* The quick mode that waited for the peer to confirm this SA has lost its purpose. */
static void end_unconfirmed(struct v1_mm *mm, uint32_t spi_in)
{
	struct v1_qm *qm;

	LIST_FOREACH(qm, &mm->qms, of_mm) {
		if (qm->state == V1_QM_R2_SENT && qm->spi_in == spi_in) {
			v1_qm_end(qm, -ECONNRESET, "deleted by the peer");
			return;
		}
	}
}

/* RFC 2408 5.14 and 5.15: ours, or 0 for ISAKMP itself; another one numbers things differently. */
static bool known_doi(uint32_t doi)
{
	return doi == 0 || doi == IKE_DOI_IPSEC;
}

static void take_delete(struct v1_mm *mm, const struct wire_payload *payload)
{
	struct ike_engine *engine = mm->engine;
	uint8_t own[2 * WIRE_COOKIE_LEN];
	struct wire_delete del;

	if (wire_delete_parse(1, payload->body, &del, NULL) || !known_doi(del.doi))
		return;
	mm_spi(mm, own);
	for (unsigned i = 0; i < del.count; i++) {
		struct wire_slice spi = wire_delete_spi(&del, i);

		if (del.protocol == IKE_PROTO1_ESP && spi.len == 4) {
			struct v1_child *child = child_named(mm, get_be32(spi.p));

			engine->counters.deletes_in += child != NULL;
			if (child) {
				v1_child_remove(child, true, false);
				end_unconfirmed(mm, child->spi_in);
			}
		} else if (del.protocol == IKE_PROTO1_ISAKMP && spi.len == sizeof(own) &&
			   !memcmp(spi.p, own, sizeof(own))) {
			engine->counters.deletes_in++;
			v1_mm_end(mm, "deleted by the peer");
		}
	}
}

/* The quick mode of ours that a refusal is about: by SPI, else the only one that waits. */
static struct v1_qm *refused_quick_mode(struct v1_mm *mm, const struct wire_notify *notify)
{
	struct v1_qm *qm, *only = NULL;
	unsigned waiting = 0;

	LIST_FOREACH(qm, &mm->qms, of_mm) {
		if (qm->state != V1_QM_I1_SENT)
			continue;
		if (notify->spi.len == 4 && get_be32(notify->spi.p) == qm->spi_in)
			return qm;
		only = qm;
		waiting++;
	}
	return waiting == 1 ? only : NULL;
}

static void take_refusal(struct v1_mm *mm, const struct wire_notify *notify)
{
	struct v1_qm *qm = refused_quick_mode(mm, notify);
	char number[IKE_NUMBER_TEXT], offer[IKE_REASON_MAX / 2], reason[IKE_REASON_MAX];

	if (!qm)
		return;
	v1_qm_methods_text(&qm->rule, offer, sizeof(offer));
	snprintf(reason, sizeof(reason),
		 "failure point peer: it refused quick mode with %s; we "
		 "offer [%s]",
		 ike_name_or_number(ike_notify_name(1, notify->type), notify->type, number), offer);
	v1_qm_end(qm, -ECONNREFUSED, reason);
}

static void take_notify(struct v1_mm *mm, const struct wire_payload *payload)
{
	struct ike_engine *engine = mm->engine;
	struct wire_notify notify;
	char name[V1_NAME], text[WIRE_TEXT];

	if (wire_notify_parse(1, payload->body, &notify, NULL) || !known_doi(notify.doi))
		return;
	engine->counters.notifies_in++;
	ike_log(engine, IKE_LOG_INFO, "%s: peer says %s", v1_mm_text(mm, name),
		wire_notify_text(1, &notify, text));
	if (notify.type == IKE_N1_NO_PROPOSAL_CHOSEN)
		engine->counters.no_proposal_in++;
	if (notify.type == IKE_N1_INITIAL_CONTACT)
		v1_mm_forget_before(mm);
	else if (notify.type && notify.type < IKE_N1_CONNECTED)
		take_refusal(mm, &notify);
}

static void feed_protected(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg,
			   size_t len)
{
	struct ike_engine *engine = mm->engine;
	uint8_t iv[CRYPTO_BLOCK_MAX], hash[CRYPTO_DIGEST_MAX];
	struct wire_error err = {"it could not be decrypted", 0};
	struct wire_chain chain;
	struct wire_slice rest;
	char name[V1_NAME], text[V1_NAME];

	if (!hdr->message_id || v1_mm_id_used(mm, hdr->message_id)) {
		engine->counters.dropped_malformed++;
		return;
	}
	if (ikev1_phase2_iv(mm->method.hash, mm->method.cipher, mm->iv, hdr->message_id, iv) ||
	    v1_decrypt(mm, iv, hdr, msg, len, &chain, &err) ||
	    v1_expect(V1_MSG_INFO_HASHED, &chain, &err)) {
		engine->counters.dropped_malformed++;
		ike_log_stranger(engine, "%s: informational dropped: %s", v1_mm_text(mm, name),
				 v1_error_text(&err, text));
		return;
	}
	rest = v1_behind_hash(&chain);
	if (ikev1_hash_1(&mm->keys, hdr->message_id, rest.p, rest.len, hash) ||
	    !v1_hash_is(&chain, mm, hash)) {
		engine->counters.dropped_bad_hash++;
		ike_log_stranger(engine, "%s: informational dropped: wrong HASH",
				 v1_mm_text(mm, name));
		return;
	}
	if (v1_mm_id_remember(mm, hdr->message_id))
		return;
	v1_sent_clear(&mm->sent); /* so message 6 has arrived */
	for (unsigned i = 0; i < chain.count && mm->state == V1_ESTABLISHED; i++) {
		if (chain.payload[i].type == IKE_PAYLOAD_DELETE)
			take_delete(mm, &chain.payload[i]);
		else if (chain.payload[i].type == IKE_PAYLOAD_NOTIFY)
			take_notify(mm, &chain.payload[i]);
	}
}

static void feed_plain(struct ike_engine *engine, struct v1_mm *mm, const struct ike_path *path,
		       const struct ike_header *hdr, const uint8_t *msg, size_t len)
{
	const struct wire_payload *payload;
	struct wire_error err = {0};
	struct wire_notify notify;
	struct wire_chain chain;
	char addr[XI_ADDR_STRLEN], text[WIRE_TEXT];

	if (wire_chain_parse(1, hdr->next_payload, msg + WIRE_HEADER_LEN, len - WIRE_HEADER_LEN,
			     WIRE_EXACT, &chain, &err) ||
	    v1_expect(V1_MSG_INFO_PLAIN, &chain, &err)) {
		engine->counters.dropped_malformed++;
		return;
	}
	payload = wire_chain_find(&chain, IKE_PAYLOAD_NOTIFY, 0);
	if (!payload || wire_notify_parse(1, payload->body, &notify, NULL))
		return;
	engine->counters.notifies_in++;
	if (notify.type == IKE_N1_NO_PROPOSAL_CHOSEN && mm && mm->initiator && mm->hs)
		engine->counters.no_proposal_in++;
	ike_log_stranger(engine, "%s says %s (unauthenticated, only noted)",
			 xi_addr_text(&path->remote, addr), wire_notify_text(1, &notify, text));
	if (mm && mm->hs && mm->initiator && notify.type && notify.type < IKE_N1_CONNECTED)
		mm->hs->peer_notify = notify.type;
}

void v1_info_feed(struct ike_engine *engine, struct v1_mm *mm, const struct ike_path *path,
		  const struct ike_header *hdr, const uint8_t *msg, size_t len)
{
	if (!(hdr->flags & IKE_FLAG1_ENCRYPTED)) {
		feed_plain(engine, mm, path, hdr, msg, len);
		return;
	}
	if (mm && mm->state == V1_ESTABLISHED)
		feed_protected(mm, hdr, msg, len);
	else
		engine->counters.dropped_unknown_spi++;
	v1_forget_plain(engine);
}
