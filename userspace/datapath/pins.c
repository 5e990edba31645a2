/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instance's folder in bpffs: maps and programs by name, so that they
 * outlive the daemon. xi_ctl is pinned last and removed first: a folder without
 * it is half made and is not adopted. A lock on the folder keeps two daemons
 * apart.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#include "datapath/internal.h"
#include "util/instance.h"

_Static_assert(INSTANCE_NAME_MAX < XI_INSTANCE_LEN, "a name must fit struct xi_ctl");

#define PIN_ROOT DP_BPFFS "/xipsec"

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

int dp_bpffs_ready(struct diag *diag)
{
	if (is_bpffs(DP_BPFFS))
		return 0;
	if (mount("bpf", DP_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") &&
	    !is_bpffs(DP_BPFFS)) {
		int err = -errno;

		diag_add(diag, DIAG_ERROR, NULL,
			 "`ip netns exec` hides it: use nsenter --net=/run/netns/NAME",
			 "cannot mount the BPF file system on " DP_BPFFS ": %s", strerror(-err));
		return err;
	}
	return 0;
}

void dp_pin_path(char *buf, size_t size, const char *instance, const char *name)
{
	snprintf(buf, size, PIN_ROOT "/%s%s%s", instance, name ? "/" : "", name ? name : "");
}

int dp_dir_open(const char *instance, bool create, int *ret_fd, struct diag *diag)
{
	char path[128];
	int fd, err;

	dp_pin_path(path, sizeof(path), instance, NULL);
	if (create && ((mkdir(PIN_ROOT, 0700) && errno != EEXIST) ||
		       (mkdir(path, 0700) && errno != EEXIST))) {
		err = -errno;
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot make %s: %s", path, strerror(-err));
		return err;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fd < 3) {
		int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);

		err = -errno;
		close(fd);
		if (high < 0)
			return err;
		fd = high;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		diag_add(diag, DIAG_ERROR, NULL, "is its daemon running?",
			 "instance '%s' is in use: %s", instance, strerror(-err));
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

/* bpffs renames atomically: there is never an instant without the pin. */
int dp_pin(const char *instance, const char *name, int fd)
{
	char path[128], fresh[128];

	dp_pin_path(path, sizeof(path), instance, name);
	if (!bpf_obj_pin(fd, path))
		return 0;
	if (errno != EEXIST)
		return -errno;
	dp_pin_path(fresh, sizeof(fresh), instance, "xi_new");
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh))
		return -errno;
	if (!rename(fresh, path))
		return 0;
	unlink(fresh);
	/* No rename here: a short gap is better than a stale pin. */
	unlink(path);
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

static const char *const slot_dirs[2] = {"a", "b"};

int dp_pin_slot(const struct datapath *dp, uint32_t slot)
{
	char path[128], name[32];
	int err = 0;

	if (!dp->pinned)
		return 0;
	dp_pin_path(path, sizeof(path), dp->instance, slot_dirs[slot]);
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	for (unsigned i = 0; i < DP_TABLE_MAX && !err; i++) {
		snprintf(name, sizeof(name), "%s/%s", slot_dirs[slot], dp_table_name(i));
		err = dp_pin(dp->instance, name, dp->slot[slot].table[i].fd);
	}
	return err;
}

/* Points INSTANCE/name elsewhere, without an instant in which it is not there. */
static int point(const struct datapath *dp, const char *name, const char *target)
{
	char path[128], fresh[128];

	dp_pin_path(path, sizeof(path), dp->instance, name);
	dp_pin_path(fresh, sizeof(fresh), dp->instance, "xi_new");
	unlink(fresh);
	if (symlink(target, fresh))
		return -errno;
	return rename(fresh, path) ? -errno : 0;
}

int dp_pin_active(const struct datapath *dp, uint32_t slot)
{
	int err = point(dp, "active", slot_dirs[slot]);
	char path[128], target[32];

	for (unsigned i = 0; i < DP_TABLE_MAX && !err; i++) {
		dp_pin_path(path, sizeof(path), dp->instance, dp_table_name(i));
		snprintf(target, sizeof(target), "active/%s", dp_table_name(i));
		if (readlink(path, (char[4]){0}, 4) < 0)
			err = point(dp, dp_table_name(i), target);
	}
	return err;
}

/* Empties a folder of bpffs, and the folders in it. */
static int unpin_folder(const char *path)
{
	struct dirent *entry;
	char inner[400];
	DIR *dir = opendir(path);
	int err = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (!unlink(inner))
			continue;
		if (errno != EISDIR && errno != EPERM) {
			err = -errno;
			continue;
		}
		err = unpin_folder(inner);
		if (!err && rmdir(inner))
			err = -errno;
	}
	closedir(dir);
	return err;
}

int dp_unpin_all(const char *instance)
{
	char path[128];
	int err = 0, res;

	dp_pin_path(path, sizeof(path), instance, dp_map_name(DP_MAP_CTL));
	if (unlink(path) && errno != ENOENT)
		err = -errno;
	dp_pin_path(path, sizeof(path), instance, NULL);
	res = unpin_folder(path);
	return res ? res : err;
}
