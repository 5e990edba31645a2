/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A filter as a JSON object, written out at once: there may be a million of them,
 * and a tree of values for each is what made a daemon deaf for seconds.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "compile/image.h"
#include "util/addr.h"
#include "view/view.h"

struct line {
	char *at, *end;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *fmt, ...)
{
	size_t room = line->end - line->at;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line->at, room, fmt, ap);
	va_end(ap);
	if (len > 0)
		line->at += (size_t)len < room ? (size_t)len : room - 1;
}

static void put_name(struct line *line, const char *name)
{
	put(line, "\"");
	for (; *name; name++) {
		if (*name == '"' || *name == '\\' || (unsigned char)*name < ' ')
			put(line, "\\u%04x", *name);
		else if (line->at + 1 < line->end)
			*line->at++ = *name;
	}
	put(line, "\"");
}

static void put_prefix(struct line *line, const char *key, const struct xi_prefix *prefix)
{
	char text[XI_PREFIX_STRLEN];

	put(line, ",\"%s\":\"%s\"", key, xi_prefix_text(prefix, text));
}

static void put_ports(struct line *line, const char *key, uint16_t lo, uint16_t hi)
{
	if (lo == 0 && hi == 65535)
		put(line, ",\"%s\":\"any\"", key);
	else if (lo == hi)
		put(line, ",\"%s\":\"%u\"", key, lo);
	else
		put(line, ",\"%s\":\"%u-%u\"", key, lo, hi);
}

static void put_selectors(struct line *line, const struct filter *filter)
{
	put_prefix(line, "remote", &filter->remote);
	if (filter->local_is_me)
		put(line, ",\"local\":\"me\"");
	else
		put_prefix(line, "local", &filter->local);
	if (filter->proto_given)
		put(line, ",\"proto\":%u", filter->proto);
	else
		put(line, ",\"proto\":\"any\"");
	put_ports(line, "remote_port", filter->remote_port_lo, filter->remote_port_hi);
	put_ports(line, "local_port", filter->local_port_lo, filter->local_port_hi);
}

static void put_hits(struct line *line, const struct xi_hits *hits, const struct view_clock *clock)
{
	put(line, ",\"packets\":%llu,\"bytes\":%llu", hits->packets, hits->bytes);
	if (hits->last_ns)
		put(line, ",\"last_hit\":%lld",
		    (long long)(clock->real_ms + hits->last_ns / 1000000 - clock->mono_ms) / 1000);
	else
		put(line, ",\"last_hit\":null");
}

size_t view_filter_line(char buf[VIEW_FILTER_MAX], const struct filter *filter,
			const struct xi_hits *hits, const struct view_clock *clock)
{
	struct line line = {buf, buf + VIEW_FILTER_MAX};

	put(&line, "{\"id\":%u,\"rule\":", filter->id);
	put_name(&line, filter->rule_name);
	put(&line, ",\"direction\":\"%s\"", filter->dir == XI_DIR_IN ? "in" : "out");
	put_selectors(&line, filter);
	put(&line, ",\"action\":\"%s\",\"band\":\"%s\"", action_name(filter->action),
	    band_name(filter->band));
	if (filter->icmp_type >= 0)
		put(&line, ",\"icmp_type\":%d", filter->icmp_type);
	if (filter->icmp_code >= 0)
		put(&line, ",\"icmp_code\":%d", filter->icmp_code);
	if (filter->iface_class >= 0)
		put(&line, ",\"interface\":\"%s\"",
		    filter->iface_class == XI_IFACE_LAN ? "lan" : "remote-access");
	if (hits)
		put_hits(&line, hits, clock);
	put(&line, "}");
	return line.at - buf;
}

json_t *view_filter(const struct filter *filter, const struct xi_hits *hits,
		    const struct view_clock *clock)
{
	char buf[VIEW_FILTER_MAX];
	size_t len = view_filter_line(buf, filter, hits, clock);

	return json_loadb(buf, len, 0, NULL);
}
