/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The userspace ESP worker: AF_XDP towards the wire, TAP towards the stack.
 *
 * One worker serves one interface. worker_open() needs CAP_NET_ADMIN and
 * CAP_NET_RAW (it makes the TAP and the AF_XDP sockets); everything after runs
 * without privilege. A worker is driven by its fds and used by one thread.
 */
#ifndef ESP_WORKER_H
#define ESP_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/abi.h>
#include <xipsec/diag.h>
#include <xipsec/sa.h>

#define WORKER_QUEUES_MAX 16

struct worker;

struct worker_opts {
	int ifindex;
	bool force_copy; /* no zero copy, even where the driver offers it */
};

/* What the parent needs to wire the worker into the BPF maps. */
struct worker_info {
	int ifindex;
	int tap_ifindex;
	char tap_name[16];
	unsigned queues;
	int xsk_fds[WORKER_QUEUES_MAX];
	bool zero_copy;
};

int worker_open(const struct worker_opts *opts, struct worker **ret, struct diag *diag);
void worker_close(struct worker *worker); /* zeroes keys; NULL is fine */
void worker_info(const struct worker *worker, struct worker_info *ret);

/*
 * Fds to wait on for reading, at most WORKER_QUEUES_MAX + 3; call worker_run()
 * when one is ready, or every 100 ms.
 */
size_t worker_fds(const struct worker *worker, int *ret, size_t max);
/*
 * Moves what is there, in bounded bursts. Returns packets moved (0 = idle), or
 * -ENODEV for good once the interface or the TAP is gone: open another worker.
 */
int worker_run(struct worker *worker, uint64_t now_ms);

/*
 * Installs both directions (copying the keys), then sends what was held for
 * this selector. An SA with `replaces` set takes over outbound traffic at once;
 * the old one keeps receiving until it is removed.
 */
int worker_sa_install(struct worker *worker, const struct xi_sa_params *sa, uint64_t now_ms);
int worker_sa_remove(struct worker *worker, uint32_t sa_id);
int worker_sa_stats(const struct worker *worker, uint32_t sa_id, struct xi_sa_stats *ret);
/* Drops what is held for traffic between these hosts: the negotiation failed. */
void worker_hold_fail(struct worker *worker, const struct xi_addr *local,
		      const struct xi_addr *remote);

/* A soft lifetime (75 % of bytes or sequence numbers) was reached: called once an SA. */
void worker_on_soft(struct worker *worker, void (*fn)(void *arg, uint32_t sa_id), void *arg);

/* Drops by reason since the worker was opened, indexed by enum xi_reason. */
void worker_reasons(const struct worker *worker, struct xi_count ret[XI_REASON_MAX]);

#endif
