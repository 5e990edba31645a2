/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters in words; see words.h. */
#include <stdio.h>
#include <string.h>

#include "compile/words.h"
#include "policy/policy.h"
#include "policy/scalar.h"
#include "util/addr.h"

static bool is_any(uint16_t lo, uint16_t hi)
{
	return lo == 0 && hi == 65535;
}

const char *ports_words(uint16_t lo, uint16_t hi, char buf[PORTS_WORDS])
{
	if (is_any(lo, hi))
		snprintf(buf, PORTS_WORDS, "any");
	else if (lo == hi)
		snprintf(buf, PORTS_WORDS, "%u", lo);
	else
		snprintf(buf, PORTS_WORDS, "%u-%u", lo, hi);
	return buf;
}

static void put_side(FILE *out, const struct filter *f, bool remote)
{
	uint16_t lo = remote ? f->remote_port_lo : f->local_port_lo;
	uint16_t hi = remote ? f->remote_port_hi : f->local_port_hi;
	char prefix[XI_PREFIX_STRLEN], ports[PORTS_WORDS];

	if (!remote && f->local_is_me)
		fprintf(out, "%s", f->family == 4 ? "me" : "me (IPv6)");
	else
		fprintf(out, "%s", xi_prefix_text(remote ? &f->remote : &f->local, prefix));
	if (!is_any(lo, hi))
		fprintf(out, " port %s", ports_words(lo, hi, ports));
}

const char *filter_words(const struct filter *f, char buf[FILTER_WORDS])
{
	FILE *out = fmemopen(buf, FILTER_WORDS, "w");
	char proto[PROTO_TEXT];

	if (!out)
		return "?";
	fprintf(out, "%s %s", f->dir == XI_DIR_IN ? "in" : "out",
		f->proto_given ? proto_text(f->proto, proto) : "any");
	if (f->icmp_type >= 0)
		fprintf(out, " type %d", f->icmp_type);
	if (f->icmp_code >= 0)
		fprintf(out, " code %d", f->icmp_code);
	fputc(' ', out);
	put_side(out, f, f->dir == XI_DIR_IN);
	fprintf(out, " -> ");
	put_side(out, f, f->dir == XI_DIR_OUT);
	if (f->iface_class >= 0)
		fprintf(out, " (%s)", f->iface_class == XI_IFACE_LAN ? "lan" : "remote-access");
	fclose(out);
	return buf;
}

static void number_or_any(int value, char buf[FILTER_WORDS])
{
	if (value < 0)
		snprintf(buf, FILTER_WORDS, "any");
	else
		snprintf(buf, FILTER_WORDS, "%d", value);
}

const char *level_value(const struct filter *f, enum filter_level level, char buf[FILTER_WORDS])
{
	switch (level) {
	case LEVEL_BAND:
		return band_name(f->band);
	case LEVEL_REMOTE_PREFIX:
		snprintf(buf, FILTER_WORDS, "/%u", f->remote.len);
		break;
	case LEVEL_LOCAL_PREFIX:
		if (f->local_is_me)
			return "me";
		snprintf(buf, FILTER_WORDS, "/%u", f->local.len);
		break;
	case LEVEL_PROTOCOL:
		return f->proto_given ? proto_text(f->proto, buf) : "any";
	case LEVEL_REMOTE_PORT:
		return ports_words(f->remote_port_lo, f->remote_port_hi, buf);
	case LEVEL_LOCAL_PORT:
		return ports_words(f->local_port_lo, f->local_port_hi, buf);
	case LEVEL_ICMP_TYPE:
		number_or_any(f->icmp_type, buf);
		break;
	case LEVEL_ICMP_CODE:
		number_or_any(f->icmp_code, buf);
		break;
	case LEVEL_IFACE:
		return f->iface_class < 0		? "any"
		       : f->iface_class == XI_IFACE_LAN ? "lan"
							: "remote-access";
	case LEVEL_ACTION:
		return action_name(f->action);
	case LEVEL_ID:
	case LEVEL_MAX:
		snprintf(buf, FILTER_WORDS, "%u", f->id);
		break;
	}
	return buf;
}

const char *lost_words(const struct filter *winner, const struct filter *loser,
		       char buf[FILTER_WORDS])
{
	enum filter_level level = filter_decided_by(winner, loser);
	char his[FILTER_WORDS], mine[FILTER_WORDS];

	/* Of ids the lower one wins; everything else reads "less specific < more specific". */
	snprintf(buf, FILTER_WORDS, "%s %.60s %s %.60s", filter_lost_on(winner, loser),
		 level_value(loser, level, mine), level == LEVEL_ID ? ">" : "<",
		 level_value(winner, level, his));
	return buf;
}

const struct diag_loc *filter_rule_loc(const struct policy *policy, const struct filter *f)
{
	return policy && f->rule < policy->rule_count ? &policy->rules[f->rule].loc : NULL;
}

static const struct pol_filter *entry_of(const struct policy *policy, const struct filter *f)
{
	const struct pol_filter_list *list;

	if (!policy || f->rule >= policy->rule_count)
		return NULL;
	list = &policy->filter_lists[policy->rules[f->rule].filter_list];
	return f->entry < list->count ? &list->filters[f->entry] : NULL;
}

const struct diag_loc *filter_loc(const struct policy *policy, const struct filter *f,
				  struct diag_loc *buf)
{
	const struct pol_filter *entry = entry_of(policy, f);

	if (!entry)
		return filter_rule_loc(policy, f);
	*buf = entry->loc;
	if (f->line)
		*buf = (struct diag_loc){.file = entry->src.path ? entry->src.path
								 : entry->dst.path,
					 .line = f->line};
	return buf;
}

bool filter_same_text(const struct policy *policy, const struct filter *a, const struct filter *b)
{
	const struct pol_filter *entry = entry_of(policy, a);

	return entry && entry == entry_of(policy, b) && a->line == b->line;
}

const char *rule_words(const struct policy *policy, const struct filter *f,
		       const struct filter *beside, char *buf, size_t size)
{
	char place[PLACE_WORDS] = "";
	struct diag_loc at;
	const struct diag_loc *loc = beside && filter_same_text(policy, f, beside)
					     ? filter_rule_loc(policy, f)
					     : filter_loc(policy, f, &at);

	if (loc && loc->file && loc->line)
		diag_place(loc, place, sizeof(place));
	if (f->rule == FILTER_BUILTIN)
		snprintf(buf, size, "the built-in '%s' (%s)", f->rule_name, action_name(f->action));
	else
		snprintf(buf, size, "rule '%s' (%s)%s%s", f->rule_name, action_name(f->action),
			 *place ? " at " : "", place);
	return buf;
}
