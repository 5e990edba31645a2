/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsec: the command line. Finds the command in the table (commands.def) and
 * runs it; one cmd_NAME.c per command does the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "util/instance.h"
#include "util/suggest.h"
#include "util/version.h"

/*
 * --instance counts wherever it stands, so that no command has to know of it.
 * Takes it out of argv; returns the new argc, or -1 when its value is missing or wrong.
 */
static int take_instance(int argc, char **argv)
{
	const char *instance = cli_instance();
	int kept = 1;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--instance")) {
			if (++i == argc) {
				fprintf(stderr, "xipsec: --instance needs a name\n");
				return -1;
			}
			instance = argv[i];
		} else if (!strncmp(argv[i], "--instance=", 11)) {
			instance = argv[i] + 11;
		} else {
			argv[kept++] = argv[i];
		}
	}
	argv[kept] = NULL;
	if (!instance_name_ok(instance)) {
		fprintf(stderr, "xipsec: '%s' is not an instance name (%s)\n", instance,
			INSTANCE_NAME_RULE);
		return -1;
	}
	cli_set_instance(instance);
	return kept;
}

static int unknown_command(const char *name)
{
	const char *near, **names = calloc(cli_command_count, sizeof(*names));

	fprintf(stderr, "xipsec: no command '%s'", name);
	if (names) {
		for (size_t i = 0; i < cli_command_count; i++)
			names[i] = cli_commands[i].name;
		near = suggest(name, names, cli_command_count);
		if (near)
			fprintf(stderr, ", did you mean '%s'?", near);
	}
	fprintf(stderr, "\nSee: xipsec help\n");
	free(names);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	const struct cli_command *command;
	static char *help[] = {"help", NULL, NULL};
	static char *status[] = {"show", NULL};
	int rc;

	argc = take_instance(argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	argv++, argc--;
	if (argc && (!strcmp(argv[0], "--version") || !strcmp(argv[0], "-V"))) {
		printf("xipsec %s\n", xipsec_version);
		return CLI_OK;
	}
	if (argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h")))
		argv = help, argc = 1;
	/* As people ask everywhere: xipsec show --help. */
	if (argc == 2 && !strcmp(argv[1], "--help") && cli_find(argv[0])) {
		help[1] = argv[0];
		argv = help, argc = 2;
	}
	if (!argc)
		argv = status, argc = 1;
	command = cli_find(argv[0]);
	rc = command ? command->run(argc, argv) : unknown_command(argv[0]);
	if (fflush(stdout) || ferror(stdout)) {
		perror("xipsec: standard output");
		return CLI_FAILED;
	}
	return cli_output_whole() ? rc : CLI_FAILED;
}
