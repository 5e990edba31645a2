/* SPDX-License-Identifier: BSD-2-Clause */
/* See testrun.h. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include "datapath/internal.h"
#include "datapath/testrun.h"

#define OUT_MAX 131072

struct testrun {
	struct datapath *dp;
	cpu_set_t before; /* the thread's CPUs */
	int cpu, cpus;
	struct xi_run *runs; /* one a CPU */
	uint8_t out[OUT_MAX];
};

static const enum dp_prog prog_of[XI_HOOK_MAX] = {
	[XI_HOOK_XDP_INGRESS] = DP_PROG_XDP_INGRESS, [XI_HOOK_TC_EGRESS] = DP_PROG_TC_EGRESS,
	[XI_HOOK_TC_INJECT] = DP_PROG_TC_INJECT,     [XI_HOOK_TC_INGRESS] = DP_PROG_TC_INGRESS,
	[XI_HOOK_NF_INGRESS] = DP_PROG_MAX, /* takes packets, not frames */
};

static int stay_on_cpu(struct testrun *run)
{
	cpu_set_t one;

	run->cpu = sched_getcpu();
	if (run->cpu < 0 || sched_getaffinity(0, sizeof(run->before), &run->before))
		return -errno;
	CPU_ZERO(&one);
	CPU_SET(run->cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) ? -errno : 0;
}

int testrun_open(const struct image *image, const struct testrun_opts *opts, struct testrun **ret,
		 struct diag *diag)
{
	struct testrun *run = calloc(1, sizeof(*run));
	int err;

	if (!run)
		return -ENOMEM;
	run->cpu = -1;
	run->cpus = libbpf_num_possible_cpus();
	if (run->cpus < 0) {
		err = run->cpus;
		goto out;
	}
	run->runs = calloc(run->cpus, sizeof(*run->runs));
	err = run->runs ? stay_on_cpu(run) : -ENOMEM;
	if (err)
		goto out;
	err = dp_open_private(&run->dp, diag);
	if (err)
		goto out;
	run->dp->ctl->flags = (opts && opts->all_me ? XI_CTL_ALL_ME : 0) |
			      (opts && opts->owns_esp ? XI_CTL_OWNS_ESP : 0);
	if (opts)
		err = datapath_set_local(run->dp, opts->me, opts->me_count);
	if (!err && image)
		err = datapath_swap(run->dp, image, diag);
	if (err)
		goto out;
	*ret = run;
	run = NULL;
out:
	testrun_close(run);
	return err;
}

void testrun_close(struct testrun *run)
{
	if (!run)
		return;
	datapath_close(run->dp);
	if (run->cpu >= 0)
		sched_setaffinity(0, sizeof(run->before), &run->before);
	free(run->runs);
	free(run);
}

struct datapath *testrun_datapath(struct testrun *run)
{
	return run->dp;
}

enum testrun_fate testrun_fate(enum xi_hook hook, int retval)
{
	if (hook == XI_HOOK_XDP_INGRESS) {
		if (retval == XDP_PASS)
			return TESTRUN_PASS;
		return retval == XDP_REDIRECT ? TESTRUN_REDIRECT : TESTRUN_DROP;
	}
	if (retval == TC_ACT_UNSPEC || retval == TC_ACT_OK)
		return TESTRUN_PASS;
	return retval == TC_ACT_REDIRECT ? TESTRUN_REDIRECT : TESTRUN_DROP;
}

int testrun_frame(struct testrun *run, enum xi_hook hook, const void *frame, size_t len,
		  struct testrun_result *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len,
		    .data_out = run->out, .data_size_out = sizeof(run->out), .repeat = 1);
	uint32_t index = hook;
	struct xi_run *last;

	if (len < ETH_HLEN || prog_of[hook] == DP_PROG_MAX)
		return -EINVAL;
	if (bpf_prog_test_run_opts(run->dp->prog[prog_of[hook]], &opts))
		return -errno;
	if (bpf_map_lookup_elem(run->dp->map[DP_MAP_RUN], &index, run->runs))
		return -errno;
	last = &run->runs[run->cpu];
	*ret = (struct testrun_result){
		.fate = testrun_fate(hook, opts.retval),
		.retval = opts.retval,
		.ip = last->pkt.family && last->reason != XI_REASON_MALFORMED,
		.action = last->action,
		.filter_idx = last->filter_idx,
		.reason = last->reason,
		.pkt = last->pkt,
		.generation = last->generation,
		.out = run->out,
		.out_len = opts.data_size_out,
	};
	return 0;
}

int testrun_time(struct testrun *run, enum xi_hook hook, const void *frame, size_t len,
		 unsigned repeat, double *ret_ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len,
		    .repeat = repeat);

	if (len < ETH_HLEN || prog_of[hook] == DP_PROG_MAX)
		return -EINVAL;
	if (bpf_prog_test_run_opts(run->dp->prog[prog_of[hook]], &opts))
		return -errno;
	*ret_ns = opts.duration;
	return 0;
}
