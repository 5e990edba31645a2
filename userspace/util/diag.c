/* SPDX-License-Identifier: BSD-2-Clause */
/* Collected messages with a place; see xipsec/diag.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xipsec/diag.h>

#include "util/memtext.h"

void diag_add(struct diag *diag, enum diag_severity severity, const struct diag_loc *loc,
	      const char *hint, const char *fmt, ...)
{
	struct diag_entry *entries, *entry;
	va_list ap;

	if (!diag)
		return;
	/* Counted even if there is no memory for the text: the caller's result depends on it. */
	diag->errors += severity == DIAG_ERROR;
	diag->warnings += severity == DIAG_WARNING;
	entries = realloc(diag->entries, (diag->count + 1) * sizeof(*entries));
	if (!entries)
		return;
	diag->entries = entries;
	entry = &entries[diag->count];
	memset(entry, 0, sizeof(*entry));
	va_start(ap, fmt);
	if (vasprintf(&entry->text, fmt, ap) < 0)
		entry->text = NULL;
	va_end(ap);
	if (!entry->text)
		return;
	entry->severity = severity;
	if (loc && loc->file) {
		entry->file = strdup(loc->file);
		entry->line = loc->line;
		entry->col = loc->col;
	}
	entry->hint = hint ? strdup(hint) : NULL;
	diag->count++;
}

void diag_place(const struct diag_loc *loc, char *buf, size_t size)
{
	if (loc->line && loc->col)
		snprintf(buf, size, "%s:%u:%u", loc->file, loc->line, loc->col);
	else if (loc->line)
		snprintf(buf, size, "%s:%u", loc->file, loc->line);
	else
		snprintf(buf, size, "%s", loc->file);
}

char *diag_text(const struct diag *diag)
{
	static const char *const names[] = {"note", "warning", "error"};
	struct memtext text;
	FILE *out = memtext_open(&text);

	if (!out)
		return NULL;
	for (size_t i = 0; i < diag->count; i++) {
		const struct diag_entry *entry = &diag->entries[i];

		if (entry->file)
			fprintf(out, "%s", entry->file);
		if (entry->file && entry->line)
			fprintf(out, ":%u", entry->line);
		if (entry->file && entry->line && entry->col)
			fprintf(out, ":%u", entry->col);
		if (entry->file)
			fprintf(out, ": ");
		fprintf(out, "%s: %s", names[entry->severity], entry->text);
		if (entry->hint)
			fprintf(out, " (%s)", entry->hint);
		fputc('\n', out);
	}
	return memtext_close(&text, out);
}

void diag_free(struct diag *diag)
{
	for (size_t i = 0; i < diag->count; i++) {
		free(diag->entries[i].file);
		free(diag->entries[i].text);
		free(diag->entries[i].hint);
	}
	free(diag->entries);
	memset(diag, 0, sizeof(*diag));
}
