/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UTIL_ADDR_H
#define UTIL_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include <xipsec/addr.h>

#define XI_ADDR_STRLEN	 46
#define XI_PREFIX_STRLEN 50

/* "192.0.2.1" or "2001:db8::1". Returns 0 or -EINVAL and leaves *ret as it was. */
int xi_addr_parse(const char *text, struct xi_addr *ret);
/* "10.0.0.0/8"; a bare address is a full-length prefix; host bits must be zero (-ERANGE). */
int xi_prefix_parse(const char *text, struct xi_prefix *ret);
const char *xi_addr_text(const struct xi_addr *addr, char buf[XI_ADDR_STRLEN]);
const char *xi_prefix_text(const struct xi_prefix *prefix, char buf[XI_PREFIX_STRLEN]);

bool xi_addr_equal(const struct xi_addr *a, const struct xi_addr *b);
/* 32 or 128: the length of a whole address of this family. */
uint8_t xi_family_bits(uint8_t family);
/* Zeroes the bits behind len. */
void xi_addr_mask(struct xi_addr *addr, uint8_t len);
bool xi_prefix_covers(const struct xi_prefix *prefix, const struct xi_addr *addr);

#endif
