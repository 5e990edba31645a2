/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Warnings of filters that can never decide (reach.h finds them). One entry of
 * the text makes many filters - a direction each, a family each, an address each -
 * so they are told of by entry: a warning where all of it is for nothing, a note
 * where a part is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/reach.h"
#include "compile/words.h"
#include "policy/policy.h"
#include "util/radix.h"

#define WARNINGS_MAX 50
#define NAMED_MAX    3 /* of the rules that take a filter's packets */
#define LIST_WORDS   1200
/* Filters looked at in all: some seconds on a slow machine. */
#define BUDGET 50000000

struct lint {
	const struct policy *policy;
	const struct image *image;
	const struct reach *reach;
	struct diag *diag;
	bool notes; /* it is their turn: none of them takes the place of a warning */
	size_t told, more;
};

/* All filters of one entry. */
struct group {
	const struct keyed *v; /* index: in image->filters */
	size_t count;
	size_t never, fragments;
	uint32_t first; /* the first of either */
};

/* The rules that take the filter's packets: each once, with the place of its entry. */
static void list_takers(const struct lint *l, uint32_t index, char buf[LIST_WORDS])
{
	const struct reach *reach = &l->reach[index];
	const struct filter *loser = &l->image->filters[index];
	uint32_t named = reach->by_count < REACH_NAMED ? reach->by_count : REACH_NAMED;
	uint32_t listed = 0, same = 0;
	char words[PLACE_WORDS];
	size_t len = 0;

	buf[0] = 0;
	for (uint32_t i = 0; i < named && listed < NAMED_MAX; i++) {
		const struct filter *f = &l->image->filters[reach->by[i]];
		bool again = false;

		for (uint32_t k = 0; k < i; k++) {
			const struct filter *other = &l->image->filters[reach->by[k]];

			again |= other->rule == f->rule && other->entry == f->entry &&
				 !strcmp(other->rule_name, f->rule_name);
		}
		same += again;
		if (again)
			continue;
		len += snprintf(buf + len, LIST_WORDS - len, "%s%s", listed++ ? ", " : "",
				rule_words(l->policy, f, loser, words, sizeof(words)));
		if (len >= LIST_WORDS)
			return;
	}
	if (reach->by_count > listed + same)
		snprintf(buf + len, LIST_WORDS - len, " and %u more filters%s",
			 reach->by_count - listed - same,
			 reach->by_count == REACH_USED_MAX ? " or more" : "");
}

static const char *hint_of(const struct lint *l, uint32_t index)
{
	const struct reach *reach = &l->reach[index];

	if (!reach->by_count)
		return "its protocol and its ports contradict each other";
	if (l->image->filters[reach->by[0]].rule == FILTER_BUILTIN)
		return "built-in filters go before all rules: see exemptions in xipsec-policy(5)";
	return "the more specific filter decides, whatever its place: remove this one, or narrow "
	       "the others";
}

static bool is_whole(const struct group *group)
{
	return group->never + group->fragments == group->count;
}

static void tell(struct lint *l, const struct group *group)
{
	const struct filter *f = &l->image->filters[group->first];
	const struct reach *reach = &l->reach[group->first];
	bool all = is_whole(group);
	char words[FILTER_WORDS], takers[LIST_WORDS], part[400 + PLACE_WORDS] = "";
	char place[PLACE_WORDS] = "";
	struct filter entry = *f;
	struct diag_loc loc;

	/* All that it makes is told of in one place; where this one comes from, in words. */
	entry.line = 0;
	if (l->told == WARNINGS_MAX) {
		l->more++;
		return;
	}
	l->told++;
	list_takers(l, group->first, takers);
	if (f->line)
		diag_place(filter_loc(l->policy, f, &loc), place, sizeof(place));
	if (!all)
		snprintf(part, sizeof(part),
			 "in %zu of the %zu filters that this entry makes, "
			 "such as %u (%s%s%s), ",
			 group->never + group->fragments, group->count, f->id,
			 filter_words(f, words), *place ? ", " : "", place);
	diag_add(l->diag, all ? DIAG_WARNING : DIAG_NOTE, filter_loc(l->policy, &entry, &loc),
		 hint_of(l, group->first),
		 "unreachable: rule '%s' (%s) never decides here: %s%s%s%s", f->rule_name,
		 action_name(f->action), part,
		 reach->by_count ? "every packet that it covers is decided by "
				 : "no packet matches it",
		 takers,
		 group->fragments ? "; only later fragments whose first one was not seen still are "
				    "its own"
				  : "");
}

static void look_at(struct lint *l, struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		enum reach_state state = l->reach[group->v[i].index].state;

		if (state != REACH_NEVER && state != REACH_FRAGMENTS)
			continue;
		if (!group->never && !group->fragments)
			group->first = group->v[i].index;
		group->never += state == REACH_NEVER;
		group->fragments += state == REACH_FRAGMENTS;
	}
	if ((group->never || group->fragments) && is_whole(group) != l->notes)
		tell(l, group);
}

/* Every entry, whose filters stand together. */
static void look_at_groups(struct lint *l, const struct keyed *order, size_t n)
{
	struct diag_loc file = {l->policy ? l->policy->file : NULL, 0, 0};

	l->told = l->more = 0;
	for (size_t i = 0, to; i < n; i = to) {
		struct group group = {.v = order + i};

		for (to = i + 1; to < n && order[to].key == order[i].key;)
			to++;
		group.count = to - i;
		look_at(l, &group);
	}
	if (l->more)
		diag_add(l->diag, l->notes ? DIAG_NOTE : DIAG_WARNING, &file, NULL,
			 "%zu more entries %s unreachable", l->more,
			 l->notes ? "have filters that are" : "are");
}

static int look_at_all(struct lint *l)
{
	struct diag_loc file = {l->policy ? l->policy->file : NULL, 0, 0};
	size_t n = 0, unknown = 0;
	struct keyed *order = malloc((l->image->count + 1) * sizeof(*order));
	int err;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < l->image->count; i++) {
		const struct filter *f = &l->image->filters[i];

		unknown += l->reach[i].state == REACH_UNKNOWN;
		if (f->rule != FILTER_BUILTIN)
			order[n++] = (struct keyed){.key = (uint64_t)f->rule << 32 | f->entry,
						    .index = i};
	}
	err = radix_sort(order, n);
	for (int notes = 0; !err && notes < 2; notes++) {
		l->notes = notes;
		look_at_groups(l, order, n);
	}
	free(order);
	if (!err && unknown)
		diag_add(l->diag, DIAG_NOTE, &file, NULL,
			 "the search for unreachable filters was stopped after %d steps: %zu "
			 "filters were not looked into",
			 BUDGET, unknown);
	return err;
}

int compile_lint(const struct policy *policy, const struct image *image,
		 const struct compile_opts *opts, struct diag *diag)
{
	struct lint l = {.policy = policy, .image = image, .diag = diag};
	struct reach *reach = calloc(image->count + 1, sizeof(*reach));
	int err;

	if (!reach)
		return -ENOMEM;
	l.reach = reach;
	err = reach_find(image->filters, image->count, opts, BUDGET, reach);
	if (!err)
		err = look_at_all(&l);
	free(reach);
	return err;
}
