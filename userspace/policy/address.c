/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of the policy text: words, addresses, prefixes, ranges and host names. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/scalar.h"
#include "util/addr.h"
#include "util/suggest.h"

static const struct {
	const char *word;
	enum pol_addr_kind kind;
} keywords[] = {
	{"any", POL_ADDR_ANY},	 {"me", POL_ADDR_ME},	  {"dns", POL_ADDR_DNS},
	{"wins", POL_ADDR_WINS}, {"dhcp", POL_ADDR_DHCP}, {"gateway", POL_ADDR_GATEWAY},
};
#define KEYWORDS (sizeof(keywords) / sizeof(*keywords))

const char *address_keyword(enum pol_addr_kind kind)
{
	for (size_t i = 0; i < KEYWORDS; i++)
		if (keywords[i].kind == kind)
			return keywords[i].word;
	return NULL;
}

/* Most often the length is at fault, or a mask stands there as Windows writes it. */
static int complain_length(const char *text, const char *slash, struct complaint *why)
{
	char host[XI_ADDR_STRLEN], hint[80];
	struct xi_addr addr;
	struct in_addr mask;
	uint32_t bits;

	if ((size_t)(slash - text) >= sizeof(host))
		goto malformed;
	memcpy(host, text, slash - text);
	host[slash - text] = '\0';
	if (xi_addr_parse(host, &addr))
		goto malformed;
	if (addr.family == 4 && inet_pton(AF_INET, slash + 1, &mask) == 1) {
		bits = ~ntohl(mask.s_addr);
		/* Ones behind zeros only, else it is no prefix at all. */
		if (bits & (bits + 1))
			goto malformed;
		snprintf(hint, sizeof(hint), "did you mean %s/%d?", host,
			 bits ? __builtin_clz(bits) : 32);
		return complain(why, hint, "a prefix is written with its length, not a mask");
	}
	snprintf(hint, sizeof(hint), "the length is 0 to %u", xi_family_bits(addr.family));
	return complain(why, hint, "'%.60s' is not a prefix", text);
malformed:
	return complain(why, NULL, "'%.60s' is not a prefix", text);
}

int parse_prefix(const char *text, struct xi_prefix *ret, struct complaint *why)
{
	char addr_buf[XI_ADDR_STRLEN], fixed[XI_PREFIX_STRLEN], hint[80];
	const char *slash = strchr(text, '/');
	struct xi_prefix prefix;
	int err;

	err = xi_prefix_parse(text, &prefix);
	if (!err) {
		if (prefix.addr.family == 6 && prefix.len >= 96 &&
		    IN6_IS_ADDR_V4MAPPED((struct in6_addr *)prefix.addr.b))
			return complain(why, "write the IPv4 address",
					"'%.60s' never appears in a packet", text);
		*ret = prefix;
		return 0;
	}
	if (err == -ERANGE) {
		memcpy(addr_buf, text, slash - text);
		addr_buf[slash - text] = '\0';
		xi_addr_parse(addr_buf, &prefix.addr);
		prefix.len = atoi(slash + 1);
		xi_addr_mask(&prefix.addr, prefix.len);
		xi_prefix_text(&prefix, fixed);
		snprintf(hint, sizeof(hint), "did you mean %s?", fixed);
		return complain(why, hint, "'%.60s' has bits set behind the prefix length", text);
	}
	if (slash)
		return complain_length(text, slash, why);
	return complain(why, NULL, "'%.60s' is not an address or prefix", text);
}

/* Returns 1 when the text is no range at all. */
static int parse_range(const char *text, struct pol_addr *ret, struct complaint *why)
{
	const char *dash = strchr(text, '-');
	char first[XI_ADDR_STRLEN];
	struct xi_addr lo, hi;

	if (!dash || (size_t)(dash - text) >= sizeof(first))
		return 1;
	memcpy(first, text, dash - text);
	first[dash - text] = '\0';
	if (xi_addr_parse(first, &lo))
		return 1;
	if (xi_addr_parse(dash + 1, &hi))
		return complain(why, "write 10.0.0.1-10.0.0.9",
				"'%.60s' is not a range of addresses", text);
	if (lo.family != hi.family)
		return complain(why, NULL, "the range '%.60s' mixes IPv4 and IPv6", text);
	if (memcmp(lo.b, hi.b, sizeof(lo.b)) > 0)
		return complain(why, NULL, "the range '%.60s' runs backwards", text);
	ret->kind = POL_ADDR_RANGE;
	ret->prefix.addr = lo;
	ret->prefix.len = xi_family_bits(lo.family);
	ret->last = hi;
	return 0;
}

/*
 * Labels of letters, digits and hyphens (RFC 1123, 2.1), perhaps a dot at the
 * end; the last label is not a number.
 */
static bool is_host_name(const char *text)
{
	size_t label = 0, len = strlen(text);
	bool letters = false;

	if (len && text[len - 1] == '.')
		len--;
	if (!len || len > 253)
		return false;
	for (size_t i = 0; i <= len; i++) {
		char c = i < len ? text[i] : '\0';

		if (c == '.' || !c) {
			if (!label || label > 63 || text[i - 1] == '-')
				return false;
			if (c)
				letters = false;
			label = 0;
			continue;
		}
		if (c == '-' && !label)
			return false;
		if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
			letters = true;
		else if (c != '-' && (c < '0' || c > '9'))
			return false;
		label++;
	}
	return letters;
}

int parse_address(const char *text, struct pol_addr *ret, struct complaint *why)
{
	struct pol_addr addr = {.kind = POL_ADDR_PREFIX};
	const char *words[KEYWORDS], *near;
	char hint[60];
	int err;

	for (size_t i = 0; i < KEYWORDS; i++) {
		words[i] = keywords[i].word;
		if (!strcmp(text, words[i])) {
			addr.kind = keywords[i].kind;
			goto out;
		}
	}
	if (strchr(text, '/')) {
		err = parse_prefix(text, &addr.prefix, why);
		if (err)
			return err;
		goto out;
	}
	err = parse_range(text, &addr, why);
	if (err < 0)
		return err;
	if (!err)
		goto out;
	if (!is_host_name(text)) {
		err = parse_prefix(text, &addr.prefix, why);
		if (err)
			return err;
		goto out;
	}
	/* A word that is nearly one of ours is a slip, not a host. */
	near = strchr(text, '.') ? NULL : suggest(text, words, KEYWORDS);
	if (near && (strlen(text) <= strlen(near) + 1) && strlen(text) + 1 >= strlen(near)) {
		snprintf(hint, sizeof(hint), "did you mean '%s'? a host: %s.", near, text);
		return complain(why, hint, "'%.60s' is neither an address nor a full host name",
				text);
	}
	for (size_t i = 0; i < KEYWORDS; i++) {
		if (strcasecmp(text, words[i]))
			continue;
		snprintf(hint, sizeof(hint), "did you mean '%s'?", words[i]);
		return complain(why, hint, "'%.60s' is neither an address nor a full host name",
				text);
	}
	addr.kind = POL_ADDR_NAME;
	addr.text = strdup(text);
	if (!addr.text)
		return -ENOMEM;
out:
	*ret = addr;
	return 0;
}
