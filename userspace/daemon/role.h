/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The roles of xipsecd, each a process of its own: the same binary, executed
 * again with --role NAME and a socket pair to the parent as fd 3.
 */
#ifndef DAEMON_ROLE_H
#define DAEMON_ROLE_H

#include <stdint.h>

#include "daemon/ipc.h"
#include "util/log.h"

/* X(NAME, "name", main function) */
#define ROLES(X)                                                                                   \
	X(KEYS, "keys", keys_main)                                                                 \
	X(IKE, "ike", ike_main)                                                                    \
	X(ESP, "esp", esp_main) /* one for each interface */

#define ROLE_X(NAME, name, main) ROLE_##NAME,
enum role { ROLES(ROLE_X) ROLE_MAX };
#undef ROLE_X

#define ROLE_FD 3

struct role_args {
	enum role role;
	const char *instance;
	int ifindex; /* of the esp role, else 0 */
};

const char *role_name(enum role role);
int role_by_name(const char *name, enum role *ret);

/* Runs a role until its parent is gone or says stop; returns the exit code. */
int role_main(const struct role_args *args);

#define ROLE_X(NAME, name, main) int main(const struct role_args *args);
ROLES(ROLE_X)
#undef ROLE_X

/* ----------------------------------------------- what every child needs */

/* The event loop of this child and its channel to the parent. */
extern struct event_base *child_base;
extern struct ipc *child_parent;

/*
 * Drops privileges, opens the channel and says READY. message() gets what the
 * parent sends, apart from PING and STOP, which are answered here. 0 or -errno.
 */
int child_start(const struct role_args *args, int (*message)(void *arg, struct ipc_msg *msg),
		void *arg);
/* Called before the child ends by STOP, to say goodbye; may be NULL. */
extern void (*child_stopping)(void);
/* Loops until the end; returns the exit code. */
int child_run(void);
/* A line for the parent's log. */
void child_log(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* To the parent. A failure is the end of this child: it cannot do its work. */
void child_send(enum ipc_type type, uint32_t id, const void *data, const int *fds, size_t count);
uint64_t child_now_ms(void);

#endif
