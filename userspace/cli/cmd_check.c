/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsec check: everything that can be wrong with a policy, without privilege.
 * What this version cannot carry out is a warning here; applying it is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/compiled.h"
#include "cli/output.h"
#include "compile/image.h"
#include "policy/policy.h"

static json_t *or_null(json_t *value, bool there)
{
	if (there)
		return value;
	json_decref(value);
	return json_null();
}

/* One object a line, on stdout. */
static void print_json(const struct diag *diag)
{
	static const char *const names[] = {"note", "warning", "error"};

	for (size_t i = 0; i < diag->count; i++) {
		const struct diag_entry *e = &diag->entries[i];
		json_t *line = json_pack("{s:s, s:o, s:o, s:o, s:s, s:o}", "severity",
					 names[e->severity], "file",
					 e->file ? json_string(e->file) : json_null(), "line",
					 or_null(json_integer(e->line), e->line), "col",
					 or_null(json_integer(e->col), e->col), "text", e->text,
					 "hint", e->hint ? json_string(e->hint) : json_null());

		cli_json_line(line, 0);
	}
}

static void print_diag(const struct diag *diag, bool json)
{
	char *text = json ? NULL : diag_text(diag);

	if (json)
		print_json(diag);
	if (text)
		fputs(text, stderr);
	else if (!json)
		cli_output_lost();
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
static int try_compile(const struct policy *policy, const struct cli_me *me, bool supported,
		       struct diag *diag)
{
	struct compile_opts opts = {.me = me->v, .me_count = me->count};
	struct image *image = NULL;
	struct diag found = {0};
	int err = compile_policy(policy, &opts, &image, &found);

	if (!err)
		err = compile_lint(policy, image, &opts, &found);
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
	struct cli_policy_args opt = {0};
	struct policy *policy = NULL;
	struct diag diag = {0};
	int err, rc = cli_policy_args(argc, argv, &opt, NULL);

	if (rc)
		goto out;
	err = policy_load(opt.file, &policy, &diag);
	if (!err)
		err = try_compile(policy, &opt.me, add_missing(policy, &diag), &diag);
	if (err && !diag.errors)
		diag_add(&diag, DIAG_ERROR, NULL, NULL, "%s: %s", opt.file, strerror(-err));
	if (cli_diag_cut(&diag))
		cli_output_lost();
	print_diag(&diag, opt.json);
	diag_free(&diag);
	policy_free(policy);
	rc = !err ? CLI_OK : err == -ENOMEM ? CLI_FAILED : CLI_USAGE;
out:
	free(opt.me.v);
	return rc;
}
