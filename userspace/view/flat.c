/* SPDX-License-Identifier: BSD-2-Clause */
/* Flat JSON without a tree; see flat.h. Never reads behind the end that it is given. */
#include <errno.h>
#include <string.h>

#include "view/flat.h"

static bool skip(struct flat_list *list, char c)
{
	if (list->at == list->end || *list->at != c)
		return false;
	list->at++;
	return true;
}

static bool skip_word(struct flat_list *list, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(list->end - list->at) < len || memcmp(list->at, word, len))
		return false;
	list->at += len;
	return true;
}

/* What is between the quotes, as it stands. */
static bool read_quoted(struct flat_list *list, const char **ret, size_t *ret_len,
			bool *ret_escapes)
{
	const char *at = list->at + 1;

	if (list->at == list->end || *list->at != '"')
		return false;
	*ret_escapes = false;
	for (; at < list->end && *at != '"'; at++) {
		if ((unsigned char)*at < ' ')
			return false;
		if (*at != '\\')
			continue;
		*ret_escapes = true;
		at++;
	}
	if (at >= list->end)
		return false;
	*ret = list->at + 1;
	*ret_len = at - *ret;
	list->at = at + 1;
	return true;
}

/* The object keeps what a string with escapes means. */
static int unescape(struct flat_object *object, struct flat_value *value)
{
	json_t *string = json_loadb(value->text - 1, value->len + 2, JSON_DECODE_ANY, NULL);

	if (!string)
		return -EINVAL;
	object->held = object->held ? object->held : json_array();
	/* Takes the reference, also when it fails. */
	if (json_array_append_new(object->held, string))
		return -ENOMEM;
	value->text = json_string_value(string);
	value->len = json_string_length(string);
	return 0;
}

static bool read_integer(struct flat_list *list, json_int_t *ret)
{
	bool negative = skip(list, '-');
	const char *begin = list->at;
	json_int_t number = 0;

	for (; list->at < list->end && *list->at >= '0' && *list->at <= '9'; list->at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *list->at - '0', &number))
			return false;
	*ret = negative ? -number : number;
	return list->at > begin;
}

static int read_value(struct flat_list *list, struct flat_object *object, struct flat_value *ret)
{
	struct flat_value value = {0};
	bool escapes = false;
	int err = 0;

	if (list->at == list->end)
		return -EINVAL;
	if (*list->at == '"') {
		value.kind = FLAT_STRING;
		if (!read_quoted(list, &value.text, &value.len, &escapes))
			return -EINVAL;
		if (escapes)
			err = unescape(object, &value);
	} else if (skip_word(list, "null")) {
		value.kind = FLAT_NULL;
	} else if (skip_word(list, "true") || skip_word(list, "false")) {
		value.kind = FLAT_BOOL;
		value.number = list->at[-2] == 'u';
	} else {
		value.kind = FLAT_INTEGER;
		err = read_integer(list, &value.number) ? 0 : -EINVAL;
	}
	*ret = value;
	return err;
}

static int read_pair(struct flat_list *list, struct flat_object *object)
{
	bool escapes;
	size_t n = object->count;

	if (n == FLAT_KEYS_MAX ||
	    !read_quoted(list, &object->pairs[n].key, &object->pairs[n].len, &escapes) || escapes ||
	    !skip(list, ':'))
		return -EINVAL;
	object->count++;
	return read_value(list, object, &object->pairs[n].value);
}

int flat_next(struct flat_list *list, struct flat_object *object)
{
	int err = 0;

	flat_object_free(object);
	object->count = 0;
	if (list->at == list->end)
		return 0;
	object->begin = list->at;
	if (!skip(list, '{'))
		return -EINVAL;
	while (!err && !skip(list, '}')) {
		if (object->count && !skip(list, ','))
			return -EINVAL;
		err = read_pair(list, object);
	}
	if (err)
		return err;
	object->end = list->at;
	/* A comma leads to another object. */
	if (list->at < list->end && (!skip(list, ',') || list->at == list->end))
		return -EINVAL;
	return 1;
}

void flat_object_free(struct flat_object *object)
{
	json_decref(object->held);
	object->held = NULL;
}

bool flat_answer(const char *text, size_t len, struct flat_list *ret)
{
	static const char begin[] = "{\"ok\":true,\"data\":[", end[] = "]}";
	const size_t head = sizeof(begin) - 1, tail = sizeof(end) - 1;

	while (len && text[len - 1] == '\n')
		len--;
	if (len < head + tail || memcmp(text, begin, head) || memcmp(text + len - tail, end, tail))
		return false;
	*ret = (struct flat_list){text + head, text + len - tail};
	return true;
}

static bool is_key(const struct flat_object *object, size_t i, const char *key, size_t len)
{
	return object->pairs[i].len == len && !memcmp(object->pairs[i].key, key, len);
}

struct flat_value flat_get(const struct flat_object *object, const char *key, unsigned *hint)
{
	size_t len = strlen(key);

	if (*hint < object->count && is_key(object, *hint, key, len))
		return object->pairs[*hint].value;
	for (size_t i = 0; i < object->count; i++)
		if (is_key(object, i, key, len)) {
			*hint = i;
			return object->pairs[i].value;
		}
	return (struct flat_value){.kind = FLAT_NONE};
}

struct flat_value flat_of(const json_t *value)
{
	if (!value)
		return (struct flat_value){.kind = FLAT_NONE};
	switch (json_typeof(value)) {
	case JSON_NULL:
		return (struct flat_value){.kind = FLAT_NULL};
	case JSON_TRUE:
	case JSON_FALSE:
		return (struct flat_value){.kind = FLAT_BOOL, .number = json_is_true(value)};
	case JSON_INTEGER:
		return (struct flat_value){.kind = FLAT_INTEGER,
					   .number = json_integer_value(value)};
	case JSON_STRING:
		return (struct flat_value){.kind = FLAT_STRING,
					   .text = json_string_value(value),
					   .len = json_string_length(value)};
	case JSON_REAL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return (struct flat_value){.kind = FLAT_OTHER};
}
