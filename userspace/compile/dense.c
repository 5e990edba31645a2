/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From entries to a dense list (xipsec/dense.h). Each field is swept from its
 * smallest value to its largest: wherever a filter begins or ends, a bit of the
 * vector changes, and a new step is written if the vector is another one then.
 * Equal vectors are stored once.
 *
 * Weak spot: memory. A field of n filters has up to 2n + 1 steps, each perhaps
 * with a vector of its own: 4 MB a field at 4,096 filters.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/dense.h"
#include "compile/words.h"
#include "policy/scalar.h"
#include "util/addr.h"

typedef unsigned __int128 wide;

#define WORDS_MAX (8 * XI_DENSE_LINES)

/* The values of one field that one filter covers. */
struct span {
	wide first, last;
};
#define SPANS_MAX 2

/* A filter begins or ends at a value. */
struct event {
	wide at;
	uint32_t bit;
	uint32_t begins;
};

struct dense {
	struct build *build;
	const struct entry *const *entries; /* by rank */
	size_t count;
	struct event *events; /* 2 * SPANS_MAX for each filter */
	uint64_t vector[WORDS_MAX];
	uint32_t lines;
	uint32_t *seen; /* hash table of vectors: line + 1 */
	uint32_t seen_mask, seen_count;
};

static bool is_icmp(const struct entry *e)
{
	return e->proto_given && proto_is_icmp(e->proto);
}

static struct span prefix_span(const struct entry *e, const uint8_t addr[16], uint8_t len)
{
	unsigned bits = e->family == 4 ? 32 : 128;
	wide first = 0, hosts;

	for (unsigned i = 0; i < bits / 8; i++)
		first = first << 8 | addr[i];
	/* Not 1 << 128. */
	hosts = len ? ((wide)1 << (bits - len)) - 1 : ~(wide)0 >> (128 - bits);
	return (struct span){first, first | hosts};
}

/* What a filter covers of a field. Returns how many spans. */
static unsigned field_spans(const struct entry *e, enum xi_dense_field field,
			    struct span spans[SPANS_MAX])
{
	unsigned n = 0;

	switch (field) {
	case XI_DENSE_REMOTE:
		spans[n++] = prefix_span(e, e->remote, e->remote_len);
		break;
	case XI_DENSE_LOCAL:
		spans[n++] = prefix_span(e, e->local, e->me ? 0 : e->local_len);
		break;
	case XI_DENSE_REMOTE_PORT:
		spans[n++] = (struct span){e->rect.x_lo, e->rect.x_hi};
		break;
	case XI_DENSE_LOCAL_PORT:
		/* Who sees ports sees no ICMP, and the other way round. */
		if (!is_icmp(e))
			spans[n++] = (struct span){e->rect.y_lo, e->rect.y_hi};
		break;
	case XI_DENSE_ICMP:
		if (is_icmp(e))
			spans[n++] = (struct span){e->rect.y_lo, e->rect.y_hi};
		else if (!e->proto_given && !e->rect.y_lo)
			spans[n++] = (struct span){0, 65535}; /* its local port counts as 0 */
		break;
	case XI_DENSE_PROTO: {
		struct span protos = {e->proto_given ? e->proto : 0,
				      e->proto_given ? e->proto : XI_DENSE_ME - 1};

		if (!e->me)
			spans[n++] = protos;
		spans[n++] = (struct span){protos.first + XI_DENSE_ME, protos.last + XI_DENSE_ME};
		break;
	}
	case XI_DENSE_FIELDS:
		break;
	}
	return n;
}

static int by_value(const void *pa, const void *pb)
{
	const struct event *a = pa, *b = pb;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	/* The bit of a filter whose second span begins where the first ends stays set. */
	return (int)a->begins - (int)b->begins;
}

/* The largest value that is looked up in a field. */
static wide field_top(enum xi_dense_field field, uint8_t family)
{
	switch (field) {
	case XI_DENSE_REMOTE:
	case XI_DENSE_LOCAL:
		return ~(wide)0 >> (family == 4 ? 96 : 0);
	case XI_DENSE_REMOTE_PORT:
	case XI_DENSE_LOCAL_PORT:
	case XI_DENSE_ICMP:
		return 65535;
	case XI_DENSE_PROTO:
		return 2 * XI_DENSE_ME - 1;
	case XI_DENSE_FIELDS:
		break;
	}
	return 0;
}

/* All events of a field in order. */
static size_t collect_events(struct dense *d, enum xi_dense_field field)
{
	struct span spans[SPANS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++) {
		unsigned count = field_spans(d->entries[i], field, spans);

		for (unsigned s = 0; s < count; s++) {
			d->events[n++] = (struct event){spans[s].first, i, true};
			if (spans[s].last < field_top(field, d->entries[i]->family))
				d->events[n++] = (struct event){spans[s].last + 1, i, false};
		}
	}
	qsort(d->events, n, sizeof(*d->events), by_value);
	return n;
}

/* ------------------------------------------------------------------ vectors */

static uint64_t hash_vector(const struct dense *d)
{
	uint64_t h = 0;

	for (uint32_t w = 0; w < 8 * d->lines; w++)
		h = xi_hash_step(h, d->vector[w]);
	return xi_hash_end(h);
}

/* The table is kept at most half full. */
static int grow_seen(struct dense *d)
{
	uint32_t size = d->seen ? 2 * (d->seen_mask + 1) : 256, *old = d->seen;
	uint32_t old_size = old ? d->seen_mask + 1 : 0;
	uint64_t kept[WORDS_MAX];

	d->seen = calloc(size, sizeof(*d->seen));
	if (!d->seen) {
		d->seen = old;
		return -ENOMEM;
	}
	d->seen_mask = size - 1;
	memcpy(kept, d->vector, sizeof(kept));
	for (uint32_t i = 0; i < old_size; i++) {
		uint64_t at;

		if (!old[i])
			continue;
		memcpy(d->vector, build_at(d->build, DLINE, struct xi_dense_line, old[i] - 1),
		       d->lines * sizeof(struct xi_dense_line));
		for (at = hash_vector(d); d->seen[at & d->seen_mask];)
			at++;
		d->seen[at & d->seen_mask] = old[i];
	}
	memcpy(d->vector, kept, sizeof(kept));
	free(old);
	return 0;
}

/* The first line of the vector as it is now, stored if it is new. */
static int64_t store_vector(struct dense *d)
{
	size_t size = d->lines * sizeof(struct xi_dense_line);
	uint64_t at;
	int64_t line;
	int err;

	if (!d->seen || 2 * (d->seen_count + 1) > d->seen_mask) {
		err = grow_seen(d);
		if (err)
			return err;
	}
	for (at = hash_vector(d); d->seen[at & d->seen_mask]; at++) {
		line = d->seen[at & d->seen_mask] - 1;
		if (!memcmp(build_at(d->build, DLINE, struct xi_dense_line, line), d->vector, size))
			return line;
	}
	line = tab_add(&d->build->tab[XI_TABLE_DLINE], d->lines);
	if (line < 0)
		return line;
	memcpy(build_at(d->build, DLINE, struct xi_dense_line, line), d->vector, size);
	d->seen[at & d->seen_mask] = line + 1;
	d->seen_count++;
	return line;
}

static uint64_t summary_of(const struct dense *d)
{
	uint64_t summary = 0;

	/* Words behind the last line are zero. */
	for (uint32_t w = 0; w < WORDS_MAX; w++)
		summary |= (uint64_t) !!d->vector[w] << w;
	return summary;
}

/* -------------------------------------------------------------------- steps */

static int add_step(struct dense *d, bool v6, wide from, uint32_t vector)
{
	int64_t at = tab_add(&d->build->tab[v6 ? XI_TABLE_DSTEP6 : XI_TABLE_DSTEP], 1);
	struct xi_dense_step6 *step6;

	if (at < 0)
		return at;
	if (!v6) {
		*build_at(d->build, DSTEP, struct xi_dense_step, at) = (struct xi_dense_step){
			.from = from, .vector = vector, .summary = summary_of(d)};
		return 0;
	}
	step6 = build_at(d->build, DSTEP6, struct xi_dense_step6, at);
	*step6 = (struct xi_dense_step6){.vector = vector, .summary = summary_of(d)};
	for (int i = 15; i >= 0; i--, from >>= 8)
		step6->from[i] = from;
	return 0;
}

static int add_field(struct dense *d, enum xi_dense_field field, struct xi_dense_steps *ret)
{
	bool v6 = field <= XI_DENSE_LOCAL && d->entries[0]->family == 6;
	struct tab *tab = &d->build->tab[v6 ? XI_TABLE_DSTEP6 : XI_TABLE_DSTEP];
	size_t n = collect_events(d, field), i = 0;
	int64_t vector, last = -1;
	wide at = 0;
	int err;

	ret->first = tab->count;
	memset(d->vector, 0, sizeof(d->vector));
	do {
		for (; i < n && d->events[i].at == at; i++) {
			uint64_t bit = 1ull << d->events[i].bit % 64;
			uint64_t *word = &d->vector[d->events[i].bit / 64];

			*word = d->events[i].begins ? *word | bit : *word & ~bit;
		}
		vector = store_vector(d);
		if (vector < 0)
			return vector;
		if (vector != last) {
			err = add_step(d, v6, at, vector);
			if (err)
				return err;
		}
		last = vector;
		at = i < n ? d->events[i].at : 0;
	} while (i < n);
	ret->count = tab->count - ret->first;
	return 0;
}

static int by_rank(const void *pa, const void *pb)
{
	const struct entry *const *a = pa, *const *b = pb;

	return (*a)->rect.filter < (*b)->rect.filter ? -1 : (*a)->rect.filter > (*b)->rect.filter;
}

/* `ports`: nothing but the two port fields. */
static int fill(struct dense *d, int64_t index, bool ports)
{
	int64_t filters = tab_add(&d->build->tab[XI_TABLE_DFILTER], d->count);
	struct xi_dense dense = {.filters = d->count, .lines = d->lines, .first_filter = filters};
	int err = filters < 0 ? filters : 0;

	for (size_t i = 0; !err && i < d->count; i++)
		*build_at(d->build, DFILTER, struct xi_dense_filter, filters + i) =
			(struct xi_dense_filter){.filter = d->entries[i]->rect.filter,
						 .limit = d->entries[i]->shape,
						 .action = d->entries[i]->rect.action};
	for (int f = 0; !err && f < XI_DENSE_FIELDS; f++)
		if (!ports || f == XI_DENSE_REMOTE_PORT || f == XI_DENSE_LOCAL_PORT)
			err = add_field(d, f, &dense.field[f]);
	*build_at(d->build, DENSE, struct xi_dense, index) = dense;
	return err;
}

static int64_t build_list(struct build *build, const struct entry *entries, size_t count,
			  bool ports)
{
	const struct entry **sorted = NULL;
	struct dense d = {.build = build, .count = count, .lines = (count + 511) / 512};
	int64_t index;
	int err = -ENOMEM;

	if (!count || count > XI_DENSE_MAX)
		return -E2BIG;
	sorted = malloc(count * sizeof(*sorted));
	d.events = malloc(2 * SPANS_MAX * count * sizeof(*d.events));
	index = tab_add(&build->tab[XI_TABLE_DENSE], 1);
	if (!sorted || !d.events || index < 0)
		goto out;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &entries[i];
	qsort(sorted, count, sizeof(*sorted), by_rank);
	d.entries = sorted;
	err = fill(&d, index, ports);
out:
	free(sorted);
	free(d.events);
	free(d.seen);
	return err ? err : index;
}

int64_t dense_build(struct build *build, const struct entry *entries, size_t count)
{
	return build_list(build, entries, count, false);
}

int64_t dense_build_rects(struct build *build, const struct xi_rect *rects, size_t count)
{
	/* At most: two fields, each with two vectors for each rectangle and one more. */
	size_t lines = 2 * (2 * count + 1) * ((count + 511) / 512) +
		       build->tab[XI_TABLE_DLINE].count;
	size_t room = DENSE_RECTS_BYTES / sizeof(struct xi_dense_line);
	struct entry *entries;
	int64_t index;

	if (count > XI_DENSE_MAX || lines > room)
		return -E2BIG;
	entries = calloc(count ? count : 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		entries[i].rect = rects[i];
	index = build_list(build, entries, count, true);
	free(entries);
	return index;
}

/* ------------------------------------------------------------------- picking */

#define CULPRITS 4096
#define NAMED	 3

/* Who makes shapes overlap where, in words. */
static int refuse(const struct build *build, const struct alive *alive, uint32_t budget)
{
	char remote[XI_ADDR_STRLEN], local[XI_ADDR_STRLEN], names[3 * 80] = "";
	const struct diag_loc *loc = NULL;
	struct diag_loc buf;
	uint32_t *ranks = malloc(CULPRITS * sizeof(*ranks)), there = 0, named[NAMED];
	size_t count, n = 0, len = 0, more = 0;
	struct xi_addr r, l;

	if (!ranks)
		return -ENOMEM;
	count = alive_culprits(alive, ranks, CULPRITS, &there);
	for (size_t i = 0; i < count; i++) {
		const struct filter *f = &build->image->filters[ranks[i]];
		size_t k = 0;

		while (k < n && named[k] != f->rule)
			k++;
		if (k < n)
			continue;
		if (n == NAMED) {
			more = 1;
			break;
		}
		named[n++] = f->rule;
		if (!loc)
			loc = filter_loc(build->policy, f, &buf);
		len += snprintf(names + len, sizeof(names) - len, "%s'%.63s'", len ? ", " : "",
				f->rule_name);
	}
	free(ranks);
	alive_where(alive, &r, &l);
	if (build->diag)
		diag_add(build->diag, DIAG_ERROR, loc,
			 "give prefixes that overlap the same few lengths",
			 "too many kinds of filters overlap: between %s and %s here, %u pairs of "
			 "prefix "
			 "lengths meet, by the rules %s%s. %u are looked up one by one, and what "
			 "is beyond that may have %u filters at most",
			 xi_addr_text(&r, remote), xi_addr_text(&l, local), there, names,
			 more ? " and others" : "", budget, XI_DENSE_MAX);
	return -EINVAL;
}

/* It is not known where, and it would take too long to find out. */
static int refuse_unknown(const struct build *build, uint32_t budget)
{
	if (build->diag)
		diag_add(
			build->diag, DIAG_ERROR, NULL,
			"give prefixes that overlap the same few lengths",
			"too many kinds of filters overlap in too many places to tell that nowhere "
			"more than %u pairs of prefix lengths meet",
			budget);
	return -EINVAL;
}

/* Entries that are to move go before those that stay, both in order. */
static int divide(const struct alive *alive, struct entry *entries, size_t count, size_t moved)
{
	struct entry *stay = malloc((count - moved + 1) * sizeof(*stay));
	size_t n = 0, m = 0;

	if (!stay)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (alive_moved(alive, entries[i].shape))
			entries[m++] = entries[i];
		else
			stay[n++] = entries[i];
	}
	memcpy(&entries[m], stay, n * sizeof(*stay));
	free(stay);
	return 0;
}

int dense_pick(struct build *build, struct entry *entries, size_t count, uint32_t shapes,
	       const struct alive_depths *remote, const struct alive_depths *local, uint32_t budget,
	       size_t capacity, size_t *ret_moved)
{
	struct alive *alive = NULL;
	int64_t moved;
	int err;

	*ret_moved = 0;
	if (shapes <= budget)
		return 0;
	err = alive_open(entries, count, shapes, remote, local, &alive);
	if (err)
		return err;
	moved = alive_limit(alive, budget, capacity);
	if (moved == -E2BIG)
		err = refuse(build, alive, budget);
	else if (moved == -ETIME)
		err = refuse_unknown(build, budget);
	else if (moved < 0)
		err = moved;
	else if (moved)
		err = divide(alive, entries, count, moved);
	if (!err)
		*ret_moved = moved;
	alive_close(alive);
	return err;
}
