/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec show: the daemon's views as text or JSON. */
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "util/suggest.h"
#include "view/view.h"

static const char *const views[] = {"status", "policy", "filters", "mm",
				    "qm",     "peers",	"stats",   "exemptions"};
#define VIEWS (sizeof(views) / sizeof(*views))

static bool is_view(const char *word)
{
	for (size_t i = 0; i < VIEWS; i++)
		if (!strcmp(views[i], word))
			return true;
	return false;
}

int cmd_show(int argc, char **argv)
{
	const char *what = NULL, *near;
	bool json = false;
	json_t *data = NULL;
	int rc;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (argv[i][0] == '-' || what) {
			return cli_usage("show", "unexpected '%s'", argv[i]);
		} else {
			what = argv[i];
		}
	}
	what = what ? what : "status";
	if (!is_view(what)) {
		near = suggest(what, views, VIEWS);
		return cli_usage("show", "no view '%s'%s%s%s", what, near ? ", did you mean '" : "",
				 near ? near : "", near ? "'?" : "");
	}
	rc = ask(json_pack("{s:s, s:s}", "method", "show", "what", what), &data);
	if (rc)
		return rc;
	if (json)
		view_print_json(stdout, data);
	else
		view_print(stdout, what, data);
	json_decref(data);
	return CLI_OK;
}
