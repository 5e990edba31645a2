/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel can do for the datapath, by trying; for `xipsec doctor`. */
#ifndef DATAPATH_PROBE_H
#define DATAPATH_PROBE_H

#include <stdbool.h>

/*
 * X(NAME, needed, what it is, what is lost without it)
 * "Needed": without it datapath_open() or datapath_attach() fails.
 */
#define DP_FEATURES(X)                                                                             \
	X(BPF, true, "loading BPF programs", "nothing works")                                      \
	X(BTF, true, "kernel type information", "libbpf cannot load the programs")                 \
	X(BPF_LOOP, true, "the bpf_loop helper (Linux 5.17)", "the classifier does not load")      \
	X(RINGBUF, true, "BPF ring buffers", "no events, so no negotiation")                       \
	X(INNER_SIZES, true, "inner maps of any size", "filter lists cannot be replaced")          \
	X(XDP, true, "XDP programs", "no ingress filtering")                                       \
	X(XDP_FRAGS, true, "XDP on frames of several buffers (Linux 5.18)", "no jumbo frames")     \
	X(XSKMAP, false, "AF_XDP", "no ESP in userspace")                                          \
	X(TC, true, "TC programs", "no egress filtering")                                          \
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
	bool needed;
	const char *what, *without;
};

const struct dp_feature_info *datapath_feature_info(enum dp_feature feature);
/* Leaves nothing behind. Without privilege most attempts fail with -EPERM. */
void datapath_probe(struct datapath_features *ret);
/* Is everything there that is needed? */
bool datapath_usable(const struct datapath_features *features);

#endif
