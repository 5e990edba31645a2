/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec help: everything it prints comes from the command table. */
#include <stdio.h>

#include "cli/cli.h"

int cmd_help(int argc, char **argv)
{
	const struct cli_command *command;

	if (argc > 2)
		return cli_usage("help", "too many arguments");
	if (argc == 2) {
		command = cli_find(argv[1]);
		if (!command)
			return cli_usage("help", "no command '%s'", argv[1]);
		printf("usage: xipsec %s %s\n\n%s\n", command->name, command->args, command->help);
		return CLI_OK;
	}
	printf("usage: xipsec [--instance NAME] COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < cli_command_count; i++)
		printf("  %-9s %s\n", cli_commands[i].name, cli_commands[i].help);
	printf("\nWithout a command, the status of the daemon is shown. More: man xipsec\n");
	return CLI_OK;
}
