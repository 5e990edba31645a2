// SPDX-License-Identifier: BSD-2-Clause
/*
 * Held packets: a hash table of flows, each a queue. A flow is the five-tuple,
 * so that one busy flow cannot push out the first packet of another.
 */
#include "esp/hold.h"

#include <stdlib.h>
#include <string.h>

#include "util/addr.h"

#define BUCKETS 1024

struct held {
	struct held *next;
	uint64_t since_ms;
	size_t len;
	uint8_t data[];
};

struct flow {
	struct flow *next;
	struct ip_info key; /* addresses, protocol and ports count */
	struct held *first, **last;
	size_t packets, bytes;
};

struct hold {
	struct flow *buckets[BUCKETS];
	size_t flows, packets, bytes;
};

struct hold *hold_new(void)
{
	return calloc(1, sizeof(struct hold));
}

static unsigned flow_hash(const struct ip_info *key)
{
	uint32_t h = 2166136261u ^ key->proto;

	for (size_t i = 0; i < sizeof(key->dst.b); i++)
		h = (h ^ key->dst.b[i] ^ key->src.b[i]) * 16777619u;
	h = (h ^ key->sport) * 16777619u;
	h = (h ^ key->dport) * 16777619u;
	return (h ^ h >> 15) % BUCKETS;
}

static struct flow **flow_find(struct hold *hold, const struct ip_info *key)
{
	struct flow **at = &hold->buckets[flow_hash(key)];

	for (; *at; at = &(*at)->next) {
		const struct ip_info *k = &(*at)->key;

		if (k->proto == key->proto && k->sport == key->sport && k->dport == key->dport &&
		    xi_addr_equal(&k->src, &key->src) && xi_addr_equal(&k->dst, &key->dst))
			break;
	}
	return at;
}

static void held_free(struct held *held)
{
	explicit_bzero(held->data, held->len);
	free(held);
}

/* Unlinks the flow at *at; its packets stay with it. */
static struct flow *flow_unlink(struct hold *hold, struct flow **at)
{
	struct flow *flow = *at;

	*at = flow->next;
	hold->flows--;
	hold->packets -= flow->packets;
	hold->bytes -= flow->bytes;
	return flow;
}

static void flow_free(struct flow *flow, struct xi_count *dropped)
{
	struct held *held, *next;

	for (held = flow->first; held; held = next) {
		next = held->next;
		if (dropped) {
			dropped->packets++;
			dropped->bytes += held->len;
		}
		held_free(held);
	}
	free(flow);
}

void hold_free(struct hold *hold)
{
	if (!hold)
		return;
	for (size_t b = 0; b < BUCKETS; b++) {
		while (hold->buckets[b])
			flow_free(flow_unlink(hold, &hold->buckets[b]), NULL);
	}
	free(hold);
}

enum xi_reason hold_add(struct hold *hold, const struct ip_info *info, const uint8_t *data,
			size_t len, uint64_t now_ms)
{
	struct flow **at = flow_find(hold, info), *flow = *at;
	struct held *held;

	if (hold->bytes + len > HOLD_BYTES || (!flow && hold->flows >= HOLD_FLOWS))
		return XI_REASON_HOLD_FULL;
	if (flow && (flow->packets >= HOLD_FLOW_PACKETS || flow->bytes + len > HOLD_FLOW_BYTES))
		return XI_REASON_HOLD_FULL;
	held = malloc(sizeof(*held) + len);
	if (!held)
		return XI_REASON_HOLD_FULL;
	if (!flow) {
		flow = calloc(1, sizeof(*flow));
		if (!flow) {
			free(held);
			return XI_REASON_HOLD_FULL;
		}
		flow->key = *info;
		flow->last = &flow->first;
		*at = flow;
		hold->flows++;
	}
	held->next = NULL;
	held->since_ms = now_ms;
	held->len = len;
	memcpy(held->data, data, len);
	*flow->last = held;
	flow->last = &held->next;
	flow->packets++;
	flow->bytes += len;
	hold->packets++;
	hold->bytes += len;
	return XI_REASON_HELD;
}

size_t hold_take(struct hold *hold, const struct xi_selector *sel,
		 void (*fn)(void *arg, uint8_t *data, size_t len), void *arg)
{
	size_t taken = 0;

	for (size_t b = 0; b < BUCKETS && hold->flows; b++) {
		struct flow **at = &hold->buckets[b];

		while (*at) {
			struct flow *flow;

			if (!ip_matches(&(*at)->key, sel, true)) {
				at = &(*at)->next;
				continue;
			}
			flow = flow_unlink(hold, at);
			for (struct held *held = flow->first; held; held = held->next) {
				fn(arg, held->data, held->len);
				taken++;
			}
			flow_free(flow, NULL);
		}
	}
	return taken;
}

static void flow_expire(struct hold *hold, struct flow *flow, uint64_t now_ms,
			struct xi_count *dropped)
{
	while (flow->first && now_ms - flow->first->since_ms >= HOLD_MS) {
		struct held *held = flow->first;

		flow->first = held->next;
		if (!flow->first)
			flow->last = &flow->first;
		flow->packets--;
		flow->bytes -= held->len;
		hold->packets--;
		hold->bytes -= held->len;
		dropped->packets++;
		dropped->bytes += held->len;
		held_free(held);
	}
}

void hold_expire(struct hold *hold, uint64_t now_ms, struct xi_count *dropped)
{
	for (size_t b = 0; b < BUCKETS && hold->flows; b++) {
		struct flow **at = &hold->buckets[b];

		while (*at) {
			flow_expire(hold, *at, now_ms, dropped);
			if ((*at)->first)
				at = &(*at)->next;
			else
				flow_free(flow_unlink(hold, at), NULL);
		}
	}
}

void hold_forget(struct hold *hold, const struct xi_addr *local, const struct xi_addr *remote,
		 struct xi_count *dropped)
{
	for (size_t b = 0; b < BUCKETS && hold->flows; b++) {
		struct flow **at = &hold->buckets[b];

		while (*at) {
			if (xi_addr_equal(&(*at)->key.src, local) &&
			    xi_addr_equal(&(*at)->key.dst, remote))
				flow_free(flow_unlink(hold, at), dropped);
			else
				at = &(*at)->next;
		}
	}
}

size_t hold_count(const struct hold *hold)
{
	return hold->packets;
}
