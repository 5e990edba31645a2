/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of an SA in a worker: refused or installed, rekeyed, counted to its end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/worker_net.h"
#include "util/bytes.h"

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

static void after_a_rekey_the_new_sa_sends_and_both_receive(void **state)
{
	struct net *net = *state;
	struct mock_pair next = mock_sa(4, 8, XI_CIPHER_AES256_GCM16, XI_INTEG_NONE, 9);
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	uint8_t late[2048];
	size_t late_len;

	net_install(net, &net->sa);
	late_len = net_capture(net, late);
	mock_join(net->a, net->b);
	next.a.replaces = next.b.replaces = 7;
	net_install(net, &next);

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
	assert_int_equal(net_dropped(net->b, XI_REASON_INVALID_SPI), 1);
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
	net_install(net, &net->sa);
	worker_on_soft(net->a->worker, count_soft, NULL);
	for (; sent < 20; sent++) {
		if (sent == 7)
			assert_int_equal(soft_calls, 0);
		mock_send(net->a, 7, NULL, net->packet, len, 1);
	}
	assert_int_equal(soft_calls, 1);
	/* 1028 bytes each: the tenth passes 10 KiB. */
	assert_int_equal(net->a->tx_count, 10);
	assert_int_equal(net_dropped(net->a, XI_REASON_SA_EXPIRED), 10);
}

static void sequence_numbers_never_come_twice(void **state)
{
	struct net *net = *state;
	size_t len = mock_packet(4, IP_PROTO_UDP, net->payload, 100, net->packet);
	struct esp_sa *sa;

	soft_calls = 0;
	net_install(net, &net->sa);
	worker_on_soft(net->a->worker, count_soft, NULL);
	sa = satab_by_id(net->a->worker->sas, 7);
	sa->out_seq = 0xfffffffe;
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(soft_calls, 1);
	assert_int_equal(get_be32(net->a->tx[0] + 38), 0xffffffff);
	mock_send(net->a, 7, NULL, net->packet, len, 1);
	assert_int_equal(net->a->tx_count, 1);
	assert_int_equal(net_dropped(net->a, XI_REASON_SEQ_EXHAUSTED), 1);
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
		net_install(net, &sa);
		satab_by_id(net->a->worker->sas, 20)->out_seq = 0xfffffff0;
		satab_by_id(net->b->worker->sas, 20)->replay.top = 0xffffffe0;
		for (int i = 0; i < 40; i++)
			mock_send(net->a, 20, NULL, net->packet, len, 1);
		worker_run(net->b->worker, 1);
		assert_int_equal(net->b->write_count, 40);
		assert_int_equal(net_dropped_in_all(net->b), 0);
		mock_forget(net->a);
		mock_forget(net->b);
		worker_sa_remove(net->a->worker, 20);
		worker_sa_remove(net->b->worker, 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NET_TEST(an_sa_that_nobody_may_have_is_refused),
		NET_TEST(after_a_rekey_the_new_sa_sends_and_both_receive),
		NET_TEST(the_byte_lifetime_warns_once_and_then_ends),
		NET_TEST(sequence_numbers_never_come_twice),
		NET_TEST(extended_numbers_pass_the_32_bit_border),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
