/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SAs and policy changes (RFC 4301 4.4.1: an SA belongs to one entry of the SPD).
 *
 * An SA stays when, in one of the two directions, the first filter that covers
 * all its traffic negotiates it on terms that include those of the SA. Filters
 * of higher precedence that take part of its traffic change nothing when they
 * block or permit, for each packet is classified before an SA is looked up; one
 * that negotiates must allow the SA too, or packets with a claim to stronger
 * protection would travel in it.
 *
 * Which key authenticated the peer is not written in an SA: the ike role knows
 * and decides that (ike/v1/reload.c).
 *
 * Known weak spot: linear in the filters for each SA.
 */
#include "daemon/revalidate.h"

#include <stdbool.h>
#include <string.h>

#include "compile/image.h"
#include "util/addr.h"

/* RFC 2407 4.5 and Windows: what a method without lifetimes has. */
#define LIFETIME_S  3600
#define LIFETIME_KB 100000

static bool is_me(const struct revalidation *by, const struct xi_addr *addr)
{
	for (size_t i = 0; by->me && i < by->me_count; i++)
		if (xi_addr_equal(&by->me[i], addr))
			return true;
	return !by->me;
}

static bool covers_hosts(const struct revalidation *by, const struct filter *f,
			 const struct xi_selector *sel)
{
	if (f->family != sel->remote.addr.family || sel->remote.len < f->remote.len ||
	    !xi_prefix_covers(&f->remote, &sel->remote.addr))
		return false;
	if (f->local_is_me)
		return sel->local.len == xi_family_bits(f->family) && is_me(by, &sel->local.addr);
	return sel->local.len >= f->local.len && xi_prefix_covers(&f->local, &sel->local.addr);
}

/* Port 0 of a selector is every port. */
static bool covers_port(uint16_t lo, uint16_t hi, uint16_t port)
{
	return (lo == 0 && hi == 65535) || (port && port >= lo && port <= hi);
}

static bool meets_port(uint16_t lo, uint16_t hi, uint16_t port)
{
	return !port || (port >= lo && port <= hi);
}

/* Negotiation knows no ICMP types and no kinds of interfaces: its SAs carry all of them. */
static bool is_partial(const struct filter *f)
{
	return f->action != XI_ACT_NEGOTIATE &&
	       (f->icmp_type >= 0 || f->icmp_code >= 0 || f->iface_class >= 0);
}

static bool covers(const struct revalidation *by, const struct filter *f,
		   const struct xi_selector *sel)
{
	return covers_hosts(by, f, sel) && !is_partial(f) &&
	       (!f->proto_given || f->proto == sel->proto) &&
	       covers_port(f->local_port_lo, f->local_port_hi, sel->local_port) &&
	       covers_port(f->remote_port_lo, f->remote_port_hi, sel->remote_port);
}

/* Is there a packet that both are about? Enough for selectors of two hosts. */
static bool meets(const struct revalidation *by, const struct filter *f,
		  const struct xi_selector *sel)
{
	return covers_hosts(by, f, sel) &&
	       (!f->proto_given || !sel->proto || f->proto == sel->proto) &&
	       meets_port(f->local_port_lo, f->local_port_hi, sel->local_port) &&
	       meets_port(f->remote_port_lo, f->remote_port_hi, sel->remote_port);
}

/* The terms are the same for each filter of a rule. */
static const struct ike_rule *terms_of(const struct revalidation *by, const struct filter *f)
{
	for (size_t i = 0; i < by->rule_count; i++)
		if (by->rules[i].rule == f->rule)
			return &by->rules[i];
	return NULL;
}

static bool no_longer(uint32_t life, uint32_t most, uint32_t usual)
{
	return life && life <= (most ? most : usual);
}

/* Would a negotiation under this rule accept such an SA? The mirror of ike/v1/offer.c. */
static bool allows(const struct ike_rule *rule, const struct xi_sa_params *sa, bool lifetimes)
{
	if (rule->mode != sa->mode || (rule->pfs != XI_GROUP_NONE && rule->pfs != sa->pfs))
		return false;
	for (unsigned i = 0; i < rule->qm_count && i < IKE_METHODS_MAX; i++) {
		const struct ike_qm_method *m = &rule->qm[i];

		if (m->protocol == sa->protocol && m->cipher == sa->cipher &&
		    m->integ == sa->integ &&
		    (!lifetimes || (no_longer(sa->lifetime_s, m->lifetime_s, LIFETIME_S) &&
				    no_longer(sa->lifetime_kb, m->lifetime_kb, LIFETIME_KB))))
			return true;
	}
	return false;
}

static const char *judge(const struct revalidation *by, const struct xi_sa_params *sa,
			 enum xi_dir dir, uint32_t *ret_rule)
{
	for (size_t i = 0; i < by->image->count; i++) {
		const struct filter *f = &by->image->filters[i];
		bool all;

		if (f->dir != dir || !meets(by, f, &sa->sel))
			continue;
		all = covers(by, f, &sa->sel);
		if (f->action == XI_ACT_NEGOTIATE && f->rule != FILTER_BUILTIN) {
			const struct ike_rule *rule = terms_of(by, f);

			if (!rule || !allows(rule, sa, all))
				return all ? "the policy asks for other terms now"
					   : "the policy asks for other terms for part of its "
					     "traffic now";
			if (all) {
				*ret_rule = f->rule;
				return NULL;
			}
		} else if (all) {
			return f->action == XI_ACT_BLOCK ? "the policy blocks its traffic now"
							 : "the policy permits its traffic in "
							   "clear now";
		}
	}
	return "no rule of the policy protects its traffic any more";
}

const char *revalidate_sa(const struct revalidation *by, const struct xi_sa_params *sa,
			  uint32_t *ret_rule)
{
	const char *why = judge(by, sa, XI_DIR_OUT, ret_rule);

	/* A rule that is not mirrored has filters in one direction only. */
	return why && !judge(by, sa, XI_DIR_IN, ret_rule) ? NULL : why;
}
