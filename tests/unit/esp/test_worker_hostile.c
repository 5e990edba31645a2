/* SPDX-License-Identifier: BSD-2-Clause */
/* What arrives and must not reach the stack: repeated, forged, cut short, outside the selector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/worker_net.h"
#include "util/bytes.h"

static void a_packet_is_accepted_once(void **state)
{
	struct net *net = *state;
	uint8_t frame[2048];
	struct xi_sa_stats stats;
	size_t len;

	net_install(net, &net->sa);
	len = net_capture(net, frame);
	/* Twice in one burst, and once more later. */
	mock_arrive(net->b, frame, len);
	mock_arrive(net->b, frame, len);
	worker_run(net->b->worker, 1);
	mock_arrive(net->b, frame, len);
	worker_run(net->b->worker, 2);
	assert_int_equal(net->b->write_count, 1);
	assert_int_equal(net_dropped(net->b, XI_REASON_ESP_REPLAY), 2);
	assert_int_equal(worker_sa_stats(net->b->worker, 7, &stats), 0);
	assert_int_equal(stats.in_packets, 1);
	assert_int_equal(stats.in_replay, 2);
}

static void a_changed_packet_is_dropped_and_changes_nothing(void **state)
{
	struct net *net = *state;
	uint8_t frame[2048], changed[2048];
	size_t len;

	net_install(net, &net->sa);
	len = net_capture(net, frame);
	/* From the sequence number on: SPI and IP header lead elsewhere. */
	for (size_t bit = (14 + 20 + 4) * 8; bit < len * 8; bit++) {
		memcpy(changed, frame, len);
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		mock_arrive(net->b, changed, len);
		worker_run(net->b->worker, 1);
	}
	assert_int_equal(net->b->write_count, 0);
	assert_int_equal(net_dropped(net->b, XI_REASON_ESP_ICV), (len - 38) * 8 - 1);
	/* Sequence number 1 with its last bit flipped is 0, which is never sent. */
	assert_int_equal(net_dropped(net->b, XI_REASON_ESP_REPLAY), 1);
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

	net_install(net, &net->sa);
	len = net_capture(net, frame);
	for (size_t n = 0; n < len; n++) {
		/* Cut on the wire: the IP header says more than there is. */
		mock_arrive(net->b, frame, n);
		worker_run(net->b->worker, 1);
		assert_int_equal(net_dropped(net->b, XI_REASON_MALFORMED), n + 1);
	}
	before = net_dropped_in_all(net->b);
	for (size_t n = 34; n < len; n++) {
		/* Cut with a header that fits: ESP has to find out. */
		memcpy(cut, frame, n);
		ip_set_len(cut + 14, &info, n - 14);
		mock_arrive(net->b, cut, n);
		worker_run(net->b->worker, 1);
	}
	assert_int_equal(net->b->write_count, 0);
	assert_int_equal(net_dropped_in_all(net->b) - before, len - 34);
	assert_int_equal(net_dropped(net->b, XI_REASON_MALFORMED), len);
}

static void a_packet_outside_the_selector_is_dropped_after_decryption(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	struct xi_sa_stats stats;

	/* The receiver agreed to TCP only; the sender does not keep to it. */
	net->sa.b.sel.proto = IP_PROTO_TCP;
	net_install(net, &net->sa);
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	worker_run(net->b->worker, 1);
	assert_int_equal(net->b->write_count, 0);
	assert_int_equal(net_dropped(net->b, XI_REASON_ESP_SELECTOR), 1);
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
	net_install(net, &net->sa);
	len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	worker_run(net->b->worker, 1);
	assert_int_equal(net->b->write_count, 1);
	put_be16(net->packet + 22, 5433);
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 1);
	assert_int_equal(net_dropped(net->a, XI_REASON_ESP_SELECTOR), 1);
}

static void an_unknown_spi_or_another_source_is_dropped(void **state)
{
	struct net *net = *state;
	struct ip_info info = {.family = 4};
	uint8_t frame[2048];
	size_t len;

	net_install(net, &net->sa);
	len = net_capture(net, frame);
	frame[14 + 15] = 99;
	ip_set_len(frame + 14, &info, len - 14);
	mock_arrive(net->b, frame, len);
	worker_run(net->b->worker, 1);
	assert_int_equal(net_dropped(net->b, XI_REASON_ESP_SELECTOR), 1);
	put_be32(frame + 34, 0x9999);
	mock_arrive(net->b, frame, len);
	worker_run(net->b->worker, 1);
	assert_int_equal(net_dropped(net->b, XI_REASON_INVALID_SPI), 1);
	assert_int_equal(net->b->write_count, 0);
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

	net_install(net, &net->sa);
	/* A dummy packet vanishes without a count. */
	send_sealed(net, 1, IP_PROTO_NO_NEXT, net->payload, 40);
	assert_int_equal(net_dropped_in_all(net->b), 0);
	/* A tunnel that nobody negotiated does not. */
	send_sealed(net, 2, IP_PROTO_IPIP, net->payload, 40);
	assert_int_equal(net_dropped(net->b, XI_REASON_ESP_NEXT_HEADER), 1);
	assert_int_equal(net->b->write_count, 0);
	/* A TCP segment with a wrong checksum must not become part of a super-packet. */
	mock_packet(4, IP_PROTO_TCP, net->payload, 100, net->packet);
	net->packet[20 + 16] ^= 1;
	send_sealed(net, 3, IP_PROTO_TCP, net->packet + 20, 120);
	assert_int_equal(net_dropped(net->b, XI_REASON_ESP_CHECKSUM), 1);
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

	net_install(net, &net->sa);
	net->a->peer = NULL;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	*ttl ^= 1;
	mock_arrive(net->b, net->a->tx[0], net->a->tx_len[0]);
	worker_run(net->b->worker, 1);
	assert_int_equal(net_dropped(net->b, XI_REASON_MALFORMED), 1);
	assert_int_equal(net->b->write_count, 0);
	/* Undamaged it is taken: the number was not used up. */
	*ttl ^= 1;
	mock_arrive(net->b, net->a->tx[0], net->a->tx_len[0]);
	worker_run(net->b->worker, 1);
	assert_int_equal(net->b->write_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(a_packet_is_accepted_once),
		NET_TEST(a_changed_packet_is_dropped_and_changes_nothing),
		NET_TEST(a_truncated_packet_is_dropped_at_every_length),
		NET_TEST(a_packet_outside_the_selector_is_dropped_after_decryption),
		NET_TEST(ports_of_the_selector_hold_both_ways),
		NET_TEST(an_unknown_spi_or_another_source_is_dropped),
		NET_TEST(what_a_peer_may_put_inside),
		NET_TEST(a_damaged_ipv4_header_is_not_given_a_fresh_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
