/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_CONTROL_EXPLAIN_H
#define DAEMON_CONTROL_EXPLAIN_H

#include <jansson.h>

struct daemon;

/* The method "explain" of the control socket: a new reference, or NULL without memory. */
json_t *method_explain(struct daemon *d, const json_t *question);

#endif
