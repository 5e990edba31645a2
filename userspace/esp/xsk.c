// SPDX-License-Identifier: BSD-2-Clause
/*
 * AF_XDP (Documentation/networking/af_xdp.rst) through libxdp. Each queue has a
 * UMEM of its own: the lower frames circulate through fill and receive ring,
 * the upper ones through a stack of free frames, transmit and completion ring.
 *
 * Weak spot: in copy mode every transmitted frame costs one skb (about 450 ns);
 * the live-frame tier would go behind the same wire_ops.
 */
#include "esp/xsk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <xdp/xsk.h>

#define FRAME_SIZE 4096
#define RX_FRAMES  2048
#define TX_FRAMES  2048
#define UMEM_SIZE  ((size_t)(RX_FRAMES + TX_FRAMES) * FRAME_SIZE)
#define TX_TRIES   64 /* system calls before a packet is given up */

struct xsk_queue {
	uint8_t *area;
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons comp, rx;
	uint64_t free[TX_FRAMES]; /* a stack */
	unsigned free_count;
	unsigned unsent; /* put in the ring, kernel not told */
};

struct xsk_port {
	unsigned queues;
	bool zero_copy;
	struct xsk_queue queue[];
};

/* Zeroed memory that never appears in a core file: it holds clear text. */
static int area_new(struct xsk_queue *q)
{
	void *area = mmap(NULL, UMEM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);

	if (area == MAP_FAILED)
		return -errno;
	madvise(area, UMEM_SIZE, MADV_DONTDUMP);
	q->area = area;
	return 0;
}

static int fill_all(struct xsk_queue *q)
{
	uint32_t idx;

	if (xsk_ring_prod__reserve(&q->fill, RX_FRAMES, &idx) != RX_FRAMES)
		return -ENOSPC;
	for (unsigned i = 0; i < RX_FRAMES; i++)
		*xsk_ring_prod__fill_addr(&q->fill, idx + i) = (uint64_t)i * FRAME_SIZE;
	xsk_ring_prod__submit(&q->fill, RX_FRAMES);
	for (unsigned i = 0; i < TX_FRAMES; i++)
		q->free[q->free_count++] = (uint64_t)(RX_FRAMES + i) * FRAME_SIZE;
	return 0;
}

static int queue_open(struct xsk_queue *q, const char *ifname, unsigned number, bool force_copy)
{
	struct xsk_umem_config umem = {
		.fill_size = RX_FRAMES,
		.comp_size = TX_FRAMES,
		.frame_size = FRAME_SIZE,
	};
	struct xsk_socket_config config = {
		.rx_size = RX_FRAMES,
		.tx_size = TX_FRAMES,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = (uint16_t)(XDP_USE_NEED_WAKEUP | (force_copy ? XDP_COPY : 0)),
	};
	int err = area_new(q);

	if (!err)
		err = xsk_umem__create(&q->umem, q->area, UMEM_SIZE, &q->fill, &q->comp, &umem);
	if (!err)
		err = fill_all(q);
	if (!err)
		err = xsk_socket__create(&q->socket, ifname, number, q->umem, &q->rx, &q->tx,
					 &config);
	return err;
}

static void queue_close(struct xsk_queue *q)
{
	if (q->socket)
		xsk_socket__delete(q->socket);
	if (q->umem)
		xsk_umem__delete(q->umem);
	if (q->area) {
		explicit_bzero(q->area, UMEM_SIZE);
		munmap(q->area, UMEM_SIZE);
	}
}

static size_t xsk_rx(void *ctx, unsigned queue, struct wire_frame *frames, size_t max)
{
	struct xsk_queue *q = &((struct xsk_port *)ctx)->queue[queue];
	uint32_t idx, count = xsk_ring_cons__peek(&q->rx, (uint32_t)max, &idx);

	for (uint32_t i = 0; i < count; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&q->rx, idx + i);

		frames[i] = (struct wire_frame){q->area + desc->addr, desc->len, desc->addr};
	}
	if (count)
		xsk_ring_cons__release(&q->rx, count);
	return count;
}

static void xsk_rx_done(void *ctx, unsigned queue, const struct wire_frame *frames, size_t count)
{
	struct xsk_queue *q = &((struct xsk_port *)ctx)->queue[queue];
	uint32_t idx;

	/* The ring has room for every frame there is. */
	if (xsk_ring_prod__reserve(&q->fill, (uint32_t)count, &idx) != count)
		return;
	for (size_t i = 0; i < count; i++)
		*xsk_ring_prod__fill_addr(&q->fill, idx + (uint32_t)i) =
			frames[i].addr & ~(uint64_t)(FRAME_SIZE - 1);
	xsk_ring_prod__submit(&q->fill, (uint32_t)count);
	if (xsk_ring_prod__needs_wakeup(&q->fill))
		recvfrom(xsk_socket__fd(q->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void reap(struct xsk_queue *q)
{
	uint32_t idx, count = xsk_ring_cons__peek(&q->comp, TX_FRAMES, &idx);

	for (uint32_t i = 0; i < count; i++)
		q->free[q->free_count++] = *xsk_ring_cons__comp_addr(&q->comp, idx + i);
	if (count)
		xsk_ring_cons__release(&q->comp, count);
}

/* One call sends at most 32 frames in copy mode and says EAGAIN when there are more. */
static bool kick(struct xsk_queue *q)
{
	if (sendto(xsk_socket__fd(q->socket), NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
		return false;
	return errno == EAGAIN || errno == EBUSY || errno == ENOBUFS;
}

static void xsk_tx_flush(void *ctx, unsigned queue)
{
	struct xsk_queue *q = &((struct xsk_port *)ctx)->queue[queue];

	bool more = q->unsent && xsk_ring_prod__needs_wakeup(&q->tx);

	for (int i = 0; more && i < TX_TRIES; i++)
		more = kick(q);
	/* What a busy device did not take is offered again on the next call. */
	if (!more)
		q->unsent = 0;
	reap(q);
}

static bool xsk_tx_get(void *ctx, unsigned queue, struct wire_frame *ret)
{
	struct xsk_queue *q = &((struct xsk_port *)ctx)->queue[queue];

	for (int i = 0; !q->free_count && i < TX_TRIES; i++) {
		kick(q);
		reap(q);
	}
	if (!q->free_count)
		return false;
	ret->addr = q->free[--q->free_count];
	ret->data = q->area + ret->addr;
	ret->len = XSK_FRAME_MAX;
	return true;
}

static void xsk_tx_put(void *ctx, unsigned queue, const struct wire_frame *frame)
{
	struct xsk_queue *q = &((struct xsk_port *)ctx)->queue[queue];
	struct xdp_desc *desc;
	uint32_t idx;

	/* As many frames as ring places: a free frame means a free place, once sent. */
	if (!frame->len || xsk_ring_prod__reserve(&q->tx, 1, &idx) != 1) {
		q->free[q->free_count++] = frame->addr;
		return;
	}
	desc = xsk_ring_prod__tx_desc(&q->tx, idx);
	*desc = (struct xdp_desc){.addr = frame->addr, .len = frame->len};
	xsk_ring_prod__submit(&q->tx, 1);
	q->unsent++;
}

static void xsk_port_close(void *ctx)
{
	struct xsk_port *port = ctx;

	if (!port)
		return;
	for (unsigned i = 0; i < port->queues; i++)
		queue_close(&port->queue[i]);
	free(port);
}

const struct wire_ops xsk_ops = {
	.rx = xsk_rx,
	.rx_done = xsk_rx_done,
	.tx_get = xsk_tx_get,
	.tx_put = xsk_tx_put,
	.tx_flush = xsk_tx_flush,
	.close = xsk_port_close,
};

static bool queue_zero_copy(const struct xsk_queue *q)
{
	struct xdp_options options = {0};
	socklen_t len = sizeof(options);

	return !getsockopt(xsk_socket__fd(q->socket), SOL_XDP, XDP_OPTIONS, &options, &len) &&
	       options.flags & XDP_OPTIONS_ZEROCOPY;
}

int xsk_port_open(const char *ifname, unsigned queues, bool force_copy, struct xsk_port **ret,
		  struct diag *diag)
{
	struct xsk_port *port = calloc(1, sizeof(*port) + queues * sizeof(port->queue[0]));
	/* Kernels before 5.11 count this memory against the limit; later ones for non-root. */
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	if (!port)
		return -ENOMEM;
	setrlimit(RLIMIT_MEMLOCK, &limit);
	port->queues = queues;
	port->zero_copy = true;
	for (unsigned i = 0; i < queues; i++) {
		int err = queue_open(&port->queue[i], ifname, i, force_copy);

		if (err) {
			diag_add(diag, DIAG_ERROR, NULL, NULL,
				 "cannot open an AF_XDP socket on %s, queue %u: %s", ifname, i,
				 strerror(-err));
			xsk_port_close(port);
			return err;
		}
		port->zero_copy = port->zero_copy && queue_zero_copy(&port->queue[i]);
	}
	*ret = port;
	return 0;
}

int xsk_port_fd(const struct xsk_port *port, unsigned queue)
{
	return xsk_socket__fd(port->queue[queue].socket);
}

bool xsk_port_zero_copy(const struct xsk_port *port)
{
	return port->zero_copy;
}
