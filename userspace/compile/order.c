/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of precedence between filters, and nothing else. docs/classifier.md
 * has the list in words. Windows does not publish its weights, so what is kept is
 * the order that its documented examples show: addresses before protocol before
 * ports, specific before general, block before negotiate before permit.
 */
#include <string.h>

#include "compile/image.h"
#include "util/addr.h"

static const char *const level_words[LEVEL_MAX] = {
#define LEVEL_X(NAME, word) word,
	FILTER_LEVELS(LEVEL_X)
#undef LEVEL_X
};

/* Block before negotiate before permit. */
static int action_rank(enum xi_action action)
{
	switch (action) {
	case XI_ACT_BLOCK:
		return 3;
	case XI_ACT_NEGOTIATE:
		return 2;
	case XI_ACT_PERMIT:
		return 1;
	case XI_ACT_NONE:
		break;
	}
	return 0;
}

static int local_len(const struct filter *f)
{
	return f->local_is_me ? xi_family_bits(f->family) : f->local.len;
}

/* Negative when a comes first at this level, 0 when it does not tell them apart. */
static int compare_level(const struct filter *a, const struct filter *b, enum filter_level level)
{
	switch (level) {
	case LEVEL_BAND:
		return (int)b->band - (int)a->band;
	case LEVEL_REMOTE_PREFIX:
		return b->remote.len - a->remote.len;
	case LEVEL_LOCAL_PREFIX:
		return local_len(b) - local_len(a);
	case LEVEL_PROTOCOL:
		return b->proto_given - a->proto_given;
	case LEVEL_REMOTE_PORT:
		return (a->remote_port_hi - a->remote_port_lo) -
		       (b->remote_port_hi - b->remote_port_lo);
	case LEVEL_LOCAL_PORT:
		return (a->local_port_hi - a->local_port_lo) -
		       (b->local_port_hi - b->local_port_lo);
	case LEVEL_ICMP_TYPE:
		return (b->icmp_type >= 0) - (a->icmp_type >= 0);
	case LEVEL_ICMP_CODE:
		return (b->icmp_code >= 0) - (a->icmp_code >= 0);
	case LEVEL_IFACE:
		return (b->iface_class >= 0) - (a->iface_class >= 0);
	case LEVEL_ACTION:
		return action_rank(b->action) - action_rank(a->action);
	case LEVEL_ID:
		return a->id < b->id ? -1 : a->id > b->id;
	case LEVEL_MAX:
		break;
	}
	return 0;
}

int filter_compare(const struct filter *a, const struct filter *b)
{
	int diff = 0;

	for (enum filter_level level = 0; level < LEVEL_MAX && !diff; level++)
		diff = compare_level(a, b, level);
	return diff;
}

uint64_t filter_precedence(const struct filter *f)
{
	uint64_t key = XI_BAND_IKE - f->band;

	key = key << 8 | (128 - f->remote.len);
	key = key << 8 | (128 - local_len(f));
	key = key << 1 | !f->proto_given;
	key = key << 16 | (uint16_t)(f->remote_port_hi - f->remote_port_lo);
	key = key << 16 | (uint16_t)(f->local_port_hi - f->local_port_lo);
	key = key << 1 | (f->icmp_type < 0);
	key = key << 1 | (f->icmp_code < 0);
	key = key << 1 | (f->iface_class < 0);
	return key << 2 | (3 - action_rank(f->action));
}

enum filter_level filter_decided_by(const struct filter *a, const struct filter *b)
{
	enum filter_level level = 0;

	while (level < LEVEL_ID && !compare_level(a, b, level))
		level++;
	return level;
}

const char *filter_lost_on(const struct filter *winner, const struct filter *loser)
{
	return level_words[filter_decided_by(winner, loser)];
}

const char *band_name(enum xi_band band)
{
	switch (band) {
	case XI_BAND_DEFAULT_RESPONSE:
		return "default-response";
	case XI_BAND_RULES:
		return "rules";
	case XI_BAND_EXEMPTION:
		return "exemption";
	case XI_BAND_BOOT:
		return "boot";
	case XI_BAND_IKE:
		return "ike";
	}
	return "?";
}

const char *action_name(enum xi_action action)
{
	switch (action) {
	case XI_ACT_NONE:
		return "none";
	case XI_ACT_PERMIT:
		return "permit";
	case XI_ACT_BLOCK:
		return "block";
	case XI_ACT_NEGOTIATE:
		return "negotiate";
	}
	return "?";
}
