/* SPDX-License-Identifier: BSD-2-Clause */
/* compile --stats: a compiled list in figures, as JSON and as text made of it. */
#include "compile/stats.h"
#include "view/image.h"
#include "view/table.h"

static json_t *space_json(const struct space_stats *space)
{
	json_t *json = json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:b, s:I, s:I}", "direction",
				 space->dir == XI_DIR_IN ? "in" : "out", "family", space->family,
				 "packets", space->frag ? "later fragments" : "whole", "filters",
				 (json_int_t)space->filters, "shapes", (json_int_t)space->shapes,
				 "alive", (json_int_t)space->alive, "exact", space->exact,
				 "tried_at_most", (json_int_t)space->bound, "dense",
				 (json_int_t)space->dense);

	if (json && space->iface_class >= 0)
		json_object_set_new(
			json, "interface",
			json_string(space->iface_class == XI_IFACE_LAN ? "lan" : "remote-access"));
	return json;
}

static json_t *tables_json(const struct image *image, size_t *ret_bytes)
{
	static const char *const names[] = {
#define XI_TABLE(NAME, name, type) name,
#include <xipsec/tables.def>
#undef XI_TABLE
	};
	json_t *tables = json_object();

	*ret_bytes = 0;
	for (int t = 0; t < XI_TABLE_MAX; t++) {
		const struct image_table *table = &image->tables[t];
		size_t size = (size_t)table->value_size * table->count;

		*ret_bytes += size;
		json_object_set_new(tables, names[t],
				    json_pack("{s:s, s:I, s:I, s:I}", "table", names[t], "values",
					      (json_int_t)table->count, "value_bytes",
					      (json_int_t)table->value_size, "bytes",
					      (json_int_t)size));
	}
	return tables;
}

json_t *view_image(const struct image *image, double load_s, double compile_s)
{
	struct space_stats spaces[XI_SPACES];
	int count = image_stats(image, spaces);
	json_t *list = json_array(), *tables;
	size_t bytes;

	for (int i = 0; i < count; i++)
		json_array_append_new(list, space_json(&spaces[i]));
	tables = tables_json(image, &bytes);
	return json_pack("{s:{s:I, s:I, s:f, s:f, s:f, s:o, s:o}}", "stats", "filters",
			 (json_int_t)image->count, "bytes", (json_int_t)bytes, "bytes_per_filter",
			 image->count ? (double)bytes / image->count : 0, "load_ms", load_s * 1e3,
			 "compile_ms", compile_s * 1e3, "spaces", list, "tables", tables);
}

void view_print_image(FILE *out, const json_t *data)
{
	static const struct column spaces[] = {
		{"direction", "direction"}, {"family", "family"},
		{"interface", "interface"}, {"packets", "packets"},
		{"filters", "filters"},	    {"shapes", "shapes"},
		{"alive", "alive"},	    {"tried at most", "tried_at_most"},
		{"dense", "dense"},
	};
	static const struct column tables[] = {
		{"table", "table"},
		{"values", "values"},
		{"of bytes", "value_bytes"},
		{"bytes", "bytes"},
	};
	json_t *stats = json_object_get(data, "stats"), *list = json_array(), *table;
	const char *name;

	json_object_foreach(json_object_get(stats, "tables"), name, table)
		json_array_append(list, table);
	fprintf(out,
		"%" JSON_INTEGER_FORMAT " filters in %" JSON_INTEGER_FORMAT
		" bytes of tables, %.0f a filter\n",
		json_integer_value(json_object_get(stats, "filters")),
		json_integer_value(json_object_get(stats, "bytes")),
		json_real_value(json_object_get(stats, "bytes_per_filter")));
	fprintf(out, "read in %.1f ms, compiled in %.1f ms\n\n",
		json_real_value(json_object_get(stats, "load_ms")),
		json_real_value(json_object_get(stats, "compile_ms")));
	view_table(out, json_object_get(stats, "spaces"), spaces, sizeof(spaces) / sizeof(*spaces));
	fprintf(out, "\nalive: the most shapes that hold filters for the addresses of one packet; "
		     "tried at "
		     "most:\nno lookup tries more, a shape that is kept in parts counted as many; "
		     "dense:\nfilters that are searched beside them in bounded time\n\n");
	view_table(out, list, tables, sizeof(tables) / sizeof(*tables));
	json_decref(list);
}
