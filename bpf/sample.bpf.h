/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What became of a packet, told to those who listen. The last step of a hook: it
 * sees the result and never changes it. While nobody listens it costs one test
 * of a word that the run has read already (XI_CTL_SAMPLE).
 *
 * A program made for the listeners chooses and sends (userspace/datapath/sampler.c);
 * it returns the result that it finds in the sample. Without it all packets are sent.
 *
 * Frames that are not IP have no verdict and are not told.
 */
#ifndef XI_SAMPLE_BPF_H
#define XI_SAMPLE_BPF_H

#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include "maps.bpf.h"
#include "run.bpf.h"

/* VLAN tag that the device took off and keeps beside the packet. */
#define XI_TAG_LEN 4

/* Everything but the frame's bytes; NULL: nothing to tell. */
static __always_inline struct xi_sampler *xi_sample_new(const struct xi_run *run, enum xi_hook hook,
							int result, __u32 frame_len)
{
	const struct xi_filter *filter;
	struct xi_sampler *sampler;
	struct xi_sample *sample;
	__u32 zero = 0;

	if (!run->pkt.family && run->reason != XI_REASON_MALFORMED)
		return NULL;
	sampler = bpf_map_lookup_elem(&xi_sampler, &zero);
	if (!sampler)
		return NULL;
	sample = &sampler->sample;
	sample->time_ns = bpf_ktime_get_ns();
	sample->listeners = 0;
	sample->hook = hook;
	sample->result = result;
	sample->action = run->action;
	sample->reason = run->reason;
	sample->filter_idx = run->filter_idx;
	filter = xi_run_filter(run);
	sample->rule = filter ? filter->rule : XI_NO_FILTER;
	sample->generation = run->generation;
	sample->ifindex = run->ifindex;
	sample->frame_len = frame_len;
	sample->captured = 0;
	sample->pkt = run->pkt;
	return sampler;
}

/* A function without arguments: the programs that call it are short of stack. */
static __noinline int xi_sample_send(void)
{
	struct xi_sampler *sampler;
	__u32 zero = 0;

	sampler = bpf_map_lookup_elem(&xi_sampler, &zero);
	if (sampler &&
	    bpf_ringbuf_output(&xi_samples, &sampler->sample, sizeof(sampler->sample), 0))
		sampler->lost++;
	return 0;
}

/*
 * How much of a frame is copied; the mask says to the verifier what the rest says
 * to people. Whoever copies asks for more than one byte: Linux 6.1 learns nothing
 * of a length from a comparison with 0.
 */
static __always_inline __u32 xi_sample_bytes(__u32 frame_len, __u32 room)
{
	return frame_len < room ? frame_len & (XI_SAMPLE_BYTES - 1) : room;
}

/* Not every object has both kinds of hook. */
#define XI_MAYBE __attribute__((unused))

/* Makes the sample. False: there is none. */
static __noinline XI_MAYBE bool xi_xdp_sample(struct xdp_md *ctx, const struct xi_run *run,
					      int result)
{
	__u32 len = bpf_xdp_get_buff_len(ctx), bytes = xi_sample_bytes(len, XI_SAMPLE_BYTES);
	struct xi_sampler *sampler = xi_sample_new(run, XI_HOOK_XDP_INGRESS, result, len);

	if (!sampler)
		return false;
	if (bytes > 1 && !bpf_xdp_load_bytes(ctx, 0, sampler->sample.frame, bytes))
		sampler->sample.captured = bytes;
	return true;
}

/* A tag beside the skb goes back to its place, where filters look for it. */
static __always_inline __u32 xi_skb_frame(struct __sk_buff *skb, struct xi_sample *sample)
{
	const __u32 macs = 2 * ETH_ALEN;
	__u32 bytes;

	if (!skb->vlan_present) {
		bytes = xi_sample_bytes(skb->len, XI_SAMPLE_BYTES);
		return bytes > 1 && !bpf_skb_load_bytes(skb, 0, sample->frame, bytes) ? bytes : 0;
	}
	if (skb->len <= macs || bpf_skb_load_bytes(skb, 0, sample->frame, macs))
		return 0;
	sample->frame_len += XI_TAG_LEN;
	*(__be16 *)(sample->frame + macs) = skb->vlan_proto;
	*(__be16 *)(sample->frame + macs + 2) = bpf_htons(skb->vlan_tci);
	bytes = xi_sample_bytes(skb->len - macs, XI_SAMPLE_BYTES - macs - XI_TAG_LEN);
	if (bytes < 2 || bpf_skb_load_bytes(skb, macs, sample->frame + macs + XI_TAG_LEN, bytes))
		return 0;
	return bytes + macs + XI_TAG_LEN;
}

/* Redirected to a worker, a frame bears a mark where the interface's address was. */
static __always_inline void xi_skb_unmark(struct xi_sample *sample)
{
	__u32 ifindex = sample->ifindex;
	struct xi_iface *iface;

	iface = bpf_map_lookup_elem(&xi_iface, &ifindex);
	if (iface)
		__builtin_memcpy(sample->frame + ETH_ALEN, iface->mac, ETH_ALEN);
}

static __noinline XI_MAYBE bool xi_skb_sample(struct __sk_buff *skb, const struct xi_run *run,
					      enum xi_hook hook, int result)
{
	struct xi_sampler *sampler = xi_sample_new(run, hook, result, skb->len);

	if (!sampler)
		return false;
	sampler->sample.captured = xi_skb_frame(skb, &sampler->sample);
	if (result == TC_ACT_REDIRECT)
		xi_skb_unmark(&sampler->sample);
	return true;
}

/*
 * The jumps are made here, in the programs themselves: kernels allow none in a
 * function that is called from a frame as large as theirs.
 */
static __always_inline int xi_xdp_sampled(struct xdp_md *ctx, const struct xi_run *run, int result)
{
	if (__builtin_expect(run->ctl_flags & XI_CTL_SAMPLE, 0) &&
	    xi_xdp_sample(ctx, run, result)) {
		bpf_tail_call(ctx, &xi_sample_xdp, 0);
		xi_sample_send();
	}
	return result;
}

static __always_inline int xi_skb_sampled(struct __sk_buff *skb, const struct xi_run *run,
					  enum xi_hook hook, int result)
{
	if (__builtin_expect(run->ctl_flags & XI_CTL_SAMPLE, 0) &&
	    xi_skb_sample(skb, run, hook, result)) {
		bpf_tail_call(skb, &xi_sample_tc, 0);
		xi_sample_send();
	}
	return result;
}

#endif
