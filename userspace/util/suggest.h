/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UTIL_SUGGEST_H
#define UTIL_SUGGEST_H

#include <stddef.h>

/*
 * The one of `names` that was probably meant by `word`, or NULL when none is
 * near enough (or two are equally near). NULL entries are skipped.
 */
const char *suggest(const char *word, const char *const *names, size_t count);

#endif
