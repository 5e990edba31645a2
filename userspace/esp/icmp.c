// SPDX-License-Identifier: BSD-2-Clause
/* "Too big" towards the local stack; see icmp.h. RFC 792 with RFC 1191, RFC 4443 3.2. */
#include "esp/icmp.h"

#include <string.h>

#include "esp/csum.h"
#include "util/bytes.h"

#define HOP_LIMIT 64

static size_t too_big4(const uint8_t *ip, const struct ip_info *info, uint32_t mtu, uint8_t *out)
{
	/* RFC 1812 4.3.2.3: as much of the packet as 576 bytes hold. */
	size_t quoted = info->len < 576 - 28 ? info->len : 576 - 28;
	struct ip_info answer = {.family = 4};
	uint16_t sum;

	memset(out, 0, 28);
	out[0] = 0x45;
	out[1] = 0xc0;
	out[8] = HOP_LIMIT;
	out[9] = IP_PROTO_ICMP;
	memcpy(out + 12, info->dst.b, 4);
	memcpy(out + 16, info->src.b, 4);
	out[20] = 3;
	out[21] = 4;
	put_be16(out + 26, (uint16_t)(mtu < 65535 ? mtu : 65535));
	memcpy(out + 28, ip, quoted);
	sum = csum_fold(csum_add(0, out + 20, 8 + quoted));
	memcpy(out + 22, &sum, 2);
	ip_set_len(out, &answer, 28 + quoted);
	return 28 + quoted;
}

static size_t too_big6(const uint8_t *ip, const struct ip_info *info, uint32_t mtu, uint8_t *out)
{
	size_t quoted = info->len < 1280 - 48 ? info->len : 1280 - 48;
	struct ip_info answer = {.family = 6, .src = info->dst, .dst = info->src};
	uint16_t sum;

	memset(out, 0, 48);
	out[0] = 0x60;
	out[6] = IP_PROTO_ICMP6;
	out[7] = HOP_LIMIT;
	memcpy(out + 8, info->dst.b, 16);
	memcpy(out + 24, info->src.b, 16);
	out[40] = 2;
	put_be32(out + 44, mtu);
	memcpy(out + 48, ip, quoted);
	sum = csum_fold(
		csum_add(ip_pseudo_sum(&answer, IP_PROTO_ICMP6, 8 + quoted), out + 40, 8 + quoted));
	memcpy(out + 42, &sum, 2);
	ip_set_len(out, &answer, 48 + quoted);
	return 48 + quoted;
}

size_t icmp_too_big(const uint8_t *ip, const struct ip_info *info, uint32_t mtu,
		    uint8_t out[ICMP_TOO_BIG_MAX])
{
	return info->family == 4 ? too_big4(ip, info, mtu, out) : too_big6(ip, info, mtu, out);
}
