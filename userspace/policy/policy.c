/* SPDX-License-Identifier: BSD-2-Clause */
/* A policy as a value: freeing and comparing. */
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "util/addr.h"

static void free_side(struct pol_side *side)
{
	for (size_t i = 0; i < side->count; i++)
		free(side->addrs[i].text);
	free(side->addrs);
	free(side->file);
	free(side->path);
}

static void free_list(struct pol_filter_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free_side(&list->filters[i].src);
		free_side(&list->filters[i].dst);
		free(list->filters[i].description);
	}
	free(list->filters);
	free(list->name);
}

static void free_rule(struct pol_rule *rule)
{
	for (size_t i = 0; i < rule->auth_count; i++) {
		struct pol_auth *auth = &rule->auth[i];

		free(auth->psk_file);
		free(auth->cert_ca);
		free(auth->cert);
		free(auth->cert_key);
		free(auth->path_psk);
		free(auth->path_ca);
		free(auth->path_cert);
		free(auth->path_key);
	}
	free(rule->auth);
	free(rule->name);
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->list_count; i++)
		free_list(&policy->filter_lists[i]);
	for (size_t i = 0; i < policy->action_count; i++) {
		free(policy->actions[i].methods);
		free(policy->actions[i].name);
	}
	for (size_t i = 0; i < policy->rule_count; i++)
		free_rule(&policy->rules[i]);
	free(policy->filter_lists);
	free(policy->actions);
	free(policy->rules);
	free(policy->mm_methods);
	free(policy->name);
	free(policy->file);
	free(policy);
}

static bool text_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool side_equal(const struct pol_side *a, const struct pol_side *b)
{
	if (a->count != b->count || !text_equal(a->file, b->file) ||
	    a->port_given != b->port_given || a->port_lo != b->port_lo || a->port_hi != b->port_hi)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct pol_addr *x = &a->addrs[i], *y = &b->addrs[i];

		if (x->kind != y->kind || x->prefix.len != y->prefix.len ||
		    !xi_addr_equal(&x->prefix.addr, &y->prefix.addr) ||
		    !xi_addr_equal(&x->last, &y->last) || !text_equal(x->text, y->text))
			return false;
	}
	return true;
}

static bool list_equal(const struct pol_filter_list *a, const struct pol_filter_list *b)
{
	if (!text_equal(a->name, b->name) || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct pol_filter *x = &a->filters[i], *y = &b->filters[i];

		if (!side_equal(&x->src, &y->src) || !side_equal(&x->dst, &y->dst) ||
		    x->proto_given != y->proto_given || x->proto != y->proto ||
		    x->icmp_type != y->icmp_type || x->icmp_code != y->icmp_code ||
		    x->mirrored != y->mirrored || !text_equal(x->description, y->description))
			return false;
	}
	return true;
}

static bool action_equal(const struct pol_action *a, const struct pol_action *b)
{
	if (!text_equal(a->name, b->name) || a->kind != b->kind || a->count != b->count ||
	    a->pfs != b->pfs || a->inbound_passthrough != b->inbound_passthrough ||
	    a->fallback_to_clear != b->fallback_to_clear)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct pol_qm_method *x = &a->methods[i], *y = &b->methods[i];

		if (x->esp != y->esp || x->cipher != y->cipher || x->integ != y->integ ||
		    x->ah != y->ah || x->ah_integ != y->ah_integ ||
		    x->lifetime_s != y->lifetime_s || x->lifetime_kb != y->lifetime_kb)
			return false;
	}
	return true;
}

static bool rule_equal(const struct pol_rule *a, const struct pol_rule *b)
{
	if (!text_equal(a->name, b->name) || a->filter_list != b->filter_list ||
	    a->action != b->action || a->auth_count != b->auth_count ||
	    a->tunnel_given != b->tunnel_given || !xi_addr_equal(&a->tunnel, &b->tunnel) ||
	    a->connection != b->connection || a->ike_version != b->ike_version ||
	    a->active != b->active)
		return false;
	for (size_t i = 0; i < a->auth_count; i++) {
		const struct pol_auth *x = &a->auth[i], *y = &b->auth[i];

		if (x->kind != y->kind || !text_equal(x->psk_file, y->psk_file) ||
		    !text_equal(x->cert_ca, y->cert_ca) || !text_equal(x->cert, y->cert) ||
		    !text_equal(x->cert_key, y->cert_key))
			return false;
	}
	return true;
}

bool policy_equal(const struct policy *a, const struct policy *b)
{
	if (!text_equal(a->name, b->name) || a->exemptions != b->exemptions ||
	    a->datapath != b->datapath || a->poll_interval_s != b->poll_interval_s ||
	    a->mm_lifetime_s != b->mm_lifetime_s || a->mm_quick_modes != b->mm_quick_modes ||
	    a->mm_master_pfs != b->mm_master_pfs || a->default_response != b->default_response ||
	    a->mm_count != b->mm_count || a->list_count != b->list_count ||
	    a->action_count != b->action_count || a->rule_count != b->rule_count)
		return false;
	for (size_t i = 0; i < a->mm_count; i++)
		if (a->mm_methods[i].cipher != b->mm_methods[i].cipher ||
		    a->mm_methods[i].hash != b->mm_methods[i].hash ||
		    a->mm_methods[i].group != b->mm_methods[i].group)
			return false;
	for (size_t i = 0; i < a->list_count; i++)
		if (!list_equal(&a->filter_lists[i], &b->filter_lists[i]))
			return false;
	for (size_t i = 0; i < a->action_count; i++)
		if (!action_equal(&a->actions[i], &b->actions[i]))
			return false;
	for (size_t i = 0; i < a->rule_count; i++)
		if (!rule_equal(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}
