/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: JSON objects, one a line, questions and answers in turn.
 * Only root may ask (peer credentials, and the socket's mode). A client is given
 * bounded memory and time; one that does not read its answer is cut off, and no
 * client can make the daemon wait.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <jansson.h>

struct control;
struct control_request;
struct event_base;

/* Answers now or later with control_reply(); exactly once for each request. */
typedef void (*control_fn)(void *arg, struct control_request *request, const json_t *question);

/* 0, or -errno (-EADDRINUSE: a daemon answers there already). Replaces a dead socket. */
int control_open(struct event_base *base, const char *path, control_fn fn, void *arg,
		 struct control **ret);
void control_close(struct control *control); /* removes the socket; NULL is fine */

/* Sends the answer, if somebody still waits for it. Takes over the reference. */
void control_reply(struct control_request *request, json_t *answer);

#endif
