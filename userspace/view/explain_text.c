/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer of explain for people: the packet, the verdict in a line, then who else covers it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "view/explain.h"
#include "view/table.h"

#define ROWS_MAX 20 /* of a table; JSON has all */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* ------------------------------------------------------------------- packet */

static void print_port(FILE *out, const json_t *packet, const char *key)
{
	json_t *port = json_object_get(packet, key);

	if (json_is_integer(port))
		fprintf(out, " port %" JSON_INTEGER_FORMAT, json_integer_value(port));
	else if (port)
		fprintf(out, " port ?");
}

static void print_icmp(FILE *out, const json_t *packet)
{
	json_t *type = json_object_get(packet, "icmp_type");
	json_t *code = json_object_get(packet, "icmp_code");

	if (json_is_integer(type))
		fprintf(out, " type %" JSON_INTEGER_FORMAT, json_integer_value(type));
	else if (type)
		fprintf(out, " type ?");
	if (json_is_integer(code))
		fprintf(out, " code %" JSON_INTEGER_FORMAT, json_integer_value(code));
	else if (code)
		fprintf(out, " code ?");
}

static void print_packet(FILE *out, const json_t *packet)
{
	bool in = !strcmp(text_of(packet, "direction"), "in");
	json_t *interface = json_object_get(packet, "interface");

	fprintf(out, "packet: %s %s", in ? "in" : "out", text_of(packet, "proto_name"));
	print_icmp(out, packet);
	fprintf(out, " %s", text_of(packet, in ? "remote" : "local"));
	print_port(out, packet, in ? "remote_port" : "local_port");
	fprintf(out, " -> %s", text_of(packet, in ? "local" : "remote"));
	print_port(out, packet, in ? "local_port" : "remote_port");
	if (is_true(packet, "later_fragment"))
		fprintf(out, ", a later fragment, which shows no ports");
	if (json_is_string(interface))
		fprintf(out, ", on a %s interface", json_string_value(interface));
	if (!is_true(packet, "local_is_me"))
		fprintf(out, ", %s is not me", text_of(packet, "local"));
	fputc('\n', out);
}

/* ------------------------------------------------------------------- tables */

/* The first rows of a list; says how many are left out. */
static void print_rows(FILE *out, const json_t *list, json_int_t all, const struct column *columns,
		       size_t count)
{
	json_t *some = json_array(), *row;
	size_t i;

	json_array_foreach(list, i, row) {
		if (i < ROWS_MAX)
			json_array_append(some, row);
	}
	view_table(out, some, columns, count);
	if (all > (json_int_t)json_array_size(some))
		fprintf(out, "and %" JSON_INTEGER_FORMAT " more\n",
			all - (json_int_t)json_array_size(some));
	json_decref(some);
}

/* The winner heads the table of those that it beat. */
static void print_matches(FILE *out, const json_t *data)
{
	static const struct column columns[] = {
		{"filter", "filter"}, {"rule", "rule"},	  {"verdict", "verdict"},
		{"covers", "covers"}, {"place", "place"}, {"why it lost", "lost"},
	};
	json_t *beaten = json_object_get(data, "beaten"), *list, *winner;

	if (!json_is_integer(json_object_get(data, "filter")))
		return;
	list = json_array();
	winner = json_pack("{s:O, s:O, s:O, s:O, s:O, s:s}", "filter",
			   json_object_get(data, "filter"), "rule", json_object_get(data, "rule"),
			   "verdict", json_object_get(data, "verdict"), "covers",
			   json_object_get(data, "covers"), "place", json_object_get(data, "place"),
			   "lost", is_true(data, "surely_other") ? "it may decide" : "it decides");
	json_array_append_new(list, winner);
	json_array_extend(list, beaten);
	fprintf(out, "\nfilters that cover it, highest precedence first:\n");
	print_rows(out, list, json_array_size(list), columns, sizeof(columns) / sizeof(*columns));
	json_decref(list);
}

static void print_depends(FILE *out, const json_t *data)
{
	static const struct column columns[] = {
		{"verdict", "verdict"}, {"if", "if"},	      {"filter", "filter"},
		{"rule", "rule"},	{"covers", "covers"}, {"place", "place"},
	};
	json_t *list = json_object_get(data, "depends");

	if (!json_array_size(list))
		return;
	fprintf(out, "\ndepends: with what was not given, these would decide%s:\n",
		is_true(data, "surely_other") ? ", one of them always" : " instead");
	print_rows(out, list, json_array_size(list), columns, sizeof(columns) / sizeof(*columns));
}

static void print_near(FILE *out, const json_t *data)
{
	static const struct column columns[] = {
		{"filter", "filter"}, {"rule", "rule"},	  {"verdict", "verdict"},
		{"field", "field"},   {"why not", "why"}, {"place", "place"},
	};
	json_t *list = json_object_get(data, "near");

	if (!list)
		return;
	fprintf(out, "\nnear misses, in one field only:\n");
	print_rows(out, list, json_integer_value(json_object_get(data, "near_count")), columns,
		   sizeof(columns) / sizeof(*columns));
}

/* "block by filter 3 of 'x'" */
static void print_decision(FILE *out, const json_t *decision)
{
	json_t *filter = json_object_get(decision, "filter");

	fprintf(out, "%s", text_of(decision, "verdict"));
	if (json_is_integer(filter))
		fprintf(out, " by filter %" JSON_INTEGER_FORMAT " of '%s'",
			json_integer_value(filter), text_of(decision, "rule"));
}

static void print_program(FILE *out, const json_t *live)
{
	json_t *program = json_object_get(live, "program"), *agree = json_object_get(live, "agree");
	const char *fate = text_of(program, "fate");
	json_t *reason = json_object_get(program, "reason");

	if (!json_is_object(program)) {
		fprintf(out, "programs    could not be asked: %s\n", text_of(live, "error"));
		return;
	}
	fprintf(out, "programs    ");
	print_decision(out, program);
	fprintf(out, "; the packet %s",
		!strcmp(fate, "pass")	? "passes"
		: !strcmp(fate, "drop") ? "is dropped"
					: "goes to the ESP worker");
	if (json_is_object(reason))
		fprintf(out, " (%s: %s)", text_of(reason, "name"), text_of(reason, "text"));
	fputc('\n', out);
	if (json_is_false(agree)) {
		fprintf(out, "            THE MODEL DIFFERS, please report this: ");
		print_decision(out, json_object_get(live, "model"));
		fputc('\n', out);
	} else if (json_is_true(agree)) {
		fprintf(out, "            as the model says; nothing was counted\n");
	}
}

static void print_sa(FILE *out, const json_t *live)
{
	json_t *sa = json_object_get(live, "sa");

	if (!sa)
		return;
	if (json_is_object(sa))
		fprintf(out, "SA          %s %s with %s, spi in %s, out %s, %s\n",
			text_of(sa, "protocol"), text_of(sa, "mode"), text_of(sa, "peer"),
			text_of(sa, "spi_in"), text_of(sa, "spi_out"), text_of(sa, "state"));
	else
		fprintf(out, "SA          none stands for this packet\n");
}

static void print_counters(FILE *out, const json_t *counters)
{
	json_t *last = json_object_get(counters, "last_hit");

	fprintf(out,
		"counters    filter %" JSON_INTEGER_FORMAT ": %" JSON_INTEGER_FORMAT
		" packets, %" JSON_INTEGER_FORMAT " bytes",
		json_integer_value(json_object_get(counters, "id")),
		json_integer_value(json_object_get(counters, "packets")),
		json_integer_value(json_object_get(counters, "bytes")));
	if (json_is_integer(last))
		fprintf(out, ", the last %ld s ago\n",
			(long)(time(NULL) - json_integer_value(last)));
	else
		fprintf(out, "\n");
}

/* What the daemon adds. */
static void print_live(FILE *out, const json_t *live)
{
	json_t *counters = json_object_get(live, "counters");

	if (!live)
		return;
	fprintf(out, "\nin force    policy %s, generation %" JSON_INTEGER_FORMAT ", from %s\n",
		text_of(live, "policy"), json_integer_value(json_object_get(live, "generation")),
		text_of(live, "file"));
	print_program(out, live);
	if (counters)
		print_counters(out, counters);
	print_sa(out, live);
}

static void print_fragment(FILE *out, const json_t *fragment)
{
	if (!fragment)
		return;
	fprintf(out, "fragment: %s", text_of(fragment, "text"));
	if (!is_true(fragment, "decided"))
		fprintf(out, ", elsewhere the answer is %s", text_of(fragment, "alone"));
	fputc('\n', out);
}

void view_print_explain(FILE *out, const json_t *data)
{
	print_packet(out, json_object_get(data, "packet"));
	fprintf(out, "%s: %s\n", text_of(data, "verdict"), text_of(data, "because"));
	print_fragment(out, json_object_get(data, "fragment"));
	print_matches(out, data);
	print_depends(out, data);
	print_near(out, data);
	print_live(out, json_object_get(data, "live"));
}
