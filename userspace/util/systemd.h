/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libsystemd where it was found at build time. Without it (make SYSTEMD=0) the
 * daemon has no manager to report to and no journal to write fields into: these
 * do what the library does in that case, nothing.
 */
#ifndef UTIL_SYSTEMD_H
#define UTIL_SYSTEMD_H

#ifdef HAVE_SYSTEMD

#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#else

#include <stdint.h>
#include <sys/uio.h>

static inline int sd_notify(int unset_environment, const char *state)
{
	return 0;
}

static inline int __attribute__((format(printf, 2, 3)))
sd_notifyf(int unset_environment, const char *format, ...)
{
	return 0;
}

static inline int sd_watchdog_enabled(int unset_environment, uint64_t *usec)
{
	return 0;
}

/* Negative: the caller writes the line to stderr instead. */
static inline int sd_journal_sendv(const struct iovec *iov, int n)
{
	return -1;
}

#endif

#endif
