/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stream into memory that knows when it ran out of it. open_memstream() of glibc
 * drops what does not fit and shows no error, so a text can end in its middle.
 */
#ifndef UTIL_MEMTEXT_H
#define UTIL_MEMTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct memtext {
	char *text;
	size_t len, room;
};

/* A stream to write to, or NULL. */
FILE *memtext_open(struct memtext *text);
/* Closes it. The whole text, malloc'ed; NULL if any of it was lost. */
char *memtext_close(struct memtext *text, FILE *stream);

#endif
