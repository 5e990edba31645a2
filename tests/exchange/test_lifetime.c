/* SPDX-License-Identifier: BSD-2-Clause */
/* Lifetimes, rekeying, deletes, restarts, and two peers that start at once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/sim_scenes.h"

/* RFC 2407 4.5.4: the responder is the shorter one and says so in message 8. */
static void the_shorter_lifetime_wins(void **state)
{
	for (int shorter = 0; shorter < SIM_HOSTS; shorter++) {
		struct sim *sim = sim_new();

		sim->host[shorter].rule[0].qm[0].lifetime_s = 600;
		sim->host[shorter].rule[0].qm[0].lifetime_kb = 5000;
		sim_set_rules(sim, shorter);
		sim_acquire(sim, ALICE);
		sim_run(sim, 100);
		for (int i = 0; i < SIM_HOSTS; i++) {
			assert_int_equal(sim->host[i].sa_count, 1);
			assert_int_equal(sim->host[i].sa[0].lifetime_s, 600);
			assert_int_equal(sim->host[i].sa[0].lifetime_kb, 5000);
		}
		sim_free(sim);
	}
}

/* 3600 s: the initiator rekeys between 75 % and 85 %, the old pair goes 30 s later. */
static void the_initiator_rekeys_in_time(void **state)
{
	struct sim *sim = sim_up();
	struct sim_host *alice = &sim->host[ALICE], *bob = &sim->host[BOB];
	uint32_t old = alice->sa[0].in.spi;

	sim_run(sim, 2699 * 1000);
	assert_int_equal(alice->installs, 1);
	sim_run(sim, 362 * 1000);
	assert_int_equal(alice->installs, 2);
	assert_int_equal(bob->installs, 2);
	assert_int_equal(alice->sa[alice->sa_count - 1].replaces, old);
	assert_true(sim_pairs_match(&alice->sa[alice->sa_count - 1], &bob->sa[bob->sa_count - 1]));
	sim_run(sim, 31 * 1000);
	assert_int_equal(alice->sa_count, 1);
	assert_int_equal(bob->sa_count, 1);
	assert_int_not_equal(alice->sa[0].in.spi, old);
	sim_free(sim);
}

/* Day after day there is exactly one pair on each side, and it is a fresh one. */
static void three_days_of_rekeying(void **state)
{
	struct sim *sim = sim_up();

	for (int hour = 0; hour < 72; hour++) {
		sim_run(sim, 3600 * 1000);
		assert_true(sim->host[ALICE].sa_count >= 1 && sim->host[ALICE].sa_count <= 2);
		assert_int_equal(sim->host[ALICE].sa_count, sim->host[BOB].sa_count);
	}
	assert_in_range(sim->host[ALICE].installs, 72, 100);
	assert_int_equal(sim->host[ALICE].installs, sim->host[BOB].installs);
	assert_int_equal(sim_established(sim, ALICE), 1);
	sim_free(sim);
}

static void the_backend_may_ask_for_a_rekey(void **state)
{
	struct sim *sim = sim_up();
	uint32_t old = sim->host[ALICE].sa[0].in.spi;

	ike_engine_rekey(sim->host[ALICE].engine, old);
	ike_engine_rekey(sim->host[ALICE].engine, old); /* once is enough */
	ike_engine_rekey(sim->host[ALICE].engine, 0xdead);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].installs, 2);
	assert_int_equal(sim->sent, 12);
	sim_free(sim);
}

/* Bob is away when alice wants to rekey: she tries again, and the pair ends at its hard limit. */
static void a_pair_ends_at_its_hard_lifetime(void **state)
{
	struct sim *sim = sim_up();

	sim->wire = sim_drop_all;
	sim_run(sim, 3590 * 1000);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	assert_true(sim_counters(sim, ALICE).qm_failed >= 2);
	sim_run(sim, 11 * 1000);
	assert_int_equal(sim->host[ALICE].sa_count, 0);
	assert_int_equal(sim->host[BOB].sa_count, 0);
	sim_free(sim);
}

static void a_rule_that_is_gone_is_not_rekeyed(void **state)
{
	struct sim *sim = sim_up();

	sim->host[ALICE].rule_count = 0;
	sim_set_rules(sim, ALICE);
	sim_run(sim, 3400 * 1000);
	assert_int_equal(sim->host[ALICE].installs, 1);
	assert_int_equal(sim->host[ALICE].sa_count, 1); /* it stays until its end */
	sim_run(sim, 300 * 1000);
	assert_int_equal(sim->host[ALICE].sa_count, 0);
	sim_free(sim);
}

/* The main mode ends after its lifetime; what was made under it lives on. */
static void main_mode_lifetime(void **state)
{
	struct sim *sim = sim_new();

	sim->host[BOB].rule[0].mm_lifetime_s = 300; /* shorter than alice's */
	sim_set_rules(sim, BOB);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim_established(sim, ALICE), 1);
	sim_run(sim, 301 * 1000);
	assert_int_equal(sim_established(sim, BOB), 0);
	assert_int_equal(sim_established(sim, ALICE), 0); /* bob's delete told her */
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	sim_run(sim, 2900 * 1000); /* the rekeying brings up a new one */
	assert_int_equal(sim->host[ALICE].installs, 2);
	assert_int_equal(sim_counters(sim, ALICE).mm_established, 2);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	sim_free(sim);
}

static void quick_modes_per_main_mode(void **state)
{
	struct sim *sim = sim_new();

	sim->host[ALICE].rule[0].qm_per_mm = 1; /* master PFS */
	sim_set_rules(sim, ALICE);
	sim_acquire(sim, ALICE);
	sim_run(sim, 5000);
	sim_acquire(sim, ALICE);
	sim_run(sim, 5000);
	assert_int_equal(sim->host[ALICE].installs, 2);
	assert_int_equal(sim_counters(sim, ALICE).mm_established, 2);
	sim_run(sim, 11000);
	assert_int_equal(sim_established(sim, ALICE), 0); /* used up, and told to bob */
	assert_int_equal(sim_established(sim, BOB), 0);
	assert_int_equal(sim->host[BOB].sa_count, 2);
	sim_free(sim);
}

static void the_backend_s_end_is_told_to_the_peer(void **state)
{
	struct sim *sim = sim_up();

	ike_engine_sa_gone(sim->host[ALICE].engine, sim->host[ALICE].sa[0].in.spi);
	sim_run(sim, 10);
	assert_int_equal(sim->host[BOB].sa_count, 0);
	assert_int_equal(sim_counters(sim, BOB).deletes_in, 1);
	assert_int_equal(sim_established(sim, BOB), 1);
	sim_free(sim);
}

static void close_ends_everything_on_both_sides(void **state)
{
	struct sim *sim = sim_up();

	ike_engine_close(sim->host[BOB].engine, &sim->host[ALICE].addr);
	sim_run(sim, 10);
	for (int i = 0; i < SIM_HOSTS; i++) {
		assert_int_equal(sim->host[i].sa_count, 0);
		assert_int_equal(sim_mms(sim, i), 0);
	}
	sim_free(sim);
}

static void close_settles_what_is_under_way(void **state)
{
	struct sim *sim = sim_new();

	sim_acquire(sim, ALICE);
	sim_run(sim, 2);
	ike_engine_close(sim->host[ALICE].engine, &(struct xi_addr){0});
	assert_int_equal(sim->host[ALICE].done_count, 1);
	assert_int_equal(sim->host[ALICE].done[0].status, -ECANCELED);
	assert_int_equal(sim_mms(sim, ALICE), 0);
	sim_free(sim);
}

/*
 * Alice restarts and knows nothing. Her first main mode carries INITIAL-CONTACT,
 * and bob throws away what he had with her.
 */
static void a_restarted_peer_says_so(void **state)
{
	struct sim *sim = sim_up();

	sim_restart(sim, ALICE);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim_established(sim, BOB), 1);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_true(sim_pairs_match(&sim->host[ALICE].sa[0], &sim->host[BOB].sa[0]));
	assert_true(sim_logged(sim, BOB, "INITIAL-CONTACT"));
	sim_free(sim);
}

/* Bob restarts, alice starts the next main mode: message 6 tells her. */
static void a_restarted_responder_says_so(void **state)
{
	struct sim *sim = sim_new();
	uint32_t old;

	sim->host[ALICE].rule[0].qm_per_mm = 1;
	sim_set_rules(sim, ALICE);
	sim_acquire(sim, ALICE);
	sim_run(sim, 3000);
	old = sim->host[ALICE].sa[0].in.spi;
	sim_restart(sim, BOB);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_not_equal(sim->host[ALICE].sa[0].in.spi, old);
	assert_true(sim_pairs_match(&sim->host[ALICE].sa[0], &sim->host[BOB].sa[0]));
	assert_int_equal(sim_established(sim, ALICE), 1);
	sim_free(sim);
}

/* A second main mode with a peer we know is no first contact. */
static void a_new_main_mode_alone_deletes_nothing(void **state)
{
	struct sim *sim = sim_new();

	sim->host[ALICE].rule[0].qm_per_mm = 1;
	sim_set_rules(sim, ALICE);
	for (int i = 0; i < 3; i++) {
		sim_acquire(sim, ALICE);
		sim_run(sim, 3000);
	}
	assert_int_equal(sim->host[BOB].sa_count, 3);
	assert_int_equal(sim_counters(sim, BOB).mm_established, 3);
	sim_free(sim);
}

/* Both have a packet at the same moment: two main modes, a pair each, and peace. */
static void both_start_at_once(void **state)
{
	struct sim *sim = sim_new();

	sim_acquire(sim, ALICE);
	sim_acquire(sim, BOB);
	sim_run(sim, 1000);
	for (int i = 0; i < SIM_HOSTS; i++) {
		assert_int_equal(sim->host[i].done_count, 1);
		assert_int_equal(sim->host[i].done[0].status, 0);
		assert_int_equal(sim->host[i].sa_count, 2);
		assert_true(sim_established(sim, i) >= 1);
		/* Neither pair takes the place of the other. */
		assert_int_equal(sim->host[i].sa[0].replaces, 0);
		assert_int_equal(sim->host[i].sa[1].replaces, 0);
	}
	assert_true(sim->sent <= 20);
	sim_run(sim, 4 * 3600 * 1000); /* and stays like that over hours of rekeying */
	assert_in_range(sim->host[ALICE].sa_count, 2, 4);
	assert_in_range(sim->host[ALICE].installs, 8, 14);
	sim_free(sim);
}

/* Bob starts a pair of his own beside alice's: a second line, not a rekeying of hers. */
static void a_pair_that_the_other_side_starts_is_no_rekeying(void **state)
{
	struct sim *sim = sim_up();
	uint32_t first = sim->host[ALICE].sa[0].in.spi;

	sim_run(sim, 5000);
	sim_acquire(sim, BOB);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa_count, 2);
	assert_int_equal(sim->host[ALICE].sa[1].replaces, 0);
	ike_engine_rekey(sim->host[ALICE].engine, first);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa[2].replaces, first);
	assert_int_equal(sim->host[BOB].sa[2].replaces, sim->host[BOB].sa[0].in.spi);
	sim_free(sim);
}

static enum sim_fate bob_first_lost(struct sim *sim, struct sim_packet *packet, void *arg)
{
	return packet->from == BOB && packet->number < 4 ? DROP : DELIVER;
}

/* The first main mode that stands serves the quick mode that waited for the other one. */
static void a_waiting_quick_mode_takes_the_first_main_mode(void **state)
{
	struct sim *sim = sim_new();

	sim->wire = bob_first_lost;
	sim_acquire(sim, BOB); /* packet 1 from bob is lost: he waits a second */
	sim_acquire(sim, ALICE);
	sim_run(sim, 500);
	assert_int_equal(sim->host[BOB].done_count, 0);
	sim_run(sim, 5000);
	assert_int_equal(sim->host[BOB].done_count, 1);
	assert_int_equal(sim->host[BOB].done[0].status, 0);
	assert_int_equal(sim->host[ALICE].done[0].status, 0);
	sim_free(sim);
}

static void an_acquire_right_after_an_install_needs_no_more(void **state)
{
	struct sim *sim = sim_up();

	sim_acquire(sim, ALICE);
	assert_int_equal(sim->host[ALICE].done_count, 2);
	assert_int_equal(sim->host[ALICE].done[1].status, 0);
	sim_run(sim, 1000);
	assert_int_equal(sim->sent, 9);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shorter_lifetime_wins),
		cmocka_unit_test(the_initiator_rekeys_in_time),
		cmocka_unit_test(three_days_of_rekeying),
		cmocka_unit_test(the_backend_may_ask_for_a_rekey),
		cmocka_unit_test(a_pair_ends_at_its_hard_lifetime),
		cmocka_unit_test(a_rule_that_is_gone_is_not_rekeyed),
		cmocka_unit_test(main_mode_lifetime),
		cmocka_unit_test(quick_modes_per_main_mode),
		cmocka_unit_test(the_backend_s_end_is_told_to_the_peer),
		cmocka_unit_test(close_ends_everything_on_both_sides),
		cmocka_unit_test(close_settles_what_is_under_way),
		cmocka_unit_test(a_restarted_peer_says_so),
		cmocka_unit_test(a_restarted_responder_says_so),
		cmocka_unit_test(a_new_main_mode_alone_deletes_nothing),
		cmocka_unit_test(both_start_at_once),
		cmocka_unit_test(a_pair_that_the_other_side_starts_is_no_rekeying),
		cmocka_unit_test(a_waiting_quick_mode_takes_the_first_main_mode),
		cmocka_unit_test(an_acquire_right_after_an_install_needs_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
