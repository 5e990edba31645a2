/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The worst-case engine: one packet in, the best filter of a dense list out. The
 * tables and what they cost at most are explained in xipsec/dense.h. Searches are
 * without branches, since which half a value lies in is anybody's guess.
 *
 * The parts are global functions: the verifier checks each once.
 */
#ifndef XI_DENSE_BPF_H
#define XI_DENSE_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <xipsec/dense.h>

#include "classify_inside.bpf.h"
#include "classify_walk.bpf.h"

/* All ones when a < b, without a branch. */
static __always_inline __u64 xi_below(__u64 a, __u64 b)
{
	__u64 less = (~a & b) | (~(a ^ b) & (a - b));

	asm volatile("" : "+r"(less));
	return (__s64)less >> 63;
}

/* The index of the last of `count` steps that begins at or before `at`, or XI_NO_FILTER. */
__noinline __u32 xi_dense_search(__u32 first, __u32 count, __u32 at)
{
	const struct xi_dense_step *step;
	__u64 beyond;
	__u32 i, half;

	for (i = 0; i < XI_DENSE_HALVINGS && count > 1; i++) {
		half = count / 2;
		step = xi_at(xi_dstep, first + half);
		if (!step)
			return XI_NO_FILTER;
		beyond = (__u64)at - step->from;
		asm volatile("" : "+r"(beyond)); /* or clang compares and jumps */
		beyond >>= 63;			 /* 1: it begins behind */
		first += half & ((__u32)beyond - 1);
		count -= half; /* the larger half, either way: one step too many does no harm */
	}
	return first;
}

/* The same for an IPv6 address: two words as they lie in memory. */
__noinline __u32 xi_dense_search6(__u32 first, __u32 count, __u64 upper, __u64 lower)
{
	const struct xi_dense_step6 *step;
	__u64 from_upper, from_lower, beyond, above;
	__u32 i, half;

	upper = bpf_be64_to_cpu(upper);
	lower = bpf_be64_to_cpu(lower);
	for (i = 0; i < XI_DENSE_HALVINGS && count > 1; i++) {
		half = count / 2;
		step = xi_at(xi_dstep6, first + half);
		if (!step)
			return XI_NO_FILTER;
		from_upper = bpf_be64_to_cpu(xi_words(step->from)[0]);
		from_lower = bpf_be64_to_cpu(xi_words(step->from)[1]);
		beyond = xi_below(upper, from_upper);
		above = xi_below(from_upper, upper);
		beyond |= ~above & xi_below(lower, from_lower);
		asm volatile("" : "+r"(beyond));
		first += half & ~(__u32)beyond;
		count -= half;
	}
	return first;
}

/* What the fields of one packet say. Given to a global function, see struct xi_ask. */
#pragma clang diagnostic push
#pragma clang diagnostic error "-Wpadded"
struct xi_dense_walk {
	__u64 summary;		       /* words of the vectors that may have a bit in common */
	__u32 vector[XI_DENSE_FIELDS]; /* the last is not used: no padding */
};
#pragma clang diagnostic pop

/* False when the tables are damaged. */
static __always_inline bool xi_dense_take(struct xi_dense_walk *walk, __u32 field,
					  const struct xi_dense_steps *steps, __u32 at)
{
	const struct xi_dense_step *step;

	step = xi_at(xi_dstep, xi_dense_search(steps->first, steps->count, at));
	if (!step)
		return false;
	walk->vector[field] = step->vector;
	walk->summary &= step->summary;
	return true;
}

/*
 * Ports, or type and code, and protocol. `ports`: remote | local << 16 | type and code << 32;
 * `who`: protocol | XI_DENSE_ME.
 */
static __always_inline bool xi_dense_ports(struct xi_dense_walk *walk, const struct xi_dense *dense,
					   __u64 ports, __u32 who)
{
	__u32 proto = who & 0xff, x = ports & 0xffff, y = ports >> 16 & 0xffff;
	const struct xi_dense_steps *steps = &dense->field[XI_DENSE_LOCAL_PORT];

	if (proto == XI_ICMP || proto == XI_ICMPV6) {
		steps = &dense->field[XI_DENSE_ICMP];
		y = ports >> 32 & 0xffff;
	}
	return xi_dense_take(walk, 2, &dense->field[XI_DENSE_REMOTE_PORT], x) &&
	       xi_dense_take(walk, 3, steps, y) &&
	       xi_dense_take(walk, 4, &dense->field[XI_DENSE_PROTO], who);
}

/*
 * The first filter in one line of the vectors: its place in the line, 512 for none, or
 * XI_NO_FILTER when the tables are damaged.
 */
__noinline __u32 xi_dense_line(const struct xi_dense_walk *walk, __u32 line)
{
	const struct xi_dense_line *l0, *l1, *l2, *l3, *l4;
	__u64 word;
	__u32 k;

	if (!walk)
		return XI_NO_FILTER;
	l0 = xi_at(xi_dline, walk->vector[0] + line);
	l1 = xi_at(xi_dline, walk->vector[1] + line);
	l2 = xi_at(xi_dline, walk->vector[2] + line);
	l3 = xi_at(xi_dline, walk->vector[3] + line);
	l4 = xi_at(xi_dline, walk->vector[4] + line);
	if (!l0 || !l1 || !l2 || !l3 || !l4)
		return XI_NO_FILTER;
#pragma unroll
	for (k = 0; k < 8; k++) {
		word = l0->filters[k] & l1->filters[k] & l2->filters[k] & l3->filters[k] &
		       l4->filters[k];
		if (word)
			return 64 * k + xi_lowest_bit(word);
	}
	return 512;
}

/* The first filter that all vectors have. The action comes with the limit: XI_DENSE_FOUND. */
static __always_inline __u64 xi_dense_first(struct xi_dense_walk *walk,
					    const struct xi_dense *dense)
{
	const struct xi_dense_filter *filter;
	__u32 i, line, at;

	for (i = 0; i < XI_DENSE_LINES; i++) {
		if (!walk->summary)
			break;
		line = xi_lowest_bit(walk->summary) >> 3;
		walk->summary &= ~(0xffull << 8 * line);
		at = xi_dense_line(walk, line);
		if (at == 512)
			continue;
		filter = xi_at(xi_dfilter, dense->first_filter + 512 * line + at);
		if (!filter)
			return XI_DAMAGED;
		return XI_FOUND(filter->filter, filter->action | filter->limit << 8);
	}
	return XI_NOTHING;
}

/*
 * The best filter of dense list `index` (in xi_dense) that covers an IPv4 packet, whose
 * addresses are remote | local << 32 as they lie in memory: XI_FOUND(filter, action | limit << 8),
 * XI_NOTHING, or XI_DAMAGED when a table is.
 */
__noinline __u64 xi_dense_find4(__u32 index, __u64 addrs, __u64 ports, __u32 who)
{
	struct xi_dense_walk walk = {.summary = ~0ull};
	const struct xi_dense *dense = xi_at(xi_dense, index);

	if (!dense || !xi_dense_take(&walk, 0, &dense->field[XI_DENSE_REMOTE], bpf_ntohl(addrs)) ||
	    !xi_dense_take(&walk, 1, &dense->field[XI_DENSE_LOCAL], bpf_ntohl(addrs >> 32)))
		return XI_DAMAGED;
	/* Without bits in common there is no need to look. */
	if (!walk.summary)
		return XI_NOTHING;
	if (!xi_dense_ports(&walk, dense, ports, who))
		return XI_DAMAGED;
	return xi_dense_first(&walk, dense);
}

struct xi_dense_addrs {
	__u64 word[4]; /* remote, local, as they lie in memory */
};

static __always_inline bool xi_dense_take6(struct xi_dense_walk *walk, __u32 field,
					   const struct xi_dense_steps *steps, __u64 upper,
					   __u64 lower)
{
	const struct xi_dense_step6 *step;

	step = xi_at(xi_dstep6, xi_dense_search6(steps->first, steps->count, upper, lower));
	if (!step)
		return false;
	walk->vector[field] = step->vector;
	walk->summary &= step->summary;
	return true;
}

/* The same for IPv6. */
__noinline __u64 xi_dense_find6(__u32 index, const struct xi_dense_addrs *addrs, __u64 ports,
				__u32 who)
{
	struct xi_dense_walk walk = {.summary = ~0ull};
	const struct xi_dense *dense = xi_at(xi_dense, index);

	if (!addrs || !dense ||
	    !xi_dense_take6(&walk, 0, &dense->field[XI_DENSE_REMOTE], addrs->word[0],
			    addrs->word[1]) ||
	    !xi_dense_take6(&walk, 1, &dense->field[XI_DENSE_LOCAL], addrs->word[2],
			    addrs->word[3]))
		return XI_DAMAGED;
	if (!walk.summary)
		return XI_NOTHING;
	if (!xi_dense_ports(&walk, dense, ports, who))
		return XI_DAMAGED;
	return xi_dense_first(&walk, dense);
}

/* The first rectangle in one line of two vectors, as xi_dense_line(). */
__noinline __u32 xi_dense_line2(__u32 first, __u32 second)
{
	const struct xi_dense_line *l0 = xi_at(xi_dline, first), *l1 = xi_at(xi_dline, second);
	__u64 word;
	__u32 k;

	if (!l0 || !l1)
		return XI_NO_FILTER;
#pragma unroll
	for (k = 0; k < 8; k++) {
		word = l0->filters[k] & l1->filters[k];
		if (word)
			return 64 * k + xi_lowest_bit(word);
	}
	return 512;
}

/*
 * The best of many rectangles in one cell: a dense list in which only ports are left to
 * tell filters apart. XI_FOUND(), XI_NOTHING or XI_DAMAGED.
 */
__noinline __u64 xi_dense_rects(__u32 index, __u32 x, __u32 y)
{
	const struct xi_dense *dense = xi_at(xi_dense, index);
	const struct xi_dense_step *sx, *sy;
	const struct xi_dense_filter *filter;
	__u32 i, line, at;
	__u64 summary;

	if (!dense)
		return XI_DAMAGED;
	sx = xi_at(xi_dstep, xi_dense_search(dense->field[XI_DENSE_REMOTE_PORT].first,
					     dense->field[XI_DENSE_REMOTE_PORT].count, x));
	sy = xi_at(xi_dstep, xi_dense_search(dense->field[XI_DENSE_LOCAL_PORT].first,
					     dense->field[XI_DENSE_LOCAL_PORT].count, y));
	if (!sx || !sy)
		return XI_DAMAGED;
	summary = sx->summary & sy->summary;
	for (i = 0; i < XI_DENSE_LINES && summary; i++) {
		line = xi_lowest_bit(summary) >> 3;
		summary &= ~(0xffull << 8 * line);
		at = xi_dense_line2(sx->vector + line, sy->vector + line);
		if (at == 512)
			continue;
		filter = xi_at(xi_dfilter, dense->first_filter + 512 * line + at);
		return filter ? XI_FOUND(filter->filter, filter->action) : XI_DAMAGED;
	}
	return XI_NOTHING;
}

#endif
