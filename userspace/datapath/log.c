/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libbpf and libxdp print; we collect. When the call that they served fails,
 * their warnings become notes of its diag, after the sentence that matters,
 * which is ours. When it succeeds (attaching tries one way after another), what
 * they complained about does not matter.
 */
#include <stdio.h>
#include <string.h>
#include <pthread.h>

#include <xdp/libxdp.h>

#include "datapath/internal.h"

#define LOG_KEEP 4096

static __thread char warnings[LOG_KEEP]; /* of this scope, a line each */
static __thread size_t used;

__attribute__((format(printf, 1, 0))) static void collect(const char *fmt, va_list ap)
{
	char line[512];

	if (vsnprintf(line, sizeof(line), fmt, ap) < 0)
		return;
	/* A verifier's log comes in one piece and is not for this place. */
	line[strcspn(line, "\n")] = '\0';
	if (!*line || used + strlen(line) + 2 > sizeof(warnings))
		return;
	used += sprintf(warnings + used, "%s\n", line);
}

__attribute__((format(printf, 2, 0))) static int bpf_print(enum libbpf_print_level level,
							   const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN)
		collect(fmt, ap);
	return 0;
}

__attribute__((format(printf, 2, 0))) static int xdp_print(enum libxdp_print_level level,
							   const char *fmt, va_list ap)
{
	if (level == LIBXDP_WARN)
		collect(fmt, ap);
	return 0;
}

static void take_over(void)
{
	libbpf_set_print(bpf_print);
	libxdp_set_print(xdp_print);
}

void dp_log_begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, take_over);
	used = 0;
	warnings[0] = '\0';
}

void dp_log_kernel_said(char *buf, size_t size)
{
	static const char mark[] = "Kernel error message: ";
	const char *found = NULL;

	for (const char *at = warnings; (at = strstr(at, mark)); found = at)
		at += sizeof(mark) - 1;
	snprintf(buf, size, "%.*s", found ? (int)strcspn(found, "\n") : 0, found ? found : "");
}

void dp_log_end(int err, struct diag *diag)
{
	char *line, *rest = warnings;

	while (err && (line = strsep(&rest, "\n")))
		if (*line)
			diag_add(diag, DIAG_NOTE, NULL, NULL, "%s", line);
	used = 0;
	warnings[0] = '\0';
}
