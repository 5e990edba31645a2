/* SPDX-License-Identifier: BSD-2-Clause */
/* ClassBench filter sets and traces (NAME.rules.xz, NAME.trace.xz), IPv4 and IPv6. */
#ifndef TESTS_CLASSBENCH_H
#define TESTS_CLASSBENCH_H

#include <stddef.h>

#include "compile/image.h"

struct classbench {
	struct filter *filters; /* direction in: source = remote; action by line number */
	size_t count;
	struct xi_pkt *trace;
	size_t trace_count;
};

/* path without ".rules.xz". 0, -ENOENT when the file is not there, -EINVAL, -ENOMEM. */
int classbench_load(const char *path, struct classbench *ret);
void classbench_free(struct classbench *set);

#endif
