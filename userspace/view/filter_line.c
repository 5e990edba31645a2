/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A filter as a JSON object, written out at once: there may be a million of them,
 * and a tree of values for each is what made a daemon deaf for seconds.
 */
#include <stdlib.h>

#include "compile/image.h"
#include "util/addr.h"
#include "view/view.h"

struct line {
	char *at, *end;
};

static void put(struct line *line, const char *text)
{
	while (*text && line->at + 1 < line->end)
		*line->at++ = *text++;
	*line->at = '\0';
}

/* printf() would take most of the time. */
static void put_number(struct line *line, long long number)
{
	unsigned long long rest = number < 0 ? 0 - (unsigned long long)number
					     : (unsigned long long)number;
	char buf[24], *at = buf + sizeof(buf) - 1;

	*at = '\0';
	do {
		*--at = '0' + rest % 10;
		rest /= 10;
	} while (rest);
	if (number < 0)
		*--at = '-';
	put(line, at);
}

/* Key with what goes before it, value. */
static void put_text_of(struct line *line, const char *key, const char *value)
{
	put(line, key);
	put(line, "\"");
	put(line, value);
	put(line, "\"");
}

static void put_number_of(struct line *line, const char *key, long long number)
{
	put(line, key);
	put_number(line, number);
}

static void put_escaped(struct line *line, unsigned char c)
{
	char text[8];

	snprintf(text, sizeof(text), "\\u%04x", c);
	put(line, text);
}

static void put_name(struct line *line, const char *name)
{
	put(line, "\"");
	for (; *name; name++) {
		if (*name == '"' || *name == '\\' || (unsigned char)*name < ' ')
			put_escaped(line, *name);
		else if (line->at + 1 < line->end)
			*line->at++ = *name;
	}
	put(line, "\"");
}

static void put_prefix(struct line *line, const char *key, const struct xi_prefix *prefix)
{
	char text[XI_PREFIX_STRLEN];

	put_text_of(line, key, xi_prefix_text(prefix, text));
}

static void put_ports(struct line *line, const char *key, uint16_t lo, uint16_t hi)
{
	put(line, key);
	put(line, "\"");
	if (lo == 0 && hi == 65535) {
		put(line, "any");
	} else {
		put_number(line, lo);
		if (lo != hi)
			put_number_of(line, "-", hi);
	}
	put(line, "\"");
}

static void put_selectors(struct line *line, const struct filter *filter)
{
	put_prefix(line, ",\"remote\":", &filter->remote);
	if (filter->local_is_me)
		put(line, ",\"local\":\"me\"");
	else
		put_prefix(line, ",\"local\":", &filter->local);
	if (filter->proto_given)
		put_number_of(line, ",\"proto\":", filter->proto);
	else
		put(line, ",\"proto\":\"any\"");
	put_ports(line, ",\"remote_port\":", filter->remote_port_lo, filter->remote_port_hi);
	put_ports(line, ",\"local_port\":", filter->local_port_lo, filter->local_port_hi);
}

static void put_hits(struct line *line, const struct xi_hits *hits, const struct view_clock *clock)
{
	put_number_of(line, ",\"packets\":", hits->packets);
	put_number_of(line, ",\"bytes\":", hits->bytes);
	if (hits->last_ns)
		put_number_of(
			line, ",\"last_hit\":",
			(long long)(clock->real_ms + hits->last_ns / 1000000 - clock->mono_ms) /
				1000);
	else
		put(line, ",\"last_hit\":null");
}

size_t view_filter_line(char buf[VIEW_FILTER_MAX], const struct filter *filter,
			const struct xi_hits *hits, const struct view_clock *clock)
{
	struct line line = {buf, buf + VIEW_FILTER_MAX};

	put_number_of(&line, "{\"id\":", filter->id);
	put(&line, ",\"rule\":");
	put_name(&line, filter->rule_name);
	put_text_of(&line, ",\"direction\":", filter->dir == XI_DIR_IN ? "in" : "out");
	put_selectors(&line, filter);
	put_text_of(&line, ",\"action\":", action_name(filter->action));
	put_text_of(&line, ",\"band\":", band_name(filter->band));
	if (filter->icmp_type >= 0)
		put_number_of(&line, ",\"icmp_type\":", filter->icmp_type);
	if (filter->icmp_code >= 0)
		put_number_of(&line, ",\"icmp_code\":", filter->icmp_code);
	if (filter->iface_class >= 0)
		put_text_of(&line, ",\"interface\":",
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
