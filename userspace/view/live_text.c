/* SPDX-License-Identifier: BSD-2-Clause */
/* One line of text for each live object; see live.h. */
#include <string.h>
#include <time.h>

#include "policy/scalar.h"
#include "view/live.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_time(FILE *out, const json_t *object)
{
	double at = json_number_value(json_object_get(object, "time"));
	time_t seconds = at;
	char text[16] = "--:--:--";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	fprintf(out, "%s.%06u ", text, (unsigned)((at - seconds) * 1e6));
}

static void print_proto(FILE *out, json_int_t proto)
{
	char number[PROTO_TEXT];
	const char *text = proto_text(proto, number);

	fprintf(out, "%s%s ", text == number ? "protocol " : "", text);
}

static void print_end(FILE *out, const json_t *object, const char *addr, const char *port)
{
	const char *text = text_of(object, addr);
	const json_t *number = json_object_get(object, port);

	if (!number)
		fprintf(out, "%s", text);
	else
		fprintf(out, strchr(text, ':') ? "[%s]:%d" : "%s:%d", text,
			(int)json_integer_value(number));
}

/* "tcp 192.0.2.1:4000 > 192.0.2.2:443, 60 bytes" */
static void print_packet(FILE *out, const json_t *object)
{
	bool in = strcmp(text_of(object, "direction"), "out");

	if (!json_object_get(object, "remote")) {
		fprintf(out, "(headers do not parse)");
	} else {
		print_proto(out, number_of(object, "proto"));
		print_end(out, object, in ? "remote" : "local", in ? "remote_port" : "local_port");
		fprintf(out, " > ");
		print_end(out, object, in ? "local" : "remote", in ? "local_port" : "remote_port");
		if (json_object_get(object, "icmp_type"))
			fprintf(out, " type %d code %d", (int)number_of(object, "icmp_type"),
				(int)number_of(object, "icmp_code"));
		if (json_object_get(object, "fragment"))
			fprintf(out, " (%s fragment)", text_of(object, "fragment"));
	}
	fprintf(out, ", %d bytes", (int)number_of(object, "length"));
}

static void print_filter(FILE *out, const json_t *object)
{
	if (json_is_true(json_object_get(object, "stale")))
		fprintf(out, "; a filter of the list before");
	else if (json_is_integer(json_object_get(object, "filter")))
		fprintf(out, "; rule %s, filter %d", text_of(object, "rule"),
			(int)number_of(object, "filter"));
}

static void live_packet(FILE *out, const json_t *object)
{
	const char *fate = text_of(object, "fate"), *reason = text_of(object, "reason");

	fprintf(out, "%-3s %-8s %-6s ", text_of(object, "direction"), text_of(object, "interface"),
		text_of(object, "verdict"));
	print_packet(out, object);
	print_filter(out, object);
	if (!strcmp(fate, "worker"))
		fprintf(out, "; to the ESP worker");
	else if (!strcmp(fate, "held"))
		fprintf(out, "; held until there is an SA");
	else if (!strcmp(fate, "dropped") || strcmp(reason, "-"))
		fprintf(out, "; %s: %s", fate, reason);
	fputc('\n', out);
}

static void live_event(FILE *out, const json_t *object)
{
	fprintf(out, "%-3s %-8s event %s: ", text_of(object, "direction"),
		text_of(object, "interface"), text_of(object, "event"));
	print_packet(out, object);
	print_filter(out, object);
	if (json_object_get(object, "spi"))
		fprintf(out, "; SPI %s", text_of(object, "spi"));
	else if (json_is_string(json_object_get(object, "reason")))
		fprintf(out, "; %s", text_of(object, "reason"));
	fputc('\n', out);
}

static void live_sa(FILE *out, const json_t *object)
{
	fprintf(out, "SA %s/%s with %s is %s; rule %s", text_of(object, "spi_in"),
		text_of(object, "spi_out"), text_of(object, "peer"), text_of(object, "state"),
		text_of(object, "rule"));
	if (json_is_string(json_object_get(object, "because")))
		fprintf(out, "; %s", text_of(object, "because"));
	fputc('\n', out);
}

static void live_policy(FILE *out, const json_t *object)
{
	fprintf(out, "policy %s is in force, generation %d, %d filters\n",
		text_of(object, "policy"), (int)number_of(object, "generation"),
		(int)number_of(object, "filters"));
}

static void live_worker(FILE *out, const json_t *object)
{
	fprintf(out, "    %-8s ESP worker: %" JSON_INTEGER_FORMAT " packets dropped: %s\n",
		text_of(object, "interface"), number_of(object, "packets"),
		text_of(object, "reason"));
}

static void live_lost(FILE *out, const json_t *object)
{
	fprintf(out, "%" JSON_INTEGER_FORMAT " samples lost: %s\n", number_of(object, "samples"),
		text_of(object, "because"));
}

void view_live_print(FILE *out, const json_t *object)
{
	static const struct {
		const char *type;
		void (*fn)(FILE *out, const json_t *object);
	} printers[] = {
		{"packet", live_packet}, {"event", live_event},	  {"sa", live_sa},
		{"policy", live_policy}, {"worker", live_worker}, {"lost", live_lost},
	};
	const char *type = text_of(object, "type");

	for (size_t i = 0; i < sizeof(printers) / sizeof(*printers); i++)
		if (!strcmp(printers[i].type, type)) {
			print_time(out, object);
			printers[i].fn(out, object);
			return;
		}
}
