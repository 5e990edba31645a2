/* SPDX-License-Identifier: BSD-2-Clause */
/* Output that is whole, or makes the command fail. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* One line of JSON on standard output; takes `line`, of which NULL is for want of memory. */
void cli_json_line(json_t *line, size_t flags);
/* What was to be printed was lost for want of memory: says so and is remembered. */
void cli_output_lost(void);
bool cli_output_whole(void);

#endif
