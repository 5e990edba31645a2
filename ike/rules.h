/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The negotiate rules of the running policy and the questions IKE asks them.
 * Rules are kept in order of precedence; the first that answers decides. The
 * search is linear: fine for thousands of rules, to be indexed by peer when
 * policies with more negotiate filters become real.
 */
#ifndef IKE_RULES_H
#define IKE_RULES_H

#include <xipsec/ike.h>

struct ike_rules {
	struct ike_rule *rules;
	size_t count;
	uint32_t generation;
};

/* What a quick mode is about, seen from this host. Port 0 and proto 0 = any. */
struct ike_traffic {
	struct xi_addr local, remote;
	uint8_t proto;
	uint16_t local_port, remote_port;
};

/* A main mode, as far as rules have a say in it. */
struct ike_main {
	const struct xi_addr *local, *remote;
	uint32_t secret;
	uint32_t lifetime_s, usual_lifetime_s; /* the latter holds for a rule that names none */
	const struct ike_mm_method *methods;   /* the one in use, or all that are still offered */
	unsigned method_count;
};

int ike_rules_replace(struct ike_rules *rules, const struct ike_rule *from, size_t count,
		      uint32_t generation);
void ike_rules_free(struct ike_rules *rules);

/*
 * The rule whose main-mode terms hold towards this peer: the first that covers
 * the two addresses and can be negotiated with IKEv1 and a preshared key. When
 * there is none, *ret_why says what the nearest one lacked.
 */
const struct ike_rule *ike_rules_for_peer(const struct ike_rules *rules,
					  const struct xi_addr *local, const struct xi_addr *remote,
					  const char **ret_why);
/* What keeps IKEv1 with a preshared key from serving this rule, as a sentence; NULL: nothing. */
const char *ike_rule_unfit(const struct ike_rule *rule);
/* The filter of policy rule `rule` that covers this traffic, or NULL. */
const struct ike_rule *ike_rules_for_acquire(const struct ike_rules *rules,
					     const struct ike_acquire *acquire);
/* The first rule that covers all of this traffic, or NULL. */
const struct ike_rule *ike_rules_covering(const struct ike_rules *rules,
					  const struct ike_traffic *traffic);
/*
 * The traffic to negotiate for a packet: the rule's own selector where it names
 * one port or any, else narrowed to the packet's port. -EINVAL when the rule has
 * a port range and the acquire names no port.
 */
int ike_rule_narrow(const struct ike_rule *rule, const struct ike_acquire *acquire,
		    struct ike_traffic *ret);
/*
 * The rule above this one in precedence that decides about part of the traffic on other terms, or
 * NULL. An SA for all of it would carry packets that have a claim to that rule's protection
 * (RFC 4301 4.4.1: an SA belongs to one entry of the policy).
 */
const struct ike_rule *ike_rules_conflict(const struct ike_rules *rules,
					  const struct ike_rule *rule,
					  const struct ike_traffic *traffic);
/*
 * ike_rule_narrow(), and where that meets a conflict, protocol and ports of the packet too, as many
 * as it takes. -EINVAL when that is not enough.
 */
int ike_rules_narrow(const struct ike_rules *rules, const struct ike_rule *rule,
		     const struct ike_acquire *acquire, struct ike_traffic *ret);
/* The same quick-mode methods, lifetimes, group and mode: an offer of the one is one of the other.
 */
bool ike_rule_same_offer(const struct ike_rule *a, const struct ike_rule *b);
/* Could this rule have started or accepted that main mode? */
bool ike_rule_could_make(const struct ike_rule *rule, const struct ike_main *main);
/* The secret of the first preshared key in the rule; false when it has none. */
bool ike_rule_psk(const struct ike_rule *rule, uint32_t *ret_secret);
bool ike_rule_has_psk(const struct ike_rule *rule, uint32_t secret);

#endif
