// SPDX-License-Identifier: BSD-2-Clause
/*
 * Parsing of IPv4 and IPv6 headers for ESP: RFC 791, RFC 8200, and RFC 4303
 * 3.1.1 for the place of the ESP header.
 *
 * A destination options header stands in front of ESP only when a routing
 * header follows it (it is then meant for the routers of the list).
 */
#include "esp/ip.h"

#include <errno.h>
#include <string.h>

#include "esp/csum.h"
#include "util/addr.h"
#include "util/bytes.h"

#define IP4_HDR 20
#define IP6_HDR 40

#define EXT_HOP_BY_HOP 0
#define EXT_ROUTING    43
#define EXT_FRAGMENT   44
#define EXT_DEST_OPTS  60

static bool proto_has_ports(uint8_t proto)
{
	/* TCP, UDP, DCCP, SCTP, UDP-Lite */
	return proto == IP_PROTO_TCP || proto == IP_PROTO_UDP || proto == 33 || proto == 132 ||
	       proto == 136;
}

static void parse_ports(const uint8_t *ip, struct ip_info *info)
{
	if (info->fragment || !proto_has_ports(info->proto) || info->l4_off + 4u > info->len)
		return;
	info->has_ports = true;
	info->sport = get_be16(ip + info->l4_off);
	info->dport = get_be16(ip + info->l4_off + 2);
}

static int parse4(const uint8_t *ip, size_t len, struct ip_info *info)
{
	size_t header;

	if (len < IP4_HDR)
		return -EINVAL;
	header = (ip[0] & 15) * 4u;
	info->len = get_be16(ip + 2);
	if (header < IP4_HDR || info->len < header || info->len > len)
		return -EINVAL;
	info->family = info->src.family = info->dst.family = 4;
	memcpy(info->src.b, ip + 12, 4);
	memcpy(info->dst.b, ip + 16, 4);
	info->fragment = get_be16(ip + 6) & 0x3fff;
	info->proto = ip[9];
	info->l4_off = info->esp_off = (uint16_t)header;
	info->l4_next_off = info->esp_next_off = 9;
	return 0;
}

/* Walks the chain of extension headers; each step moves on by at least 8 bytes. */
static int walk6(const uint8_t *ip, struct ip_info *info)
{
	uint16_t off = IP6_HDR, next_off = 6;

	for (;;) {
		uint8_t next = ip[next_off];
		size_t ext_len;

		info->proto = next;
		info->l4_off = off;
		info->l4_next_off = next_off;
		if (next != EXT_HOP_BY_HOP && next != EXT_ROUTING && next != EXT_FRAGMENT &&
		    next != EXT_DEST_OPTS)
			return 0;
		if (next == EXT_HOP_BY_HOP && off != IP6_HDR)
			return -EINVAL;
		if (off + 8u > info->len)
			return -EINVAL;
		ext_len = next == EXT_FRAGMENT ? 8 : (ip[off + 1] + 1u) * 8;
		if (off + ext_len > info->len || off + ext_len > IP_HEADERS_MAX)
			return -EINVAL;
		if (next == EXT_FRAGMENT)
			info->fragment = true;
		next_off = off;
		off = (uint16_t)(off + ext_len);
		if (next != EXT_DEST_OPTS) {
			info->esp_off = off;
			info->esp_next_off = next_off;
		}
		/* Behind the header of a later fragment lies no header. */
		if (next == EXT_FRAGMENT && get_be16(ip + next_off + 2) & 0xfff8) {
			info->proto = ip[next_off];
			info->l4_off = off;
			info->l4_next_off = next_off;
			return 0;
		}
	}
}

static int parse6(const uint8_t *ip, size_t len, struct ip_info *info)
{
	if (len < IP6_HDR)
		return -EINVAL;
	info->len = IP6_HDR + get_be16(ip + 4);
	if (info->len > len)
		return -EINVAL;
	info->family = info->src.family = info->dst.family = 6;
	memcpy(info->src.b, ip + 8, 16);
	memcpy(info->dst.b, ip + 24, 16);
	info->esp_off = IP6_HDR;
	info->esp_next_off = 6;
	return walk6(ip, info);
}

int ip_parse(const uint8_t *ip, size_t len, struct ip_info *ret)
{
	struct ip_info info = {0};
	int err;

	if (!len)
		return -EINVAL;
	if (ip[0] >> 4 == 4)
		err = parse4(ip, len, &info);
	else if (ip[0] >> 4 == 6)
		err = parse6(ip, len, &info);
	else
		err = -EINVAL;
	if (err)
		return err;
	parse_ports(ip, &info);
	*ret = info;
	return 0;
}

void ip_set_len(uint8_t *ip, const struct ip_info *info, size_t len)
{
	uint16_t sum;

	if (info->family == 6) {
		put_be16(ip + 4, (uint16_t)(len - IP6_HDR));
		return;
	}
	put_be16(ip + 2, (uint16_t)len);
	memset(ip + 10, 0, 2);
	sum = csum_fold(csum_add(0, ip, (ip[0] & 15) * 4u));
	memcpy(ip + 10, &sum, 2);
}

uint64_t ip_pseudo_sum(const struct ip_info *info, uint8_t proto, size_t l4_len)
{
	size_t addr_len = info->family == 4 ? 4 : 16;
	uint8_t tail[8] = {0};
	uint64_t sum;

	sum = csum_add(0, info->src.b, addr_len);
	sum = csum_add(sum, info->dst.b, addr_len);
	put_be32(tail, (uint32_t)l4_len);
	tail[7] = proto;
	return csum_add(sum, tail, sizeof(tail));
}

bool ip_matches(const struct ip_info *info, const struct xi_selector *sel, bool outbound)
{
	const struct xi_addr *local = outbound ? &info->src : &info->dst;
	const struct xi_addr *remote = outbound ? &info->dst : &info->src;
	uint16_t local_port = outbound ? info->sport : info->dport;
	uint16_t remote_port = outbound ? info->dport : info->sport;

	if (!xi_prefix_covers(&sel->local, local) || !xi_prefix_covers(&sel->remote, remote))
		return false;
	if (sel->proto && sel->proto != info->proto)
		return false;
	if ((sel->local_port || sel->remote_port) && !info->has_ports)
		return false;
	if (sel->local_port && sel->local_port != local_port)
		return false;
	return !sel->remote_port || sel->remote_port == remote_port;
}
