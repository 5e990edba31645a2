/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Following an IKEv1 exchange far enough to decrypt it: the chosen cipher and
 * hash, both public values (the first IV is a hash of them), and then the last
 * ciphertext block of phase 1 and of each phase 2 exchange (RFC 2409 appendix B).
 *
 * MD5 is here and nowhere else: old captures negotiated it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "decode/decode.h"
#include "ike/crypto/crypto.h"
#include "ike/wire/sa1.h"

#define EXCHANGES_MAX 64 /* message ids remembered; the oldest gives way */

/* The IV chain of one message id; 0 is phase 1 itself. */
struct exchange {
	uint32_t message_id;
	bool used;
	uint8_t iv[CRYPTO_BLOCK_MAX];	  /* for the next message */
	uint8_t before[CRYPTO_BLOCK_MAX]; /* what the last message was decrypted with */
	uint8_t digest[32]; /* of the last message: a retransmission is not the next one */
};

struct decode_v1 {
	struct xi_addr initiator;
	uint16_t hash; /* attribute value; 0 = not chosen yet */
	enum xi_cipher cipher;
	size_t gxi_len, gxr_len;
	uint8_t gxi[CRYPTO_DH_MAX], gxr[CRYPTO_DH_MAX];
	unsigned next; /* exchange to give way */
	struct exchange phase1, phase2[EXCHANGES_MAX];
};

void decode_v1_free(struct decode_v1 *session)
{
	free(session);
}

static void learn_choice(struct decode_v1 *session, struct wire_slice body)
{
	struct wire_sa_p1 *sa = malloc(sizeof(*sa));

	/* Only an answer names one transform; its hash may be one that we do not negotiate. */
	if (sa && !wire_sa_p1_parse(body, sa, NULL) && sa->count == 1) {
		const struct wire_transform1 *t = &sa->transform[0];

		for (int c = 0; c < XI_CIPHER_MAX; c++) {
			const struct xi_cipher_info *info = xi_cipher_info((enum xi_cipher)c);

			if (info->ike_id && info->ike_id == t->cipher &&
			    info->key_bits == t->key_bits) {
				session->cipher = (enum xi_cipher)c;
				session->hash = t->hash;
			}
		}
	}
	free(sa);
}

void decode_v1_learn(struct decode_v1 **session, const struct decoded *msg,
		     const struct wire_chain *chain)
{
	static const uint8_t zero[8];
	const struct wire_payload *sa = wire_chain_find(chain, IKE_PAYLOAD_SA, 0);
	const struct wire_payload *ke = wire_chain_find(chain, IKE_PAYLOAD_KE, 0);
	struct decode_v1 *s = *session;
	bool initiator;

	if (msg->hdr.exchange != IKE_EXCHANGE_MAIN && msg->hdr.exchange != IKE_EXCHANGE_AGGRESSIVE)
		return;
	if (!s) {
		s = *session = calloc(1, sizeof(*s));
		if (!s)
			return;
		/* Without the first message, the side that answers is taken for the other. */
		s->initiator = msg->src;
	}
	if (!memcmp(msg->hdr.cookie_r, zero, 8))
		s->initiator = msg->src;
	else if (sa)
		learn_choice(s, sa->body);
	if (!ke || ke->body.len > CRYPTO_DH_MAX)
		return;
	initiator = !memcmp(&msg->src, &s->initiator, sizeof(msg->src));
	memcpy(initiator ? s->gxi : s->gxr, ke->body.p, ke->body.len);
	*(initiator ? &s->gxi_len : &s->gxr_len) = ke->body.len;
}

static int hash_two(uint16_t hash, const void *a, size_t a_len, const void *b, size_t b_len,
		    uint8_t ret[CRYPTO_DIGEST_MAX])
{
	const struct crypto_part parts[] = {{a, a_len}, {b, b_len}};
	EVP_MD_CTX *ctx;
	int ok;

	for (int h = XI_INTEG_NONE + 1; h < XI_INTEG_MAX; h++)
		if (xi_integ_info((enum xi_integ)h)->ike_id == hash)
			return crypto_hash((enum xi_integ)h, parts, 2, ret);
	if (hash != IKE_HASH1_MD5)
		return -ENOENT;
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) && EVP_DigestUpdate(ctx, a, a_len) &&
	     EVP_DigestUpdate(ctx, b, b_len) && EVP_DigestFinal_ex(ctx, ret, NULL);
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

/* The chain of a message id, with its first IV if it is new. */
static int find_exchange(struct decode_v1 *s, uint32_t message_id, struct exchange **ret)
{
	size_t block = xi_cipher_info(s->cipher)->block_len;
	uint8_t digest[CRYPTO_DIGEST_MAX], mid[4];
	struct exchange *exchange = &s->phase1;
	int rc;

	if (message_id) {
		for (unsigned i = 0; i < EXCHANGES_MAX; i++)
			if (s->phase2[i].used && s->phase2[i].message_id == message_id)
				return *ret = &s->phase2[i], 0;
		if (!s->phase1.used)
			return -ENOENT;
		exchange = &s->phase2[s->next++ % EXCHANGES_MAX];
		for (int i = 0; i < 4; i++)
			mid[i] = (uint8_t)(message_id >> (24 - 8 * i));
		rc = hash_two(s->hash, s->phase1.iv, block, mid, sizeof(mid), digest);
	} else {
		if (s->phase1.used)
			return *ret = exchange, 0;
		if (!s->gxi_len || !s->gxr_len)
			return -ENOENT;
		rc = hash_two(s->hash, s->gxi, s->gxi_len, s->gxr, s->gxr_len, digest);
	}
	if (rc)
		return rc;
	memset(exchange, 0, sizeof(*exchange));
	exchange->message_id = message_id;
	exchange->used = true;
	memcpy(exchange->iv, digest, block);
	*ret = exchange;
	return 0;
}

int decode_v1_decrypt(struct decode_v1 *session, const struct decode_key *key,
		      const struct ike_header *hdr, struct wire_slice in, uint8_t *out)
{
	const struct crypto_part whole = {in.p, in.len};
	uint8_t iv[CRYPTO_BLOCK_MAX], digest[CRYPTO_DIGEST_MAX];
	struct exchange *exchange;
	bool repeated;
	int rc;

	if (!session || !session->hash || key->e_len < xi_cipher_info(session->cipher)->key_len)
		return -ENOENT;
	if (!in.len || in.len % xi_cipher_info(session->cipher)->block_len)
		return -EBADMSG;
	rc = find_exchange(session, hdr->message_id, &exchange);
	if (!rc)
		rc = crypto_hash(XI_INTEG_SHA256, &whole, 1, digest);
	if (rc)
		return rc;
	repeated = !memcmp(digest, exchange->digest, sizeof(exchange->digest));
	if (!repeated) {
		memcpy(exchange->before, exchange->iv, sizeof(iv));
		memcpy(exchange->digest, digest, sizeof(exchange->digest));
	}
	memcpy(iv, exchange->before, sizeof(iv));
	rc = crypto_cbc_decrypt(session->cipher, key->ei, iv, in.p, in.len, out);
	if (rc)
		return rc;
	memcpy(exchange->iv, iv, sizeof(iv));
	return repeated;
}
