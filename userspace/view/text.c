/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON to text for people. Lists are tables, one description of columns each;
 * a new key in the JSON becomes visible by a row here. See view.h.
 */
#include <stdlib.h>
#include <string.h>

#include "view/table.h"
#include "view/view.h"

static const char *text_of(const json_t *object, const char *key)
{
	static char bufs[4][VIEW_CELL_MAX];
	static unsigned at;

	return view_cell(json_object_get(object, key), COL_TEXT, bufs[at++ % 4]);
}

static const char *fragments_text(const json_t *reassembly)
{
	bool ipv4 = json_is_true(json_object_get(reassembly, "ipv4"));
	bool ipv6 = json_is_true(json_object_get(reassembly, "ipv6"));

	if (ipv4 && ipv6)
		return "put together before the verdict";
	if (ipv4 || ipv6)
		return ipv4 ? "put together before the verdict, of IPv6 judged one by one"
			    : "put together before the verdict, of IPv4 judged one by one";
	return "judged one by one; what overtakes its first one is dropped where ports decide";
}

static void print_status(FILE *out, const json_t *data)
{
	static const struct column ifaces[] = {
		{"interface", "name"}, {"state", "state"},	   {"in", "in"},
		{"out", "out"},	       {"rx queues", "rx_queues"}, {"worker", "worker"},
		{"queues", "queues"},  {"zero copy", "zero_copy"},
	};
	static const struct column roles[] = {
		{"role", "role"},	  {"interface", "interface"},
		{"pid", "pid"},		  {"ready", "ready", COL_READY},
		{"restarts", "restarts"},
	};
	char up[VIEW_CELL_MAX];
	json_t *iface;
	size_t i;

	view_age(json_integer_value(json_object_get(data, "uptime")), up, sizeof(up));
	fprintf(out, "instance    %s (xipsec %s), pid %s, up %s\n", text_of(data, "instance"),
		text_of(data, "version"), text_of(data, "pid"), up);
	fprintf(out, "policy      %s, generation %s, from %s\n", text_of(data, "policy"),
		text_of(data, "generation"), text_of(data, "file"));
	fprintf(out, "in force    %s filters, backend %s\n", text_of(data, "filters"),
		text_of(data, "backend"));
	fprintf(out, "up          %s main modes, %s quick modes\n", text_of(data, "main_modes"),
		text_of(data, "quick_modes"));
	fprintf(out, "fragments   %s\n\n", fragments_text(json_object_get(data, "reassembly")));
	view_table(out, json_object_get(data, "interfaces"), ifaces,
		   sizeof(ifaces) / sizeof(*ifaces));
	json_array_foreach(json_object_get(data, "interfaces"), i, iface)
		if (json_is_string(json_object_get(iface, "why")))
			fprintf(out, "%s: %s\n", text_of(iface, "name"), text_of(iface, "why"));
	if (json_integer_value(json_object_get(data, "interfaces_beyond")))
		fprintf(out, "%s more are wanted and NOT FILTERED: there is room for %s\n",
			text_of(data, "interfaces_beyond"), text_of(data, "interfaces_max"));
	fputc('\n', out);
	view_table(out, json_object_get(data, "roles"), roles, sizeof(roles) / sizeof(*roles));
}

static void print_policy(FILE *out, const json_t *data)
{
	fprintf(out, "# %s, generation %s\n%s", text_of(data, "file"), text_of(data, "generation"),
		json_string_value(json_object_get(data, "text")));
}

static const struct column filter_columns[] = {
	{"id", "id"},
	{"rule", "rule"},
	{"dir", "direction"},
	{"local", "local"},
	{"port", "local_port"},
	{"remote", "remote"},
	{"port", "remote_port"},
	{"proto", "proto", COL_PROTO},
	{"action", "action"},
	{"packets", "packets"},
	{"bytes", "bytes"},
	{"last hit", "last_hit", COL_AGE},
};
#define FILTER_COLUMNS (sizeof(filter_columns) / sizeof(*filter_columns))

static void print_filters(FILE *out, const json_t *data)
{
	view_table(out, data, filter_columns, FILTER_COLUMNS);
}

static void print_mm(FILE *out, const json_t *data)
{
	static const struct column columns[] = {
		{"peer", "peer"},
		{"local", "local"},
		{"state", "state"},
		{"ike", "version"},
		{"role", "role"},
		{"auth", "auth"},
		{"cipher", "cipher"},
		{"integrity", "integrity"},
		{"group", "group"},
		{"initiator spi", "initiator_spi"},
		{"responder spi", "responder_spi"},
		{"age", "created", COL_AGE},
		{"rekey in", "rekey_at", COL_LEFT},
	};

	view_table(out, data, columns, sizeof(columns) / sizeof(*columns));
}

/* Selectors as one word each, like "192.0.2.1 -> 192.0.2.2 tcp:5432": too wide for a table. */
static void print_qm(FILE *out, const json_t *data)
{
	json_t *entry, *sel;
	char age[VIEW_CELL_MAX], rekey[VIEW_CELL_MAX], idle[VIEW_CELL_MAX];
	size_t i;

	json_array_foreach(data, i, entry) {
		sel = json_object_get(entry, "selectors");
		fprintf(out, "%s%s %s with %s, rule %s, %s, %s\n", i ? "\n" : "",
			text_of(entry, "protocol"), text_of(entry, "mode"), text_of(entry, "peer"),
			text_of(entry, "rule"), text_of(entry, "role"), text_of(entry, "state"));
		fprintf(out, "  traffic   %s port %s", text_of(sel, "local"),
			text_of(sel, "local_port"));
		fprintf(out, " <-> %s port %s, protocol %s\n", text_of(sel, "remote"),
			text_of(sel, "remote_port"), text_of(sel, "proto"));
		fprintf(out, "  spi       in %s, out %s\n", text_of(entry, "spi_in"),
			text_of(entry, "spi_out"));
		fprintf(out, "  crypto    %s, integrity %s, backend %s\n", text_of(entry, "cipher"),
			text_of(entry, "integrity"), text_of(entry, "backend"));
		fprintf(out, "  in        %s packets, %s bytes\n", text_of(entry, "packets_in"),
			text_of(entry, "bytes_in"));
		fprintf(out, "  out       %s packets, %s bytes\n", text_of(entry, "packets_out"),
			text_of(entry, "bytes_out"));
		fprintf(out, "  dropped   replay %s, integrity %s, selector %s, other %s\n",
			text_of(entry, "replay_drops"), text_of(entry, "integrity_drops"),
			text_of(entry, "selector_drops"), text_of(entry, "other_drops"));
		fprintf(out, "  time      age %s, rekey in %s, idle end in %s\n",
			view_cell(json_object_get(entry, "created"), COL_AGE, age),
			view_cell(json_object_get(entry, "rekey_at"), COL_LEFT, rekey),
			view_cell(json_object_get(entry, "idle_at"), COL_LEFT, idle));
	}
	if (!json_array_size(data))
		fprintf(out, "no security associations\n");
}

static void print_peers(FILE *out, const json_t *data)
{
	static const struct column columns[] = {
		{"peer", "peer"},
		{"up", "up"},
		{"main modes", "main_modes"},
		{"quick modes", "quick_modes"},
		{"bytes in", "bytes_in"},
		{"bytes out", "bytes_out"},
	};

	view_table(out, data, columns, sizeof(columns) / sizeof(*columns));
}

static void print_counts(FILE *out, const char *head, const json_t *counts, bool all)
{
	const char *name;
	json_t *count;

	json_object_foreach((json_t *)counts, name, count)
		if (all || json_integer_value(json_object_get(count, "packets")))
			fprintf(out, "  %s%-16s %12s packets %16s bytes\n", head, name,
				text_of(count, "packets"), text_of(count, "bytes"));
}

static void print_stats(FILE *out, const json_t *data)
{
	json_t *totals = json_object_get(data, "totals"), *value;
	const char *name;

	fprintf(out, "verdicts\n");
	print_counts(out, "in  ", json_object_get(totals, "in"), true);
	print_counts(out, "out ", json_object_get(totals, "out"), true);
	fprintf(out, "\nreasons (those that occurred)\n");
	print_counts(out, "", json_object_get(data, "reasons"), false);
	fprintf(out, "\nIKE\n");
	json_object_foreach(json_object_get(data, "ike"), name, value)
		fprintf(out, "  %-20s %12s\n", name, text_of(json_object_get(data, "ike"), name));
}

static const struct {
	const char *name;
	void (*fn)(FILE *out, const json_t *data);
} printers[] = {
	{"status", print_status},   {"policy", print_policy},
	{"filters", print_filters}, {"mm", print_mm},
	{"qm", print_qm},	    {"peers", print_peers},
	{"stats", print_stats},	    {"exemptions", print_filters},
};

bool view_print(FILE *out, const char *what, const json_t *data)
{
	for (size_t i = 0; i < sizeof(printers) / sizeof(*printers); i++)
		if (!strcmp(printers[i].name, what)) {
			printers[i].fn(out, data);
			return true;
		}
	return false;
}

bool view_print_filters(FILE *out, const char *answer, size_t len)
{
	struct flat_list list;

	return flat_answer(answer, len, &list) &&
	       view_table_flat(out, list, filter_columns, FILTER_COLUMNS);
}

bool view_print_json_lines(FILE *out, const char *answer, size_t len)
{
	struct flat_object object = {0};
	struct flat_list list, again;
	int rc;

	if (!flat_answer(answer, len, &list))
		return false;
	again = list;
	while ((rc = flat_next(&list, &object)) > 0)
		;
	while (!rc && flat_next(&again, &object) > 0) {
		fwrite(object.begin, 1, object.end - object.begin, out);
		fputc('\n', out);
	}
	flat_object_free(&object);
	return !rc;
}

void view_print_json(FILE *out, const json_t *data)
{
	json_t *entry;
	size_t i;

	if (!json_is_array(data)) {
		json_dumpf(data, out, JSON_COMPACT);
		fputc('\n', out);
		return;
	}
	json_array_foreach(data, i, entry) {
		json_dumpf(entry, out, JSON_COMPACT);
		fputc('\n', out);
	}
}
