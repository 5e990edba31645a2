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
#include <string.h>

#include <cmocka.h>

#include "esp/csum.h"
#include "tests/lib/worker_net.h"
#include "util/bytes.h"

static void tcp_crosses(struct net *net, uint8_t family, enum xi_cipher cipher, enum xi_integ integ)
{
	struct mock_pair sa = mock_sa(family, 9, cipher, integ, 3);
	struct virtio_net_hdr vnet = net_tso(family, 1400);
	uint8_t received[60000];
	size_t len;

	net_install(net, &sa);
	len = mock_packet(family, IP_PROTO_TCP, net->payload, 30000, net->packet);
	mock_send(net->a, 9, &vnet, net->packet, len, 1);
	net_shows_only_esp(net->a, net->payload, 30000, cipher != XI_CIPHER_NULL);
	worker_run(net->b->worker, 1);
	assert_int_equal(net_stack_received_tcp(net->b, received), 30000);
	assert_memory_equal(received, net->payload, 30000);
	assert_int_equal(net_dropped_in_all(net->a) + net_dropped_in_all(net->b), 0);
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

	net_install(net, &net->sa);
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

	net_install(net, &net->sa);
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

static void frames_without_a_mark_are_foreign(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	uint8_t *frame = net->a->to_read + sizeof(struct virtio_net_hdr);

	net_install(net, &net->sa);
	for (int i = 0; i < 2; i++) {
		memset(net->a->to_read, 0, sizeof(struct virtio_net_hdr));
		memcpy(frame, "\x02\xcc\x00\x00\x00\x01\x06\x58\x00\x00\x00\x07\x08\x00", 14);
		frame[6 + i] ^= 0x40;
		memcpy(frame + 14, net->packet, len);
		net->a->to_read_len = sizeof(struct virtio_net_hdr) + 14 + len;
		worker_run(net->a->worker, 1);
	}
	assert_int_equal(net->a->tx_count, 0);
	assert_int_equal(net_dropped(net->a, XI_REASON_TAP_FOREIGN), 2);
}

static void fragments_are_not_protected_in_transport_mode(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	net_install(net, &net->sa);
	net->packet[6] = 0x20;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 0);
	assert_int_equal(net_dropped(net->a, XI_REASON_FRAGMENT), 1);
}

static void a_full_ring_or_stack_is_counted(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	net_install(net, &net->sa);
	net->a->tx_full = true;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net_dropped(net->a, XI_REASON_TX_FULL), 1);
	net->a->tx_full = false;
	net->b->stack_full = true;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	worker_run(net->b->worker, 1);
	assert_int_equal(net_dropped(net->b, XI_REASON_TAP_FULL), 1);
	/* The number of the packet that was not sent has not been used. */
	assert_int_equal(get_be32(net->a->tx[0] + 38), 1);
}

static void esp_put_together_from_fragments_is_accepted(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 3000, net->packet), esp_len;
	struct esp_plain plain = {net->packet, len, NULL, 0};
	struct ip_info info;
	struct esp_sa *sa;

	net_install(net, &net->sa);
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

static void a_worker_without_its_device_says_so(void **state)
{
	struct net *net = *state;

	assert_int_equal(worker_run(net->a->worker, 1), 0);
	net->a->read_error = -EBADFD;
	assert_int_equal(worker_run(net->a->worker, 2), -ENODEV);
	net->a->read_error = 0;
	assert_int_equal(worker_run(net->a->worker, 3), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(a_tcp_super_packet_crosses_under_every_algorithm),
		NET_TEST(a_datagram_keeps_its_bytes_and_gets_its_checksum),
		NET_TEST(vlan_tags_stay_on_the_wire_and_do_not_reach_the_stack),
		NET_TEST(frames_without_a_mark_are_foreign),
		NET_TEST(fragments_are_not_protected_in_transport_mode),
		NET_TEST(a_full_ring_or_stack_is_counted),
		NET_TEST(esp_put_together_from_fragments_is_accepted),
		NET_TEST(a_worker_without_its_device_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
