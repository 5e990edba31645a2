/* SPDX-License-Identifier: BSD-2-Clause */
/* From policy text to compiled filters and back to lines, for tests of the compiler. */
#ifndef TESTS_COMPILE_TEXT_H
#define TESTS_COMPILE_TEXT_H

#include "compile/image.h"

/*
 * Compiles a policy whose filter lists and rules are `text`, with the filter
 * action `protect` defined. Fails the test unless the result is `want`.
 * diag may be NULL.
 */
struct image *compile_text(const char *text, const struct compile_opts *opts, int want,
			   struct diag *diag);

/*
 * One line a filter, best first, like
 *   "3 web in permit tcp 10.0.0.0/8:any me:443\n"
 * with "me4" and "me6" for `me` in one family. free() it.
 */
char *image_lines(const struct image *image);

/* The lines must be these, and the difference is printed if not. */
void expect_filters(const char *text, const struct compile_opts *opts, const char *want);

#endif
