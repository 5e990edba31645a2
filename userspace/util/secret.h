/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UTIL_SECRET_H
#define UTIL_SECRET_H

#include <stddef.h>

/*
 * Memory for secrets in pages of its own: locked where the limit allows, left
 * out of core dumps and of forked children, zeroed when freed.
 */
void *secret_alloc(size_t len); /* zeroed; NULL without memory */
void secret_free(void *ptr);	/* NULL is fine */

/*
 * A preshared key from an open file: the bytes up to the end of the first line,
 * without the line end. Returns 0 and a secret_alloc'ed buffer, -ENODATA when
 * it is empty, -E2BIG beyond SECRET_MAX, or -errno.
 */
#define SECRET_MAX 1024
int secret_read(int fd, void **ret, size_t *ret_len);

#endif
