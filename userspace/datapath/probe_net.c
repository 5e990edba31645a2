/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can only be found out by attaching something: done in a child process with
 * a network namespace of its own, on its loopback interface, so that nothing of
 * this machine's is touched. See probe.h.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>

#include <xdp/libxdp.h>

#include "datapath/internal.h"
#include "datapath/tcx.h"
#include "skel/probe.skel.h"

#define LOOPBACK 1 /* in a fresh namespace, always */

static int in_fresh_namespace(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(unshare(CLONE_NEWNET) ? errno : -fn());
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPROTO;
}

/* 0 if it is the dispatcher that runs now, and not our program alone. */
static int dispatcher_runs(void)
{
	struct xdp_multiprog *multi = xdp_multiprog__get_from_ifindex(LOOPBACK);
	int err = libxdp_get_error(multi);

	if (err)
		return err;
	if (xdp_multiprog__is_legacy(multi))
		err = -EOPNOTSUPP;
	xdp_multiprog__close(multi);
	return err;
}

static int dispatcher(void)
{
	struct probe *skel = probe__open();
	struct xdp_program *prog;
	int err;

	if (!skel)
		return -ENOMEM;
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = skel->obj, .prog_name = "xi_probe_pass");
	prog = xdp_program__create(&opts);
	err = libxdp_get_error(prog);
	if (err)
		return err;
	err = xdp_program__attach(prog, LOOPBACK, XDP_MODE_SKB, 0);
	if (err)
		return err;
	err = dispatcher_runs();
	/* Its pins are in the file system, which is not a namespace's. */
	xdp_program__detach(prog, LOOPBACK, XDP_MODE_SKB, 0);
	return err;
}

static int tcx(void)
{
	uint32_t id;
	int count = tcx_programs(LOOPBACK, true, &id, 1);

	return count < 0 ? count : 0;
}

int dp_probe_dispatcher(void)
{
	return in_fresh_namespace(dispatcher);
}

int dp_probe_defrag(void)
{
	return in_fresh_namespace(dp_nf_probe);
}

int dp_probe_tcx(void)
{
	return in_fresh_namespace(tcx);
}
