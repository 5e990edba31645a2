/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network namespace that an instance filters. XDP programs and clsact filters
 * hang on interfaces, not on pins, so they can only be taken away from inside:
 * xi_ctl tells the namespace, and a teardown goes there from wherever it is called.
 *
 * Weak spot: a namespace that is neither mounted under /run/netns nor that of a process we
 * see is taken for gone; its number may be used again, where nothing of ours is then found.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
