/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer to the local stack when a packet does not fit once ESP is added. Pure. */
#ifndef ESP_ICMP_H
#define ESP_ICMP_H

#include <stddef.h>
#include <stdint.h>

#include "esp/ip.h"

#define ICMP_TOO_BIG_MAX 1280

/*
 * Writes the IP packet that tells the sender of `ip` to send no more than mtu
 * bytes: ICMP fragmentation needed (RFC 1191) or ICMPv6 packet too big (RFC
 * 4443 3.2). It comes from the address the packet was for. Returns its length.
 */
size_t icmp_too_big(const uint8_t *ip, const struct ip_info *info, uint32_t mtu,
		    uint8_t out[ICMP_TOO_BIG_MAX]);

#endif
