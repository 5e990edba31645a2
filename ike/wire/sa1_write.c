/* SPDX-License-Identifier: BSD-2-Clause */
/* IKEv1 SA payloads going out, and transforms as text. See sa1.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ike/wire/msg.h"
#include "ike/wire/sa1.h"

#define ATTR_BASIC 0x8000

/* ------------------------------------------------------------------ pieces */

static void put_basic(struct wire_buf *wb, uint16_t type, uint16_t value)
{
	wire_put16(wb, type | ATTR_BASIC);
	wire_put16(wb, value);
}

/* Type and duration are numbered one after the other in both phases. */
static void put_life(struct wire_buf *wb, uint16_t type_attr, uint16_t life_type, uint32_t value)
{
	if (!value)
		return;
	put_basic(wb, type_attr, life_type);
	if (value <= UINT16_MAX) {
		put_basic(wb, type_attr + 1, (uint16_t)value);
		return;
	}
	wire_put16(wb, type_attr + 1);
	wire_put16(wb, 4);
	wire_put32(wb, value);
}

static size_t sub_begin(struct wire_buf *wb, uint8_t more)
{
	size_t mark = wb->len;

	wire_put8(wb, more);
	wire_put_zero(wb, 3);
	return mark;
}

static void sub_end(struct wire_buf *wb, size_t mark)
{
	wire_patch16(wb, mark + 2, (uint16_t)(wb->len - mark));
}

static size_t sa_begin(struct wire_buf *wb)
{
	size_t mark = wire_payload_begin(wb, IKE_PAYLOAD_SA);

	wire_put32(wb, IKE_DOI_IPSEC);
	wire_put32(wb, IKE_SIT_IDENTITY);
	return mark;
}

static size_t proposal_begin(struct wire_buf *wb, uint8_t number, uint8_t protocol,
			     const uint32_t *spi, unsigned count)
{
	size_t mark = sub_begin(wb, IKE_PAYLOAD_NONE);

	if (count > UINT8_MAX)
		wb->overflow = true;
	wire_put8(wb, number);
	wire_put8(wb, protocol);
	wire_put8(wb, spi ? sizeof(*spi) : 0);
	wire_put8(wb, (uint8_t)count);
	if (spi)
		wire_put32(wb, *spi);
	return mark;
}

static size_t transform_begin(struct wire_buf *wb, bool last, uint8_t number, uint8_t id)
{
	size_t mark = sub_begin(wb, last ? IKE_PAYLOAD_NONE : IKE_PAYLOAD_TRANSFORM);

	wire_put8(wb, number);
	wire_put8(wb, id);
	wire_put16(wb, 0);
	return mark;
}

/* A transform as the peer sent it, but alone now and therefore marked as the last. */
static void put_transform_copy(struct wire_buf *wb, struct wire_slice whole)
{
	const uint8_t last = IKE_PAYLOAD_NONE;
	size_t at = wb->len;

	wire_put(wb, whole.p, whole.len);
	wire_patch(wb, at, &last, 1);
}

/* ------------------------------------------------------------------ phase 1 */

void wire_transform1_set(struct wire_transform1 *t, enum xi_cipher cipher, enum xi_integ hash,
			 enum xi_group group, uint16_t auth, uint32_t life_s)
{
	memset(t, 0, sizeof(*t));
	t->id = IKE_TRANSFORM_KEY;
	t->cipher = xi_cipher_info(cipher)->ike_id;
	t->key_bits = xi_cipher_info(cipher)->key_bits;
	t->hash = xi_integ_info(hash)->ike_id;
	t->group = xi_group_info(group)->ike_id;
	t->auth = auth;
	t->life_s = life_s;
	t->xi_cipher = cipher;
	t->xi_hash = hash;
	t->xi_group = group;
	if (!t->cipher || !t->hash || !t->group)
		t->problem = "not a main mode method";
}

void wire_put_sa_p1(struct wire_buf *wb, const struct wire_transform1 *t, unsigned count)
{
	size_t sa = sa_begin(wb);
	size_t proposal = proposal_begin(wb, 1, IKE_PROTO1_ISAKMP, NULL, count);

	for (unsigned i = 0; i < count; i++, t++) {
		size_t mark = transform_begin(wb, i + 1 == count, (uint8_t)(i + 1),
					      IKE_TRANSFORM_KEY);

		put_basic(wb, IKE_ATTR_P1_CIPHER, t->cipher);
		if (t->key_bits)
			put_basic(wb, IKE_ATTR_P1_KEY_LENGTH, t->key_bits);
		put_basic(wb, IKE_ATTR_P1_HASH, t->hash);
		put_basic(wb, IKE_ATTR_P1_GROUP, t->group);
		put_basic(wb, IKE_ATTR_P1_AUTH, t->auth);
		put_life(wb, IKE_ATTR_P1_LIFE_TYPE, IKE_LIFE_SECONDS, t->life_s);
		put_life(wb, IKE_ATTR_P1_LIFE_TYPE, IKE_LIFE_KB, t->life_kb);
		sub_end(wb, mark);
	}
	sub_end(wb, proposal);
	wire_payload_end(wb, sa);
}

void wire_put_sa_p1_chosen(struct wire_buf *wb, const struct wire_transform1 *chosen)
{
	size_t sa = sa_begin(wb);
	size_t proposal = proposal_begin(wb, chosen->proposal, IKE_PROTO1_ISAKMP, NULL, 1);

	put_transform_copy(wb, chosen->whole);
	sub_end(wb, proposal);
	wire_payload_end(wb, sa);
}

/* ------------------------------------------------------------------ phase 2 */

void wire_transform2_set(struct wire_transform2 *t, enum xi_cipher cipher, enum xi_integ integ,
			 enum xi_group group, uint16_t encap, uint32_t life_s, uint32_t life_kb)
{
	memset(t, 0, sizeof(*t));
	t->protocol = IKE_PROTO1_ESP;
	t->id = xi_cipher_info(cipher)->esp_id;
	t->key_bits = xi_cipher_info(cipher)->key_bits;
	t->auth = xi_integ_info(integ)->doi_id;
	t->auth_present = t->auth;
	t->group = xi_group_info(group)->ike_id;
	t->encap = encap;
	t->life_s = life_s;
	t->life_kb = life_kb;
	t->xi_cipher = cipher;
	t->xi_integ = integ;
	t->xi_group = group;
}

void wire_put_sa_p2(struct wire_buf *wb, uint32_t spi, const struct wire_transform2 *t,
		    unsigned count)
{
	size_t sa = sa_begin(wb);
	size_t proposal = proposal_begin(wb, 1, IKE_PROTO1_ESP, &spi, count);

	for (unsigned i = 0; i < count; i++, t++) {
		size_t mark = transform_begin(wb, i + 1 == count, (uint8_t)(i + 1), t->id);

		if (t->group)
			put_basic(wb, IKE_ATTR_P2_GROUP, t->group);
		if (t->encap)
			put_basic(wb, IKE_ATTR_P2_ENCAP, t->encap);
		if (t->auth)
			put_basic(wb, IKE_ATTR_P2_AUTH, t->auth);
		if (t->key_bits)
			put_basic(wb, IKE_ATTR_P2_KEY_LENGTH, t->key_bits);
		put_life(wb, IKE_ATTR_P2_LIFE_TYPE, IKE_LIFE_SECONDS, t->life_s);
		put_life(wb, IKE_ATTR_P2_LIFE_TYPE, IKE_LIFE_KB, t->life_kb);
		sub_end(wb, mark);
	}
	sub_end(wb, proposal);
	wire_payload_end(wb, sa);
}

void wire_put_sa_p2_chosen(struct wire_buf *wb, const struct wire_proposal *proposal, uint32_t spi,
			   const struct wire_transform2 *chosen)
{
	size_t sa = sa_begin(wb);
	size_t mark = proposal_begin(wb, proposal->number, proposal->protocol, &spi, 1);

	put_transform_copy(wb, chosen->whole);
	sub_end(wb, mark);
	wire_payload_end(wb, sa);
}

/* ------------------------------------------------------------------ text */

/* Appends to a fixed buffer, which stays terminated; what does not fit is cut. */
struct text {
	char *buf;
	size_t size, at;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *text, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (text->at >= text->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text->buf + text->at, text->size - text->at, fmt, ap);
	va_end(ap);
	text->at += n > 0 ? (size_t)n : 0;
}

static void add_lifetimes(struct text *text, uint32_t seconds, uint32_t kb)
{
	if (seconds)
		add(text, ", %u s", seconds);
	if (kb)
		add(text, ", %u kB", kb);
}

const char *wire_transform1_text(const struct wire_transform1 *t, char *buf, size_t size)
{
	struct text text = {buf, size, 0};
	char name[IKE_NUMBER_TEXT];

	if (size)
		buf[0] = '\0';
	add(&text, "%s", ike_name_or_number(ike_cipher1_name(t->cipher), t->cipher, name));
	if (t->key_bits)
		add(&text, "%u", t->key_bits);
	add(&text, "-%s", ike_name_or_number(ike_hash1_name(t->hash), t->hash, name));
	add(&text, "-%s", ike_name_or_number(ike_group_name(t->group), t->group, name));
	add(&text, ", %s", ike_name_or_number(ike_auth1_name(t->auth), t->auth, name));
	add_lifetimes(&text, t->life_s, t->life_kb);
	return buf;
}

const char *wire_transform2_text(const struct wire_transform2 *t, char *buf, size_t size)
{
	struct text text = {buf, size, 0};
	char name[IKE_NUMBER_TEXT];

	if (size)
		buf[0] = '\0';
	add(&text, "%s ", ike_name_or_number(ike_protocol1_name(t->protocol), t->protocol, name));
	if (t->protocol == IKE_PROTO1_ESP) {
		/* Where the algorithm is ours, the name that the policy text uses. */
		if (!t->problem)
			add(&text, "%s", xi_cipher_info(t->xi_cipher)->name);
		else
			add(&text, "%s", ike_name_or_number(ike_esp_name(t->id), t->id, name));
		if (t->problem && t->key_bits)
			add(&text, "%u", t->key_bits);
		if (t->auth)
			add(&text, "-");
	}
	if (t->auth || t->protocol == IKE_PROTO1_AH)
		add(&text, "%s", ike_name_or_number(ike_auth_alg_name(t->auth), t->auth, name));
	if (t->encap)
		add(&text, ", %s", ike_name_or_number(ike_encap_name(t->encap), t->encap, name));
	if (t->group)
		add(&text, ", pfs %s",
		    ike_name_or_number(ike_group_name(t->group), t->group, name));
	if (t->esn)
		add(&text, ", esn");
	add_lifetimes(&text, t->life_s, t->life_kb);
	return buf;
}
