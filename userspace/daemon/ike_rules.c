/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy + image -> struct ike_rule array; see ike_rules.h. What a rule offers
 * comes from the policy, which traffic it covers and in which order from the
 * image. Methods that this version does not carry out (AH) are left out here;
 * policy_supported() has told the user.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/image.h"
#include "daemon/ike_rules.h"
#include "policy/policy.h"

/* What one rule of the policy offers: the same for each of its filters. */
static int fill_terms(const struct policy *policy, uint32_t index,
		      uint32_t (*secret_handle)(void *arg, const char *path), void *arg,
		      struct ike_rule *ret, struct diag *diag)
{
	const struct pol_rule *rule = &policy->rules[index];
	const struct pol_action *action = &policy->actions[rule->action];

	memset(ret, 0, sizeof(*ret));
	strncpy(ret->name, rule->name, sizeof(ret->name) - 1);
	ret->rule = index;
	ret->ike_version = rule->ike_version;
	ret->mode = rule->tunnel_given ? XI_MODE_TUNNEL : XI_MODE_TRANSPORT;
	ret->pfs = action->pfs;
	ret->mm_lifetime_s = policy->mm_lifetime_s;
	/* Master PFS is a fresh main mode for every quick mode. */
	ret->qm_per_mm = policy->mm_master_pfs ? 1 : policy->mm_quick_modes;
	for (size_t i = 0; i < policy->mm_count && ret->mm_count < IKE_METHODS_MAX; i++) {
		const struct pol_mm_method *method = &policy->mm_methods[i];

		ret->mm[ret->mm_count++] = (struct ike_mm_method){method->cipher, method->hash,
								  method->group};
	}
	for (size_t i = 0; i < action->count && ret->qm_count < IKE_METHODS_MAX; i++) {
		const struct pol_qm_method *method = &action->methods[i];
		struct ike_qm_method *qm = &ret->qm[ret->qm_count];

		if (!method->esp || method->ah)
			continue;
		qm->protocol = 50;
		qm->cipher = method->cipher;
		qm->integ = method->integ;
		qm->lifetime_s = method->lifetime_s;
		qm->lifetime_kb = method->lifetime_kb;
		ret->qm_count++;
	}
	for (size_t i = 0; i < rule->auth_count && ret->auth_count < IKE_AUTH_MAX; i++) {
		struct ike_auth *auth = &ret->auth[ret->auth_count];

		if (rule->auth[i].kind != POL_AUTH_PSK)
			continue;
		auth->kind = IKE_AUTH_PSK;
		auth->secret = secret_handle(arg, rule->auth[i].path_psk);
		if (!auth->secret)
			return -ENOMEM;
		ret->auth_count++;
	}
	if (ret->mm_count && ret->qm_count && ret->auth_count)
		return 0;
	diag_add(diag, DIAG_ERROR, &rule->loc, NULL, "rule '%s' has no %s that IKE can use here",
		 rule->name,
		 !ret->auth_count ? "authentication"
		 : !ret->qm_count ? "quick-mode method"
				  : "main-mode method");
	return -EINVAL;
}

static void fill_selector(const struct filter *filter, struct ike_rule *ret)
{
	ret->local_is_me = filter->local_is_me;
	ret->local = filter->local;
	ret->remote = filter->remote;
	ret->proto = filter->proto_given ? filter->proto : 0;
	ret->local_port_lo = filter->local_port_lo;
	ret->local_port_hi = filter->local_port_hi;
	ret->remote_port_lo = filter->remote_port_lo;
	ret->remote_port_hi = filter->remote_port_hi;
	/* A `me` filter has no address of its own: only its family counts. */
	if (ret->local_is_me) {
		memset(&ret->local, 0, sizeof(ret->local));
		ret->local.addr.family = filter->family;
	}
}

/* The selector and the rule, which is all in which two entries can differ. */
struct key {
	struct xi_prefix local, remote;
	uint16_t ports[4];
	uint32_t rule;
	uint8_t proto, local_is_me;
};

static void key_of(const struct ike_rule *rule, struct key *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->local.addr.family = rule->local.addr.family;
	memcpy(ret->local.addr.b, rule->local.addr.b, 16);
	ret->local.len = rule->local.len;
	ret->remote.addr.family = rule->remote.addr.family;
	memcpy(ret->remote.addr.b, rule->remote.addr.b, 16);
	ret->remote.len = rule->remote.len;
	ret->ports[0] = rule->local_port_lo;
	ret->ports[1] = rule->local_port_hi;
	ret->ports[2] = rule->remote_port_lo;
	ret->ports[3] = rule->remote_port_hi;
	ret->rule = rule->rule;
	ret->proto = rule->proto;
	ret->local_is_me = rule->local_is_me;
}

/* Open addressing; a slot holds index + 1 in the rules. */
struct seen {
	uint32_t *slots;
	size_t size; /* power of two */
};

/* True when an equal one was there already; else remembers this one. */
static bool seen_before(struct seen *seen, const struct ike_rule *rules, uint32_t index)
{
	struct key key, other;
	const uint8_t *bytes = (const uint8_t *)&key;
	uint64_t hash = 0xcbf29ce484222325ull;
	size_t at;

	key_of(&rules[index], &key);
	for (size_t i = 0; i < sizeof(key); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	for (at = hash & (seen->size - 1); seen->slots[at]; at = (at + 1) & (seen->size - 1)) {
		key_of(&rules[seen->slots[at] - 1], &other);
		if (!memcmp(&key, &other, sizeof(key)))
			return true;
	}
	seen->slots[at] = index + 1;
	return false;
}

static size_t count_negotiate(const struct image *image)
{
	size_t count = 0;

	for (size_t i = 0; i < image->count; i++)
		count += image->filters[i].action == XI_ACT_NEGOTIATE &&
			 image->filters[i].rule != FILTER_BUILTIN;
	return count;
}

int ike_rules_build(const struct policy *policy, const struct image *image,
		    uint32_t (*secret_handle)(void *arg, const char *path), void *arg,
		    struct ike_rule **ret, size_t *ret_count, struct diag *diag)
{
	size_t most = count_negotiate(image), count = 0;
	struct ike_rule *rules = calloc(most + 1, sizeof(*rules));
	struct seen seen = {.size = 16};
	int rc = -ENOMEM;

	while (seen.size < 2 * most)
		seen.size *= 2;
	seen.slots = calloc(seen.size, sizeof(*seen.slots));
	if (!rules || !seen.slots)
		goto out;
	for (size_t i = 0; i < image->count; i++) {
		const struct filter *filter = &image->filters[i];

		if (filter->action != XI_ACT_NEGOTIATE || filter->rule == FILTER_BUILTIN)
			continue;
		rc = fill_terms(policy, filter->rule, secret_handle, arg, &rules[count], diag);
		if (rc)
			goto out;
		fill_selector(filter, &rules[count]);
		if (!seen_before(&seen, rules, count))
			count++;
	}
	*ret = rules;
	*ret_count = count;
	rules = NULL;
	rc = 0;
out:
	free(seen.slots);
	free(rules);
	return rc;
}
