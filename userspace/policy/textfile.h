/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that a policy is read from or names. */
#ifndef POLICY_TEXTFILE_H
#define POLICY_TEXTFILE_H

#include <stddef.h>
#include <sys/stat.h>

#include "policy/scalar.h"

/* The policy itself may come through a pipe; what it names may not: it is read again later. */
enum textfile_kind { TEXTFILE_REGULAR, TEXTFILE_ANY };

/*
 * The whole file, malloc'ed, with a 0 byte behind it. -errno; `why` then says
 * what is wrong, without the name.
 */
int textfile_read(const char *path, size_t max, enum textfile_kind kind, char **ret,
		  size_t *ret_len, struct complaint *why);
/* Can it be read? Fills *ret_stat. -errno as above. */
int textfile_check(const char *path, struct stat *ret_stat, struct complaint *why);
/* `name` as seen from the folder of the policy file. malloc'ed, or NULL. */
char *textfile_resolve(const char *policy_file, const char *name);

#endif
