/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of the classifier: what compile/ builds and bpf/classify.bpf.h
 * reads. docs/classifier.md tells the whole story; in short, a lookup goes
 *
 *   space -> rows -> shape -> cell -> rectangle | list | vectors | tree -> filter
 *
 * A space is one of the independent filter lists (direction, family, interface
 * class, whole packet or later fragment). A shape is a pair of prefix lengths
 * with or without a protocol; shapes are in order of precedence. A cell is one
 * (shape, remote prefix, local prefix, protocol), found by one hash; inside it
 * only the ports, or the ICMP type and code, are left to tell its filters apart:
 * a rectangle each. Rows only prune: each says which shapes can hold a match for
 * one value of one field, and their AND says which shapes are worth a probe.
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
	__u8 icmp_type, icmp_code;
	enum xi_iface_class iface_class;
	__u32 id;   /* as `xipsec compile` prints it */
	__u32 rule; /* index of the rule in the policy; XI_NO_FILTER: built in */
	enum xi_dir dir;
	enum xi_action action;
	enum xi_band band;
	__u8 pad[5];
};
XI_ASSERT_SIZE(struct xi_filter, 64);

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

/*
 * What rows are kept for. FIRST is an address's first 16 bits (IPv6: a keyed hash
 * of some depth), HASHED a keyed hash of a deeper prefix of either address; the
 * compiler chooses. A field that would not pay is off. An IPv4 address whose prefixes
 * are few is told apart whole: FIRST then leads through blocks to the row of its
 * longest prefix (XI_PROBE_WHOLE, xi_blocks).
 */
enum xi_probe_field {
	XI_PROBE_REMOTE_FIRST,
	XI_PROBE_LOCAL_FIRST,
	XI_PROBE_HASHED_1,
	XI_PROBE_HASHED_2,
	XI_PROBE_HASHED_3,
	XI_PROBE_HASHED_4,
	XI_PROBE_REMOTE_PORT,
	XI_PROBE_LOCAL_PORT,
	XI_PROBE_PROTO,
	XI_PROBE_FIELDS,
};
#define XI_PROBE_ADDRS	     6 /* the first six */
#define XI_PROBE_SLOT_FIELDS 8 /* all but the protocol */

/* How a field is told apart. */
enum xi_probe_use { XI_PROBE_OFF, XI_PROBE_HASH, XI_PROBE_WHOLE } XI_BYTE_ENUM;

struct xi_probe {
	/* Of the address; IPv4: of the remote one and then the local one. */
	__u8 mask[16] __attribute__((aligned(8)));
	__u64 mult[2];
	enum xi_probe_use on;
	__u8 of_local; /* IPv6: which address */
	__u8 depth;    /* bits, for people */
	__u8 pad;
	__u32 rows; /* how many distinct rows, for people */
};
XI_ASSERT_SIZE(struct xi_probe, 40);

struct xi_space {
	__u64 seed;   /* of the hash of cells; odd */
	__u32 loaded; /* XI_SPACE_LOADED: anything else is not a compiled list */
	__u32 shapes; /* how many; 0 = nothing can match */
	__u32 first_shape;
	__u32 chunks;		     /* lines a row has: 256 shapes a line */
	__u32 first_bucket, buckets; /* in xi_cells4 or xi_cells6 */
	__u32 fields;		     /* bit n: probe[n] is on; bit 16 + n: it is XI_PROBE_WHOLE */
	__u32 rows;		     /* index in xi_rows, or in xi_rows_big */
	__u32 large;
	__u32 dense; /* 0: none; else 1 + the index in xi_dense of the list that is shape 0 */
	struct xi_probe probe[XI_PROBE_FIELDS];
};
XI_ASSERT_SIZE(struct xi_space, 408);
#define XI_SPACE_LOADED	      0x78697370
#define XI_FIELD_WHOLE(field) (1u << (16 + (field)))

#define XI_ROW_WORDS	4
#define XI_CHUNK_SHAPES (64 * XI_ROW_WORDS)
#define XI_CHUNKS_MAX	16
#define XI_SHAPES_MAX	(XI_CHUNK_SHAPES * XI_CHUNKS_MAX)

/*
 * The most shapes that may be alive for one packet: what a lookup tries at worst.
 * Filters of shapes beyond that go to a dense list (xipsec/dense.h).
 */
#define XI_ALIVE_MAX 128

struct xi_row {
	__u64 shapes[XI_ROW_WORDS]; /* bit 0 of the first word: the highest precedence */
};

/*
 * All that prunes in one space, in one value, so that one lookup leads to all of
 * it: for each value of each field the first line of its row.
 */
#define XI_SLOTS 65536
struct xi_slots {
	__u16 line[XI_PROBE_SLOT_FIELDS][XI_SLOTS];
	__u16 proto[256];
};

/*
 * Blocks of an address told apart whole lie where slots of HASHED fields would, from the end on:
 * XI_PROBE_HASHED_1 + n is in use or blocks 256 * n to 256 * n + 255 are. A slot of FIRST and
 * an entry of a block (indexed by the third and then the fourth byte of the address) is the
 * line of a row, or a block with this flag.
 */
#define XI_BLOCK_FLAG	0x8000
#define XI_BLOCK_SLOTS	256
#define XI_BLOCKS	1024
#define XI_BLOCK_FIELDS (XI_BLOCKS * XI_BLOCK_SLOTS / XI_SLOTS)

#define XI_LINES     8192
#define XI_LINES_BIG 65536
struct xi_rows {
	struct xi_slots slots;
	struct xi_row row[XI_LINES];
};
struct xi_rows_big {
	struct xi_slots slots;
	struct xi_row row[XI_LINES_BIG];
};

/* ---------------------------------------------------- shapes and cells */

struct xi_shape {
	/* IPv4; programs read both as one word. */
	__u8 remote_mask[4] __attribute__((aligned(8))), local_mask[4];
	__u16 group_end; /* after a match, shapes of the space from here on cannot win */
	__u8 flags;	 /* XI_SHAPE_* */
	enum xi_band band;
	__u8 remote_len, local_len; /* of the mask: 0 for `me` */
	__u8 family;
	__u8 pad;
};
XI_ASSERT_SIZE(struct xi_shape, 16);

#define XI_SHAPE_PROTO 0x01 /* bit 0: the lookup makes a mask of it */
#define XI_SHAPE_ME    0x02 /* only packets whose local address is one of ours */
#define XI_SHAPE_TWIN  0x04 /* another one has the same precedence: see group_end */

/*
 * x is the remote port. y is the local port, or type << 8 | code in a cell of
 * ICMP or ICMPv6. Bounds are inclusive; x_lo > x_hi matches nothing.
 */
struct xi_rect {
	__u16 x_lo, x_hi;
	__u16 y_lo, y_hi;
	__u32 filter; /* index in xi_filter = rank: the lower one wins */
	enum xi_action action;
	__u8 pad[3];
};
XI_ASSERT_SIZE(struct xi_rect, 16);

struct xi_rects {
	struct xi_rect rect[4];
};
XI_ASSERT_SIZE(struct xi_rects, 64);

enum xi_cell_kind { XI_CELL_ONE, XI_CELL_LIST, XI_CELL_TREE, XI_CELL_DENSE } XI_BYTE_ENUM;

/* What is behind the key of a cell. The best rectangle is at hand: no second load. */
struct xi_inside {
	__u16 x_lo, x_hi, y_lo, y_hi; /* of the best filter; of none for a tree */
	__u32 filter;
	enum xi_action action;
	enum xi_cell_kind kind;
	__u8 lines;  /* LIST: lines in xi_rect after the rectangle here */
	__u8 over;   /* of a bucket's first cell: xi_over_bit() of cells in their second place */
	__u32 first; /* LIST: in xi_rect; TREE: in xi_tree; DENSE: in xi_dense */
};
XI_ASSERT_SIZE(struct xi_inside, 20);
#define XI_LIST_LINES  4    /* more than 1 + 4 * 4 rectangles are searched by vectors */
#define XI_RECTS_DENSE 4096 /* and more than this, or than memory is for vectors, by a tree */

/*
 * Two to a cache line. A cell lies in one of two buckets and nowhere else. Addresses are masked,
 * and compared by xi_words().
 */
struct xi_cell4 {
	__u8 remote[4] __attribute__((aligned(8))), local[4];
	__u32 tag; /* xi_cell_tag(); 0: free */
	struct xi_inside in;
};
XI_ASSERT_SIZE(struct xi_cell4, 32);

struct xi_cell6 {
	__u8 remote[16] __attribute__((aligned(8))), local[16];
	__u32 tag;
	struct xi_inside in;
	__u64 pad;
};
XI_ASSERT_SIZE(struct xi_cell6, 64);

#define XI_BUCKET_CELLS 2
struct xi_cells4 {
	struct xi_cell4 cell[XI_BUCKET_CELLS];
};
struct xi_cells6 {
	struct xi_cell6 cell[XI_BUCKET_CELLS];
};

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
	__u16 from;	       /* up to the next step's */
	enum xi_action action; /* of that filter */
	__u8 pad;
	__u32 value; /* filter index, XI_NO_FILTER for none */
};
XI_ASSERT_SIZE(struct xi_step, 8);
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

/* A cell's shape (index in xi_shape, below 65,536) and protocol (0 when it has none). */
static inline __u32 xi_cell_tag(__u32 shape, __u8 proto)
{
	return shape | (__u32)proto << 16 | 1u << 24;
}

/*
 * The hash of a cell: the two products do not wait for each other. The words are
 * the masked addresses as they lie in memory.
 */
static inline __u64 xi_hash4(__u64 seed, __u64 key, __u32 tag)
{
	__u64 h = key * seed + tag * 0x9e3779b97f4a7c15ull;

	return xi_hash_end(h ^ h >> 32);
}

static inline __u64 xi_hash6(__u64 seed, const __u64 remote[2], const __u64 local[2], __u32 tag)
{
	__u64 h = tag * 0x9e3779b97f4a7c15ull;

	h += remote[0] * seed;
	h += remote[1] * ((seed ^ 0xe7037ed1a0b428dbull) | 1);
	h ^= h >> 32;
	h += local[0] * ((seed ^ 0xa0761d6478bd642full) | 1);
	h += local[1] * ((seed ^ 0x8ebc6af09c88c6e3ull) | 1);
	return xi_hash_end(h ^ h >> 32);
}

/* The two buckets of a hash, of `count`, and what the first says when it was full. */
static inline __u32 xi_first_bucket(__u64 hash, __u32 count)
{
	return (hash >> 32) * count >> 32;
}

static inline __u32 xi_second_bucket(__u64 hash, __u32 count)
{
	return (hash & 0xffffffff) * count >> 32;
}

static inline __u8 xi_over_bit(__u64 hash)
{
	return 1 << (hash & 7);
}

/* The slot of an address: its words masked, multiplied and added, the upper 16 bits. */
static inline __u32 xi_slot_hash(const struct xi_probe *probe, __u64 word, __u64 next)
{
	const xi_word *mask = xi_words(probe->mask);

	return ((word & mask[0]) * probe->mult[0] + (next & mask[1]) * probe->mult[1]) >> 48;
}

#define XI_TABLE(NAME, name, type) XI_TABLE_##NAME,
enum xi_table {
#include <xipsec/tables.def>
	XI_TABLE_MAX
};
#undef XI_TABLE

#endif
