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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"
#include "compile/words.h"
#include "policy/policy.h"
#include "util/addr.h"
#include "util/radix.h"

#define WARNINGS_MAX	 50 /* of each kind */
#define OVERLAP_COMPARES 20000000
#define KEPT		 UINT32_MAX

/* Two rules that meet, perhaps in many filters, and the first of those. */
struct pair {
	struct filter winner, loser;
	size_t times;
};

struct pairs {
	struct pair v[WARNINGS_MAX];
	size_t count, more; /* filters of pairs that have no place */
};

struct conflicts {
	struct filter *filters;
	const struct policy *policy;
	const struct compile_opts *opts;
	struct diag *diag;
	size_t compares;
	struct pairs shadowed, repeated, ambiguous;
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

/* One entry of the text makes many filters, so a pair of rules is told of once. */
static void add_pair(struct pairs *pairs, const struct filter *winner, const struct filter *loser)
{
	for (size_t i = 0; i < pairs->count; i++) {
		struct pair *pair = &pairs->v[i];

		if (pair->winner.rule == winner->rule && pair->loser.rule == loser->rule) {
			pair->times++;
			return;
		}
	}
	if (pairs->count < WARNINGS_MAX)
		pairs->v[pairs->count++] = (struct pair){*winner, *loser, 1};
	else
		pairs->more++;
}

/* The loser's text, or its rule if both were made of one. */
static const struct diag_loc *place_of(const struct conflicts *c, const struct pair *pair,
				       struct diag_loc *buf)
{
	return filter_same_text(c->policy, &pair->loser, &pair->winner)
		       ? filter_rule_loc(c->policy, &pair->loser)
		       : filter_loc(c->policy, &pair->loser, buf);
}

/* For what is said of all of it. */
static struct diag_loc file_of(const struct conflicts *c)
{
	return (struct diag_loc){c->policy ? c->policy->file : NULL, 0, 0};
}

static const char *times_words(size_t times, char buf[64])
{
	buf[0] = 0;
	if (times > 1)
		snprintf(buf, 64, ", in %zu filters", times);
	return buf;
}

/* ---------------------------------------------------------------- shadowed */

static void report_shadowed(struct conflicts *c)
{
	struct diag_loc file = file_of(c), loc;
	char other[PLACE_WORDS], times[64];

	for (size_t i = 0; i < c->shadowed.count; i++) {
		const struct pair *pair = &c->shadowed.v[i];
		const struct filter *winner = &pair->winner, *loser = &pair->loser;

		diag_add(c->diag, DIAG_WARNING, place_of(c, pair, &loc),
			 winner->action != loser->action
				 ? "of two actions for the same packets the stricter one counts"
				 : "one of them is needless",
			 "rule '%s' (%s) is shadowed by %s on the same addresses and ports%s",
			 loser->rule_name, action_name(loser->action),
			 rule_words(c->policy, winner, loser, other, sizeof(other)),
			 times_words(pair->times, times));
	}
	if (c->shadowed.more)
		diag_add(c->diag, DIAG_WARNING, &file, NULL, "%zu more filters are shadowed",
			 c->shadowed.more);
}

/* A rule that says the same twice. It does no harm, but may be a slip of the pen. */
static void report_repeated(struct conflicts *c)
{
	struct diag_loc file = file_of(c), loc;
	char other[PLACE_WORDS], times[64];

	for (size_t i = 0; i < c->repeated.count; i++) {
		const struct pair *pair = &c->repeated.v[i];

		diag_add(c->diag, DIAG_NOTE, filter_loc(c->policy, &pair->loser, &loc),
			 "one of them is needless", "repeated: %s has this filter already%s",
			 rule_words(c->policy, &pair->winner, &pair->loser, other, sizeof(other)),
			 times_words(pair->times, times));
	}
	if (c->repeated.more)
		diag_add(c->diag, DIAG_NOTE, &file, NULL, "%zu more filters are repeated",
			 c->repeated.more);
}

/* Equal for filters that compare_selectors() finds equal, and hardly ever for others. */
static uint64_t hash_selectors(const struct filter *f)
{
	uint64_t h = hash_common(f);

	h = hash_local(h, f, f->local_is_me);
	h = xi_hash_step(h, f->local.len | (uint64_t)f->local_is_me << 8);
	h = xi_hash_step(h, (uint64_t)f->remote_port_lo << 48 | (uint64_t)f->remote_port_hi << 32 |
				    (uint32_t)f->local_port_lo << 16 | f->local_port_hi);
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

/* Those of other rules than the one that beat them go behind the rest: explain shows them. */
static int set_aside(struct image *image, const uint32_t *beaten)
{
	struct filter *filters = image->filters, *aside;
	size_t n = image->count, out = 0, kept = 0;

	for (size_t i = 0; i < n; i++)
		kept += beaten[i] == KEPT;
	aside = malloc((n - kept + 1) * sizeof(*aside));
	if (!aside)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (beaten[i] != KEPT && filters[beaten[i]].rule != filters[i].rule)
			aside[image->shadowed++] = filters[i];
	}
	for (size_t i = 0; i < n; i++) {
		if (beaten[i] == KEPT)
			filters[out++] = filters[i];
	}
	if (image->shadowed)
		memcpy(&filters[kept], aside, image->shadowed * sizeof(*aside));
	image->count = kept;
	free(aside);
	return 0;
}

static int drop_shadowed(struct conflicts *c, struct image *image)
{
	size_t n = image->count;
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
		const struct filter *loser = &c->filters[i];
		const struct filter *winner = beaten[i] == KEPT ? NULL : &c->filters[beaten[i]];

		/* Not two halves of one symmetric filter, say. */
		if (winner && winner->rule != loser->rule)
			add_pair(&c->shadowed, winner, loser);
		else if (winner && winner->entry != loser->entry)
			add_pair(&c->repeated, winner, loser);
	}
	err = set_aside(image, beaten);
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
	h = xi_hash_step(h, (uint64_t)me << 32 |
				    (uint64_t)(f->remote_port_hi - f->remote_port_lo) << 16 |
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

/* Would it make a difference which of them decides? */
static bool disagree(const struct conflicts *c, const struct filter *a, const struct filter *b)
{
	const struct pol_rule *rules = c->policy ? c->policy->rules : NULL;

	if (a->action != b->action)
		return true;
	return rules && a->action == XI_ACT_NEGOTIATE && a->rule != b->rule &&
	       rules[a->rule].action != rules[b->rule].action;
}

/* Where two filters meet, in words: " (local port 150-200)". */
static const char *common_words(const struct filter *a, const struct filter *b, char buf[64])
{
	uint16_t remote_lo = a->remote_port_lo > b->remote_port_lo ? a->remote_port_lo
								   : b->remote_port_lo;
	uint16_t remote_hi = a->remote_port_hi < b->remote_port_hi ? a->remote_port_hi
								   : b->remote_port_hi;
	uint16_t local_lo = a->local_port_lo > b->local_port_lo ? a->local_port_lo
								: b->local_port_lo;
	uint16_t local_hi = a->local_port_hi < b->local_port_hi ? a->local_port_hi
								: b->local_port_hi;
	bool remote = remote_lo != 0 || remote_hi != 65535,
	     local = local_lo != 0 || local_hi != 65535;
	char r[PORTS_WORDS], l[PORTS_WORDS];

	ports_words(remote_lo, remote_hi, r);
	ports_words(local_lo, local_hi, l);
	if (remote && local)
		snprintf(buf, 64, " (remote port %s, local port %s)", r, l);
	else if (remote || local)
		snprintf(buf, 64, " (%s port %s)", remote ? "remote" : "local", remote ? r : l);
	else
		buf[0] = 0;
	return buf;
}

static void report_ambiguous(struct conflicts *c)
{
	struct diag_loc file = file_of(c), loc;
	char other[PLACE_WORDS], times[64], common[64];

	for (size_t i = 0; i < c->ambiguous.count; i++) {
		const struct pair *pair = &c->ambiguous.v[i];
		const struct filter *winner = &pair->winner, *loser = &pair->loser;
		bool same = winner->action == loser->action;

		diag_add(c->diag, DIAG_WARNING, place_of(c, pair, &loc),
			 "make one of them narrower than the other, or cut out what they share",
			 "ambiguous: %s and rule '%s' (%s) overlap%s and neither is more "
			 "specific; where they do, %s%s%s decides%s",
			 rule_words(c->policy, winner, loser, other, sizeof(other)),
			 loser->rule_name, action_name(loser->action),
			 common_words(winner, loser, common), same ? "rule '" : "",
			 same ? winner->rule_name : action_name(winner->action), same ? "'" : "",
			 times_words(pair->times, times));
	}
	if (c->ambiguous.more)
		diag_add(c->diag, DIAG_WARNING, &file, NULL,
			 "%zu more pairs of filters are ambiguous", c->ambiguous.more);
	if (c->compares > OVERLAP_COMPARES)
		diag_add(c->diag, DIAG_NOTE, &file, NULL,
			 "the search for ambiguous filters was stopped after %d comparisons, "
			 "there may be more",
			 OVERLAP_COMPARES);
}

static unsigned port_count(const struct filter *f, bool remote)
{
	return remote ? f->remote_port_hi - f->remote_port_lo : f->local_port_hi - f->local_port_lo;
}

/*
 * One run of equal hashes. Their port sets are of one size each, so they are sorted
 * by where the smaller ones begin: behind the end of one nothing overlaps it.
 */
static int ambiguous_in_run(struct conflicts *c, struct keyed *run, size_t count)
{
	const struct filter *first = &c->filters[run[0].index];
	bool remote = port_count(first, true) < port_count(first, false);
	int err;

	for (size_t i = 0; i < count; i++) {
		const struct filter *f = &c->filters[run[i].index];

		run[i].key = remote ? f->remote_port_lo : f->local_port_lo;
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
			if (run[k].key > (remote ? a->remote_port_hi : a->local_port_hi))
				break;
			if (!disagree(c, a, b) || !overlap(a, b) || compare_precedence(c, a, b))
				continue;
			if (filter_compare(a, b) < 0)
				add_pair(&c->ambiguous, a, b);
			else
				add_pair(&c->ambiguous, b, a);
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

int conflicts_resolve(struct image *image, const struct policy *policy,
		      const struct compile_opts *opts, struct diag *diag)
{
	struct conflicts *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	*c = (struct conflicts){
		.filters = image->filters, .policy = policy, .opts = opts, .diag = diag};
	err = drop_shadowed(c, image);
	if (!err && diag) {
		report_shadowed(c);
		report_repeated(c);
		err = find_ambiguous(c, image->count);
		if (!err)
			report_ambiguous(c);
	}
	free(c);
	return err;
}
