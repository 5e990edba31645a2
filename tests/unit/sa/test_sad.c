/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SAD against a scripted backend, map and clock. Every call that leaves the
 * SAD is written to `trace`, so that a test reads as the order of events.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "sa/sad.h"
#include "util/addr.h"

static struct world {
	struct sad *sad;
	uint64_t now;
	uint32_t rng;
	char trace[2048];
	int install_rc, in_rc, out_rc;
	bool keys_seen;
	uint32_t last_id, last_replaces, gone_spi, rekey_spi;
	size_t queries;
} w;

static void trace(const char *word)
{
	strcat(w.trace, w.trace[0] ? " " : "");
	strcat(w.trace, word);
}

static uint64_t now_ms(void *ctx)
{
	return w.now;
}

static int random_bytes(void *ctx, void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		w.rng = w.rng * 1103515245 + 12345;
		((uint8_t *)buf)[i] = w.rng >> 16;
	}
	return 0;
}

#define MAP_OP(name, rc)                                                                           \
	static int name(void *ctx, const struct xi_sa_params *sa)                                  \
	{                                                                                          \
		trace(#name);                                                                      \
		return rc;                                                                         \
	}
MAP_OP(in_add, w.in_rc)
MAP_OP(out_add, w.out_rc)
MAP_OP(in_del, 0)
MAP_OP(out_del, 0)

static void rekey(void *ctx, uint32_t spi_in)
{
	trace("rekey");
	w.rekey_spi = spi_in;
}

static void gone(void *ctx, uint32_t spi_in)
{
	trace("gone");
	w.gone_spi = spi_in;
}

static void note(void *ctx, const struct sad_entry *entry, const char *ended)
{
}

static int be_install(void *ctx, const struct xi_sa_params *sa)
{
	trace("install");
	w.keys_seen = sa->in.cipher_key[0] == 0x11 && sa->out.integ_key[0] == 0x22;
	w.last_id = sa->id;
	w.last_replaces = sa->replaces;
	return w.install_rc;
}

static int be_remove(void *ctx, const struct xi_sa_params *sa)
{
	trace("remove");
	return 0;
}

static int be_query(void *ctx, uint32_t id)
{
	w.queries++;
	return 0;
}

static const struct sad_ops ops = {now_ms,  random_bytes, in_add, out_add, in_del,
				   out_del, rekey,	  gone,	  note};
static const struct sa_backend_ops backend = {
	.name = "mock",
	.path = XI_PATH_WORKER,
	.install = be_install,
	.remove = be_remove,
	.query = be_query,
};

static int setup(void **state)
{
	memset(&w, 0, sizeof(w));
	w.now = 1000000;
	w.sad = sad_new(&ops, NULL, &backend, NULL, 300);
	return !w.sad;
}

static int teardown(void **state)
{
	sad_free(w.sad);
	return 0;
}

/* A pair as IKE would negotiate it with 192.0.2.2 for TCP towards `port`. */
static struct xi_sa_params pair(uint16_t port)
{
	struct xi_sa_params sa = {.protocol = 50, .lifetime_s = 1000};

	xi_addr_parse("192.0.2.1", &sa.local);
	xi_addr_parse("192.0.2.2", &sa.remote);
	xi_prefix_parse("192.0.2.1", &sa.sel.local);
	xi_prefix_parse("192.0.2.2", &sa.sel.remote);
	sa.sel.proto = 6;
	sa.sel.remote_port = port;
	assert_int_equal(sad_spi_reserve(w.sad, &sa.in.spi), 0);
	sa.out.spi = 0x1000 + port;
	memset(sa.in.cipher_key, 0x11, sizeof(sa.in.cipher_key));
	memset(sa.out.integ_key, 0x22, sizeof(sa.out.integ_key));
	return sa;
}

static uint32_t established(uint16_t port)
{
	struct xi_sa_params sa = pair(port);

	assert_int_equal(sad_install(w.sad, &sa), 0);
	assert_int_equal(sad_by_id(w.sad, sa.id)->state, SA_ESTABLISHED);
	w.trace[0] = '\0';
	return sa.id;
}

static enum sa_state state_of(uint32_t id)
{
	return sad_by_id(w.sad, id)->state;
}

static uint32_t spi_of(uint32_t id)
{
	return sad_by_id(w.sad, id)->params.in.spi;
}

/* The backend may send held packets at once: their answers must find the way in. */
static void inbound_is_open_before_the_backend_can_send(void **state)
{
	struct xi_sa_params sa = pair(5432);

	assert_int_equal(sad_install(w.sad, &sa), 0);
	assert_string_equal(w.trace, "in_add install out_add");
	assert_int_equal(sad_count(w.sad), 1);
}

static void removal_closes_outbound_before_inbound(void **state)
{
	uint32_t id = established(5432);

	assert_int_equal(sad_delete(w.sad, spi_of(id), "test"), 0);
	assert_string_equal(w.trace, "out_del in_del remove");
	assert_int_equal(sad_count(w.sad), 0);
}

static void the_backend_gets_the_keys_and_nobody_keeps_them(void **state)
{
	static const uint8_t zero[XI_KEY_MAX];
	struct xi_sa_params sa = pair(5432);
	const struct xi_sa_params *kept;

	assert_int_equal(sad_install(w.sad, &sa), 0);
	assert_true(w.keys_seen);
	kept = &sad_by_id(w.sad, sa.id)->params;
	assert_memory_equal(sa.in.cipher_key, zero, sizeof(zero));
	assert_memory_equal(sa.out.integ_key, zero, sizeof(zero));
	assert_memory_equal(kept->in.cipher_key, zero, sizeof(zero));
	assert_memory_equal(kept->out.integ_key, zero, sizeof(zero));
}

static void an_asynchronous_install_points_nothing_at_it_until_done(void **state)
{
	struct xi_sa_params sa = pair(5432);

	w.install_rc = -EINPROGRESS;
	assert_int_equal(sad_install(w.sad, &sa), 0);
	assert_string_equal(w.trace, "in_add install");
	assert_int_equal(state_of(sa.id), SA_INSTALLING);
	sad_installed(w.sad, sa.id, 0);
	assert_string_equal(w.trace, "in_add install out_add");
	assert_int_equal(state_of(sa.id), SA_ESTABLISHED);
	/* A second answer changes nothing. */
	sad_installed(w.sad, sa.id, -EIO);
	assert_int_equal(state_of(sa.id), SA_ESTABLISHED);
}

static void a_backend_that_fails_later_leaves_nothing_and_tells_ike(void **state)
{
	struct xi_sa_params sa = pair(5432);
	uint32_t spi = sa.in.spi;

	w.install_rc = -EINPROGRESS;
	sad_install(w.sad, &sa);
	sad_installed(w.sad, sa.id, -ENOMEM);
	assert_string_equal(w.trace, "in_add install in_del remove gone");
	assert_int_equal(w.gone_spi, spi);
	assert_int_equal(sad_count(w.sad), 0);
}

static void a_map_that_is_full_undoes_the_steps_before(void **state)
{
	struct xi_sa_params sa = pair(5432);

	w.out_rc = -E2BIG;
	assert_int_equal(sad_install(w.sad, &sa), -E2BIG);
	assert_string_equal(w.trace, "in_add install out_add remove in_del");
	assert_int_equal(sad_count(w.sad), 0);
}

static void a_rekeyed_pair_takes_outbound_and_the_old_one_still_receives(void **state)
{
	uint32_t first = established(5432), second = established(5432);

	assert_int_equal(w.last_replaces, first);
	assert_int_equal(state_of(first), SA_OLD);
	assert_int_equal(sad_by_id(w.sad, first)->replaced_by, second);
	/* The end of the old one does not touch the outbound entry. */
	sad_delete(w.sad, spi_of(first), "test");
	assert_string_equal(w.trace, "in_del remove");
	assert_int_equal(state_of(second), SA_ESTABLISHED);
}

static void when_the_newer_goes_first_the_older_carries_again(void **state)
{
	uint32_t first = established(5432), second = established(5432);

	sad_delete(w.sad, spi_of(second), "test");
	assert_string_equal(w.trace, "out_add out_del in_del remove");
	assert_int_equal(state_of(first), SA_ESTABLISHED);
}

static void other_selectors_are_another_line(void **state)
{
	uint32_t first = established(5432);

	established(5433);
	assert_int_equal(w.last_replaces, 0);
	assert_int_equal(state_of(first), SA_ESTABLISHED);
}

static bool all(void *arg, const struct sad_entry *entry)
{
	return true;
}

static void a_lost_worker_ends_all_its_pairs_without_handing_traffic_back(void **state)
{
	established(5432);
	established(5432);
	sad_lost(w.sad, all, NULL, "the worker died");
	assert_string_equal(w.trace, "in_del remove gone out_del in_del remove gone");
	assert_int_equal(sad_count(w.sad), 0);
}

struct verdicts {
	uint32_t bad_id; /* of the pair that must go */
};

static const char *judge(void *arg, const struct xi_sa_params *sa, uint32_t *ret_rule)
{
	const struct verdicts *verdicts = arg;

	if (!verdicts->bad_id || sa->id == verdicts->bad_id)
		return "test";
	*ret_rule = 42;
	return NULL;
}

static void a_policy_change_renumbers_what_stays_and_touches_nothing_else(void **state)
{
	uint32_t first = established(5432), second = established(5432);
	struct verdicts none = {.bad_id = UINT32_MAX};

	sad_revalidate(w.sad, judge, &none, 9);
	assert_string_equal(w.trace, "");
	for (int i = 0; i < 2; i++) {
		const struct sad_entry *entry = sad_by_id(w.sad, i ? second : first);

		assert_int_equal(entry->params.rule, 42);
		assert_int_equal(entry->params.generation, 9);
	}
}

static void a_policy_change_ends_a_pair_in_order_and_tells_ike(void **state)
{
	uint32_t bad = established(5432), spi = spi_of(bad), good = established(5433);
	struct verdicts verdicts = {bad};

	w.trace[0] = '\0';
	sad_revalidate(w.sad, judge, &verdicts, 9);
	assert_string_equal(w.trace, "out_del in_del remove gone");
	assert_int_equal(w.gone_spi, spi);
	assert_int_equal(sad_count(w.sad), 1);
	assert_int_equal(state_of(good), SA_ESTABLISHED);
}

/* Both of a line go: the older one must not be given traffic in between. */
static void a_line_that_goes_is_never_handed_back(void **state)
{
	struct verdicts all_bad = {0};

	established(5432);
	established(5432);
	sad_revalidate(w.sad, judge, &all_bad, 9);
	assert_string_equal(w.trace, "in_del remove gone out_del in_del remove gone");
	assert_int_equal(sad_count(w.sad), 0);
}

static void an_older_pair_that_stays_takes_over_from_one_that_goes(void **state)
{
	uint32_t first = established(5432), second = established(5432);
	struct verdicts verdicts = {second};

	sad_revalidate(w.sad, judge, &verdicts, 9);
	assert_string_equal(w.trace, "out_add out_del in_del remove gone");
	assert_int_equal(state_of(first), SA_ESTABLISHED);
}

static void only_reserved_spis_are_taken_and_only_once(void **state)
{
	struct xi_sa_params sa = pair(5432), again;

	again = sa;
	assert_int_equal(sad_install(w.sad, &sa), 0);
	assert_int_equal(sad_install(w.sad, &again), -EEXIST);
	again.in.spi ^= 0x55aa;
	assert_int_equal(sad_install(w.sad, &again), -EPERM);
	assert_int_equal(sad_count(w.sad), 1);
}

static void spis_are_unique_and_above_the_reserved_range(void **state)
{
	uint32_t spis[500];

	for (int i = 0; i < 500; i++) {
		assert_int_equal(sad_spi_reserve(w.sad, &spis[i]), 0);
		assert_true(spis[i] >= 256);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(spis[i], spis[j]);
	}
	sad_spi_release_all(w.sad);
	for (int i = 0; i < 4096; i++)
		assert_int_equal(sad_spi_reserve(w.sad, &spis[0]), 0);
	assert_int_equal(sad_spi_reserve(w.sad, &spis[0]), -ENOSPC);
	/* One whose negotiation failed makes room, once. */
	assert_int_equal(sad_delete(w.sad, spis[0], "not used"), 0);
	assert_int_equal(sad_delete(w.sad, spis[0], "not used"), -ENOENT);
	assert_int_equal(sad_spi_reserve(w.sad, &spis[0]), 0);
	assert_int_equal(sad_spi_reserve(w.sad, &spis[0]), -ENOSPC);
}

static void lifetimes_ask_for_a_successor_then_end(void **state)
{
	uint32_t id = established(5432), spi = spi_of(id);
	struct xi_sa_stats used = {.id = id};

	w.now += 899 * 1000;
	used.last_used_ms = w.now;
	sad_stats(w.sad, &used);
	sad_tick(w.sad);
	assert_string_equal(w.trace, "");
	w.now += 1000; /* 90 % */
	assert_true(sad_next_ms(w.sad) <= w.now);
	sad_tick(w.sad);
	sad_tick(w.sad);
	assert_string_equal(w.trace, "rekey");
	assert_int_equal(w.rekey_spi, spi);
	assert_int_equal(state_of(id), SA_REKEYING);
	w.now += 100 * 1000;
	sad_tick(w.sad);
	assert_string_equal(w.trace, "rekey out_del in_del remove gone");
	assert_int_equal(sad_count(w.sad), 0);
}

static void a_soft_limit_in_bytes_asks_once(void **state)
{
	uint32_t id = established(5432);

	sad_soft(w.sad, id);
	sad_soft(w.sad, id);
	sad_soft(w.sad, 12345);
	assert_string_equal(w.trace, "rekey");
}

static void an_unused_pair_ends_after_the_idle_time(void **state)
{
	uint32_t id = established(5432);
	struct xi_sa_stats used = {.id = id, .last_used_ms = w.now + 200000};

	w.now += 200000;
	sad_stats(w.sad, &used);
	w.now += 299999;
	sad_tick(w.sad);
	assert_int_equal(sad_count(w.sad), 1);
	w.now += 1;
	sad_tick(w.sad);
	assert_string_equal(w.trace, "out_del in_del remove gone");
}

static void counters_are_asked_for_regularly(void **state)
{
	established(5432);
	established(5433);
	w.now += 10000;
	assert_true(sad_next_ms(w.sad) <= w.now);
	sad_tick(w.sad);
	assert_int_equal(w.queries, 2);
	assert_true(sad_next_ms(w.sad) > w.now);
}

static void an_empty_table_needs_no_clock(void **state)
{
	assert_true(sad_next_ms(w.sad) == UINT64_MAX);
	sad_tick(w.sad);
	assert_int_equal(sad_delete(w.sad, 4711, "test"), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(inbound_is_open_before_the_backend_can_send),
		TEST(removal_closes_outbound_before_inbound),
		TEST(the_backend_gets_the_keys_and_nobody_keeps_them),
		TEST(an_asynchronous_install_points_nothing_at_it_until_done),
		TEST(a_backend_that_fails_later_leaves_nothing_and_tells_ike),
		TEST(a_map_that_is_full_undoes_the_steps_before),
		TEST(a_rekeyed_pair_takes_outbound_and_the_old_one_still_receives),
		TEST(when_the_newer_goes_first_the_older_carries_again),
		TEST(other_selectors_are_another_line),
		TEST(a_lost_worker_ends_all_its_pairs_without_handing_traffic_back),
		TEST(a_policy_change_renumbers_what_stays_and_touches_nothing_else),
		TEST(a_policy_change_ends_a_pair_in_order_and_tells_ike),
		TEST(a_line_that_goes_is_never_handed_back),
		TEST(an_older_pair_that_stays_takes_over_from_one_that_goes),
		TEST(only_reserved_spis_are_taken_and_only_once),
		TEST(spis_are_unique_and_above_the_reserved_range),
		TEST(lifetimes_ask_for_a_successor_then_end),
		TEST(a_soft_limit_in_bytes_asks_once),
		TEST(an_unused_pair_ends_after_the_idle_time),
		TEST(counters_are_asked_for_regularly),
		TEST(an_empty_table_needs_no_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
