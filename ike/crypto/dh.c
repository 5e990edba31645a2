/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Diffie-Hellman in the MODP groups of RFC 2409 and RFC 3526, generator 2.
 *
 * All these primes are safe primes: the only elements of small order are 1 and
 * p-1, so a peer's value in 2..p-2 is enough of a check (RFC 6989 2.1).
 * Exponents are shorter than the prime, twice the strength of the group or
 * more (RFC 3526 section 8), which is what makes a main mode cheap.
 */
#include <errno.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>

#include "ike/crypto/crypto.h"

#define PRIVATE_MAX 48

struct crypto_dh {
	enum xi_group group;
	size_t len;
	BIGNUM *p, *x;
	uint8_t pub[CRYPTO_DH_MAX];
};

/* Exponent bytes. */
static size_t private_len(enum xi_group group)
{
	switch (group) {
	case XI_GROUP_MODP1024:
	case XI_GROUP_MODP1536:
	case XI_GROUP_MODP2048:
		return 32;
	case XI_GROUP_MODP3072:
		return 40;
	case XI_GROUP_MODP4096:
		return PRIVATE_MAX;
	case XI_GROUP_NONE:
	case XI_GROUP_MAX:
		break;
	}
	return 0;
}

static BIGNUM *prime_of(enum xi_group group)
{
	switch (group) {
	case XI_GROUP_MODP1024:
		return BN_get_rfc2409_prime_1024(NULL);
	case XI_GROUP_MODP1536:
		return BN_get_rfc3526_prime_1536(NULL);
	case XI_GROUP_MODP2048:
		return BN_get_rfc3526_prime_2048(NULL);
	case XI_GROUP_MODP3072:
		return BN_get_rfc3526_prime_3072(NULL);
	case XI_GROUP_MODP4096:
		return BN_get_rfc3526_prime_4096(NULL);
	case XI_GROUP_NONE:
	case XI_GROUP_MAX:
		break;
	}
	return NULL;
}

int crypto_dh_prime(enum xi_group group, uint8_t ret[CRYPTO_DH_MAX])
{
	BIGNUM *p = prime_of(group);
	int rc = -EINVAL;

	if (p && BN_bn2binpad(p, ret, xi_group_info(group)->pub_len) > 0)
		rc = 0;
	BN_free(p);
	return rc;
}

/* ret = base^x mod p in constant time, as exactly dh->len bytes; 0 and 1 are refused. */
static int power(const struct crypto_dh *dh, const BIGNUM *base, uint8_t *ret)
{
	BIGNUM *result = BN_secure_new();
	BN_CTX *ctx = BN_CTX_secure_new();
	int rc = -EIO;

	if (!result || !ctx) {
		rc = -ENOMEM;
		goto out;
	}
	if (BN_mod_exp_mont_consttime(result, base, dh->x, dh->p, ctx, NULL) != 1)
		goto out;
	if (BN_is_zero(result) || BN_is_one(result)) {
		rc = -EBADMSG;
		goto out;
	}
	if (BN_bn2binpad(result, ret, (int)dh->len) == (int)dh->len)
		rc = 0;
out:
	BN_CTX_free(ctx);
	BN_clear_free(result);
	return rc;
}

/* x is what the caller's generator gives, all of it. */
static int make_private(struct crypto_dh *dh, const struct crypto_rng *rng)
{
	uint8_t bytes[PRIVATE_MAX];
	size_t len = private_len(dh->group);
	int rc = rng->fn(rng->ctx, bytes, len);

	if (rc)
		goto out;
	dh->x = BN_secure_new();
	if (!dh->x || !BN_bin2bn(bytes, (int)len, dh->x)) {
		rc = -ENOMEM;
		goto out;
	}
	BN_set_flags(dh->x, BN_FLG_CONSTTIME);
out:
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return rc;
}

int crypto_dh_new(enum xi_group group, const struct crypto_rng *rng, struct crypto_dh **ret)
{
	struct crypto_dh *dh;
	BIGNUM *two = NULL;
	int rc;

	if (!private_len(group))
		return -EINVAL;
	dh = calloc(1, sizeof(*dh));
	if (!dh)
		return -ENOMEM;
	dh->group = group;
	dh->len = xi_group_info(group)->pub_len;
	dh->p = prime_of(group);
	two = BN_new();
	rc = -ENOMEM;
	if (!dh->p || !two || !BN_set_word(two, 2))
		goto out;
	rc = make_private(dh, rng);
	if (rc)
		goto out;
	rc = power(dh, two, dh->pub);
	if (rc)
		goto out;
	*ret = dh;
	dh = NULL;
out:
	BN_free(two);
	crypto_dh_free(dh);
	return rc;
}

void crypto_dh_free(struct crypto_dh *dh)
{
	if (!dh)
		return;
	BN_free(dh->p);
	BN_clear_free(dh->x);
	OPENSSL_cleanse(dh, sizeof(*dh));
	free(dh);
}

size_t crypto_dh_len(const struct crypto_dh *dh)
{
	return dh->len;
}

const uint8_t *crypto_dh_public(const struct crypto_dh *dh)
{
	return dh->pub;
}

/* 1 < y < p - 1? -EBADMSG if not. */
static int check_public(const struct crypto_dh *dh, const BIGNUM *y)
{
	BIGNUM *top = BN_dup(dh->p);
	int rc = -ENOMEM;

	if (!top || !BN_sub_word(top, 1))
		goto out;
	rc = BN_cmp(y, BN_value_one()) > 0 && BN_cmp(y, top) < 0 ? 0 : -EBADMSG;
out:
	BN_free(top);
	return rc;
}

int crypto_dh_derive(const struct crypto_dh *dh, const void *peer, size_t peer_len,
		     uint8_t ret[CRYPTO_DH_MAX])
{
	BIGNUM *y;
	int rc;

	if (peer_len != dh->len)
		return -EBADMSG;
	y = BN_bin2bn(peer, (int)peer_len, NULL);
	if (!y)
		return -ENOMEM;
	rc = check_public(dh, y);
	if (!rc)
		rc = power(dh, y, ret);
	BN_free(y);
	return rc;
}
