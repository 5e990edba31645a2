/* SPDX-License-Identifier: BSD-2-Clause */
/* What waits for its SA: how long, how much of it, and what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/worker_net.h"
#include "util/bytes.h"

static void the_first_packet_waits_for_its_sa(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 0);
	assert_int_equal(hold_count(net->a->worker->hold), 1);
	net_install(net, &net->sa);
	assert_int_equal(net->a->tx_count, 1);
	worker_run(net->b->worker, 2);
	assert_int_equal(net->b->write_count, 1);
	assert_memory_equal(net->b->writes[0].frame + 14, net->packet, len);

	/* One that was marked before the maps knew of the SA does not wait. */
	mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 3);
	assert_int_equal(net->a->tx_count, 2);
	assert_int_equal(hold_count(net->a->worker->hold), 0);
	assert_int_equal(net_dropped_in_all(net->a), 0);
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
	assert_int_equal(net_dropped(net->a, XI_REASON_HOLD_TIMEOUT), 0);
	worker_run(net->a->worker, 1000 + HOLD_MS + 500);
	assert_int_equal(net_dropped(net->a, XI_REASON_HOLD_TIMEOUT), 1);

	mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 40000);
	worker_hold_fail(net->a->worker, &net->sa.a.remote, &net->sa.a.local);
	assert_int_equal(hold_count(net->a->worker->hold), 1);
	worker_hold_fail(net->a->worker, &net->sa.a.local, &net->sa.a.remote);
	assert_int_equal(hold_count(net->a->worker->hold), 0);
	assert_int_equal(net_dropped(net->a, XI_REASON_HOLD_TIMEOUT), 2);
	net_install(net, &net->sa);
	assert_int_equal(net->a->tx_count, 0);
}

static void one_flow_cannot_fill_the_queue_for_others(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);

	for (int i = 0; i < HOLD_FLOW_PACKETS + 3; i++)
		mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 1);
	assert_int_equal(net_dropped(net->a, XI_REASON_HOLD_FULL), 3);
	put_be16(net->packet + 20, 40001);
	mock_send(net->a, XI_SA_HOLD, NULL, net->packet, len, 1);
	assert_int_equal(net_dropped(net->a, XI_REASON_HOLD_FULL), 3);
	assert_int_equal(hold_count(net->a->worker->hold), HOLD_FLOW_PACKETS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(the_first_packet_waits_for_its_sa),
		NET_TEST(an_sa_for_other_traffic_does_not_release_it),
		NET_TEST(what_waits_is_dropped_in_time_and_when_negotiation_fails),
		NET_TEST(one_flow_cannot_fill_the_queue_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
