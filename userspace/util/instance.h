/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UTIL_INSTANCE_H
#define UTIL_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>

/* Names become folder names under /run and bpffs, so they are kept plain. */
#define INSTANCE_NAME_MAX  31 /* with its NUL it fits struct xi_ctl */
#define INSTANCE_NAME_RULE "1 to 31 letters, digits, '-' or '_', not starting with '-'"
#define INSTANCE_PATH_MAX  96 /* fits a struct sockaddr_un */

bool instance_name_ok(const char *name); /* NULL is not */
/* "/run/xipsec/NAME" */
void instance_run_dir(const char *name, char ret[INSTANCE_PATH_MAX]);
/* The control socket in it. */
void instance_socket(const char *name, char ret[INSTANCE_PATH_MAX]);
/* Takes away what a daemon of this name, which runs no more, left under /run. */
void instance_forget(const char *name);

#endif
