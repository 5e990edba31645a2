/* SPDX-License-Identifier: BSD-2-Clause */
/* The TAP device that joins a worker to the local stack. Why not TUN: docs/decisions/0002. */
#ifndef ESP_TAP_H
#define ESP_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include <xipsec/diag.h>

#include "esp/edge.h"

struct tap;

extern const struct stack_ops tap_ops;

/*
 * Makes a TAP named xi0, xi1, ..., up, with offloads, without addresses of its
 * own. It ends with the process: when a worker dies nothing reads in its place
 * and nothing leaves. Warns in diag of host settings that would drop what the
 * worker injects.
 */
int tap_open(struct tap **ret, struct diag *diag);
int tap_fd(const struct tap *tap);
int tap_ifindex(const struct tap *tap);
const char *tap_name(const struct tap *tap);
const uint8_t *tap_mac(const struct tap *tap);
/* Is this a name as tap_open() gives them? */
bool tap_is_name(const char *name);

#endif
