/* SPDX-License-Identifier: BSD-2-Clause */
/* The command table, made from commands.def, and how usage is printed. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

const struct cli_command cli_commands[] = {
#define CLI_COMMAND(name, args, help) {#name, cmd_##name, args, help},
#include "cli/commands.def"
#undef CLI_COMMAND
};

const size_t cli_command_count = sizeof(cli_commands) / sizeof(*cli_commands);

static const char *instance = "main";

const char *cli_instance(void)
{
	return instance;
}

void cli_set_instance(const char *name)
{
	instance = name;
}

const struct cli_command *cli_find(const char *name)
{
	for (size_t i = 0; i < cli_command_count; i++)
		if (!strcmp(cli_commands[i].name, name))
			return &cli_commands[i];
	return NULL;
}

int cli_usage(const char *command, const char *fmt, ...)
{
	const struct cli_command *found = cli_find(command);
	va_list ap;

	if (fmt) {
		fprintf(stderr, "xipsec %s: ", command);
		va_start(ap, fmt);
		vfprintf(stderr, fmt, ap);
		va_end(ap);
		fputc('\n', stderr);
	}
	fprintf(stderr, "usage: xipsec %s %s\n", command, found ? found->args : "");
	return CLI_USAGE;
}
