/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel side as the daemon sees it, and the only writer of BPF maps.
 *
 * Everything is pinned under /sys/fs/bpf/xipsec/INSTANCE/, so filters stay in
 * force when the daemon ends or dies; datapath_open() adopts what it finds
 * there if ABI and program are the same, and replaces it atomically if not.
 */
#ifndef DATAPATH_DATAPATH_H
#define DATAPATH_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/abi.h>
#include <xipsec/addr.h>
#include <xipsec/diag.h>
#include <xipsec/sa.h>

struct cbpf_insn;
struct datapath;
struct image;

/* Which ways of attaching are allowed; the best of them that works is taken. */
enum dp_want_xdp { DP_WANT_XDP_AUTO, DP_WANT_XDP_NATIVE, DP_WANT_XDP_GENERIC, DP_WANT_XDP_OFF };
enum dp_want_tc { DP_WANT_TC_AUTO, DP_WANT_TC_CLSACT };

struct datapath_want {
	enum dp_want_xdp xdp;
	enum dp_want_tc tc;
};

struct datapath_opts {
	const char *instance;
	struct datapath_want want;
	bool owns_esp;	    /* no kernel XFRM here: unknown SPIs are ours to drop */
	bool no_reassembly; /* leave the fragments of this namespace as they come */
};

int datapath_open(const struct datapath_opts *opts, struct datapath **ret, struct diag *diag);
/* Lets go without touching what is in force. */
void datapath_close(struct datapath *dp);
/* Detaches the programs of an instance everywhere and removes its pins. */
int datapath_teardown(const char *instance, struct diag *diag);

/*
 * Filters what arrives at one interface of this namespace and what leaves by it.
 * The filter list must be loaded first: nothing passes a program without one.
 * What is attached already is kept, or replaced without a gap if it is of another
 * build or there is a better way now.
 */
int datapath_attach(struct datapath *dp, int ifindex, enum xi_iface_class klass, struct diag *diag);
int datapath_detach(struct datapath *dp, int ifindex);
/*
 * The interfaces that are attached, also those found at datapath_open(). Returns
 * how many there are; writes at most max.
 */
size_t datapath_interfaces(const struct datapath *dp, int *ret, size_t max);

/* X(NAME, name in JSON, text), the best way first */
#define DP_INGRESS(X)                                                                              \
	X(DISPATCHER, "dispatcher", "native XDP, shared")                                          \
	X(NATIVE, "native", "native XDP")                                                          \
	X(GENERIC, "generic", "generic XDP")                                                       \
	X(TC, "tc", "TC ingress")                                                                  \
	X(NONE, NULL, "not filtered")
#define DP_TC(X)                                                                                   \
	X(TCX, "tcx", "TCX link")                                                                  \
	X(CLSACT, "clsact", "clsact")                                                              \
	X(NONE, NULL, "not attached")

#define DP_X(NAME, name, text) DP_INGRESS_##NAME,
enum dp_ingress { DP_INGRESS(DP_X) DP_INGRESS_MAX };
#undef DP_X
#define DP_X(NAME, name, text) DP_TC_##NAME,
enum dp_tc { DP_TC(DP_X) DP_TC_MAX };
#undef DP_X

/* How an interface is filtered right now, and what keeps it from a better way. */
struct datapath_iface {
	enum dp_ingress ingress;
	bool shared;	       /* by libxdp's dispatcher, native or generic */
	enum dp_tc ingress_tc; /* the way, when ingress is DP_INGRESS_TC */
	enum dp_tc egress;
	char why[400]; /* "" if nothing could be better */
};

int datapath_iface_state(const struct datapath *dp, int ifindex, struct datapath_iface *ret);
const char *datapath_ingress_name(enum dp_ingress ingress); /* NULL for DP_INGRESS_NONE */
const char *datapath_ingress_text(enum dp_ingress ingress);
const char *datapath_tc_name(enum dp_tc tc); /* NULL for DP_TC_NONE */
const char *datapath_tc_text(enum dp_tc tc);

/*
 * Are fragments of this family (4 or 6) put together before the verdict? If not,
 * later ones that overtake their first are dropped where ports decide.
 */
bool datapath_reassembles(const struct datapath *dp, unsigned family);

/* Replaces the whole filter list: fill the spare slot, switch one word. */
int datapath_swap(struct datapath *dp, const struct image *image, struct diag *diag);
/* What the last swap did, in filters: the same ones select the same packets for the same action. */
struct datapath_change {
	size_t added, removed, kept;
};
void datapath_last_change(const struct datapath *dp, struct datapath_change *ret);
/*
 * When there is time after a swap: waits for the list before to be out of use, and
 * gets the other slot ready for a list of this size. May take half a second; without
 * it the next swap does.
 */
void datapath_idle(struct datapath *dp);
/* Counts swaps from 1; 0 until a filter list is in force, also right after datapath_open(). */
uint32_t datapath_generation(const struct datapath *dp);

/*
 * The addresses that `me` stands for now. The broadcast addresses of this
 * namespace's links are read here as well. What stays is never absent. -E2BIG: there are
 * more than DATAPATH_LOCAL_MAX, and those that do not fit are not `me`; all others are.
 */
#define DATAPATH_LOCAL_MAX 4096
int datapath_set_local(struct datapath *dp, const struct xi_addr *addrs, size_t count);

/*
 * The worker of an interface: its TAP and its AF_XDP sockets (one a queue).
 * Also attaches tc_inject to the TAP's ingress. tap_ifindex 0 takes it away.
 */
int datapath_set_worker(struct datapath *dp, int ifindex, int tap_ifindex, const int *xsk_fds,
			unsigned queues);

/* Opens the way for an SA pair that a backend has installed. */
int datapath_sa_in_add(struct datapath *dp, const struct xi_sa_params *sa, enum xi_path path);
int datapath_sa_out_add(struct datapath *dp, const struct xi_sa_params *sa, enum xi_path path);
int datapath_sa_in_del(struct datapath *dp, const struct xi_sa_params *sa);
/* Only if the entry still points to this SA (a rekeyed one has replaced it otherwise). */
int datapath_sa_out_del(struct datapath *dp, const struct xi_sa_params *sa);
/* Removes every SA entry: they are of a daemon that died, nothing carries them any more. */
int datapath_sa_flush(struct datapath *dp);

/* Events: when the fd is readable, datapath_events() calls fn for each; it never blocks. */
int datapath_event_fd(const struct datapath *dp);
int datapath_events(struct datapath *dp, void (*fn)(void *arg, const struct xi_event *event),
		    void *arg);

#define DATAPATH_RULES_MAX   16
#define DATAPATH_BUILTIN_MAX 64

/* What the rules that a listener names are in the filter list of one generation. */
struct datapath_rules {
	uint32_t generation;
	unsigned count, builtin_count;
	uint32_t rule[DATAPATH_RULES_MAX];	/* as struct xi_filter.rule */
	uint32_t builtin[DATAPATH_BUILTIN_MAX]; /* places in the list, of filters without a rule */
};

/* What one listener wants to see; the filter has passed cbpf_check() for XI_SAMPLE_BYTES. */
struct datapath_listener {
	uint32_t every;	   /* one in so many on each CPU, of those that are wanted */
	uint32_t verdicts; /* bits 1 << enum xi_action */
	uint32_t dirs;	   /* bits 1 << enum xi_dir */
	uint64_t reasons;  /* bits 1 << enum xi_reason; 0: all, and packets without one */
	bool dropped;	   /* only what was dropped */
	const struct cbpf_insn *insns; /* pcap filter, or NULL */
	size_t insn_count;
	/* None: whatever decided. Else nothing of a generation that is not among them. */
	const struct datapath_rules *rules;
	unsigned generations;
};

/*
 * Samples: what became of packets, for those who listen. While sampling is on
 * and the fd is readable, datapath_samples() calls fn for at most max of them and
 * returns how many there were; it never blocks. The fd is good from the first
 * datapath_sampling(dp, true) on. Lost ones found the ring full; counted since
 * the maps were made.
 */
int datapath_sampling(struct datapath *dp, bool on);
/*
 * Has the kernel choose the samples: each has the bits of the listeners that want it, at the
 * places that they have here, and this epoch. 0 or -errno (it does not take the program): then
 * all packets are samples, with no bits, and the reader chooses. `same`: they are the listeners
 * of the last call, which succeeded, only their rules are numbered anew; the epoch stays.
 */
int datapath_listen(struct datapath *dp, const struct datapath_listener *const *listeners,
		    bool same, uint32_t *ret_epoch);
/* Leaves the choice to the reader. */
void datapath_listen_end(const struct datapath *dp);
int datapath_sample_fd(const struct datapath *dp);
int datapath_samples(struct datapath *dp, void (*fn)(void *arg, const struct xi_sample *sample),
		     void *arg, unsigned max);
int datapath_samples_lost(const struct datapath *dp, uint64_t *ret);
/* Whether every kind of drop makes an event (XI_EVENT_DROP, once a second for two hosts). */
void datapath_drop_events(struct datapath *dp, bool on);

/*
 * Sums over the CPUs. Filter counts are those of the active list, in the order
 * of image.filters; -ERANGE if it has another length. They survive a swap for
 * filters that select the same packets for the same action. Right after a swap
 * the kernel may take some 20 ms to be done with the list before.
 */
int datapath_filter_counts(struct datapath *dp, struct xi_hits *ret, size_t count);
int datapath_reasons(struct datapath *dp, struct xi_reason_counts *ret);
int datapath_totals(struct datapath *dp, struct xi_totals *ret);

#endif
