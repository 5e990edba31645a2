/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the local stack hands over is not yet a packet: TCP comes as super-packets
 * of up to 64 KiB, and checksums are only begun (struct virtio_net_hdr). This
 * makes whole packets out of it, each small enough to be protected. Pure.
 */
#ifndef ESP_SEGMENT_H
#define ESP_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_net.h>

#include <xipsec/abi.h>

#include "esp/ip.h"
#include "esp/packet.h"

/* Longest header chain plus the longest TCP header. */
#define SEGMENT_HEAD_MAX (IP_HEADERS_MAX + 60)

struct segmenter {
	const uint8_t *ip;
	struct ip_info info;
	size_t head_len, mss; /* mss 0: one packet as it is */
	size_t done;	      /* payload bytes given out */
	bool finished;
	uint16_t index;
	/* A partial checksum to complete: offsets in the IP packet, 0 = none. */
	size_t csum_start, csum_at;
	uint8_t head[SEGMENT_HEAD_MAX]; /* of the segment given out last */
};

/*
 * ip_off is where the IP packet starts in the frame that vnet describes;
 * max_len the longest IP packet that may come out. Returns NONE, MALFORMED or
 * TOO_BIG. TCP is cut at max_len whatever size its sender asked for.
 */
enum xi_reason segment_start(struct segmenter *seg, const struct virtio_net_hdr *vnet,
			     size_t ip_off, const uint8_t *ip, const struct ip_info *info,
			     size_t max_len);
/*
 * The next whole packet, valid until the following call. The header chain and
 * the upper-layer header are in ret->head. False when there are no more.
 */
bool segment_next(struct segmenter *seg, struct esp_plain *ret);

#endif
