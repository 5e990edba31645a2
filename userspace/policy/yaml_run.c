/* SPDX-License-Identifier: BSD-2-Clause */
/* One-line items of lists; see yaml_run.h. */
#include <string.h>

#include "policy/yaml_run.h"

#define KEY_MAX	 64
#define KEYS_MAX 24

/* What a character may do in a plain word. */
enum { INSIDE = 1, EDGE = 2 };

/* Letters, digits and what never is an indicator of YAML inside a word. */
static const unsigned char classes[256] = {
	['0' ... '9'] = INSIDE | EDGE,
	['a' ... 'z'] = INSIDE | EDGE,
	['A' ... 'Z'] = INSIDE | EDGE,
	['_'] = INSIDE | EDGE,
	['.'] = INSIDE,
	['/'] = INSIDE,
	['-'] = INSIDE,
	['+'] = INSIDE,
	['='] = INSIDE,
	['('] = INSIDE,
	[')'] = INSIDE,
	[';'] = INSIDE,
	[' '] = INSIDE,
};

struct scanner {
	const char *begin, *at, *end;
	unsigned line;
	struct node_scratch *out; /* or NULL */
	size_t nodes, used;	  /* so far, of either */
};

static void skip_blanks(struct scanner *s)
{
	while (s->at < s->end && *s->at == ' ')
		s->at++;
}

static bool take(struct scanner *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* The next node, placed at the character `at`. NULL when a line has too many. */
static struct node *new_node(struct scanner *s, enum node_kind kind, const char *at)
{
	static struct node unused;
	struct node *node;

	if (s->nodes == NODE_SCRATCH_NODES)
		return NULL;
	node = s->out ? &s->out->nodes[s->nodes] : &unused;
	s->nodes++;
	if (s->out)
		*node = (struct node){
			.kind = kind, .line = s->line, .col = (unsigned)(at - s->begin) + 1};
	return node;
}

static struct node *new_scalar(struct scanner *s, const char *place, const char *text, size_t len)
{
	struct node *node = new_node(s, NODE_SCALAR, place);

	if (!node || s->used + len + 1 > NODE_SCRATCH_TEXT)
		return NULL;
	if (s->out) {
		node->text = memcpy(s->out->text + s->used, text, len);
		s->out->text[s->used + len] = '\0';
	}
	s->used += len + 1;
	return node;
}

/* Letters and hyphens up to ": ". */
static struct node *read_key(struct scanner *s)
{
	const char *begin = s->at;

	while (s->at < s->end && (classes[(unsigned char)*s->at] & EDGE || *s->at == '-'))
		s->at++;
	if (s->at == begin || s->at - begin > KEY_MAX || *begin == '-' || s->end - s->at < 2 ||
	    s->at[0] != ':' || s->at[1] != ' ')
		return NULL;
	s->at += 2;
	return new_scalar(s, begin, begin, (size_t)(s->at - begin) - 2);
}

/* Text between quotes, without anything that an escape or a fold could be in. */
static struct node *read_quoted(struct scanner *s, char quote)
{
	const char *begin = ++s->at, *last;

	while (s->at < s->end && *s->at >= ' ' && *s->at <= '~' && *s->at != quote &&
	       *s->at != '\\')
		s->at++;
	last = s->at;
	if (!take(s, quote))
		return NULL;
	return new_scalar(s, begin - 1, begin, (size_t)(last - begin));
}

/* A plain word, perhaps with blanks inside. A colon must be followed by more of the word. */
static struct node *read_plain(struct scanner *s)
{
	const char *begin = s->at, *last;

	if (s->at == s->end || !(classes[(unsigned char)*s->at] & EDGE))
		return NULL;
	for (; s->at < s->end; s->at++) {
		if (classes[(unsigned char)*s->at] & INSIDE)
			continue;
		if (*s->at != ':' || s->at + 1 == s->end)
			break;
		if (s->at[1] != ':' && !(classes[(unsigned char)s->at[1]] & EDGE))
			break;
	}
	for (last = s->at; last[-1] == ' ';)
		last--;
	return new_scalar(s, begin, begin, (size_t)(last - begin));
}

static struct node *read_scalar(struct scanner *s)
{
	if (s->at < s->end && (*s->at == '"' || *s->at == '\''))
		return read_quoted(s, *s->at);
	return read_plain(s);
}

/* [a, b, c] */
static struct node *read_list(struct scanner *s)
{
	struct node *list = new_node(s, NODE_LIST, s->at++), *item, *last = NULL;
	size_t count = 0;

	if (!list)
		return NULL;
	do {
		skip_blanks(s);
		item = read_scalar(s);
		if (!item)
			return NULL;
		if (last && s->out)
			last->next = item;
		else if (s->out)
			list->first = item;
		last = item;
		count++;
		skip_blanks(s);
	} while (take(s, ','));
	if (s->out)
		list->count = count;
	return take(s, ']') ? list : NULL;
}

static bool is_new(const char *const keys[KEYS_MAX], const size_t lens[KEYS_MAX], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (lens[i] == lens[count] && !memcmp(keys[i], keys[count], lens[i]))
			return false;
	return true;
}

/* {key: value, ...} with a key once. */
static bool read_map(struct scanner *s)
{
	struct node *map = new_node(s, NODE_MAP, s->at++), *key, *value, *last = NULL;
	const char *keys[KEYS_MAX];
	size_t lens[KEYS_MAX], count = 0;

	do {
		skip_blanks(s);
		if (count == KEYS_MAX)
			return false;
		keys[count] = s->at;
		key = read_key(s);
		if (!key)
			return false;
		lens[count] = (size_t)(s->at - keys[count]) - 2;
		if (!is_new(keys, lens, count++))
			return false;
		skip_blanks(s);
		value = s->at < s->end && *s->at == '[' ? read_list(s) : read_scalar(s);
		if (!value)
			return false;
		if (s->out) {
			key->next = value;
			if (last)
				last->next = key;
			else
				map->first = key;
			last = value;
		}
		skip_blanks(s);
	} while (take(s, ','));
	if (s->out)
		map->count = count;
	return take(s, '}');
}

/* Behind the item: nothing, or a comment. */
static bool read_rest(struct scanner *s)
{
	const char *behind = s->at;

	skip_blanks(s);
	if (s->at == s->end)
		return true;
	if (s->at == behind || *s->at != '#')
		return false;
	while (s->at < s->end && *s->at >= ' ' && *s->at <= '~')
		s->at++;
	return s->at == s->end;
}

bool yaml_run_line(const char *text, const char *end, unsigned line, struct node_scratch *scratch)
{
	struct scanner s = {.begin = text, .at = text, .end = end, .line = line, .out = scratch};

	skip_blanks(&s);
	if (!take(&s, '-') || s.at == s.end || *s.at != ' ')
		return false;
	skip_blanks(&s);
	if (s.at == s.end || *s.at != '{' || !read_map(&s))
		return false;
	return read_rest(&s);
}
