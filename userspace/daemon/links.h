/* SPDX-License-Identifier: BSD-2-Clause */
/* The interfaces of this namespace, and which of them are to be filtered. */
#ifndef DAEMON_LINKS_H
#define DAEMON_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include <xipsec/addr.h>

struct link {
	char name[IF_NAMESIZE];
	int ifindex;
	bool ethernet, loopback, up;
};

/* Every interface there is. The caller frees. 0 or -errno. */
int links_list(struct link **ret, size_t *ret_count);

/* Is this the plain name of one interface, and no pattern? */
bool links_is_name(const char *pattern);

/*
 * Is it to be filtered? Patterns are names, globs (fnmatch(3)), and either with a
 * "!" before it, which excludes and always wins. An interface that is named in
 * full is wanted whatever it is; a glob, or no pattern but excluding ones, stands
 * for Ethernet interfaces that are not the TAP of a worker.
 */
bool links_wanted(const struct link *link, const char *const *patterns, size_t count);

/* How many receive queues it has; 0 if that cannot be told. */
unsigned links_queues(const char *name);

/* The interface that packets to remote leave by, or 0. */
int links_route(const struct xi_addr *local, const struct xi_addr *remote);

#endif
