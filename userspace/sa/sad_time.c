/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lifetimes of SAs (RFC 4301 4.4.2.1): soft asks IKE for a successor, hard ends
 * the pair, and a pair that nobody uses ends too (Windows: after five minutes).
 *
 * The side that started a negotiation rekeys at 75 to 85 percent by IKE's own
 * timer; the soft limit here is later and only for the case that it did not.
 */
#include "sa/sad_internal.h"

#define SOFT_PERCENT 90
#define QUERY_MS     10000

void sad_set_lifetimes(struct sad *sad, struct sad_node *node)
{
	uint64_t now = sad->ops->now_ms(sad->ctx);
	uint64_t life = node->entry.params.lifetime_s * 1000ull;

	node->entry.created_ms = now;
	node->entry.stats.id = node->entry.params.id;
	if (life) {
		node->entry.soft_ms = now + life * SOFT_PERCENT / 100;
		node->entry.hard_ms = now + life;
	}
	if (sad->query_at_ms == UINT64_MAX)
		sad->query_at_ms = now + QUERY_MS;
}

uint64_t sad_idle_at(const struct sad *sad, const struct sad_entry *entry)
{
	uint64_t used = entry->stats.last_used_ms;

	if (!sad->idle_ms)
		return 0;
	return (used > entry->created_ms ? used : entry->created_ms) + sad->idle_ms;
}

void sad_stats(struct sad *sad, const struct xi_sa_stats *stats)
{
	struct sad_node *node = sad_find_id(sad, stats->id);

	if (node)
		node->entry.stats = *stats;
}

static void ask_rekey(struct sad *sad, struct sad_node *node)
{
	if (node->entry.state != SA_ESTABLISHED)
		return;
	node->entry.state = SA_REKEYING;
	sad->ops->rekey(sad->ctx, node->entry.params.in.spi);
}

void sad_soft(struct sad *sad, uint32_t id)
{
	struct sad_node *node = sad_find_id(sad, id);

	if (node)
		ask_rekey(sad, node);
}

void sad_query_all(struct sad *sad)
{
	for (struct sad_node *node = sad->first; node; node = node->next)
		if (node->entry.state != SA_INSTALLING)
			sad->backend->query(sad->backend_ctx, node->entry.params.id);
}

void sad_tick(struct sad *sad)
{
	uint64_t now = sad->ops->now_ms(sad->ctx), idle_at;
	struct sad_node *node, *next;

	for (node = sad->first; node; node = next) {
		next = node->next;
		idle_at = sad_idle_at(sad, &node->entry);
		if (node->entry.hard_ms && now >= node->entry.hard_ms)
			sad_remove_node(sad, node, true, "its lifetime ended");
		else if (idle_at && now >= idle_at)
			sad_remove_node(sad, node, true, "nothing used it");
		else if (node->entry.soft_ms && now >= node->entry.soft_ms)
			ask_rekey(sad, node);
	}
	if (now >= sad->query_at_ms) {
		sad_query_all(sad);
		sad->query_at_ms = sad->count ? now + QUERY_MS : UINT64_MAX;
	}
}

uint64_t sad_next_ms(const struct sad *sad)
{
	uint64_t next = sad->query_at_ms, idle_at;

	for (struct sad_node *node = sad->first; node; node = node->next) {
		idle_at = sad_idle_at(sad, &node->entry);
		if (node->entry.hard_ms && node->entry.hard_ms < next)
			next = node->entry.hard_ms;
		if (idle_at && idle_at < next)
			next = idle_at;
		if (node->entry.state == SA_ESTABLISHED && node->entry.soft_ms &&
		    node->entry.soft_ms < next)
			next = node->entry.soft_ms;
	}
	return next;
}
