/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The esp role: one ESP worker on one interface. It opens the TAP and the
 * AF_XDP sockets while it is privileged, then gives everything up and hands the
 * socket fds to the parent, who alone writes the maps that lead packets here.
 *
 * Owns: the SA keys of this interface. When this process ends its TAP and
 * sockets go with it, so that traffic for it is dropped: fail closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>
#include <openssl/crypto.h>

#include "daemon/role.h"
#include "esp/worker.h"

#define TICK_MS 100

static struct worker *worker;

static void run(int fd, short what, void *arg)
{
	if (worker_run(worker, child_now_ms()) != -ENODEV)
		return;
	/* For good: the parent starts another role if the interface is still wanted. */
	child_log(LVL_WARNING, "the interface or its TAP is gone");
	event_base_loopbreak(child_base);
}

static void on_soft(void *arg, uint32_t id)
{
	struct ipc_u32 soft = {id};

	child_send(IPC_SA_SOFT, 0, &soft, NULL, 0);
}

static int from_parent(void *arg, struct ipc_msg *msg)
{
	const struct ipc_u32 *id = msg->data;

	if (msg->type == IPC_SA_INSTALL) {
		const struct xi_sa_params *sa = msg->data;
		struct ipc_status done = {.what = sa->id};

		done.status = worker_sa_install(worker, sa, child_now_ms());
		child_send(IPC_SA_INSTALLED, msg->id, &done, NULL, 0);
		return 0;
	}
	if (msg->type == IPC_SA_REMOVE) {
		/* Unknown is fine: its install may have failed. */
		worker_sa_remove(worker, id->value);
		return 0;
	}
	if (msg->type == IPC_SA_QUERY) {
		struct xi_sa_stats stats = {0};

		if (!worker_sa_stats(worker, id->value, &stats)) {
			stats.id = id->value;
			child_send(IPC_SA_STATS, msg->id, &stats, NULL, 0);
		}
		return 0;
	}
	if (msg->type == IPC_HOLD_FAIL) {
		const struct ipc_hosts *hosts = msg->data;

		worker_hold_fail(worker, &hosts->local, &hosts->remote);
		return 0;
	}
	if (msg->type == IPC_REASONS_QUERY) {
		struct ipc_reasons reasons = {0};

		worker_reasons(worker, reasons.count);
		child_send(IPC_REASONS, msg->id, &reasons, NULL, 0);
		return 0;
	}
	return -EBADMSG;
}

static int watch_worker(void)
{
	static const struct timeval tick = {0, TICK_MS * 1000};
	int fds[WORKER_QUEUES_MAX + 8];
	size_t count = worker_fds(worker, fds, sizeof(fds) / sizeof(*fds));
	struct event *event;

	for (size_t i = 0; i < count; i++) {
		event = event_new(child_base, fds[i], EV_READ | EV_PERSIST, run, NULL);
		if (!event || event_add(event, NULL))
			return -1;
	}
	event = event_new(child_base, -1, EV_PERSIST, run, NULL);
	return !event || event_add(event, &tick) ? -1 : 0;
}

static void announce(void)
{
	struct ipc_worker about = {0};
	struct worker_info info;

	worker_info(worker, &info);
	about.tap_ifindex = info.tap_ifindex;
	about.queues = info.queues;
	about.zero_copy = info.zero_copy;
	memcpy(about.tap_name, info.tap_name, sizeof(about.tap_name) - 1);
	child_send(IPC_WORKER, 0, &about, info.xsk_fds, info.queues);
}

int esp_main(const struct role_args *args)
{
	_Static_assert(WORKER_QUEUES_MAX <= IPC_FDS_MAX, "the sockets do not fit one message");
	const struct worker_opts opts = {.ifindex = args->ifindex};
	struct diag diag = {0};
	int rc;

	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	rc = worker_open(&opts, &worker, &diag);
	log_diag(&diag);
	diag_free(&diag);
	if (rc) {
		log_error("no ESP worker on interface %d: %s", args->ifindex, strerror(-rc));
		return 1;
	}
	worker_on_soft(worker, on_soft, NULL);
	if (child_start(args, from_parent, NULL) || watch_worker()) {
		worker_close(worker);
		return 1;
	}
	announce();
	rc = child_run();
	worker_close(worker);
	return rc;
}
