/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long lists of filters are runs of lines like
 *
 *     - {src: 10.0.0.0/8, dst: me, proto: tcp, dst-port: 443}   # comment
 *
 * A line of this form, from a small set of characters, means the same whatever
 * stands around it as long as it is an item of a list, so it is read here and
 * not by libyaml, one line at a time and only when it is asked for: a million of
 * them need no tree. Everything else, and everything wrong, is left to libyaml.
 */
#ifndef POLICY_YAML_RUN_H
#define POLICY_YAML_RUN_H

#include <stdbool.h>

#include "policy/yaml_doc.h"

/*
 * Reads the line at `text`, which ends at `end` (its line feed, or the end of the
 * text), into scratch; the item is scratch->nodes[0]. False when it is not of
 * that form: then nothing is known about it. scratch may be NULL.
 */
bool yaml_run_line(const char *text, const char *end, unsigned line, struct node_scratch *scratch);

#endif
