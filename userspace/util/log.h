/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's log: one human line each, to stderr or, under systemd, to the
 * journal with fields. Only programs log; library code fills a struct diag.
 * No key, secret or packet payload ever goes here.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <stdarg.h>

enum log_level { LVL_ERROR, LVL_WARNING, LVL_INFO, LVL_DEBUG };

/* What the line is about, for journal fields; NULL where it does not apply. */
struct log_about {
	const char *peer, *sa, *rule, *reason;
};

/* `name` stands at the head of each line on stderr. Copies nothing: keep it. */
void log_open(const char *name, enum log_level level);
/* 0, or -EINVAL for a word that is no level. */
int log_level_by_name(const char *word, enum log_level *ret);
enum log_level log_level(void);

void log_about(enum log_level level, const struct log_about *about, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define log_error(...)	 log_about(LVL_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_about(LVL_WARNING, NULL, __VA_ARGS__)
#define log_info(...)	 log_about(LVL_INFO, NULL, __VA_ARGS__)
#define log_debug(...)	 log_about(LVL_DEBUG, NULL, __VA_ARGS__)

struct diag;
/* One log line an entry, at the entry's severity. */
void log_diag(const struct diag *diag);

/* Replaces what would disturb a terminal or forge a line by '?'. */
void log_clean(char *text);

#endif
