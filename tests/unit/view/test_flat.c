/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists shown without a tree: what people and scripts see is the same as with one,
 * and what is not a flat list, or is cut short, is left to the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "compile/image.h"
#include "view/flat.h"
#include "view/view.h"

#define ANSWER(list) "{\"ok\":true,\"data\":[" list "]}\n"

/* As view_print() or view_print_json() has it when there is a tree. NULL: no JSON. */
static char *by_tree(const char *answer, size_t answer_len, bool json)
{
	json_t *tree = json_loadb(answer, answer_len, 0, NULL);
	char *text = NULL;
	size_t len;
	FILE *out;

	if (!tree)
		return NULL;
	out = open_memstream(&text, &len);
	if (json)
		view_print_json(out, json_object_get(tree, "data"));
	else
		view_print(out, "filters", json_object_get(tree, "data"));
	fclose(out);
	json_decref(tree);
	return text;
}

/* NULL: it is left to the tree; then nothing may be printed. The copy has no room behind it. */
static char *by_text(const char *answer, size_t answer_len, bool json)
{
	char *copy = malloc(answer_len ? answer_len : 1), *text = NULL;
	size_t len;
	FILE *out;
	bool done;

	assert_non_null(copy);
	memcpy(copy, answer, answer_len);
	out = open_memstream(&text, &len);
	done = json ? view_print_json_lines(out, copy, answer_len)
		    : view_print_filters(out, copy, answer_len);
	fclose(out);
	free(copy);
	if (done)
		return text;
	assert_int_equal(len, 0);
	free(text);
	return NULL;
}

static void expect_same(const char *answer, bool json)
{
	char *tree = by_tree(answer, strlen(answer), json);
	char *text = by_text(answer, strlen(answer), json);

	assert_non_null(tree);
	assert_non_null(text);
	assert_string_equal(text, tree);
	free(tree);
	free(text);
}

static const char filters[] = ANSWER(
	"{\"id\":1,\"rule\":\"web\",\"direction\":\"in\",\"remote\":\"0.0.0.0/0\",\"local\":\"me\","
	"\"proto\":6,\"remote_port\":\"any\",\"local_port\":\"443\",\"action\":\"permit\","
	"\"band\":\"rules\",\"packets\":12345678901,\"bytes\":0,\"last_hit\":1000000000},"
	"{\"id\":70000,\"rule\":\"a long name, and "
	"more\",\"direction\":\"out\",\"remote\":\"::/0\","
	"\"local\":\"2001:db8::/32\",\"proto\":58,\"remote_port\":\"any\",\"local_port\":\"any\","
	"\"action\":\"block\",\"band\":\"rules\",\"icmp_type\":128,\"icmp_code\":0,\"packets\":-1,"
	"\"bytes\":1,\"last_hit\":null},"
	"{\"rule\":\"\",\"id\":2,\"proto\":\"any\",\"bytes\":true,\"packets\":false,\"strange\":"
	"1}");

static void people_and_scripts_see_the_same(void **state)
{
	expect_same(filters, false);
	expect_same(filters, true);
	expect_same(ANSWER(""), false);
	expect_same(ANSWER(""), true);
	expect_same(ANSWER("{}"), false);
	expect_same(ANSWER("{}"), true);
}

static void names_with_escapes_are_names(void **state)
{
	static const char answer[] = ANSWER(
		"{\"id\":1,\"rule\":\"\\u0022odd\\u0022\",\"action\":\"a\\\\b\\u00e4\"},"
		"{\"id\":2,\"rule\":\"\xc3\xa4\"}");
	char *text = by_text(answer, strlen(answer), false);

	expect_same(answer, false);
	assert_non_null(strstr(text, "\"odd\""));
	assert_non_null(strstr(text, "a\\b\xc3\xa4"));
	free(text);
}

static void everything_else_is_left_to_the_tree(void **state)
{
	static const char *const others[] = {
		"",
		"{}",
		"{\"ok\":false,\"error\":\"no\"}\n",
		"{\"ok\":true,\"data\":{\"policy\":\"x\"}}\n",
		ANSWER("{\"id\":1,\"why\":{\"a\":1}}"),
		ANSWER("{\"id\":1,\"list\":[1]}"),
		ANSWER("{\"id\":1.5}"),
		ANSWER("{\"id\":1e3}"),
		ANSWER("{ \"id\":1}"),
		ANSWER("{\"id\":99999999999999999999}"),
		ANSWER("{\"id\":-}"),
		ANSWER("{\"id\":}"),
		ANSWER("{\"id\"}"),
		ANSWER("{\"id\":1,}"),
		ANSWER("{\"id\":1},"),
		ANSWER("{\"id\":1}{\"id\":2}"),
		ANSWER("{\"id\":nul}"),
		ANSWER("{\"id\":\"\\q\"}"),
		ANSWER("{\"id\":1},\"x\""),
		ANSWER("1"),
		"{\"ok\":true,\"data\":[{\"id\":1}],\"messages\":[]}\n",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		for (int json = 0; json < 2; json++)
			assert_null(by_text(others[i], strlen(others[i]), json));
}

/* A list that is cut somewhere is never taken for a shorter one. */
static void a_part_of_an_answer_is_no_answer(void **state)
{
	/* Without the end of line all of it is there. */
	for (size_t len = 0; len < sizeof(filters) - 2; len++)
		assert_null(by_text(filters, len, len & 1));
}

/* Whatever happens to a byte: what is shown is what the tree shows, or nothing. */
static void a_byte_that_is_another_one_changes_both_alike(void **state)
{
	char answer[sizeof(filters)];
	unsigned shown = 0;
	char *text, *tree;

	for (size_t at = 0; at < sizeof(filters) - 1; at++)
		for (unsigned byte = 1; byte < 128; byte += 3) {
			memcpy(answer, filters, sizeof(filters));
			answer[at] = byte;
			text = by_text(answer, sizeof(answer) - 1, false);
			if (!text)
				continue;
			tree = by_tree(answer, sizeof(answer) - 1, false);
			/* jansson takes no 007 and no NUL in a name; nobody here sends them. */
			if (tree)
				assert_string_equal(text, tree);
			shown++;
			free(text);
			free(tree);
		}
	assert_true(shown > 1000);
}

static void what_the_daemon_writes_is_flat(void **state)
{
	const struct filter filter = {.id = 7,
				      .rule_name = "quoted \"name\"",
				      .family = 4,
				      .action = XI_ACT_PERMIT,
				      .remote.addr.family = 4,
				      .local.addr.family = 4,
				      .proto_given = true,
				      .proto = 1,
				      .remote_port_hi = 65535,
				      .local_port_lo = 1,
				      .local_port_hi = 9,
				      .icmp_type = 3,
				      .icmp_code = 4,
				      .iface_class = XI_IFACE_LAN};
	const struct view_clock clock = {1000, 2000000};
	const struct xi_hits hits = {3, 4, 500000000};
	char line[VIEW_FILTER_MAX], answer[2 * VIEW_FILTER_MAX];
	size_t len = view_filter_line(line, &filter, &hits, &clock);

	snprintf(answer, sizeof(answer), "{\"ok\":true,\"data\":[%.*s]}\n", (int)len, line);
	expect_same(answer, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_and_scripts_see_the_same),
		cmocka_unit_test(names_with_escapes_are_names),
		cmocka_unit_test(everything_else_is_left_to_the_tree),
		cmocka_unit_test(a_part_of_an_answer_is_no_answer),
		cmocka_unit_test(a_byte_that_is_another_one_changes_both_alike),
		cmocka_unit_test(what_the_daemon_writes_is_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
