/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer of `xipsec explain` as JSON, and as text made of that JSON. */
#ifndef VIEW_EXPLAIN_H
#define VIEW_EXPLAIN_H

#include <jansson.h>
#include <stdio.h>

#include "compile/explain.h"

struct policy;

/* What a verdict is called: "permit", "block", "secure", "none". */
const char *view_verdict(enum xi_action action);
/*
 * A new reference, or NULL without memory. policy, for places in its text, may be
 * NULL. The keys are in docs/control.md.
 */
json_t *view_explain(const struct image *image, const struct policy *policy,
		     const struct explain_question *q, const struct explain_answer *answer);
/* The packet that a question is about: what was not given is null. And back: 0 or -EINVAL. */
json_t *view_packet(const struct explain_question *q);
int view_packet_parse(const json_t *packet, struct explain_question *ret);
void view_print_explain(FILE *out, const json_t *data);

#endif
