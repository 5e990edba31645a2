/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec monitor: live events and verdicts. Its place; the daemon does not stream events yet. */
#include <stdio.h>

#include "cli/cli.h"

int cmd_monitor(int argc, char **argv)
{
	fprintf(stderr, "xipsec monitor: live events are not available in this version; "
			"`xipsec show stats` and `xipsec show filters` have the counters\n");
	return CLI_UNSUPPORTED;
}
