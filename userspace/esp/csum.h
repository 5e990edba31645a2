/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum (RFC 1071): sums are kept unfolded, in memory order. */
#ifndef ESP_CSUM_H
#define ESP_CSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Adds len bytes; only the last piece of a sum may have an odd length. */
static inline uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t word, carry = 0;
	uint32_t half;
	uint16_t pair;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		carry += __builtin_add_overflow(sum, word, &sum);
	}
	/* 2^64 is 1 modulo 0xffff: carries come back in at the bottom. */
	sum = (sum & 0xffffffff) + (sum >> 32) + carry;
	if (len >= 4) {
		memcpy(&half, p, 4);
		sum += half;
		p += 4;
		len -= 4;
	}
	if (len >= 2) {
		memcpy(&pair, p, 2);
		sum += pair;
		p += 2;
		len -= 2;
	}
	if (len) {
		pair = 0;
		memcpy(&pair, p, 1);
		sum += pair;
	}
	return sum;
}

/* The complemented 16-bit sum, ready to be stored with memcpy. */
static inline uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

#endif
