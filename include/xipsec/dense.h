/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of the worst-case engine: filters that overlap so much that trying
 * their shapes one by one would take too long. compile/dense.c builds them,
 * bpf/dense.bpf.h reads them.
 *
 * A dense list holds at most XI_DENSE_MAX filters of one space, in order of rank.
 * For each field of a packet, steps cut all values into intervals, and each step
 * has a vector: one bit a filter, set where the filter covers that interval.
 * The AND of the packet's vectors is the set of filters that cover it, the
 * first bit the best. Nothing is tried in vain, whatever overlaps whatever:
 *
 * In its space it takes the place of the first shape (xi_space.dense), with a bit in
 * the rows like the others: packets that none of its filters can cover pass it by.
 *
 *   XI_DENSE_FIELDS - 1 binary searches of at most XI_DENSE_HALVINGS steps, and
 *   at most XI_DENSE_LINES lines of each of the vectors found
 *
 * is all that a lookup can ever cost.
 */
#ifndef XIPSEC_DENSE_H
#define XIPSEC_DENSE_H

#include <xipsec/abi.h>

#define XI_DENSE_MAX	  4096
#define XI_DENSE_LINES	  8  /* of 512 filters: a summary has a bit for each of 64 words */
#define XI_DENSE_HALVINGS 14 /* of up to 2 * XI_DENSE_MAX + 1 steps */

enum xi_dense_field {
	XI_DENSE_REMOTE,
	XI_DENSE_LOCAL,
	XI_DENSE_REMOTE_PORT,
	XI_DENSE_LOCAL_PORT, /* or XI_DENSE_ICMP: a packet has either */
	XI_DENSE_ICMP,	     /* type << 8 | code */
	XI_DENSE_PROTO,	     /* protocol, and XI_DENSE_ME */
	XI_DENSE_FIELDS,
};
#define XI_DENSE_ME 256 /* the local address is one of ours */

/* The steps of one field: in xi_dstep, IPv6 addresses in xi_dstep6. */
struct xi_dense_steps {
	__u32 first, count; /* the first step begins at 0 */
};

struct xi_dense {
	__u32 filters;	    /* 0 = no list */
	__u32 lines;	    /* of a vector */
	__u32 first_filter; /* in xi_dfilter */
	__u32 pad;
	struct xi_dense_steps field[XI_DENSE_FIELDS];
};
XI_ASSERT_SIZE(struct xi_dense, 64);

/* From here up to the next step. The summary says which words of the vector are not zero. */
struct xi_dense_step {
	__u32 from;   /* port, or an IPv4 address as a number */
	__u32 vector; /* first line in xi_dline */
	__u64 summary;
};
XI_ASSERT_SIZE(struct xi_dense_step, 16);

struct xi_dense_step6 {
	__u8 from[16] __attribute__((aligned(8))); /* an IPv6 address */
	__u64 summary;
	__u32 vector;
	__u32 pad;
};
XI_ASSERT_SIZE(struct xi_dense_step6, 32);

struct xi_dense_line {
	__u64 filters[8]; /* bit 0 of the first word: the best rank */
};
XI_ASSERT_SIZE(struct xi_dense_line, 64);

struct xi_dense_filter {
	__u32 filter; /* index in xi_filter = rank */
	__u32 limit;  /* shapes of the space from here on cannot win against it */
	enum xi_action action;
	__u8 pad[7];
};
XI_ASSERT_SIZE(struct xi_dense_filter, 16);

#endif
