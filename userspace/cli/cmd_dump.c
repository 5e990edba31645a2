/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec dump: the policy in force as text that can be applied again. */
#include <stdio.h>

#include "cli/ask.h"
#include "cli/cli.h"

int cmd_dump(int argc, char **argv)
{
	json_t *data = NULL;
	int rc;

	if (argc > 1)
		return cli_usage("dump", "unexpected '%s'", argv[1]);
	rc = ask(json_pack("{s:s}", "method", "dump"), &data);
	if (rc)
		return rc;
	/* Secrets are in files of their own; the text only names them. */
	fputs(json_string_value(data), stdout);
	json_decref(data);
	return CLI_OK;
}
