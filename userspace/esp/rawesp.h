/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw ESP sockets: the way of fragments and of ICMP errors to the worker. That
 * they are there also keeps the stack from answering ESP with "protocol
 * unreachable".
 */
#ifndef ESP_RAWESP_H
#define ESP_RAWESP_H

#include "esp/edge.h"

struct rawesp;

extern const struct slow_ops rawesp_ops;

/* For one interface; IPv6 is left out where the host has none. 0 or -errno. */
int rawesp_open(const char *ifname, struct rawesp **ret);
/* At most two; returns how many. */
int rawesp_fds(const struct rawesp *raw, int ret[2]);

#endif
