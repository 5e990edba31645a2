/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"

static bool lost;

void cli_output_lost(void)
{
	if (!lost)
		fprintf(stderr, "xipsec: the output is not whole: %s\n", strerror(ENOMEM));
	lost = true;
}

bool cli_output_whole(void)
{
	return !lost;
}

void cli_json_line(json_t *line, size_t flags)
{
	/* What the stream itself does not take is found out at the end. */
	if (!line || (json_dumpf(line, stdout, JSON_COMPACT | flags) && !ferror(stdout)))
		cli_output_lost();
	putchar('\n');
	json_decref(line);
}
