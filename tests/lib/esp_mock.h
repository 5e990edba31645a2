/* SPDX-License-Identifier: BSD-2-Clause */
/* Workers without privilege: wires and stacks in memory, and packets to feed them. */
#ifndef TESTS_ESP_MOCK_H
#define TESTS_ESP_MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp/worker_impl.h"

#define MOCK_FRAMES 256
#define MOCK_FRAME  4096
#define MOCK_WRITES 256

struct mock_write {
	struct virtio_net_hdr vnet;
	uint8_t frame[70000];
	size_t len;
};

/* One host: its worker, what it has on the wire, what its stack reads and gets. */
struct mock_host {
	struct worker *worker;
	struct mock_host *peer; /* where transmitted frames arrive; NULL: nowhere */
	uint8_t rx[MOCK_FRAMES][MOCK_FRAME];
	size_t rx_len[MOCK_FRAMES];
	size_t rx_count, rx_next;
	uint8_t tx[MOCK_FRAMES][MOCK_FRAME]; /* every frame sent, in order */
	size_t tx_len[MOCK_FRAMES];
	size_t tx_count;
	bool tx_full, stack_full;
	uint8_t to_read[WORKER_READ_MAX];
	size_t to_read_len;
	struct mock_write *writes; /* what the stack was given */
	uint8_t slow[65536];	   /* what comes from the ESP sockets */
	size_t slow_len;
	struct too_big report; /* family 0: none */
	int read_error;	       /* what the TAP answers, if not 0 */
	size_t write_count;
};

/* A worker on mock edges: MAC 02:aa:00:00:00:number, MTU 1500. */
struct mock_host *mock_host_new(unsigned number);
void mock_host_free(struct mock_host *host);
void mock_join(struct mock_host *a, struct mock_host *b);

/* Gives the stack's next packet to the worker and runs it. */
void mock_send(struct mock_host *host, uint32_t sa_id, const struct virtio_net_hdr *vnet,
	       const uint8_t *ip, size_t len, uint64_t now_ms);
/* Puts a frame on the wire to the host (len bytes from Ethernet on). */
void mock_arrive(struct mock_host *host, const uint8_t *frame, size_t len);
/* Empties the record of what was sent and given to the stack. */
void mock_forget(struct mock_host *host);

/* One SA pair seen from both hosts, with keys made from `salt`. */
struct mock_pair {
	struct xi_sa_params a, b;
};
struct mock_pair mock_sa(uint8_t family, uint32_t id, enum xi_cipher cipher, enum xi_integ integ,
			 uint8_t salt);

/*
 * Writes an IP packet from host a (192.0.2.1, 2001:db8::1) to host b (.2, ::2),
 * ports 40000 and 5432, with a right checksum. Returns its length.
 */
size_t mock_packet(uint8_t family, uint8_t proto, const uint8_t *payload, size_t payload_len,
		   uint8_t *out);
uint16_t l4_checksum(const uint8_t *ip, const struct ip_info *info); /* 0 when right */

#endif
