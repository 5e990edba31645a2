/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef XIPSEC_DIAG_H
#define XIPSEC_DIAG_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Library code does not log: it adds sentences with a place to a struct diag
 * and returns a code. The daemon and the command line decide where they go.
 */
enum diag_severity { DIAG_NOTE, DIAG_WARNING, DIAG_ERROR };

struct diag_loc {
	const char *file;   /* borrowed; NULL when the message has no place */
	unsigned line, col; /* from 1; 0 = unknown */
};

struct diag_entry {
	enum diag_severity severity;
	char *file; /* owned copy, or NULL */
	unsigned line, col;
	char *text; /* one sentence, no full stop, no newline */
	char *hint; /* "did you mean 'dst-port'?", or NULL */
};

struct diag {
	struct diag_entry *entries;
	size_t count, errors, warnings;
};

void diag_add(struct diag *diag, enum diag_severity severity, const struct diag_loc *loc,
	      const char *hint, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* One line an entry: "FILE:LINE:COL: error: TEXT (HINT)". Returns a malloc'ed string. */
char *diag_text(const struct diag *diag);
/* "FILE:LINE:COL", without what is not known. loc->file is given. */
void diag_place(const struct diag_loc *loc, char *buf, size_t size);
void diag_free(struct diag *diag); /* leaves an empty, usable diag */

#endif
