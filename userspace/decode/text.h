/* SPDX-License-Identifier: BSD-2-Clause */
/* What the payloads of a message say, in lines of text. */
#ifndef DECODE_TEXT_H
#define DECODE_TEXT_H

#include "decode/decode.h"

/* Calls fn for each line: transforms, identities, notifies, vendors, deletes. */
void decode_details(const struct decoded *msg, void (*fn)(void *arg, const char *line), void *arg);

#endif
