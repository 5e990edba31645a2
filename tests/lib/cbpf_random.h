/* SPDX-License-Identifier: BSD-2-Clause */
/* Classic BPF programs at random: every instruction there is, forward jumps, an end. */
#ifndef TESTS_LIB_CBPF_RANDOM_H
#define TESTS_LIB_CBPF_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "util/cbpf.h"

/* Some number; the same ones for the same seed. */
uint32_t cbpf_random(uint64_t *seed);

/*
 * A program of at most max (>= 20) instructions that passes cbpf_check() for frames of
 * `bytes`. It sets all of its memory first, as translated filters set what they read.
 */
size_t cbpf_random_program(uint64_t *seed, struct cbpf_insn *ret, size_t max, uint32_t bytes);

#endif
