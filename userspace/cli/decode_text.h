/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside cli/ only: what the payloads of a message say, in lines of text. */
#ifndef CLI_DECODE_TEXT_H
#define CLI_DECODE_TEXT_H

#include "cli/decode.h"

/* Calls fn for each line: transforms, identities, notifies, vendors, deletes. */
void decode_details(const struct decoded *msg, void (*fn)(void *arg, const char *line), void *arg);

#endif
