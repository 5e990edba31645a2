/* SPDX-License-Identifier: BSD-2-Clause */
/* See worker_net.h. */
#include "tests/lib/worker_net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "esp/csum.h"
#include "util/bytes.h"

int net_up(void **state)
{
	struct net *net = calloc(1, sizeof(*net));

	assert_non_null(net);
	net->a = mock_host_new(1);
	net->b = mock_host_new(2);
	mock_join(net->a, net->b);
	for (size_t i = 0; i < sizeof(net->payload); i++)
		net->payload[i] = (uint8_t)(i * 31 + i / 251);
	net->sa = mock_sa(4, 7, XI_CIPHER_AES128_GCM16, XI_INTEG_NONE, 1);
	*state = net;
	return 0;
}

int net_down(void **state)
{
	struct net *net = *state;

	mock_host_free(net->a);
	mock_host_free(net->b);
	free(net);
	return 0;
}

void net_install(struct net *net, const struct mock_pair *sa)
{
	assert_int_equal(worker_sa_install(net->a->worker, &sa->a, 0), 0);
	assert_int_equal(worker_sa_install(net->b->worker, &sa->b, 0), 0);
}

uint64_t net_dropped(struct mock_host *host, enum xi_reason reason)
{
	struct xi_count counts[XI_REASON_MAX];

	worker_reasons(host->worker, counts);
	return counts[reason].packets;
}

uint64_t net_dropped_in_all(struct mock_host *host)
{
	struct xi_count counts[XI_REASON_MAX];
	uint64_t sum = 0;

	worker_reasons(host->worker, counts);
	for (int i = 0; i < XI_REASON_MAX; i++)
		sum += counts[i].packets;
	return sum;
}

struct virtio_net_hdr net_tso(uint8_t family, uint16_t gso_size)
{
	uint16_t l4 = family == 4 ? 34 : 54;

	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = family == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.gso_size = gso_size,
		.hdr_len = (uint16_t)(l4 + 20),
		.csum_start = l4,
		.csum_offset = 16,
	};
}

size_t net_capture(struct net *net, uint8_t *frame)
{
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	net->a->peer = NULL;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 1);
	memcpy(frame, net->a->tx[0], net->a->tx_len[0]);
	return net->a->tx_len[0];
}

void net_shows_only_esp(const struct mock_host *host, const uint8_t *payload, size_t len,
			bool encrypted)
{
	assert_true(host->tx_count > 0);
	for (size_t i = 0; i < host->tx_count; i++) {
		const uint8_t *ip = host->tx[i] + 14;
		struct ip_info info;

		assert_int_equal(ip_parse(ip, host->tx_len[i] - 14, &info), 0);
		assert_int_equal(info.proto, IP_PROTO_ESP);
		assert_true(info.len <= 1500);
		assert_int_equal(info.len, host->tx_len[i] - 14);
		for (size_t at = 0; encrypted && at + 8 <= len; at += 64)
			assert_null(memmem(ip, info.len, payload + at, 8));
	}
}

size_t net_stack_received_tcp(const struct mock_host *host, uint8_t *payload)
{
	size_t total = 0;

	for (size_t i = 0; i < host->write_count; i++) {
		const struct mock_write *write = &host->writes[i];
		static struct segmenter seg;
		struct esp_plain piece;
		struct ip_info info, cut;
		uint8_t whole[2048];

		assert_memory_equal(write->frame, host->worker->edges.stack_mac, 6);
		assert_int_equal(ip_parse(write->frame + 14, write->len - 14, &info), 0);
		assert_int_equal(info.len, write->len - 14);
		assert_int_equal(
			segment_start(&seg, &write->vnet, 14, write->frame + 14, &info, 1500),
			XI_REASON_NONE);
		while (segment_next(&seg, &piece)) {
			size_t len = piece.head_len + piece.rest_len, head;

			memcpy(whole, piece.head, piece.head_len);
			memcpy(whole + piece.head_len, piece.rest, piece.rest_len);
			assert_int_equal(ip_parse(whole, len, &cut), 0);
			assert_int_equal(l4_checksum(whole, &cut), 0);
			head = cut.l4_off + (whole[cut.l4_off + 12] >> 4) * 4u;
			assert_int_equal(get_be32(whole + cut.l4_off + 4),
					 (uint32_t)(0xfffffff0 + total));
			memcpy(payload + total, whole + head, cut.len - head);
			total += cut.len - head;
		}
	}
	return total;
}
