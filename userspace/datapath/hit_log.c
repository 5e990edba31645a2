/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hits that are not in xi_counts yet (struct xi_hit_log), for readers. A
 * program moves a full log to the counters in one go, and says before and after
 * that it does (rounds): a sum during which no log was moved is exact. Under traffic
 * there is always one that was. Then a sum has to hold at least what any earlier
 * one held, so that a counter never goes back: it is taken again once everything that was
 * logged at first has arrived in xi_counts, and without what was logged since.
 *
 * Weak spot: programs have no barriers, so on a CPU whose stores overtake each other a sum
 * may miss a log or count it twice while traffic flows.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/internal.h"

size_t dp_hit_log_cpus(void)
{
	int cpus = libbpf_num_possible_cpus();

	return cpus > 0 ? cpus : 1;
}

static const struct xi_hit_log *logs_of(const struct dp_slot *slot)
{
	return slot->table[DP_TABLE_HIT_LOG].mem;
}

struct dp_hit_look *dp_hit_log_open(const struct dp_slot *slot)
{
	size_t cpus = dp_hit_log_cpus();
	struct dp_hit_look *look = calloc(cpus, sizeof(*look));

	for (size_t i = 0; look && i < cpus; i++)
		look[i].applied =
			(__atomic_load_n(&logs_of(slot)[i].rounds, __ATOMIC_ACQUIRE) | 1) + 1;
	return look;
}

void dp_hit_log_look(const struct dp_slot *slot, struct dp_hit_look *look)
{
	for (size_t i = 0; i < dp_hit_log_cpus(); i++)
		look[i].before = __atomic_load_n(&logs_of(slot)[i].rounds, __ATOMIC_ACQUIRE);
}

/* Takes what is logged. False: what is in xi_counts cannot be told from what is not. */
static bool take(const struct xi_hit_log *log, struct dp_hit_look *look)
{
	uint32_t held = __atomic_load_n(&log->held, __ATOMIC_ACQUIRE);

	look->held = held < XI_HIT_LOG ? held : XI_HIT_LOG;
	memcpy(look->hit, log->hit, look->held * sizeof(*look->hit));
	atomic_thread_fence(memory_order_acquire);
	if (!(look->before & 1) && __atomic_load_n(&log->rounds, __ATOMIC_RELAXED) == look->before)
		return true;
	look->held = 0;
	return (int32_t)(look->before - look->applied) >= 0;
}

static void add(struct xi_hits *to, const struct xi_hit *hit)
{
	to->packets++;
	to->bytes += hit->bytes;
	if (to->last_ns < hit->ns)
		to->last_ns = hit->ns;
}

bool dp_hit_log_add(const struct dp_slot *slot, struct dp_hit_look *look, struct xi_hits *sums,
		    size_t filters)
{
	size_t cpus = dp_hit_log_cpus();
	bool done = true;

	for (size_t i = 0; i < cpus; i++)
		done = take(&logs_of(slot)[i], &look[i]) && done;
	for (size_t i = 0; i < cpus; i++)
		for (uint32_t k = 0; k < look[i].held; k++)
			if (look[i].hit[k].filter_idx < filters)
				add(&sums[look[i].hit[k].filter_idx], &look[i].hit[k]);
	return done;
}
