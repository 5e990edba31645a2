/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Asks the daemon of this instance and waits for its answer. Takes over the
 * reference to the question. Prints what went wrong, the daemon's messages
 * included. Returns enum cli_exit; with CLI_OK, *ret_data (when asked for) is a
 * new reference to the answer's data.
 */
int ask(json_t *question, json_t **ret_data);
/* The two halves of it: the answer as it came, malloc'ed; and what it means. */
int ask_text(json_t *question, char **ret_answer, size_t *ret_len);
int ask_understand(const char *text, size_t len, json_t **ret_data);
/*
 * The same for a question whose answer is a stream: says "listening" to stderr, then calls fn with
 * every line of it, and with NULL when a signal came, until it returns false. Returns enum
 * cli_exit; CLI_UNREACHABLE also when the daemon ends.
 */
int ask_stream(json_t *question, bool (*fn)(void *arg, const char *line), void *arg);
/* True when a daemon of this instance answers at its socket. */
int ask_reachable(void);
/* Stops the daemon and waits until it is gone. Returns enum cli_exit. */
int cli_stop_daemon(void);

#endif
