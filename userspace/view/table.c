/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists as tables. The list is gone through twice, for the widths and for the
 * lines, and kept nowhere: there may be a million rows. See table.h.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/scalar.h"
#include "view/flat.h"
#include "view/table.h"
#include "view/view.h"

#define COLUMNS_MAX 16

/* One object, in one of two forms. */
struct row {
	const json_t *tree;
	const struct flat_object *flat;
};

struct rows {
	const json_t *list; /* or */
	struct flat_list flat;
	size_t index;
	struct flat_object object;
};

struct cell {
	const char *text;
	size_t len;
};

/* "45s", "12m", "3h10m", "4d2h": two units at most. */
void view_age(long seconds, char *buf, size_t size)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 60)
		snprintf(buf, size, "%lds", seconds);
	else if (seconds < 3600)
		snprintf(buf, size, "%ldm%lds", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		snprintf(buf, size, "%ldh%ldm", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(buf, size, "%ldd%ldh", seconds / 86400, seconds / 3600 % 24);
}

static struct cell cell(const char *text)
{
	return (struct cell){text, strlen(text)};
}

/* Most cells are numbers, and printf() takes its time. */
static struct cell number_cell(json_int_t number, char buf[VIEW_CELL_MAX])
{
	unsigned long long rest = number < 0 ? -(unsigned long long)number
					     : (unsigned long long)number;
	char *at = buf + VIEW_CELL_MAX - 1;

	*at = '\0';
	do {
		*--at = '0' + rest % 10;
		rest /= 10;
	} while (rest);
	if (number < 0)
		*--at = '-';
	return (struct cell){at, buf + VIEW_CELL_MAX - 1 - at};
}

static struct cell value_cell(const struct flat_value *value, enum column_kind kind,
			      char buf[VIEW_CELL_MAX])
{
	switch (value->kind) {
	case FLAT_NONE:
	case FLAT_NULL:
		return cell(kind == COL_LEFT ? "never" : "-");
	case FLAT_STRING:
		return value->len ? (struct cell){value->text, value->len} : cell("-");
	case FLAT_BOOL:
		return cell(value->number ? "yes" : "no");
	case FLAT_INTEGER:
		if (kind != COL_AGE && kind != COL_LEFT)
			return number_cell(value->number, buf);
		view_age(kind == COL_AGE ? time(NULL) - value->number : value->number - time(NULL),
			 buf, VIEW_CELL_MAX);
		return cell(buf);
	case FLAT_OTHER:
		break;
	}
	return cell("?");
}

const char *view_cell(const json_t *value, enum column_kind kind, char buf[VIEW_CELL_MAX])
{
	struct flat_value flat = flat_of(value);

	return value_cell(&flat, kind, buf).text;
}

const char *view_proto_text(int proto, int icmp_type, int icmp_code, char buf[VIEW_PROTO_MAX])
{
	char number[PROTO_TEXT];
	int n;

	if (proto < 0)
		return "any";
	n = snprintf(buf, VIEW_PROTO_MAX, "%s", proto_text(proto, number));
	if (icmp_type >= 0)
		n += snprintf(buf + n, VIEW_PROTO_MAX - n, " %d", icmp_type);
	if (icmp_code >= 0)
		snprintf(buf + n, VIEW_PROTO_MAX - n, "/%d", icmp_code);
	return buf;
}

static struct flat_value get(const struct row *row, const char *key, unsigned *hint)
{
	return row->flat ? flat_get(row->flat, key, hint)
			 : flat_of(json_object_get(row->tree, key));
}

static int number_or(const struct row *row, const char *key, int otherwise)
{
	unsigned hint = 0;
	struct flat_value value = get(row, key, &hint);

	return value.kind == FLAT_INTEGER ? (int)value.number : otherwise;
}

static struct cell row_cell(const struct row *row, const struct column *column, unsigned *hint,
			    char buf[VIEW_CELL_MAX])
{
	struct flat_value value;

	if (column->kind == COL_PROTO)
		return cell(view_proto_text(number_or(row, column->key, -1),
					    number_or(row, "icmp_type", -1),
					    number_or(row, "icmp_code", -1), buf));
	if (column->kind == COL_READY) {
		value = get(row, "wanted", hint);
		if (value.kind == FLAT_BOOL && !value.number)
			return cell("not needed");
	}
	value = get(row, column->key, hint);
	return value_cell(&value, column->kind, buf);
}

/* 1, 0 at the end, or as flat_next(). */
static int next_row(struct rows *rows, struct row *ret)
{
	int rc;

	if (rows->list) {
		*ret = (struct row){.tree = json_array_get(rows->list, rows->index++)};
		return !!ret->tree;
	}
	rc = flat_next(&rows->flat, &rows->object);
	*ret = (struct row){.flat = &rows->object};
	return rc;
}

static int measure(struct rows rows, const struct column *columns, size_t count, size_t *widths,
		   unsigned *hints)
{
	char buf[VIEW_CELL_MAX];
	struct row row;
	size_t len;
	int rc;

	for (size_t c = 0; c < count; c++)
		widths[c] = strlen(columns[c].title);
	while ((rc = next_row(&rows, &row)) > 0)
		for (size_t c = 0; c < count; c++) {
			len = row_cell(&row, &columns[c], &hints[c], buf).len;
			widths[c] = len > widths[c] ? len : widths[c];
		}
	flat_object_free(&rows.object);
	return rc;
}

/* The last column is not padded: no line ends in blanks. */
static void put_cell(FILE *out, struct cell cell, size_t width, bool last)
{
	static const char blanks[] = "                                ";
	size_t pad = last ? 0 : width - cell.len + 2, some;

	fwrite_unlocked(cell.text, 1, cell.len, out);
	for (; pad; pad -= some) {
		some = pad < sizeof(blanks) - 1 ? pad : sizeof(blanks) - 1;
		fwrite_unlocked(blanks, 1, some, out);
	}
	if (last)
		putc_unlocked('\n', out);
}

static bool print(FILE *out, struct rows rows, const struct column *columns, size_t count)
{
	unsigned hints[COLUMNS_MAX] = {0};
	size_t widths[COLUMNS_MAX];
	char buf[VIEW_CELL_MAX];
	struct row row;

	if (measure(rows, columns, count, widths, hints))
		return false;
	for (size_t c = 0; c < count; c++)
		put_cell(out, cell(columns[c].title), widths[c], c + 1 == count);
	while (next_row(&rows, &row) > 0)
		for (size_t c = 0; c < count; c++)
			put_cell(out, row_cell(&row, &columns[c], &hints[c], buf), widths[c],
				 c + 1 == count);
	flat_object_free(&rows.object);
	return true;
}

void view_table(FILE *out, const json_t *list, const struct column *columns, size_t count)
{
	print(out, (struct rows){.list = list ? list : json_null()}, columns, count);
}

bool view_table_flat(FILE *out, struct flat_list list, const struct column *columns, size_t count)
{
	return print(out, (struct rows){.flat = list}, columns, count);
}
