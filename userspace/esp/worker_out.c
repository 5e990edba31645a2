// SPDX-License-Identifier: BSD-2-Clause
/*
 * The way out (RFC 4303 3.3): a frame from the TAP names its SA in the place of
 * the source address (struct xi_tap_mark). It is cut to size, protected segment
 * by segment straight into transmit frames, and sent with the next hop that the
 * stack had chosen.
 *
 * Weak spot: in transport mode ESP protects whole datagrams only (RFC 4303
 * 3.3.4), so fragments that the stack already made are dropped and counted.
 */
#include "esp/worker_impl.h"

#include <string.h>

#include "esp/icmp.h"
#include "util/addr.h"
#include "util/bytes.h"

#define ETH_SRC	    6
#define IP6_MIN_MTU 1280
#define IP4_MIN_MTU 68

struct outgoing {
	struct virtio_net_hdr vnet;
	uint8_t *frame, *ip;
	size_t len, ip_off;
	uint32_t mark;
	struct ip_info info;
};

/* Tells the sender how much fits; at most WORKER_ICMP_RATE times a second. */
static void answer_too_big(struct worker *worker, const struct outgoing *out, size_t mtu)
{
	static const struct virtio_net_hdr none;
	uint8_t answer[ICMP_TOO_BIG_MAX];
	struct iovec iov = {answer, 0};

	if (worker->now_ms - worker->icmp_ms >= 1000) {
		worker->icmp_ms = worker->now_ms;
		worker->icmp_tokens = WORKER_ICMP_RATE;
	}
	if (!worker->icmp_tokens || out->info.fragment)
		return;
	/* RFC 1122 3.2.2: never about an ICMP error; echo may be told. */
	if (out->info.family == 4 && out->info.proto == IP_PROTO_ICMP &&
	    out->ip[out->info.l4_off] && out->ip[out->info.l4_off] != 8)
		return;
	if (out->info.family == 6 && out->info.proto == IP_PROTO_ICMP6 &&
	    out->ip[out->info.l4_off] < 128)
		return;
	if (mtu < (out->info.family == 6 ? IP6_MIN_MTU : IP4_MIN_MTU))
		mtu = out->info.family == 6 ? IP6_MIN_MTU : IP4_MIN_MTU;
	worker->icmp_tokens--;
	iov.iov_len = icmp_too_big(out->ip, &out->info, (uint32_t)mtu, answer);
	worker_inject(worker, &none, &iov, 1);
}

/* Protects one packet into a transmit frame. */
static enum xi_reason send_one(struct worker *worker, struct esp_sa *sa, const struct outgoing *out,
			       const struct esp_plain *packet)
{
	const struct wire_ops *wire = worker->edges.wire;
	struct wire_frame frame;
	size_t len, ip_len = packet->head_len + packet->rest_len;
	enum xi_reason reason = worker_sa_limits(worker, sa);

	if (reason != XI_REASON_NONE)
		return reason;
	if (!wire->tx_get(worker->edges.wire_ctx, worker->tx_queue, &frame))
		return XI_REASON_TX_FULL;
	if (frame.len < out->ip_off ||
	    esp_wrap_transport(&sa->out, sa->out_seq + 1, NULL, &out->info, packet,
			       frame.data + out->ip_off, frame.len - out->ip_off, &len)) {
		frame.len = 0;
		wire->tx_put(worker->edges.wire_ctx, worker->tx_queue, &frame);
		return XI_REASON_TOO_BIG;
	}
	memcpy(frame.data, out->frame, out->ip_off);
	memcpy(frame.data + ETH_SRC, worker->edges.mac, 6);
	frame.len = (uint32_t)(out->ip_off + len);
	wire->tx_put(worker->edges.wire_ctx, worker->tx_queue, &frame);

	sa->out_seq++;
	sa->stats.out_seq = sa->out_seq;
	sa->stats.out_packets++;
	sa->stats.out_bytes += ip_len;
	sa->stats.last_used_ms = worker->now_ms;
	return XI_REASON_NONE;
}

static void send_by(struct worker *worker, struct esp_sa *sa, const struct outgoing *out)
{
	const struct esp_shape *shape = esp_crypto_shape(sa->out.crypto);
	size_t front = out->info.esp_off, mtu = worker_path_mtu(worker, sa), max_len;
	struct esp_plain packet;
	enum xi_reason reason;

	max_len = mtu > front ? front + esp_max_payload(shape, mtu - front) : 0;
	reason = segment_start(&worker->seg, &out->vnet, out->ip_off, out->ip, &out->info, max_len);
	if (reason == XI_REASON_TOO_BIG)
		answer_too_big(worker, out, max_len);
	if (reason != XI_REASON_NONE) {
		worker_drop(worker, reason, out->len);
		return;
	}
	while (segment_next(&worker->seg, &packet)) {
		reason = send_one(worker, sa, out, &packet);
		if (reason != XI_REASON_NONE)
			worker_drop(worker, reason, packet.head_len + packet.rest_len);
	}
}

/* Reads the mark and the IP header; false when it was dropped. */
static bool outgoing_parse(struct worker *worker, struct outgoing *out, uint8_t *data, size_t len)
{
	struct xi_tap_mark mark;

	if (len < sizeof(out->vnet) + 14) {
		worker_drop(worker, XI_REASON_TAP_FOREIGN, len);
		return false;
	}
	memcpy(&out->vnet, data, sizeof(out->vnet));
	out->frame = data + sizeof(out->vnet);
	out->len = len - sizeof(out->vnet);
	memcpy(&mark, out->frame + ETH_SRC, sizeof(mark));
	if (mark.magic[0] != XI_TAP_MAGIC0 || mark.magic[1] != XI_TAP_MAGIC1) {
		worker_drop(worker, XI_REASON_TAP_FOREIGN, out->len);
		return false;
	}
	out->mark = get_be32(mark.sa_id);
	out->ip_off = frame_ip_off(out->frame, out->len);
	if (!out->ip_off ||
	    ip_parse(out->frame + out->ip_off, out->len - out->ip_off, &out->info)) {
		worker_drop(worker, XI_REASON_MALFORMED, out->len);
		return false;
	}
	out->ip = out->frame + out->ip_off;
	if (out->info.fragment) {
		worker_drop(worker, XI_REASON_FRAGMENT, out->len);
		return false;
	}
	return true;
}

void worker_out(struct worker *worker, uint8_t *data, size_t len)
{
	struct outgoing out;
	struct esp_sa *sa;
	enum xi_reason reason;

	if (!outgoing_parse(worker, &out, data, len))
		return;
	/* A packet marked for holding may have been overtaken by its SA. */
	sa = out.mark == XI_SA_HOLD ? satab_by_packet(worker->sas, &out.info)
				    : satab_by_id(worker->sas, out.mark);
	if (!sa && out.mark != XI_SA_HOLD)
		sa = satab_by_packet(worker->sas, &out.info);
	if (!sa) {
		/* Its SA went while it was in the TAP, or has never been: both wait for one. */
		reason = hold_add(worker->hold, &out.info, data, len, worker->now_ms);
		/* That it waits has been counted where it was marked. */
		if (reason != XI_REASON_HELD)
			worker_drop(worker, reason, out.len);
		return;
	}
	sa = satab_sender(worker->sas, sa);
	if (!ip_matches(&out.info, &sa->params.sel, true)) {
		worker_drop(worker, XI_REASON_ESP_SELECTOR, out.len);
		return;
	}
	send_by(worker, sa, &out);
}
