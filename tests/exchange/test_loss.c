/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network loses, repeats, delays and reorders. Messages 1 to 6 are main
 * mode, 7 to 9 quick mode (see test_main_quick.c). Whatever happens to one of
 * them, both sides end with one pair of SAs that match.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/sim.h"

#define MESSAGES 9

struct meddle {
	unsigned number; /* of the message, 0 = all */
	enum sim_fate fate;
	unsigned done, times;
};

static enum sim_fate meddle(struct sim *sim, struct sim_packet *packet, void *arg)
{
	struct meddle *m = arg;

	if ((m->number && packet->number != m->number) || m->done == m->times)
		return DELIVER;
	m->done++;
	return m->fate;
}

static void assert_one_pair(struct sim *sim)
{
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	assert_true(sim_pairs_match(&sim->host[ALICE].sa[0], &sim->host[BOB].sa[0]));
	assert_int_equal(sim->host[ALICE].done_count, 1);
	assert_int_equal(sim->host[ALICE].done[0].status, 0);
	assert_int_equal(sim_established(sim, ALICE), 1);
	assert_int_equal(sim_established(sim, BOB), 1);
}

static struct sim *run_with(struct meddle *m)
{
	struct sim *sim = sim_new();

	sim->wire = meddle;
	sim->wire_arg = m;
	assert_int_equal(sim_acquire(sim, ALICE), 0);
	sim_run(sim, 120000);
	return sim;
}

static void any_one_message_may_be_lost(void **state)
{
	for (unsigned n = 1; n <= MESSAGES; n++) {
		struct meddle m = {n, DROP, 0, 1};
		struct sim *sim = run_with(&m);

		assert_int_equal(m.done, 1);
		assert_one_pair(sim);
		assert_true(sim_counters(sim, ALICE).retransmits > 0);
		sim_free(sim);
	}
}

static void any_one_message_may_come_twice(void **state)
{
	for (unsigned n = 1; n <= MESSAGES; n++) {
		struct meddle m = {n, TWICE, 0, 1};
		struct sim *sim = run_with(&m);

		assert_int_equal(m.done, 1);
		assert_one_pair(sim);
		assert_int_equal(sim->host[BOB].installs, 1);
		assert_int_equal(sim_mms(sim, BOB), 1);
		sim_free(sim);
	}
}

/* Late by more than the first retransmission: old and new copies cross. */
static void any_one_message_may_be_late(void **state)
{
	for (unsigned n = 1; n <= MESSAGES; n++) {
		struct meddle m = {n, DELAY, 0, 1};
		struct sim *sim = run_with(&m);

		assert_int_equal(m.done, 1);
		assert_one_pair(sim);
		sim_free(sim);
	}
}

static void all_messages_twice(void **state)
{
	struct meddle m = {0, TWICE, 0, 1000};
	struct sim *sim = run_with(&m);

	assert_one_pair(sim);
	assert_int_equal(sim->host[ALICE].installs, 1);
	assert_int_equal(sim->host[BOB].installs, 1);
	sim_free(sim);
}

static void the_first_three_packets_lost(void **state)
{
	struct meddle m = {0, DROP, 0, 3};
	struct sim *sim = run_with(&m);

	assert_one_pair(sim);
	assert_int_equal(sim_counters(sim, ALICE).retransmits, 3);
	sim_free(sim);
}

/* A random half of everything is lost, 20 different ways. */
static enum sim_fate half_lost(struct sim *sim, struct sim_packet *packet, void *arg)
{
	uint32_t *random = arg;

	*random = *random * 1664525 + 1013904223;
	return *random >> 31 ? DROP : DELIVER;
}

static void half_of_all_packets_lost(void **state)
{
	unsigned up = 0;

	for (uint32_t seed = 1; seed <= 20; seed++) {
		struct sim *sim = sim_new();
		uint32_t random = seed;

		sim->wire = half_lost;
		sim->wire_arg = &random;
		sim_acquire(sim, ALICE);
		sim_run(sim, 200000);
		assert_int_equal(sim->host[ALICE].done_count, 1); /* settled either way */
		if (!sim->host[ALICE].done[0].status) {
			assert_int_equal(sim->host[ALICE].sa_count, 1);
			up++;
		}
		sim_free(sim);
	}
	assert_true(up >= 10);
}

/* Nobody answers: six tries at 0, 1, 3, 7, 15, 31 s, then the reason after 63 s. */
static void silence_is_given_up_after_six_tries(void **state)
{
	struct meddle m = {0, DROP, 0, 1000};
	struct sim *sim = sim_new();

	sim->wire = meddle;
	sim->wire_arg = &m;
	sim_acquire(sim, ALICE);
	sim_run(sim, 62999);
	assert_int_equal(sim->sent, 6);
	assert_int_equal(sim->host[ALICE].done_count, 0);
	sim_run(sim, 2);
	assert_int_equal(sim->sent, 6);
	assert_int_equal(sim->host[ALICE].done_count, 1);
	assert_true(sim->host[ALICE].done[0].status < 0);
	assert_non_null(strstr(sim->host[ALICE].done[0].reason,
			       "failure point peer: no valid answer to main mode message 1"));
	assert_int_equal(sim_mms(sim, ALICE), 0);
	assert_int_equal(sim_counters(sim, ALICE).mm_failed, 1);
	sim_free(sim);
}

/* The responder repeats nothing by itself before the peer has proved who it is. */
static enum sim_fate alice_falls_silent(struct sim *sim, struct sim_packet *packet, void *arg)
{
	return packet->from == BOB || packet->number > *(unsigned *)arg ? DROP : DELIVER;
}

static void a_half_open_responder_does_not_retransmit(void **state)
{
	struct sim *sim = sim_new();
	unsigned last = 1;

	sim->wire = alice_falls_silent;
	sim->wire_arg = &last;
	sim_acquire(sim, ALICE);
	sim_run(sim, 30000);
	assert_string_equal(sim_mm_state(sim, BOB), "MM_R2_SENT");
	assert_int_equal(sim_counters(sim, BOB).retransmits, 0);
	assert_int_equal(sim_counters(sim, BOB).packets_out, 1);
	sim_run(sim, 31000);
	assert_string_equal(sim_mm_state(sim, BOB), "none"); /* half-open ends after 60 s */
	sim_free(sim);
}

/* A repeated request is answered with the same bytes, and not faster than twice a second. */
static void a_repeated_request_gets_the_identical_answer(void **state)
{
	struct sim *sim = sim_new();
	struct sim_packet *first, *answer;

	sim_acquire(sim, ALICE);
	sim_run(sim, 2); /* message 1 is there, message 2 has arrived, message 3 is under way */
	assert_int_equal(sim->sent, 3);
	first = sim->kept[1];
	answer = sim->kept[2];
	sim->wire = meddle; /* bob hears no more from alice */
	sim->wire_arg = &(struct meddle){0, DROP, 0, 1000};
	sim_run(sim, 0);
	for (int i = 0; i < 10; i++)
		sim_inject(sim, BOB, first->bytes, first->len);
	assert_int_equal(sim->sent, 3);
	sim_free(sim);

	sim = sim_new();
	sim->wire = meddle;
	sim->wire_arg = &(struct meddle){2, DROP, 0, 1};
	sim_acquire(sim, ALICE);
	sim_run(sim, 500);
	first = sim->kept[1];
	answer = sim->kept[2];
	sim_run(sim, 100);
	for (int i = 0; i < 10; i++)
		sim_inject(sim, BOB, first->bytes, first->len);
	assert_int_equal(sim->sent, 3);
	assert_int_equal(sim->kept[3]->len, answer->len);
	assert_memory_equal(sim->kept[3]->bytes, answer->bytes, answer->len);
	sim_free(sim);
}

/* Message 9 never comes: bob has installed early and removes after 30 s, and says so. */
static enum sim_fate drop_confirmations(struct sim *sim, struct sim_packet *packet, void *arg)
{
	/* Quick mode (32) from alice is dropped from the second message on. */
	if (packet->from == ALICE && packet->bytes[18] == 32 && packet->number > 7)
		return DROP;
	return DELIVER;
}

static void an_unconfirmed_pair_is_removed(void **state)
{
	struct sim *sim = sim_new();

	sim->wire = drop_confirmations;
	sim_acquire(sim, ALICE);
	sim_run(sim, 29000);
	assert_int_equal(sim->host[BOB].sa_count, 1); /* ready for alice's first packet */
	sim_run(sim, 2000);
	assert_int_equal(sim->host[BOB].sa_count, 0);
	assert_int_equal(sim->host[ALICE].sa_count, 0); /* bob's delete arrived */
	assert_int_equal(sim_counters(sim, BOB).qm_failed, 1);
	sim_free(sim);
}

/* Messages 8 repeat until 9 arrives, however often 9 is lost at first. */
static void a_lost_confirmation_is_repeated(void **state)
{
	struct meddle m = {9, DROP, 0, 1};
	struct sim *sim = sim_new();

	sim->wire = meddle;
	sim->wire_arg = &m;
	sim_acquire(sim, ALICE);
	sim_run(sim, 900);
	assert_int_equal(sim_counters(sim, BOB).qm_established, 0);
	sim_run(sim, 60000);
	assert_int_equal(sim_counters(sim, BOB).qm_established, 1);
	assert_one_pair(sim);
	sim_free(sim);
}

/* SPIs come from another process and may be late, on either side. */
static void an_spi_may_have_to_be_waited_for(void **state)
{
	for (int who = 0; who < SIM_HOSTS; who++) {
		struct sim *sim = sim_new();

		sim->host[who].spi_droughts = 2;
		sim_acquire(sim, ALICE);
		sim_run(sim, 60000);
		assert_one_pair(sim);
		sim_free(sim);
	}
}

static void an_spi_that_never_comes_fails_the_acquire(void **state)
{
	struct sim *sim = sim_new();

	sim->host[ALICE].spi_droughts = 1000;
	sim_acquire(sim, ALICE);
	sim_run(sim, 3000);
	assert_int_equal(sim->host[ALICE].done_count, 1);
	assert_true(sim->host[ALICE].done[0].status < 0);
	assert_non_null(strstr(sim->host[ALICE].done[0].reason, "failure point me"));
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_one_message_may_be_lost),
		cmocka_unit_test(any_one_message_may_come_twice),
		cmocka_unit_test(any_one_message_may_be_late),
		cmocka_unit_test(all_messages_twice),
		cmocka_unit_test(the_first_three_packets_lost),
		cmocka_unit_test(half_of_all_packets_lost),
		cmocka_unit_test(silence_is_given_up_after_six_tries),
		cmocka_unit_test(a_half_open_responder_does_not_retransmit),
		cmocka_unit_test(a_repeated_request_gets_the_identical_answer),
		cmocka_unit_test(an_unconfirmed_pair_is_removed),
		cmocka_unit_test(a_lost_confirmation_is_repeated),
		cmocka_unit_test(an_spi_may_have_to_be_waited_for),
		cmocka_unit_test(an_spi_that_never_comes_fails_the_acquire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
