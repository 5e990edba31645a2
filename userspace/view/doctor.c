/* SPDX-License-Identifier: BSD-2-Clause */
/* `xipsec doctor`: what this machine can do, as JSON and in words. */
#include <string.h>

#include "view/view.h"

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

json_t *view_feature(const struct view_feature *feature)
{
	return json_pack("{s:s, s:s, s:o, s:b, s:s, s:o}", "name", feature->name, "what",
			 feature->what, "have",
			 feature->unknown ? json_null() : json_boolean(feature->have), "needed",
			 feature->needed, "without", feature->without, "error",
			 text_or_null(feature->error));
}

json_t *view_link(const struct view_link *link)
{
	return json_pack(
		"{s:s, s:o, s:i, s:i, s:b, s:o, s:b, s:o, s:b, s:b, s:o, s:i, s:i, s:s}", "name",
		link->name, "driver", text_or_null(link->driver), "mtu", (int)link->mtu,
		"rx_queues", (int)link->rx_queues, "ethernet", link->ethernet, "native_xdp",
		link->native_unknown ? json_null() : json_boolean(link->native), "zero_copy",
		link->zero_copy, "xdp", text_or_null(link->xdp), "xdp_generic", link->xdp_generic,
		"xdp_shares", link->xdp_shares, "instance", text_or_null(link->instance), "tcx_in",
		(int)link->tcx_in, "tcx_out", (int)link->tcx_out, "advice", link->advice);
}

static const char *string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static void print_feature(FILE *out, const json_t *feature)
{
	const json_t *have = json_object_get(feature, "have");
	const char *error = json_string_value(json_object_get(feature, "error"));

	fprintf(out, "  %s  %s",
		json_is_null(have)   ? "?  "
		: json_is_true(have) ? "yes"
				     : "no ",
		string_of(feature, "what"));
	if (!json_is_true(have))
		fprintf(out, "%s%s%s: without it, %s", error ? " (" : "", error ? error : "",
			error ? ")" : "", string_of(feature, "without"));
	fputc('\n', out);
}

static void print_link(FILE *out, const json_t *link)
{
	long long queues = json_integer_value(json_object_get(link, "rx_queues"));

	fprintf(out, "  %-15s %s, %lld receive queue%s, MTU %lld: %s\n", string_of(link, "name"),
		string_of(link, "driver"), queues, queues == 1 ? "" : "s",
		(long long)json_integer_value(json_object_get(link, "mtu")),
		string_of(link, "advice"));
}

void view_print_doctor(FILE *out, const json_t *data)
{
	json_t *entry;
	size_t i;

	fprintf(out, "Linux %s on %s\n\n", string_of(data, "release"), string_of(data, "machine"));
	json_array_foreach(json_object_get(data, "features"), i, entry)
		print_feature(out, entry);
	fputc('\n', out);
	if (json_array_size(json_object_get(data, "interfaces"))) {
		fprintf(out, "interfaces\n");
		json_array_foreach(json_object_get(data, "interfaces"), i, entry)
			print_link(out, entry);
		fputc('\n', out);
	}
	if (json_is_true(json_object_get(data, "unknown")))
		fprintf(out, "Some of this can only be found out by root.\n");
	fprintf(out, "%s.\n", string_of(data, "verdict"));
}
