/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sides of a worker, behind function tables so that its logic runs without
 * privilege in tests: the wire (AF_XDP), the local stack (TAP), and what comes
 * by way of the stack's own ESP sockets.
 */
#ifndef ESP_EDGE_H
#define ESP_EDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <linux/virtio_net.h>

#include <xipsec/addr.h>

/* One Ethernet frame in memory of the wire. */
struct wire_frame {
	uint8_t *data;
	uint32_t len;  /* of a frame to fill: its room */
	uint64_t addr; /* the wire's own name for it */
};

struct wire_ops {
	/* Received frames, at most max; the caller may write in them. */
	size_t (*rx)(void *ctx, unsigned queue, struct wire_frame *frames, size_t max);
	/* Gives them back. */
	void (*rx_done)(void *ctx, unsigned queue, const struct wire_frame *frames, size_t count);
	/* A frame to fill; false when none comes free within a bounded number of tries. */
	bool (*tx_get)(void *ctx, unsigned queue, struct wire_frame *ret);
	/* Queues a filled frame, or with len 0 only gives it back. */
	void (*tx_put)(void *ctx, unsigned queue, const struct wire_frame *frame);
	/* Sends what is queued. */
	void (*tx_flush)(void *ctx, unsigned queue);
	void (*close)(void *ctx);
};

struct stack_ops {
	/* One packet: struct virtio_net_hdr and frame. Returns its length or -EAGAIN, -errno. */
	ssize_t (*read)(void *ctx, uint8_t *buf, size_t cap);
	/* One packet in pieces, the first of which is struct virtio_net_hdr. 0 or -errno. */
	int (*write)(void *ctx, const struct iovec *iov, int count);
	void (*close)(void *ctx);
};

/* A router said that a packet of ours does not fit (RFC 4301 8.2.1). Not to be believed yet. */
struct too_big {
	struct xi_addr remote; /* whom the packet was for */
	uint32_t spi;	       /* host order */
	uint32_t mtu;
};

struct slow_ops {
	/* One IP packet with ESP in it, put together from fragments. Its length, or -EAGAIN. */
	ssize_t (*recv)(void *ctx, uint8_t *buf, size_t cap);
	/* One report; false when there is none. */
	bool (*too_big)(void *ctx, struct too_big *ret);
	void (*close)(void *ctx);
};

struct edges {
	const struct wire_ops *wire;
	void *wire_ctx;
	const struct stack_ops *stack;
	void *stack_ctx;
	const struct slow_ops *slow; /* or NULL */
	void *slow_ctx;
	unsigned queues;
	uint8_t mac[6];	      /* of the interface: source of what is sent */
	uint8_t stack_mac[6]; /* of the TAP: destination of what is injected */
	uint32_t mtu;	      /* of the interface, bytes of IP packet */
};

#endif
