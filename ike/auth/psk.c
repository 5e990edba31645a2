/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Authentication with a preshared key (RFC 2409 5.4). The key itself is not
 * here: whoever holds it computes SKEYID from the nonces. Main mode finds the
 * key by the address pair, through the rule; identities come too late for it.
 *
 * Weak spot: all rules between two addresses share the key of the first one.
 */
#include <string.h>

#include <openssl/crypto.h>

#include "ike/engine.h"

int v1_psk_skeyid(struct v1_mm *mm, uint8_t ret[CRYPTO_DIGEST_MAX])
{
	struct ike_engine *engine = mm->engine;
	const struct v1_key_exchange *kex = mm->hs->kex;
	uint8_t skeyid[IKE_SKEYID_MAX];
	int err;

	_Static_assert(IKE_SKEYID_MAX == CRYPTO_DIGEST_MAX, "SKEYID is a digest");
	err = engine->ops.psk_skeyid(engine->ctx, mm->secret, mm->method.hash, kex->ni.b,
				     kex->ni.len, kex->nr.b, kex->nr.len, skeyid);
	if (!err)
		memcpy(ret, skeyid, sizeof(skeyid));
	OPENSSL_cleanse(skeyid, sizeof(skeyid));
	return err;
}
