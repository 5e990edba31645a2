/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams wait here while an SA is on its way to its backend: a responder must
 * be able to receive before the peer reads that it may send (xipsec/ike.h), and
 * the backend is two processes away. The order of datagrams is kept.
 */
#ifndef DAEMON_OUTBOX_H
#define DAEMON_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include <xipsec/ike.h>

#define OUTBOX_MAX 64  /* datagrams, and SAs waited for */
#define OUTBOX_MS  500 /* the longest wait; then the peer's packets may come too early */

struct event_base;
struct outbox;

struct outbox *outbox_new(struct event_base *base,
			  int (*send)(const struct ike_path *path, const void *msg, size_t len));
void outbox_free(struct outbox *box); /* drops what waits; NULL is fine */

/* Sends at once when no SA is waited for, or when too much waits. 0 or -errno. */
int outbox_send(struct outbox *box, const struct ike_path *path, const void *msg, size_t len);
/* From now on datagrams wait until the SA with this inbound SPI is up or gone. */
void outbox_wait(struct outbox *box, uint32_t spi_in);
void outbox_done(struct outbox *box, uint32_t spi_in);
/* Sends everything now, whatever is waited for. */
void outbox_open(struct outbox *box);

#endif
