/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines to stderr or to the journal; see log.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>

#include <xipsec/diag.h>

#include "util/log.h"
#include "util/systemd.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

static const char *log_name = "xipsec";
static enum log_level log_max = LVL_INFO;
static bool log_journal;

/* systemd tells us which file its journal stream is; a redirected stderr is another. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && !fstat(2, &st) &&
	       st.st_dev == dev && st.st_ino == ino;
}

void log_open(const char *name, enum log_level level)
{
	log_name = name;
	log_max = level;
	log_journal = stderr_is_journal();
}

int log_level_by_name(const char *word, enum log_level *ret)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++)
		if (!strcmp(word, level_names[i]))
			return *ret = (enum log_level)i, 0;
	return -EINVAL;
}

enum log_level log_level(void)
{
	return log_max;
}

void log_clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}

/* False when there is no journal to take it. */
static bool to_journal(enum log_level level, const struct log_about *about, const char *text)
{
	static const char *const names[] = {"XIPSEC_PEER", "XIPSEC_SA", "XIPSEC_RULE",
					    "XIPSEC_REASON"};
	const char *values[] = {about->peer, about->sa, about->rule, about->reason};
	char *fields[8];
	struct iovec iov[8];
	bool sent;
	int n = 0;

	if (asprintf(&fields[n], "MESSAGE=%s", text) >= 0)
		n++;
	if (asprintf(&fields[n], "PRIORITY=%d", priorities[level]) >= 0)
		n++;
	if (asprintf(&fields[n], "SYSLOG_IDENTIFIER=%s", log_name) >= 0)
		n++;
	for (int i = 0; i < 4; i++)
		if (values[i] && asprintf(&fields[n], "%s=%s", names[i], values[i]) >= 0)
			n++;
	for (int i = 0; i < n; i++) {
		iov[i].iov_base = fields[i];
		iov[i].iov_len = strlen(fields[i]);
	}
	sent = sd_journal_sendv(iov, n) >= 0;
	while (n)
		free(fields[--n]);
	return sent;
}

void log_about(enum log_level level, const struct log_about *about, const char *fmt, ...)
{
	static const struct log_about nothing;
	int saved = errno;
	char text[1024];
	va_list ap;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_clean(text);
	if (!log_journal || !to_journal(level, about ? about : &nothing, text))
		fprintf(stderr, "%s: %s: %s\n", log_name, level_names[level], text);
	errno = saved;
}

void log_diag(const struct diag *diag)
{
	static const enum log_level levels[] = {
		[DIAG_NOTE] = LVL_INFO,
		[DIAG_WARNING] = LVL_WARNING,
		[DIAG_ERROR] = LVL_ERROR,
	};

	for (size_t i = 0; i < diag->count; i++) {
		const struct diag_entry *entry = &diag->entries[i];
		enum log_level level = levels[entry->severity];
		const char *hint = entry->hint ? entry->hint : "";
		const char *open = entry->hint ? " (" : "", *close = entry->hint ? ")" : "";

		if (entry->file && !entry->line)
			log_about(level, NULL, "%s: %s%s%s%s", entry->file, entry->text, open, hint,
				  close);
		else if (entry->file && !entry->col)
			log_about(level, NULL, "%s:%u: %s%s%s%s", entry->file, entry->line,
				  entry->text, open, hint, close);
		else if (entry->file)
			log_about(level, NULL, "%s:%u:%u: %s%s%s%s", entry->file, entry->line,
				  entry->col, entry->text, open, hint, close);
		else
			log_about(level, NULL, "%s%s%s%s", entry->text, open, hint, close);
	}
}
