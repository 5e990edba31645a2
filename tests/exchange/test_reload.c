/* SPDX-License-Identifier: BSD-2-Clause */
/* New rules while main modes, quick modes and SAs of older ones are there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/sim.h"
#include "util/addr.h"

static struct sim *sim_up(void)
{
	struct sim *sim = sim_new();

	assert_int_equal(sim_acquire(sim, ALICE), 0);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	return sim;
}

static void expect(struct sim *sim, unsigned mms, unsigned sas)
{
	for (int i = 0; i < SIM_HOSTS; i++) {
		assert_int_equal(sim_mms(sim, i), mms);
		assert_int_equal(sim->host[i].sa_count, sas);
	}
}

static void keep_name(void *arg, const struct ike_mm_info *info)
{
	memcpy(arg, info->rule, IKE_NAME_MAX);
}

static void the_same_rules_again_change_nothing(void **state)
{
	struct sim *sim = sim_up();
	unsigned sent = sim->sent;
	char name[IKE_NAME_MAX] = "";

	sim_set_rules(sim, ALICE);
	sim_set_rules(sim, BOB);
	sim_run(sim, 1000);
	assert_int_equal(sim->sent, sent);
	expect(sim, 1, 1);
	assert_int_equal(sim->host[ALICE].deletes + sim->host[BOB].deletes, 0);
	ike_engine_each_mm(sim->host[ALICE].engine, keep_name, name);
	assert_string_equal(name, "database");
	sim_free(sim);
}

/* An SA's cipher is the business of who owns the SAs: the engine keeps it and its main mode. */
static void another_cipher_leaves_the_main_mode(void **state)
{
	struct sim *sim = sim_up();

	for (int i = 0; i < SIM_HOSTS; i++)
		sim->host[i].rule[0].qm[0].cipher = XI_CIPHER_AES256_CBC;
	sim_set_rules(sim, ALICE);
	sim_set_rules(sim, BOB);
	sim_run(sim, 100);
	expect(sim, 1, 1);
	sim_run(sim, 5000);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa_count, 2);
	assert_int_equal(sim->host[ALICE].sa[1].cipher, XI_CIPHER_AES256_CBC);
	assert_int_equal(sim->host[ALICE].sa[1].generation, sim->host[ALICE].generation);
	assert_int_equal(sim_counters(sim, ALICE).mm_established, 1);
	sim_free(sim);
}

static void a_peer_without_a_rule_loses_its_main_mode_on_both_sides(void **state)
{
	struct sim *sim = sim_up();

	sim->host[ALICE].rule_count = 0;
	sim_set_rules(sim, ALICE);
	sim_run(sim, 100);
	expect(sim, 0, 1);
	assert_int_equal(sim_counters(sim, BOB).deletes_in, 1);
	sim_free(sim);
}

/* The order that ike.h asks for: the SA's delete still finds its main mode. */
static void an_sa_that_goes_before_the_rules_is_deleted_at_the_peer(void **state)
{
	struct sim *sim = sim_up();

	sim->host[BOB].rule_count = 0;
	ike_engine_sa_gone(sim->host[BOB].engine, sim->host[BOB].sa[0].in.spi);
	sim_set_rules(sim, BOB);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa_count, 0);
	assert_int_equal(sim_mms(sim, ALICE), 0);
	assert_int_equal(sim_counters(sim, ALICE).deletes_in, 2);
	sim_free(sim);
}

static void a_main_mode_method_that_is_no_longer_offered_ends_it(void **state)
{
	struct sim *sim = sim_up();

	for (int i = 0; i < SIM_HOSTS; i++)
		sim->host[i].rule[0].mm[0].group = XI_GROUP_MODP2048;
	sim_set_rules(sim, ALICE);
	sim_set_rules(sim, BOB);
	sim_run(sim, 100);
	expect(sim, 0, 1);
	sim_run(sim, 3400 * 1000); /* the rekeying of the SA makes one that is right */
	assert_int_equal(sim->host[ALICE].installs, 2);
	expect(sim, 1, 1);
	sim_free(sim);
}

static void a_shorter_main_mode_lifetime_ends_it(void **state)
{
	struct sim *sim = sim_up();

	sim->host[ALICE].rule[0].mm_lifetime_s = 600;
	sim_set_rules(sim, ALICE);
	sim_run(sim, 100);
	expect(sim, 0, 1);
	sim_free(sim);
}

static void another_key_ends_what_the_old_one_authenticated(void **state)
{
	struct sim *sim = sim_up();

	sim->host[ALICE].rule[0].auth[0].secret = 2;
	sim_set_rules(sim, ALICE);
	sim_run(sim, 100);
	expect(sim, 0, 0);
	assert_int_equal(sim_counters(sim, BOB).deletes_in, 2);
	sim_free(sim);
}

/* A rule above the one that made it does as well: a rule of another name, but the same terms. */
static void another_rule_takes_the_main_mode_over(void **state)
{
	struct sim *sim = sim_up();
	char name[IKE_NAME_MAX] = "";

	snprintf(sim->host[ALICE].rule[0].name, IKE_NAME_MAX, "renamed");
	sim_set_rules(sim, ALICE);
	sim_run(sim, 100);
	expect(sim, 1, 1);
	ike_engine_each_mm(sim->host[ALICE].engine, keep_name, name);
	assert_string_equal(name, "renamed");
	sim_free(sim);
}

/* At every moment of a negotiation: the same terms under another number do no harm. */
static void a_negotiation_goes_on_under_the_rule_s_new_number(void **state)
{
	for (unsigned ms = 0; ms < 10; ms++) {
		struct sim *sim = sim_new();
		struct sim_host *alice = &sim->host[ALICE];

		sim_acquire(sim, ALICE);
		sim_run(sim, ms);
		for (int i = 0; i < SIM_HOSTS; i++) {
			sim->host[i].rule[0].rule = 3;
			sim_set_rules(sim, i);
		}
		sim_run(sim, 3000);
		expect(sim, 1, 1);
		assert_int_equal(alice->done_count, 1);
		assert_int_equal(alice->done[0].status, 0);
		if (ms < 6) { /* quick mode was still to come */
			assert_int_equal(alice->sa[0].rule, 3);
			assert_int_equal(alice->sa[0].generation, alice->generation);
		}
		sim_free(sim);
	}
}

/* And at every moment a rule that is gone ends it: no SA comes about any more. */
static void a_negotiation_for_a_rule_that_is_gone_ends(void **state)
{
	for (unsigned ms = 0; ms < 7; ms++) {
		struct sim *sim = sim_new();
		struct sim_host *alice = &sim->host[ALICE];

		sim_acquire(sim, ALICE);
		sim_run(sim, ms);
		assert_int_equal(alice->installs, 0);
		alice->rule_count = 0;
		sim_set_rules(sim, ALICE);
		assert_int_equal(alice->done_count, 1);
		assert_int_equal(alice->done[0].status, -ECANCELED);
		assert_non_null(strstr(alice->done[0].reason, "policy has changed"));
		assert_int_equal(sim_mms(sim, ALICE), 0);
		assert_int_equal(alice->spis_taken, alice->spis_back);
		sim_run(sim, 100 * 1000);
		assert_int_equal(alice->installs, 0);
		assert_int_equal(sim->host[BOB].sa_count, 0); /* never confirmed */
		sim_free(sim);
	}
}

/* The responder too: what it installed for message 2 goes, with a delete. */
static void a_responder_s_unconfirmed_sa_goes_with_its_rule(void **state)
{
	struct sim *sim = sim_new();
	struct sim_host *bob = &sim->host[BOB];

	sim_acquire(sim, ALICE);
	while (!bob->installs)
		sim_run(sim, 1);
	assert_int_equal(sim->host[ALICE].installs, 0);
	bob->rule_count = 0;
	sim_set_rules(sim, BOB);
	assert_int_equal(bob->sa_count, 0);
	sim_run(sim, 100);
	expect(sim, 0, 0);
	sim_free(sim);
}

/* Alice still waits for an answer when her methods change: the old offer must not be taken. */
static void an_offer_that_no_longer_holds_is_not_waited_for(void **state)
{
	struct sim *sim = sim_new();

	sim_acquire(sim, ALICE);
	sim->host[ALICE].rule[0].mm[0].group = XI_GROUP_MODP2048;
	sim_set_rules(sim, ALICE);
	assert_int_equal(sim->host[ALICE].done_count, 1);
	sim_run(sim, 1000);
	assert_int_equal(sim_established(sim, ALICE), 0);
	assert_int_equal(sim->host[ALICE].installs, 0);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_rules_again_change_nothing),
		cmocka_unit_test(another_cipher_leaves_the_main_mode),
		cmocka_unit_test(a_peer_without_a_rule_loses_its_main_mode_on_both_sides),
		cmocka_unit_test(an_sa_that_goes_before_the_rules_is_deleted_at_the_peer),
		cmocka_unit_test(a_main_mode_method_that_is_no_longer_offered_ends_it),
		cmocka_unit_test(a_shorter_main_mode_lifetime_ends_it),
		cmocka_unit_test(another_key_ends_what_the_old_one_authenticated),
		cmocka_unit_test(another_rule_takes_the_main_mode_over),
		cmocka_unit_test(a_negotiation_goes_on_under_the_rule_s_new_number),
		cmocka_unit_test(a_negotiation_for_a_rule_that_is_gone_ends),
		cmocka_unit_test(a_responder_s_unconfirmed_sa_goes_with_its_rule),
		cmocka_unit_test(an_offer_that_no_longer_holds_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
