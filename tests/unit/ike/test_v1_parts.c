/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the IKE engine that can be tested alone, each against a naive model. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ike/engine.h"
#include "tests/lib/sim.h"
#include "util/addr.h"

static uint32_t seed = 7;

static uint32_t rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

/* ------------------------------------------------------------------ timers */

#define TIMERS 200

/* Arms, moves and disarms at random; the heap always agrees with a plain search. */
static void the_timer_heap_agrees_with_a_search(void **state)
{
	struct ike_timers timers = {0};
	struct ike_timer timer[TIMERS] = {0};

	for (int i = 0; i < TIMERS; i++) {
		timer[i].due_ms = IKE_NEVER;
		assert_int_equal(ike_timers_reserve(&timers), 0);
	}
	for (int round = 0; round < 20000; round++) {
		uint64_t first = IKE_NEVER;

		ike_timer_set(&timers, &timer[rnd() % TIMERS],
			      rnd() % 5 ? rnd() % 1000 : IKE_NEVER);
		for (int i = 0; i < TIMERS; i++) {
			if (timer[i].due_ms < first)
				first = timer[i].due_ms;
		}
		assert_int_equal(ike_timers_next(&timers), first);
	}
	for (uint64_t last = 0, count = timers.count; count; count--) {
		uint64_t next = ike_timers_next(&timers);

		assert_true(next >= last);
		assert_null(next ? ike_timers_due(&timers, next - 1) : NULL);
		assert_non_null(ike_timers_due(&timers, next));
		last = next;
	}
	assert_null(ike_timers_due(&timers, IKE_NEVER - 1));
	ike_timers_free(&timers);
}

/* ------------------------------------------------------------------ limits */

#define SOURCES 256

static void half_open_counts_agree_with_a_plain_table(void **state)
{
	static struct ike_limits limits;
	unsigned open[SOURCES] = {0}, total = 0;

	ike_limits_init(&limits, 12345);
	for (int round = 0; round < 200000; round++) {
		unsigned i = rnd() % SOURCES;
		struct xi_addr addr = {.family = 4, .b = {10, 0, 0, (uint8_t)i}};

		if (rnd() % 2) {
			bool may = total < 500 && open[i] < 35;

			assert_int_equal(ike_limits_open(&limits, &addr, false), may);
			open[i] += may;
			total += may;
		} else if (open[i]) {
			ike_limits_close(&limits, &addr);
			open[i]--;
			total--;
		}
		assert_int_equal(limits.half_open, total);
	}
}

/* All of a /64 is one source: a host can have any address in it. */
static void ipv6_sources_are_counted_by_their_64(void **state)
{
	static struct ike_limits limits;
	struct xi_addr addr = {.family = 6, .b = {0x20, 1, 0xd, 0xb8}};

	ike_limits_init(&limits, 1);
	for (unsigned i = 0; i < 35; i++) {
		addr.b[15] = (uint8_t)i;
		assert_true(ike_limits_open(&limits, &addr, false));
	}
	addr.b[8] = 1;
	assert_false(ike_limits_open(&limits, &addr, false));
	addr.b[7] = 1; /* the next /64 */
	assert_true(ike_limits_open(&limits, &addr, false));
}

static void a_bucket_lets_its_rate_through(void **state)
{
	struct ike_bucket bucket = {.per_second = 10, .burst = 20};
	unsigned passed = 0;

	for (uint64_t ms = 0; ms < 10000; ms++)
		passed += ike_bucket_take(&bucket, 5000 + ms);
	assert_in_range(passed, 20 + 99, 20 + 100);
	assert_int_equal(bucket.refused, 10000 - passed);
	assert_true(ike_bucket_take(&bucket, 1000000)); /* full again after a pause */
}

/* ------------------------------------------------------------------- rules */

static struct ike_rule any_rule(uint32_t number)
{
	struct ike_rule rule = {
		.rule = number,
		.local_is_me = true,
		.remote = {.addr = {.family = 4}, .len = 0},
		.local_port_hi = 65535,
		.remote_port_hi = 65535,
		.mm_count = 1,
		.qm_count = 1,
		.auth_count = 1,
		.auth = {{IKE_AUTH_PSK, 9}},
	};

	return rule;
}

static struct ike_traffic traffic(uint8_t proto, uint16_t local_port, uint16_t remote_port)
{
	return (struct ike_traffic){
		.local = {.family = 4, .b = {10, 0, 0, 1}},
		.remote = {.family = 4, .b = {10, 0, 0, 2}},
		.proto = proto,
		.local_port = local_port,
		.remote_port = remote_port,
	};
}

static uint32_t covering(const struct ike_rules *rules, struct ike_traffic traffic)
{
	const struct ike_rule *rule = ike_rules_covering(rules, &traffic);

	return rule ? rule->rule : 0;
}

static void the_first_rule_that_covers_all_of_it_decides(void **state)
{
	struct ike_rule list[3] = {any_rule(1), any_rule(2), any_rule(3)};
	struct ike_rules rules = {0};

	list[0].proto = 6;
	list[0].remote_port_lo = 100;
	list[0].remote_port_hi = 200;
	list[1].proto = 17;
	assert_int_equal(ike_rules_replace(&rules, list, 2, 1), 0);
	assert_int_equal(covering(&rules, traffic(6, 0, 100)), 1);
	assert_int_equal(covering(&rules, traffic(6, 40000, 200)), 1);
	assert_int_equal(covering(&rules, traffic(6, 0, 201)), 0);
	assert_int_equal(covering(&rules, traffic(6, 0, 0)), 0); /* any port is more than 101 */
	assert_int_equal(covering(&rules, traffic(0, 0, 0)), 0); /* any protocol is more than two */
	assert_int_equal(covering(&rules, traffic(17, 0, 0)), 2);
	assert_int_equal(ike_rules_replace(&rules, list, 3, 2), 0);
	assert_int_equal(covering(&rules, traffic(0, 0, 0)), 3);
	assert_int_equal(covering(&rules, traffic(6, 0, 150)), 1);
	ike_rules_free(&rules);
}

static void families_do_not_mix(void **state)
{
	struct ike_rule rule = any_rule(1);
	struct ike_traffic mixed = traffic(6, 0, 0);
	struct ike_rules rules = {0};

	assert_int_equal(ike_rules_replace(&rules, &rule, 1, 1), 0);
	assert_int_equal(covering(&rules, mixed), 1);
	mixed.local.family = 6;
	assert_int_equal(covering(&rules, mixed), 0);
	mixed.remote.family = 6;
	assert_int_equal(covering(&rules, mixed), 0);
	ike_rules_free(&rules);
}

static void ports_are_narrowed(void **state)
{
	struct ike_acquire acquire = {.proto = 6, .local_port = 40000, .remote_port = 5432};
	struct ike_rule rule = any_rule(1);
	struct ike_traffic got;

	assert_int_equal(ike_rule_narrow(&rule, &acquire, &got), 0);
	assert_int_equal(got.remote_port, 0);
	rule.proto = 6;
	rule.remote_port_lo = rule.remote_port_hi = 5432;
	assert_int_equal(ike_rule_narrow(&rule, &acquire, &got), 0);
	assert_int_equal(got.remote_port, 5432);
	assert_int_equal(got.local_port, 0);
	rule.remote_port_hi = 5433;
	assert_int_equal(ike_rule_narrow(&rule, &acquire, &got), 0);
	assert_int_equal(got.remote_port, 5432);
	acquire.remote_port = 5434;
	assert_int_equal(ike_rule_narrow(&rule, &acquire, &got), -EINVAL);
	acquire.remote_port = 0; /* the operator names none: one port or any will do, a range not */
	assert_int_equal(ike_rule_narrow(&rule, &acquire, &got), -EINVAL);
	rule.remote_port_hi = 5432;
	assert_int_equal(ike_rule_narrow(&rule, &acquire, &got), 0);
	acquire.proto = 17;
	assert_int_equal(ike_rule_narrow(&rule, &acquire, &got), -EINVAL);
}

/* Main mode comes before ports are known: the first rule with these hosts that it can serve. */
static void the_peer_s_rule_skips_what_main_mode_cannot_serve(void **state)
{
	struct ike_rule list[4] = {any_rule(1), any_rule(2), any_rule(3), any_rule(4)};
	struct ike_traffic hosts = traffic(0, 0, 0);
	struct ike_rules rules = {0};
	const char *why = NULL;

	list[0].ike_version = 2;
	list[1].mode = XI_MODE_TUNNEL;
	list[2].auth[0].kind = IKE_AUTH_CERT;
	assert_int_equal(ike_rules_replace(&rules, list, 4, 1), 0);
	assert_int_equal(ike_rules_for_peer(&rules, &hosts.local, &hosts.remote, &why)->rule, 4);
	assert_int_equal(ike_rules_replace(&rules, list, 3, 1), 0);
	assert_null(ike_rules_for_peer(&rules, &hosts.local, &hosts.remote, &why));
	assert_non_null(strstr(why, "preshared key"));
	ike_rules_free(&rules);
}

/* ---------------------------------------------------------- payload tables */

static struct wire_chain chain_of(const uint8_t *types, unsigned count)
{
	static const uint8_t header[4] = {0, 0, 0, 4};
	struct wire_chain chain = {.count = count};

	for (unsigned i = 0; i < count; i++) {
		chain.payload[i].type = types[i];
		chain.payload[i].whole = (struct wire_slice){header, sizeof(header)};
	}
	return chain;
}

#define CHAIN(...) chain_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

enum { SA = 1, KE = 4, ID = 5, HASH = 8, NONCE = 10, N = 11, D = 12, VID = 13 };

static void expect(enum v1_message message, struct wire_chain chain, bool good)
{
	struct wire_error err = {0};

	assert_int_equal(v1_expect(message, &chain, &err), good ? 0 : -EBADMSG);
	assert_int_equal(err.why != NULL, !good);
}

static void each_message_has_its_payloads(void **state)
{
	struct wire_chain unknown = CHAIN(SA);

	expect(V1_MSG_MM1, CHAIN(SA), true);
	expect(V1_MSG_MM1, CHAIN(SA, VID, VID), true);
	expect(V1_MSG_MM1, CHAIN(VID, SA), false);
	expect(V1_MSG_MM1, CHAIN(SA, SA), false);
	expect(V1_MSG_MM1, CHAIN(SA, KE), false);
	unknown.unknown = 1;
	expect(V1_MSG_MM1, unknown, false);
	expect(V1_MSG_MM34, CHAIN(KE, NONCE), true);
	expect(V1_MSG_MM34, CHAIN(NONCE, KE, VID), true);
	expect(V1_MSG_MM34, CHAIN(KE), false);
	expect(V1_MSG_MM34, CHAIN(NONCE), false);
	expect(V1_MSG_MM34, CHAIN(KE, KE, NONCE), false);
	expect(V1_MSG_MM56, CHAIN(ID, HASH), true);
	expect(V1_MSG_MM56, CHAIN(ID, N, HASH), true);
	expect(V1_MSG_MM56, CHAIN(ID), false);
	expect(V1_MSG_MM56, CHAIN(HASH), false);
	expect(V1_MSG_QM1, CHAIN(HASH, SA, NONCE), true);
	expect(V1_MSG_QM1, CHAIN(HASH, SA, NONCE, KE, ID, ID), true);
	expect(V1_MSG_QM1, CHAIN(HASH, SA, NONCE, ID), false);
	expect(V1_MSG_QM1, CHAIN(SA, NONCE), false);
	expect(V1_MSG_QM1, CHAIN(HASH, NONCE, SA), false);
	expect(V1_MSG_QM1, CHAIN(HASH, SA, SA, NONCE), false);
	expect(V1_MSG_QM3, CHAIN(HASH), true);
	expect(V1_MSG_QM3, CHAIN(HASH, HASH), false);
	expect(V1_MSG_INFO_HASHED, CHAIN(HASH, D), true);
	expect(V1_MSG_INFO_HASHED, CHAIN(D), false);
	expect(V1_MSG_INFO_HASHED, CHAIN(D, HASH), false);
	expect(V1_MSG_INFO_PLAIN, CHAIN(N), true);
	expect(V1_MSG_INFO_PLAIN, CHAIN(HASH, N), false);
	expect(V1_MSG_MM1, (struct wire_chain){.count = 0}, false);
}

/* ---------------------------------------------------------- state machines */

/* Only the moves of states.def; a refused one changes neither state nor counters. */
static void moves_outside_the_table_are_refused(void **state)
{
	static const enum v1_mm_state way[] = {V1_MM_NEW, V1_MM_I1_SENT, V1_MM_I3_SENT,
					       V1_MM_I5_SENT, V1_ESTABLISHED};
	struct sim *sim = sim_new();
	struct v1_mm mm = {.engine = sim->host[ALICE].engine};

	for (unsigned i = 0; i + 1 < sizeof(way) / sizeof(*way); i++) {
		struct ike_counters before = sim_counters(sim, ALICE), after;

		for (int to = 0; to < V1_MM_STATE_MAX; to++) {
			if (to == (int)way[i + 1] || to == V1_DEAD ||
			    (way[i] == V1_MM_NEW && to == V1_MM_R2_SENT))
				continue;
			assert_int_equal(v1_mm_move(&mm, (enum v1_mm_state)to), -EPERM);
			assert_int_equal(mm.state, way[i]);
		}
		after = sim_counters(sim, ALICE);
		assert_memory_equal(&before, &after, sizeof(before));
		assert_int_equal(v1_mm_move(&mm, way[i + 1]), 0);
	}
	assert_int_equal(sim_counters(sim, ALICE).mm_started, 1);
	assert_int_equal(sim_counters(sim, ALICE).mm_established, 1);
	sim_free(sim);
}

/* Every message id of a peer counts once; when they are used up the main mode retires. */
static void message_ids_are_remembered(void **state)
{
	struct sim *sim = sim_new();
	struct v1_mm *mm;

	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	mm = LIST_FIRST(&sim->host[BOB].engine->v1.mms);
	assert_int_equal(mm->ids.count, 1);
	for (uint32_t id = 1; id < IKE_MESSAGE_IDS_MAX; id++) {
		assert_false(v1_mm_id_used(mm, id));
		assert_int_equal(v1_mm_id_remember(mm, id), 0);
		assert_true(v1_mm_id_used(mm, id));
	}
	assert_int_equal(v1_mm_id_remember(mm, 0xfffffff), -ENOSPC);
	sim_run(sim, V1_RETIRE_MS + 1000);
	assert_int_equal(sim_established(sim, BOB), 0);
	assert_int_equal(sim_established(sim, ALICE), 0);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_timer_heap_agrees_with_a_search),
		cmocka_unit_test(half_open_counts_agree_with_a_plain_table),
		cmocka_unit_test(ipv6_sources_are_counted_by_their_64),
		cmocka_unit_test(a_bucket_lets_its_rate_through),
		cmocka_unit_test(the_first_rule_that_covers_all_of_it_decides),
		cmocka_unit_test(families_do_not_mix),
		cmocka_unit_test(ports_are_narrowed),
		cmocka_unit_test(the_peer_s_rule_skips_what_main_mode_cannot_serve),
		cmocka_unit_test(each_message_has_its_payloads),
		cmocka_unit_test(moves_outside_the_table_are_refused),
		cmocka_unit_test(message_ids_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
