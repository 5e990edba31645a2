/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec stop: end the daemon; its filters stay in force. */
#include <stdio.h>
#include <time.h>

#include "cli/ask.h"
#include "cli/cli.h"

#define STOP_TRIES 100

int cli_stop_daemon(void)
{
	static const struct timespec pause = {0, 50000000};
	int rc = ask(json_pack("{s:s}", "method", "stop"), NULL);

	for (int i = 0; !rc && ask_reachable(); i++) {
		if (i == STOP_TRIES) {
			fprintf(stderr, "xipsec: the daemon does not stop\n");
			return CLI_FAILED;
		}
		nanosleep(&pause, NULL);
	}
	return rc;
}

int cmd_stop(int argc, char **argv)
{
	int rc;

	if (argc > 1)
		return cli_usage("stop", "unexpected '%s'", argv[1]);
	rc = cli_stop_daemon();
	if (!rc)
		printf("stopped; the filters stay in force (xipsec teardown removes them)\n");
	return rc;
}
