/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who listens to what happens: `xipsec monitor`. Each listener has a connection
 * to the control socket, says what it wants (monitor_spec.h), and gets one JSON
 * object a line. Sampling is on in the kernel while there are listeners. Neither
 * a flood of samples nor a slow listener can hold the daemon up: what does not
 * fit is lost, and the listener is told how many.
 */
#ifndef DAEMON_MONITOR_H
#define DAEMON_MONITOR_H

#include <jansson.h>

#include <xipsec/abi.h>

struct control_request;
struct daemon;
struct iface;
struct image;
struct ipc_reasons;
struct sad_entry;

/* Answers the question and makes its connection a listener. */
void monitor_start(struct daemon *d, struct control_request *request, const json_t *question);
/* Ends all of them; nobody can start any more. */
void monitor_free(struct daemon *d);

/*
 * What happens; nothing is done while nobody listens. A packet is named by the filters in
 * force or, right after a switch, by those that come.
 */
void monitor_event(struct daemon *d, const struct xi_event *event);
void monitor_sa(struct daemon *d, const struct sad_entry *entry, const char *ended);
/* What the worker of an interface has dropped by now; iface has what it said before. */
void monitor_worker(struct daemon *d, struct iface *iface, const struct ipc_reasons *fresh);
/* The kernel gets this list in a moment; if it does not in the end, that is no harm. */
void monitor_switching(struct daemon *d, const struct image *next);
/* The kernel uses this list now, d->image is still the one before. */
void monitor_switched(struct daemon *d, const struct image *fresh);
/* A policy is in force. */
void monitor_policy(struct daemon *d);

#endif
