/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Choosing among proposals. The responder goes through its own list in its own
 * order of preference and takes the first that the peer offers at all; what it
 * can not do itself it never takes. When nothing fits, the report shows both
 * lists and the first attribute in which the two nearest entries differ.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ike/v1/v1.h"

/* A text that is cut with "..." when it does not fit. */
struct text {
	char *buf;
	size_t size, len;
};

static struct text text_in(char *buf, size_t size)
{
	buf[0] = '\0';
	return (struct text){buf, size, 0};
}

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *fmt, ...)
{
	va_list args;
	int n;

	if (text->len + 1 >= text->size)
		return;
	va_start(args, fmt);
	n = vsnprintf(text->buf + text->len, text->size - text->len, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	text->len += (size_t)n;
	if (text->len < text->size)
		return;
	text->len = text->size - 1;
	if (text->size > 4)
		memcpy(text->buf + text->size - 4, "...", 4);
}

uint32_t v1_shorter(uint32_t a, uint32_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

uint32_t v1_life_s(const struct ike_qm_method *method)
{
	return method->lifetime_s ? method->lifetime_s : V1_QM_LIFETIME_S;
}

uint32_t v1_life_kb(const struct ike_qm_method *method)
{
	return method->lifetime_kb ? method->lifetime_kb : V1_QM_LIFETIME_KB;
}

/* ------------------------------------------------------------------ phase 1 */

static void method_text(const struct ike_mm_method *method, char *buf, size_t size)
{
	snprintf(buf, size, "%s-%s-%s", xi_cipher_info(method->cipher)->name,
		 xi_integ_info(method->hash)->name, xi_group_info(method->group)->name);
}

void v1_methods_text(const struct ike_mm_method *methods, unsigned count, char *buf, size_t size)
{
	struct text text = text_in(buf, size);
	char one[64];

	for (unsigned i = 0; i < count; i++) {
		method_text(&methods[i], one, sizeof(one));
		text_add(&text, "%s%s", i ? ", " : "", one);
	}
}

static void offer_p1_text(const struct wire_sa_p1 *offer, char *buf, size_t size)
{
	struct text text = text_in(buf, size);
	char one[WIRE_TEXT];

	for (unsigned i = 0; i < offer->count; i++)
		text_add(&text, "%s%s", i ? "; " : "",
			 wire_transform1_text(&offer->transform[i], one, sizeof(one)));
}

struct comparison {
	const char *name; /* of an attribute */
	bool same;
};

/* Which attribute differs first, and how many agree. NULL: none. */
static const char *first_difference(const struct comparison *attribute, unsigned count,
				    unsigned *ret_agree)
{
	const char *first = NULL;

	*ret_agree = 0;
	for (unsigned i = 0; i < count; i++) {
		if (attribute[i].same)
			(*ret_agree)++;
		else if (!first)
			first = attribute[i].name;
	}
	return first;
}

static const char *differs_p1(const struct wire_transform1 *want, const struct wire_transform1 *got,
			      unsigned *ret_agree)
{
	const struct comparison attribute[] = {
		{"cipher", want->cipher == got->cipher},
		{"key length", want->key_bits == got->key_bits},
		{"hash", want->hash == got->hash},
		{"group", want->group == got->group},
		{"authentication method", want->auth == got->auth},
	};

	return first_difference(attribute, sizeof(attribute) / sizeof(*attribute), ret_agree);
}

static void explain_p1(const struct ike_mm_method *ours, unsigned count,
		       const struct wire_sa_p1 *offer, char *why, size_t size)
{
	char theirs[96], mine[96], one[WIRE_TEXT], want_text[64];
	unsigned best = 0, best_i = 0, best_j = 0;
	const char *what = NULL;
	struct text text = text_in(why, size);

	for (unsigned i = 0; i < count; i++) {
		struct wire_transform1 want;

		wire_transform1_set(&want, ours[i].cipher, ours[i].hash, ours[i].group,
				    IKE_AUTH1_PSK, 0);
		for (unsigned j = 0; j < offer->count; j++) {
			unsigned agree;
			const char *first = differs_p1(&want, &offer->transform[j], &agree);

			if (!first) /* all agree, so it was refused for another reason */
				first = offer->transform[j].problem;
			if (what && agree <= best)
				continue;
			what = first ? first : "lifetime";
			best = agree;
			best_i = i;
			best_j = j;
		}
	}
	offer_p1_text(offer, theirs, sizeof(theirs));
	v1_methods_text(ours, count, mine, sizeof(mine));
	if (what) {
		method_text(&ours[best_i], want_text, sizeof(want_text));
		text_add(&text, "nearest differ in %s (peer %s, here %s); ", what,
			 wire_transform1_text(&offer->transform[best_j], one, 64), want_text);
	}
	text_add(&text, "peer offers [%s], here [%s]", theirs, mine);
}

int v1_choose_p1(const struct ike_mm_method *ours, unsigned count, const struct wire_sa_p1 *offer,
		 const struct wire_transform1 **ret, struct ike_mm_method *ret_method, char *why,
		 size_t size)
{
	for (unsigned i = 0; i < count; i++) {
		for (unsigned j = 0; j < offer->count; j++) {
			const struct wire_transform1 *t = &offer->transform[j];

			if (t->problem || t->auth != IKE_AUTH1_PSK ||
			    t->xi_cipher != ours[i].cipher || t->xi_hash != ours[i].hash ||
			    t->xi_group != ours[i].group)
				continue;
			*ret = t;
			*ret_method = ours[i];
			return 0;
		}
	}
	explain_p1(ours, count, offer, why, size);
	return -ENOENT;
}

/* ------------------------------------------------------------------ phase 2 */

void v1_transform2_of(const struct ike_rule *rule, const struct ike_qm_method *method,
		      struct wire_transform2 *ret)
{
	wire_transform2_set(ret, method->cipher, method->integ, rule->pfs, IKE_ENCAP_TRANSPORT,
			    v1_life_s(method), v1_life_kb(method));
}

void v1_qm_methods_text(const struct ike_rule *rule, char *buf, size_t size)
{
	struct text text = text_in(buf, size);
	char one[WIRE_TEXT];

	for (unsigned i = 0; i < rule->qm_count && i < IKE_METHODS_MAX; i++) {
		struct wire_transform2 t;

		v1_transform2_of(rule, &rule->qm[i], &t);
		text_add(&text, "%s%s", i ? "; " : "", wire_transform2_text(&t, one, sizeof(one)));
	}
}

static void offer_p2_text(const struct wire_sa_p2 *offer, char *buf, size_t size)
{
	struct text text = text_in(buf, size);
	char one[WIRE_TEXT];

	for (unsigned i = 0; i < offer->count; i++)
		text_add(&text, "%s%s", i ? "; " : "",
			 wire_transform2_text(&offer->transform[i], one, sizeof(one)));
}

static const char *differs_p2(const struct wire_transform2 *want, const struct wire_transform2 *got,
			      unsigned *ret_agree)
{
	const struct comparison attribute[] = {
		{"protocol", want->protocol == got->protocol},
		{"encapsulation mode", want->encap == got->encap},
		{"cipher", want->id == got->id},
		{"key length", want->key_bits == got->key_bits},
		{"integrity", want->auth == got->auth},
		{"PFS group", want->group == got->group},
		{"sequence number length", want->esn == got->esn},
	};

	return first_difference(attribute, sizeof(attribute) / sizeof(*attribute), ret_agree);
}

static void explain_p2(const struct ike_rule *rule, const struct wire_sa_p2 *offer, char *why,
		       size_t size)
{
	char theirs[112], mine[112];
	const char *what = NULL;
	unsigned best = 0;
	struct text text = text_in(why, size);

	for (unsigned i = 0; i < rule->qm_count; i++) {
		struct wire_transform2 want;

		v1_transform2_of(rule, &rule->qm[i], &want);
		for (unsigned j = 0; j < offer->count; j++) {
			unsigned agree;
			const char *first = differs_p2(&want, &offer->transform[j], &agree);

			if (what && agree <= best)
				continue;
			if (!first)
				first = offer->transform[j].problem ? offer->transform[j].problem
								    : "combination of protocols";
			what = first;
			best = agree;
		}
	}
	offer_p2_text(offer, theirs, sizeof(theirs));
	v1_qm_methods_text(rule, mine, sizeof(mine));
	if (what)
		text_add(&text, "nearest differ in %s; ", what);
	text_add(&text, "peer offers [%s], here [%s]", theirs, mine);
}

static bool acceptable_p2(const struct ike_rule *rule, const struct ike_qm_method *method,
			  const struct wire_transform2 *t)
{
	if (t->problem || t->esn || t->encap != IKE_ENCAP_TRANSPORT ||
	    t->xi_cipher != method->cipher || t->xi_integ != method->integ)
		return false;
	/* More secrecy than asked for is welcome; less, or another group, is not. */
	return rule->pfs == XI_GROUP_NONE || t->xi_group == rule->pfs;
}

int v1_choose_p2(const struct ike_rule *rule, const struct wire_sa_p2 *offer,
		 struct v1_p2_choice *ret, char *why, size_t size)
{
	for (unsigned i = 0; i < rule->qm_count && i < IKE_METHODS_MAX; i++) {
		for (unsigned j = 0; j < offer->proposals; j += wire_sa_p2_bundle(offer, j)) {
			const struct wire_proposal *proposal = &offer->proposal[j];

			if (wire_sa_p2_bundle(offer, j) != 1 || rule->qm[i].protocol != 50 ||
			    proposal->protocol != IKE_PROTO1_ESP || proposal->spi.len != 4 ||
			    get_be32(proposal->spi.p) < 256)
				continue;
			for (unsigned k = 0; k < proposal->count; k++) {
				const struct wire_transform2 *t =
					&offer->transform[proposal->first + k];

				if (!acceptable_p2(rule, &rule->qm[i], t))
					continue;
				*ret = (struct v1_p2_choice){proposal, t, &rule->qm[i],
							     get_be32(proposal->spi.p)};
				return 0;
			}
		}
	}
	explain_p2(rule, offer, why, size);
	return -ENOENT;
}
