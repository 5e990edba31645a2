/* SPDX-License-Identifier: BSD-2-Clause */
/* Where one of several daemons on a machine keeps its things. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/instance.h"

bool instance_name_ok(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	if (!len || len > INSTANCE_NAME_MAX || name[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
			return false;
	return true;
}

void instance_run_dir(const char *name, char ret[INSTANCE_PATH_MAX])
{
	snprintf(ret, INSTANCE_PATH_MAX, "/run/xipsec/%s", name);
}

void instance_socket(const char *name, char ret[INSTANCE_PATH_MAX])
{
	snprintf(ret, INSTANCE_PATH_MAX, "/run/xipsec/%s/control.sock", name);
}

void instance_forget(const char *name)
{
	char path[INSTANCE_PATH_MAX];

	instance_socket(name, path);
	unlink(path);
	instance_run_dir(name, path);
	rmdir(path);
}
