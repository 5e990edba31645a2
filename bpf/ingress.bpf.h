/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happens to a packet from the wire, the same before the stack (XDP) and at
 * its door (TC ingress): ESP and AH for our SAs go to whoever carries them, the
 * rest is classified. The hooks do what is decided here.
 *
 * Fragments: a packet in pieces must not get further than whole, see frag.bpf.h.
 *
 * Weak spots: fragments of AH are dropped and counted where XFRM is not there to
 * take them; ESP in UDP belongs behind xi_ingress_esp() and is not there yet.
 */
#ifndef XI_INGRESS_BPF_H
#define XI_INGRESS_BPF_H

#include "count.bpf.h"
#include "event.bpf.h"
#include "run.bpf.h"
#include "sa.bpf.h"

/* XI_FATE_CLASSIFY: not decided yet. */
enum xi_fate { XI_FATE_PASS, XI_FATE_DROP, XI_FATE_WORKER, XI_FATE_CLASSIFY };

static __always_inline enum xi_fate xi_ingress_drop(struct xi_run *run, enum xi_reason reason)
{
	xi_count_reason(run, reason);
	if (run->ctl_flags & XI_CTL_DROP_EVENTS)
		xi_event_hosts(run, XI_EVENT_DROP, reason);
	return XI_FATE_DROP;
}

/* ESP and AH to an address of ours. */
static __always_inline enum xi_fate xi_ingress_esp(struct xi_run *run)
{
	struct xi_sa_in *sa = xi_sa_in_find(run);

	if (sa) {
		switch (sa->path) {
		case XI_PATH_WORKER:
			return XI_FATE_WORKER;
		case XI_PATH_XFRM:
			return XI_FATE_PASS;
		case XI_PATH_DROP:
			break;
		}
		return xi_ingress_drop(run, XI_REASON_NO_WORKER);
	}
	if (run->ctl_flags & XI_CTL_OWNS_ESP && run->list_flags & XI_LIST_NEGOTIATE) {
		xi_event_hosts(run, XI_EVENT_INVALID_SPI, XI_REASON_INVALID_SPI);
		return xi_ingress_drop(run, XI_REASON_INVALID_SPI);
	}
	return XI_FATE_CLASSIFY;
}

/* Arrived in clear although a negotiate filter covers it. */
static __always_inline enum xi_fate xi_ingress_clear(struct xi_run *run, bool esp)
{
	const struct xi_filter *filter;

	if (xi_unsecurable(run)) {
		xi_count_reason(run, XI_REASON_UNSECURABLE);
		return XI_FATE_PASS;
	}
	if (esp && xi_is_fragment(run)) /* for the worker's raw socket or XFRM, once it is whole */
		return XI_FATE_PASS;
	filter = xi_run_filter(run);
	if (filter && filter->flags & XI_F_PASSTHROUGH) {
		xi_event_hosts(run, XI_EVENT_CLEAR_ACCEPTED, XI_REASON_NONE);
		return XI_FATE_PASS;
	}
	return xi_ingress_drop(run, XI_REASON_CLEAR_INBOUND);
}

static __always_inline enum xi_fate xi_ingress_verdict(struct xi_run *run, bool esp)
{
	switch (run->action) {
	case XI_ACT_NONE:
	case XI_ACT_PERMIT:
		return XI_FATE_PASS;
	case XI_ACT_NEGOTIATE:
		return xi_ingress_clear(run, esp);
	case XI_ACT_BLOCK:
		break;
	}
	return xi_ingress_drop(run, run->frag == XI_FRAG_UNDECIDED ? XI_REASON_FRAGMENT
								   : XI_REASON_BLOCKED);
}

/*
 * The stack puts ESP together for a worker, which has a raw socket for it. AH goes
 * to nobody without XFRM.
 */
static __always_inline enum xi_fate xi_ingress_esp_fragment(struct xi_run *run)
{
	if (run->pkt.proto == IPPROTO_AH && run->ctl_flags & XI_CTL_OWNS_ESP &&
	    run->list_flags & XI_LIST_NEGOTIATE)
		return xi_ingress_drop(run, XI_REASON_ESP_FRAGMENT);
	return XI_FATE_CLASSIFY;
}

/*
 * A fragment that goes up is not counted as a verdict: its packet will be. One
 * that passes on another way (to another host, or where nothing reassembles) is.
 */
static __always_inline enum xi_fate xi_ingress_fragment(struct xi_run *run, bool esp)
{
	bool up = xi_frag_goes_up(run);
	enum xi_fate fate;

	/* So that what loops through lo and what comes from the wire is never mixed. */
	if (xi_frag_reassembles(run) && xi_local_kind_of(&run->pkt, true) == XI_LOCAL_ME)
		return xi_ingress_drop(run, XI_REASON_FRAGMENT);
	fate = up && run->frag == XI_FRAG_UNDECIDED ? XI_FATE_PASS : xi_ingress_verdict(run, esp);
	if (fate == XI_FATE_PASS && xi_frag_reassembles(run))
		xi_frag_mark(run, xi_frag_came_of(run));
	if (fate == XI_FATE_PASS && up)
		xi_count_reason(run, XI_REASON_REASSEMBLY);
	else
		xi_count_verdict(run);
	return fate;
}

/* res: what parsing said, for a frame of len bytes. Never XI_FATE_CLASSIFY. */
static __always_inline enum xi_fate xi_ingress(struct xi_run *run, bool loaded, int res, __u32 len)
{
	enum xi_fate fate;
	bool esp;

	if (res == XI_PARSE_NOT_IP)
		return XI_FATE_PASS;
	if (res != XI_PARSE_OK) {
		run->pkt.len = len;
		return xi_ingress_drop(run, XI_REASON_MALFORMED);
	}
	if (!loaded)
		return xi_ingress_drop(run, XI_REASON_NO_POLICY);
	xi_run_addresses(run);

	esp = (run->pkt.proto == IPPROTO_ESP || run->pkt.proto == IPPROTO_AH) &&
	      run->pkt.flags & XI_PKT_LOCAL_IS_ME;
	if (esp) {
		fate = xi_is_fragment(run) ? xi_ingress_esp_fragment(run) : xi_ingress_esp(run);
		if (fate != XI_FATE_CLASSIFY)
			return fate;
	}

	if (xi_run_classify(run))
		return xi_ingress_drop(run, XI_REASON_NO_POLICY);
	if (xi_is_fragment(run))
		return xi_ingress_fragment(run, esp);
	xi_count_verdict(run);
	return xi_ingress_verdict(run, esp);
}

#endif
