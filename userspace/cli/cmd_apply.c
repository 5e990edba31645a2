/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec apply, reload, confirm, rollback: change what is in force. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"

static json_int_t number(const json_t *data, const char *key)
{
	return json_integer_value(json_object_get(data, key));
}

static int print_applied(json_t *data)
{
	printf("policy %s is in force, generation %" JSON_INTEGER_FORMAT ": %" JSON_INTEGER_FORMAT
	       " filters added, %" JSON_INTEGER_FORMAT " removed, %" JSON_INTEGER_FORMAT " kept\n",
	       json_string_value(json_object_get(data, "policy")), number(data, "generation"),
	       number(data, "added"), number(data, "removed"), number(data, "kept"));
	json_decref(data);
	return CLI_OK;
}

static int no_confirmation(const char *command)
{
	fprintf(stderr, "xipsec %s: confirmation and rollback are not available in this version\n",
		command);
	return CLI_UNSUPPORTED;
}

int cmd_apply(int argc, char **argv)
{
	const char *file = NULL;
	json_t *data = NULL;
	char *path;
	int rc;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--confirm") || !strncmp(argv[i], "--confirm=", 10))
			return no_confirmation("apply");
		if (argv[i][0] == '-' || file)
			return cli_usage("apply", "unexpected '%s'", argv[i]);
		file = argv[i];
	}
	if (!file)
		return cli_usage("apply", "which policy?");
	path = realpath(file, NULL);
	if (!path) {
		fprintf(stderr, "xipsec apply: %s: %s\n", file, strerror(errno));
		return CLI_USAGE;
	}
	rc = ask(json_pack("{s:s, s:s}", "method", "apply", "policy", path), &data);
	free(path);
	return rc ? rc : print_applied(data);
}

int cmd_reload(int argc, char **argv)
{
	json_t *data = NULL;
	int rc;

	if (argc > 1)
		return cli_usage("reload", "unexpected '%s'", argv[1]);
	rc = ask(json_pack("{s:s}", "method", "reload"), &data);
	return rc ? rc : print_applied(data);
}

int cmd_confirm(int argc, char **argv)
{
	return no_confirmation("confirm");
}

int cmd_rollback(int argc, char **argv)
{
	return no_confirmation("rollback");
}
