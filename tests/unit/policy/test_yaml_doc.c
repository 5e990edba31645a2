/* SPDX-License-Identifier: BSD-2-Clause */
/* The subset of YAML that a policy is written in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/yaml_doc.h"

static struct yaml_doc *parse(const char *text, char **ret_said)
{
	struct yaml_doc *doc = NULL;
	struct diag diag = {0};
	int err = yaml_doc_parse(text, strlen(text), "t", &doc, &diag);

	assert_int_equal(!err, !diag.errors);
	assert_int_equal(!err, doc != NULL);
	*ret_said = diag_text(&diag);
	diag_free(&diag);
	return doc;
}

static void nodes_know_their_places(void **state)
{
	char *said;
	struct yaml_doc *doc = parse("# first\nkey: value\nlist:\n  - {a: 1,\n     'b': \"2\"}\n",
				     &said);
	const struct node *node;

	assert_non_null(doc);
	node = yaml_doc_root(doc);
	assert_true(node->kind == NODE_MAP && node->count == 2);
	node = node->first;
	assert_string_equal(node->text, "key");
	assert_true(node->line == 2 && node->col == 1);
	assert_true(node->next->line == 2 && node->next->col == 6);
	node = node->next->next->next;
	assert_true(node->kind == NODE_LIST && node->count == 1);
	node = node->first;
	assert_true(node->kind == NODE_MAP && node->count == 2 && node->line == 4 &&
		    node->col == 5);
	node = node->first->next->next;
	assert_string_equal(node->text, "b");
	assert_true(node->line == 5 && node->col == 6);
	assert_string_equal(node->next->text, "2");
	assert_null(node->next->next);
	free(said);
	yaml_doc_free(doc);
}

static void scalars_are_text_whatever_they_look_like(void **state)
{
	static const char *const texts[] = {"null",	  "~", "yes", "0x1f", "1e3",
					    "2026-01-01", "=", "a#b", "c:d",  "-1"};
	char *said, text[40];
	struct yaml_doc *doc;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		snprintf(text, sizeof(text), "k: %s\n", texts[i]);
		doc = parse(text, &said);
		assert_non_null(doc);
		assert_string_equal(yaml_doc_root(doc)->first->next->text, texts[i]);
		free(said);
		yaml_doc_free(doc);
	}
}

static void the_rest_of_yaml_is_refused(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"a: &x 1", "t:1:4: error: anchors are not used in a policy\n"},
		{"a: *x", "t:1:4: error: aliases are not used in a policy\n"},
		{"a: !t 1", "t:1:4: error: tags are not used in a policy\n"},
		{"!t {a: 1}", "t:1:1: error: tags are not used in a policy\n"},
		{"<<: {}", "t:1:1: error: merge keys are not used in a policy\n"},
		{"[a]: 1", "t:1:1: error: a key must be a word\n"},
		{"{a: 1}: 1", "t:1:1: error: a key must be a word\n"},
		{"a: 1\na: 2", "t:2:1: error: duplicate key 'a', already given on line 1\n"},
		{"a: 1\n'a': 2", "t:2:1: error: duplicate key 'a', already given on line 1\n"},
		{"---\na: 1\n---\nb: 1",
		 "t:3:1: error: a policy is one document, a second one begins here\n"},
		{"%TAG ! t:\n---\na: 1", "t:1:1: error: directives are not used in a policy\n"},
		{"a: \"\\0\"", "t:1:4: error: the text holds a control character\n"},
		{"a: >\n  b", "t:1:4: error: block text is not used in a policy "
			      "(put it on one line)\n"},
		{"", "t:1:1: error: there is no policy in this file\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *said;

		assert_null(parse(cases[i].text, &said));
		assert_string_equal(said, cases[i].said);
		free(said);
	}
}

/* Deep nesting is refused at its limit, however deep it goes. */
static void depth_is_limited(void **state)
{
	char text[20001], *said;
	struct yaml_doc *doc;

	for (size_t depth = 1; depth <= 20000; depth = depth < 16 ? depth + 1 : depth * 5) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth <= 10000 ? depth : 0);
		text[depth <= 10000 ? 2 * depth : depth] = '\0';
		doc = parse(text, &said);
		if (depth <= 12)
			assert_non_null(doc);
		else
			assert_string_equal(said, "t:1:13: error: nested too deeply\n");
		free(said);
		yaml_doc_free(doc);
	}
}

/* The check for duplicates must hold among many keys as among few. */
static void a_duplicate_among_many_keys_is_found(void **state)
{
	char *text = NULL, *said;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct yaml_doc *doc;

	for (int i = 0; i < 50000; i++)
		fprintf(out, "key%d: 1\n", i * 7919 % 50000);
	fflush(out);
	doc = parse(text, &said);
	assert_non_null(doc);
	assert_int_equal(yaml_doc_root(doc)->count, 50000);
	free(said);
	yaml_doc_free(doc);
	fprintf(out, "key31: 2\n");
	fclose(out);
	assert_null(parse(text, &said));
	assert_non_null(strstr(said, "t:50001:1: error: duplicate key 'key31'"));
	free(said);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_know_their_places),
		cmocka_unit_test(scalars_are_text_whatever_they_look_like),
		cmocka_unit_test(the_rest_of_yaml_is_refused),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(a_duplicate_among_many_keys_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
