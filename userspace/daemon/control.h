/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: JSON objects, one a line, questions and answers in turn.
 * Only root may ask (peer credentials, and the socket's mode). A client is given
 * bounded memory and time; one that does not read its answer is cut off, and no
 * client can make the daemon wait. A stream is the exception to turns: after the
 * answer the daemon alone speaks, until the client goes. One that reads slowly
 * loses lines, and may take its time.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct control;
struct control_request;
struct control_stream;
struct event_base;

/* Answers now or later with control_reply(); exactly once for each request. */
typedef void (*control_fn)(void *arg, struct control_request *request, const json_t *question);

/* 0, or -errno (-EADDRINUSE: a daemon answers there already). Replaces a dead socket. */
int control_open(struct event_base *base, const char *path, control_fn fn, void *arg,
		 struct control **ret);
void control_close(struct control *control); /* removes the socket; NULL is fine */

/* Sends the answer, if somebody still waits for it. Takes over the reference. */
void control_reply(struct control_request *request, json_t *answer);
/* The same with an answer that is written already; takes over the memory. NULL: there was none. */
void control_reply_text(struct control_request *request, char *text, size_t len);

/*
 * Answers and then keeps the connection for lines of the daemon's own; the client
 * is asked nothing more. Takes over the request and the reference. NULL: it went
 * away meanwhile. closed is called once, when the client goes (also when the
 * socket closes, but not after control_stream_end()); the stream is void then.
 */
struct control_stream *control_stream_begin(struct control_request *request, json_t *answer,
					    void (*closed)(void *arg), void *arg);
/*
 * One line, without its end. False: the client does not take what it was sent
 * already, and this line is lost. Bounded memory, and never a wait.
 */
bool control_stream_put(struct control_stream *stream, const char *line, size_t len);
/* Ends the connection when what is under way has been sent, or at once if it is not taken. */
void control_stream_end(struct control_stream *stream);

#endif
