/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that wait for an SA (RFC 4301 leaves it to the implementation; the
 * first packet of a flow must not be lost). Bounded per flow and in all.
 */
#ifndef ESP_HOLD_H
#define ESP_HOLD_H

#include <stddef.h>
#include <stdint.h>

#include <xipsec/abi.h>

#include "esp/ip.h"

#define HOLD_FLOW_PACKETS 64
#define HOLD_FLOW_BYTES	  (256 * 1024)
#define HOLD_FLOWS	  4096
#define HOLD_BYTES	  (16 * 1024 * 1024)
#define HOLD_MS		  30000

struct hold;

struct hold *hold_new(void); /* NULL without memory */
void hold_free(struct hold *hold);

/* Copies len bytes. Returns HELD, or HOLD_FULL when a bound is reached. */
enum xi_reason hold_add(struct hold *hold, const struct ip_info *info, const uint8_t *data,
			size_t len, uint64_t now_ms);
/* Gives out, in order of arrival within a flow, and forgets all that the selector covers. */
size_t hold_take(struct hold *hold, const struct xi_selector *sel,
		 void (*fn)(void *arg, uint8_t *data, size_t len), void *arg);
/* Drops what is older than HOLD_MS, or all between two hosts; adds to *dropped. */
void hold_expire(struct hold *hold, uint64_t now_ms, struct xi_count *dropped);
void hold_forget(struct hold *hold, const struct xi_addr *local, const struct xi_addr *remote,
		 struct xi_count *dropped);
/* Packets held now. */
size_t hold_count(const struct hold *hold);

#endif
