/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers, durations, sizes, protocols and ports of the policy text. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/scalar.h"
#include "util/suggest.h"

int complain(struct complaint *why, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	snprintf(why->hint, sizeof(why->hint), "%s", hint ? hint : "");
	return -EINVAL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits; *end is behind them. False when there are none or too many. */
static bool read_digits(const char *text, const char **end, uint64_t *ret)
{
	uint64_t value = 0;
	const char *at = text;

	for (; is_digit(*at); at++) {
		value = value * 10 + (*at - '0');
		if (value > UINT32_MAX)
			return false;
	}
	*end = at;
	*ret = value;
	return at > text;
}

int parse_number(const char *text, const char *what, uint32_t min, uint32_t max, uint32_t *ret,
		 struct complaint *why)
{
	const char *end;
	uint64_t value;

	if (!read_digits(text, &end, &value) || *end || value < min || value > max)
		return complain(why, NULL, "%s must be a number from %u to %u, not '%.60s'", what,
				min, max, text);
	*ret = value;
	return 0;
}

static uint32_t unit_seconds(char unit)
{
	switch (unit) {
	case 'd':
		return 86400;
	case 'h':
		return 3600;
	case 'm':
		return 60;
	case 's':
		return 1;
	}
	return 0;
}

int parse_duration(const char *text, uint32_t *ret, struct complaint *why)
{
	uint64_t sum = 0, value;
	uint32_t unit, last_unit = UINT32_MAX;
	const char *at = text, *end;

	do {
		if (!is_digit(*at))
			goto malformed;
		if (!read_digits(at, &end, &value))
			return complain(why, NULL, "'%.60s' is too long a time", text);
		if (!*end && at == text)
			return complain(why, "write 90s, 15m, 8h or 1d",
					"the time '%.60s' has no unit", text);
		unit = unit_seconds(*end);
		/* 1h30m, but neither 30m1h nor 1h1h. */
		if (!unit || unit >= last_unit)
			goto malformed;
		sum += value * unit;
		if (sum > UINT32_MAX)
			return complain(why, NULL, "'%.60s' is too long a time", text);
		last_unit = unit;
		at = end + 1;
	} while (*at);
	*ret = sum;
	return 0;
malformed:
	return complain(why, "write 90s, 15m, 8h, 1h30m or 1d", "'%.60s' is not a time", text);
}

const char *duration_text(uint32_t seconds, char buf[DURATION_TEXT])
{
	static const char units[] = "dhms";
	int len = 0;

	for (const char *unit = units; *unit; unit++) {
		uint32_t size = unit_seconds(*unit);

		if (seconds / size)
			len += snprintf(buf + len, DURATION_TEXT - len, "%u%c", seconds / size,
					*unit);
		seconds %= size;
	}
	if (!len)
		strcpy(buf, "0s");
	return buf;
}

int parse_kilobytes(const char *text, uint32_t *ret, struct complaint *why)
{
	static const struct {
		const char *name;
		uint32_t factor;
	} units[] = {{"", 1}, {"kB", 1}, {"MB", 1000}, {"GB", 1000000}};
	const char *end;
	uint64_t value;

	if (is_digit(*text)) {
		if (!read_digits(text, &end, &value))
			return complain(why, NULL, "'%.60s' is too large a size", text);
		end += strspn(end, " ");
		for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
			if (strcmp(end, units[i].name))
				continue;
			if (value * units[i].factor > UINT32_MAX)
				return complain(why, NULL, "'%.60s' is too large a size", text);
			*ret = value * units[i].factor;
			return 0;
		}
	}
	return complain(why, "write 100000, 100000 kB, 100 MB or 1 GB", "'%.60s' is not a size",
			text);
}

/*
 * The name that is printed comes before its other spellings. IANA's protocol
 * numbers; hop-by-hop (0) is left out, since it never decides about a packet.
 */
static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{"icmp", 1},   {"igmp", 2},	 {"ipip", 4},	{"tcp", 6},	{"egp", 8},
	{"igp", 9},    {"udp", 17},	 {"dccp", 33},	{"ipv6", 41},	{"rsvp", 46},
	{"gre", 47},   {"esp", 50},	 {"ah", 51},	{"icmpv6", 58}, {"ipv6-icmp", 58},
	{"ospf", 89},  {"pim", 103},	 {"vrrp", 112}, {"l2tp", 115},	{"sctp", 132},
	{"icmp6", 58}, {"udplite", 136},
};
#define PROTOCOLS (sizeof(protocols) / sizeof(*protocols))

int parse_proto(const char *text, bool *ret_given, uint8_t *ret, struct complaint *why)
{
	const char *names[PROTOCOLS + 1], *near;
	char hint[60] = "";
	uint32_t number;

	if (!strcmp(text, "any")) {
		*ret_given = false;
		*ret = 0;
		return 0;
	}
	for (size_t i = 0; i < PROTOCOLS; i++) {
		names[i] = protocols[i].name;
		if (!strcmp(text, names[i])) {
			*ret_given = true;
			*ret = protocols[i].number;
			return 0;
		}
	}
	if (!strcmp(text, "0"))
		return complain(why, "leave proto out, or write any",
				"protocol 0 does not stand for any protocol");
	if (is_digit(*text)) {
		if (parse_number(text, "proto", 1, 255, &number, why))
			return -EINVAL;
		*ret_given = true;
		*ret = number;
		return 0;
	}
	names[PROTOCOLS] = "any";
	near = suggest(text, names, PROTOCOLS + 1);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	return complain(why, near ? hint : "a name such as tcp, udp, icmp, or a number",
			"unknown protocol '%.60s'", text);
}

const char *proto_text(uint8_t proto, char buf[PROTO_TEXT])
{
	for (size_t i = 0; i < PROTOCOLS; i++)
		if (protocols[i].number == proto)
			return protocols[i].name;
	snprintf(buf, PROTO_TEXT, "%u", proto);
	return buf;
}

bool proto_has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 33 || proto == 132 || proto == 136;
}

bool proto_is_icmp(uint8_t proto)
{
	return proto == 1 || proto == 58;
}

int parse_ports(const char *text, bool *ret_given, uint16_t *ret_lo, uint16_t *ret_hi,
		struct complaint *why)
{
	uint64_t lo, hi;
	const char *end;
	char hint[60];

	if (!strcmp(text, "any")) {
		*ret_given = false;
		*ret_lo = *ret_hi = 0;
		return 0;
	}
	if (!is_digit(*text))
		goto malformed;
	if (!read_digits(text, &end, &lo) || lo > 65535)
		goto too_large;
	hi = lo;
	if (*end == '-') {
		const char *second = end + 1;

		if (!is_digit(*second))
			goto malformed;
		if (!read_digits(second, &end, &hi) || hi > 65535)
			goto too_large;
	}
	if (*end)
		goto malformed;
	if (hi < lo) {
		snprintf(hint, sizeof(hint), "did you mean %u-%u?", (unsigned)hi, (unsigned)lo);
		return complain(why, hint, "the port range %.60s runs backwards", text);
	}
	*ret_given = true;
	*ret_lo = lo;
	*ret_hi = hi;
	return 0;
malformed:
	return complain(why, "write 443, 5432-5433 or any",
			"'%.60s' is not a port or range of ports", text);
too_large:
	return complain(why, NULL, "'%.60s' is not a port: the largest is 65535", text);
}
