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

/* The tree as text, with kinds and places. */
static void put_node(FILE *out, const struct node *node)
{
	fprintf(out, "%u:%u", node->line, node->col);
	if (node->kind == NODE_SCALAR) {
		fprintf(out, "'%s' ", node->text);
	} else if (node->kind == NODE_MAP) {
		fprintf(out, "{%zu ", node->count);
		for (const struct node *key = node->first; key; key = key->next)
			put_node(out, key);
		fprintf(out, "} ");
	} else {
		struct node_iter iter;

		assert_int_equal(node->kind, NODE_LIST);
		fprintf(out, "[%zu ", node->count);
		for (const struct node *item = node_first(&iter, node); item;
		     item = node_next(&iter))
			put_node(out, item);
		fprintf(out, "] ");
	}
}

typedef int parse_fn(const char *text, size_t len, const char *file, struct yaml_doc **ret,
		     struct diag *diag);

/* What came of a text: its tree, or what was said about it. */
static char *outcome(parse_fn *parse_text, const char *text, size_t len)
{
	struct yaml_doc *doc = NULL;
	struct diag diag = {0};
	char *result = NULL;
	size_t size;
	FILE *out;

	if (parse_text(text, len, "t", &doc, &diag)) {
		result = diag_text(&diag);
	} else {
		out = open_memstream(&result, &size);
		put_node(out, yaml_doc_root(doc));
		fclose(out);
		yaml_doc_free(doc);
	}
	diag_free(&diag);
	return result;
}

/* An exact copy on the heap, so that a sanitizer sees what is read behind its end. */
static void expect_the_same(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1), *fast, *plain;

	assert_non_null(copy);
	memcpy(copy, text, len);
	fast = outcome(yaml_doc_parse, copy, len);
	plain = outcome(yaml_doc_parse_events, copy, len);
	if (strcmp(fast, plain))
		print_message("%.*s\n", (int)len, text);
	assert_string_equal(fast, plain);
	free(fast);
	free(plain);
	free(copy);
}

/* Lines that are read without libyaml give what libyaml gives, wherever they stand. */
static void one_line_items_are_read_as_libyaml_does(void **state)
{
	static const char *const texts[] = {
		"a:\n  - {src: 10.0.0.0/8, dst: me, dst-port: 80-90}\n  - {src: any, dst: me}\n",
		"- {a: b}\n- {a: b}   # comment\n\n- {a: 'x y', b: \"\"}\n- c\n- {a: b}",
		"- {a: [b, c,d ,  e], f: primary and standby}\n-   { a :b}\n",
		"- {a: 2001:db8::1/64, b: x:y, c: d}\n- {a: db8::}\n",
		"- {a: b, a: c}\n",
		"- {a: b,}\n- {a: b}\n",
		"- {a: }\n",
		"- {a: 'it''s'}\n",
		"- {a: \"b\\n\"}\n",
		"- {a: b}\n  - {a: b}\n",
		"- {a: b}\n  more\n",
		"- {a: b}\n  : c\n",
		"- - {a: b}\n  - {a: b}\n",
		"a: \"text\n  - {a: b}\n  \"\n",
		"a: 'text\n  - {a: b}\n  '\n",
		"a: text\n  - {a: b}\n",
		"a: [x,\n - {a: b}\n ]\n",
		"a: |\n  - {a: b}\n",
		"a:\n- {a: b}\nb:\n- {a: b}\n- {c: d}\n",
		"- {a: b}\r\n- {a: b}\r\n",
		"- {a: b}\r- {c: d}\n- {a: b}\n",
		"- {a: b}\n- &x {a: b}\n- {a: b}\n",
		"- {a: b}\n---\n- {a: b}\n",
		"# \xef\xa3\xbf\n- {a: b}\n",
		"- \xef\xa3\xbf\n- {a: b}\n",
		"\xef\xbb\xbf- {a: b}\n- {a: b}\n",
		"- {a: b}\n-\t{a: b}\n- {a: b}\t\n",
		"- {a: b} # \xc3\xa4\n- {a: \xc3\xa4}\n- {a: b} # \xff\n",
		"- {a: b - c, d: e+f=(g);h, i: _j}\n- {-a: b}\n- {a: -b}\n- {a: b#c}\n",
		"- {a: b}x\n",
		"- {a: {b: c}, d: e}\n- {a: b}\n",
		"- [[[[[[[[[\n- {a: b}\n",
		"- - - - - - - - - - - {a: b}\n",
		"- - - - - - - - - - - {a: [b]}\n",
		"- - - - - - - - - -\n                    - {a: [b]}\n",
		"- - - - - - - - -\n                  - {a: [b]}\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		expect_the_same(texts[i], strlen(texts[i]));
}

/* The same for texts put together at random from pieces that matter. */
static void random_text_is_read_as_libyaml_does(void **state)
{
	static const char *const pieces[] = {
		"- {a: b}\n",
		"- {a: b}\n",
		"  - {c: 1.2.3.4/8, d: me}\n",
		"- ",
		"  ",
		"\n",
		"k:\n",
		"k: ",
		"x",
		"{",
		"}",
		", ",
		"[",
		"]",
		"\"",
		"'",
		"#",
		" # c\n",
		": ",
		"a: b",
		"- {a: b",
		"|\n",
		"\r",
		"\t",
		"- {a: [b, c], e: \"f g\"}\n",
		"  - {a: b}\n",
		"- {b: c}\n",
		"? ",
		"\xc2\x85",
	};
	size_t trees = 0;
	char text[400];

	srand(5);
	for (int i = 0; i < 60000; i++) {
		size_t len = 0;
		struct yaml_doc *doc = NULL;
		struct diag diag = {0};

		for (int n = rand() % 9; n >= 0; n--) {
			const char *piece = pieces[rand() % (sizeof(pieces) / sizeof(*pieces))];

			memcpy(text + len, piece, strlen(piece));
			len += strlen(piece);
		}
		expect_the_same(text, len);
		if (!yaml_doc_parse(text, len, "t", &doc, &diag))
			trees++;
		yaml_doc_free(doc);
		diag_free(&diag);
	}
	/* Else the pieces would only ever make nonsense. */
	assert_true(trees > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_know_their_places),
		cmocka_unit_test(scalars_are_text_whatever_they_look_like),
		cmocka_unit_test(the_rest_of_yaml_is_refused),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(one_line_items_are_read_as_libyaml_does),
		cmocka_unit_test(random_text_is_read_as_libyaml_does),
		cmocka_unit_test(a_duplicate_among_many_keys_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
