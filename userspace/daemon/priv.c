/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Privileges of the roles. A child calls priv_drop() before it reads its first
 * byte from a stranger. A seccomp filter per role has its place at the end of
 * priv_drop(); it is not there yet, and is the known weak spot of this file.
 */
#include <errno.h>
#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/priv.h"

void priv_close_above(int last)
{
	if (!close_range(last + 1, ~0u, 0))
		return;
	for (int fd = last + 1, end = sysconf(_SC_OPEN_MAX); fd < end; fd++)
		close(fd);
}

static void find_user(const char *role, uid_t *ret_uid, gid_t *ret_gid)
{
	char own[32];
	const char *const names[] = {own, "xipsec", "nobody"};
	const struct passwd *user;

	snprintf(own, sizeof(own), "xipsec-%s", role);
	*ret_uid = 65534;
	*ret_gid = 65534;
	for (int i = 0; i < 3; i++) {
		user = getpwnam(names[i]);
		if (user && user->pw_uid && user->pw_gid) {
			*ret_uid = user->pw_uid;
			*ret_gid = user->pw_gid;
			return;
		}
	}
}

static int check_dropped(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) || r != uid || e != uid || s != uid)
		return -EPERM;
	if (getresgid(&rg, &eg, &sg) || rg != gid || eg != gid || sg != gid)
		return -EPERM;
	if (!setuid(0) || !setgid(0))
		return -EPERM;
	if (capng_get_caps_process())
		return -EPERM;
	return capng_have_capabilities(CAPNG_SELECT_BOTH) == CAPNG_NONE ? 0 : -EPERM;
}

int priv_drop(const char *role, const char **ret_step)
{
	static const struct rlimit none = {0, 0};
	uid_t uid;
	gid_t gid;

	find_user(role, &uid, &gid);

	*ret_step = "chroot";
	if (chroot(PRIV_EMPTY_DIR) || chdir("/"))
		return -errno;
	*ret_step = "capability bounding set";
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_BOUNDS))
		return -EPERM;
	*ret_step = "groups";
	if (setgroups(0, NULL) || setresgid(gid, gid, gid))
		return -errno;
	*ret_step = "user";
	if (setresuid(uid, uid, uid))
		return -errno;
	*ret_step = "capabilities";
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_CAPS))
		return -EPERM;
	*ret_step = "no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	*ret_step = "core dumps";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || setrlimit(RLIMIT_CORE, &none))
		return -errno;
	*ret_step = "check";
	return check_dropped(uid, gid);
}
