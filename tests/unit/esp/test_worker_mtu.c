/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets that grow beyond the path: answered or cut, and what routers may say about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "esp/csum.h"
#include "tests/lib/worker_net.h"
#include "util/addr.h"
#include "util/bytes.h"

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

		net_install(net, &sa);
		len = mock_packet(family, IP_PROTO_UDP, net->payload, 1500 - ip_hdr - 8,
				  net->packet);
		mock_send(net->a, family, NULL, net->packet, len, 1);
		assert_int_equal(net->a->tx_count, 0);
		assert_int_equal(net_dropped(net->a, XI_REASON_TOO_BIG), family / 2 - 1);
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

	net_install(net, &net->sa);
	for (int i = 0; i < WORKER_ICMP_RATE + 20; i++)
		mock_send(net->a, 7, NULL, net->packet, len, 5000);
	assert_int_equal(net->a->write_count, WORKER_ICMP_RATE);
	assert_int_equal(net_dropped(net->a, XI_REASON_TOO_BIG), WORKER_ICMP_RATE + 20);
	mock_send(net->a, 7, NULL, net->packet, len, 6000);
	assert_int_equal(net->a->write_count, WORKER_ICMP_RATE + 1);
}

static void a_full_sized_tcp_segment_is_cut_and_not_refused(void **state)
{
	struct net *net = *state;
	uint8_t received[60000];
	size_t len = mock_packet(4, IP_PROTO_TCP, net->payload, 1460, net->packet);

	net_install(net, &net->sa);
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 2);
	net_shows_only_esp(net->a, net->payload, 1460, true);
	worker_run(net->b->worker, 1);
	assert_int_equal(net_stack_received_tcp(net->b, received), 1460);
	assert_memory_equal(received, net->payload, 1460);
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
	struct virtio_net_hdr vnet = net_tso(4, 1400);
	const struct too_big report = {net->sa.a.remote, net->sa.a.out.spi, 1300};

	net_install(net, &net->sa);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(what_does_not_fit_is_answered),
		NET_TEST(answers_are_limited_in_rate),
		NET_TEST(a_full_sized_tcp_segment_is_cut_and_not_refused),
		NET_TEST(a_smaller_path_is_learned_and_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
