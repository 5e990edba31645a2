/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads everything that can be read in an IKE message, as a debugging stranger
 * would send it: header, chain, every payload with its reader, every text.
 * Checks on the way that what the readers promise holds (slices lie inside the
 * message, counts are bounded) and aborts when it does not, so that unit tests
 * and the fuzzer find the same faults.
 */
#ifndef TESTS_LIB_IKE_WALK_H
#define TESTS_LIB_IKE_WALK_H

#include "ike/wire/msg.h"

/* 0 when the message and each payload is well formed, -EBADMSG, -EPROTONOSUPPORT. */
int ike_walk(const uint8_t *msg, size_t len, struct wire_error *err);
/* The same for the payloads alone, as after decryption. */
int ike_walk_chain(unsigned major, uint8_t first, const uint8_t *p, size_t len,
		   enum wire_padding padding, struct wire_error *err);

#endif
