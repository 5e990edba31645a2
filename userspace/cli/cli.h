/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands of xipsec share. The commands themselves are listed in commands.def. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

/* Exit codes; scripts rely on them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,	     /* usage or policy error */
	CLI_UNREACHABLE = 3, /* no daemon of this instance */
	CLI_UNSUPPORTED = 4, /* this machine or this version cannot */
	CLI_UNCONFIRMED = 5, /* applied, not confirmed yet */
};

struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv); /* returns enum cli_exit */
	const char *args;		   /* as usage prints them */
	const char *help;		   /* one line */
};

extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;

/* NULL when there is no such command. */
const struct cli_command *cli_find(const char *name);

/* Of --instance, else "main". */
const char *cli_instance(void);
void cli_set_instance(const char *name);

/*
 * For a command that was called wrongly: prints the message (none when fmt is
 * NULL) and the command's usage line to stderr; returns CLI_USAGE.
 */
int cli_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define CLI_COMMAND(name, args, help) int cmd_##name(int argc, char **argv);
#include "cli/commands.def"
#undef CLI_COMMAND

#endif
