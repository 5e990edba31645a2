/* SPDX-License-Identifier: BSD-2-Clause */
/* See filters.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/filters.h"
#include "util/addr.h"

static void die(const char *what)
{
	fprintf(stderr, "filters_compile: %s\n", what);
	exit(1);
}

static void prefix_of(const char *text, uint8_t family, struct xi_prefix *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->addr.family = family;
	if (text && xi_prefix_parse(text, ret))
		die(text);
}

static void ports_of(uint16_t lo, uint16_t hi, uint16_t *ret_lo, uint16_t *ret_hi)
{
	*ret_lo = lo;
	*ret_hi = hi ? hi : lo ? lo : 65535;
}

static struct filter filter_of(const struct filter_spec *spec, size_t i)
{
	bool me = spec->local && !strcmp(spec->local, "me");
	const char *local = me ? NULL : spec->local, *named = spec->remote ? spec->remote : local;
	struct filter filter = {
		.id = i + 1,
		.rule = i,
		.rule_name = "test",
		.dir = spec->dir,
		.band = XI_BAND_RULES,
		.action = spec->action,
		.family = named && strchr(named, ':') ? 6 : 4,
		.local_is_me = me,
		.proto_given = spec->proto,
		.proto = spec->proto,
		.icmp_type = spec->icmp_type - 1,
		.icmp_code = -1,
		.iface_class = spec->remote_access ? XI_IFACE_REMOTE_ACCESS : -1,
		.passthrough = spec->passthrough,
	};

	prefix_of(spec->remote, filter.family, &filter.remote);
	prefix_of(local, filter.family, &filter.local);
	if (me)
		filter.local.len = filter.family == 6 ? 128 : 32;
	ports_of(spec->remote_port, spec->remote_port_hi, &filter.remote_port_lo,
		 &filter.remote_port_hi);
	ports_of(spec->local_port, spec->local_port_hi, &filter.local_port_lo,
		 &filter.local_port_hi);
	return filter;
}

struct image *filters_compile(const struct filter_spec *specs, size_t count)
{
	struct compile_opts opts = {0};
	struct image *image = NULL;
	struct diag diag = {0};
	struct filter *filters = calloc(count + 1, sizeof(*filters));

	if (!filters)
		die("no memory");
	for (size_t i = 0; i < count; i++)
		filters[i] = filter_of(&specs[i], i);
	if (compile_filters(filters, count, NULL, &opts, &image, &diag)) {
		char *text = diag_text(&diag);

		die(text ? text : "does not compile");
	}
	if (image->count != count)
		die("a filter was left out");
	diag_free(&diag);
	free(filters);
	return image;
}

uint32_t filters_index(const struct image *image, size_t i)
{
	for (size_t at = 0; at < image->count; at++)
		if (image->filters[at].id == i + 1)
			return at;
	die("no such filter");
	return 0;
}
