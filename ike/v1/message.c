/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One message: building, encrypting, decrypting, sending and sending again.
 * RFC 2408 3.1 (header), RFC 2409 5 and appendix B (encryption, padding, IV).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ike/engine.h"

void v1_begin(struct wire_buf *wb, void *mem, const struct v1_mm *mm, uint8_t exchange,
	      uint32_t message_id)
{
	struct ike_header hdr = {.major = 1, .exchange = exchange, .message_id = message_id};

	memcpy(hdr.cookie_i, mm->cookie_i, WIRE_COOKIE_LEN);
	memcpy(hdr.cookie_r, mm->cookie_r, WIRE_COOKIE_LEN);
	wire_buf_init(wb, mem, V1_MESSAGE_MAX);
	wire_msg_begin(wb, &hdr);
}

int v1_encrypt(const struct v1_mm *mm, uint8_t iv[CRYPTO_BLOCK_MAX], struct wire_buf *wb)
{
	size_t len = wire_pad(wb, WIRE_HEADER_LEN, xi_cipher_info(mm->keys.cipher)->block_len);
	int err;

	wire_msg_set_flags(wb, IKE_FLAG1_ENCRYPTED);
	err = wire_msg_end(wb);
	if (err)
		return err;
	return crypto_cbc_encrypt(mm->keys.cipher, mm->keys.cipher_key, iv, wb->p + WIRE_HEADER_LEN,
				  len, wb->p + WIRE_HEADER_LEN);
}

int v1_decrypt(struct v1_mm *mm, uint8_t iv[CRYPTO_BLOCK_MAX], const struct ike_header *hdr,
	       const uint8_t *msg, size_t len, struct wire_chain *ret, struct wire_error *err)
{
	struct ike_engine *engine = mm->engine;
	size_t body = len - WIRE_HEADER_LEN, block = xi_cipher_info(mm->keys.cipher)->block_len;
	uint8_t next_iv[CRYPTO_BLOCK_MAX];

	if (!(hdr->flags & IKE_FLAG1_ENCRYPTED))
		return wire_bad(err, 0, "not encrypted, but must be");
	if (!body || body % block || body > sizeof(engine->plain))
		return wire_bad(err, 0, "the encrypted part is not a number of whole blocks");
	memcpy(next_iv, iv, sizeof(next_iv));
	engine->plain_len = body;
	if (crypto_cbc_decrypt(mm->keys.cipher, mm->keys.cipher_key, next_iv, msg + WIRE_HEADER_LEN,
			       body, engine->plain))
		return wire_bad(err, 0, "it could not be decrypted");
	if (wire_chain_parse(1, hdr->next_payload, engine->plain, body, WIRE_PADDED, ret, err))
		return -EBADMSG;
	memcpy(iv, next_iv, sizeof(next_iv));
	return 0;
}

void v1_forget_plain(struct ike_engine *engine)
{
	OPENSSL_cleanse(engine->plain, engine->plain_len);
	engine->plain_len = 0;
}

struct wire_slice v1_behind_hash(const struct wire_chain *chain)
{
	const struct wire_slice *first = &chain->payload[0].whole;
	const struct wire_slice *last = &chain->payload[chain->count - 1].whole;
	const uint8_t *from = first->p + first->len;

	return (struct wire_slice){from, (size_t)(last->p + last->len - from)};
}

int v1_send(struct ike_engine *engine, const struct ike_path *path, struct v1_sent *sent,
	    const struct wire_buf *wb)
{
	uint8_t *copy;

	if (wb->overflow)
		return -EMSGSIZE;
	copy = malloc(wb->len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, wb->p, wb->len);
	v1_sent_clear(sent);
	*sent = (struct v1_sent){
		.msg = copy, .len = wb->len, .tries = 1, .sent_ms = engine->now_ms};
	/* A send that fails is a lost datagram: retransmission takes care of it. */
	ike_send(engine, path, sent->msg, sent->len);
	return 0;
}

void v1_sent_clear(struct v1_sent *sent)
{
	free(sent->msg);
	*sent = (struct v1_sent){0};
}

void v1_resend(struct ike_engine *engine, const struct ike_path *path, struct v1_sent *sent)
{
	if (!sent->msg)
		return;
	sent->tries++;
	sent->sent_ms = engine->now_ms;
	engine->counters.retransmits++;
	ike_send(engine, path, sent->msg, sent->len);
}

void v1_repeat(struct ike_engine *engine, const struct ike_path *path, struct v1_sent *sent)
{
	if (!sent->msg || engine->now_ms - sent->sent_ms < V1_REPEAT_MS)
		return;
	sent->sent_ms = engine->now_ms;
	engine->counters.retransmits++;
	ike_send(engine, path, sent->msg, sent->len);
}

uint64_t v1_retry_at(const struct v1_sent *sent)
{
	return sent->sent_ms + ((uint64_t)V1_RETRY_MS << (sent->tries - 1));
}

const char *v1_error_text(const struct wire_error *err, char buf[V1_NAME])
{
	const char *payload = err->payload ? ike_payload_name(err->payload) : NULL;

	snprintf(buf, V1_NAME, "%s%s%s", payload ? payload : "", payload ? ": " : "",
		 err->why ? err->why : "not valid");
	return buf;
}

static int fingerprint(const void *msg, size_t len, uint8_t ret[CRYPTO_DIGEST_MAX])
{
	const struct crypto_part part = {msg, len};

	return crypto_hash(XI_INTEG_SHA256, &part, 1, ret);
}

bool v1_seen_match(const struct v1_seen *seen, const void *msg, size_t len)
{
	uint8_t digest[CRYPTO_DIGEST_MAX];

	return seen->any && !fingerprint(msg, len, digest) &&
	       !memcmp(digest, seen->digest, sizeof(seen->digest));
}

void v1_seen_set(struct v1_seen *seen, const void *msg, size_t len)
{
	uint8_t digest[CRYPTO_DIGEST_MAX];

	seen->any = !fingerprint(msg, len, digest);
	memcpy(seen->digest, digest, sizeof(seen->digest));
}

int v1_nonce_new(struct ike_engine *engine, struct v1_nonce *ret)
{
	int err = ike_random(engine, ret->b, V1_NONCE_LEN);

	if (!err)
		ret->len = V1_NONCE_LEN;
	return err;
}

int v1_dh_new(struct ike_engine *engine, enum xi_group group, struct crypto_dh **ret)
{
	const struct crypto_rng rng = {engine->ops.random, engine->ctx};

	return crypto_dh_new(group, &rng, ret);
}
