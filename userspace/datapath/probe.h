/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel can do for the datapath, by trying; for `xipsec doctor`. */
#ifndef DATAPATH_PROBE_H
#define DATAPATH_PROBE_H

#include <net/if.h>
#include <stdbool.h>
#include <xipsec/abi.h>

/*
 * X(NAME, needed, what it is, what is lost without it)
 * "Needed": without it datapath_open() or datapath_attach() fails.
 */
#define DP_FEATURES(X)                                                                             \
	X(BPF, true, "loading BPF programs", "nothing works")                                      \
	X(BTF, false, "kernel type information",                                                   \
	  "fragments get conservative verdicts, and no other XDP program can share an interface")  \
	X(BPF_LOOP, true, "the bpf_loop helper (Linux 5.17)", "the classifier does not load")      \
	X(RINGBUF, true, "BPF ring buffers", "no events, so no negotiation")                       \
	X(XDP, true, "XDP programs", "no ingress filtering")                                       \
	X(XDP_FRAGS, true, "XDP on frames of several buffers (Linux 5.18)", "no jumbo frames")     \
	X(XSKMAP, false, "AF_XDP", "no ESP in userspace")                                          \
	X(DISPATCHER, false, "libxdp's dispatcher: several XDP programs on an interface",          \
	  "an interface with another XDP program is filtered at TC ingress")                       \
	X(TC, true, "TC programs", "no egress filtering")                                          \
	X(TCX, false, "TCX links (Linux 6.6)", "TC attaches through clsact")                       \
	X(DEFRAG, false, "netfilter links with reassembly (Linux 6.6)",                            \
	  "fragments get conservative verdicts")                                                   \
	X(ARENA, false, "BPF arenas (Linux 6.9)", "nothing is lost, they are not used yet")        \
	X(BPFFS, true, "the BPF file system on /sys/fs/bpf", "filters die with the daemon")        \
	X(TUN, false, "/dev/net/tun", "no ESP in userspace")                                       \
	X(XFRM_ESP, false, "ESP in the kernel (XFRM)", "no datapath: xfrm")

#define DP_X(NAME, needed, what, without) DP_FEATURE_##NAME,
enum dp_feature { DP_FEATURES(DP_X) DP_FEATURE_MAX };
#undef DP_X

struct datapath_features {
	bool have[DP_FEATURE_MAX];
	int err[DP_FEATURE_MAX]; /* -errno of the attempt, 0 if there was none */
};

struct dp_feature_info {
	const char *name; /* of the list above, for scripts */
	bool needed;
	const char *what, *without;
};

const struct dp_feature_info *datapath_feature_info(enum dp_feature feature);
/* Leaves nothing behind. Without privilege most attempts fail with -EPERM. */
void datapath_probe(struct datapath_features *ret);
/* Is everything there that is needed? */
bool datapath_usable(const struct datapath_features *features);

/* What a driver says of native XDP: kernels before 6.3 do not ask it. */
enum dp_native { DP_NATIVE_UNKNOWN, DP_NATIVE_NO, DP_NATIVE_YES };

/* One interface as it is, looked at and not touched. */
struct datapath_survey {
	char name[IF_NAMESIZE], driver[32];
	unsigned mtu, rx_queues;
	bool ethernet;
	enum dp_native native;
	bool zero_copy; /* of AF_XDP, says the driver */
	char xdp[48];	/* "NAME, id ID" of what runs at XDP now, or "" */
	bool xdp_generic, xdp_shares;
	char instance[XI_INSTANCE_LEN]; /* of xipsec, if it is one of its programs; else "" */
	unsigned tcx_in, tcx_out;	/* TCX programs, ours among them */
};

/* 0 or -errno: there is no such interface. */
int datapath_survey(int ifindex, struct datapath_survey *ret);

#endif
