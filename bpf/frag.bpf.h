/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fragments (docs/decisions/0004). Only the first fragment of a datagram shows
 * ports, and it is judged like a whole packet. For a later one there are, in this
 * order:
 *
 *   FOLLOWS    the verdict of its first fragment, remembered in xi_frags
 *   DECIDED    the list has one answer for the whole packet whatever its ports
 *   UNDECIDED  neither. Where the kernel reassembles before our netfilter program
 *              (nf_defrag.bpf.c) it goes up to wait there for the rest; elsewhere
 *              it gets the conservative answer of the later-fragment space.
 *
 * Every fragment that goes up leaves a mark in xi_frag_marks. The netfilter
 * program judges each reassembled packet whose hosts have one: it needs no other
 * state, and a mark is never evicted: two pairs of hosts that share one only
 * make it ask once more than needed.
 *
 * RFC 791, 815 (reassembly), 1858, 3128, 5722, 6946, 7112, 8200 4.5.
 */
#ifndef XI_FRAG_BPF_H
#define XI_FRAG_BPF_H

#include "maps.bpf.h"

#define XI_FRAG_SECOND 1000000000ull
/* Shorter than an identification takes to come round, longer than a datagram to arrive. */
#define XI_FRAG_FOLLOW_NS (15 * XI_FRAG_SECOND)
/* Longer than the kernel keeps a fragment (ipfrag_time 30 s, ip6frag_time 60 s). */
#define XI_FRAG_MARK_NS (150 * XI_FRAG_SECOND)

static __always_inline bool xi_is_fragment(const struct xi_run *run)
{
	return run->pkt.flags & (XI_PKT_FIRST_FRAG | XI_PKT_LATER_FRAG);
}

/* -------------------------------------------------- following the first one */

static __always_inline void xi_frag_key_of(const struct xi_run *run, struct xi_frag_key *ret)
{
	bool in = run->pkt.dir == XI_DIR_IN;

	__builtin_memset(ret, 0, sizeof(*ret));
	__builtin_memcpy(ret->src, in ? run->pkt.remote : run->pkt.local, 16);
	__builtin_memcpy(ret->dst, in ? run->pkt.local : run->pkt.remote, 16);
	ret->ident = run->frag_ident;
	ret->family = run->pkt.family;
	ret->proto = run->pkt.family == 4 ? run->pkt.proto : 0;
	ret->dir = run->pkt.dir;
	ret->iface_class = run->pkt.iface_class;
}

/* True: this later fragment has the verdict of its first one. */
static __noinline bool xi_frag_find(struct xi_run *run)
{
	struct xi_frag_key key;
	struct xi_frag *frag;

	xi_frag_key_of(run, &key);
	frag = bpf_map_lookup_elem(&xi_frags, &key);
	if (!frag || frag->generation != run->generation ||
	    bpf_ktime_get_ns() - frag->time_ns > XI_FRAG_FOLLOW_NS)
		return false;
	run->action = frag->action;
	run->filter_idx = frag->filter_idx;
	run->frag = XI_FRAG_FOLLOWS;
	return true;
}

static __noinline int xi_frag_store(const struct xi_run *run)
{
	struct xi_frag frag = {
		.time_ns = bpf_ktime_get_ns(),
		.generation = run->generation,
		.action = run->action,
		.filter_idx = run->filter_idx,
	};
	struct xi_frag_key key;

	xi_frag_key_of(run, &key);
	return bpf_map_update_elem(&xi_frags, &key, &frag, BPF_ANY);
}

/* ----------------------------------------------------------- without a first */

/* Does it ask for something that a later fragment of IPv4 does not show? */
static __always_inline bool xi_frag_hides(const struct xi_filter *filter)
{
	return filter->flags & (XI_F_ICMP_TYPE | XI_F_ICMP_CODE) || filter->remote_port_lo ||
	       filter->local_port_lo || filter->remote_port_hi != 0xffff ||
	       filter->local_port_hi != 0xffff;
}

/*
 * The later-fragment space named this filter (or none). That is the verdict of the
 * whole packet too if the filter asks for nothing that is hidden, and none of those
 * that the space leaves out stands above it. Of IPv6 nothing is certain, as the
 * protocol itself is hidden: RFC 8200 4.5 takes it from the first fragment alone.
 */
static __always_inline bool xi_frag_decided(const struct xi_run *run,
					    const struct xi_filter *filter)
{
	struct xi_ctl *ctl;
	__u32 zero = 0;

	if (run->pkt.family == 6 ||
	    (run->filter_idx != XI_NO_FILTER && (!filter || xi_frag_hides(filter))))
		return false;
	ctl = bpf_map_lookup_elem(&xi_ctl, &zero);
	return ctl && run->filter_idx <=
			      ctl->list[run->slot & 1]
				      .frag_bound[run->pkt.dir & 1][run->pkt.proto == IPPROTO_UDP];
}

/*
 * A fragment was classified: what is that worth? Of an undecided one of IPv4 this
 * space permits only what is permitted with any ports; that it must be protected is
 * a guess, and the exceptions to that (pass-through, multicast) are not for guesses.
 * Of IPv6, which may lie about its protocol, nothing may pass.
 */
static __noinline int xi_frag_settle(struct xi_run *run, const struct xi_filter *filter)
{
	if (!(run->pkt.flags & XI_PKT_LATER_FRAG)) {
		run->frag = XI_FRAG_FIRST;
		return xi_frag_store(run);
	}
	run->frag = xi_frag_decided(run, filter) ? XI_FRAG_DECIDED : XI_FRAG_UNDECIDED;
	if (run->frag == XI_FRAG_UNDECIDED &&
	    (run->pkt.family == 6 || run->action == XI_ACT_NEGOTIATE)) {
		run->action = XI_ACT_BLOCK;
		run->filter_idx = XI_NO_FILTER;
	}
	return 0;
}

/* --------------------------------------------------------- going up and marks */

/* Does the kernel put packets of this family together before our netfilter program? */
static __always_inline bool xi_frag_reassembles(const struct xi_run *run)
{
	return run->ctl_flags & (run->pkt.family == 4 ? XI_CTL_DEFRAG4 : XI_CTL_DEFRAG6);
}

/*
 * May it wait there? Only if it surely gets there: to an address of ours, and to
 * this interface's own MAC address. What else the interface carries may leave it
 * sideways (to a bridge, a macvlan or a tag of another namespace).
 */
static __always_inline bool xi_frag_goes_up(const struct xi_run *run)
{
	return xi_frag_reassembles(run) && run->to_host && run->pkt.flags & XI_PKT_LOCAL_IS_ME;
}

static __always_inline __u32 xi_frag_mark_index(const struct xi_run *run, enum xi_frag_came came)
{
	const __u64 *remote = (const __u64 *)run->pkt.remote;
	const __u64 *local = (const __u64 *)run->pkt.local;
	__u64 hash = run->pkt.family;

	/* Identification and protocol of IPv6 are gone when it is reassembled. */
	if (run->pkt.family == 4)
		hash |= (__u64)run->frag_ident << 16 | (__u64)run->pkt.proto << 8;
	hash = (hash ^ remote[0]) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 32 ^ remote[1]) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 32 ^ local[0]) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 32 ^ local[1]) * 0x9e3779b97f4a7c15ull;
	return (hash >> 40 & (XI_FRAG_MARKS - 1)) * XI_FRAG_CAME_MAX + came;
}

static __noinline int xi_frag_mark(const struct xi_run *run, enum xi_frag_came came)
{
	__u32 index = xi_frag_mark_index(run, came);
	__u64 *mark = bpf_map_lookup_elem(&xi_frag_marks, &index);

	if (!mark)
		return -1;
	*(volatile __u64 *)mark = bpf_ktime_get_ns();
	return 0;
}

/* Has one of these hosts' fragments gone up this way of late? */
static __always_inline bool xi_frag_marked(const struct xi_run *run, enum xi_frag_came came,
					   __u64 now)
{
	__u32 index = xi_frag_mark_index(run, came);
	__u64 *mark = bpf_map_lookup_elem(&xi_frag_marks, &index);
	__u64 time;

	if (!mark)
		return true;
	time = *(volatile __u64 *)mark;
	/* Another CPU may have marked since we looked at the clock. */
	return time && (time > now || now - time < XI_FRAG_MARK_NS);
}

static __always_inline enum xi_frag_came xi_frag_came_of(const struct xi_run *run)
{
	return run->pkt.iface_class == XI_IFACE_LAN ? XI_FRAG_CLEAR_LAN : XI_FRAG_CLEAR_REMOTE;
}

#endif
