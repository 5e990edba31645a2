// SPDX-License-Identifier: BSD-2-Clause
/*
 * A worker: one interface, one thread. Frames come from the wire (XDP sends ESP
 * for our SPIs to AF_XDP) and from the stack (TC sends what must be protected
 * to the TAP); worker_run() moves both in bounded bursts.
 *
 * worker_in.c and worker_out.c are the two ways, worker_slow.c the way round, satab.c the SAs,
 * hold.c what waits for one, worker_open.c the making of sockets and devices.
 */
#include "esp/worker_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define SEQ_SOFT   (0xffffffffULL / 4 * 3)
#define REFRESH_MS 1000
#define EXPIRE_MS  500

void worker_drop(struct worker *worker, enum xi_reason reason, size_t len)
{
	worker->reasons[reason].packets++;
	worker->reasons[reason].bytes += len;
}

static void inject_merged(void *arg, const struct virtio_net_hdr *vnet, const struct iovec *ip,
			  int count)
{
	struct worker *worker = arg;
	size_t len = 0;

	if (!worker_inject(worker, vnet, ip, count))
		return;
	for (int i = 0; i < count; i++)
		len += ip[i].iov_len;
	worker_drop(worker, XI_REASON_TAP_FULL, len);
}

int worker_new(const struct edges *edges, struct worker **ret)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return -ENOMEM;
	worker->sas = satab_new();
	worker->hold = hold_new();
	worker->gro = gro_new(inject_merged, worker);
	worker->ctl_fd = -1;
	worker->icmp_tokens = WORKER_ICMP_RATE;
	if (!worker->sas || !worker->hold || !worker->gro) {
		worker_close(worker);
		return -ENOMEM;
	}
	worker->edges = *edges;
	*ret = worker;
	return 0;
}

static bool limit_reached(const struct esp_sa *sa, bool soft)
{
	uint64_t bytes = (uint64_t)sa->params.lifetime_kb * 1024;

	if (soft)
		bytes = bytes / 4 * 3;
	return bytes && (sa->stats.in_bytes >= bytes || sa->stats.out_bytes >= bytes);
}

enum xi_reason worker_sa_limits(struct worker *worker, struct esp_sa *sa)
{
	uint64_t age = worker->now_ms - sa->installed_ms;

	if (!sa->soft_told &&
	    (limit_reached(sa, true) || (!sa->params.esn && sa->out_seq >= SEQ_SOFT))) {
		sa->soft_told = true;
		if (worker->soft)
			worker->soft(worker->soft_arg, sa->params.id);
	}
	if (limit_reached(sa, false))
		return XI_REASON_SA_EXPIRED;
	if (sa->params.lifetime_s && age >= sa->params.lifetime_s * 1000ULL)
		return XI_REASON_SA_EXPIRED;
	/* RFC 4303 3.3.3: the counter must not cycle. */
	if (sa->out_seq >= (sa->params.esn ? UINT64_MAX : UINT32_MAX))
		return XI_REASON_SEQ_EXHAUSTED;
	return XI_REASON_NONE;
}

static int run_wire(struct worker *worker, unsigned queue)
{
	const struct wire_ops *wire = worker->edges.wire;
	struct wire_frame frames[WORKER_BURST];
	size_t count = wire->rx(worker->edges.wire_ctx, queue, frames, WORKER_BURST);

	if (!count)
		return 0;
	for (size_t i = 0; i < count; i++)
		worker_in(worker, frames[i].data, frames[i].len);
	worker_in_flush(worker);
	wire->rx_done(worker->edges.wire_ctx, queue, frames, count);
	return (int)count;
}

static int run_stack(struct worker *worker)
{
	int count;

	for (count = 0; count < WORKER_BURST; count++) {
		ssize_t len = worker->edges.stack->read(worker->edges.stack_ctx, worker->buf,
							sizeof(worker->buf));
		if (len == -EBADFD)
			worker->dead = -ENODEV; /* somebody deleted the device */
		if (len <= 0)
			break;
		worker_out(worker, worker->buf, (size_t)len);
	}
	worker->edges.wire->tx_flush(worker->edges.wire_ctx, worker->tx_queue);
	return count;
}

int worker_run(struct worker *worker, uint64_t now_ms)
{
	int moved = 0;

	worker->now_ms = now_ms;
	if (worker->refresh && now_ms - worker->refreshed_ms >= REFRESH_MS) {
		worker->refreshed_ms = now_ms;
		if (worker->refresh(worker) == -ENODEV)
			worker->dead = -ENODEV;
	}
	if (now_ms - worker->expired_ms >= EXPIRE_MS) {
		worker->expired_ms = now_ms;
		hold_expire(worker->hold, now_ms, &worker->reasons[XI_REASON_HOLD_TIMEOUT]);
	}
	for (unsigned queue = 0; queue < worker->edges.queues; queue++)
		moved += run_wire(worker, queue);
	moved += worker_run_slow(worker);
	moved += run_stack(worker);
	return worker->dead ? worker->dead : moved;
}

static void send_held(void *arg, uint8_t *data, size_t len)
{
	worker_out(arg, data, len);
}

int worker_sa_install(struct worker *worker, const struct xi_sa_params *params, uint64_t now_ms)
{
	struct esp_sa *sa, *old;
	int err = esp_sa_new(params, now_ms, &sa);

	if (err)
		return err;
	err = satab_add(worker->sas, sa);
	if (err) {
		esp_sa_free(sa);
		return err;
	}
	worker->now_ms = now_ms;
	old = params->replaces ? satab_by_id(worker->sas, params->replaces) : NULL;
	if (old) {
		old->successor = params->id;
		sa->path_mtu = old->path_mtu;
		sa->path_mtu_ms = old->path_mtu_ms;
	}
	if (hold_take(worker->hold, &params->sel, send_held, worker))
		worker->edges.wire->tx_flush(worker->edges.wire_ctx, worker->tx_queue);
	return 0;
}

int worker_sa_remove(struct worker *worker, uint32_t sa_id)
{
	struct esp_sa *sa = satab_remove(worker->sas, sa_id);

	if (!sa)
		return -ENOENT;
	esp_sa_free(sa);
	return 0;
}

int worker_sa_stats(const struct worker *worker, uint32_t sa_id, struct xi_sa_stats *ret)
{
	const struct esp_sa *sa = satab_by_id(worker->sas, sa_id);

	if (!sa)
		return -ENOENT;
	*ret = sa->stats;
	return 0;
}

void worker_hold_fail(struct worker *worker, const struct xi_addr *local,
		      const struct xi_addr *remote)
{
	hold_forget(worker->hold, local, remote, &worker->reasons[XI_REASON_HOLD_TIMEOUT]);
}

void worker_on_soft(struct worker *worker, void (*fn)(void *arg, uint32_t sa_id), void *arg)
{
	worker->soft = fn;
	worker->soft_arg = arg;
}

void worker_reasons(const struct worker *worker, struct xi_count ret[XI_REASON_MAX])
{
	memcpy(ret, worker->reasons, sizeof(worker->reasons));
}

void worker_info(const struct worker *worker, struct worker_info *ret)
{
	*ret = worker->info;
}
