/* SPDX-License-Identifier: BSD-2-Clause */
/* What a listener of the monitor may ask for, and what it is shown then. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "compile/image.h"
#include "daemon/monitor_spec.h"

static struct monitor_spec spec;

static int ask(const char *text)
{
	json_error_t error;
	json_t *question = json_loads(text, 0, &error);
	const char *why = NULL;
	int rc;

	assert_non_null(question);
	rc = monitor_spec_parse(question, &spec, &why);
	if (rc)
		assert_non_null(why);
	json_decref(question);
	return rc;
}

static int forget(void **state)
{
	monitor_spec_free(&spec);
	return 0;
}

static struct xi_sample permitted(void)
{
	return (struct xi_sample){.hook = XI_HOOK_XDP_INGRESS,
				  .result = XDP_PASS,
				  .action = XI_ACT_PERMIT,
				  .frame_len = 60,
				  .captured = 60,
				  .pkt = {.dir = XI_DIR_IN, .family = 4}};
}

static struct xi_sample clear_inbound(void)
{
	struct xi_sample sample = permitted();

	sample.action = XI_ACT_NEGOTIATE;
	sample.reason = XI_REASON_CLEAR_INBOUND;
	sample.result = XDP_DROP;
	return sample;
}

static struct xi_sample held(void)
{
	struct xi_sample sample = permitted();

	sample.action = XI_ACT_NEGOTIATE;
	sample.reason = XI_REASON_HELD;
	sample.hook = XI_HOOK_TC_EGRESS;
	sample.result = TC_ACT_REDIRECT;
	sample.pkt.dir = XI_DIR_OUT;
	return sample;
}

static bool wants(struct xi_sample sample, const char *rule)
{
	return monitor_spec_wants(&spec, &sample, rule);
}

static void who_says_nothing_sees_everything(void **state)
{
	assert_int_equal(ask("{}"), 0);
	assert_int_equal(spec.every, 1);
	assert_true(spec.events);
	assert_true(wants(permitted(), "web"));
	assert_true(wants(permitted(), NULL));
	assert_true(wants(clear_inbound(), "database"));
	assert_true(wants(held(), "database"));
}

static void each_choice_narrows(void **state)
{
	assert_int_equal(ask("{\"verdicts\":[\"secure\",\"block\"]}"), 0);
	assert_false(wants(permitted(), "web"));
	assert_true(wants(clear_inbound(), "web"));
	forget(state);
	assert_int_equal(ask("{\"directions\":[\"out\"]}"), 0);
	assert_false(wants(clear_inbound(), "web"));
	assert_true(wants(held(), "web"));
	forget(state);
	assert_int_equal(ask("{\"reasons\":[\"clear-inbound\"]}"), 0);
	assert_false(wants(permitted(), "web"));
	assert_false(wants(held(), "web"));
	assert_true(wants(clear_inbound(), "web"));
	forget(state);
	assert_int_equal(ask("{\"dropped\":true}"), 0);
	assert_false(wants(permitted(), "web"));
	assert_false(wants(held(), "web"));
	assert_true(wants(clear_inbound(), "web"));
	forget(state);
	assert_int_equal(ask("{\"rules\":[\"web\",\"mail\"]}"), 0);
	assert_true(wants(permitted(), "mail"));
	assert_false(wants(permitted(), "telnet"));
	assert_false(wants(permitted(), NULL));
	forget(state);
	assert_int_equal(ask("{\"packets\":false}"), 0);
	assert_false(wants(permitted(), "web"));
}

static void the_filter_sees_the_frame_and_its_length(void **state)
{
	struct xi_sample sample = permitted();

	/* ether[12] = 8 and len = 60 */
	assert_int_equal(ask("{\"filter\":[[48,0,0,12],[21,0,3,8],[128,0,0,0],[21,0,1,60],"
			     "[6,0,0,1],[6,0,0,0]]}"),
			 0);
	assert_false(wants(sample, NULL));
	sample.frame[12] = 8;
	assert_true(wants(sample, NULL));
	sample.captured = 12; /* the byte is not in the sample */
	assert_false(wants(sample, NULL));
	sample.captured = 0xffffffff; /* never more than there is room for */
	assert_true(wants(sample, NULL));
	sample.frame_len = 61;
	assert_false(wants(sample, NULL));
}

/* A name that two kinds of filters have stands for both. */
static void rules_have_the_numbers_of_a_list(void **state)
{
	char *names[] = {"web", "mail", "exempt:ike", "exempt:rsvp", "exempt:ike"};
	struct filter filters[] = {
		{.rule = FILTER_BUILTIN, .rule_name = names[2]},
		{.rule = FILTER_BUILTIN, .rule_name = names[3]},
		{.rule = FILTER_BUILTIN, .rule_name = names[4]},
		{.rule = 1, .rule_name = names[1]},
		{.rule = 0, .rule_name = names[0]},
	};
	const struct image image = {
		.filters = filters, .count = 5, .names = names, .name_count = 5};
	struct datapath_rules rules;

	assert_int_equal(ask("{\"rules\":[\"mail\",\"nobody\",\"exempt:ike\"]}"), 0);
	assert_int_equal(monitor_spec_rules(&spec, &image, 8, &rules), 0);
	assert_int_equal(rules.generation, 8);
	assert_true(rules.count >= 1);
	assert_int_equal(rules.rule[0], 1);
	/* No filter has a rule of the number that a built-in name stands at. */
	assert_true(rules.count == 1 || (rules.count == 2 && rules.rule[1] == 2));
	assert_int_equal(rules.builtin_count, 2);
	assert_int_equal(rules.builtin[0], 0);
	assert_int_equal(rules.builtin[1], 2);
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {
		"{\"sample\":0}",
		"{\"sample\":-1}",
		"{\"sample\":1000000001}",
		"{\"sample\":\"10\"}",
		"{\"verdicts\":[]}",
		"{\"verdicts\":\"block\"}",
		"{\"verdicts\":[\"negotiate\"]}",
		"{\"verdicts\":[1]}",
		"{\"reasons\":[\"because\"]}",
		"{\"directions\":[\"up\"]}",
		"{\"rules\":[7]}",
		("{\"rules\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\","
		 "\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]}"),
		"{\"filter\":[]}",
		"{\"filter\":{}}",
		"{\"filter\":[[6,0,0]]}",
		"{\"filter\":[[6,0,0,\"1\"]]}",
		"{\"filter\":[[65536,0,0,0]]}",
		"{\"filter\":[[6,256,0,0]]}",
		"{\"filter\":[[6,0,0,4294967296]]}",
		"{\"filter\":[[6,0,0,-1]]}",
		"{\"filter\":[[5,0,0,1],[6,0,0,0]]}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (ask(bad[i]) != -EINVAL)
			fail_msg("%s is taken", bad[i]);
	/* A fixed place that no sample has. */
	assert_int_equal(ask("{\"filter\":[[48,0,0,128],[6,0,0,0]]}"), -ERANGE);
}

static void events_are_chosen_by_what_they_have(void **state)
{
	struct xi_event need_sa = {
		.kind = XI_EVENT_NEED_SA, .reason = XI_REASON_HELD, .pkt = {.dir = XI_DIR_OUT}};

	assert_int_equal(ask("{}"), 0);
	assert_true(monitor_spec_wants_event(&spec, &need_sa, "database"));
	forget(state);
	assert_int_equal(ask("{\"directions\":[\"in\"]}"), 0);
	assert_false(monitor_spec_wants_event(&spec, &need_sa, "database"));
	forget(state);
	assert_int_equal(ask("{\"rules\":[\"web\"]}"), 0);
	assert_false(monitor_spec_wants_event(&spec, &need_sa, "database"));
	forget(state);
	assert_int_equal(ask("{\"dropped\":true}"), 0);
	assert_false(monitor_spec_wants_event(&spec, &need_sa, "database"));
	forget(state);
	assert_int_equal(ask("{\"events\":false}"), 0);
	assert_false(monitor_spec_wants_event(&spec, &need_sa, "database"));
}

/* SAs and policies are shown beside the rest, not to those who look for something else. */
static void changes_are_for_those_who_did_not_choose_otherwise(void **state)
{
	static const struct {
		const char *question;
		bool web, other, policy, worker;
	} cases[] = {
		{"{}", true, true, true, true},
		{"{\"directions\":[\"in\"]}", true, true, true, true},
		{"{\"rules\":[\"web\"]}", true, false, false, false},
		{"{\"reasons\":[\"blocked\"]}", false, false, false, false},
		{"{\"reasons\":[\"esp-replay\"]}", false, false, false, true},
		{"{\"dropped\":true}", false, false, false, true},
		{"{\"events\":false}", false, false, false, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(ask(cases[i].question), 0);
		assert_int_equal(monitor_spec_wants_change(&spec, "web"), cases[i].web);
		assert_int_equal(monitor_spec_wants_change(&spec, "other"), cases[i].other);
		assert_int_equal(monitor_spec_wants_change(&spec, NULL), cases[i].policy);
		assert_int_equal(monitor_spec_wants_worker(&spec, XI_REASON_ESP_REPLAY),
				 cases[i].worker);
		monitor_spec_free(&spec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(who_says_nothing_sees_everything, forget),
		cmocka_unit_test_teardown(each_choice_narrows, forget),
		cmocka_unit_test_teardown(the_filter_sees_the_frame_and_its_length, forget),
		cmocka_unit_test_teardown(rules_have_the_numbers_of_a_list, forget),
		cmocka_unit_test_teardown(nonsense_is_refused, forget),
		cmocka_unit_test_teardown(changes_are_for_those_who_did_not_choose_otherwise,
					  forget),
		cmocka_unit_test_teardown(events_are_chosen_by_what_they_have, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
