// SPDX-License-Identifier: BSD-2-Clause
/*
 * The way in (RFC 4303 3.4): find the SA, look at the replay window, check and
 * decrypt, slide the window, strip the trailer, compare with the selector (RFC
 * 4301 5.2 step 4), hand to the stack. Nothing learned from a packet changes an
 * SA before its ICV was good.
 */
#include "esp/worker_impl.h"

#include <string.h>

#include "esp/csum.h"
#include "util/addr.h"
#include "util/bytes.h"

#define ETH_LEN	   14
#define ETH_TYPE   12
#define ETH_P_IP4  0x0800
#define ETH_P_IP6  0x86dd
#define ETH_P_VLAN 0x8100
#define ETH_P_QINQ 0x88a8

size_t frame_ip_off(const uint8_t *frame, size_t len)
{
	size_t off = ETH_LEN;
	uint16_t type;

	for (int tags = 0; tags <= 2; tags++, off += 4) {
		if (len < off)
			return 0;
		type = get_be16(frame + off - 2);
		if (type == ETH_P_IP4 || type == ETH_P_IP6)
			return off;
		if (type != ETH_P_VLAN && type != ETH_P_QINQ)
			return 0;
	}
	return 0;
}

int worker_inject(struct worker *worker, const struct virtio_net_hdr *vnet, const struct iovec *ip,
		  int count)
{
	struct {
		struct virtio_net_hdr vnet;
		uint8_t eth[ETH_LEN];
	} __attribute__((packed)) front = {.vnet = *vnet};
	struct iovec iov[64];
	const uint8_t *first = ip[0].iov_base;

	memcpy(front.eth, worker->edges.stack_mac, 6);
	/* Locally administered, and not the mark of tc_egress. */
	memcpy(front.eth + 6, "\x02\x58\x49\x00\x00\x01", 6);
	put_be16(front.eth + ETH_TYPE, first[0] >> 4 == 4 ? ETH_P_IP4 : ETH_P_IP6);
	if (front.vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		front.vnet.csum_start += ETH_LEN;
		front.vnet.hdr_len += ETH_LEN;
	}
	iov[0] = (struct iovec){&front, sizeof(front)};
	memcpy(iov + 1, ip, sizeof(*ip) * (size_t)count);
	return worker->edges.stack->write(worker->edges.stack_ctx, iov, count + 1);
}

/* After decryption: is this packet one that the SA may carry? */
static enum xi_reason check_inner(const struct esp_sa *sa, const struct ip_info *inner)
{
	if (inner->fragment)
		return XI_REASON_FRAGMENT;
	/* A transport SA carries upper layers, not tunnels that nobody agreed on. */
	if (inner->proto == IP_PROTO_IPIP || inner->proto == IP_PROTO_IPV6)
		return XI_REASON_ESP_NEXT_HEADER;
	return ip_matches(inner, &sa->params.sel, false) ? XI_REASON_NONE : XI_REASON_ESP_SELECTOR;
}

static void count_refusal(struct esp_sa *sa, enum xi_reason reason)
{
	if (reason == XI_REASON_ESP_REPLAY)
		sa->stats.in_replay++;
	else if (reason == XI_REASON_ESP_ICV)
		sa->stats.in_icv++;
	else if (reason == XI_REASON_ESP_SELECTOR || reason == XI_REASON_ESP_NEXT_HEADER)
		sa->stats.in_selector++;
	else
		sa->stats.in_other++;
}

/* Everything up to the replay window having taken the packet. */
static enum xi_reason authenticate(struct worker *worker, struct esp_sa *sa, uint8_t *esp,
				   size_t len, struct esp_opened *ret)
{
	uint32_t low = get_be32(esp + 4);
	uint64_t seq = sa->params.esn ? replay_extend(&sa->replay, low) : low;
	bool anti_replay = sa->params.replay_window;
	enum xi_reason reason = worker_sa_limits(worker, sa);

	if (reason == XI_REASON_SA_EXPIRED)
		return reason;
	if (anti_replay && !replay_check(&sa->replay, seq))
		return XI_REASON_ESP_REPLAY;
	reason = esp_open(&sa->in, seq, esp, len, ret);
	/* Bad padding is a sender's fault behind a good ICV: the number is used up all the same. */
	if (reason != XI_REASON_NONE && reason != XI_REASON_ESP_PADDING)
		return reason;
	if (!replay_update(&sa->replay, seq) && anti_replay)
		return XI_REASON_ESP_REPLAY;
	return reason;
}

static enum xi_reason deliver(struct worker *worker, struct esp_sa *sa, uint8_t *ip,
			      const struct ip_info *outer, const struct esp_opened *opened)
{
	struct ip_info inner;
	enum xi_reason reason;
	uint8_t *start;

	sa->stats.last_used_ms = worker->now_ms;
	if (opened->next == IP_PROTO_NO_NEXT) {
		/* RFC 4303 2.6: a dummy, to be discarded without a word. */
		sa->stats.in_packets++;
		return XI_REASON_NONE;
	}
	start = esp_unwrap_transport(ip, outer, opened);
	if (ip_parse(start, outer->l4_off + opened->len, &inner))
		return XI_REASON_MALFORMED;
	reason = check_inner(sa, &inner);
	if (reason != XI_REASON_NONE)
		return reason;
	sa->stats.in_packets++;
	sa->stats.in_bytes += inner.len;
	return gro_add(worker->gro, start, &inner) ? XI_REASON_NONE : XI_REASON_ESP_CHECKSUM;
}

void worker_in(struct worker *worker, uint8_t *frame, size_t len)
{
	size_t off = frame_ip_off(frame, len);

	if (off)
		worker_in_ip(worker, frame + off, len - off);
	else
		worker_drop(worker, XI_REASON_MALFORMED, len);
}

/*
 * RFC 1122 3.2.1.2. The stack never sees this header: the one it gets has a fresh checksum, behind
 * which damage to TTL or options would be hidden.
 */
static bool header_intact(const uint8_t *ip, const struct ip_info *info)
{
	return info->family == 6 || !csum_fold(csum_add(0, ip, (ip[0] & 15) * 4u));
}

void worker_in_ip(struct worker *worker, uint8_t *ip, size_t len)
{
	struct esp_opened opened;
	struct ip_info outer;
	enum xi_reason reason;
	struct esp_sa *sa;
	uint8_t *esp;

	if (ip_parse(ip, len, &outer) || !header_intact(ip, &outer)) {
		worker_drop(worker, XI_REASON_MALFORMED, len);
		return;
	}
	if (outer.proto != IP_PROTO_ESP || outer.fragment ||
	    outer.len < (uint32_t)outer.l4_off + ESP_HDR_LEN) {
		worker_drop(worker, outer.fragment ? XI_REASON_FRAGMENT : XI_REASON_ESP_SHORT, len);
		return;
	}
	esp = ip + outer.l4_off;
	sa = satab_by_spi(worker->sas, get_be32(esp), &outer.dst);
	if (!sa) {
		worker_drop(worker, XI_REASON_INVALID_SPI, len);
		return;
	}
	/* The source is not part of the lookup, but no transport SA has another peer. */
	if (!xi_addr_equal(&outer.src, &sa->params.remote))
		reason = XI_REASON_ESP_SELECTOR;
	else
		reason = authenticate(worker, sa, esp, outer.len - outer.l4_off, &opened);
	if (reason == XI_REASON_NONE)
		reason = deliver(worker, sa, ip, &outer, &opened);
	if (reason != XI_REASON_NONE) {
		count_refusal(sa, reason);
		worker_drop(worker, reason, len);
	}
}

void worker_in_flush(struct worker *worker)
{
	gro_flush(worker->gro);
}
