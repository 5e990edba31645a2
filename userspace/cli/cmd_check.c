/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsec check: everything that can be wrong with a policy, without privilege.
 * What this version cannot carry out is a warning here; applying it is refused.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "policy/policy.h"

static void print_diag(const struct diag *diag)
{
	char *text = diag_text(diag);

	if (text)
		fputs(text, stderr);
	free(text);
}

/* The text is right, so what this version lacks is no error of it. */
static void add_missing(const struct policy *policy, struct diag *diag)
{
	struct diag missing = {0};

	policy_supported(policy, &missing);
	for (size_t i = 0; i < missing.count; i++) {
		const struct diag_entry *entry = &missing.entries[i];
		struct diag_loc loc = {entry->file, entry->line, entry->col};

		diag_add(diag, DIAG_WARNING, &loc, entry->hint, "%s%s", entry->text,
			 entry->severity == DIAG_ERROR ? ": it cannot be applied" : "");
	}
	diag_free(&missing);
}

int cmd_check(int argc, char **argv)
{
	struct policy *policy = NULL;
	struct diag diag = {0};
	int err;

	if (argc != 2)
		return cli_usage("check", argc < 2 ? "which policy?" : "too many arguments");
	err = policy_load(argv[1], &policy, &diag);
	if (!err)
		add_missing(policy, &diag);
	print_diag(&diag);
	diag_free(&diag);
	policy_free(policy);
	return err ? CLI_USAGE : CLI_OK;
}
