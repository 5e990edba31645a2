/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between bpf/ and userspace/: every struct that lies in a map or
 * crosses the ring buffer. Fixed width, no pointers, no implicit padding, byte
 * arrays for addresses (so that bpftool prints them as bytes), ports in host
 * order. A change of any layout here raises XI_ABI_VERSION; the loader refuses
 * pinned objects of another version.
 *
 * The tables of the classifier have a header of their own, classify.h.
 */
#ifndef XIPSEC_ABI_H
#define XIPSEC_ABI_H

#include <linux/types.h>

#define XI_ABI_VERSION 5

#define XI_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)

/*
 * An enum of one byte: a map has room for no more, and bpftool prints its name where it would
 * print a number for a __u8.
 */
#define XI_BYTE_ENUM __attribute__((packed))

enum xi_action { XI_ACT_NONE, XI_ACT_PERMIT, XI_ACT_BLOCK, XI_ACT_NEGOTIATE } XI_BYTE_ENUM;
enum xi_dir { XI_DIR_IN, XI_DIR_OUT, XI_DIR_MAX } XI_BYTE_ENUM;

/*
 * Addresses and masks are byte arrays for whoever reads a dump, and words for the programs: those
 * that are aligned to eight bytes, IPv4 the remote one and then the local one in one word.
 */
typedef __u64 __attribute__((may_alias)) xi_word;
#define xi_words(bytes) ((const xi_word *)(const void *)(bytes))

/* Precedence bands, lowest first (docs/classifier.md, "Order of precedence"). */
enum xi_band {
	XI_BAND_DEFAULT_RESPONSE, /* nothing is compiled to it yet */
	XI_BAND_RULES,
	XI_BAND_EXEMPTION,
	XI_BAND_BOOT, /* nor to this one */
	XI_BAND_IKE,
} XI_BYTE_ENUM;

#define XI_REASON(NAME, label, text) XI_REASON_##NAME,
enum xi_reason {
#include <xipsec/reasons.def>
	XI_REASON_MAX
};
#undef XI_REASON

#define XI_EVENT(NAME, label, text) XI_EVENT_##NAME,
enum xi_event_kind {
#include <xipsec/events.def>
	XI_EVENT_MAX
} XI_BYTE_ENUM;
#undef XI_EVENT

enum xi_iface_class { XI_IFACE_LAN, XI_IFACE_REMOTE_ACCESS } XI_BYTE_ENUM;

/*
 * What the classifier looks at. On ingress the source is remote, on egress the
 * destination is. Built by parse.bpf.h, and by hand in tests and in explain.
 */
struct xi_pkt {
	__u8 remote[16]; /* IPv4 in the first four bytes, the rest zero */
	__u8 local[16];
	__u16 remote_port; /* host order; 0 where the protocol has none */
	__u16 local_port;
	__u8 proto;  /* upper-layer protocol, after extension headers */
	__u8 family; /* 4 or 6 */
	enum xi_dir dir;
	__u8 flags; /* XI_PKT_* */
	__u8 icmp_type, icmp_code;
	enum xi_iface_class iface_class;
	__u8 pad;
	__u32 len; /* IP packet length in bytes, for counters */
};
XI_ASSERT_SIZE(struct xi_pkt, 48);

#define XI_PKT_LOCAL_IS_ME 0x01 /* the local address is one of this host's */
#define XI_PKT_LATER_FRAG  0x02 /* a fragment without ports: not the first one */
#define XI_PKT_FIRST_FRAG  0x04
#define XI_PKT_GROUP	   0x08 /* multicast or broadcast */
#define XI_PKT_ND	   0x10 /* IPv6 neighbour discovery, RFC 4861 types 133-137 */

/* What the classifier answers. filter_idx is the place in the filter array. */
struct xi_verdict {
	__u32 action;	  /* enum xi_action; XI_ACT_NONE when nothing matched */
	__u32 filter_idx; /* XI_NO_FILTER when nothing matched */
};
#define XI_NO_FILTER 0xffffffffu

/* The hooks that a packet can pass. */
enum xi_hook {
	XI_HOOK_XDP_INGRESS,
	XI_HOOK_TC_EGRESS,
	XI_HOOK_TC_INJECT,
	XI_HOOK_TC_INGRESS, /* where there is no XDP */
	XI_HOOK_NF_INGRESS, /* what the kernel put together from fragments */
	XI_HOOK_MAX
};

/* What is known of a fragment, see bpf/frag.bpf.h. */
enum xi_frag_kind {
	XI_FRAG_NONE,	   /* a whole packet */
	XI_FRAG_SEEN,	   /* IPv6: there is a fragment header, maybe an atomic one */
	XI_FRAG_FIRST,	   /* it shows ports */
	XI_FRAG_FOLLOWS,   /* a later one, with the verdict of its first */
	XI_FRAG_DECIDED,   /* a later one, alone: ports would change nothing */
	XI_FRAG_UNDECIDED, /* a later one, alone */
};

/*
 * xi_run: one packet's way through a hook, kept per CPU and hook until the next
 * packet, which also makes it the answer of a test run. Not on the stack, which
 * the classifier needs.
 */
struct xi_run {
	struct xi_pkt pkt;
	enum xi_action action; /* what the filter list said */
	__u8 pad[3];
	__u32 filter_idx;	    /* XI_NO_FILTER if none */
	enum xi_reason reason;	    /* NONE: nothing but the verdict happened */
	__u32 slot, generation;	    /* of the filter list, read once, together */
	__u32 filters, list_flags;  /* struct xi_list */
	__u32 ctl_flags, out_forms; /* struct xi_ctl */
	__u32 ifindex;
	enum xi_frag_kind frag;
	__u32 frag_ident; /* as on the wire */
	__u8 spi[4];	  /* of ESP or AH, as on the wire */
	__u32 to_host;	  /* fragments: the frame is for this interface's own MAC address */
};
XI_ASSERT_SIZE(struct xi_run, 104);

/* -------------------------------------------------------------- control */

/* What is true of the filter list in one slot; written while the slot is spare. */
struct xi_list {
	__u32 filters;	  /* its length; rows of xi_counts are this long */
	__u32 flags;	  /* XI_LIST_* */
	__u32 generation; /* as xi_ctl.generation while it is active */
	__u32 build;	  /* hash of the BPF object of the slot's programs */
	/*
	 * For lone later fragments of IPv4, by direction and whether it is UDP (where
	 * the exemption of IKE stands above all): the least rank of a permit for ports
	 * or an ICMP type, which their space leaves out; XI_NO_FILTER if there is none.
	 */
	__u32 frag_bound[XI_DIR_MAX][2];
};
#define XI_LIST_LOADED	  0x1  /* there is one */
#define XI_LIST_NEGOTIATE 0x2  /* it has a negotiate filter */
#define XI_LIST_IFACE	  0x4  /* some filter names a class of interface */
#define XI_LIST_SHARED	  0x8  /* CPUs share the rows of xi_counts */
#define XI_LIST_HIT_LOG	  0x10 /* hits go to xi_hit_log first */

#define XI_INSTANCE_LEN 32

/* Where the program of a hook and a slot stands in xi_xdp_slots and xi_tc_slots. */
#define XI_PROG_INDEX(hook, slot) ((hook)*2 + (slot))

/*
 * xi_ctl: one element. Its first eight bytes are the only word that switches
 * filter lists, written as one: an attached program reads `active` once and jumps
 * to the program of that slot, which knows no other list.
 */
struct xi_ctl {
	__u32 active __attribute__((aligned(8))); /* slot: 0 or 1 */
	__u32 generation;			  /* counts swaps from 1; 0: no filter list yet */
	struct xi_list list[2];
	__u32 abi;
	__u32 build;	 /* hash of the BPF object of these maps and the stubs */
	__u32 out_forms; /* XI_FORM_* bits in use in xi_sa_out: probe only these */
	__u32 flags;	 /* XI_CTL_* */
	__u32 settled;	 /* the generation that has its predecessor's counters */
	__u32 netns;	 /* inode of the network namespace that is filtered, 0: not known */
	char instance[XI_INSTANCE_LEN]; /* whose programs use this map, NUL-terminated */
};
XI_ASSERT_SIZE(struct xi_ctl, 128);

/* 0x1 is free. */
#define XI_CTL_OWNS_ESP	   0x2	/* drop ESP/AH for unknown SPIs instead of classifying it */
#define XI_CTL_DROP_EVENTS 0x4	/* send XI_EVENT_DROP, rate limited: monitor --events */
#define XI_CTL_ALL_ME	   0x8	/* replay: every packet's local side is this host */
#define XI_CTL_SAMPLE	   0x10 /* somebody listens: samples go to xi_samples */
/* The netfilter links are there: packets are put together and judged before the stack. */
#define XI_CTL_DEFRAG4 0x100
#define XI_CTL_DEFRAG6 0x200

struct xi_count {
	__u64 packets;
	__u64 bytes;
};

/* One element, per CPU: dumps with every reason by name. */
struct xi_reason_counts {
#define XI_REASON(NAME, label, text) struct xi_count NAME;
#include <xipsec/reasons.def>
#undef XI_REASON
};
XI_ASSERT_SIZE(struct xi_reason_counts, XI_REASON_MAX * 16);

/* Per direction totals by verdict; xi_totals has one element, per CPU. */
struct xi_totals {
	struct xi_count in_permit, in_block, in_secure, in_none;
	struct xi_count out_permit, out_block, out_secure, out_none;
};

struct xi_hits {
	__u64 packets;
	__u64 bytes;
	__u64 last_ns; /* of the last packet, CLOCK_MONOTONIC, coarse; 0: there was none */
};

/*
 * xi_counts: hits of each filter, one row of xi_list.filters elements for every
 * possible CPU, and one more that carries what the filter counted in earlier
 * generations. Only the CPU named in a row writes to it. Where that would take too
 * much memory (XI_LIST_SHARED) there are XI_SHARED_ROWS instead, which several
 * CPUs write to.
 */
struct xi_filter_count {
	__u32 filter; /* id, as `xipsec compile` prints it */
	__u32 cpu;    /* or row; XI_CPU_CARRIED in the last one */
	struct xi_hits hits;
};
XI_ASSERT_SIZE(struct xi_filter_count, 32);
#define XI_CPU_CARRIED 0xffffffffu
#define XI_SHARED_ROWS 8

/*
 * xi_hit_log: the hits that are not in xi_counts yet, one element for every possible CPU. In a list
 * so long that no cache near the CPU holds its counters, each packet would wait for one line
 * from memory; this way XI_HIT_LOG lines are fetched at the same time, once for as many packets.
 * Whoever reads xi_counts adds what is here.
 */
#define XI_HIT_LOG 16
struct xi_hit {
	__u32 filter_idx;
	__u32 bytes;
	__u64 ns; /* as xi_hits.last_ns */
};

struct xi_hit_log {
	__u32 held;   /* the first so many hits are not in xi_counts */
	__u32 rounds; /* how often they went there, times two; odd: they are going */
	__u64 pad[7];
	struct xi_hit hit[XI_HIT_LOG];
};
XI_ASSERT_SIZE(struct xi_hit_log, 320);

/* ------------------------------------------------------------ addresses */

/* xi_local: the addresses of this host and the broadcast addresses of its links. */
enum xi_local_kind { XI_LOCAL_NONE, XI_LOCAL_ME, XI_LOCAL_BROADCAST } XI_BYTE_ENUM;

struct xi_local {
	enum xi_local_kind kind;
};

struct xi_addr_key {
	__u8 addr[16];
	__u8 family;
	__u8 pad[3];
};
XI_ASSERT_SIZE(struct xi_addr_key, 20);

/*
 * xi_local_slots: nearly every answer of xi_local without a hash lookup. An address has one slot
 * (xi_local_slot_of()). Its first address has it for good; when another one needs it, `ask` is set
 * and stays. So no reader ever sees half of one address and half of another.
 */
#define XI_LOCAL_SLOTS 1024
struct xi_local_slot {
	__u8 addr[16] __attribute__((aligned(8))); /* programs read it as two words */
	__u8 family;				   /* 0: no address was ever here */
	enum xi_local_kind kind;
	__u8 ask; /* 1: look into xi_local */
	__u8 pad[5];
};
XI_ASSERT_SIZE(struct xi_local_slot, 24);

static inline __u32 xi_local_slot_of(const __u64 addr[2])
{
	__u64 h = (addr[0] ^ addr[1] * 0x9e3779b97f4a7c15ull) * 0xc2b2ae3d27d4eb4full;

	return h >> 54;
}

/* xi_iface: by ifindex, how this interface takes part. */
struct xi_iface {
	__u32 tap_ifindex; /* 0: no worker, protected packets are dropped */
	__u32 xsk_base;	   /* first index of this interface in xi_xsks */
	__u32 queues;	   /* receive queues served; above: XI_REASON_NO_WORKER */
	__u8 mac[6];
	enum xi_iface_class klass;
	__u8 pad;
	/* For show status: the errno with which this kind of XDP was refused, or 0. */
	__u16 native_errno, generic_errno; /* some of the kernel's own are above 512 */
};
XI_ASSERT_SIZE(struct xi_iface, 24);

/* -------------------------------------------- security associations */

/* Who carries the SA. Nothing installs XFRM yet, the programs know what to do with it. */
enum xi_path { XI_PATH_DROP, XI_PATH_WORKER, XI_PATH_XFRM };

/* xi_sa_in: RFC 4301 4.1 lookup by SPI, destination and protocol. */
struct xi_sa_in_key {
	__u8 daddr[16];
	__u8 spi[4]; /* network order */
	__u8 family;
	__u8 proto; /* 50 or 51 */
	__u8 pad[2];
};
XI_ASSERT_SIZE(struct xi_sa_in_key, 24);

struct xi_sa_in {
	enum xi_path path;
	__u32 sa_id;
};

/*
 * xi_sa_out: by selector. A field that the selector leaves open is zero, so a
 * packet is looked up in at most five forms, the most exact first; struct
 * xi_ctl.out_forms says which forms occur at all.
 */
struct xi_sa_out_key {
	__u8 remote[16];
	__u8 local[16];
	__u16 remote_port;
	__u16 local_port;
	__u8 family;
	__u8 proto;
	__u8 pad[2];
};
XI_ASSERT_SIZE(struct xi_sa_out_key, 40);

/* In the order in which xi_sa_out_find() tries them. */
#define XI_FORM_PROTO_PORTS  0x01 /* protocol and both ports */
#define XI_FORM_PROTO_LOCAL  0x02 /* protocol and local port */
#define XI_FORM_PROTO_REMOTE 0x04 /* protocol and remote port */
#define XI_FORM_PROTO	     0x08 /* protocol only */
#define XI_FORM_HOSTS	     0x10 /* the two addresses only */

struct xi_sa_out {
	enum xi_path path;
	__u32 sa_id;
};

/*
 * tc_egress hands a packet to the worker by redirecting it to the worker's TAP
 * with this in place of the source MAC address: the TAP keeps the whole frame
 * (next hop included), its GSO shape and the place of its partial checksum, and
 * the worker needs no second lookup.
 */
struct xi_tap_mark {
	__u8 magic[2]; /* XI_TAP_MAGIC0, XI_TAP_MAGIC1 */
	__u8 sa_id[4]; /* big endian; XI_SA_HOLD: no SA yet, hold it */
};
XI_ASSERT_SIZE(struct xi_tap_mark, 6);
#define XI_TAP_MAGIC0 0x06 /* locally administered, unicast, never a real address */
#define XI_TAP_MAGIC1 0x58
#define XI_SA_HOLD    0xffffffffu

/* --------------------------------------------------------------- events */

struct xi_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 kind;    /* enum xi_event_kind */
	__u32 reason;  /* enum xi_reason */
	__u32 ifindex;
	__u32 generation;
	__u32 filter_idx; /* in that generation; XI_NO_FILTER if none */
	__u32 spi;	  /* host order, for INVALID_SPI */
	struct xi_pkt pkt;
};
XI_ASSERT_SIZE(struct xi_event, 80);

/*
 * xi_samples: what became of a packet, and the first bytes of its frame, for
 * those who listen (`xipsec monitor`). A ring of its own, so that no flood of
 * samples displaces an event. xi_sampler is where a CPU makes its sample up.
 */
#define XI_SAMPLE_BYTES	 128
#define XI_LISTENERS_MAX 8

struct xi_sample {
	__u64 time_ns;	 /* CLOCK_MONOTONIC */
	__u32 listeners; /* bit i: selected for listener i; 0: not selected in the kernel */
	enum xi_hook hook;
	__u32 result;	       /* as the program returned it: XDP_* or TC_ACT_* */
	enum xi_action action; /* of the filter list */
	__u8 pad[3];
	enum xi_reason reason;
	__u32 filter_idx; /* in that generation; XI_NO_FILTER if none */
	__u32 generation;
	__u32 ifindex;
	__u32 frame_len; /* of the whole frame, a VLAN tag beside it included */
	__u32 captured;	 /* bytes in frame[] */
	__u32 epoch;	 /* of those listeners: they come and go */
	__u32 rule;	 /* struct xi_filter.rule of that filter; XI_NO_FILTER if none */
	struct xi_pkt pkt;
	__u8 frame[XI_SAMPLE_BYTES];
};
XI_ASSERT_SIZE(struct xi_sample, 232);

struct xi_sampler {
	struct xi_sample sample;
	__u64 lost;		      /* the ring was full; since the maps were made */
	__u32 skip[XI_LISTENERS_MAX]; /* packets to pass over until the next one is told */
};

/*
 * xi_acquire: when an event was last sent for these (LRU). NEED_SA is limited
 * by what the filter distinguishes: a field that it leaves open is zero.
 */
struct xi_acquire_key {
	__u8 remote[16];
	__u8 local[16];
	__u16 remote_port;
	__u16 local_port;
	__u8 family;
	__u8 proto;
	enum xi_event_kind kind;
	__u8 pad;
};
XI_ASSERT_SIZE(struct xi_acquire_key, 40);

struct xi_acquire {
	__u64 time_ns; /* CLOCK_MONOTONIC */
};

/* xi_limits: events of one kind sent by this CPU in the current second. */
struct xi_limit {
	__u64 second;
	__u32 sent;
	__u32 suppressed; /* since the maps were made */
};

/* xi_frags: the verdict of a first fragment, for the later ones (LRU). */
struct xi_frag_key {
	__u8 src[16];
	__u8 dst[16];
	__u32 ident;
	__u8 family;
	__u8 proto; /* 0 for IPv6, where it is no part of the fragment's identity */
	enum xi_dir dir;
	enum xi_iface_class iface_class; /* that the verdict is of */
};
XI_ASSERT_SIZE(struct xi_frag_key, 40);

struct xi_frag {
	__u64 time_ns; /* CLOCK_MONOTONIC; good for some seconds */
	__u32 generation;
	__u32 filter_idx;
	enum xi_action action;
	__u8 pad[7];
};
XI_ASSERT_SIZE(struct xi_frag, 24);

/*
 * xi_frag_marks: when a fragment between two hosts last went up to the kernel's
 * reassembly, by hash of the hosts and how it had come. A __u64 each, in
 * nanoseconds of CLOCK_MONOTONIC.
 */
enum xi_frag_came {
	XI_FRAG_CLEAR_LAN,    /* in clear, over an interface of class LAN */
	XI_FRAG_CLEAR_REMOTE, /* in clear, over one of class remote access */
	XI_FRAG_PROTECTED,    /* out of ESP */
	XI_FRAG_SPARE,
	XI_FRAG_CAME_MAX
};
#define XI_FRAG_MARKS 16384

#endif
