/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IKEv1 proposals as meaning. The structure was checked by wire_sa1_check();
 * here attributes become numbers, and numbers our algorithms, or a reason why
 * not. RFC 2409 appendix A, RFC 2407 4.4 and 4.5, RFC 3602 5.3, RFC 4106 8.
 *
 * Known weak spot: private Diffie-Hellman groups (attributes 5 to 10) are
 * never followed, even where they describe a group that has a number.
 */
#include <errno.h>
#include <string.h>

#include "ike/wire/sa1.h"
#include "ike/wire/sub.h"

#define TRANSFORM_LEN 8
#define SPI_LEN	      4
#define SPI_RESERVED  256 /* RFC 4303 2.1: 1..255 are reserved, 0 is local use */

/* What is common to the attribute lists of both phases. */
struct attr_state {
	uint32_t seen;	     /* bit per attribute type below 32 */
	uint32_t life_type;  /* of the type attribute before a duration; 0 = none pending */
	const char *problem; /* the first one */
};

static void problem(struct attr_state *st, const char *why)
{
	if (!st->problem)
		st->problem = why;
}

/* A basic attribute's value; sent in variable form it breaks RFC 2409 appendix A. */
static uint16_t basic(struct attr_state *st, const struct wire_attr *attr)
{
	if (!attr->basic) {
		problem(st, "a basic attribute in variable form");
		return 0;
	}
	return get_be16(attr->value.p);
}

/* Notes that a type below 32 came; types that come once only are refused the second time. */
static void once(struct attr_state *st, uint16_t type)
{
	if (st->seen & 1u << type)
		problem(st, "the same attribute twice");
	st->seen |= 1u << type;
}

/* The value of a basic attribute that comes once only. */
static uint16_t single(struct attr_state *st, const struct wire_attr *attr)
{
	once(st, attr->type);
	return basic(st, attr);
}

static void life_duration(struct attr_state *st, const struct wire_attr *attr, uint32_t *seconds,
			  uint32_t *kb)
{
	uint32_t *life = st->life_type == IKE_LIFE_SECONDS ? seconds
			 : st->life_type == IKE_LIFE_KB	   ? kb
							   : NULL;

	if (!life)
		problem(st, "a life duration without a life type");
	else if (*life)
		problem(st, "the same lifetime twice");
	else if (wire_attr_number(attr, life) || !*life)
		problem(st, "an impossible lifetime");
	st->life_type = 0;
}

static void unknown(unsigned *count, uint16_t *first, uint16_t type)
{
	if (!(*count)++)
		*first = type;
}

/* The attributes of a transform, one after the other, to the function that knows its phase. */
static int attrs_walk(struct wire_slice whole, struct attr_state *st, void *t,
		      void (*take)(void *t, struct attr_state *st, const struct wire_attr *attr),
		      struct wire_error *err)
{
	struct wire_slice attrs = {whole.p + TRANSFORM_LEN, whole.len - TRANSFORM_LEN};
	struct wire_attr attr;
	int rc;

	while ((rc = wire_attr_next(&attrs, &attr, err)) > 0)
		take(t, st, &attr);
	if (!rc && st->life_type)
		problem(st, "a life type without a duration");
	return rc;
}

/* What a phase does with the proposals of its SA payload, and with the transforms in each. */
struct sa_reader {
	int (*proposal)(void *sa, struct wire_proposal *proposal, struct wire_error *err);
	int (*transform)(void *sa, const struct wire_proposal *proposal, struct wire_slice whole,
			 struct wire_error *err);
};

/* body has passed wire_sa1_check(). A domain that is not ours says nothing to us: not read. */
static int sa_walk(struct wire_slice body, const struct sa_reader *reader, void *sa,
		   uint32_t *ret_doi, uint32_t *ret_situation, struct wire_error *err)
{
	struct wire_slice rest = {body.p + 8, body.len - 8}, transforms, whole;
	struct wire_proposal proposal;
	int rc;

	*ret_doi = get_be32(body.p);
	*ret_situation = get_be32(body.p + 4);
	if (*ret_doi != IKE_DOI_IPSEC || *ret_situation != IKE_SIT_IDENTITY)
		return 0;
	while ((rc = wire_proposal_next(&rest, &proposal, &transforms, err)) > 0) {
		rc = reader->proposal(sa, &proposal, err);
		if (rc)
			return rc;
		while ((rc = wire_sub_next(&transforms, IKE_PAYLOAD_TRANSFORM, TRANSFORM_LEN,
					   &whole, err)) > 0) {
			rc = reader->transform(sa, &proposal, whole, err);
			if (rc)
				return rc;
		}
		if (rc)
			return rc;
	}
	return rc;
}

static int group_of(uint16_t number, enum xi_group *ret)
{
	for (int g = XI_GROUP_NONE + 1; g < XI_GROUP_MAX; g++)
		if (xi_group_info((enum xi_group)g)->ike_id == number)
			return *ret = (enum xi_group)g, 0;
	return -ENOENT;
}

/* ------------------------------------------------------------------ phase 1 */

static void attr_p1(void *arg, struct attr_state *st, const struct wire_attr *attr)
{
	struct wire_transform1 *t = arg;

	switch (attr->type) {
	case IKE_ATTR_P1_CIPHER:
		t->cipher = single(st, attr);
		return;
	case IKE_ATTR_P1_HASH:
		t->hash = single(st, attr);
		return;
	case IKE_ATTR_P1_AUTH:
		t->auth = single(st, attr);
		return;
	case IKE_ATTR_P1_GROUP:
		t->group = single(st, attr);
		return;
	case IKE_ATTR_P1_PRF:
		t->prf = single(st, attr);
		return;
	case IKE_ATTR_P1_KEY_LENGTH:
		t->key_bits = single(st, attr);
		return;
	case IKE_ATTR_P1_LIFE_TYPE:
		st->life_type = basic(st, attr);
		return;
	case IKE_ATTR_P1_LIFE_DURATION:
		life_duration(st, attr, &t->life_s, &t->life_kb);
		return;
	case IKE_ATTR_P1_GSS_ID:
		t->gss_id = attr->value;
		return;
	}
	unknown(&t->unknown, &t->first_unknown, attr->type);
}

static const char *meaning_p1(struct wire_transform1 *t)
{
	bool cipher = false, hash = false;

	for (int c = 0; c < XI_CIPHER_MAX && !cipher; c++) {
		const struct xi_cipher_info *info = xi_cipher_info((enum xi_cipher)c);

		cipher = info->ike_id && info->ike_id == t->cipher && info->key_bits == t->key_bits;
		if (cipher)
			t->xi_cipher = (enum xi_cipher)c;
	}
	for (int h = XI_INTEG_NONE + 1; h < XI_INTEG_MAX && !hash; h++) {
		hash = xi_integ_info((enum xi_integ)h)->ike_id == t->hash;
		if (hash)
			t->xi_hash = (enum xi_integ)h;
	}
	if (t->id != IKE_TRANSFORM_KEY)
		return "an unknown transform";
	if (!t->cipher || !t->hash || !t->auth || !t->group)
		return "cipher, hash, authentication or group is missing";
	if (t->cipher == IKE_ENC1_AES && !t->key_bits)
		return "AES without a key length";
	if (!cipher)
		return "a cipher that is not supported";
	if (!hash)
		return "a hash that is not supported";
	if (group_of(t->group, &t->xi_group))
		return "a group that is not supported";
	if (t->prf)
		return "a prf that is not supported";
	if (t->unknown)
		return "an unknown attribute";
	return NULL;
}

static int proposal1(void *arg, struct wire_proposal *proposal, struct wire_error *err)
{
	struct wire_sa_p1 *sa = arg;

	if (proposal->protocol != IKE_PROTO1_ISAKMP)
		return wire_bad(err, IKE_PAYLOAD_SA, "a phase 1 proposal that is not ISAKMP");
	sa->proposals++;
	return 0;
}

static int transform1(void *arg, const struct wire_proposal *proposal, struct wire_slice whole,
		      struct wire_error *err)
{
	struct wire_sa_p1 *sa = arg;
	struct wire_transform1 *t = &sa->transform[sa->count++];
	struct attr_state st = {0};
	const char *why;
	int rc;

	memset(t, 0, sizeof(*t));
	t->proposal = proposal->number;
	t->number = whole.p[4];
	t->id = whole.p[5];
	t->whole = whole;
	rc = attrs_walk(whole, &st, t, attr_p1, err);
	if (rc)
		return rc;
	why = meaning_p1(t);
	t->problem = st.problem ? st.problem : why;
	return 0;
}

int wire_sa_p1_parse(struct wire_slice body, struct wire_sa_p1 *ret, struct wire_error *err)
{
	static const struct sa_reader reader = {proposal1, transform1};
	int rc = wire_sa1_check(body, err);

	if (rc)
		return rc;
	ret->proposals = ret->count = 0;
	return sa_walk(body, &reader, ret, &ret->doi, &ret->situation, err);
}

bool wire_transform1_same(const struct wire_transform1 *a, const struct wire_transform1 *b)
{
	return a->cipher == b->cipher && a->key_bits == b->key_bits && a->hash == b->hash &&
	       a->auth == b->auth && a->group == b->group && a->prf == b->prf;
}

/* ------------------------------------------------------------------ phase 2 */

static void attr_p2(void *arg, struct attr_state *st, const struct wire_attr *attr)
{
	struct wire_transform2 *t = arg;

	switch (attr->type) {
	case IKE_ATTR_P2_LIFE_TYPE:
		st->life_type = basic(st, attr);
		return;
	case IKE_ATTR_P2_LIFE_DURATION:
		life_duration(st, attr, &t->life_s, &t->life_kb);
		return;
	case IKE_ATTR_P2_GROUP:
		t->group = single(st, attr);
		return;
	case IKE_ATTR_P2_ENCAP:
		t->encap = single(st, attr);
		return;
	case IKE_ATTR_P2_AUTH:
		t->auth = single(st, attr);
		t->auth_present = true;
		return;
	case IKE_ATTR_P2_KEY_LENGTH:
		t->key_bits = single(st, attr);
		return;
	case IKE_ATTR_P2_ECN_TUNNEL: /* RFC 3168: changes nothing we do */
		once(st, attr->type);
		return;
	case IKE_ATTR_P2_ESN:
		t->esn = single(st, attr) == 1;
		return;
	}
	unknown(&t->unknown, &t->first_unknown, attr->type);
}

static const char *meaning_esp(struct wire_transform2 *t)
{
	const struct xi_cipher_info *info = NULL;

	for (int c = 0; c < XI_CIPHER_MAX; c++) {
		info = xi_cipher_info((enum xi_cipher)c);
		t->xi_cipher = (enum xi_cipher)c;
		if (info->esp_id == t->id && info->key_bits == t->key_bits)
			break;
		info = NULL;
	}
	if (!info)
		return t->id == IKE_ESP_AES_CBC && !t->key_bits ? "AES without a key length"
								: "a cipher that is not supported";
	if (info->tag_len)
		return t->auth ? "an authentication algorithm beside an AEAD cipher" : NULL;
	if (t->xi_cipher == XI_CIPHER_NULL && t->xi_integ == XI_INTEG_NONE)
		return "neither encryption nor authentication";
	return NULL;
}

static const char *meaning_p2(struct wire_transform2 *t)
{
	bool integ = !t->auth;

	t->xi_cipher = XI_CIPHER_NULL;
	t->xi_integ = XI_INTEG_NONE;
	t->xi_group = XI_GROUP_NONE;
	for (int i = XI_INTEG_NONE + 1; i < XI_INTEG_MAX && t->auth && !integ; i++) {
		integ = xi_integ_info((enum xi_integ)i)->doi_id == t->auth;
		if (integ)
			t->xi_integ = (enum xi_integ)i;
	}
	if (!integ)
		return "an authentication algorithm that is not supported";
	if (t->group && group_of(t->group, &t->xi_group))
		return "a group that is not supported";
	if (t->unknown)
		return "an unknown attribute";
	if (t->protocol == IKE_PROTO1_ESP)
		return meaning_esp(t);
	if (t->protocol != IKE_PROTO1_AH)
		return "a protocol that is not supported";
	if (!t->auth)
		return "AH without an authentication algorithm";
	/* RFC 2407 4.4.3: transform and attribute say the same thing and must agree. */
	return t->id == t->auth ? NULL : "an AH transform that contradicts its attribute";
}

static int spi_check(const struct wire_proposal *proposal, struct wire_error *err)
{
	if (proposal->protocol != IKE_PROTO1_ESP && proposal->protocol != IKE_PROTO1_AH)
		return 0;
	if (proposal->spi.len != SPI_LEN)
		return wire_bad(err, IKE_PAYLOAD_SA, "an ESP or AH proposal without a 4-byte SPI");
	if (get_be32(proposal->spi.p) < SPI_RESERVED)
		return wire_bad(err, IKE_PAYLOAD_SA, "a reserved SPI");
	return 0;
}

static int proposal2(void *arg, struct wire_proposal *proposal, struct wire_error *err)
{
	struct wire_sa_p2 *sa = arg;
	int rc = spi_check(proposal, err);

	if (rc)
		return rc;
	proposal->first = sa->count;
	sa->proposal[sa->proposals++] = *proposal;
	return 0;
}

static int transform2(void *arg, const struct wire_proposal *proposal, struct wire_slice whole,
		      struct wire_error *err)
{
	struct wire_sa_p2 *sa = arg;
	struct wire_transform2 *t = &sa->transform[sa->count++];
	struct attr_state st = {0};
	const char *why;
	int rc;

	memset(t, 0, sizeof(*t));
	t->number = whole.p[4];
	t->id = whole.p[5];
	t->protocol = proposal->protocol;
	t->whole = whole;
	rc = attrs_walk(whole, &st, t, attr_p2, err);
	if (rc)
		return rc;
	why = meaning_p2(t);
	t->problem = st.problem ? st.problem : why;
	return 0;
}

int wire_sa_p2_parse(struct wire_slice body, struct wire_sa_p2 *ret, struct wire_error *err)
{
	static const struct sa_reader reader = {proposal2, transform2};
	int rc = wire_sa1_check(body, err);

	if (rc)
		return rc;
	ret->proposals = ret->count = 0;
	return sa_walk(body, &reader, ret, &ret->doi, &ret->situation, err);
}

unsigned wire_sa_p2_bundle(const struct wire_sa_p2 *sa, unsigned at)
{
	unsigned end = at + 1;

	while (end < sa->proposals && sa->proposal[end].number == sa->proposal[at].number)
		end++;
	return end - at;
}

bool wire_transform2_same(const struct wire_transform2 *a, const struct wire_transform2 *b)
{
	return a->protocol == b->protocol && a->id == b->id && a->key_bits == b->key_bits &&
	       a->auth == b->auth && a->encap == b->encap && a->group == b->group &&
	       a->esn == b->esn;
}
