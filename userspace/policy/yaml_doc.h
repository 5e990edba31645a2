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

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	unsigned line, col; /* from 1 */
	const char *text;   /* scalar: printable, no NUL, no line break */
	struct node *first; /* children of a list, in order; of a map: key, value, key, ... */
	struct node *next;
	size_t count; /* elements of a list, pairs of a map */
};

struct yaml_doc;

/*
 * 0 and a document whose root is any node; -EINVAL with the reason in diag;
 * -ENOMEM. `file` is only used in messages.
 */
int yaml_doc_parse(const char *text, size_t len, const char *file, struct yaml_doc **ret,
		   struct diag *diag);
const struct node *yaml_doc_root(const struct yaml_doc *doc);
void yaml_doc_free(struct yaml_doc *doc);

#endif
