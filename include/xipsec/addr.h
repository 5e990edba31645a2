/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef XIPSEC_ADDR_H
#define XIPSEC_ADDR_H

#include <stdint.h>

/*
 * One address, either family. Bytes are in network order; an IPv4 address uses
 * the first four and the rest are zero, so that two addresses can be compared
 * with memcmp over the whole struct.
 */
struct xi_addr {
	uint8_t family; /* 4, 6, or 0 for "none" */
	uint8_t pad[3];
	uint8_t b[16];
};

struct xi_prefix {
	struct xi_addr addr; /* host bits are zero */
	uint8_t len;	     /* 0..32 or 0..128 */
};

#endif
