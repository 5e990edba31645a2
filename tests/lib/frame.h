/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames for tests, described by what is in them. */
#ifndef TESTS_FRAME_H
#define TESTS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX   70000
#define FRAME_EXTS  16
#define PROTO_TCP   6
#define PROTO_UDP   17
#define PROTO_ESP   50
#define PROTO_AH    51
#define PROTO_ICMP6 58

/* Everything left at zero takes a sane value. */
struct frame_spec {
	const char *src, *dst; /* decide the family; needed */
	uint8_t proto;
	uint16_t sport, dport;
	uint8_t icmp_type, icmp_code;
	uint32_t spi;		 /* ESP, AH; host order */
	unsigned vlans;		 /* tags */
	uint16_t tpid;		 /* of every tag; 0x8100 */
	unsigned options;	 /* IPv4: 32-bit words */
	uint8_t ext[FRAME_EXTS]; /* IPv6: extension headers in order */
	unsigned exts;
	unsigned ext_len;  /* of each but fragment headers, in bytes beyond 8; multiple of 8 */
	uint16_t frag_off; /* in 8 bytes */
	unsigned frag_more;
	uint32_t ident;
	uint8_t hops;	  /* TTL or hop limit; 64 */
	unsigned payload; /* bytes behind the upper-layer header */
	unsigned trailer; /* bytes behind the packet, as Ethernet pads */
};

/* Where things lie in a built frame; for tests that break it. */
struct frame {
	uint8_t data[FRAME_MAX];
	size_t len, l3, l4;
};

void frame_build(struct frame *ret, const struct frame_spec *spec);

#endif
