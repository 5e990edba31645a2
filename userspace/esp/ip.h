/* SPDX-License-Identifier: BSD-2-Clause */
/* What the ESP code needs to know about one IP packet. Pure; the bytes may be hostile. */
#ifndef ESP_IP_H
#define ESP_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/addr.h>
#include <xipsec/sa.h>

#define IP_PROTO_ICMP	 1
#define IP_PROTO_IPIP	 4
#define IP_PROTO_TCP	 6
#define IP_PROTO_UDP	 17
#define IP_PROTO_IPV6	 41
#define IP_PROTO_ESP	 50
#define IP_PROTO_ICMP6	 58
#define IP_PROTO_NO_NEXT 59

/* Longest chain of IP header, options and extension headers that is understood. */
#define IP_HEADERS_MAX 512

struct ip_info {
	struct xi_addr src, dst;
	uint8_t family; /* 4 or 6 */
	uint8_t proto;	/* upper-layer protocol, after the extension headers */
	bool fragment;	/* any fragment, also the first */
	bool has_ports;
	uint16_t sport, dport; /* host order, 0 without ports */
	uint32_t len;	       /* whole packet by its own header */
	uint16_t l4_off;       /* where the upper layer starts */
	uint16_t l4_next_off;  /* the byte that names it */
	/* RFC 4303 3.1.1: ESP goes behind the headers that routers on the way look at. */
	uint16_t esp_off, esp_next_off;
};

/* Returns 0, or -EINVAL for what is not a whole, well-formed packet of len bytes or less. */
int ip_parse(const uint8_t *ip, size_t len, struct ip_info *ret);

/* Sets total length (payload length) and, for IPv4, the header checksum. */
void ip_set_len(uint8_t *ip, const struct ip_info *info, size_t len);

/* The unfolded pseudo-header sum for an upper layer of this length. */
uint64_t ip_pseudo_sum(const struct ip_info *info, uint8_t proto, size_t l4_len);

/* RFC 4301 4.4.1.1: may an SA with this selector carry the packet? */
bool ip_matches(const struct ip_info *info, const struct xi_selector *sel, bool outbound);

#endif
