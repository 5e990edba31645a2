/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec print: the canonical text of a policy; it loads to the same policy. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/compiled.h"
#include "policy/policy.h"

int cmd_print(int argc, char **argv)
{
	struct policy *policy = NULL;
	struct diag diag = {0};
	char *text;
	int err;

	if (argc != 2)
		return cli_usage("print", argc < 2 ? "which policy?" : "too many arguments");
	err = policy_load(argv[1], &policy, &diag);
	cli_print_diag(&diag);
	if (err)
		return err == -ENOMEM ? CLI_FAILED : CLI_USAGE;
	text = policy_print(policy);
	policy_free(policy);
	if (!text) {
		fprintf(stderr, "xipsec print: out of memory\n");
		return CLI_FAILED;
	}
	fputs(text, stdout);
	free(text);
	return CLI_OK;
}
