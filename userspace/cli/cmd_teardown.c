/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec teardown: end the daemon and take its filters out of the kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "datapath/datapath.h"
#include "util/instance.h"

int cmd_teardown(int argc, char **argv)
{
	struct diag diag = {0};
	char *text;
	int rc;

	if (argc > 1)
		return cli_usage("teardown", "unexpected '%s'", argv[1]);
	if (ask_reachable()) {
		rc = cli_stop_daemon();
		if (rc)
			return rc;
	}
	rc = datapath_teardown(cli_instance(), &diag);
	text = diag_text(&diag);
	if (text && *text)
		fprintf(stderr, "%s", text);
	else if (rc)
		fprintf(stderr, "xipsec teardown: %s\n", strerror(-rc));
	if (!rc)
		instance_forget(cli_instance());
	free(text);
	diag_free(&diag);
	return rc ? CLI_FAILED : CLI_OK;
}
