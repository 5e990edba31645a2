/* SPDX-License-Identifier: BSD-2-Clause */
/* See synth.h. Checksums above IP are left out: nobody on the way looks at them. */
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include "util/synth.h"

#define ETHER_LEN   14
#define IPV4_LEN    20
#define IPV6_LEN    40
#define FRAG_LEN    8
#define UPPER_LEN   64 /* the largest header that anything looks at, and some data */
#define FRAG_OFFSET 1480

#define PROTO_ICMP     1
#define PROTO_TCP      6
#define PROTO_ICMPV6   58
#define PROTO_FRAGMENT 44

static void put16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static uint16_t checksum(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void put_upper(const struct xi_pkt *pkt, uint8_t *at)
{
	bool in = pkt->dir == XI_DIR_IN;

	if (pkt->flags & XI_PKT_LATER_FRAG)
		return;
	if (pkt->proto == PROTO_ICMP || pkt->proto == PROTO_ICMPV6) {
		at[0] = pkt->icmp_type;
		at[1] = pkt->icmp_code;
		return;
	}
	put16(at, in ? pkt->remote_port : pkt->local_port);
	put16(at + 2, in ? pkt->local_port : pkt->remote_port);
	if (pkt->proto == PROTO_TCP) {
		at[12] = 5 << 4; /* header length in words */
		at[13] = 0x02;	 /* SYN */
	} else {
		put16(at + 4, UPPER_LEN); /* of UDP; of others it is data */
	}
}

static size_t put_ipv4(const struct xi_pkt *pkt, uint8_t *at)
{
	bool in = pkt->dir == XI_DIR_IN;

	at[0] = 0x45;
	put16(at + 2, IPV4_LEN + UPPER_LEN);
	put16(at + 4, 1);
	if (pkt->flags & XI_PKT_LATER_FRAG)
		put16(at + 6, FRAG_OFFSET / 8);
	at[8] = 64;
	at[9] = pkt->proto;
	memcpy(at + 12, in ? pkt->remote : pkt->local, 4);
	memcpy(at + 16, in ? pkt->local : pkt->remote, 4);
	put16(at + 10, checksum(at, IPV4_LEN));
	return IPV4_LEN;
}

static size_t put_ipv6(const struct xi_pkt *pkt, uint8_t *at)
{
	bool in = pkt->dir == XI_DIR_IN, frag = pkt->flags & XI_PKT_LATER_FRAG;
	size_t extra = frag ? FRAG_LEN : 0;

	at[0] = 0x60;
	put16(at + 4, extra + UPPER_LEN);
	at[6] = frag ? PROTO_FRAGMENT : pkt->proto;
	at[7] = 64;
	memcpy(at + 8, in ? pkt->remote : pkt->local, 16);
	memcpy(at + 24, in ? pkt->local : pkt->remote, 16);
	if (frag) {
		at[IPV6_LEN] = pkt->proto;
		put16(at + IPV6_LEN + 2, FRAG_OFFSET); /* in eights, above three bits of flags */
		at[IPV6_LEN + 7] = 1;
	}
	return IPV6_LEN + extra;
}

size_t synth_frame(const struct xi_pkt *pkt, uint8_t buf[SYNTH_MAX])
{
	size_t len = ETHER_LEN;

	memset(buf, 0, SYNTH_MAX);
	buf[0] = buf[6] = 0x02; /* locally administered, never a real address */
	put16(buf + 12, pkt->family == 4 ? 0x0800 : 0x86dd);
	len += pkt->family == 4 ? put_ipv4(pkt, buf + len) : put_ipv6(pkt, buf + len);
	put_upper(pkt, buf + len);
	return len + UPPER_LEN;
}
