/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events to the daemon, limited twice: one a second for the same pair of hosts
 * (or what the filter distinguishes), so that one flow cannot flood, and
 * XI_EVENTS_PER_SECOND of a kind on each CPU, so that forged addresses cannot.
 * A lost event is never a lost packet: whatever is dropped stays dropped.
 */
#ifndef XI_EVENT_BPF_H
#define XI_EVENT_BPF_H

#include "maps.bpf.h"
#include "run.bpf.h"

#define XI_NS_PER_SECOND     1000000000ull
#define XI_EVENTS_PER_SECOND 200

static __always_inline bool xi_event_budget(enum xi_event_kind kind, __u64 now)
{
	struct xi_limit *limit;
	__u32 index = kind;

	limit = bpf_map_lookup_elem(&xi_limits, &index);
	if (!limit)
		return false;
	if (limit->second != now / XI_NS_PER_SECOND) {
		limit->second = now / XI_NS_PER_SECOND;
		limit->sent = 0;
	}
	if (limit->sent >= XI_EVENTS_PER_SECOND) {
		limit->suppressed++;
		return false;
	}
	limit->sent++;
	return true;
}

/* Was there none for this key in the last second? Notes that there is one now. */
static __always_inline bool xi_event_first(const struct xi_acquire_key *key, __u64 now)
{
	struct xi_acquire fresh = {.time_ns = now};
	struct xi_acquire *last;

	last = bpf_map_lookup_elem(&xi_acquire, key);
	if (last && now - last->time_ns < XI_NS_PER_SECOND)
		return false;
	bpf_map_update_elem(&xi_acquire, key, &fresh, BPF_ANY);
	return true;
}

static __noinline int xi_event_send(const struct xi_run *run, enum xi_event_kind kind,
				    enum xi_reason reason, const struct xi_acquire_key *key)
{
	__u64 now = bpf_ktime_get_ns();
	struct xi_event *event;
	__u32 spi;

	if (!xi_event_first(key, now) || !xi_event_budget(kind, now))
		return 0;
	event = bpf_ringbuf_reserve(&xi_events, sizeof(*event), 0);
	if (!event)
		return 0;
	__builtin_memcpy(&spi, run->spi, sizeof(spi));
	event->time_ns = now;
	event->kind = kind;
	event->reason = reason;
	event->ifindex = run->ifindex;
	event->generation = run->generation;
	event->filter_idx = run->filter_idx;
	event->spi = bpf_ntohl(spi);
	event->pkt = run->pkt;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* One a second for these two hosts and this protocol. */
static __noinline int xi_event_hosts(const struct xi_run *run, enum xi_event_kind kind,
				     enum xi_reason reason)
{
	struct xi_acquire_key key = {};

	__builtin_memcpy(key.remote, run->pkt.remote, 16);
	__builtin_memcpy(key.local, run->pkt.local, 16);
	key.family = run->pkt.family;
	key.proto = run->pkt.proto;
	key.kind = kind;
	return xi_event_send(run, kind, reason, &key);
}

/* One a second for what the filter tells apart: the SA to come will cover it. */
static __noinline __attribute__((unused)) int xi_event_need_sa(const struct xi_run *run,
							       enum xi_reason reason)
{
	const struct xi_filter *filter = xi_run_filter(run);
	struct xi_acquire_key key = {};

	if (!filter)
		return 0;
	__builtin_memcpy(key.remote, run->pkt.remote, 16);
	__builtin_memcpy(key.local, run->pkt.local, 16);
	key.family = run->pkt.family;
	key.kind = XI_EVENT_NEED_SA;
	if (filter->flags & XI_F_PROTO)
		key.proto = run->pkt.proto;
	if (filter->remote_port_lo || filter->remote_port_hi != 0xffff)
		key.remote_port = run->pkt.remote_port;
	if (filter->local_port_lo || filter->local_port_hi != 0xffff)
		key.local_port = run->pkt.local_port;
	return xi_event_send(run, XI_EVENT_NEED_SA, reason, &key);
}

#endif
