/* SPDX-License-Identifier: BSD-2-Clause */
/* Too much of everything: half-open negotiations are capped, and nobody is starved. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ike/engine.h"
#include "tests/lib/sim_scenes.h"
#include "util/addr.h"

static void flood(struct sim *sim, unsigned count, unsigned hosts)
{
	struct ike_path path = {sim->host[BOB].addr, {.family = 4, .b = {192, 0, 2, 0}}, 500, 500};
	uint8_t mem[SIM_PACKET_MAX];

	for (unsigned i = 0; i < count; i++) {
		size_t len = sim_message1(sim, mem, 0x1000000 + i);

		path.remote.b[3] = (uint8_t)(10 + i % hosts);
		ike_engine_feed(sim->host[BOB].engine, &path, mem, len);
	}
}

static void half_open_negotiations_are_capped(void **state)
{
	struct sim *sim = sim_new();

	sim->wire = sim_drop_all;
	sim_acquire(sim, ALICE);
	flood(sim, 100, 1);
	assert_int_equal(sim_mms(sim, BOB), 35); /* of one address */
	assert_int_equal(sim_counters(sim, BOB).dropped_limit, 65);
	flood(sim, 10000, 200);
	assert_int_equal(sim_mms(sim, BOB), 500); /* in all */
	sim_run(sim, 61000);
	assert_int_equal(sim_mms(sim, BOB), 0);
	flood(sim, 100, 1); /* and the counts are back at zero */
	assert_int_equal(sim_mms(sim, BOB), 35);
	sim_free(sim);
}

static void an_established_peer_has_a_smaller_allowance(void **state)
{
	struct sim *sim = sim_up();
	uint8_t mem[SIM_PACKET_MAX];

	for (unsigned i = 0; i < 20; i++) {
		size_t len = sim_message1(sim, mem, 0x2000000 + i);

		sim_inject(sim, BOB, mem, len);
	}
	assert_int_equal(sim_mms(sim, BOB), 1 + 5);
	assert_int_equal(sim_established(sim, BOB), 1);
	sim_free(sim);
}

static void a_legitimate_peer_gets_through_a_flood_of_one_source(void **state)
{
	struct sim *sim = sim_new();

	sim_acquire(sim, ALICE);
	flood(sim, 1000, 3);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	sim_free(sim);
}

/* What alice sends to anybody but bob gets lost. */
static enum sim_fate only_bob_answers(struct sim *sim, struct sim_packet *packet, void *arg)
{
	bool to_nobody = packet->from == ALICE &&
			 !xi_addr_equal(&packet->path.local, &sim->host[BOB].addr);

	return to_nobody ? DROP : DELIVER;
}

static int want_stranger(struct sim *sim, unsigned number)
{
	struct ike_acquire acquire = {
		.rule = 7,
		.local = sim->host[ALICE].addr,
		.remote = {.family = 4, .b = {10, 0, (uint8_t)(number >> 8), (uint8_t)number}},
		.proto = 6,
		.local_port = 40000,
		.remote_port = 5432};

	sim->host[ALICE].done_count = 0; /* refusals of these are not of interest */
	return ike_engine_acquire(sim->host[ALICE].engine, &acquire);
}

static struct sim *open_to_all(void)
{
	struct sim *sim = sim_new();

	xi_prefix_parse("0.0.0.0/0", &sim->host[ALICE].rule[0].remote);
	sim_set_rules(sim, ALICE);
	sim->wire = only_bob_answers;
	return sim;
}

/* Packets with forged sources make alice want SAs with hosts that do not answer. */
static void a_flood_of_wishes_is_bounded_and_starves_nobody(void **state)
{
	struct sim *sim = open_to_all();

	for (unsigned i = 0; i < 3000; i++) {
		assert_int_equal(want_stranger(sim, i), 0);
		if (i == 2000)
			assert_int_equal(sim_acquire(sim, ALICE), 0);
		sim_run(sim, 5);
		assert_true(sim_mms(sim, ALICE) <= 1000 + 1); /* one is established */
	}
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_true(sim_counters(sim, ALICE).dropped_limit > 0);
	/* 15 seconds of it: the log has its five lines a second about strangers, and not 3000. */
	assert_true(sim_count_logged(&sim->host[ALICE], "too many negotiations") <= 150);
	sim_free(sim);
}

/* All at the same time: nobody had time to answer, so the one too many is refused. */
static void a_wish_above_the_limit_is_refused_in_words(void **state)
{
	struct sim *sim = open_to_all();
	struct sim_host *alice = &sim->host[ALICE];

	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(want_stranger(sim, i), 0);
	assert_int_equal(alice->done_count, 0);
	assert_int_equal(want_stranger(sim, 1000), 0);
	assert_int_equal(sim_mms(sim, ALICE), 1000);
	assert_int_equal(alice->done_count, 1);
	assert_int_equal(alice->done[0].status, -EBUSY);
	assert_non_null(strstr(alice->done[0].reason, "failure point me: main mode could not"));
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_open_negotiations_are_capped),
		cmocka_unit_test(an_established_peer_has_a_smaller_allowance),
		cmocka_unit_test(a_legitimate_peer_gets_through_a_flood_of_one_source),
		cmocka_unit_test(a_flood_of_wishes_is_bounded_and_starves_nobody),
		cmocka_unit_test(a_wish_above_the_limit_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
