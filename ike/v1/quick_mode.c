/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quick mode (RFC 2409 5.5): what both roles share.
 *
 *	initiator					responder
 *	HDR*, HASH(1), SA, Ni [, KE] [, IDci, IDcr]	-->
 *		<--	HDR*, HASH(2), SA, Nr [, KE] [, IDci, IDcr]
 *	HDR*, HASH(3)					-->
 *
 * Transport mode only for now: the identities are the two hosts, with protocol
 * and port where the policy has them (RFC 2407 4.6.2).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ike/engine.h"

bool v1_hash_is(const struct wire_chain *chain, const struct v1_mm *mm,
		const uint8_t expected[CRYPTO_DIGEST_MAX])
{
	const struct wire_slice got = wire_chain_find(chain, IKE_PAYLOAD_HASH, 0)->body;
	size_t len = crypto_digest_len(mm->method.hash);

	return got.len == len && crypto_equal(got.p, expected, len);
}

void v1_quick_put_ids(const struct v1_qm *qm, struct wire_buf *wb)
{
	const struct ike_traffic *t = &qm->traffic;
	uint8_t bits = t->local.family == 4 ? 32 : 128;
	const struct xi_prefix local = {t->local, bits}, remote = {t->remote, bits};

	if (qm->initiator) {
		wire_put_id1_prefix(wb, &local, t->proto, t->local_port);
		wire_put_id1_prefix(wb, &remote, t->proto, t->remote_port);
	} else {
		wire_put_id1_prefix(wb, &remote, t->proto, t->remote_port);
		wire_put_id1_prefix(wb, &local, t->proto, t->local_port);
	}
}

/* One direction: encryption key (with salt), then integrity key, out of KEYMAT. */
static int half_keys(const struct v1_qm *qm, const struct wire_transform2 *chosen,
		     const uint8_t *gxy, size_t gxy_len, uint32_t spi, struct xi_sa_half *ret)
{
	const struct xi_cipher_info *cipher = xi_cipher_info(chosen->xi_cipher);
	size_t cipher_len = cipher->key_len + cipher->salt_len;
	size_t integ_len = xi_integ_info(chosen->xi_integ)->key_len;
	uint8_t keymat[2 * XI_KEY_MAX];
	int err;

	if (cipher_len > XI_KEY_MAX || integ_len > XI_KEY_MAX)
		return -EINVAL;
	err = ikev1_keymat(&qm->mm->keys, gxy, gxy_len, chosen->protocol, spi, qm->ni.b, qm->ni.len,
			   qm->nr.b, qm->nr.len, keymat, cipher_len + integ_len);
	if (!err) {
		ret->spi = spi;
		memcpy(ret->cipher_key, keymat, cipher_len);
		memcpy(ret->integ_key, keymat + cipher_len, integ_len);
	}
	OPENSSL_cleanse(keymat, sizeof(keymat));
	return err;
}

static void describe(const struct v1_qm *qm, const struct wire_transform2 *chosen, uint32_t life_s,
		     uint32_t life_kb, struct xi_sa_params *ret)
{
	const struct ike_traffic *t = &qm->traffic;
	uint8_t bits = t->local.family == 4 ? 32 : 128;

	*ret = (struct xi_sa_params){
		.rule = qm->rule.rule,
		.generation = qm->generation,
		.replaces = qm->replaces,
		.local = t->local,
		.remote = t->remote,
		.sel = {.local = {t->local, bits},
			.remote = {t->remote, bits},
			.local_port = t->local_port,
			.remote_port = t->remote_port,
			.proto = t->proto},
		.protocol = 50,
		.mode = XI_MODE_TRANSPORT,
		.cipher = chosen->xi_cipher,
		.integ = chosen->xi_integ,
		.pfs = chosen->xi_group,
		.initiator = qm->initiator,
		.replay_window = V1_REPLAY_WINDOW,
		.lifetime_s = life_s,
		.lifetime_kb = life_kb,
		.ike_spi_i = wire_cookie_number(qm->mm->cookie_i),
		.ike_spi_r = wire_cookie_number(qm->mm->cookie_r),
	};
}

int v1_quick_install(struct v1_qm *qm, const struct wire_transform2 *chosen, uint32_t life_s,
		     uint32_t life_kb, struct wire_slice peer_ke)
{
	struct ike_engine *engine = qm->engine;
	uint8_t gxy[CRYPTO_DH_MAX];
	const uint8_t *secret = NULL;
	struct xi_sa_params params;
	struct v1_child *child;
	size_t gxy_len = 0;
	int err = 0;

	describe(qm, chosen, life_s, life_kb, &params);
	if (chosen->xi_group != XI_GROUP_NONE) {
		err = crypto_dh_derive(qm->dh, peer_ke.p, peer_ke.len, gxy);
		if (err)
			goto out;
		secret = gxy;
		gxy_len = crypto_dh_len(qm->dh);
	}
	err = half_keys(qm, chosen, secret, gxy_len, qm->spi_in, &params.in);
	if (!err)
		err = half_keys(qm, chosen, secret, gxy_len, qm->spi_out, &params.out);
	if (err)
		goto out;
	child = v1_child_new(qm, life_s);
	if (!child) {
		err = -ENOMEM;
		goto out;
	}
	err = engine->ops.install_sa(engine->ctx, &params);
	if (err)
		v1_child_remove(child, false, false);
out:
	OPENSSL_cleanse(gxy, sizeof(gxy));
	OPENSSL_cleanse(&params, sizeof(params));
	return err;
}

void v1_quick_count_limit(struct v1_mm *mm)
{
	if (!mm->quick_mode_limit || mm->quick_modes < mm->quick_mode_limit ||
	    mm->retire_ms != IKE_NEVER)
		return;
	mm->retire_ms = mm->engine->now_ms + V1_RETIRE_MS;
	v1_mm_arm(mm);
}

void v1_quick_feed(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg, size_t len)
{
	struct ike_engine *engine = mm->engine;
	struct v1_qm *qm;

	if (mm->state != V1_ESTABLISHED || !hdr->message_id) {
		engine->counters.dropped_malformed++;
		return;
	}
	qm = v1_qm_find(mm, hdr->message_id);
	if (qm && v1_seen_match(&qm->seen, msg, len)) {
		v1_repeat(engine, &mm->path, &qm->sent);
		return;
	}
	if (!qm)
		v1_quick_message1(mm, hdr, msg, len);
	else if (qm->state == V1_QM_I1_SENT)
		v1_quick_message2(qm, hdr, msg, len);
	else if (qm->state == V1_QM_R2_SENT)
		v1_quick_message3(qm, hdr, msg, len);
	else
		engine->counters.dropped_malformed++;
	v1_forget_plain(engine);
}
