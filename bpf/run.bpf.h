/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One packet's way through the filter list, the same at every hook: which list
 * is active, whether the local address is ours, and what the classifier says.
 */
#ifndef XI_RUN_BPF_H
#define XI_RUN_BPF_H

#include "list.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "classify.bpf.h"
#include "frag.bpf.h"

/* A blank run for this hook; NULL cannot happen, but the verifier asks. */
static __always_inline struct xi_run *xi_run_new(enum xi_hook hook, enum xi_dir dir, __u32 ifindex)
{
	struct xi_run *run;
	__u32 index = hook;

	run = bpf_map_lookup_elem(&xi_run, &index);
	if (!run)
		return NULL;
	__builtin_memset(run, 0, sizeof(*run));
	run->pkt.dir = dir;
	run->ifindex = ifindex;
	run->filter_idx = XI_NO_FILTER;
	return run;
}

/*
 * Notes what is true of the list that this program was loaded for. False: there
 * is none. Which list that is, the stub has decided; it stays as it is until
 * the last run on it has ended.
 */
static __always_inline bool xi_run_begin(struct xi_run *run)
{
	const struct xi_list *list;
	struct xi_ctl *ctl;
	__u32 zero = 0;

	ctl = bpf_map_lookup_elem(&xi_ctl, &zero);
	if (!ctl)
		return false;
	list = &ctl->list[xi_list_slot & 1];
	run->slot = xi_list_slot;
	run->generation = list->generation;
	run->filters = list->filters;
	run->list_flags = list->flags;
	run->ctl_flags = ctl->flags;
	run->out_forms = ctl->out_forms;
	return run->list_flags & XI_LIST_LOADED;
}

static __noinline enum xi_local_kind xi_local_ask(const struct xi_pkt *pkt, bool remote)
{
	struct xi_addr_key key = {};
	struct xi_local *local;

	__builtin_memcpy(key.addr, remote ? pkt->remote : pkt->local, 16);
	key.family = pkt->family;
	local = bpf_map_lookup_elem(&xi_local, &key);
	return local ? local->kind : XI_LOCAL_NONE;
}

static __always_inline enum xi_local_kind xi_local_kind_of(const struct xi_pkt *pkt, bool remote)
{
	const struct xi_local_slot *slot;
	const xi_word *known;
	__u64 addr[2];
	__u32 index;

	__builtin_memcpy(addr, remote ? pkt->remote : pkt->local, 16);
	index = xi_local_slot_of(addr);
	slot = bpf_map_lookup_elem(&xi_local_slots, &index);
	if (!slot || slot->ask)
		return xi_local_ask(pkt, remote);
	known = xi_words(slot->addr);
	if ((known[0] ^ addr[0]) | (known[1] ^ addr[1]) | (slot->family ^ pkt->family))
		return XI_LOCAL_NONE;
	return slot->kind;
}

static __noinline int xi_iface_class_of(__u32 ifindex)
{
	struct xi_iface *iface = bpf_map_lookup_elem(&xi_iface, &ifindex);

	return iface ? iface->klass : XI_IFACE_LAN;
}

/* What the headers alone do not say: is it our address, our subnet's broadcast? */
static __always_inline void xi_run_addresses(struct xi_run *run)
{
	enum xi_local_kind kind = xi_local_kind_of(&run->pkt, false);

	if (kind == XI_LOCAL_ME || run->ctl_flags & XI_CTL_ALL_ME)
		run->pkt.flags |= XI_PKT_LOCAL_IS_ME;
	if (run->list_flags & XI_LIST_IFACE)
		run->pkt.iface_class = xi_iface_class_of(run->ifindex);
	if (run->pkt.family != 4)
		return;
	if (run->pkt.dir == XI_DIR_OUT)
		kind = xi_local_kind_of(&run->pkt, true);
	if (kind == XI_LOCAL_BROADCAST)
		run->pkt.flags |= XI_PKT_GROUP;
}

/* The filter that decided, or NULL. */
static __always_inline const struct xi_filter *xi_run_filter(const struct xi_run *run)
{
	__u32 index = run->filter_idx;

	return bpf_map_lookup_elem(&xi_filter, &index);
}

/* Fills action and filter_idx. Not 0: the list could not be read, nothing may pass. */
static __always_inline int xi_run_classify(struct xi_run *run)
{
	struct xi_verdict verdict = {.filter_idx = XI_NO_FILTER};
	int err;

	if (run->pkt.flags & XI_PKT_LATER_FRAG && xi_frag_find(run))
		return 0;
	err = xi_classify(&run->pkt, &verdict);
	if (err)
		return err;
	run->action = verdict.action;
	run->filter_idx = verdict.filter_idx;
	if (xi_is_fragment(run))
		xi_frag_settle(run, xi_run_filter(run));
	return 0;
}

/* Group traffic and neighbour discovery: no SA can exist for it. */
static __always_inline bool xi_unsecurable(const struct xi_run *run)
{
	return run->pkt.flags & (XI_PKT_GROUP | XI_PKT_ND);
}

#endif
