/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of JSON objects as tables for people. */
#ifndef VIEW_TABLE_H
#define VIEW_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "view/flat.h"

enum column_kind {
	COL_TEXT, /* strings and numbers as they are; null is "-" */
	COL_AGE,  /* a time in the past, as "3m" */
	COL_LEFT, /* a time to come, as "52m"; null is "never" */
	/* These look at more of the object than the one key. */
	COL_PROTO, /* of a filter: "tcp", "icmp 3/4" */
	COL_READY, /* of a role: "not needed" where nothing asks for it */
};

struct column {
	const char *title, *key;
	enum column_kind kind;
};

/* A line of titles, then one line an object. Columns are as wide as they must be. */
void view_table(FILE *out, const json_t *list, const struct column *columns, size_t count);

/* The same for a list that is text still. False, and nothing printed: it is not flat. */
bool view_table_flat(FILE *out, struct flat_list list, const struct column *columns, size_t count);

#define VIEW_CELL_MAX 80
/* One value as a cell shows it; what it returns may be in buf. */
const char *view_cell(const json_t *value, enum column_kind kind, char buf[VIEW_CELL_MAX]);
void view_age(long seconds, char *buf, size_t size);

#endif
