/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network namespace that an instance filters. XDP programs and clsact filters
 * hang on interfaces, not on pins, so they can only be taken away from inside:
 * xi_ctl tells the namespace, and a teardown goes there from wherever it is called. A
 * daemon in another namespace must not adopt the set: it would load lists that filter
 * there, and leave what is there behind when it attaches here.
 *
 * Weak spot: a namespace that is neither mounted under /run/netns nor that of a process we
 * see is taken for gone; its number may be used again, where nothing of ours is then found.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datapath/internal.h"

#define OWN_NETNS "/proc/self/ns/net"

uint32_t dp_netns(void)
{
	struct stat own;

	return stat(OWN_NETNS, &own) ? 0 : (uint32_t)own.st_ino;
}

/* A descriptor of that namespace if one of the folder's entries leads to it, or -1. */
static int find_in(const char *folder, const char *below, bool processes, uint32_t netns)
{
	struct stat own, seen;
	char path[300];
	struct dirent *entry;
	DIR *dir;
	int fd = -1;

	if (stat(OWN_NETNS, &own))
		return -1;
	dir = opendir(folder);
	while (dir && fd < 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    (processes && !isdigit((unsigned char)entry->d_name[0])))
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", folder, entry->d_name, below);
		if (!stat(path, &seen) && seen.st_dev == own.st_dev &&
		    (uint32_t)seen.st_ino == netns)
			fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return fd;
}

int dp_netns_enter(uint32_t netns, int *ret_back)
{
	int there, back, err = 0;

	*ret_back = -1;
	if (!netns || netns == dp_netns())
		return 0;
	there = find_in("/run/netns", "", false, netns);
	if (there < 0)
		there = find_in("/proc", "/ns/net", true, netns);
	if (there < 0)
		return 0;
	back = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	if (back < 0 || setns(there, CLONE_NEWNET)) {
		err = -errno;
		if (back >= 0)
			close(back);
	} else {
		*ret_back = back;
	}
	close(there);
	return err;
}

int dp_netns_leave(int back)
{
	int err = 0;

	if (back < 0)
		return 0;
	if (setns(back, CLONE_NEWNET))
		err = -errno;
	close(back);
	return err;
}

uint32_t dp_netns_of(const char *instance)
{
	struct xi_ctl ctl = {0};
	uint32_t zero = 0;
	char path[128];
	int fd;

	dp_pin_path(path, sizeof(path), instance, dp_map_name(DP_MAP_CTL));
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_map_lookup_elem(fd, &zero, &ctl) || ctl.abi != XI_ABI_VERSION)
		ctl.netns = 0;
	close(fd);
	return ctl.netns;
}

/* Has this instance a program at an interface of the namespace that we are in? */
static bool attached(const char *instance)
{
	static const enum dp_prog tc[] = {DP_PROG_TC_EGRESS, DP_PROG_TC_INGRESS, DP_PROG_TC_INJECT};
	struct if_nameindex *ifs = if_nameindex();
	struct dp_xdp xdp;
	bool found = false;

	for (struct if_nameindex *i = ifs; i && i->if_index && !found; i++) {
		found = !dp_xdp_look(instance, i->if_index, &xdp) && xdp.who == DP_XDP_OURS;
		for (size_t k = 0; k < sizeof(tc) / sizeof(*tc) && !found; k++)
			found = dp_tc_look(instance, i->if_index, tc[k]).kind != DP_TC_NONE;
	}
	if_freenameindex(ifs);
	/* What libbpf says of hooks that are not there is of no interest. */
	dp_log_begin();
	return found;
}

int dp_netns_check(const char *instance, bool *ret_moved, struct diag *diag)
{
	uint32_t netns = dp_netns_of(instance), own = dp_netns();
	char hint[256];
	int back, err;
	bool there;

	if (!netns || !own || netns == own)
		return 0;
	err = dp_netns_enter(netns, &back);
	/* One that may not be entered is there, and nobody can say what it has. */
	there = err || (back >= 0 && attached(instance));
	err = dp_netns_leave(back);
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, NULL,
			 "cannot come back from another network namespace: %s", strerror(-err));
		return err;
	}
	if (!there) {
		*ret_moved = true;
		return 0;
	}
	snprintf(hint, sizeof(hint),
		 "give this one a name of its own with --instance, or take the filters there away "
		 "with `xipsec --instance %s teardown`",
		 instance);
	diag_add(diag, DIAG_ERROR, NULL, hint,
		 "instance '%s' filters another network namespace (net:[%u])", instance, netns);
	return -EADDRINUSE;
}
