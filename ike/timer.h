/* SPDX-License-Identifier: BSD-2-Clause */
/* A binary heap of timers, embedded in the objects they belong to. */
#ifndef IKE_TIMER_H
#define IKE_TIMER_H

#include <stddef.h>
#include <stdint.h>

#define IKE_NEVER UINT64_MAX

struct ike_timer;
typedef void (*ike_timer_fn)(struct ike_timer *timer);

struct ike_timer {
	uint64_t due_ms; /* IKE_NEVER: not armed */
	size_t at;	 /* its place in the heap, from 1; 0 = not in it */
	ike_timer_fn fire;
};

struct ike_timers {
	struct ike_timer **heap; /* heap[1] is due first */
	size_t count, capacity, reserved;
};

/*
 * Makes room for one more timer, so that arming it later cannot fail. Every
 * object that embeds a timer reserves on birth and releases on death.
 * Returns 0 or -ENOMEM.
 */
int ike_timers_reserve(struct ike_timers *timers);
void ike_timers_release(struct ike_timers *timers, struct ike_timer *timer);
/* Arms, moves, or (IKE_NEVER) disarms. */
void ike_timer_set(struct ike_timers *timers, struct ike_timer *timer, uint64_t due_ms);
/* Takes the first timer out that is due at now_ms, or returns NULL. */
struct ike_timer *ike_timers_due(struct ike_timers *timers, uint64_t now_ms);
uint64_t ike_timers_next(const struct ike_timers *timers); /* IKE_NEVER when none */
void ike_timers_free(struct ike_timers *timers);

#endif
