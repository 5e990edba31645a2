/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parent role: start, run, stop.
 *
 * The order of the start is the leak rule: the filter list is in the maps before
 * a program is attached, and a worker is only connected when it is ready, so
 * that traffic which must be protected is dropped at every moment before. A
 * stop, orderly or not, takes none of this away: filters stay in force.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <event2/event.h>

#include "daemon/daemon.h"
#include "daemon/monitor.h"
#include "daemon/priv.h"
#include "daemon/show.h"
#include "datapath/datapath.h"
#include "policy/policy.h"
#include "util/instance.h"
#include "util/log.h"
#include "util/systemd.h"

uint64_t daemon_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

int daemon_random(void *buf, size_t len)
{
	/* Up to 256 bytes come whole. */
	return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -EIO;
}

void daemon_notify(struct daemon *d, const char *state)
{
	sd_notifyf(0, "%sSTATUS=policy %s, generation %u", state, d->policy ? d->policy->name : "-",
		   d->generation);
}

/*
 * Filters are in force long before; "ready" means that protected traffic flows
 * too. A child that cannot start must not keep the whole service from starting.
 */
#define READY_LIMIT_S 5

static void say_ready(struct daemon *d)
{
	if (d->said_ready)
		return;
	d->said_ready = true;
	if (d->ready_limit)
		event_del(d->ready_limit);
	log_info("ready");
	daemon_notify(d, "READY=1\n");
}

void daemon_check_ready(struct daemon *d)
{
	if (procs_ready(d))
		say_ready(d);
}

static void on_ready_limit(int fd, short what, void *arg)
{
	log_warning("not all roles are up yet; traffic that needs them is dropped");
	say_ready(arg);
}

static int limit_ready(struct daemon *d)
{
	static const struct timeval limit = {READY_LIMIT_S, 0};

	d->ready_limit = event_new(d->base, -1, 0, on_ready_limit, d);
	if (!d->ready_limit || event_add(d->ready_limit, &limit))
		return -ENOMEM;
	daemon_check_ready(d);
	return 0;
}

void daemon_stop(struct daemon *d)
{
	d->stopping = true;
	event_base_loopbreak(d->base);
}

/* ---------------------------------------------------------------- signals */

static void on_stop(int sig, short what, void *arg)
{
	daemon_stop(arg);
}

static void on_reload(int sig, short what, void *arg)
{
	struct daemon *d = arg;
	struct diag diag = {0};
	char *path = strdup(d->policy_path);

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)daemon_now_ms() * 1000);
	if (path && config_apply(d, path, &diag))
		log_error("the policy was not reloaded, the running one stays in force");
	log_diag(&diag);
	diag_free(&diag);
	free(path);
	procs_update(d);
	daemon_notify(d, "READY=1\n");
}

static void on_child(int sig, short what, void *arg)
{
	procs_reap(arg);
}

static void on_watchdog(int fd, short what, void *arg)
{
	sd_notify(0, "WATCHDOG=1");
}

static int watch_signals(struct daemon *d)
{
	static const struct {
		int sig;
		event_callback_fn fn;
	} list[] = {
		{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}, {SIGCHLD, on_child}};
	uint64_t watchdog_us;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 4; i++) {
		d->signals[i] = evsignal_new(d->base, list[i].sig, list[i].fn, d);
		if (!d->signals[i] || event_add(d->signals[i], NULL))
			return -ENOMEM;
	}
	if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
		uint64_t half = watchdog_us / 2;
		struct timeval tv = {half / 1000000, half % 1000000};

		d->watchdog = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
		if (!d->watchdog || event_add(d->watchdog, &tv))
			return -ENOMEM;
	}
	return 0;
}

/* ---------------------------------------------------------- start and stop */

static int make_dir(const char *path, mode_t mode, struct diag *diag)
{
	struct stat st;

	if (mkdir(path, mode) && errno != EEXIST) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "%s: %s", path, strerror(errno));
		return -errno;
	}
	/* Somebody else's folder, or a link to one, is no place for a control socket. */
	if (lstat(path, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_mode & 022) {
		diag_add(diag, DIAG_ERROR, NULL, NULL,
			 "%s is not a folder that only root can change", path);
		return -EPERM;
	}
	return 0;
}

static int make_dirs(struct daemon *d, struct diag *diag)
{
	char dir[INSTANCE_PATH_MAX];
	int rc;

	instance_run_dir(d->opts.instance, dir);
	rc = make_dir("/run/xipsec", 0755, diag);
	rc = rc ? rc : make_dir(PRIV_EMPTY_DIR, 0755, diag);
	return rc ? rc : make_dir(dir, 0700, diag);
}

/* What config_check() has said already is not said again. */
static int apply_first(struct daemon *d)
{
	struct diag diag = {0};
	int rc = config_apply(d, d->opts.policy, &diag);

	if (rc)
		log_diag(&diag);
	diag_free(&diag);
	return rc;
}

static int start(struct daemon *d, struct diag *diag)
{
	/* Kernel XFRM gets no ESP: the afxdp workers own it (datapath: auto is afxdp now). */
	const struct datapath_opts opts = {
		.instance = d->opts.instance, .owns_esp = true, .want = d->opts.want};
	int rc;

	if (geteuid()) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "xipsecd must be started by root");
		return -EPERM;
	}
	/* A policy that is wrong is refused before anything is touched. */
	ifaces_read_local(d);
	rc = config_check(d, d->opts.policy, diag);
	if (rc)
		return rc;
	rc = make_dirs(d, diag);
	if (rc)
		return rc;
	rc = datapath_open(&opts, &d->dp, diag);
	if (rc)
		return rc;
	/* What an earlier daemon installed went with its workers. */
	rc = datapath_sa_flush(d->dp);
	if (rc)
		return rc;
	rc = ifaces_init(d, diag);
	if (rc)
		return rc;
	ifaces_read_local(d);
	rc = ifaces_set_local(d);
	if (rc)
		return rc;
	rc = apply_first(d);
	if (rc)
		return rc;
	rc = traffic_init(d);
	if (rc)
		return rc;
	rc = ifaces_attach(d);
	if (rc)
		return rc;
	rc = methods_init(d, diag);
	if (rc)
		return rc;
	rc = watch_signals(d);
	if (rc)
		return rc;
	procs_update(d);
	return limit_ready(d);
}

static void clean_up(struct daemon *d)
{
	d->stopping = true;
	show_cancel(d);
	monitor_free(d);
	procs_stop(d);
	/* The workers are gone: their entries would lead nowhere. Filters stay. */
	if (d->dp)
		datapath_sa_flush(d->dp);
	ifaces_free(d);
	proc_stop(&d->keys);
	proc_stop(&d->ike);
	traffic_free(d);
	datapath_close(d->dp);
	/* Its socket goes last: who waits for that finds nothing of us in use. */
	methods_free(d);
	config_free(d);
	while (d->secret_count)
		free(d->secret_paths[--d->secret_count]);
	free(d->secret_paths);
	for (int i = 0; i < 4; i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	if (d->watchdog)
		event_free(d->watchdog);
	if (d->ready_limit)
		event_free(d->ready_limit);
	if (d->keys.restart)
		event_free(d->keys.restart);
	if (d->ike.restart)
		event_free(d->ike.restart);
	event_base_free(d->base);
}

static int exit_code(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case -EINVAL:
	case -ENOENT:
		return 2;
	case -EOPNOTSUPP:
		return 4;
	}
	return 1;
}

/* Of a start that failed: what it (or a daemon before) put in force is not taken away silently. */
static void say_what_stays(const struct daemon *d)
{
	int ifindex;

	if (d->dp && datapath_interfaces(d->dp, &ifindex, 1))
		log_warning("what is attached stays in force; xipsecd --teardown --instance %s "
			    "takes it away",
			    d->opts.instance);
}

int daemon_main(const struct daemon_opts *opts)
{
	struct daemon d = {.opts = *opts, .started_ms = daemon_now_ms()};
	struct diag diag = {0};
	int rc = -ENOMEM;

	d.base = event_base_new();
	if (!d.base)
		return 1;
	procs_init(&d);
	rc = start(&d, &diag);
	log_diag(&diag);
	if (rc) {
		if (!diag.errors)
			log_error("cannot start: %s", strerror(-rc));
		say_what_stays(&d);
	} else {
		event_base_dispatch(d.base);
		sd_notify(0, "STOPPING=1");
		log_info("stopping; the filters stay in force");
	}
	diag_free(&diag);
	clean_up(&d);
	return exit_code(rc);
}
