/* SPDX-License-Identifier: BSD-2-Clause */
/* A frame that the parser takes for a given packet: to ask the programs about it. */
#ifndef UTIL_SYNTH_H
#define UTIL_SYNTH_H

#include <stddef.h>
#include <stdint.h>

#include <xipsec/abi.h>

#define SYNTH_MAX 256

/*
 * Ethernet, IP and the upper header of pkt, as sent in pkt->dir, into buf.
 * Returns its length. The other flags than XI_PKT_LATER_FRAG play no part.
 */
size_t synth_frame(const struct xi_pkt *pkt, uint8_t buf[SYNTH_MAX]);

#endif
