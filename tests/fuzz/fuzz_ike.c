/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Anything as an IKE message: once as a datagram, and once as a decrypted
 * body, whose first payload type and version the header's place gives.
 */
// FUZZ-SOURCES: tests/lib/ike_walk.c ike/wire/*.c userspace/util/algs.c
#include "tests/lib/ike_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ike_walk(data, size, NULL);
	if (size < WIRE_HEADER_LEN)
		return 0;
	ike_walk_chain(data[17] >> 4 == 2 ? 2 : 1, data[16], data + WIRE_HEADER_LEN,
		       size - WIRE_HEADER_LEN, WIRE_PADDED, NULL);
	return 0;
}
