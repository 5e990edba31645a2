/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can only be judged with the whole policy at hand: names used twice or
 * never, sides of a filter that can never meet, settings that cancel each other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/schema.h"

/* Bits of the families that an address or side can match. */
#define FAMILY_4    1
#define FAMILY_6    2
#define FAMILY_BOTH 3

struct families {
	unsigned literal; /* of addresses written out */
	unsigned all;	  /* of those, and of `any`, `me`, names and server sets */
};

static struct families side_families(const struct pol_side *side)
{
	struct families found = {0};

	for (size_t i = 0; i < side->count; i++) {
		const struct pol_addr *addr = &side->addrs[i];

		if (addr->kind == POL_ADDR_PREFIX || addr->kind == POL_ADDR_RANGE)
			found.literal |= addr->prefix.addr.family == 4 ? FAMILY_4 : FAMILY_6;
		else
			found.all = FAMILY_BOTH;
	}
	found.all |= found.literal;
	return found;
}

static const char *family_name(unsigned family)
{
	return family == FAMILY_4 ? "IPv4" : "IPv6";
}

static void check_stranded(struct loader *load, const struct pol_filter *filter, const char *key,
			   unsigned literal, const char *other, unsigned reach)
{
	unsigned stranded = literal & ~reach;

	if (stranded)
		load_warning_at(load, &filter->loc, NULL,
				"the %s addresses of %s match nothing: %s has none of that family",
				family_name(stranded), key, other);
}

static bool side_is_me(const struct pol_side *side)
{
	return side->count == 1 && side->addrs[0].kind == POL_ADDR_ME;
}

static void check_filter(struct loader *load, const struct pol_filter *filter)
{
	struct families src = side_families(&filter->src), dst = side_families(&filter->dst);
	unsigned both = src.all & dst.all;

	/* An empty address file was already warned of. */
	if (!src.all || !dst.all)
		return;
	if (!both) {
		load_error_at(load, &filter->loc, NULL,
			      "src is %s and dst is %s: no packet has both", family_name(src.all),
			      family_name(dst.all));
		return;
	}
	check_stranded(load, filter, "src", src.literal, "dst", dst.all);
	check_stranded(load, filter, "dst", dst.literal, "src", src.all);
	if (filter->proto_given && filter->proto == 1 && both == FAMILY_6)
		load_warning_at(load, &filter->loc, "did you mean icmpv6?",
				"icmp does not run over IPv6");
	if (filter->proto_given && filter->proto == 58 && both == FAMILY_4)
		load_warning_at(load, &filter->loc, "did you mean icmp?",
				"icmpv6 does not run over IPv4");
	if (side_is_me(&filter->src) && side_is_me(&filter->dst))
		load_warning_at(load, &filter->loc, NULL,
				"from me to me: no packet on an interface matches");
}

static int by_name_then_place(const void *a, const void *b)
{
	const struct pol_rule *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	return order ? order : *x < *y ? -1 : 1;
}

static void check_rule_names(struct loader *load)
{
	const struct policy *policy = load->policy;
	const struct pol_rule **rules = load_array(load, policy->rule_count, sizeof(*rules));

	if (!rules)
		return;
	for (size_t i = 0; i < policy->rule_count; i++)
		rules[i] = &policy->rules[i];
	qsort(rules, policy->rule_count, sizeof(*rules), by_name_then_place);
	for (size_t i = 1; i < policy->rule_count; i++) {
		if (strcmp(rules[i - 1]->name, rules[i]->name))
			continue;
		load_error_at(load, &rules[i]->loc, NULL,
			      "the rule name '%s' is already used on line %u", rules[i]->name,
			      rules[i - 1]->loc.line);
	}
	free(rules);
}

static void check_usage(struct loader *load)
{
	const struct policy *policy = load->policy;
	bool *lists = load_array(load, policy->list_count, sizeof(*lists));
	bool *actions = load_array(load, policy->action_count, sizeof(*actions));

	if (load->no_memory)
		goto out;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct pol_rule *rule = &policy->rules[i];
		const struct pol_filter_list *list = &policy->filter_lists[rule->filter_list];

		lists[rule->filter_list] = actions[rule->action] = true;
		if (!list->count)
			load_warning_at(
				load, &rule->loc, NULL,
				"unused: the rule '%s' matches nothing: filter list '%s' is empty",
				rule->name, list->name);
	}
	for (size_t i = 0; i < policy->list_count; i++)
		if (!lists[i])
			load_warning_at(load, &policy->filter_lists[i].loc, NULL,
					"unused: no rule uses the filter list '%s'",
					policy->filter_lists[i].name);
	for (size_t i = 2; i < policy->action_count; i++)
		if (!actions[i])
			load_warning_at(load, &policy->actions[i].loc, NULL,
					"unused: no rule uses the filter action '%s'",
					policy->actions[i].name);
out:
	free(lists);
	free(actions);
}

void check_policy(struct loader *load)
{
	const struct policy *policy = load->policy;

	for (size_t i = 0; i < policy->list_count; i++)
		for (size_t j = 0; j < policy->filter_lists[i].count; j++)
			check_filter(load, &policy->filter_lists[i].filters[j]);
	check_rule_names(load);
	check_usage(load);
	if (!policy->rule_count)
		load_warning_at(load, &policy->at.name, NULL,
				"the policy has no rules: it lets everything pass");
	/* Whoever sends from port 88 is then let in, whatever a block filter says. */
	if (policy->exemptions == 0 || policy->exemptions == 2)
		load_warning_at(load, &policy->at.exemptions,
				"use 3, or permit the servers by a rule",
				"exemptions: %d lets Kerberos pass every filter, from anywhere",
				policy->exemptions);
	/* Each quick mode then has its own main mode; Windows greys the number out. */
	if (policy->mm_master_pfs && policy->mm_quick_modes > 1)
		load_warning_at(load, &policy->at.quick_modes, NULL,
				"quick-modes: %u has no effect, master-pfs allows one",
				policy->mm_quick_modes);
}
