/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cutting super-packets (segment.h) and putting segments together (gro.h): the
 * two must undo each other, and no header that the kernel or a peer could write
 * may lead beside the packet.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "esp/csum.h"
#include "esp/gro.h"
#include "esp/segment.h"
#include "tests/lib/esp_mock.h"
#include "util/bytes.h"

#define FIN 0x01
#define SYN 0x02
#define PSH 0x08
#define ACK 0x10
#define CWR 0x80

static uint8_t payload[60000], packet[65536], segments[64][2048];
static size_t segment_lens[64];
static struct segmenter seg;

static int fill(void **state)
{
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static const struct virtio_net_hdr tso4 = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					   .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					   .gso_size = 1000,
					   .csum_start = 34,
					   .csum_offset = 16};

/* Cuts `packet` into segments[]; returns how many, or -reason. */
static int cut(const struct virtio_net_hdr *vnet, size_t len, size_t max_len)
{
	enum xi_reason reason;
	struct esp_plain piece;
	struct ip_info info;
	int count = 0;

	assert_int_equal(ip_parse(packet, len, &info), 0);
	reason = segment_start(&seg, vnet, 14, packet, &info, max_len);
	if (reason != XI_REASON_NONE)
		return -(int)reason;
	while (segment_next(&seg, &piece)) {
		size_t piece_len = piece.head_len + piece.rest_len;

		assert_true(count < 64 && piece_len <= max_len);
		memcpy(segments[count], piece.head, piece.head_len);
		memcpy(segments[count] + piece.head_len, piece.rest, piece.rest_len);
		segment_lens[count++] = piece_len;
	}
	return count;
}

static struct ip_info parsed(int i)
{
	struct ip_info info;

	assert_int_equal(ip_parse(segments[i], segment_lens[i], &info), 0);
	assert_int_equal(info.len, segment_lens[i]);
	return info;
}

static void segments_count_on_and_share_the_flags(void **state)
{
	size_t len = mock_packet(4, IP_PROTO_TCP, payload, 3500, packet);

	packet[20 + 13] = FIN | PSH | ACK | CWR;
	assert_int_equal(cut(&tso4, len, 1460), 4);
	for (int i = 0; i < 4; i++) {
		struct ip_info info = parsed(i);
		const uint8_t *tcp = segments[i] + 20;

		assert_int_equal(info.len, i < 3 ? 1040 : 540);
		assert_int_equal(csum_fold(csum_add(0, segments[i], 20)), 0);
		assert_int_equal(l4_checksum(segments[i], &info), 0);
		assert_int_equal(get_be16(segments[i] + 4), 0x1234 + i);
		assert_int_equal(get_be32(tcp + 4), (uint32_t)(0xfffffff0 + i * 1000));
		assert_int_equal(tcp[13], ACK | (i == 0 ? CWR : 0) | (i == 3 ? FIN | PSH : 0));
		assert_memory_equal(tcp + 20, payload + i * 1000, info.len - 40);
	}
}

static void a_smaller_path_makes_smaller_segments(void **state)
{
	size_t len = mock_packet(4, IP_PROTO_TCP, payload, 3500, packet);

	assert_int_equal(cut(&tso4, len, 540), 7);
	assert_int_equal(segment_lens[0], 540);
	/* No room for a byte of payload. */
	assert_int_equal(cut(&tso4, len, 40), -XI_REASON_TOO_BIG);
	assert_int_equal(cut(&tso4, len, 0), -XI_REASON_TOO_BIG);
}

static void a_connection_request_is_not_cut(void **state)
{
	size_t len = mock_packet(4, IP_PROTO_TCP, payload, 1460, packet);
	static const struct virtio_net_hdr none;

	packet[20 + 13] = SYN;
	assert_int_equal(cut(&none, len, 1400), -XI_REASON_TOO_BIG);
}

static void headers_of_the_kernel_are_not_believed(void **state)
{
	size_t len = mock_packet(4, IP_PROTO_TCP, payload, 1000, packet);
	struct virtio_net_hdr vnet = tso4;

	vnet.gso_size = 0;
	assert_int_equal(cut(&vnet, len, 1460), -XI_REASON_MALFORMED);
	vnet = tso4;
	vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	assert_int_equal(cut(&vnet, len, 1460), -XI_REASON_MALFORMED);
	vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	assert_int_equal(cut(&vnet, len, 1460), -XI_REASON_MALFORMED);
	packet[20 + 12] = 4 << 4;
	assert_int_equal(cut(&tso4, len, 1460), -XI_REASON_MALFORMED);
	packet[20 + 12] = 15 << 4;
	assert_true(cut(&tso4, len, 1460) > 0);
	len = mock_packet(4, IP_PROTO_TCP, payload, 10, packet);
	packet[20 + 12] = 15 << 4;
	assert_int_equal(cut(&tso4, len, 1460), -XI_REASON_MALFORMED);

	/* Every place that a checksum could be asked for. */
	len = mock_packet(4, IP_PROTO_UDP, payload, 900, packet);
	for (unsigned start = 0; start < 2000; start += 7) {
		for (unsigned offset = 0; offset < 2000; offset += 11) {
			bool inside = start >= 34 && start + offset - 14 + 2 <= len &&
				      start + offset - 14 + 2 <= SEGMENT_HEAD_MAX;

			vnet = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
						       .csum_start = (uint16_t)start,
						       .csum_offset = (uint16_t)offset};
			assert_int_equal(cut(&vnet, len, 1460), inside ? 1 : -XI_REASON_MALFORMED);
		}
	}
}

static void a_begun_checksum_of_zero_goes_out_as_ones(void **state)
{
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
	size_t len = mock_packet(4, IP_PROTO_UDP, payload, 2, packet);
	struct ip_info info;
	uint16_t sum, seed;

	assert_int_equal(ip_parse(packet, len, &info), 0);
	/* Choose the payload so that the sum of everything else is all ones. */
	memset(packet + 26, 0, 4);
	sum = l4_checksum(packet, &info);
	memcpy(packet + 28, &sum, 2);
	seed = (uint16_t)~csum_fold(ip_pseudo_sum(&info, IP_PROTO_UDP, len - 20));
	memcpy(packet + 26, &seed, 2);
	assert_int_equal(cut(&vnet, len, 1460), 1);
	assert_memory_equal(segments[0] + 26, "\xff\xff", 2);
}

/* ------------------------------------------------------ putting together */

struct merged {
	int writes;
	struct virtio_net_hdr vnet;
	size_t len;
};

/* Leaves the last write in `packet`. */
static void take_merged(void *arg, const struct virtio_net_hdr *vnet, const struct iovec *ip,
			int count)
{
	struct merged *merged = arg;
	size_t len = 0;

	for (int i = 0; i < count; i++) {
		assert_true(len + ip[i].iov_len <= sizeof(packet));
		memcpy(packet + len, ip[i].iov_base, ip[i].iov_len);
		len += ip[i].iov_len;
	}
	merged->writes++;
	merged->vnet = *vnet;
	merged->len = len;
}

static void merge(struct merged *merged, int count)
{
	struct gro *gro = gro_new(take_merged, merged);

	assert_non_null(gro);
	for (int i = 0; i < count; i++) {
		struct ip_info info = parsed(i);

		assert_true(gro_add(gro, segments[i], &info));
	}
	gro_flush(gro);
	gro_free(gro);
}

static void cutting_what_was_put_together_gives_the_segments_back(void **state)
{
	for (uint8_t family = 4; family <= 6; family += 2) {
		for (size_t size = 1; size < 40000; size += 1733) {
			static uint8_t before[64][2048];
			struct virtio_net_hdr vnet = tso4;
			size_t len = mock_packet(family, IP_PROTO_TCP, payload, size, packet);
			struct merged merged = {0};
			int count, again;

			if (family == 6) {
				vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
				vnet.csum_start = 54;
			}
			packet[(family == 4 ? 20 : 40) + 13] |= PSH;
			count = cut(&vnet, len, 1460);
			assert_true(count > 0);
			memcpy(before, segments, sizeof(before));
			merge(&merged, count);
			assert_int_equal(merged.writes, 1);
			/* csum_start was meant for a frame; here the packet starts at 0. */
			merged.vnet.csum_start += 14;
			again = cut(&merged.vnet, merged.len, 1460);
			assert_int_equal(again, count);
			for (int i = 0; i < count; i++)
				assert_memory_equal(segments[i], before[i], segment_lens[i]);
		}
	}
}

/* Changes one thing in the third of four segments; the first two must not take it in. */
static void refuses_to_merge(void (*change)(uint8_t *ip), int writes)
{
	struct merged merged = {0};
	struct ip_info info;
	uint16_t sum;

	assert_int_equal(cut(&tso4, mock_packet(4, IP_PROTO_TCP, payload, 4000, packet), 1460), 4);
	change(segments[2]);
	info = parsed(2);
	ip_set_len(segments[2], &info, info.len);
	memset(segments[2] + 36, 0, 2);
	sum = l4_checksum(segments[2], &info);
	memcpy(segments[2] + 36, &sum, 2);
	merge(&merged, 4);
	assert_int_equal(merged.writes, writes);
}

static void change_nothing(uint8_t *ip)
{
}

static void change_ttl(uint8_t *ip)
{
	ip[8]--;
}

static void change_ecn(uint8_t *ip)
{
	ip[1] |= 3;
}

static void change_ack(uint8_t *ip)
{
	ip[20 + 11]++;
}

static void change_window(uint8_t *ip)
{
	ip[20 + 15]++;
}

static void change_seq(uint8_t *ip)
{
	ip[20 + 7]++;
}

static void set_fin(uint8_t *ip)
{
	ip[20 + 13] |= FIN;
}

static void set_psh(uint8_t *ip)
{
	ip[20 + 13] |= PSH;
}

static void only_what_cutting_would_restore_is_merged(void **state)
{
	refuses_to_merge(change_nothing, 1);
	refuses_to_merge(change_ttl, 3);
	refuses_to_merge(change_ecn, 3);
	refuses_to_merge(change_ack, 3);
	refuses_to_merge(change_window, 3);
	refuses_to_merge(change_seq, 3);
	refuses_to_merge(set_fin, 3);
	/* A push may end a super-packet but nothing may follow it. */
	refuses_to_merge(set_psh, 2);
}

static void order_within_a_flow_is_kept(void **state)
{
	struct merged merged = {0};
	struct gro *gro = gro_new(take_merged, &merged);
	struct ip_info info;

	assert_int_equal(cut(&tso4, mock_packet(4, IP_PROTO_TCP, payload, 4000, packet), 1460), 4);
	/* Segment 2 is missing: 3 starts a packet of its own, behind 0 and 1. */
	for (int i = 0; i < 4; i++) {
		info = parsed(i);
		if (i != 2)
			assert_true(gro_add(gro, segments[i], &info));
	}
	assert_int_equal(merged.writes, 1);
	assert_int_equal(merged.len, 2040);
	gro_flush(gro);
	assert_int_equal(merged.writes, 2);
	assert_int_equal(merged.len, 1040);
	assert_int_equal(merged.vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	gro_free(gro);
}

static void more_flows_than_places_lose_nothing(void **state)
{
	struct merged merged = {0};
	struct gro *gro = gro_new(take_merged, &merged);
	static uint8_t flows[20][2048];

	for (int i = 0; i < 20; i++) {
		size_t len = mock_packet(4, IP_PROTO_TCP, payload, 100, flows[i]);
		struct ip_info info;
		uint16_t sum;

		put_be16(flows[i] + 20, (uint16_t)(1000 + i));
		memset(flows[i] + 36, 0, 2);
		assert_int_equal(ip_parse(flows[i], len, &info), 0);
		sum = l4_checksum(flows[i], &info);
		memcpy(flows[i] + 36, &sum, 2);
		assert_true(gro_add(gro, flows[i], &info));
	}
	gro_flush(gro);
	assert_int_equal(merged.writes, 20);
	gro_free(gro);
}

/* ------------------------------------------------------- IPv6 extensions */

static void esp_goes_behind_what_routers_read(void **state)
{
	/* hop-by-hop, destination options, routing, destination options, UDP */
	static const uint8_t chain[] = {0, 60, 43, 60, 17};
	struct ip_info info;
	uint8_t *ip = packet;
	size_t off = 40;

	memset(ip, 0, 256);
	ip[0] = 0x60;
	ip[6] = chain[0];
	for (size_t i = 1; i < sizeof(chain); i++, off += 8)
		ip[off] = chain[i];
	put_be16(ip + 4, (uint16_t)(off - 40 + 8));
	put_be16(ip + off + 2, 53);
	assert_int_equal(ip_parse(ip, off + 8, &info), 0);
	assert_int_equal(info.proto, IP_PROTO_UDP);
	assert_int_equal(info.dport, 53);
	assert_int_equal(info.l4_off, 72);
	/* RFC 4303 3.1.1: the last destination options may be protected, the others may not. */
	assert_int_equal(info.esp_off, 64);
	assert_int_equal(info.esp_next_off, 56);
	/* Cut anywhere, it is refused or it is what the header says. */
	for (size_t len = 0; len < off + 8; len++)
		assert_int_equal(ip_parse(ip, len, &info), -EINVAL);
	/* Hop-by-hop options stand first or not at all. */
	ip[40] = 0;
	assert_int_equal(ip_parse(ip, off + 8, &info), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_count_on_and_share_the_flags),
		cmocka_unit_test(a_smaller_path_makes_smaller_segments),
		cmocka_unit_test(a_connection_request_is_not_cut),
		cmocka_unit_test(headers_of_the_kernel_are_not_believed),
		cmocka_unit_test(a_begun_checksum_of_zero_goes_out_as_ones),
		cmocka_unit_test(cutting_what_was_put_together_gives_the_segments_back),
		cmocka_unit_test(only_what_cutting_would_restore_is_merged),
		cmocka_unit_test(order_within_a_flow_is_kept),
		cmocka_unit_test(more_flows_than_places_lose_nothing),
		cmocka_unit_test(esp_goes_behind_what_routers_read),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
