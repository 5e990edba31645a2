/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New rules meet main modes, quick modes and SAs that older ones made. What could
 * come about today as it is goes on untouched, with its rule's new number; a peer
 * notices nothing. The rest ends at once and not at its lifetime, with deletes
 * (RFC 2408 5.15) where there is a main mode to carry them: so SAs first, then
 * quick modes, main modes last.
 *
 * Of an SA only the preshared key is looked at here: no other part knows it.
 *
 * Known weak spot: a secret counts as the same while its handle is; other bytes
 * in the same file end nothing.
 */
#include <errno.h>
#include <string.h>

#include "ike/engine.h"

/* ----------------------------------------------------------------------- SAs */

static void check_children(struct ike_engine *engine)
{
	const struct ike_rule *rule;
	struct v1_child *child;

	LIST_FOREACH(child, &engine->v1.children, all) {
		rule = child->gone ? NULL : ike_rules_covering(&engine->rules, &child->traffic);
		if (!rule)
			continue;
		if (ike_rule_has_psk(rule, child->secret))
			child->rule = rule->rule;
		else
			v1_child_remove(child, true, true);
	}
}

/* --------------------------------------------------------------- quick modes */

static const struct ike_rule *heir(const struct v1_qm *qm)
{
	const struct ike_rules *rules = &qm->engine->rules;
	const struct ike_rule *rule = ike_rules_covering(rules, &qm->traffic);
	uint32_t secret = 0;

	ike_rule_psk(&qm->rule, &secret);
	if (!rule || ike_rule_unfit(rule) || !ike_rule_same_offer(rule, &qm->rule) ||
	    !ike_rule_has_psk(rule, qm->state == V1_QM_WAITING ? secret : qm->mm->secret) ||
	    ike_rules_conflict(rules, rule, &qm->traffic))
		return NULL;
	return rule;
}

static void check_qm(struct v1_qm *qm)
{
	const struct ike_rule *rule;

	/* What is done is an SA, kept here only to know repeated messages. */
	if (qm->state == V1_QM_I3_SENT || qm->state == V1_QM_R_DONE)
		return;
	rule = heir(qm);
	if (!rule) {
		v1_qm_end(qm, -ECANCELED, "failure point me: the policy has changed");
		return;
	}
	qm->rule = *rule;
	qm->generation = qm->engine->rules.generation;
	for (unsigned i = 0; i < qm->want_count; i++)
		qm->wants[i].rule = rule->rule;
}

static void check_qms(struct ike_engine *engine)
{
	struct v1_qm *qm, *next;
	struct v1_mm *mm;

	LIST_FOREACH(mm, &engine->v1.mms, all) {
		for (qm = LIST_FIRST(&mm->qms); qm; qm = next) {
			next = LIST_NEXT(qm, of_mm);
			check_qm(qm);
		}
	}
}

/* ---------------------------------------------------------------- main modes */

/* The rule that it bears the name of goes before others that would do as well. */
static const struct ike_rule *maker(const struct v1_mm *mm)
{
	const struct ike_rules *rules = &mm->engine->rules;
	const struct ike_rule *first = NULL;
	struct ike_main main = {
		.local = &mm->path.local,
		.remote = &mm->path.remote,
		.secret = mm->secret,
		.lifetime_s = mm->lifetime_s,
		.usual_lifetime_s = V1_MM_LIFETIME_S,
		.methods = &mm->method,
		.method_count = 1,
	};

	if (mm->state == V1_MM_I1_SENT) { /* the peer may still choose any */
		main.methods = mm->hs->offer;
		main.method_count = mm->hs->offer_count;
	}
	for (size_t i = 0; i < rules->count; i++) {
		const struct ike_rule *rule = &rules->rules[i];
		bool named = !strcmp(rule->name, mm->rule);

		if ((named || !first) && ike_rule_could_make(rule, &main)) {
			if (named)
				return rule;
			first = rule;
		}
	}
	return first;
}

static void check_mm(struct v1_mm *mm)
{
	const struct ike_rule *rule = maker(mm);

	if (rule) {
		memcpy(mm->rule, rule->name, sizeof(mm->rule));
		mm->quick_mode_limit = rule->qm_per_mm;
		if (mm->state == V1_ESTABLISHED)
			v1_quick_count_limit(mm);
		return;
	}
	if (mm->state == V1_ESTABLISHED)
		v1_info_delete_mm(mm);
	v1_mm_end(mm, "failure point me: the policy has changed");
}

void v1_rules_changed(struct ike_engine *engine)
{
	struct v1_mm *mm;

	check_children(engine);
	check_qms(engine);
	/* New ones, for quick modes that look for another main mode, come in at the head. */
	LIST_FOREACH(mm, &engine->v1.mms, all) {
		if (mm->state != V1_DEAD)
			check_mm(mm);
	}
}
