/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <jansson.h>

/*
 * Asks the daemon of this instance and waits for its answer. Takes over the
 * reference to the question. Prints what went wrong, the daemon's messages
 * included. Returns enum cli_exit; with CLI_OK, *ret_data (when asked for) is a
 * new reference to the answer's data.
 */
int ask(json_t *question, json_t **ret_data);
/* True when a daemon of this instance answers at its socket. */
int ask_reachable(void);
/* Stops the daemon and waits until it is gone. Returns enum cli_exit. */
int cli_stop_daemon(void);

#endif
