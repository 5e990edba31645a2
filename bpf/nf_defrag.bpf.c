// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reassembly before the verdict. A netfilter link at PRE_ROUTING with
 * BPF_F_NETFILTER_IP_DEFRAG makes the kernel put fragments together before this
 * program; it judges what was put together as the hook at the interface would have
 * judged it whole, if any of its fragments came by there (frag.bpf.h).
 *
 * Whatever was no fragment leaves after a look at two fields of the skb. Not in the
 * other objects, because kernels before 6.6 cannot load it; attached by
 * datapath/attach_nf.c.
 *
 * Weak spots: packets that are no longer IP when they come to the stack, or whose
 * fragments are taken away before (a bridge, a macvlan), never get here; so only
 * what is for the host's own addresses is let through undecided.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define XI_COUNT_NOW bpf_ktime_get_ns

#include "maps.bpf.h"
#include "ingress.bpf.h"
#include "nf_defrag.bpf.h"
#include "sample.bpf.h"
#include "stub.bpf.h"

/* The hook that is attached: see stub.bpf.h. */
SEC("netfilter")
int xi_nf_ingress(struct bpf_nf_ctx *ctx)
{
	if (!xi_nf_reassembled(ctx) || ctx->state->in->ifindex == XI_NF_LOOPBACK)
		return XI_NF_ACCEPT;
	bpf_tail_call(ctx, &xi_nf_slots, xi_stub_index(XI_HOOK_NF_INGRESS));
	xi_stub_note(XI_HOOK_NF_INGRESS, ctx->state->in->ifindex, ctx->skb->len, true);
	return XI_NF_DROP;
}

static __always_inline bool xi_nf_drop(struct xi_run *run, enum xi_reason reason)
{
	xi_ingress_drop(run, reason);
	return false;
}

/* ESP and AH: for XFRM, or ESP for the raw socket of a worker. */
static __always_inline bool xi_nf_esp_passes(struct xi_run *run)
{
	struct xi_sa_in *sa = xi_sa_in_find(run);

	if (sa)
		return sa->path == XI_PATH_XFRM ||
		       (sa->path == XI_PATH_WORKER && run->pkt.proto == IPPROTO_ESP);
	return !(run->ctl_flags & XI_CTL_OWNS_ESP && run->list_flags & XI_LIST_NEGOTIATE);
}

/* Came in clear, over an interface of this class. False: dropped. */
static __always_inline bool xi_nf_clear(struct xi_run *run, enum xi_iface_class klass)
{
	bool esp = run->pkt.proto == IPPROTO_ESP || run->pkt.proto == IPPROTO_AH;

	run->pkt.iface_class = run->list_flags & XI_LIST_IFACE ? klass : XI_IFACE_LAN;
	if (esp && run->pkt.flags & XI_PKT_LOCAL_IS_ME && !xi_nf_esp_passes(run))
		return xi_nf_drop(run, XI_REASON_ESP_FRAGMENT);
	if (xi_run_classify(run))
		return xi_nf_drop(run, XI_REASON_NO_POLICY);
	if (esp && run->action == XI_ACT_NEGOTIATE)
		return true;
	return xi_ingress_verdict(run, false) == XI_FATE_PASS;
}

/* All of it came out of ESP: see tc_inject.bpf.h. */
static __always_inline bool xi_nf_protected(struct xi_run *run)
{
	if (xi_run_classify(run))
		return xi_nf_drop(run, XI_REASON_NO_POLICY);
	if (run->action == XI_ACT_BLOCK)
		return xi_nf_drop(run, XI_REASON_SECURED_BLOCKED);
	return true;
}

/* By which ways have fragments between these hosts gone up of late? */
static __always_inline __u32 xi_nf_marks(const struct xi_run *run)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 marks = 0;

	for (__u32 came = 0; came < XI_FRAG_SPARE; came++)
		marks |= (__u32)xi_frag_marked(run, came, now) << came;
	return marks;
}

/*
 * If fragments came by more than one way, the packet has to pass each of them, but
 * clear text among them makes all of it clear text.
 */
static __always_inline bool xi_nf_judge(struct xi_run *run, __u32 marks)
{
	if (marks == 1u << XI_FRAG_PROTECTED)
		return xi_nf_protected(run);
	if (marks & 1u << XI_FRAG_CLEAR_LAN && !xi_nf_clear(run, XI_IFACE_LAN))
		return false;
	return !(marks & 1u << XI_FRAG_CLEAR_REMOTE) || xi_nf_clear(run, XI_IFACE_REMOTE_ACCESS);
}

static __always_inline bool xi_nf_run(struct bpf_nf_ctx *ctx, struct xi_run *run)
{
	bool loaded = xi_run_begin(run), passes;
	enum xi_parse_result res = xi_nf_parse(ctx, run);
	__u32 marks = run->pkt.family ? xi_nf_marks(run) : ~0u;

	/* None of it came by an interface of ours. */
	if (!marks) {
		run->ctl_flags &= ~XI_CTL_SAMPLE;
		return true;
	}
	if (res != XI_PARSE_OK) {
		run->pkt.len = ctx->skb->len;
		return xi_nf_drop(run, XI_REASON_MALFORMED);
	}
	if (!loaded)
		return xi_nf_drop(run, XI_REASON_NO_POLICY);
	xi_run_addresses(run);
	passes = xi_nf_judge(run, marks);
	/* On its way to another host its fragments have been counted one by one. */
	if (!passes || run->pkt.flags & XI_PKT_LOCAL_IS_ME)
		xi_count_verdict(run);
	return passes;
}

/* There is no Ethernet header here: one without addresses stands in for it. */
static __always_inline __u32 xi_nf_frame(struct bpf_nf_ctx *ctx, struct xi_sample *sample)
{
	__u32 len = ctx->skb->len, bytes = XI_SAMPLE_BYTES - ETH_HLEN;
	struct bpf_dynptr skb;

	__builtin_memset(sample->frame, 0, ETH_HLEN);
	*(__be16 *)(sample->frame + 2 * ETH_ALEN) = ctx->state->pf == XI_NF_PF_INET
							    ? bpf_htons(ETH_P_IP)
							    : bpf_htons(ETH_P_IPV6);
	if (len < bytes)
		bytes = len;
	if (!bytes || bpf_dynptr_from_skb((struct __sk_buff *)ctx->skb, 0, &skb) ||
	    bpf_dynptr_read(sample->frame + ETH_HLEN, bytes, &skb, 0, 0))
		return 0;
	return ETH_HLEN + bytes;
}

/* All of these are told, if anybody listens: who reads them chooses. */
static __noinline int xi_nf_sample(struct bpf_nf_ctx *ctx, const struct xi_run *run, int result)
{
	struct xi_sampler *sampler;

	sampler = xi_sample_new(run, XI_HOOK_NF_INGRESS, result, ctx->skb->len + ETH_HLEN);
	if (!sampler)
		return result;
	sampler->sample.captured = xi_nf_frame(ctx, &sampler->sample);
	xi_sample_send();
	return result;
}

SEC("netfilter")
int xi_nf_list(struct bpf_nf_ctx *ctx)
{
	struct xi_run *run;
	int result;

	run = xi_run_new(XI_HOOK_NF_INGRESS, XI_DIR_IN, ctx->state->in->ifindex);
	if (!run)
		return XI_NF_DROP;
	result = xi_nf_run(ctx, run) ? XI_NF_ACCEPT : XI_NF_DROP;
	if (__builtin_expect(run->ctl_flags & XI_CTL_SAMPLE, 0))
		return xi_nf_sample(ctx, run, result);
	return result;
}

char _license[] SEC("license") = "Dual BSD/GPL";
