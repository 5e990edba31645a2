/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading and compiling a policy for a command; see compiled.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/compiled.h"
#include "cli/output.h"
#include "policy/policy.h"
#include "util/addr.h"

int cli_me_add(struct cli_me *me, const char *command, const char *text)
{
	struct xi_addr addr, *v;

	if (xi_addr_parse(text, &addr))
		return cli_usage(command, "'%s' is not an address", text);
	v = realloc(me->v, (me->count + 1) * sizeof(*v));
	if (!v) {
		fprintf(stderr, "xipsec: %s\n", strerror(ENOMEM));
		return CLI_FAILED;
	}
	me->v = v;
	me->v[me->count++] = addr;
	return CLI_OK;
}

int cli_policy_args(int argc, char **argv, struct cli_policy_args *ret, bool *stats)
{
	int rc = CLI_OK;

	for (int i = 1; !rc && i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			ret->json = true;
		else if (stats && !strcmp(argv[i], "--stats"))
			*stats = true;
		else if (!strcmp(argv[i], "--me") && i + 1 < argc)
			rc = cli_me_add(&ret->me, argv[0], argv[++i]);
		else if (argv[i][0] == '-' && argv[i][1])
			rc = cli_usage(argv[0], "unknown or incomplete option '%s'", argv[i]);
		else if (ret->file)
			rc = cli_usage(argv[0], "one policy at a time");
		else
			ret->file = argv[i];
	}
	return !rc && !ret->file ? cli_usage(argv[0], "which policy?") : rc;
}

bool cli_diag_cut(const struct diag *diag)
{
	size_t said = 0;

	for (size_t i = 0; i < diag->count; i++)
		said += diag->entries[i].severity != DIAG_NOTE;
	return said < diag->errors + diag->warnings;
}

void cli_print_diag(struct diag *diag)
{
	char *text = diag_text(diag);

	if (text)
		fputs(text, stderr);
	if (!text || cli_diag_cut(diag))
		cli_output_lost();
	free(text);
	diag_free(diag);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

/*
 * A policy whose tables were refused, as `diag` says: the filters that it amounts to
 * can still be told. An error of theirs stays one.
 */
static int compile_unloadable(const char *path, const struct policy *policy,
			      const struct compile_opts *opts, struct image **ret_image,
			      struct diag *diag)
{
	struct compile_opts filters_only = *opts;
	struct diag_loc loc = {.file = path};
	struct diag again = {0};
	int err;

	filters_only.no_tables = true;
	err = compile_policy(policy, &filters_only, ret_image, &again);
	diag_free(&again);
	if (err)
		return err;
	for (size_t i = 0; i < diag->count; i++)
		if (diag->entries[i].severity == DIAG_ERROR)
			diag->entries[i].severity = DIAG_WARNING;
	diag->warnings += diag->errors;
	diag->errors = 0;
	diag_add(diag, DIAG_WARNING, &loc, NULL,
		 "this policy cannot be loaded; the answer is what its filters would decide");
	return 0;
}

int cli_compile_policy(const char *path, const struct cli_me *me, enum cli_loadable loadable,
		       struct policy **ret_policy, struct image **ret_image,
		       struct cli_times *ret_times)
{
	struct compile_opts opts = {.me = me->v, .me_count = me->count};
	struct policy *policy = NULL;
	struct diag diag = {0};
	double start = seconds(), loaded;
	int err = policy_load(path, &policy, &diag);

	loaded = seconds();
	if (!err)
		err = compile_policy(policy, &opts, ret_image, &diag);
	if (err == -EINVAL && policy && loadable == CLI_MAY_NOT_LOAD)
		err = compile_unloadable(path, policy, &opts, ret_image, &diag);
	if (ret_times)
		*ret_times = (struct cli_times){loaded - start, seconds() - loaded};
	if (err && !diag.errors)
		diag_add(&diag, DIAG_ERROR, NULL, NULL, "%s: %s", path, strerror(-err));
	cli_print_diag(&diag);
	if (!err)
		*ret_policy = policy;
	else
		policy_free(policy);
	if (err == -ENOMEM)
		return CLI_FAILED;
	return err ? CLI_USAGE : CLI_OK;
}

int cli_compile(const char *path, const struct cli_me *me, struct image **ret_image)
{
	struct policy *policy = NULL;
	int rc = cli_compile_policy(path, me, CLI_MUST_LOAD, &policy, ret_image, NULL);

	policy_free(policy);
	return rc;
}

const char *cli_verdict(enum xi_action action)
{
	return action == XI_ACT_NEGOTIATE ? "secure" : action_name(action);
}
