/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_SHOW_H
#define DAEMON_SHOW_H

#include <stdint.h>

#include <xipsec/ike.h>

struct control_request;
struct daemon;

/* Collects a view, asking children where they know more, and answers the request. */
void show_start(struct daemon *d, struct control_request *request, const char *what);
/* Drops what is being collected: the daemon stops. */
void show_cancel(struct daemon *d);

/* Answers of the children to what show_start() asked them, by the id of the question. */
void show_mm(struct daemon *d, uint32_t id, const struct ike_mm_info *info);
void show_mm_end(struct daemon *d, uint32_t id, const struct ike_counters *counters);
void show_pong(struct daemon *d, uint32_t id);

#endif
