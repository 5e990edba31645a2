/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TC through clsact, which every kernel we run on has and which persists. One
 * fixed place in the chain, the first: an earlier program that accepts a packet
 * would end the chain before us. Weak spot: a TCX program of someone else runs
 * before clsact and can do just that.
 */
#include <errno.h>
#include <string.h>

#include "datapath/internal.h"

#define TC_HANDLE   0x5849
#define TC_PRIORITY 1

static enum bpf_tc_attach_point point_of(enum dp_prog prog)
{
	return prog == DP_PROG_TC_INJECT ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

/* Our place in the chain: 0 and who is there, -ENOENT if it is free. */
static int tc_query(int ifindex, enum dp_prog prog, uint32_t *ret_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point_of(prog));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);
	int err = bpf_tc_query(&hook, &opts);

	if (err) /* no clsact at all is -EINVAL or -ENOENT, by kernel */
		return err == -EINVAL || err == -ENODEV ? -ENOENT : err;
	*ret_id = opts.prog_id;
	return 0;
}

int dp_tc_attach(struct datapath *dp, int ifindex, enum dp_prog prog, struct diag *diag)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point_of(prog));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY,
		    .prog_fd = dp->prog[prog], .flags = BPF_TC_F_REPLACE);
	struct dp_identity who;
	uint32_t id;
	int err;

	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot add clsact: %s", strerror(-err));
		return err;
	}
	if (!tc_query(ifindex, prog, &id) &&
	    (!dp_identify(id, prog, &who) || strcmp(who.instance, dp->instance))) {
		diag_add(diag, DIAG_ERROR, NULL, NULL,
			 "another program (id %u) has our place in the TC chain", id);
		return -EBUSY;
	}
	err = bpf_tc_attach(&hook, &opts);
	if (err)
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot attach the TC program: %s",
			 strerror(-err));
	return err;
}

int dp_tc_detach(const char *instance, int ifindex, enum dp_prog prog)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point_of(prog));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);
	struct dp_identity who;
	uint32_t id;
	int err;

	err = tc_query(ifindex, prog, &id);
	if (err)
		return err == -ENOENT ? 0 : err;
	if (!dp_identify(id, prog, &who) || strcmp(who.instance, instance))
		return 0;
	return bpf_tc_detach(&hook, &opts);
}
