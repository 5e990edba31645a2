/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second opinion on what a policy means, written from the rules that users
 * read (xipsec-policy(5), "Order of precedence") and not from the compiler: it
 * keeps each filter as the text has it, and reads direction, mirror and
 * precedence off the packet at hand. Slow, and shares no code with
 * userspace/compile/ but the struct of a packet.
 */
#ifndef TESTS_LIB_ORACLE_H
#define TESTS_LIB_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/abi.h>

enum oracle_kind { ORACLE_ANY, ORACLE_ME, ORACLE_RANGE };

/* One address of a side: a range holds prefixes and single addresses as well. */
struct oracle_addr {
	enum oracle_kind kind;
	uint8_t family; /* of a range: 4 or 6 */
	uint8_t lo[16], hi[16];
};

#define ORACLE_ADDRS 3

struct oracle_side {
	struct oracle_addr addr[ORACLE_ADDRS];
	unsigned addrs;
	uint16_t port_lo, port_hi; /* 0-65535: any */
};

/* One entry of a filter list, in a rule of its own. */
struct oracle_filter {
	struct oracle_side src, dst;
	int proto;		  /* -1: any */
	int icmp_type, icmp_code; /* -1: any */
	bool mirrored;
	enum xi_action action;
};

/* Who this host is. `fixed`: addresses written out count as `me` where they are ours. */
struct oracle_host {
	const uint8_t (*me)[16];
	const uint8_t *me_family;
	size_t count;
	bool fixed;
};

/* Which filter decides: its index, or -1. Whole packets only, no fragments. */
int oracle_decide(const struct oracle_filter *filters, size_t count, const struct oracle_host *host,
		  const struct xi_pkt *pkt);

#endif
