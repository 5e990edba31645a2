/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all children of xipsecd share: they start by giving up their privileges,
 * talk to the parent over fd 3, and end when it is gone. See role.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include <event2/event.h>

#include "daemon/priv.h"
#include "daemon/role.h"

static const struct {
	const char *name;
	int (*main)(const struct role_args *args);
} roles[] = {
#define ROLE_X(NAME, name, main) {name, main},
	ROLES(ROLE_X)
#undef ROLE_X
};

struct event_base *child_base;
struct ipc *child_parent;
void (*child_stopping)(void);

static int (*child_message)(void *arg, struct ipc_msg *msg);
static void *child_arg;
static int child_exit;

const char *role_name(enum role role)
{
	return roles[role].name;
}

int role_by_name(const char *name, enum role *ret)
{
	for (int i = 0; i < ROLE_MAX; i++)
		if (!strcmp(roles[i].name, name))
			return *ret = (enum role)i, 0;
	return -ENOENT;
}

int role_main(const struct role_args *args)
{
	char title[16];

	snprintf(title, sizeof(title), "xipsecd-%s", role_name(args->role));
	prctl(PR_SET_NAME, title, 0, 0, 0);
	/* The parent decides when we end; a Ctrl-C at its terminal is not for us. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	priv_close_above(ROLE_FD);
	return roles[args->role].main(args);
}

static int on_message(void *arg, struct ipc_msg *msg)
{
	if (msg->type == IPC_PING) {
		child_send(IPC_PONG, msg->id, NULL, NULL, 0);
		return 0;
	}
	if (msg->type == IPC_STOP) {
		if (child_stopping)
			child_stopping();
		ipc_flush(child_parent);
		event_base_loopbreak(child_base);
		return 0;
	}
	return child_message(child_arg, msg);
}

/* Without a parent there is nobody to answer to: end, the filters stay in force. */
static void on_closed(void *arg, int status)
{
	child_exit = status == -EPIPE ? 0 : 1;
	event_base_loopbreak(child_base);
}

int child_start(const struct role_args *args, int (*message)(void *arg, struct ipc_msg *msg),
		void *arg)
{
	static const struct ipc_handler handler = {on_message, on_closed};
	const char *step;
	int rc;

	rc = priv_drop(role_name(args->role), &step);
	if (rc) {
		log_error("role %s cannot drop its privileges (%s): %s", role_name(args->role),
			  step, strerror(-rc));
		return rc;
	}
	/* A second line of defence: if the parent dies while we hang, the kernel ends us. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	child_message = message;
	child_arg = arg;
	child_base = event_base_new();
	if (!child_base)
		return -ENOMEM;
	child_parent = ipc_new(child_base, ROLE_FD, &handler, NULL);
	if (!child_parent)
		return -ENOMEM;
	child_send(IPC_READY, 0, NULL, NULL, 0);
	return 0;
}

int child_run(void)
{
	event_base_dispatch(child_base);
	return child_exit;
}

void child_log(enum log_level level, const char *fmt, ...)
{
	struct ipc_log log = {.level = level};
	va_list ap;

	if (level > log_level())
		return;
	va_start(ap, fmt);
	vsnprintf(log.line, sizeof(log.line), fmt, ap);
	va_end(ap);
	child_send(IPC_LOG, 0, &log, NULL, 0);
}

void child_send(enum ipc_type type, uint32_t id, const void *data, const int *fds, size_t count)
{
	if (ipc_send(child_parent, type, id, data, fds, count)) {
		child_exit = 1;
		event_base_loopbreak(child_base);
	}
}

uint64_t child_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}
