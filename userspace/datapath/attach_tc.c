/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TC, in one of two ways, and in both as the first of the hook: a program before
 * us that accepts a packet would end the chain, and the packet would leave (or
 * enter) unseen. What a later program makes of a packet we let go, we do not see.
 *
 *   TCX links (Linux 6.6), pinned, so that nothing but us takes them away
 *   clsact, which every kernel has and which persists by itself
 *
 * An interface that has the other way already is taken over without a gap: the
 * new one is attached before the old one goes, and both agree.
 *
 * Weak spot: TCX programs run before clsact, and whoever attaches later may say
 * "before the first". dp_tc_look() tells of either.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datapath/internal.h"
#include "datapath/tcx.h"

#define TC_HANDLE   0x5849
#define TC_PRIORITY 1
#define LINK_PREFIX "link_"

static bool is_ingress(enum dp_prog prog)
{
	return prog != DP_PROG_TC_EGRESS;
}

/* ---------------------------------------------------------------------- TCX */

static void link_path(char *buf, size_t size, const char *instance, enum dp_prog prog, int ifindex)
{
	char name[48];

	snprintf(name, sizeof(name), LINK_PREFIX "%s_%d", dp_prog_name(prog), ifindex);
	dp_pin_path(buf, size, instance, name);
}

static uint32_t id_of_prog(int prog_fd)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(prog_fd, &info, &len) ? 0 : info.id;
}

#define TCX_MAX 64 /* as many as the kernel allows on a hook */

/* 1 or 0, or -errno: nobody knows. */
static int runs(int ifindex, enum dp_prog prog, uint32_t prog_id)
{
	uint32_t ids[TCX_MAX];
	int count = tcx_programs(ifindex, is_ingress(prog), ids, TCX_MAX);

	if (count < 0) /* no such interface here: the link's is in another namespace */
		return count == -ENODEV ? 0 : count;
	for (int i = 0; i < count; i++)
		if (ids[i] == prog_id)
			return 1;
	return 0;
}

/*
 * The link that is pinned for this hook: its fd and the program's id. One that
 * is left of an interface of the same number, or is in another namespace, is
 * taken away. -ENOENT: none. Another error: there is one, and nobody can tell what
 * it is; it stays, since to let it go may be to let everything pass.
 */
static int link_get(const char *instance, int ifindex, enum dp_prog prog, uint32_t *ret_prog_id)
{
	int fd, where, good;
	char path[160];
	bool ingress;

	link_path(path, sizeof(path), instance, prog, ifindex);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	good = tcx_of_link(fd, &where, &ingress, ret_prog_id);
	if (good == -EINVAL) /* which means to callers that the kernel has no TCX */
		good = -EUCLEAN;
	if (!good && where == ifindex && ingress == is_ingress(prog))
		good = runs(ifindex, prog, *ret_prog_id);
	if (good > 0)
		return fd;
	close(fd);
	if (good < 0)
		return good;
	unlink(path);
	return -ENOENT;
}

static int tcx_attach(struct datapath *dp, int ifindex, enum dp_prog prog)
{
	char path[160];
	uint32_t id;
	int fd = link_get(dp->instance, ifindex, prog, &id), err = 0;

	if (fd >= 0) {
		if (id != id_of_prog(dp->prog[prog]) && bpf_link_update(fd, dp->prog[prog], NULL))
			err = -errno;
		close(fd);
		return err;
	}
	if (fd != -ENOENT)
		return fd;
	fd = tcx_create(dp->prog[prog], ifindex, is_ingress(prog));
	if (fd < 0)
		return fd;
	link_path(path, sizeof(path), dp->instance, prog, ifindex);
	if (bpf_obj_pin(fd, path))
		err = -errno;
	close(fd);
	return err;
}

static int tcx_detach(const char *instance, int ifindex, enum dp_prog prog)
{
	char path[160];
	uint32_t id;
	int fd = link_get(instance, ifindex, prog, &id), err = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (bpf_link_detach(fd))
		err = -errno;
	close(fd);
	link_path(path, sizeof(path), instance, prog, ifindex);
	unlink(path);
	return err;
}

void dp_tc_forget_gone(const char *instance)
{
	struct dirent *entry;
	char path[400];
	uint32_t id;
	bool ingress;
	DIR *dir;
	int fd, where;

	dp_pin_path(path, sizeof(path), instance, NULL);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, LINK_PREFIX, sizeof(LINK_PREFIX) - 1))
			continue;
		dp_pin_path(path, sizeof(path), instance, entry->d_name);
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		if (!tcx_of_link(fd, &where, &ingress, &id) && !where)
			unlink(path);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

/* ------------------------------------------------------------------- clsact */

static enum bpf_tc_attach_point point_of(enum dp_prog prog)
{
	return is_ingress(prog) ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

/* Our place in the chain: 0 and who is there, -ENOENT if it is free. */
static int clsact_query(int ifindex, enum dp_prog prog, uint32_t *ret_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point_of(prog));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);
	int err = bpf_tc_query(&hook, &opts);

	if (err) /* no clsact at all is -EINVAL or -ENOENT, by kernel */
		return err == -EINVAL || err == -ENODEV ? -ENOENT : err;
	*ret_id = opts.prog_id;
	return 0;
}

static bool is_ours(const char *instance, uint32_t id, enum dp_prog prog)
{
	struct dp_identity who;

	return dp_identify(id, prog, &who) && !strcmp(who.instance, instance);
}

static int clsact_attach(struct datapath *dp, int ifindex, enum dp_prog prog, struct diag *diag)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point_of(prog));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY,
		    .prog_fd = dp->prog[prog], .flags = BPF_TC_F_REPLACE);
	uint32_t id;
	int err;

	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot add clsact: %s", strerror(-err));
		return err;
	}
	if (!clsact_query(ifindex, prog, &id) && !is_ours(dp->instance, id, prog)) {
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

static int clsact_detach(const char *instance, int ifindex, enum dp_prog prog)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point_of(prog));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);
	uint32_t id;
	int err;

	err = clsact_query(ifindex, prog, &id);
	if (err)
		return err == -ENOENT ? 0 : err;
	return is_ours(instance, id, prog) ? bpf_tc_detach(&hook, &opts) : 0;
}

/* --------------------------------------------------------------------- both */

int dp_tc_attach(struct datapath *dp, int ifindex, enum dp_prog prog, struct diag *diag)
{
	int err = dp->want.tc == DP_WANT_TC_CLSACT ? -EOPNOTSUPP : tcx_attach(dp, ifindex, prog);

	if (!err)
		return clsact_detach(dp->instance, ifindex, prog);
	/* -EINVAL: this kernel has no TCX; nothing is amiss then. */
	if (err != -EINVAL && err != -EOPNOTSUPP)
		diag_add(diag, DIAG_WARNING, NULL, NULL, "no TCX link (%s): clsact instead",
			 strerror(-err));
	err = clsact_attach(dp, ifindex, prog, diag);
	if (err)
		return err;
	err = tcx_detach(dp->instance, ifindex, prog);
	if (err)
		diag_add(diag, DIAG_WARNING, NULL, NULL,
			 "a TCX link of an earlier start stays (%s): the filters run twice, and "
			 "count twice",
			 strerror(-err));
	return 0;
}

int dp_tc_detach(const char *instance, int ifindex, enum dp_prog prog)
{
	int err = tcx_detach(instance, ifindex, prog);
	int err_clsact = clsact_detach(instance, ifindex, prog);

	return err ? err : err_clsact;
}

struct dp_tc_state dp_tc_look(const char *instance, int ifindex, enum dp_prog prog)
{
	struct dp_tc_state state = {.kind = DP_TC_NONE};
	uint32_t id = 0, first;
	int fd = link_get(instance, ifindex, prog, &id);

	if (fd >= 0) {
		close(fd);
		state.kind = DP_TC_TCX;
	} else if (!clsact_query(ifindex, prog, &id) && is_ours(instance, id, prog)) {
		state.kind = DP_TC_CLSACT;
		id = 0; /* whoever is at TCX is before us */
	} else if (fd != -ENOENT) {
		/* Pinned by us, and nothing has taken it away. */
		state.kind = DP_TC_TCX;
		state.err = fd;
		return state;
	}
	if (state.kind != DP_TC_NONE && tcx_programs(ifindex, is_ingress(prog), &first, 1) == 1 &&
	    first != id)
		state.ahead_id = first;
	return state;
}
