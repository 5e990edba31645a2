/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classic BPF, the machine that pcap filters are compiled for: checking a
 * program that came from somewhere else, and running it on a frame. A program
 * that passed cbpf_check() ends, whatever the frame is, and reads nothing else.
 */
#ifndef UTIL_CBPF_H
#define UTIL_CBPF_H

#include <stddef.h>
#include <stdint.h>

#define CBPF_INSNS_MAX 4096 /* of all programs; BPF_MAXINSNS of the kernel */
#define CBPF_MEMWORDS  16

struct cbpf_insn {
	uint16_t code; /* BPF_* of <linux/filter.h> */
	uint8_t jt, jf;
	uint32_t k;
};

/*
 * 0; -EINVAL: this is no program (a jump or a memory word out of range, an
 * unknown instruction, no end); -ERANGE: it looks at a fixed place beyond the
 * first `bytes` of the frame.
 */
int cbpf_check(const struct cbpf_insn *insns, size_t count, uint32_t bytes);

/*
 * What the program returns: 0 = the frame does not match. It has the first
 * `captured` bytes of a frame of len bytes; a load beyond them returns 0.
 */
uint32_t cbpf_run(const struct cbpf_insn *insns, const uint8_t *frame, uint32_t len,
		  uint32_t captured);

#endif
