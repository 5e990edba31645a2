/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The children: start, notice the end of one, start it again after a pause that
 * doubles. Whatever dies, the filters are in the kernel and stay in force.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <event2/event.h>

#include "daemon/daemon.h"
#include "daemon/show.h"
#include "util/log.h"

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   10000
/* A child that lived this long is not counted as failing at once. */
#define LIVED_MS 30000
#define STOP_MS	 1000

static const char *proc_text(const struct proc *proc, char buf[48])
{
	if (proc->iface)
		snprintf(buf, 48, "%s(%s)", role_name(proc->role), proc->iface->name);
	else
		snprintf(buf, 48, "%s", role_name(proc->role));
	return buf;
}

/* In the new process, between fork and exec: no allocation, no logging. */
static void __attribute__((noreturn)) become_child(int fd, char *const argv[])
{
	static char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* dup2 onto itself would leave close-on-exec set. */
	if (fd == ROLE_FD)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, ROLE_FD) < 0)
		_exit(127);
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
	}
	execve("/proc/self/exe", argv, env);
	_exit(127);
}

static int spawn(struct proc *proc, int *ret_fd)
{
	char ifindex[16], level[16];
	char *argv[] = {"xipsecd",
			"--role",
			(char *)role_name(proc->role),
			"--instance",
			(char *)proc->daemon->opts.instance,
			"--log-level-number",
			level,
			"--ifindex",
			ifindex,
			NULL};
	int pair[2];
	pid_t pid;

	snprintf(level, sizeof(level), "%d", log_level());
	snprintf(ifindex, sizeof(ifindex), "%d", proc->iface ? proc->iface->ifindex : 0);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (pid < 0) {
		int rc = -errno;

		close(pair[0]);
		close(pair[1]);
		return rc;
	}
	if (!pid)
		become_child(pair[1], argv);
	close(pair[1]);
	proc->pid = pid;
	*ret_fd = pair[0];
	return 0;
}

/* keys and ike talk to each other over a pair of their own. */
static void introduce(struct daemon *d)
{
	static const struct timeval patience = {1, 0};
	int pair[2];

	if (!d->keys.ready || !d->ike.ready)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		log_error("no socket pair between ike and keys: %s", strerror(errno));
		return;
	}
	/* The ike role asks and waits; it must not hang on a keys role that hangs. */
	setsockopt(pair[1], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	ipc_send(d->keys.ipc, IPC_PEER, 0, NULL, &pair[0], 1);
	ipc_send(d->ike.ipc, IPC_PEER, 0, NULL, &pair[1], 1);
	close(pair[0]);
	close(pair[1]);
}

static void proc_ready(struct proc *proc)
{
	char name[48];

	proc->ready = true;
	log_debug("role %s is ready, pid %d", proc_text(proc, name), proc->pid);
	switch (proc->role) {
	case ROLE_KEYS:
		config_send_secrets(proc->daemon);
		introduce(proc->daemon);
		break;
	case ROLE_IKE:
		introduce(proc->daemon);
		traffic_ike_ready(proc->daemon);
		config_send_rules(proc->daemon);
		break;
	case ROLE_ESP: /* is of use with its WORKER message */
	case ROLE_MAX:
		break;
	}
	daemon_check_ready(proc->daemon);
}

static void log_of_child(struct proc *proc, const struct ipc_log *log)
{
	log_about((enum log_level)log->level, NULL, "%s: %s", role_name(proc->role), log->line);
}

static int secret_bad(struct daemon *d, const struct ipc_status *bad)
{
	const char *why = bad->status == -ENODATA ? "it is empty" : strerror(-bad->status);

	if (!bad->what || bad->what > d->secret_count)
		return -EBADMSG;
	log_error("the preshared key in %s cannot be used: %s", d->secret_paths[bad->what - 1],
		  why);
	return 0;
}

static int on_message(void *arg, struct ipc_msg *msg)
{
	struct proc *proc = arg;

	if (msg->type == IPC_READY && !proc->ready) {
		proc_ready(proc);
		return 0;
	}
	if (msg->type == IPC_LOG) {
		log_of_child(proc, msg->data);
		return 0;
	}
	if (msg->type == IPC_PONG) {
		show_pong(proc->daemon, msg->id);
		return 0;
	}
	switch (proc->role) {
	case ROLE_KEYS:
		return msg->type == IPC_SECRET_BAD ? secret_bad(proc->daemon, msg->data) : -EBADMSG;
	case ROLE_IKE:
		return traffic_from_ike(proc, msg);
	case ROLE_ESP:
		return traffic_from_esp(proc, msg);
	case ROLE_MAX:
		break;
	}
	return -EBADMSG;
}

/* The channel is gone; the process is, or will be in a moment. */
static void disconnect(struct proc *proc)
{
	if (!proc->ipc)
		return;
	ipc_free(proc->ipc);
	proc->ipc = NULL;
	proc->ready = false;
	if (proc->pid)
		kill(proc->pid, SIGKILL);
	if (proc->role == ROLE_IKE)
		traffic_ike_lost(proc->daemon);
	if (proc->role == ROLE_ESP)
		traffic_worker_lost(proc->iface);
}

static void on_closed(void *arg, int status)
{
	struct proc *proc = arg;
	char name[48];

	if (status != -EPIPE && !proc->daemon->stopping)
		log_error("role %s sent something that is not allowed (%s), ending it",
			  proc_text(proc, name), strerror(-status));
	disconnect(proc);
}

static void on_restart(int fd, short what, void *arg)
{
	proc_start(arg);
}

static void start_later(struct proc *proc)
{
	unsigned shift = proc->failures < 7 ? proc->failures : 7;
	unsigned pause = PAUSE_FIRST_MS << shift;
	struct timeval tv;

	if (pause > PAUSE_MAX_MS)
		pause = PAUSE_MAX_MS;
	tv.tv_sec = pause / 1000;
	tv.tv_usec = pause % 1000 * 1000;
	proc->failures++;
	event_add(proc->restart, &tv);
}

void proc_init(struct daemon *d, struct proc *proc, enum role role, struct iface *iface)
{
	proc->daemon = d;
	proc->role = role;
	proc->iface = iface;
	proc->restart = event_new(d->base, -1, 0, on_restart, proc);
}

void procs_init(struct daemon *d)
{
	proc_init(d, &d->keys, ROLE_KEYS, NULL);
	proc_init(d, &d->ike, ROLE_IKE, NULL);
}

void proc_start(struct proc *proc)
{
	static const struct ipc_handler handler = {on_message, on_closed};
	char name[48];
	int fd = -1, rc;

	proc->wanted = true;
	if (proc->pid || proc->daemon->stopping || (proc->iface && !proc->iface->ifindex))
		return;
	event_del(proc->restart);
	proc->started_ms = daemon_now_ms();
	rc = spawn(proc, &fd);
	if (!rc) {
		proc->ipc = ipc_new(proc->daemon->base, fd, &handler, proc);
		if (!proc->ipc) {
			kill(proc->pid, SIGKILL);
			rc = -ENOMEM;
		}
	} else {
		start_later(proc);
	}
	if (rc)
		log_error("role %s cannot be started: %s", proc_text(proc, name), strerror(-rc));
}

void proc_stop(struct proc *proc)
{
	proc->wanted = false;
	if (proc->restart)
		event_del(proc->restart);
	disconnect(proc);
}

static void needed(struct proc *proc, bool need)
{
	if (need && !proc->wanted)
		proc_start(proc);
}

void procs_update(struct daemon *d)
{
	bool negotiates = d->rule_count > 0;

	needed(&d->keys, negotiates);
	needed(&d->ike, negotiates);
	for (unsigned i = 0; i < d->iface_count; i++)
		needed(&d->ifaces[i]->esp,
		       negotiates && d->ifaces[i]->attached && d->ifaces[i]->up);
}

bool procs_ready(const struct daemon *d)
{
	if (d->keys.wanted != d->keys.ready || d->ike.wanted != d->ike.ready)
		return false;
	for (unsigned i = 0; i < d->iface_count; i++)
		if (d->ifaces[i]->esp.wanted && !d->ifaces[i]->worker.tap_ifindex)
			return false;
	return true;
}

static struct proc *find_pid(struct daemon *d, pid_t pid)
{
	if (d->keys.pid == pid)
		return &d->keys;
	if (d->ike.pid == pid)
		return &d->ike;
	for (unsigned i = 0; i < d->iface_count; i++)
		if (d->ifaces[i]->esp.pid == pid)
			return &d->ifaces[i]->esp;
	return NULL;
}

static void ended(struct proc *proc, int status)
{
	uint64_t lived = daemon_now_ms() - proc->started_ms;
	char name[48], how[64];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "exit code %d", WEXITSTATUS(status));
	disconnect(proc);
	if (proc->wanted && !proc->daemon->stopping) {
		log_error(
			"role %s (pid %d) ended: %s; the filters stay in force, starting it again",
			proc_text(proc, name), proc->pid, how);
		proc->pid = 0;
		if (lived >= LIVED_MS)
			proc->failures = 0;
		proc->restarts++;
		start_later(proc);
	}
	proc->pid = 0;
}

void procs_reap(struct daemon *d)
{
	struct proc *proc;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		proc = find_pid(d, pid);
		if (proc)
			ended(proc, status);
	}
}

static void stop_and_wait(struct daemon *d, struct proc *proc)
{
	static const struct timespec pause = {0, 5000000};
	pid_t pid = proc->pid;

	if (!pid || !proc->ipc)
		return;
	ipc_send(proc->ipc, IPC_STOP, 0, NULL, NULL, 0);
	ipc_flush(proc->ipc);
	for (int waited = 0; waited < STOP_MS && proc->pid == pid; waited += 5) {
		procs_reap(d);
		nanosleep(&pause, NULL);
	}
	if (proc->pid == pid) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		proc->pid = 0;
	}
}

void procs_stop(struct daemon *d)
{
	/* ike first: it has something to say to the peers, and needs nobody for it. */
	stop_and_wait(d, &d->ike);
	stop_and_wait(d, &d->keys);
	for (unsigned i = 0; i < d->iface_count; i++)
		stop_and_wait(d, &d->ifaces[i]->esp);
}
