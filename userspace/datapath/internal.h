/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of datapath/ share. Nothing outside includes this. */
#ifndef DATAPATH_INTERNAL_H
#define DATAPATH_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <xipsec/classify.h>

#include "compile/image.h"
#include "datapath/datapath.h"

/* Every map that outlives a filter list; a list's own are struct dp_slot's. */
#define DP_MAPS(X)                                                                                 \
	X(CTL, "xi_ctl")                                                                           \
	X(REASONS, "xi_reasons")                                                                   \
	X(TOTALS, "xi_totals")                                                                     \
	X(LOCAL, "xi_local")                                                                       \
	X(LOCAL_SLOTS, "xi_local_slots")                                                           \
	X(IFACE, "xi_iface")                                                                       \
	X(XSKS, "xi_xsks")                                                                         \
	X(SA_IN, "xi_sa_in")                                                                       \
	X(SA_OUT, "xi_sa_out")                                                                     \
	X(FRAGS, "xi_frags")                                                                       \
	X(FRAG_MARKS, "xi_frag_marks")                                                             \
	X(ACQUIRE, "xi_acquire")                                                                   \
	X(LIMITS, "xi_limits")                                                                     \
	X(EVENTS, "xi_events")                                                                     \
	X(SAMPLES, "xi_samples")                                                                   \
	X(SAMPLE_XDP, "xi_sample_xdp")                                                             \
	X(SAMPLE_EXT, "xi_sample_ext")                                                             \
	X(SAMPLE_TC, "xi_sample_tc")                                                               \
	X(SAMPLER, "xi_sampler")                                                                   \
	X(RUN, "xi_run")                                                                           \
	X(XDP_SLOTS, "xi_xdp_slots")                                                               \
	X(EXT_SLOTS, "xi_ext_slots")                                                               \
	X(TC_SLOTS, "xi_tc_slots")                                                                 \
	X(NF_SLOTS, "xi_nf_slots")

#define DP_X(NAME, name) DP_MAP_##NAME,
enum dp_map { DP_MAPS(DP_X) DP_MAP_MAX };
#undef DP_X

/* What is attached: stubs, see bpf/stub.bpf.h. */
#define DP_PROGS(X)                                                                                \
	X(XDP_INGRESS, "xi_xdp_ingress")                                                           \
	X(TC_EGRESS, "xi_tc_egress")                                                               \
	X(TC_INJECT, "xi_tc_inject")                                                               \
	X(TC_INGRESS, "xi_tc_ingress")

#define DP_X(NAME, name) DP_PROG_##NAME,
enum dp_prog { DP_PROGS(DP_X) DP_PROG_MAX };
#undef DP_X

/* The tables of a list: the classifier's, and behind them the counters. */
enum { DP_TABLE_COUNTS = XI_TABLE_MAX, DP_TABLE_HIT_LOG, DP_TABLE_MAX };

struct dp_table {
	int fd;
	uint32_t value_size; /* multiple of 8: the distance of two elements */
	uint32_t capacity;
	void *mem; /* the map's own memory */
	size_t bytes;
};

/* One of the two places for a filter list: its tables, and programs that know no other. */
struct dp_slot {
	bool made; /* all of it is there, and the stubs can reach the programs */
	struct dp_table table[DP_TABLE_MAX];
};

/* The netfilter links, one a family. */
enum { DP_NF_IPV4, DP_NF_IPV6, DP_NF_MAX };

#define DP_HELD_MAX 4

struct datapath {
	char instance[XI_INSTANCE_LEN];
	struct datapath_want want;
	bool pinned;		    /* false: a test run's private set */
	int dir_fd;		    /* the instance's pin directory, locked; -1 */
	uint32_t build, list_build; /* hashes of the two BPF objects */
	int map[DP_MAP_MAX];
	int prog[DP_PROG_MAX];
	int grace_fd[2]; /* see dp_grace() */
	/* Program arrays of the set before, still attached. */
	int held_fd[DP_HELD_MAX];
	struct xi_ctl *ctl; /* the map's own memory */
	struct dp_slot slot[2];
	bool unsettled; /* the spare slot may be in use, and its counters are not carried over */
	uint32_t *was;	/* then: where each filter stood in the list before, if known */
	struct datapath_change change;
	/* attach_nf.c; -1: not there. The old links are those of the set before. */
	int nf_prog, nf_link[DP_NF_MAX], nf_old[DP_NF_MAX];
	bool nf_tried;
	struct ring_buffer *ring;
	void (*event_fn)(void *arg, const struct xi_event *event);
	void *event_arg;
	struct ring_buffer *samples; /* while somebody listens */
	void (*sample_fn)(void *arg, const struct xi_sample *sample);
	void *sample_arg;
	unsigned sample_budget;
	uint32_t sample_epoch;
};

/* names.c */
const char *dp_map_name(unsigned map);
const char *dp_prog_name(enum dp_prog prog);
const char *dp_table_name(unsigned table); /* the counters' too */

/*
 * log.c: collects what libbpf and libxdp print on this thread from begin to end,
 * and adds it to diag as notes if err is not 0.
 */
void dp_log_begin(void);
void dp_log_end(int err, struct diag *diag);
/* The last sentence of the kernel about a refused attachment, or "". */
void dp_log_kernel_said(char *buf, size_t size);

/* pins.c */
#define DP_BPFFS "/sys/fs/bpf"
int dp_bpffs_ready(struct diag *diag);
int dp_dir_open(const char *instance, bool create, int *ret_fd, struct diag *diag);
void dp_pin_path(char *buf, size_t size, const char *instance, const char *name);
int dp_pin(const char *instance, const char *name, int fd); /* replaces what is there */
/* INSTANCE/a and INSTANCE/b: the tables of a slot; INSTANCE/xi_filter etc. lead to the active
 * one's. */
int dp_pin_slot(const struct datapath *dp, uint32_t slot);
int dp_pin_active(const struct datapath *dp, uint32_t slot);
int dp_unpin_all(const char *instance);

/* netns.c: the inode of this network namespace, 0 if that cannot be known. */
uint32_t dp_netns(void);
/*
 * Into the namespace with this inode; *ret_back is for dp_netns_leave(), -1 when we are in it,
 * or it is gone. -errno when it may not be entered.
 */
int dp_netns_enter(uint32_t netns, int *ret_back);
int dp_netns_leave(int back); /* -1 is fine */
/* The namespace that this instance filters, 0 if nothing says so. */
uint32_t dp_netns_of(const char *instance);
/*
 * 0: the instance may be used here; *ret_moved: it was another namespace's, which is gone
 * or has none of its programs. -EADDRINUSE, and said why: it filters another one.
 */
int dp_netns_check(const char *instance, bool *ret_moved, struct diag *diag);

/* object.c */
uint32_t dp_object_hash(const void *data, size_t len);
uint32_t dp_stub_build(void); /* of the stubs that are built in */
int dp_object_load(struct datapath *dp, struct diag *diag);
void dp_object_free(struct datapath *dp);
void dp_close_fds(struct datapath *dp); /* of maps and programs */
int dp_ctl_map(struct datapath *dp, struct diag *diag);

/* local.c: one address more or less, in xi_local and in xi_local_slots. */
int dp_local_put(struct datapath *dp, const struct xi_addr_key *key, enum xi_local_kind kind);
int dp_local_del(struct datapath *dp, const struct xi_addr_key *key);

/* slot.c */
uint32_t dp_list_build(void); /* of the programs that are built in */
/* How many elements the tables of a slot are to have. */
struct dp_room {
	uint32_t value_size[DP_TABLE_MAX]; /* 0: as the programs have it */
	uint32_t capacity[DP_TABLE_MAX];
};
/* For this image and some more. */
int dp_room_for(const struct image *image, struct dp_room *ret);
/* New tables, empty, and programs for them. The slot must be spare. */
int dp_slot_make(struct datapath *dp, uint32_t slot, const struct dp_room *room);
/* Takes over what the stubs reach in this slot, if it is whole and of this build. */
void dp_slot_adopt(struct datapath *dp, uint32_t slot);
bool dp_slot_fits(const struct dp_slot *slot, const struct image *image);
size_t dp_slot_bytes(const struct dp_slot *slot); /* of its tables */
/* Does a slot of so many bytes hold far more memory than these? */
bool dp_slot_wasteful(size_t bytes, size_t wanted);
size_t dp_room_bytes(const struct dp_room *room);
void dp_slot_free(struct dp_slot *slot);

/* swap.c: works on a loaded set, pinned or not. */
/* For tests: called between any two steps of a swap, which fails there with what it returns. */
extern int (*dp_swap_fault)(void);
int dp_swap(struct datapath *dp, const struct image *image, struct diag *diag);
/* Returns when no program run that began before is still going. */
int dp_grace(struct datapath *dp);
/* Waits for the runs on the list before and carries its counters over. Cheap when there is nothing
 * to do. */
int dp_settle(struct datapath *dp);

/* counters.c */
extern size_t dp_counts_budget, dp_counts_near;
size_t dp_counts_rows(size_t filters);	  /* of xi_counts, the last one included */
uint32_t dp_counts_flags(size_t filters); /* XI_LIST_SHARED, XI_LIST_HIT_LOG */
void dp_counts_clear(struct dp_slot *slot, const struct image *image);
/* For each filter its place in the list of a slot, or XI_NO_FILTER; NULL without memory. */
uint32_t *dp_counts_match(const struct datapath *dp, uint32_t from, const struct xi_filter *fresh,
			  size_t count, size_t *ret_kept);
/* Gives filters what the same ones counted in another slot. Doing it twice does no harm. */
void dp_counts_carry(struct datapath *dp, uint32_t from, uint32_t to, const uint32_t *was);

/*
 * hit_log.c: reading xi_counts under traffic. First look(), then sum up xi_counts and add() what
 * is logged, until that returns true; what an earlier reader saw is then in it, too.
 */
struct dp_hit_look {
	uint32_t applied; /* from this round on all that was logged at first is in xi_counts */
	uint32_t before;  /* round, when the sum was begun */
	uint32_t held;
	struct xi_hit hit[XI_HIT_LOG];
};
size_t dp_hit_log_cpus(void); /* elements of xi_hit_log */
/* One element for every CPU, to be freed; NULL without memory. */
struct dp_hit_look *dp_hit_log_open(const struct dp_slot *slot);
void dp_hit_log_look(const struct dp_slot *slot, struct dp_hit_look *look);
bool dp_hit_log_add(const struct dp_slot *slot, struct dp_hit_look *look, struct xi_hits *sums,
		    size_t filters);

/* ring.c */
int dp_ring_open(struct datapath *dp);

/* datapath.c: a set of maps and programs of its own, not pinned, not attached. */
int dp_open_private(struct datapath **ret, struct diag *diag);

/* attach.c */
struct dp_identity {
	char instance[XI_INSTANCE_LEN];
	uint32_t ctl_id; /* map id of its xi_ctl */
};
/* Is this program one of ours, of any instance? Reads its xi_ctl. */
bool dp_identify(uint32_t prog_id, enum dp_prog prog, struct dp_identity *ret);
bool dp_is_mine(const struct datapath *dp, const struct dp_identity *who);
/* "NAME, id ID" */
void dp_prog_text(uint32_t id, char *buf, size_t size);
const char *dp_errno_text(int err);
/* Ingress and egress of any instance, whatever the way. */
int dp_iface_detach(const char *instance, int ifindex);

/* attach_xdp.c */
struct dp_xdp {
	/* Nothing, or others that leave room; a program of this instance; one that does not share.
	 */
	enum { DP_XDP_NOTHING, DP_XDP_OURS, DP_XDP_FOREIGN } who;
	struct dp_identity identity; /* of our program */
	bool dispatcher, generic;
	uint32_t prog_id;  /* of our program */
	uint32_t top_id;   /* of what the device runs */
	uint32_t ahead_id; /* a program before us that does not chain what it passes */
};
int dp_xdp_look(const char *instance, int ifindex, struct dp_xdp *ret);
/* now: what dp_xdp_look() said. -EBUSY: someone else's program does not share. */
int dp_xdp_attach(struct datapath *dp, int ifindex, const struct dp_xdp *now,
		  struct xi_iface *iface, struct diag *diag);
int dp_xdp_detach(const char *instance, int ifindex);

/* probe_net.c: 0, or why not */
int dp_probe_dispatcher(void);
int dp_probe_defrag(void);
int dp_probe_tcx(void);

/* attach_tc.c */
int dp_tc_attach(struct datapath *dp, int ifindex, enum dp_prog prog, struct diag *diag);
int dp_tc_detach(const char *instance, int ifindex, enum dp_prog prog);
struct dp_tc_state {
	enum dp_tc kind;
	uint32_t ahead_id; /* of a TCX program that runs before ours, or 0 */
	int err;	   /* why the link that is there could not be looked into, or 0 */
};
struct dp_tc_state dp_tc_look(const char *instance, int ifindex, enum dp_prog prog);
/* Takes away what is pinned for interfaces that no longer exist. */
void dp_tc_forget_gone(const char *instance);

/*
 * attach_nf.c: reassembly before the verdict, where the kernel has it. Where it has
 * not, dp_nf_attach() says so once and nothing else changes.
 */
uint32_t dp_nf_build(void);	     /* hash of the object that is built in */
int dp_nf_load(struct datapath *dp); /* the programs, for the slots as well; once */
void dp_nf_attach(struct datapath *dp, struct diag *diag);
/* The program of a slot with these tables; nothing before dp_nf_load(). */
int dp_nf_slot(struct datapath *dp, uint32_t slot, const struct dp_table *tables);
void dp_nf_detach(struct datapath *dp);
void dp_nf_close(struct datapath *dp); /* lets go, what is pinned stays */
int dp_nf_probe(void);		       /* 0, or why this kernel cannot; leaves nothing behind */

#endif
