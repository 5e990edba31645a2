/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsec check: everything that can be wrong with a policy, without privilege.
 * What this version cannot carry out is a warning here; applying it is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "compile/image.h"
#include "policy/policy.h"

static void print_diag(const struct diag *diag)
{
	char *text = diag_text(diag);

	if (text)
		fputs(text, stderr);
	free(text);
}

/* The text is right, so what this version lacks is no error of it. False when it cannot be applied.
 */
static bool add_missing(const struct policy *policy, struct diag *diag)
{
	struct diag missing = {0};
	bool all = !policy_supported(policy, &missing);

	for (size_t i = 0; i < missing.count; i++) {
		const struct diag_entry *entry = &missing.entries[i];
		struct diag_loc loc = {entry->file, entry->line, entry->col};

		diag_add(diag, DIAG_WARNING, &loc, entry->hint, "%s%s", entry->text,
			 entry->severity == DIAG_ERROR ? ": it cannot be applied" : "");
	}
	diag_free(&missing);
	return all;
}

/*
 * Shadowed, ambiguous and unreachable filters, and whether the tables hold them
 * all. Where this version lacks something, the compiler may stumble over it: that
 * was said.
 */
static int try_compile(const struct policy *policy, bool supported, struct diag *diag)
{
	struct compile_opts opts = {0};
	struct image *image = NULL;
	struct diag found = {0};
	int err = compile_policy(policy, &opts, &image, &found);

	for (size_t i = 0; i < found.count; i++) {
		const struct diag_entry *entry = &found.entries[i];
		struct diag_loc loc = {entry->file, entry->line, entry->col};

		if (entry->severity == DIAG_ERROR && !supported)
			continue;
		diag_add(diag, entry->severity, &loc, entry->hint, "%s", entry->text);
	}
	diag_free(&found);
	image_free(image);
	return err == -EINVAL && !supported ? 0 : err;
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
		err = try_compile(policy, add_missing(policy, &diag), &diag);
	print_diag(&diag);
	diag_free(&diag);
	policy_free(policy);
	return !err ? CLI_OK : err == -ENOMEM ? CLI_FAILED : CLI_USAGE;
}
