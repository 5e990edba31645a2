/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does the policy of today still allow an SA that was made under an older one?
 * Pure: a compiled filter list, the rules of IKE made of it, and one SA.
 */
#ifndef DAEMON_REVALIDATE_H
#define DAEMON_REVALIDATE_H

#include <stddef.h>
#include <stdint.h>

#include <xipsec/addr.h>
#include <xipsec/ike.h>
#include <xipsec/sa.h>

struct image;

struct revalidation {
	const struct image *image;
	const struct ike_rule *rules; /* of the same policy, by ike_rules_build() */
	size_t rule_count;
	const struct xi_addr *me; /* addresses of this host; NULL = any may be one */
	size_t me_count;
};

/*
 * NULL when it stays; *ret_rule is then the rule that it belongs to from now on, as
 * an index in the policy. Else the reason why it must go, as a sentence.
 */
const char *revalidate_sa(const struct revalidation *by, const struct xi_sa_params *sa,
			  uint32_t *ret_rule);

#endif
