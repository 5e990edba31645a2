/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One scalar of the policy text and what it stands for, in both directions.
 * Pure: no places, no policy. Where a function fails it returns -EINVAL, leaves
 * its result as it was and says why in a struct complaint.
 */
#ifndef POLICY_SCALAR_H
#define POLICY_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

struct complaint {
	char text[200]; /* one sentence, no full stop */
	char hint[100]; /* or "" */
};
/* Fills both; hint may be NULL. Returns -EINVAL. */
int complain(struct complaint *why, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define DURATION_TEXT 24
/* "90s", "8h", "1h30m"; a number alone is refused. Seconds. */
int parse_duration(const char *text, uint32_t *ret, struct complaint *why);
const char *duration_text(uint32_t seconds, char buf[DURATION_TEXT]);
/* "100000", "100000 kB", "100 MB", "1 GB"; steps of 1000. Kilobytes. */
int parse_kilobytes(const char *text, uint32_t *ret, struct complaint *why);
/* Decimal digits only; `what` is the name for the complaint. */
int parse_number(const char *text, const char *what, uint32_t min, uint32_t max, uint32_t *ret,
		 struct complaint *why);

/* A name or 1..255; "any" is given = false. */
int parse_proto(const char *text, bool *ret_given, uint8_t *ret, struct complaint *why);
#define PROTO_TEXT 16
const char *proto_text(uint8_t proto, char buf[PROTO_TEXT]);
bool proto_has_ports(uint8_t proto);
bool proto_is_icmp(uint8_t proto); /* or ICMPv6 */

/* "443", "5432-5433", "any". */
int parse_ports(const char *text, bool *ret_given, uint16_t *ret_lo, uint16_t *ret_hi,
		struct complaint *why);

/* Everything that `src:` may hold. ret->text is malloc'ed; also -ENOMEM. */
int parse_address(const char *text, struct pol_addr *ret, struct complaint *why);
/* Addresses and prefixes only, as in an address file. */
int parse_prefix(const char *text, struct xi_prefix *ret, struct complaint *why);
const char *address_keyword(enum pol_addr_kind kind); /* "me"; NULL when it is not a word */

/* "aes256-sha256-modp2048", "aes128-sha1" or "aes128gcm16" or "aes128" (integ NONE), "sha1" */
int parse_mm_method(const char *text, struct pol_mm_method *ret, struct complaint *why);
int parse_esp(const char *text, enum xi_cipher *ret_cipher, enum xi_integ *ret_integ,
	      struct complaint *why);
int parse_ah(const char *text, enum xi_integ *ret, struct complaint *why);
int parse_pfs(const char *text, enum xi_group *ret, struct complaint *why);

#endif
