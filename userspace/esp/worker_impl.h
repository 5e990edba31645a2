/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of a worker: shared by worker*.c, and by tests that bring their own edges. */
#ifndef ESP_WORKER_IMPL_H
#define ESP_WORKER_IMPL_H

#include "esp/edge.h"
#include "esp/gro.h"
#include "esp/hold.h"
#include "esp/satab.h"
#include "esp/segment.h"
#include "esp/worker.h"

#define WORKER_BURST	64
#define WORKER_READ_MAX (sizeof(struct virtio_net_hdr) + 18 + 65536 + 64)
/* ICMP errors to the stack: at most this many at once and a second (RFC 4443 2.4 f). */
#define WORKER_ICMP_RATE 100

struct worker {
	struct edges edges;
	struct worker_info info;
	struct satab *sas;
	struct hold *hold;
	struct gro *gro;
	struct segmenter seg;
	struct xi_count reasons[XI_REASON_MAX];
	void (*soft)(void *arg, uint32_t sa_id);
	void *soft_arg;
	uint64_t now_ms, expired_ms, refreshed_ms, icmp_ms;
	unsigned icmp_tokens;
	unsigned tx_queue; /* queue that is being filled */
	/* Set by worker_open(): asks the interface for its MTU again. */
	int (*refresh)(struct worker *worker);
	int ctl_fd;
	int dead; /* 0, or the -errno that took an edge away */
	uint8_t buf[WORKER_READ_MAX];
};

/* A worker over edges that the caller made; it takes them over on success. */
int worker_new(const struct edges *edges, struct worker **ret);

/* One ESP frame from the wire. May keep pointers into it until worker_in_flush(). */
void worker_in(struct worker *worker, uint8_t *frame, size_t len);
void worker_in_ip(struct worker *worker, uint8_t *ip, size_t len);
void worker_in_flush(struct worker *worker);
/* What came by way of the stack's ESP sockets. Returns packets moved. */
int worker_run_slow(struct worker *worker);
/* Longest IP packet that may leave under this SA now. */
uint32_t worker_path_mtu(const struct worker *worker, const struct esp_sa *sa);
/* One packet from the stack: struct virtio_net_hdr and frame, which is changed. */
void worker_out(struct worker *worker, uint8_t *data, size_t len);

void worker_drop(struct worker *worker, enum xi_reason reason, size_t len);
/* Frames an IP packet for the stack and writes it. */
int worker_inject(struct worker *worker, const struct virtio_net_hdr *vnet, const struct iovec *ip,
		  int count);
/* NONE, or why this SA may not carry another packet; calls the soft limit once. */
enum xi_reason worker_sa_limits(struct worker *worker, struct esp_sa *sa);

/*
 * Where the IP packet starts in an Ethernet frame, after at most two VLAN tags;
 * 0 when it holds none.
 */
size_t frame_ip_off(const uint8_t *frame, size_t len);

#endif
