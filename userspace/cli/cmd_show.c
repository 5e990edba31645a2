/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec show: the daemon's views as text or JSON. */
#include <stdio.h>
#include <stdlib.h>
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

/* Lists of filters may be too long for the way that everything else takes. */
static bool show_filters(const char *what, bool json, const char *answer, size_t len)
{
	if (strcmp(what, "filters") && strcmp(what, "exemptions"))
		return false;
	return json ? view_print_json_lines(stdout, answer, len)
		    : view_print_filters(stdout, answer, len);
}

int cmd_show(int argc, char **argv)
{
	const char *what = NULL, *near;
	bool json = false;
	json_t *data = NULL;
	char *answer = NULL;
	size_t len;
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
	rc = ask_text(json_pack("{s:s, s:s}", "method", "show", "what", what), &answer, &len);
	if (rc || show_filters(what, json, answer, len))
		goto out;
	rc = ask_understand(answer, len, &data);
	if (rc)
		goto out;
	if (json)
		view_print_json(stdout, data);
	else
		view_print(stdout, what, data);
out:
	json_decref(data);
	free(answer);
	return rc;
}
