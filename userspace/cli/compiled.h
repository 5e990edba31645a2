/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands that compile a policy share: check, compile, explain, replay. */
#ifndef CLI_COMPILED_H
#define CLI_COMPILED_H

#include <stdbool.h>
#include <stddef.h>

#include <xipsec/addr.h>

#include "compile/image.h"

struct policy;

/* Addresses of --me ADDR, which may be given several times. */
struct cli_me {
	struct xi_addr *v;
	size_t count;
};

/* Takes one address; returns CLI_OK, or CLI_USAGE and has said why. */
int cli_me_add(struct cli_me *me, const char *command, const char *text);

/* Of check and compile: POLICY [--json] [--me ADDR]... */
struct cli_policy_args {
	const char *file;
	bool json;
	struct cli_me me; /* to be freed by the caller, in any case */
};

/* stats: --stats is taken too; NULL: it is not. CLI_OK, or CLI_USAGE and has said why. */
int cli_policy_args(int argc, char **argv, struct cli_policy_args *ret, bool *stats);

/* Was there no memory for the words of some of them? */
bool cli_diag_cut(const struct diag *diag);

/* Prints every entry to stderr, one line each, and empties it. */
void cli_print_diag(struct diag *diag);

/*
 * Loads and compiles the policy at `path`, tables and all; warnings and errors go to
 * stderr. Returns an exit code; on CLI_OK *ret_image (image_free) is there.
 */
int cli_compile(const char *path, const struct cli_me *me, struct image **ret_image);

/* Of a policy whose filters no tables can hold: an error, or a warning and no tables. */
enum cli_loadable { CLI_MUST_LOAD, CLI_MAY_NOT_LOAD };

/* How long reading the text and compiling it took. */
struct cli_times {
	double load_s, compile_s;
};

/*
 * The same, and on CLI_OK the policy (policy_free), for the places of its filters.
 * ret_times may be NULL.
 */
int cli_compile_policy(const char *path, const struct cli_me *me, enum cli_loadable loadable,
		       struct policy **ret_policy, struct image **ret_image,
		       struct cli_times *ret_times);

/* "permit", "block", "secure", "none": what replay and explain call an action. */
const char *cli_verdict(enum xi_action action);

#endif
