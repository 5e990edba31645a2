/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_PRIV_H
#define DAEMON_PRIV_H

/*
 * A folder with nothing in it, owned by root: the root of every child. It has a
 * dot, which no instance has in its name: their folders are beside it.
 */
#define PRIV_EMPTY_DIR "/run/xipsec/.empty"

/*
 * Gives up every privilege of this process for good: root directory, groups,
 * user, capabilities with the bounding set, the gain of new ones, core dumps and
 * being traced. The user is xipsec-ROLE, else xipsec, else nobody. Afterwards it
 * tries to become root again, and fails if that works. 0, or -errno with
 * *ret_step naming the step that failed.
 */
int priv_drop(const char *role, const char **ret_step);

/* Closes every fd above `last`. */
void priv_close_above(int last);

#endif
