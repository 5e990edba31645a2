/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two workers, wire to wire, in memory: what one stack sends must come out at
 * the other, and nothing but ESP may be seen between them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "esp/bytes.h"
#include "esp/csum.h"
#include "tests/lib/esp_mock.h"
#include "util/addr.h"

struct net {
	struct mock_host *a, *b;
	struct mock_pair sa;
	uint8_t payload[60000], packet[65536];
};

static int net_up(void **state)
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

static int net_down(void **state)
{
	struct net *net = *state;

	mock_host_free(net->a);
	mock_host_free(net->b);
	free(net);
	return 0;
}

static void install_both(struct net *net, const struct mock_pair *sa)
{
	assert_int_equal(worker_sa_install(net->a->worker, &sa->a, 0), 0);
	assert_int_equal(worker_sa_install(net->b->worker, &sa->b, 0), 0);
}

static uint64_t dropped(struct mock_host *host, enum xi_reason reason)
{
	struct xi_count counts[XI_REASON_MAX];

	worker_reasons(host->worker, counts);
	return counts[reason].packets;
}

static uint64_t dropped_in_all(struct mock_host *host)
{
	struct xi_count counts[XI_REASON_MAX];
	uint64_t sum = 0;

	worker_reasons(host->worker, counts);
	for (int i = 0; i < XI_REASON_MAX; i++)
		sum += counts[i].packets;
	return sum;
}

/* The super-packet that a stack with TSO hands over. */
static struct virtio_net_hdr tso(uint8_t family, uint16_t gso_size)
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

/* Every frame is ESP, fits the MTU, and shows no eight bytes of the payload. */
static void wire_shows_only_esp(const struct mock_host *host, const uint8_t *payload, size_t len,
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

/* Cuts what the stack was given as the stack would, checks it, collects the payload. */
static size_t stack_received_tcp(const struct mock_host *host, uint8_t *payload)
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

static void tcp_crosses(struct net *net, uint8_t family, enum xi_cipher cipher, enum xi_integ integ)
{
	struct mock_pair sa = mock_sa(family, 9, cipher, integ, 3);
	struct virtio_net_hdr vnet = tso(family, 1400);
	uint8_t received[60000];
	size_t len;

	install_both(net, &sa);
	len = mock_packet(family, IP_PROTO_TCP, net->payload, 30000, net->packet);
	mock_send(net->a, 9, &vnet, net->packet, len, 1);
	wire_shows_only_esp(net->a, net->payload, 30000, cipher != XI_CIPHER_NULL);
	worker_run(net->b->worker, 1);
	assert_int_equal(stack_received_tcp(net->b, received), 30000);
	assert_memory_equal(received, net->payload, 30000);
	assert_int_equal(dropped_in_all(net->a) + dropped_in_all(net->b), 0);
	/* One burst of segments of one flow enters the stack once. */
	assert_int_equal(net->b->write_count, 1);
	mock_forget(net->a);
	mock_forget(net->b);
	assert_int_equal(worker_sa_remove(net->a->worker, 9), 0);
	assert_int_equal(worker_sa_remove(net->b->worker, 9), 0);
}

static void a_tcp_super_packet_crosses_under_every_algorithm(void **state)
{
	struct net *net = *state;

	for (int c = 0; c < XI_CIPHER_MAX; c++) {
		for (int i = 0; i < XI_INTEG_MAX; i++) {
			bool aead = xi_cipher_info(c)->tag_len;

			if (aead != (i == XI_INTEG_NONE))
				continue;
			tcp_crosses(net, 4, c, i);
			tcp_crosses(net, 6, c, i);
		}
	}
}

static void a_datagram_keeps_its_bytes_and_gets_its_checksum(void **state)
{
	struct net *net = *state;
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
	uint8_t begun[2048];
	struct ip_info info;
	uint16_t seed;
	size_t len;

	install_both(net, &net->sa);
	len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	memcpy(begun, net->packet, len);
	assert_int_equal(ip_parse(begun, len, &info), 0);
	seed = (uint16_t)~csum_fold(ip_pseudo_sum(&info, IP_PROTO_UDP, len - 20));
	memcpy(begun + 26, &seed, 2);

	mock_send(net->a, 7, &vnet, begun, len, 1);
	/* Next hop as the stack chose it, our own source, no trace of the mark. */
	assert_memory_equal(net->a->tx[0], "\x02\xcc\x00\x00\x00\x01\x02\xaa\x00\x00\x00\x01", 12);
	worker_run(net->b->worker, 1);
	assert_int_equal(net->b->write_count, 1);
	assert_int_equal(net->b->writes[0].len, 14 + len);
	assert_memory_equal(net->b->writes[0].frame + 14, net->packet, len);
	assert_int_equal(net->b->writes[0].vnet.flags, 0);
}

static void vlan_tags_stay_on_the_wire_and_do_not_reach_the_stack(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	uint8_t *frame = net->a->to_read + sizeof(struct virtio_net_hdr);

	install_both(net, &net->sa);
	memset(net->a->to_read, 0, sizeof(struct virtio_net_hdr));
	memcpy(frame, "\x02\xcc\x00\x00\x00\x01\x06\x58\x00\x00\x00\x07\x81\x00\x00\x2a\x08\x00",
	       18);
	memcpy(frame + 18, net->packet, len);
	net->a->to_read_len = sizeof(struct virtio_net_hdr) + 18 + len;
	worker_run(net->a->worker, 1);
	assert_int_equal(net->a->tx_count, 1);
	assert_memory_equal(net->a->tx[0] + 12, "\x81\x00\x00\x2a\x08\x00", 6);
	worker_run(net->b->worker, 1);
	assert_int_equal(net->b->write_count, 1);
	assert_memory_equal(net->b->writes[0].frame + 12, "\x08\x00", 2);
	assert_memory_equal(net->b->writes[0].frame + 14, net->packet, len);
}

static void the_first_packet_waits_for_its_sa(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 0);
	assert_int_equal(hold_count(net->a->worker->hold), 1);
	install_both(net, &net->sa);
	assert_int_equal(net->a->tx_count, 1);
	worker_run(net->b->worker, 2);
	assert_int_equal(net->b->write_count, 1);
	assert_memory_equal(net->b->writes[0].frame + 14, net->packet, len);

	/* One that was marked before the maps knew of the SA does not wait. */
	mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 3);
	assert_int_equal(net->a->tx_count, 2);
	assert_int_equal(hold_count(net->a->worker->hold), 0);
	assert_int_equal(dropped_in_all(net->a), 0);
}

static void an_sa_for_other_traffic_does_not_release_it(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 1);
	net->sa.a.sel.proto = IP_PROTO_TCP;
	assert_int_equal(worker_sa_install(net->a->worker, &net->sa.a, 2), 0);
	assert_int_equal(net->a->tx_count, 0);
	assert_int_equal(hold_count(net->a->worker->hold), 1);
}

static void what_waits_is_dropped_in_time_and_when_negotiation_fails(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 1000);
	worker_run(net->a->worker, 1000 + HOLD_MS - 1);
	assert_int_equal(dropped(net->a, XI_REASON_HOLD_TIMEOUT), 0);
	worker_run(net->a->worker, 1000 + HOLD_MS + 500);
	assert_int_equal(dropped(net->a, XI_REASON_HOLD_TIMEOUT), 1);

	mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 40000);
	worker_hold_fail(net->a->worker, &net->sa.a.remote, &net->sa.a.local);
	assert_int_equal(hold_count(net->a->worker->hold), 1);
	worker_hold_fail(net->a->worker, &net->sa.a.local, &net->sa.a.remote);
	assert_int_equal(hold_count(net->a->worker->hold), 0);
	assert_int_equal(dropped(net->a, XI_REASON_HOLD_TIMEOUT), 2);
	install_both(net, &net->sa);
	assert_int_equal(net->a->tx_count, 0);
}

static void one_flow_cannot_fill_the_queue_for_others(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	for (int i = 0; i < HOLD_FLOW_PACKETS + 3; i++)
		mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 1);
	assert_int_equal(dropped(net->a, XI_REASON_HOLD_FULL), 3);
	put_be16(net->packet + 20, 40001);
	mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 1);
	assert_int_equal(dropped(net->a, XI_REASON_HOLD_FULL), 3);
	assert_int_equal(hold_count(net->a->worker->hold), HOLD_FLOW_PACKETS + 1);
}

/* Sends one datagram from a and takes its frame off the wire. */
static size_t capture(struct net *net, uint8_t *frame)
{
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	net->a->peer = NULL;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 1);
	memcpy(frame, net->a->tx[0], net->a->tx_len[0]);
	return net->a->tx_len[0];
}

static void a_packet_is_accepted_once(void **state)
{
	struct net *net = *state;
	uint8_t frame[2048];
	struct xi_sa_stats stats;
	size_t len;

	install_both(net, &net->sa);
	len = capture(net, frame);
	/* Twice in one burst, and once more later. */
	mock_arrive(net->b, frame, len);
	mock_arrive(net->b, frame, len);
	worker_run(net->b->worker, 1);
	mock_arrive(net->b, frame, len);
	worker_run(net->b->worker, 2);
	assert_int_equal(net->b->write_count, 1);
	assert_int_equal(dropped(net->b, XI_REASON_ESP_REPLAY), 2);
	assert_int_equal(worker_sa_stats(net->b->worker, 7, &stats), 0);
	assert_int_equal(stats.in_packets, 1);
	assert_int_equal(stats.in_replay, 2);
}

static void a_changed_packet_is_dropped_and_changes_nothing(void **state)
{
	struct net *net = *state;
	uint8_t frame[2048], changed[2048];
	size_t len;

	install_both(net, &net->sa);
	len = capture(net, frame);
	/* From the sequence number on: SPI and IP header lead elsewhere. */
	for (size_t bit = (14 + 20 + 4) * 8; bit < len * 8; bit++) {
		memcpy(changed, frame, len);
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		mock_arrive(net->b, changed, len);
		worker_run(net->b->worker, 1);
	}
	assert_int_equal(net->b->write_count, 0);
	assert_int_equal(dropped(net->b, XI_REASON_ESP_ICV), (len - 38) * 8 - 1);
	/* Sequence number 1 with its last bit flipped is 0, which is never sent. */
	assert_int_equal(dropped(net->b, XI_REASON_ESP_REPLAY), 1);
	/* The forged numbers have not moved the window. */
	mock_arrive(net->b, frame, len);
	worker_run(net->b->worker, 2);
	assert_int_equal(net->b->write_count, 1);
}

static void a_truncated_packet_is_dropped_at_every_length(void **state)
{
	struct net *net = *state;
	uint8_t frame[2048], cut[2048];
	struct ip_info info = {.family = 4};
	uint64_t before;
	size_t len;

	install_both(net, &net->sa);
	len = capture(net, frame);
	for (size_t n = 0; n < len; n++) {
		/* Cut on the wire: the IP header says more than there is. */
		mock_arrive(net->b, frame, n);
		worker_run(net->b->worker, 1);
		assert_int_equal(dropped(net->b, XI_REASON_MALFORMED), n + 1);
	}
	before = dropped_in_all(net->b);
	for (size_t n = 34; n < len; n++) {
		/* Cut with a header that fits: ESP has to find out. */
		memcpy(cut, frame, n);
		ip_set_len(cut + 14, &info, n - 14);
		mock_arrive(net->b, cut, n);
		worker_run(net->b->worker, 1);
	}
	assert_int_equal(net->b->write_count, 0);
	assert_int_equal(dropped_in_all(net->b) - before, len - 34);
	assert_int_equal(dropped(net->b, XI_REASON_MALFORMED), len);
}

static void a_packet_outside_the_selector_is_dropped_after_decryption(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	struct xi_sa_stats stats;

	/* The receiver agreed to TCP only; the sender does not keep to it. */
	net->sa.b.sel.proto = IP_PROTO_TCP;
	install_both(net, &net->sa);
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	worker_run(net->b->worker, 1);
	assert_int_equal(net->b->write_count, 0);
	assert_int_equal(dropped(net->b, XI_REASON_ESP_SELECTOR), 1);
	assert_int_equal(worker_sa_stats(net->b->worker, 7, &stats), 0);
	assert_int_equal(stats.in_selector, 1);
	assert_int_equal(stats.in_packets, 0);
}

static void ports_of_the_selector_hold_both_ways(void **state)
{
	struct net *net = *state;
	size_t len;

	net->sa.a.sel.proto = net->sa.b.sel.proto = IP_PROTO_UDP;
	net->sa.a.sel.remote_port = net->sa.b.sel.local_port = 5432;
	install_both(net, &net->sa);
	len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	worker_run(net->b->worker, 1);
	assert_int_equal(net->b->write_count, 1);
	put_be16(net->packet + 22, 5433);
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 1);
	assert_int_equal(dropped(net->a, XI_REASON_ESP_SELECTOR), 1);
}

static void an_unknown_spi_or_another_source_is_dropped(void **state)
{
	struct net *net = *state;
	struct ip_info info = {.family = 4};
	uint8_t frame[2048];
	size_t len;

	install_both(net, &net->sa);
	len = capture(net, frame);
	frame[14 + 15] = 99;
	ip_set_len(frame + 14, &info, len - 14);
	mock_arrive(net->b, frame, len);
	worker_run(net->b->worker, 1);
	assert_int_equal(dropped(net->b, XI_REASON_ESP_SELECTOR), 1);
	put_be32(frame + 34, 0x9999);
	mock_arrive(net->b, frame, len);
	worker_run(net->b->worker, 1);
	assert_int_equal(dropped(net->b, XI_REASON_INVALID_SPI), 1);
	assert_int_equal(net->b->write_count, 0);
}

static void after_a_rekey_the_new_sa_sends_and_both_receive(void **state)
{
	struct net *net = *state;
	struct mock_pair next = mock_sa(4, 8, XI_CIPHER_AES256_GCM16, XI_INTEG_NONE, 9);
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	uint8_t late[2048];
	size_t late_len;

	install_both(net, &net->sa);
	late_len = capture(net, late);
	mock_join(net->a, net->b);
	next.a.replaces = next.b.replaces = 7;
	install_both(net, &next);

	/* Still marked with the old id: the map may change a moment later. */
	mock_send(net->a, 7, NULL, net->packet, len, 2);
	assert_int_equal(get_be32(net->a->tx[1] + 34), next.a.out.spi);
	mock_arrive(net->b, late, late_len);
	worker_run(net->b->worker, 2);
	assert_int_equal(net->b->write_count, 2);

	assert_int_equal(worker_sa_remove(net->b->worker, 7), 0);
	assert_int_equal(worker_sa_remove(net->b->worker, 7), -ENOENT);
	mock_arrive(net->b, late, late_len);
	worker_run(net->b->worker, 3);
	assert_int_equal(dropped(net->b, XI_REASON_INVALID_SPI), 1);
}

static void what_does_not_fit_is_answered(void **state)
{
	struct net *net = *state;
	struct ip_info info;
	const uint8_t *answer;
	size_t len;

	for (uint8_t family = 4; family <= 6; family += 2) {
		struct mock_pair sa = mock_sa(family, family, XI_CIPHER_AES128_GCM16, XI_INTEG_NONE,
					      1);
		size_t ip_hdr = family == 4 ? 20 : 40;
		uint32_t mtu;

		install_both(net, &sa);
		len = mock_packet(family, IP_PROTO_UDP, net->payload, 1500 - ip_hdr - 8,
				  net->packet);
		mock_send(net->a, family, NULL, net->packet, len, 1);
		assert_int_equal(net->a->tx_count, 0);
		assert_int_equal(dropped(net->a, XI_REASON_TOO_BIG), family / 2 - 1);
		assert_int_equal(net->a->write_count, 1);
		answer = net->a->writes[0].frame + 14;
		assert_int_equal(ip_parse(answer, net->a->writes[0].len - 14, &info), 0);
		assert_true(xi_addr_equal(&info.dst, &sa.a.local));
		assert_true(xi_addr_equal(&info.src, &sa.a.remote));
		if (family == 4) {
			assert_memory_equal(answer + 20, "\x03\x04", 2);
			assert_int_equal(csum_fold(csum_add(0, answer + 20, info.len - 20)), 0);
			mtu = get_be16(answer + 26);
		} else {
			assert_memory_equal(answer + 40, "\x02\x00", 2);
			assert_int_equal(l4_checksum(answer, &info), 0);
			mtu = get_be32(answer + 44);
		}
		/* The size it names is the largest that goes. */
		mock_forget(net->a);
		len = mock_packet(family, IP_PROTO_UDP, net->payload, mtu - ip_hdr - 8,
				  net->packet);
		mock_send(net->a, family, NULL, net->packet, len, 1);
		assert_int_equal(net->a->tx_count, 1);
		assert_true(net->a->tx_len[0] - 14 > 1496);
		mock_forget(net->a);
	}
}

static void answers_are_limited_in_rate(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 1472, net->packet);

	install_both(net, &net->sa);
	for (int i = 0; i < WORKER_ICMP_RATE + 20; i++)
		mock_send(net->a, 7, NULL, net->packet, len, 5000);
	assert_int_equal(net->a->write_count, WORKER_ICMP_RATE);
	assert_int_equal(dropped(net->a, XI_REASON_TOO_BIG), WORKER_ICMP_RATE + 20);
	mock_send(net->a, 7, NULL, net->packet, len, 6000);
	assert_int_equal(net->a->write_count, WORKER_ICMP_RATE + 1);
}

static void a_full_sized_tcp_segment_is_cut_and_not_refused(void **state)
{
	struct net *net = *state;
	uint8_t received[60000];
	size_t len = mock_packet(4, IP_PROTO_TCP, net->payload, 1460, net->packet);

	install_both(net, &net->sa);
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 2);
	wire_shows_only_esp(net->a, net->payload, 1460, true);
	worker_run(net->b->worker, 1);
	assert_int_equal(stack_received_tcp(net->b, received), 1460);
	assert_memory_equal(received, net->payload, 1460);
}

static void frames_without_a_mark_are_foreign(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	uint8_t *frame = net->a->to_read + sizeof(struct virtio_net_hdr);

	install_both(net, &net->sa);
	for (int i = 0; i < 2; i++) {
		memset(net->a->to_read, 0, sizeof(struct virtio_net_hdr));
		memcpy(frame, "\x02\xcc\x00\x00\x00\x01\x06\x58\x00\x00\x00\x07\x08\x00", 14);
		frame[6 + i] ^= 0x40;
		memcpy(frame + 14, net->packet, len);
		net->a->to_read_len = sizeof(struct virtio_net_hdr) + 14 + len;
		worker_run(net->a->worker, 1);
	}
	assert_int_equal(net->a->tx_count, 0);
	assert_int_equal(dropped(net->a, XI_REASON_TAP_FOREIGN), 2);
}

static void fragments_are_not_protected_in_transport_mode(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	install_both(net, &net->sa);
	net->packet[6] = 0x20;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 0);
	assert_int_equal(dropped(net->a, XI_REASON_FRAGMENT), 1);
}

static unsigned soft_calls;

static void count_soft(void *arg, uint32_t sa_id)
{
	assert_int_equal(sa_id, 7);
	soft_calls++;
}

static void the_byte_lifetime_warns_once_and_then_ends(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 1000, net->packet);
	int sent = 0;

	soft_calls = 0;
	net->sa.a.lifetime_kb = 10;
	install_both(net, &net->sa);
	worker_on_soft(net->a->worker, count_soft, NULL);
	for (; sent < 20; sent++) {
		if (sent == 7)
			assert_int_equal(soft_calls, 0);
		mock_send(net->a, 7, NULL, net->packet, len, 1);
	}
	assert_int_equal(soft_calls, 1);
	/* 1028 bytes each: the tenth passes 10 KiB. */
	assert_int_equal(net->a->tx_count, 10);
	assert_int_equal(dropped(net->a, XI_REASON_SA_EXPIRED), 10);
}

static void sequence_numbers_never_come_twice(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	struct esp_sa *sa;

	soft_calls = 0;
	install_both(net, &net->sa);
	worker_on_soft(net->a->worker, count_soft, NULL);
	sa = satab_by_id(net->a->worker->sas, 7);
	sa->out_seq = 0xfffffffe;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(soft_calls, 1);
	assert_int_equal(get_be32(net->a->tx[0] + 38), 0xffffffff);
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 1);
	assert_int_equal(dropped(net->a, XI_REASON_SEQ_EXHAUSTED), 1);
}

static void extended_numbers_pass_the_32_bit_border(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	for (int cbc = 0; cbc < 2; cbc++) {
		struct mock_pair sa = mock_sa(4, 20,
					      cbc ? XI_CIPHER_AES128_CBC : XI_CIPHER_AES128_GCM16,
					      cbc ? XI_INTEG_SHA256 : XI_INTEG_NONE, 5);

		sa.a.esn = sa.b.esn = true;
		install_both(net, &sa);
		satab_by_id(net->a->worker->sas, 20)->out_seq = 0xfffffff0;
		satab_by_id(net->b->worker->sas, 20)->replay.top = 0xffffffe0;
		for (int i = 0; i < 40; i++)
			mock_send(net->a, 20, NULL, net->packet, len, 1);
		worker_run(net->b->worker, 1);
		assert_int_equal(net->b->write_count, 40);
		assert_int_equal(dropped_in_all(net->b), 0);
		mock_forget(net->a);
		mock_forget(net->b);
		worker_sa_remove(net->a->worker, 20);
		worker_sa_remove(net->b->worker, 20);
	}
}

static void a_full_ring_or_stack_is_counted(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	install_both(net, &net->sa);
	net->a->tx_full = true;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(dropped(net->a, XI_REASON_TX_FULL), 1);
	net->a->tx_full = false;
	net->b->stack_full = true;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	worker_run(net->b->worker, 1);
	assert_int_equal(dropped(net->b, XI_REASON_TAP_FULL), 1);
	/* The number of the packet that was not sent has not been used. */
	assert_int_equal(get_be32(net->a->tx[0] + 38), 1);
}

/* Seals anything under a's outbound SA, as a careless or hostile peer with the keys could. */
static void send_sealed(struct net *net, uint64_t seq, uint8_t next, const uint8_t *data,
			size_t len)
{
	struct esp_sa *sa = satab_by_id(net->a->worker->sas, 7);
	struct esp_plain plain = {data, len, NULL, 0};
	struct ip_info info;
	uint8_t frame[2048];
	size_t esp_len;

	mock_packet(4, IP_PROTO_UDP, data, 8, frame + 14);
	memcpy(frame, "\x02\xaa\x00\x00\x00\x02\x02\xaa\x00\x00\x00\x01\x08\x00", 14);
	frame[14 + 9] = IP_PROTO_ESP;
	assert_int_equal(ip_parse(frame + 14, 36, &info), 0);
	assert_int_equal(esp_seal(&sa->out, seq, next, NULL, &plain, frame + 34, 1500, &esp_len),
			 0);
	ip_set_len(frame + 14, &info, 20 + esp_len);
	mock_arrive(net->b, frame, 34 + esp_len);
	worker_run(net->b->worker, 1);
}

static void what_a_peer_may_put_inside(void **state)
{
	struct net *net = *state;

	install_both(net, &net->sa);
	/* A dummy packet vanishes without a count. */
	send_sealed(net, 1, IP_PROTO_NO_NEXT, net->payload, 40);
	assert_int_equal(dropped_in_all(net->b), 0);
	/* A tunnel that nobody negotiated does not. */
	send_sealed(net, 2, IP_PROTO_IPIP, net->payload, 40);
	assert_int_equal(dropped(net->b, XI_REASON_ESP_NEXT_HEADER), 1);
	assert_int_equal(net->b->write_count, 0);
	/* A TCP segment with a wrong checksum must not become part of a super-packet. */
	mock_packet(4, IP_PROTO_TCP, net->payload, 100, net->packet);
	net->packet[20 + 16] ^= 1;
	send_sealed(net, 3, IP_PROTO_TCP, net->packet + 20, 120);
	assert_int_equal(dropped(net->b, XI_REASON_ESP_CHECKSUM), 1);
	assert_int_equal(net->b->write_count, 0);
	/* And an empty upper layer is for the stack to judge. */
	send_sealed(net, 4, IP_PROTO_UDP, net->payload, 0);
	assert_int_equal(net->b->write_count, 1);
}

/* RFC 1122 3.2.1.2: the ICV does not cover the header in front, but its own checksum does. */
static void a_damaged_ipv4_header_is_not_given_a_fresh_checksum(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	uint8_t *ttl = &net->a->tx[0][14 + 8];

	install_both(net, &net->sa);
	net->a->peer = NULL;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	*ttl ^= 1;
	mock_arrive(net->b, net->a->tx[0], net->a->tx_len[0]);
	worker_run(net->b->worker, 1);
	assert_int_equal(dropped(net->b, XI_REASON_MALFORMED), 1);
	assert_int_equal(net->b->write_count, 0);
	/* Undamaged it is taken: the number was not used up. */
	*ttl ^= 1;
	mock_arrive(net->b, net->a->tx[0], net->a->tx_len[0]);
	worker_run(net->b->worker, 1);
	assert_int_equal(net->b->write_count, 1);
}

static void an_sa_that_nobody_may_have_is_refused(void **state)
{
	struct net *net = *state;
	struct xi_sa_params p = net->sa.a;

	p.protocol = 51;
	assert_int_equal(worker_sa_install(net->a->worker, &p, 0), -EOPNOTSUPP);
	p = net->sa.a;
	p.mode = XI_MODE_TUNNEL;
	assert_int_equal(worker_sa_install(net->a->worker, &p, 0), -EOPNOTSUPP);
	p = net->sa.a;
	p.cipher = XI_CIPHER_AES128_CBC;
	assert_int_equal(worker_sa_install(net->a->worker, &p, 0), -EINVAL);
	p = net->sa.a;
	p.in.spi = 255;
	assert_int_equal(worker_sa_install(net->a->worker, &p, 0), -EINVAL);
	p = net->sa.a;
	p.sel.remote.len = 24;
	assert_int_equal(worker_sa_install(net->a->worker, &p, 0), -EINVAL);
	assert_int_equal(worker_sa_install(net->a->worker, &net->sa.a, 0), 0);
	assert_int_equal(worker_sa_install(net->a->worker, &net->sa.a, 0), -EEXIST);
}

static void esp_put_together_from_fragments_is_accepted(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 3000, net->packet), esp_len;
	struct esp_plain plain = {net->packet, len, NULL, 0};
	struct ip_info info;
	struct esp_sa *sa;

	install_both(net, &net->sa);
	sa = satab_by_id(net->a->worker->sas, 7);
	assert_int_equal(ip_parse(net->packet, len, &info), 0);
	assert_int_equal(esp_wrap_transport(&sa->out, 1, NULL, &info, &plain, net->b->slow,
					    sizeof(net->b->slow), &esp_len),
			 0);
	net->b->slow_len = esp_len;
	assert_int_equal(worker_run(net->b->worker, 1), 1);
	assert_int_equal(net->b->write_count, 1);
	assert_memory_equal(net->b->writes[0].frame + 14, net->packet, len);
}

static size_t longest_sent(struct mock_host *host)
{
	size_t longest = 0;

	for (size_t i = 0; i < host->tx_count; i++)
		longest = host->tx_len[i] - 14 > longest ? host->tx_len[i] - 14 : longest;
	mock_forget(host);
	return longest;
}

/* RFC 4301 8.2: what a router says is checked against what we send, and forgotten in time. */
static void a_smaller_path_is_learned_and_forgotten(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_TCP, net->payload, 8000, net->packet);
	struct mock_pair next = mock_sa(4, 8, XI_CIPHER_AES128_GCM16, XI_INTEG_NONE, 2);
	struct virtio_net_hdr vnet = tso(4, 1400);
	const struct too_big report = {net->sa.a.remote, net->sa.a.out.spi, 1300};

	install_both(net, &net->sa);
	net->a->peer = NULL;
	mock_send(net->a, 7, &vnet, net->packet, len, 1);
	assert_true(longest_sent(net->a) > 1400);

	/* Not about anything of ours: another SPI, another host. */
	net->a->report = report;
	net->a->report.spi++;
	worker_run(net->a->worker, 2);
	net->a->report = report;
	net->a->report.remote.b[3]++;
	worker_run(net->a->worker, 2);
	mock_send(net->a, 7, &vnet, net->packet, len, 2);
	assert_true(longest_sent(net->a) > 1400);

	net->a->report = report;
	worker_run(net->a->worker, 3);
	mock_send(net->a, 7, &vnet, net->packet, len, 3);
	assert_in_range(longest_sent(net->a), 1290, 1300);
	/* Not upwards, and not below what IPv4 hosts must take. */
	net->a->report = report;
	net->a->report.mtu = 1400;
	worker_run(net->a->worker, 4);
	mock_send(net->a, 7, &vnet, net->packet, len, 4);
	assert_in_range(longest_sent(net->a), 1290, 1300);
	net->a->report = report;
	net->a->report.mtu = 68;
	worker_run(net->a->worker, 5);
	mock_send(net->a, 7, &vnet, net->packet, len, 5);
	assert_in_range(longest_sent(net->a), 566, 576);
	/* A rekey does not change the path. */
	next.a.replaces = 7;
	assert_int_equal(worker_sa_install(net->a->worker, &next.a, 6), 0);
	mock_send(net->a, 8, &vnet, net->packet, len, 6);
	assert_in_range(longest_sent(net->a), 566, 576);
	mock_send(net->a, 8, &vnet, net->packet, len, 5 + 600000);
	assert_true(longest_sent(net->a) > 1400);
}

static void a_worker_without_its_device_says_so(void **state)
{
	struct net *net = *state;

	assert_int_equal(worker_run(net->a->worker, 1), 0);
	net->a->read_error = -EBADFD;
	assert_int_equal(worker_run(net->a->worker, 2), -ENODEV);
	net->a->read_error = 0;
	assert_int_equal(worker_run(net->a->worker, 3), -ENODEV);
}

#define T(name) cmocka_unit_test_setup_teardown(name, net_up, net_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_tcp_super_packet_crosses_under_every_algorithm),
		T(a_datagram_keeps_its_bytes_and_gets_its_checksum),
		T(vlan_tags_stay_on_the_wire_and_do_not_reach_the_stack),
		T(the_first_packet_waits_for_its_sa),
		T(an_sa_for_other_traffic_does_not_release_it),
		T(what_waits_is_dropped_in_time_and_when_negotiation_fails),
		T(one_flow_cannot_fill_the_queue_for_others),
		T(a_packet_is_accepted_once),
		T(a_changed_packet_is_dropped_and_changes_nothing),
		T(a_truncated_packet_is_dropped_at_every_length),
		T(a_packet_outside_the_selector_is_dropped_after_decryption),
		T(ports_of_the_selector_hold_both_ways),
		T(an_unknown_spi_or_another_source_is_dropped),
		T(after_a_rekey_the_new_sa_sends_and_both_receive),
		T(what_does_not_fit_is_answered),
		T(answers_are_limited_in_rate),
		T(a_full_sized_tcp_segment_is_cut_and_not_refused),
		T(frames_without_a_mark_are_foreign),
		T(fragments_are_not_protected_in_transport_mode),
		T(the_byte_lifetime_warns_once_and_then_ends),
		T(sequence_numbers_never_come_twice),
		T(extended_numbers_pass_the_32_bit_border),
		T(a_full_ring_or_stack_is_counted),
		T(what_a_peer_may_put_inside),
		T(a_damaged_ipv4_header_is_not_given_a_fresh_checksum),
		T(an_sa_that_nobody_may_have_is_refused),
		T(esp_put_together_from_fragments_is_accepted),
		T(a_smaller_path_is_learned_and_forgotten),
		T(a_worker_without_its_device_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
