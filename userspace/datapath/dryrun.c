/* SPDX-License-Identifier: BSD-2-Clause */
/* See dryrun.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "datapath/dryrun.h"
#include "datapath/internal.h"
#include "skel/xipsec_list.skel.h"

/*
 * What the programs only read. All other maps are made anew, for this run alone: a
 * mark in xi_frags or xi_acquire would change what becomes of real packets.
 */
static const enum dp_map shared[] = {
	DP_MAP_CTL,  DP_MAP_LOCAL, DP_MAP_LOCAL_SLOTS, DP_MAP_IFACE,
	DP_MAP_XSKS, DP_MAP_SA_IN, DP_MAP_SA_OUT,
};

/* Maps of one run need no room; a ring has at least a page, which 0 stands for. */
static const struct {
	enum dp_map map;
	uint32_t entries;
} small[] = {
	{DP_MAP_FRAGS, 64},
	{DP_MAP_ACQUIRE, 64},
	{DP_MAP_EVENTS, 0},
	{DP_MAP_SAMPLES, 0},
};

static struct bpf_map *map_named(const struct xipsec_list *skel, const char *name)
{
	return bpf_object__find_map_by_name(skel->obj, name);
}

static int use_maps(const struct datapath *dp, const struct dp_slot *slot,
		    const struct xipsec_list *skel)
{
	uint32_t page = sysconf(_SC_PAGESIZE);
	int err = 0;

	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared) && !err; i++)
		err = bpf_map__reuse_fd(map_named(skel, dp_map_name(shared[i])),
					dp->map[shared[i]]);
	for (unsigned i = 0; i < XI_TABLE_MAX && !err; i++)
		err = bpf_map__reuse_fd(map_named(skel, dp_table_name(i)), slot->table[i].fd);
	for (size_t i = 0; i < sizeof(small) / sizeof(*small) && !err; i++) {
		uint32_t entries = small[i].entries ? small[i].entries : page;

		err = bpf_map__set_max_entries(map_named(skel, dp_map_name(small[i].map)), entries);
	}
	return err;
}

/* The one of its hook; the others are not loaded. */
static struct bpf_program *choose(struct xipsec_list *skel, enum xi_hook hook)
{
	struct bpf_program *mine = NULL, *prog;

	switch (hook) {
	case XI_HOOK_XDP_INGRESS:
		mine = skel->progs.xi_ingress_list;
		break;
	case XI_HOOK_TC_EGRESS:
		mine = skel->progs.xi_egress_list;
		break;
	case XI_HOOK_TC_INJECT:
		mine = skel->progs.xi_inject_list;
		break;
	case XI_HOOK_TC_INGRESS:
		mine = skel->progs.xi_in_skb_list;
		break;
	case XI_HOOK_NF_INGRESS:
	case XI_HOOK_MAX:
		return NULL;
	}
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == mine);
	bpf_program__set_expected_attach_type(skel->progs.xi_ingress_list, 0);
	bpf_program__set_flags(skel->progs.xi_ingress_list, BPF_F_XDP_HAS_FRAGS);
	return mine;
}

/* xi_run has a place for each CPU, and only the one that ran has written to its own. */
static int read_run(const struct xipsec_list *skel, enum xi_hook hook, struct xi_run *ret)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;
	struct xi_run *runs = calloc(cpus > 0 ? cpus : 1, sizeof(*runs));
	uint32_t index = hook;

	if (!runs)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(map_named(skel, dp_map_name(DP_MAP_RUN))), &index,
				runs))
		err = -errno;
	for (int i = 0; i < cpus && !err; i++) {
		*ret = runs[i];
		if (runs[i].generation)
			break;
	}
	free(runs);
	return err;
}

static int run(const struct xipsec_list *skel, const struct bpf_program *prog, enum xi_hook hook,
	       int ifindex, const void *frame, size_t len, struct testrun_result *ret)
{
	struct __sk_buff skb = {.ifindex = ifindex, .ingress_ifindex = ifindex};
	struct xdp_md xdp = {.data_end = len, .ingress_ifindex = ifindex};
	bool is_xdp = hook == XI_HOOK_XDP_INGRESS;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .repeat = 1);
	struct xi_run last = {0};
	int err;

	if (ifindex) {
		opts.ctx_in = is_xdp ? (void *)&xdp : (void *)&skb;
		opts.ctx_size_in = is_xdp ? sizeof(xdp) : sizeof(skb);
	}
	err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	/* Not every device has a receive queue that the kernel lends to a test run. */
	if (err && errno == EINVAL && is_xdp && ifindex)
		return run(skel, prog, hook, 0, frame, len, ret);
	if (err)
		return -errno;
	err = read_run(skel, hook, &last);
	if (err)
		return err;
	*ret = (struct testrun_result){
		.fate = testrun_fate(hook, opts.retval),
		.retval = opts.retval,
		.ip = last.pkt.family && last.reason != XI_REASON_MALFORMED,
		.action = last.action,
		.filter_idx = last.filter_idx,
		.reason = last.reason,
		.pkt = last.pkt,
		.generation = last.generation,
	};
	return 0;
}

int datapath_dry_run(struct datapath *dp, enum xi_hook hook, int ifindex, const void *frame,
		     size_t len, struct testrun_result *ret, struct diag *diag)
{
	uint32_t active = dp->ctl->active & 1;
	struct xipsec_list *skel = NULL;
	struct bpf_program *prog;
	int err;

	if (!dp->ctl->generation)
		return -ENOENT;
	if (!dp->slot[active].made || dp->ctl->list[active].build != dp->list_build)
		return -EOPNOTSUPP;
	dp_log_begin();
	skel = xipsec_list__open();
	err = skel ? use_maps(dp, &dp->slot[active], skel) : -errno;
	prog = err ? NULL : choose(skel, hook);
	if (!err && !prog)
		err = -EINVAL;
	if (!err) {
		skel->rodata->xi_list_slot = active;
		err = xipsec_list__load(skel);
	}
	if (!err)
		err = run(skel, prog, hook, ifindex, frame, len, ret);
	dp_log_end(err, diag);
	xipsec_list__destroy(skel);
	return err;
}
