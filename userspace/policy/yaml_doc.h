/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of a policy as a tree of nodes with their places. A strict subset of
 * YAML: one document of mappings, lists and one-line scalars. Anchors, aliases,
 * tags, directives, merge keys, block text and duplicate keys are errors. What a
 * scalar means is for the schema to say: here it is only text.
 */
#ifndef POLICY_YAML_DOC_H
#define POLICY_YAML_DOC_H

#include <stddef.h>

#include <xipsec/diag.h>

enum node_kind {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAP,
	NODE_RUN, /* only inside yaml_doc.c: many items of a list */
};

struct node {
	enum node_kind kind;
	unsigned line, col; /* from 1 */
	const char *text;   /* scalar: printable, no NUL, no line break */
	union {
		struct node
			*first;	 /* of a map: key, value, key, ...; of a list: struct node_iter */
		const char *end; /* RUN: of the text */
	};
	struct node *next;
	size_t count; /* elements of a list, pairs of a map */
};

/* Where an item that has no place in the tree is put together. */
#define NODE_SCRATCH_NODES 64
#define NODE_SCRATCH_TEXT  2048
struct node_scratch {
	struct node nodes[NODE_SCRATCH_NODES];
	char text[NODE_SCRATCH_TEXT];
};

/*
 * The items of a list in order, which not all have a place in the tree. An item,
 * and all that hangs under it, is there until the next one is asked for:
 *
 *	for (item = node_first(&iter, list); item; item = node_next(&iter))
 */
struct node_iter {
	const struct node *next; /* in the tree */
	const char *line, *end;	 /* what is left of the run that is being read */
	size_t left;		 /* lines of it */
	unsigned number;
	struct node_scratch scratch;
};
const struct node *node_first(struct node_iter *iter, const struct node *list);
const struct node *node_next(struct node_iter *iter);

struct yaml_doc;

/*
 * 0 and a document whose root is any node; -EINVAL with the reason in diag;
 * -ENOMEM. `file` is only used in messages. The text must live as long as the
 * document.
 */
int yaml_doc_parse(const char *text, size_t len, const char *file, struct yaml_doc **ret,
		   struct diag *diag);
/* The same by libyaml alone, several times slower: what the tests compare with. */
int yaml_doc_parse_events(const char *text, size_t len, const char *file, struct yaml_doc **ret,
			  struct diag *diag);
const struct node *yaml_doc_root(const struct yaml_doc *doc);
void yaml_doc_free(struct yaml_doc *doc);

#endif
