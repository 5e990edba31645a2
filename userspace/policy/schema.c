/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading maps by tables, and the setters for plain members; see schema.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/schema.h"
#include "util/suggest.h"

#define KEYS_MAX 16

struct diag_loc load_loc(const struct loader *load, const struct node *node)
{
	return (struct diag_loc){load->policy->file, node->line, node->col};
}

/* A wall of messages helps nobody: past a limit they are counted, not shown. */
static void report(struct loader *load, const struct diag_loc *loc, enum diag_severity severity,
		   const char *hint, const char *fmt, va_list ap)
	__attribute__((format(printf, 5, 0)));

static void report(struct loader *load, const struct diag_loc *loc, enum diag_severity severity,
		   const char *hint, const char *fmt, va_list ap)
{
	bool error = severity == DIAG_ERROR;
	size_t *count = error ? &load->errors : &load->warnings;
	size_t max = error ? LOAD_ERRORS_MAX : LOAD_WARNINGS_MAX;
	char text[300];

	if (++*count > max) {
		if (*count == max + 1)
			diag_add(load->diag, severity, NULL, NULL,
				 "more than %zu %s, the rest is not shown", max,
				 error ? "errors" : "warnings");
		return;
	}
	vsnprintf(text, sizeof(text), fmt, ap);
	diag_add(load->diag, severity, loc, hint, "%s", text);
}

#define REPORT(load, loc, severity, hint, fmt)                                                     \
	do {                                                                                       \
		va_list ap;                                                                        \
		va_start(ap, fmt);                                                                 \
		report(load, loc, severity, hint, fmt, ap);                                        \
		va_end(ap);                                                                        \
	} while (0)

void load_error(struct loader *load, const struct node *node, const char *hint, const char *fmt,
		...)
{
	struct diag_loc loc = load_loc(load, node);

	REPORT(load, &loc, DIAG_ERROR, hint, fmt);
}

void load_warning(struct loader *load, const struct node *node, const char *hint, const char *fmt,
		  ...)
{
	struct diag_loc loc = load_loc(load, node);

	REPORT(load, &loc, DIAG_WARNING, hint, fmt);
}

void load_error_at(struct loader *load, const struct diag_loc *loc, const char *hint,
		   const char *fmt, ...)
{
	REPORT(load, loc, DIAG_ERROR, hint, fmt);
}

void load_warning_at(struct loader *load, const struct diag_loc *loc, const char *hint,
		     const char *fmt, ...)
{
	REPORT(load, loc, DIAG_WARNING, hint, fmt);
}

bool load_result(struct loader *load, const struct node *node, int err, const struct complaint *why)
{
	if (err == -ENOMEM)
		load->no_memory = true;
	else if (err)
		load_error(load, node, *why->hint ? why->hint : NULL, "%s", why->text);
	return !err;
}

bool load_expect(struct loader *load, const struct node *node, enum node_kind kind,
		 const char *what)
{
	static const char *const kinds[] = {
		[NODE_SCALAR] = "a word",
		[NODE_LIST] = "a list",
		[NODE_MAP] = "a map of keys and values",
	};

	if (node->kind == kind)
		return true;
	if (node->kind == NODE_SCALAR && !*node->text)
		load_error(load, node, NULL, "%s is empty: %s is expected", what, kinds[kind]);
	else
		load_error(load, node, NULL, "%s must be %s, not %s", what, kinds[kind],
			   kinds[node->kind]);
	return false;
}

const char *load_text(struct loader *load, const struct node *node, const char *what)
{
	if (!load_expect(load, node, NODE_SCALAR, what))
		return NULL;
	if (!*node->text) {
		load_error(load, node, NULL, "%s has no value", what);
		return NULL;
	}
	return node->text;
}

char *load_name(struct loader *load, const struct node *node, const char *what)
{
	const char *text = load_text(load, node, what);
	size_t len;

	if (!text)
		return NULL;
	len = strlen(text);
	if (len > POL_NAME_MAX)
		load_error(load, node, NULL, "the name of %s has %zu bytes, more than %d", what,
			   len, POL_NAME_MAX);
	else if (text[0] == ' ' || text[len - 1] == ' ')
		load_error(load, node, NULL, "the name of %s begins or ends with a space", what);
	else
		return load_strdup(load, text);
	return NULL;
}

void *load_array(struct loader *load, size_t count, size_t size)
{
	void *array = count ? calloc(count, size) : NULL;

	if (count && !array)
		load->no_memory = true;
	return array;
}

char *load_strdup(struct loader *load, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		load->no_memory = true;
	return copy;
}

/* A key that was meant by another one counts as given: one slip, one error. */
static void unknown_key(struct loader *load, const struct node *key, const struct table *table,
			bool *seen)
{
	const char *names[KEYS_MAX], *near;
	char hint[300];
	size_t len;

	for (size_t i = 0; i < table->count; i++)
		names[i] = table->fields[i].key;
	near = suggest(key->text, names, table->count);
	if (near) {
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
		for (size_t i = 0; i < table->count; i++)
			if (names[i] == near)
				seen[i] = true;
	} else {
		len = snprintf(hint, sizeof(hint), "known:");
		for (size_t i = 0; i < table->count && len < sizeof(hint); i++)
			len += snprintf(hint + len, sizeof(hint) - len, " %s", names[i]);
	}
	load_error(load, key, hint, "unknown key '%.80s' in %s", key->text, table->what);
}

bool load_map(struct loader *load, const struct node *map, const struct table *table, void *to)
{
	size_t errors = load->errors;
	bool seen[KEYS_MAX] = {false};

	_Static_assert(KEYS_MAX >= 16, "the largest table has 11 keys");
	if (!load_expect(load, map, NODE_MAP, table->what))
		return false;
	for (const struct node *key = map->first; key; key = key->next->next) {
		size_t i = 0;

		while (i < table->count && strcmp(key->text, table->fields[i].key))
			i++;
		if (i == table->count) {
			unknown_key(load, key, table, seen);
			continue;
		}
		seen[i] = true;
		if (table->fields[i].at)
			*(struct diag_loc *)((char *)to + table->fields[i].at) =
				load_loc(load, key->next);
		table->fields[i].set(load, key->next, (char *)to + table->fields[i].offset,
				     &table->fields[i]);
	}
	for (size_t i = 0; i < table->count; i++)
		if (table->fields[i].required && !seen[i])
			load_error(load, map, NULL, "%s needs '%s'", table->what,
				   table->fields[i].key);
	return load->errors == errors;
}

void set_name(struct loader *load, const struct node *value, void *to, const struct field *field)
{
	if (load_text(load, value, field->key))
		*(char **)to = load_name(load, value, "the policy");
}

void set_bool(struct loader *load, const struct node *value, void *to, const struct field *field)
{
	const char *text = load_text(load, value, field->key);

	if (!text)
		return;
	if (!strcmp(text, "true") || !strcmp(text, "false"))
		*(bool *)to = *text == 't';
	else
		load_error(load, value, "write true or false", "'%.60s' is neither true nor false",
			   text);
}

void set_duration(struct loader *load, const struct node *value, void *to,
		  const struct field *field)
{
	const char *text = load_text(load, value, field->key);
	const struct limits *limits = field->arg;
	char min[DURATION_TEXT], max[DURATION_TEXT];
	struct complaint why;
	uint32_t seconds;

	if (!text || !load_result(load, value, parse_duration(text, &seconds, &why), &why))
		return;
	if (seconds < limits->min || seconds > limits->max)
		load_error(load, value, NULL, "%s must be from %s to %s", field->key,
			   duration_text(limits->min, min), duration_text(limits->max, max));
	else
		*(uint32_t *)to = seconds;
}

void set_number(struct loader *load, const struct node *value, void *to, const struct field *field)
{
	const char *text = load_text(load, value, field->key);
	const struct limits *limits = field->arg;
	struct complaint why;
	uint32_t number;

	if (text &&
	    load_result(load, value,
			parse_number(text, field->key, limits->min, limits->max, &number, &why),
			&why))
		*(uint32_t *)to = number;
}

void set_choice(struct loader *load, const struct node *value, void *to, const struct field *field)
{
	const char *text = load_text(load, value, field->key), *near;
	const struct choices *choices = field->arg;
	char hint[100];
	size_t len;

	if (!text)
		return;
	for (size_t i = 0; i < choices->count; i++) {
		if (strcmp(text, choices->names[i]))
			continue;
		*(int *)to = (int)i;
		return;
	}
	near = suggest(text, choices->names, choices->count);
	if (near) {
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	} else {
		len = snprintf(hint, sizeof(hint), "known:");
		for (size_t i = 0; i < choices->count && len < sizeof(hint); i++)
			len += snprintf(hint + len, sizeof(hint) - len, " %s", choices->names[i]);
	}
	load_error(load, value, hint, "unknown %s '%.60s'", choices->what, text);
}

void set_map(struct loader *load, const struct node *value, void *to, const struct field *field)
{
	load_map(load, value, field->arg, to);
}

void set_node(struct loader *load, const struct node *value, void *to, const struct field *field)
{
	*(const struct node **)to = value;
}

static int by_name(const void *a, const void *b)
{
	const struct name_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int name_index_build(struct name_index *index, size_t count,
		     const char *(*name)(const void *, size_t), const void *of)
{
	index->entries = count ? malloc(count * sizeof(*index->entries)) : NULL;
	if (count && !index->entries)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (name(of, i))
			index->entries[index->count++] = (struct name_entry){name(of, i), i};
	if (index->count)
		qsort(index->entries, index->count, sizeof(*index->entries), by_name);
	return 0;
}

ssize_t name_index_find(const struct name_index *index, const char *name)
{
	struct name_entry key = {name, 0}, *found = NULL;

	if (index->count)
		found = bsearch(&key, index->entries, index->count, sizeof(key), by_name);
	return found ? (ssize_t)found->index : -1;
}

const char *name_index_near(const struct name_index *index, const char *name)
{
	const char **names = malloc((index->count + 1) * sizeof(*names)), *near;

	if (!names)
		return NULL;
	for (size_t i = 0; i < index->count; i++)
		names[i] = index->entries[i].name;
	near = suggest(name, names, index->count);
	free(names);
	return near;
}
