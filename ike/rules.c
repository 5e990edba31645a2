/* SPDX-License-Identifier: BSD-2-Clause */
/* Which rule answers a question of IKE; see rules.h. */
#include "ike/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/addr.h"

int ike_rules_replace(struct ike_rules *rules, const struct ike_rule *from, size_t count,
		      uint32_t generation)
{
	struct ike_rule *copy = NULL;

	if (count) {
		copy = reallocarray(NULL, count, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, from, count * sizeof(*copy));
	}
	free(rules->rules);
	*rules = (struct ike_rules){.rules = copy, .count = count, .generation = generation};
	return 0;
}

void ike_rules_free(struct ike_rules *rules)
{
	free(rules->rules);
	*rules = (struct ike_rules){0};
}

bool ike_rule_psk(const struct ike_rule *rule, uint32_t *ret_secret)
{
	for (uint8_t i = 0; i < rule->auth_count && i < IKE_AUTH_MAX; i++) {
		if (rule->auth[i].kind == IKE_AUTH_PSK) {
			*ret_secret = rule->auth[i].secret;
			return true;
		}
	}
	return false;
}

bool ike_rule_has_psk(const struct ike_rule *rule, uint32_t secret)
{
	for (uint8_t i = 0; i < rule->auth_count && i < IKE_AUTH_MAX; i++) {
		if (rule->auth[i].kind == IKE_AUTH_PSK && rule->auth[i].secret == secret)
			return true;
	}
	return false;
}

static bool covers_hosts(const struct ike_rule *rule, const struct xi_addr *local,
			 const struct xi_addr *remote)
{
	if (local->family != remote->family)
		return false;
	return (rule->local_is_me || xi_prefix_covers(&rule->local, local)) &&
	       xi_prefix_covers(&rule->remote, remote);
}

static bool covers_port(uint16_t low, uint16_t high, uint16_t port)
{
	if (!port) /* any: only a rule for any covers it */
		return low == 0 && high == 65535;
	return port >= low && port <= high;
}

static bool covers_upper(const struct ike_rule *rule, uint8_t proto, uint16_t local_port,
			 uint16_t remote_port)
{
	if (rule->proto && rule->proto != proto)
		return false;
	return covers_port(rule->local_port_lo, rule->local_port_hi, local_port) &&
	       covers_port(rule->remote_port_lo, rule->remote_port_hi, remote_port);
}

const char *ike_rule_unfit(const struct ike_rule *rule)
{
	uint32_t secret;

	if (rule->ike_version == 2)
		return "the rule for this peer asks for IKE version 2, which is not supported yet";
	if (rule->mode != XI_MODE_TRANSPORT)
		return "the rule for this peer asks for tunnel mode, which is not supported yet";
	if (!ike_rule_psk(rule, &secret))
		return "the rule for this peer has no preshared key, the only authentication "
		       "method supported yet";
	if (!rule->mm_count || !rule->qm_count)
		return "the rule for this peer has no methods to offer";
	return NULL;
}

const struct ike_rule *ike_rules_for_peer(const struct ike_rules *rules,
					  const struct xi_addr *local, const struct xi_addr *remote,
					  const char **ret_why)
{
	const char *why = "no rule of the policy negotiates with this peer";

	for (size_t i = 0; i < rules->count; i++) {
		const struct ike_rule *rule = &rules->rules[i];

		if (!covers_hosts(rule, local, remote))
			continue;
		if (!ike_rule_unfit(rule))
			return rule;
		why = ike_rule_unfit(rule);
	}
	*ret_why = why;
	return NULL;
}

const struct ike_rule *ike_rules_for_acquire(const struct ike_rules *rules,
					     const struct ike_acquire *acquire)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct ike_rule *rule = &rules->rules[i];
		struct ike_traffic narrowed;

		if (rule->rule == acquire->rule &&
		    covers_hosts(rule, &acquire->local, &acquire->remote) &&
		    !ike_rule_narrow(rule, acquire, &narrowed))
			return rule;
	}
	return NULL;
}

const struct ike_rule *ike_rules_covering(const struct ike_rules *rules,
					  const struct ike_traffic *traffic)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct ike_rule *rule = &rules->rules[i];

		if (covers_hosts(rule, &traffic->local, &traffic->remote) &&
		    covers_upper(rule, traffic->proto, traffic->local_port, traffic->remote_port))
			return rule;
	}
	return NULL;
}

static int narrow_port(uint16_t low, uint16_t high, uint16_t port, uint16_t *ret)
{
	if (low == 0 && high == 65535) {
		*ret = 0;
		return 0;
	}
	if (low == high && (!port || port == low)) {
		*ret = low;
		return 0;
	}
	if (port < low || port > high || !port)
		return -EINVAL;
	*ret = port;
	return 0;
}

int ike_rule_narrow(const struct ike_rule *rule, const struct ike_acquire *acquire,
		    struct ike_traffic *ret)
{
	struct ike_traffic traffic = {
		.local = acquire->local, .remote = acquire->remote, .proto = rule->proto};
	int err;

	if (rule->proto && acquire->proto && rule->proto != acquire->proto)
		return -EINVAL;
	err = narrow_port(rule->local_port_lo, rule->local_port_hi, acquire->local_port,
			  &traffic.local_port);
	if (!err)
		err = narrow_port(rule->remote_port_lo, rule->remote_port_hi, acquire->remote_port,
				  &traffic.remote_port);
	if (err)
		return err;
	*ret = traffic;
	return 0;
}

/* ------------------------------------------------- rules with other terms */

/* Would a quick mode for the one do for the other? */
static bool same_terms(const struct ike_rule *a, const struct ike_rule *b)
{
	if (a->rule == b->rule)
		return true;
	if (a->mode != b->mode || a->pfs != b->pfs || a->qm_count != b->qm_count ||
	    a->auth_count != b->auth_count)
		return false;
	for (uint8_t i = 0; i < a->qm_count && i < IKE_METHODS_MAX; i++) {
		if (a->qm[i].protocol != b->qm[i].protocol || a->qm[i].cipher != b->qm[i].cipher ||
		    a->qm[i].integ != b->qm[i].integ)
			return false;
	}
	for (uint8_t i = 0; i < a->auth_count && i < IKE_AUTH_MAX; i++) {
		if (a->auth[i].kind != b->auth[i].kind || a->auth[i].secret != b->auth[i].secret)
			return false;
	}
	return true;
}

static bool meets_port(uint16_t low, uint16_t high, uint16_t port)
{
	return !port || (port >= low && port <= high);
}

bool ike_rule_same_offer(const struct ike_rule *a, const struct ike_rule *b)
{
	if (a->mode != b->mode || a->pfs != b->pfs || a->qm_count != b->qm_count)
		return false;
	for (uint8_t i = 0; i < a->qm_count && i < IKE_METHODS_MAX; i++) {
		const struct ike_qm_method *x = &a->qm[i], *y = &b->qm[i];

		if (x->protocol != y->protocol || x->cipher != y->cipher || x->integ != y->integ ||
		    x->lifetime_s != y->lifetime_s || x->lifetime_kb != y->lifetime_kb)
			return false;
	}
	return true;
}

static bool offers(const struct ike_rule *rule, const struct ike_mm_method *method)
{
	for (uint8_t i = 0; i < rule->mm_count && i < IKE_METHODS_MAX; i++) {
		if (rule->mm[i].cipher == method->cipher && rule->mm[i].hash == method->hash &&
		    rule->mm[i].group == method->group)
			return true;
	}
	return false;
}

bool ike_rule_could_make(const struct ike_rule *rule, const struct ike_main *main)
{
	uint32_t most = rule->mm_lifetime_s ? rule->mm_lifetime_s : main->usual_lifetime_s;

	if (!covers_hosts(rule, main->local, main->remote) || ike_rule_unfit(rule) ||
	    !ike_rule_has_psk(rule, main->secret) || main->lifetime_s > most)
		return false;
	for (unsigned i = 0; i < main->method_count; i++) {
		if (!offers(rule, &main->methods[i]))
			return false;
	}
	return true;
}

/* Is there a packet that both are about? */
static bool meets(const struct ike_rule *rule, const struct ike_traffic *traffic)
{
	return covers_hosts(rule, &traffic->local, &traffic->remote) &&
	       (!rule->proto || !traffic->proto || rule->proto == traffic->proto) &&
	       meets_port(rule->local_port_lo, rule->local_port_hi, traffic->local_port) &&
	       meets_port(rule->remote_port_lo, rule->remote_port_hi, traffic->remote_port);
}

const struct ike_rule *ike_rules_conflict(const struct ike_rules *rules,
					  const struct ike_rule *rule,
					  const struct ike_traffic *traffic)
{
	for (const struct ike_rule *higher = rules->rules; higher < rule; higher++) {
		if (meets(higher, traffic) && !same_terms(higher, rule))
			return higher;
	}
	return NULL;
}

int ike_rules_narrow(const struct ike_rules *rules, const struct ike_rule *rule,
		     const struct ike_acquire *acquire, struct ike_traffic *ret)
{
	const uint16_t local = acquire->local_port, remote = acquire->remote_port;
	struct ike_traffic traffic;
	int err = ike_rule_narrow(rule, acquire, &traffic);

	if (err)
		return err;
	/* What the rule fixes stays; of the rest as little as will do is taken from the packet. */
	for (unsigned step = 0; step < 5; step++) {
		struct ike_traffic narrow = traffic;

		if (step && !narrow.proto)
			narrow.proto = acquire->proto;
		if ((step == 2 || step == 4) && !narrow.remote_port)
			narrow.remote_port = remote;
		if ((step == 3 || step == 4) && !narrow.local_port)
			narrow.local_port = local;
		if (!ike_rules_conflict(rules, rule, &narrow)) {
			*ret = narrow;
			return 0;
		}
	}
	return -EINVAL;
}
