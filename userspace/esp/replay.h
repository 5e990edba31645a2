/* SPDX-License-Identifier: BSD-2-Clause */
/* The anti-replay window (RFC 4303 3.4.3, RFC 6479) and extended sequence numbers. */
#ifndef ESP_REPLAY_H
#define ESP_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#define REPLAY_DEFAULT 1024
#define REPLAY_MAX     8192

/*
 * A ring of 64-bit blocks, one block longer than the window, so that sliding
 * only clears whole blocks. `size` 0 accepts everything but 0.
 */
struct replay {
	uint64_t top;  /* highest sequence number accepted */
	uint32_t size; /* packets, a multiple of 64 */
	uint32_t mask; /* blocks - 1 */
	uint64_t bits[REPLAY_MAX / 64 * 2];
};

/* The window is rounded up to 64 packets and cut at REPLAY_MAX. */
void replay_init(struct replay *replay, uint32_t window);
/* Before the ICV is checked: could this number be new? Changes nothing. */
bool replay_check(const struct replay *replay, uint64_t seq);
/* After the ICV was good: takes the number, or refuses one that came twice. */
bool replay_update(struct replay *replay, uint64_t seq);
/* The 64-bit number that 32 bits from the wire most likely stand for (RFC 4303 A2.2). */
uint64_t replay_extend(const struct replay *replay, uint32_t low);

#endif
