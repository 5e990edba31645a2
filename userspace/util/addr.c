/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and prefixes of both families as text and as bytes. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/addr.h"

int xi_addr_parse(const char *text, struct xi_addr *ret)
{
	struct xi_addr addr = {0};

	if (inet_pton(AF_INET, text, addr.b) == 1)
		addr.family = 4;
	else if (inet_pton(AF_INET6, text, addr.b) == 1)
		addr.family = 6;
	else
		return -EINVAL;
	*ret = addr;
	return 0;
}

int xi_prefix_parse(const char *text, struct xi_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char host[XI_ADDR_STRLEN];
	struct xi_prefix prefix = {0};
	struct xi_addr masked;
	unsigned long len;
	char *end;

	if (!slash) {
		if (xi_addr_parse(text, &prefix.addr))
			return -EINVAL;
		prefix.len = xi_family_bits(prefix.addr.family);
		*ret = prefix;
		return 0;
	}
	if ((size_t)(slash - text) >= sizeof(host) || slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	memcpy(host, text, slash - text);
	host[slash - text] = '\0';
	if (xi_addr_parse(host, &prefix.addr))
		return -EINVAL;
	len = strtoul(slash + 1, &end, 10);
	if (*end || len > xi_family_bits(prefix.addr.family))
		return -EINVAL;
	prefix.len = len;
	masked = prefix.addr;
	xi_addr_mask(&masked, prefix.len);
	if (!xi_addr_equal(&masked, &prefix.addr))
		return -ERANGE;
	*ret = prefix;
	return 0;
}

const char *xi_addr_text(const struct xi_addr *addr, char buf[XI_ADDR_STRLEN])
{
	if (!addr->family ||
	    !inet_ntop(addr->family == 4 ? AF_INET : AF_INET6, addr->b, buf, XI_ADDR_STRLEN))
		strcpy(buf, "-");
	return buf;
}

const char *xi_prefix_text(const struct xi_prefix *prefix, char buf[XI_PREFIX_STRLEN])
{
	xi_addr_text(&prefix->addr, buf);
	if (prefix->len != xi_family_bits(prefix->addr.family))
		sprintf(buf + strlen(buf), "/%u", prefix->len);
	return buf;
}

bool xi_addr_equal(const struct xi_addr *a, const struct xi_addr *b)
{
	return a->family == b->family && !memcmp(a->b, b->b, sizeof(a->b));
}

uint8_t xi_family_bits(uint8_t family)
{
	return family == 4 ? 32 : 128;
}

void xi_addr_mask(struct xi_addr *addr, uint8_t len)
{
	size_t at = len / 8;

	if (at >= sizeof(addr->b))
		return;
	if (len % 8)
		addr->b[at++] &= 0xff << (8 - len % 8);
	memset(&addr->b[at], 0, sizeof(addr->b) - at);
}

bool xi_prefix_covers(const struct xi_prefix *prefix, const struct xi_addr *addr)
{
	size_t whole = prefix->len < 128 ? prefix->len / 8 : sizeof(addr->b);
	struct xi_addr masked = *addr;

	/* Nearly all that it does not cover are told apart by their whole bytes. */
	if (prefix->addr.family != addr->family || memcmp(prefix->addr.b, addr->b, whole) != 0)
		return false;
	xi_addr_mask(&masked, prefix->len);
	return xi_addr_equal(&masked, &prefix->addr);
}
