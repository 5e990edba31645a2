/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap of timers; see timer.h. */
#include "ike/timer.h"

#include <errno.h>
#include <stdlib.h>

int ike_timers_reserve(struct ike_timers *timers)
{
	if (timers->reserved + 2 > timers->capacity) {
		size_t capacity = timers->capacity ? timers->capacity * 2 : 64;
		struct ike_timer **heap = reallocarray(timers->heap, capacity,
						       sizeof(*timers->heap));

		if (!heap)
			return -ENOMEM;
		timers->heap = heap;
		timers->capacity = capacity;
	}
	timers->reserved++;
	return 0;
}

static void place(struct ike_timers *timers, struct ike_timer *timer, size_t at)
{
	timers->heap[at] = timer;
	timer->at = at;
}

static void sift_up(struct ike_timers *timers, struct ike_timer *timer)
{
	size_t at = timer->at;

	for (; at > 1 && timers->heap[at / 2]->due_ms > timer->due_ms; at /= 2)
		place(timers, timers->heap[at / 2], at);
	place(timers, timer, at);
}

static void sift_down(struct ike_timers *timers, struct ike_timer *timer)
{
	size_t at = timer->at;

	for (;;) {
		size_t child = at * 2;

		if (child > timers->count)
			break;
		if (child < timers->count &&
		    timers->heap[child + 1]->due_ms < timers->heap[child]->due_ms)
			child++;
		if (timers->heap[child]->due_ms >= timer->due_ms)
			break;
		place(timers, timers->heap[child], at);
		at = child;
	}
	place(timers, timer, at);
}

static void take_out(struct ike_timers *timers, struct ike_timer *timer)
{
	size_t at = timer->at;
	struct ike_timer *last = timers->heap[timers->count--];

	timer->at = 0;
	if (last == timer)
		return;
	place(timers, last, at);
	sift_up(timers, last);
	sift_down(timers, last);
}

void ike_timer_set(struct ike_timers *timers, struct ike_timer *timer, uint64_t due_ms)
{
	if (timer->at)
		take_out(timers, timer);
	timer->due_ms = due_ms;
	if (due_ms == IKE_NEVER)
		return;
	place(timers, timer, ++timers->count);
	sift_up(timers, timer);
}

void ike_timers_release(struct ike_timers *timers, struct ike_timer *timer)
{
	ike_timer_set(timers, timer, IKE_NEVER);
	timers->reserved--;
}

struct ike_timer *ike_timers_due(struct ike_timers *timers, uint64_t now_ms)
{
	struct ike_timer *first;

	if (!timers->count || timers->heap[1]->due_ms > now_ms)
		return NULL;
	first = timers->heap[1];
	take_out(timers, first);
	first->due_ms = IKE_NEVER;
	return first;
}

uint64_t ike_timers_next(const struct ike_timers *timers)
{
	return timers->count ? timers->heap[1]->due_ms : IKE_NEVER;
}

void ike_timers_free(struct ike_timers *timers)
{
	free(timers->heap);
	*timers = (struct ike_timers){0};
}
