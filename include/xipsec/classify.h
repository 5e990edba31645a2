/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of the classifier: what compile/ builds and bpf/classify.bpf.h
 * reads. docs/classifier.md tells the whole story; in short, a lookup goes
 *
 *   space -> rows -> shape -> bucket -> cell -> rectangle | tree -> filter
 *
 * A space is one of the independent filter lists (direction, family, interface
 * class, whole packet or later fragment). A shape is a pair of prefix lengths
 * with or without a protocol; shapes are in order of precedence. A cell is one
 * (shape, remote prefix, local prefix, protocol); inside it only the ports, or
 * the ICMP type and code, are left to tell its filters apart: a rectangle each.
 * Rows only prune: each says which shapes can hold a match for one value of one
 * field, and their AND says which shapes are worth a probe.
 */
#ifndef XIPSEC_CLASSIFY_H
#define XIPSEC_CLASSIFY_H

#include <xipsec/abi.h>
#include <xipsec/dense.h>

/* The filter array, by rank: also what people read with bpftool. */
struct xi_filter {
	__u8 remote[16];
	__u8 local[16];
	__u8 remote_len, local_len;
	__u8 family;
	__u8 proto;
	__u16 remote_port_lo, remote_port_hi;
	__u16 local_port_lo, local_port_hi;
	__u8 flags; /* XI_F_* */
	__u8 icmp_type, icmp_code, iface_class;
	__u32 id;   /* as `xipsec compile` prints it */
	__u32 rule; /* index of the rule in the policy; XI_NO_FILTER: built in */
	enum xi_dir dir;
	enum xi_action action;
	enum xi_band band;
	__u32 pad;
};
XI_ASSERT_SIZE(struct xi_filter, 72);

#define XI_F_LOCAL_IS_ME 0x01
#define XI_F_PROTO	 0x02 /* protocol given */
#define XI_F_ICMP_TYPE	 0x04
#define XI_F_ICMP_CODE	 0x08
#define XI_F_IFACE	 0x10
#define XI_F_PASSTHROUGH 0x20 /* negotiate: accept clear text inbound, but acquire */
#define XI_F_SOFT	 0x40 /* negotiate: may fall back to clear; nothing reads it yet */

/* ------------------------------------------------------ spaces and rows */

#define XI_SPACES 16
/* dir 0/1, family 4/6, interface class 0/1, later fragment 0/1 */
#define XI_SPACE_INDEX(dir, family, iface, frag)                                                   \
	((((dir)&1) << 3) | (((family) == 6) << 2) | (((iface)&1) << 1) | ((frag)&1))

/* One field that rows are kept for: 65,536 slots, each naming a row. */
enum xi_probe_kind { XI_PROBE_OFF, XI_PROBE_DIRECT, XI_PROBE_HASHED };

enum xi_probe_field {
	XI_PROBE_REMOTE_A,
	XI_PROBE_REMOTE_B,
	XI_PROBE_REMOTE_C,
	XI_PROBE_LOCAL_A,
	XI_PROBE_LOCAL_B,
	XI_PROBE_LOCAL_C,
	XI_PROBE_REMOTE_PORT,
	XI_PROBE_LOCAL_PORT,
	XI_PROBE_PROTO,
	XI_PROBE_FIELDS,
};
#define XI_PROBE_DEPTHS 3 /* A, B, C: three depths of one address */

struct xi_probe {
	__u8 mask[8];		 /* of the first eight address bytes, when hashed */
	enum xi_probe_kind kind; /* an address: direct = its first 16 bits */
	__u32 slot;		 /* first slot, counted in rows of xi_slot (four a value) */
	__u32 row;		 /* first line in xi_row */
	__u32 rows;		 /* how many distinct rows, for people */
};

struct xi_space {
	__u64 seed;   /* of every hash */
	__u32 shapes; /* how many; 0 = nothing can match */
	__u32 first_shape;
	__u32 chunks; /* lines a row has: 512 shapes a line */
	__u32 bucket_mask;
	__u32 pruned; /* 0: no rows, try every shape */
	__u32 pad;
	struct xi_probe probe[XI_PROBE_FIELDS];
	__u64 row_seed; /* of hashed slots */
};
XI_ASSERT_SIZE(struct xi_space, 256);

#define XI_CHUNK_SHAPES 512
#define XI_CHUNKS_MAX	8
#define XI_SHAPES_MAX	(XI_CHUNK_SHAPES * XI_CHUNKS_MAX)

struct xi_slot {
	__u16 row[4];
};

struct xi_row {
	__u64 shapes[8]; /* bit 0 of the first word: the highest precedence */
};
XI_ASSERT_SIZE(struct xi_row, 64);

/* ---------------------------------------------------- shapes and cells */

struct xi_shape {
	__u8 remote_mask[16];
	__u8 local_mask[16];
	__u32 group_end; /* after a match, shapes from here on cannot win */
	__u8 remote_len, local_len;
	__u8 flags; /* XI_SHAPE_* */
	__u8 family;
	enum xi_band band;
	__u32 cells; /* how many, for people */
	__u32 pad[4];
};
XI_ASSERT_SIZE(struct xi_shape, 64);

#define XI_SHAPE_ME    0x01 /* only packets whose local address is one of ours */
#define XI_SHAPE_PROTO 0x02

/*
 * Eight cells that hash here. `more`: a ninth went to the next bucket, so look
 * there too; the compiler keeps such runs at most XI_BUCKET_HOPS long.
 */
struct xi_bucket {
	__u16 tag[8]; /* 0 = free; never trusted without comparing the cell */
	__u32 cell[8];
	__u32 more;
	__u32 pad[3];
};
XI_ASSERT_SIZE(struct xi_bucket, 64);
#define XI_BUCKET_HOPS 4

/*
 * x is the remote port. y is the local port, or type << 8 | code in a cell of
 * ICMP or ICMPv6. Bounds are inclusive; x_lo > x_hi matches nothing.
 */
struct xi_rect {
	__u16 x_lo, x_hi;
	__u16 y_lo, y_hi;
	__u32 filter; /* index in xi_filter = rank: the lower one wins */
	enum xi_action action;
};
XI_ASSERT_SIZE(struct xi_rect, 16);

struct xi_rects {
	struct xi_rect rect[4];
};
XI_ASSERT_SIZE(struct xi_rects, 64);

enum xi_cell_kind { XI_CELL_ONE, XI_CELL_LIST, XI_CELL_TREE };

struct xi_cell {
	__u8 remote[16];
	__u8 local[16];
	__u32 shape;
	__u8 proto;  /* 0 when the shape has none */
	__u8 kind;   /* enum xi_cell_kind */
	__u16 lines; /* LIST: lines in xi_rect after the rectangle here */
	__u32 first; /* LIST: in xi_rect; TREE: in xi_tree */
	__u32 pad;
	struct xi_rect rect; /* the best one; the others follow in order of rank */
};
XI_ASSERT_SIZE(struct xi_cell, 64);
#define XI_LIST_LINES 4 /* more than 1 + 4 * 4 rectangles become a tree */

/* -------------------------------------- trees: many ranges in one cell */

/*
 * A segment tree over one port axis whose nodes hold the answer along the other
 * axis as sorted steps. A lookup finds its leaf by binary search, then walks to
 * the root asking every node on the way: at most 17 nodes, 17 steps each, for
 * any number of ranges and any overlap. Memory is n log n.
 */
struct xi_tree {
	__u32 axis_first, axis_count; /* steps whose `value` is a leaf number */
	__u32 node_first;	      /* nodes in heap order: 1 is the root */
	__u32 leaves;		      /* a power of two */
	__u32 swapped;		      /* the axis is y, the nodes hold x */
	__u32 filters;		      /* how many, for people */
};
XI_ASSERT_SIZE(struct xi_tree, 24);

struct xi_node {
	__u32 first, count; /* in xi_step */
};

struct xi_step {
	__u16 from; /* up to the next step's */
	__u16 pad;
	__u32 value; /* filter index, XI_NO_FILTER for none */
};
#define XI_TREE_DEPTH 18 /* nodes from leaf to root; halvings of a step list */

/* ---------------------------------------------------------------- hash */

/* Keyed. The compiler and the BPF programs must agree on it, so it stands here. */
static inline __u64 xi_hash_step(__u64 h, __u64 word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static inline __u64 xi_hash_end(__u64 h)
{
	h *= 0xc2b2ae3d27d4eb4full;
	return h ^ h >> 32;
}

/*
 * The words are the masked addresses as they lie in memory. Products of keyed
 * odd multipliers are independent of each other, so they overlap in the CPU.
 */
static inline __u64 xi_cell_hash(__u64 seed, int v6, __u64 r0, __u64 r1, __u64 l0, __u64 l1,
				 __u32 shape, __u8 proto)
{
	__u64 h = (((__u64)shape << 8 | proto) ^ seed) * 0x9e3779b97f4a7c15ull;

	h += r0 * ((seed ^ 0xd6e8feb86659fd93ull) | 1);
	h += l0 * ((seed ^ 0xa0761d6478bd642full) | 1);
	if (v6) {
		h += r1 * ((seed ^ 0xe7037ed1a0b428dbull) | 1);
		h += l1 * ((seed ^ 0x8ebc6af09c88c6e3ull) | 1);
	}
	return xi_hash_end(h ^ h >> 32);
}

static inline __u16 xi_cell_tag(__u64 hash)
{
	__u16 tag = hash >> 48;

	return tag ? tag : 1;
}

static inline __u32 xi_slot_hash(__u64 seed, __u64 word)
{
	return xi_hash_end(xi_hash_step(seed, word)) & 0xffff;
}

#define XI_TABLE(NAME, name, type) XI_TABLE_##NAME,
enum xi_table {
#include <xipsec/tables.def>
	XI_TABLE_MAX
};
#undef XI_TABLE

#endif
