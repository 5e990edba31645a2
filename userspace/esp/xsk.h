/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire side of a worker: one AF_XDP socket with memory of its own per receive queue. */
#ifndef ESP_XSK_H
#define ESP_XSK_H

#include <stdbool.h>

#include <xipsec/diag.h>

#include "esp/edge.h"

struct xsk_port;

/* The longest frame that can be received (the kernel keeps 256 bytes of each) or sent. */
#define XSK_FRAME_MAX 3840

extern const struct wire_ops xsk_ops;

/*
 * Binds to `queues` queues of the interface. Loads no XDP program: the frames
 * come from ours, through xi_xsks.
 */
int xsk_port_open(const char *ifname, unsigned queues, bool force_copy, struct xsk_port **ret,
		  struct diag *diag);
int xsk_port_fd(const struct xsk_port *port, unsigned queue);
bool xsk_port_zero_copy(const struct xsk_port *port); /* on every queue */

#endif
