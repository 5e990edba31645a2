/* SPDX-License-Identifier: BSD-2-Clause */
/* The host whose programs the tests of one hook run: who it is, its list, what is open. */
#ifndef TESTS_VERDICT_HOST_H
#define TESTS_VERDICT_HOST_H

#include "datapath/internal.h"
#include "tests/lib/verdict.h"

#define ME4 "192.0.2.1"
#define ME6 "2001:db8::1"
#define LO  1 /* the interface that a test run pretends to pass */

struct verdict_host {
	struct image *image;
	struct testrun *run;
	struct datapath *dp;
};

/*
 * For the setup and teardown of a group of tests: a host that is ME4 and ME6 and owns ESP, with
 * these filters in force. Both return 0; what goes wrong fails or skips the test.
 */
int verdict_host_open(struct verdict_host *host, const struct filter_spec *specs, size_t count);
int verdict_host_close(struct verdict_host *host);

#endif
