/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builds the node tree from the events of libyaml. Nodes and their text live in
 * an arena that is freed at once; depth and number are limited, so that hostile
 * text costs no more than a constant times its length.
 *
 * Runs of one-line items (yaml_run.h) are kept from libyaml: it gets the text
 * with one quoted word, the mark, in place of each run, and empty lines to keep the
 * numbers right. A mark that does not come back as one item of a list stood
 * in something larger, a quoted text say; then, and after any error, all is
 * forgotten and libyaml reads the text as it is.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "policy/yaml_doc.h"
#include "policy/yaml_run.h"

#define DEPTH_MAX   12
#define NODES_MAX   8000000
#define ARENA_CHUNK 65536

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t data[];
};

struct yaml_doc {
	struct chunk *chunks;
	struct node *root;
	size_t nodes;
};

/* Lines of the text that are items of one list, all indented alike. */
struct run {
	const char *text;
	size_t lines;
	unsigned line; /* of the first, from 1 */
};

/* U+F8FF, in private use: a text that holds it is read without runs. */
#define MARK	 "\xef\xa3\xbf"
#define MARK_LEN 3

/* A list or map that is still open. */
struct level {
	struct node *node, *last;
	bool value_next; /* map: the key has been read */
};

struct builder {
	struct yaml_doc *doc;
	yaml_parser_t parser;
	const char *text, *file;
	size_t len;
	struct diag *diag;
	struct level levels[DEPTH_MAX];
	unsigned depth;
	struct run *runs;
	size_t run_count, run_cap, next_run;
	char *marked; /* the text with marks */
	size_t marked_len;
};

static void *arena_alloc(struct yaml_doc *doc, size_t len)
{
	struct chunk *chunk = doc->chunks;
	size_t size;
	void *mem;

	len = (len + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (!chunk || chunk->size - chunk->used < len) {
		size = len > ARENA_CHUNK ? len : ARENA_CHUNK;
		chunk = malloc(sizeof(*chunk) + size);
		if (!chunk)
			return NULL;
		chunk->next = doc->chunks;
		chunk->used = 0;
		chunk->size = size;
		doc->chunks = chunk;
	}
	mem = (char *)chunk->data + chunk->used;
	chunk->used += len;
	return memset(mem, 0, len);
}

/* The place of a message; libyaml counts from 0. */
static int refuse(struct builder *b, const yaml_mark_t *mark, const char *hint, const char *what)
{
	struct diag_loc loc = {b->file, mark->line + 1, mark->column + 1};

	diag_add(b->diag, DIAG_ERROR, &loc, hint, "%s", what);
	return -EINVAL;
}

/* Does line `line` (from 0) of the text hold this? */
static bool line_has(const struct builder *b, size_t line, const char *what)
{
	const char *at = b->text, *end = b->text + b->len, *eol;

	for (; line && at < end; line--) {
		eol = memchr(at, '\n', (size_t)(end - at));
		at = eol ? eol + 1 : end;
	}
	eol = memchr(at, '\n', (size_t)(end - at));
	return memmem(at, (size_t)((eol ? eol : end) - at), what, strlen(what));
}

/* libyaml found the text not to be YAML, or not UTF-8. */
static int refuse_syntax(struct builder *b)
{
	const yaml_parser_t *parser = &b->parser;
	struct diag_loc loc = {b->file, parser->problem_mark.line + 1,
			       parser->problem_mark.column + 1};
	const char *hint;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR) {
		loc.line = loc.col = 1;
		for (size_t i = 0; i < parser->problem_offset; i++) {
			loc.col++;
			if (b->text[i] == '\n')
				loc.line++, loc.col = 1;
		}
		diag_add(b->diag, DIAG_ERROR, &loc, NULL, "not plain UTF-8 text: %s",
			 parser->problem ? parser->problem : "unreadable");
		return -EINVAL;
	}
	hint = line_has(b, parser->problem_mark.line, "::")
		       ? "an IPv6 address that begins or ends with ':' must stand in quotes"
		       : NULL;
	if (parser->context && parser->context_mark.line != parser->problem_mark.line)
		diag_add(b->diag, DIAG_ERROR, &loc, hint,
			 "not valid YAML: %s %s that begins on line %zu", parser->problem,
			 parser->context, parser->context_mark.line + 1);
	else
		diag_add(b->diag, DIAG_ERROR, &loc, hint, "not valid YAML: %s%s%s",
			 parser->problem ? parser->problem : "unknown error",
			 parser->context ? " " : "", parser->context ? parser->context : "");
	return -EINVAL;
}

static struct node *node_new(struct builder *b, enum node_kind kind, const yaml_mark_t *mark)
{
	struct node *node = arena_alloc(b->doc, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	node->line = mark->line + 1;
	node->col = mark->column + 1;
	return node;
}

/* Hangs a node under the innermost open list or map. */
static int attach(struct builder *b, struct node *node, const yaml_mark_t *mark)
{
	struct level *level = b->depth ? &b->levels[b->depth - 1] : NULL;

	if (++b->doc->nodes > NODES_MAX)
		return refuse(b, mark, NULL, "the policy is too large");
	if (!level) {
		b->doc->root = node;
		return 0;
	}
	if (level->node->kind == NODE_MAP) {
		if (!level->value_next) {
			if (node->kind != NODE_SCALAR)
				return refuse(b, mark, NULL, "a key must be a word");
			if (!*node->text)
				return refuse(b, mark, NULL, "the key is missing before ':'");
			if (!strcmp(node->text, "<<"))
				return refuse(b, mark, NULL, "merge keys are not used in a policy");
		} else {
			level->node->count++;
		}
		level->value_next = !level->value_next;
	} else {
		level->node->count += node->kind == NODE_RUN ? node->count : 1;
	}
	if (level->last)
		level->last->next = node;
	else
		level->node->first = node;
	level->last = node;
	return 0;
}

/* A mark that libyaml gave back: the next run, if it is an item of a list. */
static int add_run(struct builder *b, const yaml_event_t *event)
{
	const struct level *level = b->depth ? &b->levels[b->depth - 1] : NULL;
	const struct run *run = &b->runs[b->next_run];
	struct node *node;

	if (event->data.scalar.length != MARK_LEN || b->next_run == b->run_count || !level ||
	    level->node->kind != NODE_LIST || b->depth + 2 > DEPTH_MAX ||
	    run->line != event->start_mark.line + 1)
		return -EAGAIN;
	node = node_new(b, NODE_RUN, &event->start_mark);
	if (!node)
		return -ENOMEM;
	node->text = run->text;
	node->end = b->text + b->len;
	node->count = run->lines;
	b->next_run++;
	return attach(b, node, &event->start_mark);
}

static int add_scalar(struct builder *b, const yaml_event_t *event)
{
	const unsigned char *value = event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct node *node;
	char *text;

	if (event->data.scalar.anchor)
		return refuse(b, &event->start_mark, NULL, "anchors are not used in a policy");
	if (event->data.scalar.tag)
		return refuse(b, &event->start_mark, NULL, "tags are not used in a policy");
	if (event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
	    event->data.scalar.style == YAML_FOLDED_SCALAR_STYLE)
		return refuse(b, &event->start_mark, "put it on one line",
			      "block text is not used in a policy");
	if (b->runs && memmem(value, len, MARK, MARK_LEN))
		return add_run(b, event);
	for (size_t i = 0; i < len; i++)
		if (value[i] < ' ' || value[i] == 0x7f)
			return refuse(b, &event->start_mark, NULL,
				      "the text holds a control character");
	node = node_new(b, NODE_SCALAR, &event->start_mark);
	text = arena_alloc(b->doc, len + 1);
	if (!node || !text)
		return -ENOMEM;
	node->text = memcpy(text, value, len);
	return attach(b, node, &event->start_mark);
}

static int open_level(struct builder *b, enum node_kind kind, const yaml_event_t *event,
		      const void *anchor, const void *tag)
{
	struct node *node;
	int err;

	if (anchor)
		return refuse(b, &event->start_mark, NULL, "anchors are not used in a policy");
	if (tag)
		return refuse(b, &event->start_mark, NULL, "tags are not used in a policy");
	if (b->depth == DEPTH_MAX)
		return refuse(b, &event->start_mark, NULL, "nested too deeply");
	node = node_new(b, kind, &event->start_mark);
	if (!node)
		return -ENOMEM;
	err = attach(b, node, &event->start_mark);
	if (err)
		return err;
	b->levels[b->depth++] = (struct level){.node = node};
	return 0;
}

static int by_text(const void *a, const void *b)
{
	const struct node *const *x = a, *const *y = b;
	int order = strcmp((*x)->text, (*y)->text);

	if (order)
		return order;
	/* The earlier one first: the later one is the duplicate. */
	if ((*x)->line != (*y)->line)
		return (*x)->line < (*y)->line ? -1 : 1;
	return (*x)->col < (*y)->col ? -1 : (*x)->col > (*y)->col;
}

/* Sorted, since a map of filter lists may have many thousand keys. */
static int check_duplicates(struct builder *b, const struct node *map)
{
	const struct node **keys, *key;
	size_t count = 0;
	int err = 0;

	if (map->count < 2)
		return 0;
	keys = malloc(map->count * sizeof(const struct node *));
	if (!keys)
		return -ENOMEM;
	for (key = map->first; key; key = key->next->next)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), by_text);
	for (size_t i = 1; i < count; i++) {
		struct diag_loc loc = {b->file, keys[i]->line, keys[i]->col};

		if (strcmp(keys[i - 1]->text, keys[i]->text))
			continue;
		diag_add(b->diag, DIAG_ERROR, &loc, NULL,
			 "duplicate key '%.80s', already given on line %u", keys[i]->text,
			 keys[i - 1]->line);
		err = -EINVAL;
	}
	free(keys);
	return err;
}

static int close_level(struct builder *b)
{
	struct node *node = b->levels[--b->depth].node;

	return node->kind == NODE_MAP ? check_duplicates(b, node) : 0;
}

static int take_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		if (b->doc->root)
			return refuse(b, &event->start_mark, NULL,
				      "a policy is one document, a second one begins here");
		if (event->data.document_start.version_directive ||
		    event->data.document_start.tag_directives.start !=
			    event->data.document_start.tag_directives.end)
			return refuse(b, &event->start_mark, NULL,
				      "directives are not used in a policy");
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(b, &event->start_mark, NULL, "aliases are not used in a policy");
	case YAML_SCALAR_EVENT:
		return add_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_level(b, NODE_LIST, event, event->data.sequence_start.anchor,
				  event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return open_level(b, NODE_MAP, event, event->data.mapping_start.anchor,
				  event->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_level(b);
	}
	return 0;
}

static int build(struct builder *b)
{
	yaml_event_t event;
	bool done = false;
	int err = 0;

	while (!err && !done) {
		if (!yaml_parser_parse(&b->parser, &event))
			return refuse_syntax(b);
		done = event.type == YAML_STREAM_END_EVENT;
		err = take_event(b, &event);
		yaml_event_delete(&event);
	}
	if (!err && !b->doc->root) {
		struct diag_loc loc = {b->file, 1, 1};

		diag_add(b->diag, DIAG_ERROR, &loc, NULL, "there is no policy in this file");
		err = -EINVAL;
	}
	return err;
}

/* Reads `text` with libyaml; the runs, if any, are in b. */
static int parse(struct builder *b, const char *text, size_t len)
{
	int err;

	b->doc = calloc(1, sizeof(*b->doc));
	if (!b->doc)
		return -ENOMEM;
	if (!yaml_parser_initialize(&b->parser)) {
		yaml_doc_free(b->doc);
		return -ENOMEM;
	}
	yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b->parser, (const unsigned char *)text, len);
	err = build(b);
	yaml_parser_delete(&b->parser);
	if (!err && b->next_run < b->run_count)
		err = -EAGAIN;
	if (err)
		yaml_doc_free(b->doc);
	return err;
}

static struct builder builder(const char *text, size_t len, const char *file, struct diag *diag)
{
	bool bom = len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3);

	return (struct builder){.text = bom ? text + 3 : text,
				.len = bom ? len - 3 : len,
				.file = file,
				.diag = diag};
}

int yaml_doc_parse_events(const char *text, size_t len, const char *file, struct yaml_doc **ret,
			  struct diag *diag)
{
	struct builder b = builder(text, len, file, diag);
	int err = parse(&b, b.text, b.len);

	if (!err)
		*ret = b.doc;
	return err;
}

/* --------------------------------------------------------------------- runs */

static size_t indent(const char *text, const char *end)
{
	const char *at = text;

	while (at < end && *at == ' ')
		at++;
	return (size_t)(at - text);
}

/* A mark for a new run. */
static int begin_run(struct builder *b, const char *text, size_t blanks, unsigned line)
{
	if (b->run_count == b->run_cap) {
		size_t cap = b->run_cap ? 2 * b->run_cap : 64;
		struct run *runs = realloc(b->runs, cap * sizeof(*runs));

		if (!runs)
			return -ENOMEM;
		b->runs = runs;
		b->run_cap = cap;
	}
	b->runs[b->run_count++] = (struct run){text, 1, line};
	memset(b->marked + b->marked_len, ' ', blanks);
	memcpy(b->marked + b->marked_len + blanks, "- \"" MARK "\"\n", MARK_LEN + 5);
	b->marked_len += blanks + MARK_LEN + 5;
	return 0;
}

/* Finds the runs and writes the text with marks, which is never longer: `- ` and a map are more. */
static int find_runs(struct builder *b)
{
	const char *end = b->text + b->len, *eol;
	size_t blanks, run_blanks = 0;
	unsigned line = 1;
	bool in_run = false;
	int err;

	b->marked = malloc(b->len + 1);
	if (!b->marked)
		return -ENOMEM;
	for (const char *at = b->text; at < end; at = eol + 1, line++) {
		eol = memchr(at, '\n', (size_t)(end - at));
		if (!eol)
			eol = end;
		blanks = indent(at, eol);
		if (at + blanks == eol || at[blanks] != '-' ||
		    !yaml_run_line(at, eol, line, NULL)) {
			memcpy(b->marked + b->marked_len, at, (size_t)(eol - at));
			b->marked_len += (size_t)(eol - at);
			b->marked[b->marked_len] = '\n';
			b->marked_len += eol < end;
			in_run = false;
		} else if (in_run && blanks == run_blanks) {
			b->runs[b->run_count - 1].lines++;
			b->marked[b->marked_len++] = '\n';
		} else {
			err = begin_run(b, at, blanks, line);
			if (err)
				return err;
			in_run = true;
			run_blanks = blanks;
		}
	}
	return 0;
}

int yaml_doc_parse(const char *text, size_t len, const char *file, struct yaml_doc **ret,
		   struct diag *diag)
{
	struct diag forgotten = {0};
	struct builder b = builder(text, len, file, &forgotten);
	int err;

	if (memmem(text, len, MARK, MARK_LEN))
		return yaml_doc_parse_events(text, len, file, ret, diag);
	err = find_runs(&b);
	if (!err && b.run_count)
		err = parse(&b, b.marked, b.marked_len);
	else if (!err)
		err = -EAGAIN;
	if (!err)
		*ret = b.doc;
	free(b.runs);
	free(b.marked);
	diag_free(&forgotten);
	return err && err != -ENOMEM ? yaml_doc_parse_events(text, len, file, ret, diag) : err;
}

const struct node *node_first(struct node_iter *iter, const struct node *list)
{
	iter->next = list->first;
	iter->left = 0;
	return node_next(iter);
}

const struct node *node_next(struct node_iter *iter)
{
	const struct node *node = iter->next;
	const char *text, *eol;

	if (!iter->left) {
		if (!node)
			return NULL;
		iter->next = node->next;
		if (node->kind != NODE_RUN)
			return node;
		iter->line = node->text;
		iter->end = node->end;
		iter->left = node->count;
		iter->number = node->line;
	}
	text = iter->line;
	eol = memchr(text, '\n', (size_t)(iter->end - text));
	if (!eol)
		eol = iter->end;
	iter->left--;
	iter->line = eol + 1;
	/* It was read once before, so it can be read again. */
	if (!yaml_run_line(text, eol, iter->number++, &iter->scratch))
		return NULL;
	return iter->scratch.nodes;
}

const struct node *yaml_doc_root(const struct yaml_doc *doc)
{
	return doc->root;
}

void yaml_doc_free(struct yaml_doc *doc)
{
	struct chunk *next;

	if (!doc)
		return;
	for (struct chunk *chunk = doc->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(doc);
}
