/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The masks of IPv6 prefixes, as they lie in memory. A table, because to compute
 * one takes branches that nobody can foresee: the lengths of shapes are mixed.
 */
#ifndef XI_MASK6_BPF_H
#define XI_MASK6_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define XI_MASK_WORD(bits) ((bits) ? __builtin_bswap64(~0ull << ((64 - (bits)) & 63)) : 0)
#else
#define XI_MASK_WORD(bits) ((bits) ? ~0ull << ((64 - (bits)) & 63) : 0)
#endif
#define XI_MASK(len)                                                                               \
	{                                                                                          \
		XI_MASK_WORD((len) < 64 ? (len) : 64), XI_MASK_WORD((len) > 64 ? (len)-64 : 0)     \
	}
#define XI_MASKS_4(len) XI_MASK(len), XI_MASK((len) + 1), XI_MASK((len) + 2), XI_MASK((len) + 3)
#define XI_MASKS_16(len)                                                                           \
	XI_MASKS_4(len), XI_MASKS_4((len) + 4), XI_MASKS_4((len) + 8), XI_MASKS_4((len) + 12)

/* As long as a byte can name, so that no check is needed. */
static const __u64 xi_masks6[256][2] = {
	XI_MASKS_16(0),	 XI_MASKS_16(16), XI_MASKS_16(32),  XI_MASKS_16(48), XI_MASKS_16(64),
	XI_MASKS_16(80), XI_MASKS_16(96), XI_MASKS_16(112), XI_MASK(128),
};

/* The two words of a mask. */
static __always_inline const __u64 *xi_mask6(__u8 len)
{
	return xi_masks6[len];
}

#endif
