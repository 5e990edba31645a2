/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters against each other. Of filters with the same selectors only the most
 * restrictive takes effect; the others are shadowed and leave the list. Filters
 * of equal precedence that overlap without being the same, and disagree, are
 * decided by the action alone: correct, but perhaps not what was meant, so they
 * are reported as ambiguous. Both are found by sorting hashes of what must be
 * equal, and compared in full; the search for overlaps has a budget and says so
 * when it runs out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"
#include "policy/policy.h"
#include "util/addr.h"
#include "util/radix.h"

#define WARNINGS_MAX	 50 /* of each kind */
#define OVERLAP_COMPARES 2000000
#define KEPT		 UINT32_MAX

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

/* Two addresses of eight-byte words; what compare_common() looks at. */
static uint64_t hash_addr(uint64_t h, const struct xi_addr *addr)
{
	uint64_t words[2];

	memcpy(words, addr->b, sizeof(words));
	h = xi_hash_step(h, words[0]);
	return addr->family == 6 ? xi_hash_step(h, words[1]) : h;
}

static uint64_t hash_common(const struct filter *f)
{
	uint64_t h = hash_addr(f->remote.len, &f->remote.addr);

	h = xi_hash_step(h, (uint64_t)f->dir << 56 | (uint64_t)f->band << 48 |
				    (uint64_t)f->family << 40 | (uint64_t)f->proto_given << 32 |
				    (uint32_t)f->proto << 24 | (uint8_t)f->iface_class);
	return xi_hash_step(h, (uint64_t)(uint32_t)f->icmp_type << 32 | (uint32_t)f->icmp_code);
}

static uint64_t hash_local(uint64_t h, const struct filter *f, bool me)
{
	return me ? h : hash_addr(h, &f->local.addr);
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

/* Equal for filters that compare_selectors() finds equal, and hardly ever for others. */
static uint64_t hash_selectors(const struct filter *f)
{
	uint64_t h = hash_common(f);

	h = hash_local(h, f, f->local_is_me);
	h = xi_hash_step(h, f->local.len | (uint64_t)f->local_is_me << 8);
	h = xi_hash_step(h, (uint64_t)f->remote_port_lo << 48 | (uint64_t)f->remote_port_hi << 32 |
				    f->local_port_lo << 16 | f->local_port_hi);
	return xi_hash_end(h);
}

/*
 * One run of equal hashes. It may hold more than one kind of filter, so every
 * filter is compared with those before it that are still in.
 */
static void drop_in_run(const struct conflicts *c, const struct keyed *run, size_t count,
			uint32_t *beaten)
{
	for (size_t i = 1; i < count; i++) {
		const struct filter *loser = &c->filters[run[i].index];

		for (size_t k = 0; k < i; k++) {
			const struct filter *winner = &c->filters[run[k].index];

			if (beaten[run[k].index] != KEPT || compare_selectors(winner, loser))
				continue;
			beaten[run[i].index] = run[k].index;
			break;
		}
	}
}

static int drop_shadowed(struct conflicts *c, size_t *count)
{
	size_t n = *count, out = 0;
	struct keyed *order = malloc((n ? n : 1) * sizeof(*order));
	uint32_t *beaten = malloc((n ? n : 1) * sizeof(*beaten)); /* by which one, or KEPT */
	int err = -ENOMEM;

	if (!order || !beaten)
		goto out;
	for (size_t i = 0; i < n; i++) {
		order[i] = (struct keyed){.key = hash_selectors(&c->filters[i]), .index = i};
		beaten[i] = KEPT;
	}
	err = radix_sort(order, n);
	if (err)
		goto out;
	for (size_t i = 0, to; i < n; i = to) {
		for (to = i + 1; to < n && order[to].key == order[i].key;)
			to++;
		drop_in_run(c, order + i, to - i, beaten);
	}
	for (size_t i = 0; i < n; i++) {
		if (beaten[i] != KEPT)
			report_shadowed(c, &c->filters[beaten[i]], &c->filters[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (beaten[i] != KEPT)
			continue;
		if (out != i)
			c->filters[out] = c->filters[i];
		out++;
	}
	*count = out;
out:
	free(order);
	free(beaten);
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

/* Equal for filters that compare_precedence() finds equal. */
static uint64_t hash_precedence(const struct conflicts *c, const struct filter *f)
{
	bool me = is_me(c, f);
	uint64_t h = hash_local(hash_common(f), f, me);

	if (!me)
		h = xi_hash_step(h, f->local.len);
	h = xi_hash_step(h, (uint64_t)me << 32 | (f->remote_port_hi - f->remote_port_lo) << 16 |
				    (f->local_port_hi - f->local_port_lo));
	return xi_hash_end(h);
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

/* One run of equal hashes, sorted here by the remote port: behind its end nothing overlaps. */
static int ambiguous_in_run(struct conflicts *c, struct keyed *run, size_t count)
{
	int err;

	for (size_t i = 0; i < count; i++) {
		const struct filter *f = &c->filters[run[i].index];

		run[i].key = (uint64_t)f->remote_port_lo << 16 | f->local_port_lo;
	}
	err = radix_sort(run, count);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		const struct filter *a = &c->filters[run[i].index];

		for (size_t k = i + 1; k < count; k++) {
			const struct filter *b = &c->filters[run[k].index];

			if (++c->compares > OVERLAP_COMPARES)
				return 0;
			if (b->remote_port_lo > a->remote_port_hi)
				break;
			if (a->action != b->action && overlap(a, b) && !compare_precedence(c, a, b))
				report_ambiguous(c, a, b);
		}
	}
	return 0;
}

/* The runs that hold more than one filter, in order of their best: index = first place in order,
 * extra = how many. */
static int find_runs(const struct keyed *order, size_t n, struct keyed **ret, size_t *ret_count)
{
	struct keyed *runs = malloc((n / 2 + 1) * sizeof(*runs));
	size_t count = 0;
	int err;

	if (!runs)
		return -ENOMEM;
	for (size_t i = 0, to; i < n; i = to) {
		for (to = i + 1; to < n && order[to].key == order[i].key;)
			to++;
		if (to > i + 1)
			runs[count++] = (struct keyed){order[i].index, i, to - i};
	}
	err = radix_sort(runs, count);
	if (err) {
		free(runs);
		return err;
	}
	*ret = runs;
	*ret_count = count;
	return 0;
}

static int find_ambiguous(struct conflicts *c, size_t n)
{
	struct keyed *order = malloc((n ? n : 1) * sizeof(*order)), *runs = NULL;
	size_t count = 0;
	int err;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = (struct keyed){.key = hash_precedence(c, &c->filters[i]), .index = i};
	err = radix_sort(order, n);
	if (!err)
		err = find_runs(order, n, &runs, &count);
	for (size_t i = 0; !err && i < count && c->compares <= OVERLAP_COMPARES; i++)
		err = ambiguous_in_run(c, order + runs[i].index, runs[i].extra);
	free(order);
	free(runs);
	return err;
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
