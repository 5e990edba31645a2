/* SPDX-License-Identifier: BSD-2-Clause */
/* Test runs of the datapath with the assertions that its tests share. */
#ifndef TESTS_VERDICT_H
#define TESTS_VERDICT_H

#include "datapath/testrun.h"
#include "tests/lib/filters.h"
#include "tests/lib/frame.h"

/* Opens a run or skips the test where BPF is not allowed. */
struct testrun *verdict_open(const struct image *image, const struct testrun_opts *opts);

/* One frame as described through one hook. */
struct testrun_result verdict_of(struct testrun *run, enum xi_hook hook,
				 const struct frame_spec *spec);
struct testrun_result verdict_of_frame(struct testrun *run, enum xi_hook hook,
				       const struct frame *frame);

/* Fails with both texts when fate and reason are not these. */
#define expect_fate(result, fate, reason)                                                          \
	verdict_expect(__FILE__, __LINE__, &(result), TESTRUN_##fate, XI_REASON_##reason)
void verdict_expect(const char *file, int line, const struct testrun_result *result,
		    enum testrun_fate fate, enum xi_reason reason);

/* Packets counted under a reason since the run was opened. */
uint64_t verdict_reason(struct testrun *run, enum xi_reason reason);

/* Takes all events that are there; returns how many, the last of this kind in *ret. */
unsigned verdict_events(struct testrun *run, enum xi_event_kind kind, struct xi_event *ret);

/* An xi_addr from text, for options. */
struct xi_addr verdict_addr(const char *text);

#endif
