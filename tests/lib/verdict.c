/* SPDX-License-Identifier: BSD-2-Clause */
/* See verdict.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "datapath/datapath.h"
#include "tests/lib/verdict.h"
#include "util/addr.h"

#define XI_REASON(NAME, label, text) label,
static const char *const reason_names[] = {
#include <xipsec/reasons.def>
};
#undef XI_REASON

static const char *const fate_names[] = {"pass", "drop", "redirect"};

struct testrun *verdict_open(const struct image *image, const struct testrun_opts *opts)
{
	struct testrun *run = NULL;
	struct diag diag = {0};
	int err;

	if (geteuid()) {
		print_message("needs root to load BPF programs\n");
		skip();
	}
	err = testrun_open(image, opts, &run, &diag);
	if (err) {
		char *text = diag_text(&diag);

		fail_msg("testrun_open: %s\n%s", strerror(-err), text ? text : "");
	}
	diag_free(&diag);
	return run;
}

struct testrun_result verdict_of_frame(struct testrun *run, enum xi_hook hook,
				       const struct frame *frame)
{
	struct testrun_result result = {0};

	assert_int_equal(testrun_frame(run, hook, frame->data, frame->len, &result), 0);
	return result;
}

struct testrun_result verdict_of(struct testrun *run, enum xi_hook hook,
				 const struct frame_spec *spec)
{
	static struct frame frame;

	frame_build(&frame, spec);
	return verdict_of_frame(run, hook, &frame);
}

void verdict_expect(const char *file, int line, const struct testrun_result *result,
		    enum testrun_fate fate, enum xi_reason reason)
{
	if (result->fate == fate && result->reason == reason)
		return;
	print_error("expected %s (%s), got %s (%s)\n", fate_names[fate], reason_names[reason],
		    fate_names[result->fate], reason_names[result->reason]);
	_fail(file, line);
}

uint64_t verdict_reason(struct testrun *run, enum xi_reason reason)
{
	union {
		struct xi_reason_counts by_name;
		struct xi_count by_number[XI_REASON_MAX];
	} counts;

	assert_int_equal(datapath_reasons(testrun_datapath(run), &counts.by_name), 0);
	return counts.by_number[reason].packets;
}

struct taken {
	enum xi_event_kind kind;
	unsigned count;
	struct xi_event *ret;
};

static void take(void *arg, const struct xi_event *event)
{
	struct taken *taken = arg;

	if (event->kind != taken->kind)
		return;
	taken->count++;
	if (taken->ret)
		*taken->ret = *event;
}

unsigned verdict_events(struct testrun *run, enum xi_event_kind kind, struct xi_event *ret)
{
	struct taken taken = {.kind = kind, .ret = ret};

	assert_true(datapath_events(testrun_datapath(run), take, &taken) >= 0);
	return taken.count;
}

struct xi_addr verdict_addr(const char *text)
{
	struct xi_addr addr;

	assert_int_equal(xi_addr_parse(text, &addr), 0);
	return addr;
}
