/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the policy text can say and this version does not carry out yet. The text
 * stays valid: this list shrinks. An error where the policy would be unsafe or
 * mean nothing without it, a warning where what remains is at least as strict.
 * Rules that are not active may ask for anything.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "policy/scalar.h"

static void missing_settings(const struct policy *policy, struct diag *diag)
{
	if (policy->datapath == POL_DATAPATH_XFRM)
		diag_add(diag, DIAG_ERROR, &policy->at.datapath, "use afxdp or auto",
			 "datapath: xfrm is not available in this version");
	if (policy->poll_interval_s != 10800)
		diag_add(diag, DIAG_WARNING, &policy->at.poll_interval, NULL,
			 "poll-interval has no effect in this version: apply reads the policy");
	if (policy->default_response)
		diag_add(diag, DIAG_WARNING, &policy->at.default_response, NULL,
			 "default-response has no effect in this version: only rules answer");
}

/* The first of a side stands for all of them. */
static void missing_addresses(const struct pol_filter *filter, const struct pol_side *side,
			      struct diag *diag)
{
	for (size_t i = 0; i < side->count; i++) {
		const struct pol_addr *addr = &side->addrs[i];

		switch (addr->kind) {
		case POL_ADDR_ANY:
		case POL_ADDR_ME:
		case POL_ADDR_PREFIX:
		case POL_ADDR_RANGE:
			continue;
		case POL_ADDR_NAME:
			diag_add(diag, DIAG_ERROR, &filter->loc, "write its addresses",
				 "the host name '%.100s' cannot be used in this version",
				 addr->text);
			return;
		case POL_ADDR_DNS:
		case POL_ADDR_WINS:
		case POL_ADDR_DHCP:
		case POL_ADDR_GATEWAY:
			diag_add(diag, DIAG_ERROR, &filter->loc, "write their addresses",
				 "the server set '%s' cannot be used in this version",
				 address_keyword(addr->kind));
			return;
		}
	}
}

static void missing_in_list(const struct pol_filter_list *list, struct diag *diag)
{
	for (size_t i = 0; i < list->count; i++) {
		missing_addresses(&list->filters[i], &list->filters[i].src, diag);
		missing_addresses(&list->filters[i], &list->filters[i].dst, diag);
	}
}

static void missing_in_action(const struct pol_action *action, struct diag *diag)
{
	size_t usable = 0;

	for (size_t i = 0; i < action->count; i++)
		usable += !action->methods[i].ah;
	for (size_t i = 0; i < action->count && usable; i++)
		if (action->methods[i].ah)
			diag_add(diag, DIAG_WARNING, &action->methods[i].loc, NULL,
				 "AH is not available in this version: this method is not offered");
	if (!usable)
		diag_add(diag, DIAG_ERROR, &action->loc, "add an ESP method",
			 "AH is not available in this version and '%s' offers nothing else",
			 action->name);
	if (action->fallback_to_clear)
		diag_add(diag, DIAG_WARNING, &action->loc, NULL,
			 "fallback-to-clear has no effect in this version: nothing is sent in "
			 "clear");
}

static void missing_auth(const struct pol_rule *rule, struct diag *diag)
{
	static const char *const names[] = {
		[POL_AUTH_KERBEROS] = "Kerberos",
		[POL_AUTH_CERT] = "certificate",
		[POL_AUTH_PSK] = "preshared key",
	};
	size_t usable = 0;

	for (size_t i = 0; i < rule->auth_count; i++)
		usable += rule->auth[i].kind == POL_AUTH_PSK;
	for (size_t i = 0; i < rule->auth_count && usable; i++)
		if (rule->auth[i].kind != POL_AUTH_PSK)
			diag_add(diag, DIAG_WARNING, &rule->auth[i].loc, NULL,
				 "rule '%s': %s authentication is not available in this version "
				 "and not offered",
				 rule->name, names[rule->auth[i].kind]);
	if (!usable)
		diag_add(diag, DIAG_ERROR, &rule->loc, "add {psk-file: FILE}",
			 "rule '%s': only preshared keys can authenticate in this version",
			 rule->name);
	if (usable > 1)
		diag_add(diag, DIAG_WARNING, &rule->loc, NULL,
			 "rule '%s': only its first preshared key is used in this version",
			 rule->name);
}

static void missing_in_rule(const struct policy *policy, const struct pol_rule *rule,
			    struct diag *diag)
{
	const struct pol_action *action = &policy->actions[rule->action];

	switch (rule->connection) {
	case POL_CONN_ALL:
		break;
	case POL_CONN_LAN:
		diag_add(diag, DIAG_WARNING, &rule->loc, NULL,
			 "rule '%s': every interface counts as lan in this version", rule->name);
		break;
	case POL_CONN_REMOTE_ACCESS:
		diag_add(diag, DIAG_ERROR, &rule->loc, NULL,
			 "rule '%s': no interface counts as remote-access in this version",
			 rule->name);
		break;
	}
	if (action->kind != POL_ACTION_NEGOTIATE)
		return;
	missing_auth(rule, diag);
	if (rule->tunnel_given)
		diag_add(diag, DIAG_ERROR, &rule->loc, NULL,
			 "rule '%s': tunnel mode is not available in this version", rule->name);
	if (rule->ike_version == 2)
		diag_add(diag, DIAG_ERROR, &rule->loc, "use ike: auto",
			 "rule '%s': IKE version 2 is not available in this version", rule->name);
}

/* Once for each list and action in use, however many rules share it. */
static int missing_in_shared(const struct policy *policy, struct diag *diag)
{
	bool *lists = calloc(policy->list_count + 1, sizeof(*lists));
	bool *actions = calloc(policy->action_count + 1, sizeof(*actions));
	int err = lists && actions ? 0 : -ENOMEM;

	for (size_t i = 0; i < policy->rule_count && !err; i++) {
		if (!policy->rules[i].active)
			continue;
		lists[policy->rules[i].filter_list] = true;
		actions[policy->rules[i].action] = true;
	}
	for (size_t i = 0; i < policy->list_count && !err; i++)
		if (lists[i])
			missing_in_list(&policy->filter_lists[i], diag);
	for (size_t i = 0; i < policy->action_count && !err; i++)
		if (actions[i] && policy->actions[i].kind == POL_ACTION_NEGOTIATE)
			missing_in_action(&policy->actions[i], diag);
	free(lists);
	free(actions);
	return err;
}

int policy_supported(const struct policy *policy, struct diag *diag)
{
	struct diag found = {0};
	int err;

	missing_settings(policy, &found);
	err = missing_in_shared(policy, &found);
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].active)
			missing_in_rule(policy, &policy->rules[i], &found);
	if (!err && found.errors)
		err = -EOPNOTSUPP;
	for (size_t i = 0; i < found.count; i++) {
		const struct diag_entry *entry = &found.entries[i];
		struct diag_loc loc = {entry->file, entry->line, entry->col};

		diag_add(diag, entry->severity, &loc, entry->hint, "%s", entry->text);
	}
	diag_free(&found);
	return err;
}
