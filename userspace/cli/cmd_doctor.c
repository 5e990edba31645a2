/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec doctor: what this machine can do for xipsec, found out by trying. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli/cli.h"
#include "datapath/probe.h"

static const char *verdict(const struct datapath_features *features, int i)
{
	if (features->have[i])
		return "yes";
	return features->err[i] == -EPERM || features->err[i] == -EACCES ? "?  " : "no ";
}

int cmd_doctor(int argc, char **argv)
{
	struct datapath_features features;
	bool unknown = false;
	struct utsname uts;

	if (argc > 1)
		return cli_usage("doctor", "unexpected '%s'", argv[1]);
	if (!uname(&uts))
		printf("Linux %s on %s\n\n", uts.release, uts.machine);
	datapath_probe(&features);
	for (int i = 0; i < DP_FEATURE_MAX; i++) {
		const struct dp_feature_info *info = datapath_feature_info((enum dp_feature)i);
		const char *word = verdict(&features, i);

		printf("  %s  %s", word, info->what);
		if (!features.have[i])
			printf(" (%s): without it, %s", strerror(-features.err[i]), info->without);
		putchar('\n');
		unknown |= word[0] == '?';
	}
	putchar('\n');
	if (unknown)
		printf("Some of this can only be found out by root.\n");
	if (datapath_usable(&features)) {
		printf("xipsec can filter and protect here.\n");
		return CLI_OK;
	}
	printf("xipsec cannot work here%s.\n", unknown ? ", as far as can be seen" : "");
	return CLI_UNSUPPORTED;
}
