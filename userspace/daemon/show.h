/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_SHOW_H
#define DAEMON_SHOW_H

struct control_request;
struct daemon;

/* Collects a view, asking children where they know more, and answers the request. */
void show_start(struct daemon *d, struct control_request *request, const char *what);
/* Drops what is being collected: the daemon stops. */
void show_cancel(struct daemon *d);

#endif
