/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The state of one lookup, and the bit tricks that its parts share. BPF has
 * neither "count trailing zeros" nor "set if", and a branch that a packet's
 * addresses decide costs more than all of these.
 */
#ifndef XI_CLASSIFY_WALK_BPF_H
#define XI_CLASSIFY_WALK_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <xipsec/classify.h>

#include "classify_maps.bpf.h"

#define XI_ICMP	  1
#define XI_ICMPV6 58

/*
 * What is asked. It is written member by member and given to global functions, and up to
 * Linux 6.2 the verifier wants every byte of that written: no padding.
 */
#pragma clang diagnostic push
#pragma clang diagnostic error "-Wpadded"
struct xi_ask {
	__u64 key[4]; /* IPv4: remote | local << 32 and zeros; IPv6: remote, local */
	__u32 proto;  /* shifted to its place in a tag */
	__u16 x, y;   /* remote and local port */
	__u16 icmp;   /* type and code; 0 for all other protocols */
	__u16 flags;  /* XI_PKT_* */
	__u32 pad;    /* 0 */
};
#pragma clang diagnostic pop

/* The first line of the row of each field in use; the next chunk's is the line after it. */
struct xi_lines {
	__u16 line[XI_PROBE_FIELDS];
};

/*
 * What changes while shapes are tried. nonzero, chunk, filter and limit must be off a
 * multiple of eight bytes: there the verifier forgets what it knew of a value,
 * and it must, or it would try a loop once for every value that a limit can have.
 */
struct xi_left {
	struct xi_lines lines;
	__u64 word[XI_ROW_WORDS];    /* shapes of this chunk that are still to be tried */
	__u32 hide_nonzero, nonzero; /* which of the words are not zero */
	__u32 hide_chunk, chunk;
};

struct xi_best {
	__u32 action, filter;
	__s32 error; /* a table is missing or does not fit */
	__u32 limit; /* counted from the first shape: from here on nothing can win */
};

/*
 * All of it, on the stack of xi_classify4() or xi_classify6(). Linux 6.1 counts
 * the frames of all callers together, 512 bytes: keep it small.
 */
struct xi_walk {
	struct xi_left left;
	struct xi_ask ask;
	struct xi_best best;
	const struct xi_space *space;
};

/* 1 when the word is not zero, without a branch: clang would make one of `!= 0`. */
static __always_inline __u64 xi_nonzero(__u64 word)
{
	__u64 sign = -word;

	asm volatile("" : "+r"(sign));
	return (sign | word) >> 63;
}

static const __u8 xi_debruijn[64] = {
	0,  1,	2,  53, 3,  7,	54, 27, 4,  38, 41, 8,	34, 55, 48, 28, 62, 5,	39, 46, 44, 42,
	22, 9,	24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21,
	23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
};

/* The number of the lowest set bit. Not for 0. */
static __always_inline __u32 xi_lowest_bit(__u64 word)
{
	return xi_debruijn[((word & -word) * 0x022fdd63cc95386dull) >> 58];
}

/* The same for four bits, out of a constant. */
static __always_inline __u32 xi_lowest_of_four(__u32 bits)
{
	return 0x0102010301020104ull >> (bits & 15) * 4 & 3;
}

#endif
