// SPDX-License-Identifier: BSD-2-Clause
/*
 * What reaches a worker by way of the stack: ESP that came in fragments, which
 * the stack puts together, and routers' words that a packet was too big.
 *
 * RFC 4301 8.2: such a word is not authenticated. It is believed only about an
 * SA that exists and a size that is sensible, only downwards, and for a while.
 */
#include "esp/worker_impl.h"

#define BURST	    16
#define PATH_MTU_MS 600000 /* RFC 1981 4: not sooner than five minutes; ten is usual */
#define IP4_MTU_MIN 576
#define IP6_MTU_MIN 1280

uint32_t worker_path_mtu(const struct worker *worker, const struct esp_sa *sa)
{
	uint32_t mtu = worker->edges.mtu;

	if (sa->path_mtu && sa->path_mtu < mtu && worker->now_ms - sa->path_mtu_ms < PATH_MTU_MS)
		mtu = sa->path_mtu;
	return mtu;
}

static void learn(struct worker *worker, const struct too_big *report)
{
	struct esp_sa *sa = satab_by_out_spi(worker->sas, report->spi, &report->remote);
	uint32_t min = report->remote.family == 6 ? IP6_MTU_MIN : IP4_MTU_MIN;
	uint32_t mtu = report->mtu < min ? min : report->mtu;

	if (!sa || mtu >= worker_path_mtu(worker, sa))
		return;
	sa->path_mtu = mtu;
	sa->path_mtu_ms = worker->now_ms;
	/* It is about the path: the SA that took over from this one takes the same. */
	sa = satab_sender(worker->sas, sa);
	sa->path_mtu = mtu;
	sa->path_mtu_ms = worker->now_ms;
}

int worker_run_slow(struct worker *worker)
{
	const struct edges *edges = &worker->edges;
	struct too_big report;
	int count;

	if (!edges->slow)
		return 0;
	for (int i = 0; i < BURST && edges->slow->too_big(edges->slow_ctx, &report); i++)
		learn(worker, &report);
	for (count = 0; count < BURST; count++) {
		ssize_t len = edges->slow->recv(edges->slow_ctx, worker->buf, sizeof(worker->buf));

		if (len <= 0)
			break;
		worker_in_ip(worker, worker->buf, (size_t)len);
		worker_in_flush(worker);
	}
	return count;
}
