/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The search for unreachable filters on ClassBench sets of 100,000: it comes to an
 * end within what `xipsec check` gives it, and no packet of the set's trace is
 * decided by a filter that it calls unreachable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "compile/reach.h"
#include "tests/lib/classbench.h"
#include "tests/lib/data.h"

#define BUDGET	50000000 /* as in lint.c */
#define PACKETS 200

static void check_set(const char *name)
{
	const struct compile_opts opts = {.no_tables = true};
	struct classbench set = {0};
	struct image *image = NULL;
	struct reach *reach;
	size_t found[4] = {0};
	char path[512];

	snprintf(path, sizeof(path), "%s/classbench/%s", data_root(), name);
	if (classbench_load(path, &set)) {
		print_message("skipped: %s is not there\n", path);
		return;
	}
	assert_int_equal(compile_filters(set.filters, set.count, NULL, &opts, &image, NULL), 0);
	reach = calloc(image->count, sizeof(*reach));
	assert_non_null(reach);
	assert_int_equal(reach_find(image->filters, image->count, &opts, BUDGET, reach), 0);
	for (size_t i = 0; i < image->count; i++)
		found[reach[i].state]++;
	print_message("%s: %zu of %zu filters never decide\n", name, found[REACH_NEVER],
		      image->count);
	assert_int_equal(found[REACH_UNKNOWN], 0);
	for (size_t i = 0; i < PACKETS && i < set.trace_count; i++) {
		size_t at = i * (set.trace_count / PACKETS);
		struct xi_verdict verdict = model_classify(image, &set.trace[at]);

		if (verdict.filter_idx != XI_NO_FILTER)
			assert_int_equal(reach[verdict.filter_idx].state, REACH_DECIDES);
	}
	free(reach);
	image_free(image);
	classbench_free(&set);
}

static void a_hundred_thousand_filters_are_looked_into(void **unused)
{
	static const char *const sets[] = {"acl1_100000", "acl3_100000", "acl4_100000",
					   "fw1_100000",  "fw4_100000",	 "ipc1_100000"};

	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		check_set(sets[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_thousand_filters_are_looked_into),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
