/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A dry run says what the programs in force would do, with the list in force, and
 * leaves no trace: no counter moves, no event is sent, no fragment is remembered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/compile_text.h"
#include "compile/explain.h"
#include "datapath/datapath.h"
#include "datapath/dryrun.h"
#include "util/addr.h"
#include "util/synth.h"

static const char text[] =
	"filter-lists:\n"
	"  web: [{src: any, dst: me, proto: tcp, dst-port: 443}]\n"
	"  ping: [{src: any, dst: me, proto: icmp, icmp-type: 8, icmp-code: 0}]\n"
	"  unwanted: [{src: [198.51.100.0/24, \"2001:db8::/32\"], dst: me}]\n"
	"  database: [{src: me, dst: 10.2.0.0/16, proto: udp, dst-port: 5000-5001}]\n"
	"  rest: [{src: any, dst: me, proto: tcp}]\n"
	"rules:\n"
	"  - {name: web, filter-list: web, action: permit}\n"
	"  - {name: ping, filter-list: ping, action: permit}\n"
	"  - {name: unwanted, filter-list: unwanted, action: block}\n"
	"  - {name: database, filter-list: database, action: protect, auth: [kerberos]}\n"
	"  - {name: rest, filter-list: rest, action: block}\n";

struct scene {
	struct image *image;
	struct testrun *run;
	struct datapath *dp;
};

static int begin(void **state)
{
	struct compile_opts opts = {0};
	struct scene *s = calloc(1, sizeof(*s));
	struct testrun_opts run_opts = {.all_me = true, .owns_esp = true};
	struct diag diag = {0};
	char *said;

	assert_non_null(s);
	s->image = compile_text(text, &opts, 0, NULL);
	if (testrun_open(s->image, &run_opts, &s->run, &diag)) {
		said = diag_text(&diag);
		print_error("%s", said);
		free(said);
		return -1;
	}
	diag_free(&diag);
	s->dp = testrun_datapath(s->run);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct scene *s = *state;

	testrun_close(s->run);
	image_free(s->image);
	free(s);
	return 0;
}

static struct xi_pkt packet(enum xi_dir dir, const char *remote, uint8_t proto,
			    uint16_t remote_port, uint16_t local_port)
{
	struct xi_pkt pkt = {
		.dir = dir, .proto = proto, .remote_port = remote_port, .local_port = local_port};
	struct xi_addr addr, local;

	assert_int_equal(xi_addr_parse(remote, &addr), 0);
	assert_int_equal(xi_addr_parse(addr.family == 4 ? "192.0.2.1" : "2001:db8:1::1", &local),
			 0);
	pkt.family = addr.family;
	memcpy(pkt.remote, addr.b, 16);
	memcpy(pkt.local, local.b, 16);
	pkt.flags = XI_PKT_LOCAL_IS_ME;
	return pkt;
}

static void run_dry(struct scene *s, const struct xi_pkt *pkt, struct testrun_result *ret)
{
	enum xi_hook hook = pkt->dir == XI_DIR_IN ? XI_HOOK_XDP_INGRESS : XI_HOOK_TC_EGRESS;
	uint8_t frame[SYNTH_MAX];
	struct diag diag = {0};
	char *said;
	int err = datapath_dry_run(s->dp, hook, 0, frame, synth_frame(pkt, frame), ret, &diag);

	if (err) {
		said = diag_text(&diag);
		print_error("%s", said);
		free(said);
	}
	diag_free(&diag);
	assert_int_equal(err, 0);
}

/* The frame is read as the packet that it was made of, and decided as the model does. */
static void expect_as_the_model(struct scene *s, const struct xi_pkt *pkt)
{
	struct xi_verdict want = model_classify(s->image, pkt);
	struct testrun_result got;

	run_dry(s, pkt, &got);
	assert_true(got.ip);
	assert_memory_equal(got.pkt.remote, pkt->remote, 16);
	assert_memory_equal(got.pkt.local, pkt->local, 16);
	assert_int_equal(got.pkt.family, pkt->family);
	assert_int_equal(got.pkt.proto, pkt->proto);
	assert_int_equal(got.pkt.dir, pkt->dir);
	assert_int_equal(got.pkt.remote_port, pkt->remote_port);
	assert_int_equal(got.pkt.local_port, pkt->local_port);
	assert_int_equal(got.pkt.icmp_type, pkt->icmp_type);
	assert_int_equal(got.pkt.icmp_code, pkt->icmp_code);
	assert_int_equal(got.action, want.action);
	assert_int_equal(got.filter_idx, want.filter_idx);
	assert_int_equal(got.generation, datapath_generation(s->dp));
}

static void it_decides_as_the_model_does(void **state)
{
	struct xi_pkt pkts[] = {
		packet(XI_DIR_IN, "203.0.113.5", 6, 40000, 443),
		packet(XI_DIR_IN, "203.0.113.5", 6, 40000, 80),
		packet(XI_DIR_IN, "198.51.100.5", 6, 40000, 443),
		packet(XI_DIR_IN, "2001:db8::5", 17, 1, 2),
		packet(XI_DIR_IN, "2001:db9::5", 6, 1, 443),
		packet(XI_DIR_OUT, "10.2.3.4", 17, 5001, 33333),
		packet(XI_DIR_OUT, "10.2.3.4", 17, 5002, 33333),
		packet(XI_DIR_OUT, "2001:db9::5", 6, 40000, 443),
		packet(XI_DIR_IN, "203.0.113.5", 1, 0, 0),
		packet(XI_DIR_IN, "203.0.113.5", 47, 0, 0),
	};

	for (size_t i = 0; i < sizeof(pkts) / sizeof(*pkts); i++)
		expect_as_the_model(*state, &pkts[i]);
	pkts[8].icmp_type = 8;
	expect_as_the_model(*state, &pkts[8]);
	pkts[8].icmp_code = 1;
	expect_as_the_model(*state, &pkts[8]);
}

static void it_says_what_would_become_of_the_frame(void **state)
{
	struct xi_pkt blocked = packet(XI_DIR_IN, "198.51.100.5", 6, 40000, 443);
	struct xi_pkt passed = packet(XI_DIR_IN, "203.0.113.5", 6, 40000, 443);
	struct xi_pkt clear = packet(XI_DIR_IN, "10.2.3.4", 17, 5000, 1);
	struct testrun_result got;

	run_dry(*state, &blocked, &got);
	assert_int_equal(got.fate, TESTRUN_DROP);
	assert_int_equal(got.reason, XI_REASON_BLOCKED);
	run_dry(*state, &passed, &got);
	assert_int_equal(got.fate, TESTRUN_PASS);
	run_dry(*state, &clear, &got);
	assert_int_equal(got.fate, TESTRUN_DROP);
	assert_int_equal(got.reason, XI_REASON_CLEAR_INBOUND);
}

static void on_event(void *arg, const struct xi_event *event)
{
	++*(unsigned *)arg;
}

static uint64_t packets_counted(struct scene *s)
{
	struct xi_hits *counts = calloc(s->image->count, sizeof(*counts));
	struct xi_reason_counts reasons;
	struct xi_totals totals;
	uint64_t sum = 0;

	assert_int_equal(datapath_filter_counts(s->dp, counts, s->image->count), 0);
	assert_int_equal(datapath_reasons(s->dp, &reasons), 0);
	assert_int_equal(datapath_totals(s->dp, &totals), 0);
	for (size_t i = 0; i < s->image->count; i++)
		sum += counts[i].packets;
	for (int i = 0; i < XI_REASON_MAX; i++)
		sum += ((struct xi_count *)&reasons)[i].packets;
	for (size_t i = 0; i < sizeof(totals) / sizeof(struct xi_count); i++)
		sum += ((struct xi_count *)&totals)[i].packets;
	free(counts);
	return sum;
}

/* The same frame through the real hook counts and sends an event: so they could be seen. */
static void it_leaves_no_trace(void **state)
{
	struct scene *s = *state;
	struct xi_pkt pkt = packet(XI_DIR_OUT, "10.2.3.4", 17, 5001, 33333);
	struct testrun_result got;
	uint8_t frame[SYNTH_MAX];
	unsigned events = 0;

	datapath_events(s->dp, on_event, &events);
	events = 0;
	assert_int_equal(packets_counted(s), 0);
	run_dry(s, &pkt, &got);
	assert_int_equal(got.action, XI_ACT_NEGOTIATE);
	datapath_events(s->dp, on_event, &events);
	assert_int_equal(events, 0);
	assert_int_equal(packets_counted(s), 0);
	assert_int_equal(
		testrun_frame(s->run, XI_HOOK_TC_EGRESS, frame, synth_frame(&pkt, frame), &got), 0);
	datapath_events(s->dp, on_event, &events);
	assert_int_equal(events, 1);
	assert_true(packets_counted(s) > 0);
}

/* A lone later fragment, of both families: what explain says of it is what is done. */
static void a_later_fragment_is_one(void **state)
{
	static const struct {
		enum xi_dir dir;
		const char *remote;
		uint8_t proto;
		enum explain_lone lone;
		enum xi_action action;
	} cases[] = {
		{XI_DIR_IN, "198.51.100.5", 6, EXPLAIN_LONE_DECIDED, XI_ACT_BLOCK},
		{XI_DIR_IN, "198.51.100.5", 47, EXPLAIN_LONE_DECIDED, XI_ACT_BLOCK},
		{XI_DIR_OUT, "203.0.113.5", 47, EXPLAIN_LONE_UNDECIDED, XI_ACT_NONE},
		/* All UDP might be IKE, which is exempt. */
		{XI_DIR_IN, "198.51.100.5", 17, EXPLAIN_LONE_UNDECIDED, XI_ACT_BLOCK},
		{XI_DIR_IN, "203.0.113.5", 17, EXPLAIN_LONE_UNDECIDED, XI_ACT_NONE},
		{XI_DIR_IN, "203.0.113.5", 6, EXPLAIN_LONE_UNDECIDED, XI_ACT_BLOCK},
		{XI_DIR_OUT, "10.2.3.4", 17, EXPLAIN_LONE_UNDECIDED, XI_ACT_BLOCK},
		{XI_DIR_IN, "2001:db8::5", 17, EXPLAIN_LONE_UNDECIDED, XI_ACT_BLOCK},
		{XI_DIR_IN, "2001:db9::5", 17, EXPLAIN_LONE_UNDECIDED, XI_ACT_BLOCK},
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct explain_question q = {
			.pkt = packet(cases[i].dir, cases[i].remote, cases[i].proto, 0, 0)};
		struct explain_answer answer;
		struct testrun_result got;

		q.pkt.flags |= XI_PKT_LATER_FRAG;
		assert_int_equal(explain(s->image, &q, false, &answer), 0);
		assert_int_equal(answer.lone, cases[i].lone);
		assert_int_equal(answer.lone_action, cases[i].action);
		explain_free(&answer);
		run_dry(s, &q.pkt, &got);
		assert_true(got.ip);
		assert_true(got.pkt.flags & XI_PKT_LATER_FRAG);
		assert_int_equal(got.action, cases[i].action);
	}
}

/* It follows the list in force. */
static void after_a_swap_the_new_list_answers(void **state)
{
	struct scene *s = *state;
	struct xi_pkt pkt = packet(XI_DIR_IN, "203.0.113.5", 6, 40000, 443);
	struct compile_opts opts = {0};
	struct testrun_result got;
	struct image *image = compile_text("filter-lists:\n"
					   "  all: [{src: any, dst: me}]\n"
					   "rules:\n"
					   "  - {name: all, filter-list: all, action: block}\n",
					   &opts, 0, NULL);

	assert_int_equal(datapath_swap(s->dp, image, NULL), 0);
	run_dry(s, &pkt, &got);
	assert_int_equal(got.action, XI_ACT_BLOCK);
	assert_int_equal(got.generation, datapath_generation(s->dp));
	assert_int_equal(datapath_swap(s->dp, s->image, NULL), 0);
	run_dry(s, &pkt, &got);
	assert_int_equal(got.action, XI_ACT_PERMIT);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_decides_as_the_model_does),
		cmocka_unit_test(it_says_what_would_become_of_the_frame),
		cmocka_unit_test(it_leaves_no_trace),
		cmocka_unit_test(a_later_fragment_is_one),
		cmocka_unit_test(after_a_swap_the_new_list_answers),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
