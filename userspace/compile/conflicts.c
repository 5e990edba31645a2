/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters against each other. Of filters with the same selectors only the most
 * restrictive takes effect; the others are shadowed and leave the list. Filters
 * of equal precedence that overlap without being the same, and disagree, are
 * decided by the action alone: correct, but perhaps not what was meant, so they
 * are reported as ambiguous. Both are found by sorting; the search for overlaps
 * has a budget and says so when it runs out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"
#include "policy/policy.h"
#include "util/addr.h"

#define WARNINGS_MAX	 50 /* of each kind */
#define OVERLAP_COMPARES 2000000

struct conflicts {
	struct filter *filters;
	const struct policy *policy;
	const struct compile_opts *opts;
	struct diag *diag;
	size_t shadowed, ambiguous, compares;
	struct pair {
		uint32_t winner, loser;
	} told[2][WARNINGS_MAX]; /* pairs of rules: shadowed, ambiguous */
};

#define BY(a, b, field)                                                                            \
	do {                                                                                       \
		if ((a)->field != (b)->field)                                                      \
			return (a)->field < (b)->field ? -1 : 1;                                   \
	} while (0)

/* Everything that selects packets except ports and the local side. */
static int compare_common(const struct filter *a, const struct filter *b)
{
	int diff = memcmp(&a->remote.addr, &b->remote.addr, sizeof(a->remote.addr));

	if (diff)
		return diff;
	BY(a, b, remote.len);
	BY(a, b, dir);
	BY(a, b, family);
	BY(a, b, band);
	BY(a, b, proto_given);
	BY(a, b, proto);
	BY(a, b, icmp_type);
	BY(a, b, icmp_code);
	BY(a, b, iface_class);
	return 0;
}

static int compare_selectors(const struct filter *a, const struct filter *b)
{
	int diff = compare_common(a, b);

	if (diff)
		return diff;
	BY(a, b, local_is_me);
	diff = a->local_is_me ? 0 : memcmp(&a->local.addr, &b->local.addr, sizeof(a->local.addr));
	if (diff)
		return diff;
	BY(a, b, local.len);
	BY(a, b, remote_port_lo);
	BY(a, b, remote_port_hi);
	BY(a, b, local_port_lo);
	BY(a, b, local_port_hi);
	return 0;
}

static const struct diag_loc *rule_loc(const struct conflicts *c, const struct filter *f)
{
	return c->policy && f->rule < c->policy->rule_count ? &c->policy->rules[f->rule].loc : NULL;
}

/*
 * One entry of the text makes many filters, and two rules may meet in all of
 * them: a pair of rules is told of once. `count` is what was found so far.
 */
static bool tell(struct pair told[WARNINGS_MAX], size_t *count, const struct filter *winner,
		 const struct filter *loser)
{
	for (size_t i = 0; i < *count && i < WARNINGS_MAX; i++) {
		if (told[i].winner == winner->rule && told[i].loser == loser->rule)
			return false;
	}
	if ((*count)++ >= WARNINGS_MAX)
		return false;
	told[*count - 1] = (struct pair){winner->rule, loser->rule};
	return true;
}

/* ---------------------------------------------------------------- shadowed */

static int by_selectors(const void *pa, const void *pb, void *arg)
{
	const struct filter *filters = arg;
	size_t a = *(const size_t *)pa, b = *(const size_t *)pb;
	int diff = compare_selectors(&filters[a], &filters[b]);

	return diff ? diff : a < b ? -1 : 1;
}

static void report_shadowed(struct conflicts *c, const struct filter *winner,
			    const struct filter *loser)
{
	if (winner->rule == loser->rule || !c->diag)
		return; /* two halves of one symmetric filter, say */
	if (!tell(c->told[0], &c->shadowed, winner, loser))
		return;
	diag_add(c->diag, DIAG_WARNING, rule_loc(c, loser), NULL,
		 "rule '%s' (%s) is shadowed by rule '%s' (%s) on the same addresses and ports",
		 loser->rule_name, action_name(loser->action), winner->rule_name,
		 action_name(winner->action));
}

static int drop_shadowed(struct conflicts *c, size_t *count)
{
	size_t n = *count, out = 0;
	size_t *order = malloc((n ? n : 1) * sizeof(*order));
	char *dropped = calloc(n ? n : 1, 1);
	int err = -ENOMEM;

	if (!order || !dropped)
		goto out;
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), by_selectors, c->filters);
	for (size_t i = 1, first = 0; i < n; i++) {
		const struct filter *winner = &c->filters[order[first]];

		if (compare_selectors(winner, &c->filters[order[i]])) {
			first = i;
			continue;
		}
		dropped[order[i]] = 1;
		report_shadowed(c, winner, &c->filters[order[i]]);
	}
	for (size_t i = 0; i < n; i++) {
		if (!dropped[i])
			c->filters[out++] = c->filters[i];
	}
	*count = out;
	err = 0;
out:
	free(order);
	free(dropped);
	return err;
}

/* --------------------------------------------------------------- ambiguous */

static bool is_me(const struct conflicts *c, const struct filter *f)
{
	if (f->local_is_me)
		return true;
	if (f->local.len != xi_family_bits(f->family))
		return false;
	for (size_t i = 0; i < c->opts->me_count; i++) {
		if (xi_addr_equal(&c->opts->me[i], &f->local.addr))
			return true;
	}
	return false;
}

/*
 * Filters that compare equal here have equal precedence and can only differ in
 * where their ports lie (and, for our own addresses, in being written `me`).
 */
static int compare_precedence(const struct conflicts *c, const struct filter *a,
			      const struct filter *b)
{
	int diff = compare_common(a, b), me_a = is_me(c, a), me_b = is_me(c, b);

	if (diff)
		return diff;
	if (me_a != me_b)
		return me_a - me_b;
	if (!me_a) {
		diff = memcmp(&a->local.addr, &b->local.addr, sizeof(a->local.addr));
		if (diff)
			return diff;
		BY(a, b, local.len);
	}
	diff = (a->remote_port_hi - a->remote_port_lo) - (b->remote_port_hi - b->remote_port_lo);
	if (diff)
		return diff;
	return (a->local_port_hi - a->local_port_lo) - (b->local_port_hi - b->local_port_lo);
}

static int by_precedence(const void *pa, const void *pb, void *arg)
{
	const struct conflicts *c = arg;
	const struct filter *a = &c->filters[*(const size_t *)pa];
	const struct filter *b = &c->filters[*(const size_t *)pb];
	int diff = compare_precedence(c, a, b);

	if (!diff)
		diff = (int)a->remote_port_lo - b->remote_port_lo;
	if (!diff)
		diff = (int)a->local_port_lo - b->local_port_lo;
	return diff ? diff : a < b ? -1 : 1;
}

static bool overlap(const struct filter *a, const struct filter *b)
{
	bool local = a->local_is_me || b->local_is_me ||
		     xi_addr_equal(&a->local.addr, &b->local.addr);

	return local && a->remote_port_lo <= b->remote_port_hi &&
	       b->remote_port_lo <= a->remote_port_hi && a->local_port_lo <= b->local_port_hi &&
	       b->local_port_lo <= a->local_port_hi;
}

static void report_ambiguous(struct conflicts *c, const struct filter *a, const struct filter *b)
{
	const struct filter *winner = filter_compare(a, b) < 0 ? a : b;
	const struct filter *loser = winner == a ? b : a;

	if (!tell(c->told[1], &c->ambiguous, winner, loser))
		return;
	diag_add(c->diag, DIAG_WARNING, rule_loc(c, loser), NULL,
		 "ambiguous: rule '%s' (%s) and rule '%s' (%s) overlap and neither is more "
		 "specific; where they do, %s decides",
		 winner->rule_name, action_name(winner->action), loser->rule_name,
		 action_name(loser->action), action_name(winner->action));
}

static int find_ambiguous(struct conflicts *c, size_t n)
{
	size_t *order = malloc((n ? n : 1) * sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), by_precedence, c);
	for (size_t i = 0; i < n; i++) {
		const struct filter *a = &c->filters[order[i]];

		for (size_t k = i + 1; k < n; k++) {
			const struct filter *b = &c->filters[order[k]];

			if (++c->compares > OVERLAP_COMPARES)
				goto out;
			/* Sorted by the remote port: behind its end nothing overlaps. */
			if (compare_precedence(c, a, b) || b->remote_port_lo > a->remote_port_hi)
				break;
			if (a->action != b->action && overlap(a, b))
				report_ambiguous(c, a, b);
		}
	}
out:
	free(order);
	return 0;
}

static void report_rest(struct conflicts *c)
{
	if (c->shadowed > WARNINGS_MAX)
		diag_add(c->diag, DIAG_WARNING, NULL, NULL, "%zu more filters are shadowed",
			 c->shadowed - WARNINGS_MAX);
	if (c->ambiguous > WARNINGS_MAX)
		diag_add(c->diag, DIAG_WARNING, NULL, NULL,
			 "%zu more pairs of filters are ambiguous", c->ambiguous - WARNINGS_MAX);
	if (c->compares > OVERLAP_COMPARES)
		diag_add(c->diag, DIAG_NOTE, NULL, NULL,
			 "the search for ambiguous filters was stopped after %d comparisons, "
			 "there may be more",
			 OVERLAP_COMPARES);
}

int conflicts_resolve(struct filter *filters, size_t *count, const struct policy *policy,
		      const struct compile_opts *opts, struct diag *diag)
{
	struct conflicts c = {.filters = filters, .policy = policy, .opts = opts, .diag = diag};
	int err = drop_shadowed(&c, count);

	if (err || !diag)
		return err;
	err = find_ambiguous(&c, *count);
	if (!err)
		report_rest(&c);
	return err;
}
