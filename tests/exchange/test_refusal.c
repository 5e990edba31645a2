/* SPDX-License-Identifier: BSD-2-Clause */
/* Negotiations that must fail, and say why in words on both sides. */
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

static struct sim_done *the_failure(struct sim *sim)
{
	struct sim_host *alice = &sim->host[ALICE];

	assert_int_equal(alice->done_count, 1);
	assert_true(alice->done[0].status < 0);
	assert_int_equal(alice->sa_count, 0);
	assert_int_equal(sim->host[BOB].sa_count, 0);
	return &alice->done[0];
}

static void different_keys(void **state)
{
	struct sim *sim = sim_new();
	struct sim_done *done;
	const char *first;

	sim->host[BOB].psk = "battery staple";
	sim_acquire(sim, ALICE);
	sim_run(sim, 70000);
	done = the_failure(sim);
	assert_non_null(strstr(done->reason, "failure point peer"));
	assert_non_null(strstr(done->reason, "AUTHENTICATION-FAILED"));
	assert_true(sim_logged(sim, BOB, "preshared keys of the two ends may differ"));
	assert_true(sim_counters(sim, BOB).auth_failures > 1);
	first = strstr(sim->host[BOB].log, "authentication failed"); /* said once */
	assert_non_null(first);
	assert_null(strstr(first + 1, "authentication failed"));
	assert_int_equal(sim_counters(sim, ALICE).mm_established, 0);
	assert_int_equal(sim_counters(sim, BOB).mm_established, 0);
	assert_int_equal(sim_mms(sim, ALICE) + sim_mms(sim, BOB), 0);
	sim_free(sim);
}

static void no_key_at_all(void **state)
{
	struct sim *sim = sim_new();
	struct sim_done *done;

	sim->host[ALICE].psk = NULL;
	sim_acquire(sim, ALICE);
	sim_run(sim, 70000);
	done = the_failure(sim);
	assert_non_null(strstr(done->reason, "failure point me: the preshared key"));
	sim_free(sim);
}

/* Bob's log has both lists and the attribute; alice's reason has her list and bob's answer. */
static void no_common_main_mode_proposal(void **state)
{
	struct sim *sim = sim_new();
	struct sim_done *done;

	sim->host[BOB].rule[0].mm[0].hash = XI_INTEG_SHA1;
	sim_set_rules(sim, BOB);
	sim_acquire(sim, ALICE);
	sim_run(sim, 70000);
	done = the_failure(sim);
	assert_non_null(strstr(done->reason, "failure point peer"));
	assert_non_null(strstr(done->reason, "NO-PROPOSAL-CHOSEN"));
	assert_non_null(strstr(done->reason, "aes256-sha256-modp1024"));
	assert_true(sim_logged(sim, BOB, "failure point me: no proposal chosen"));
	assert_true(sim_logged(sim, BOB, "nearest differ in hash"));
	assert_true(sim_logged(sim, BOB, "peer offers [aes256-sha256-modp1024"));
	assert_true(sim_logged(sim, BOB, "here [aes256-sha1-modp1024]"));
	assert_int_equal(sim_mms(sim, BOB), 0);
	assert_true(sim_counters(sim, BOB).no_proposal_out >= 1);
	assert_true(sim_counters(sim, ALICE).no_proposal_in >= 1);
	sim_free(sim);
}

static void each_main_mode_attribute_is_named(void **state)
{
	static const struct {
		struct ike_mm_method bob;
		const char *text;
	} cases[] = {
		{{XI_CIPHER_TDES_CBC, XI_INTEG_SHA256, XI_GROUP_MODP1024}, "differ in cipher"},
		{{XI_CIPHER_AES128_CBC, XI_INTEG_SHA256, XI_GROUP_MODP1024},
		 "differ in key length"},
		{{XI_CIPHER_AES256_CBC, XI_INTEG_SHA384, XI_GROUP_MODP1024}, "differ in hash"},
		{{XI_CIPHER_AES256_CBC, XI_INTEG_SHA256, XI_GROUP_MODP2048}, "differ in group"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *sim = sim_new();

		sim->host[BOB].rule[0].mm[0] = cases[i].bob;
		sim_set_rules(sim, BOB);
		sim_acquire(sim, ALICE);
		sim_run(sim, 500);
		assert_true(sim_logged(sim, BOB, cases[i].text));
		sim_free(sim);
	}
}

/* Protected by the main mode, so it is believed at once: no waiting for the timer. */
static void no_common_quick_mode_proposal(void **state)
{
	struct sim *sim = sim_new();
	struct sim_done *done;

	sim->host[BOB].rule[0].qm[0].integ = XI_INTEG_SHA256;
	sim_set_rules(sim, BOB);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	done = the_failure(sim);
	assert_int_equal(done->status, -ECONNREFUSED);
	assert_non_null(strstr(done->reason, "failure point peer"));
	assert_non_null(strstr(done->reason, "NO-PROPOSAL-CHOSEN"));
	assert_true(sim_logged(sim, BOB, "nearest differ in integrity"));
	assert_int_equal(sim_established(sim, ALICE), 1); /* the main mode is fine */
	sim_free(sim);
}

static void pfs_that_the_responder_wants_is_not_waived(void **state)
{
	struct sim *sim = sim_new();

	sim->host[BOB].rule[0].pfs = XI_GROUP_MODP2048;
	sim_set_rules(sim, BOB);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	the_failure(sim);
	assert_true(sim_logged(sim, BOB, "nearest differ in PFS group"));
	sim_free(sim);
}

static void pfs_that_only_the_initiator_wants_is_welcome(void **state)
{
	struct sim *sim = sim_new();

	sim->host[ALICE].rule[0].pfs = XI_GROUP_MODP1024;
	sim_set_rules(sim, ALICE);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_true(sim_pairs_match(&sim->host[ALICE].sa[0], &sim->host[BOB].sa[0]));
	assert_int_equal(sim->host[BOB].sa[0].pfs, XI_GROUP_MODP1024);
	sim_free(sim);
}

static void traffic_outside_the_responder_s_rules(void **state)
{
	struct sim *sim = sim_new();
	struct sim_done *done;

	sim->host[BOB].rule[0].local_port_lo = sim->host[BOB].rule[0].local_port_hi = 3306;
	sim_set_rules(sim, BOB);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	done = the_failure(sim);
	assert_non_null(strstr(done->reason, "INVALID-ID-INFORMATION"));
	assert_true(sim_logged(sim, BOB, "no rule negotiates for 192.0.2.2 port 5432"));
	sim_free(sim);
}

/* The main mode stands on the key of the web rule; the database wants another one. */
static void a_rule_with_another_key_is_not_served(void **state)
{
	struct sim *sim = sim_new();
	struct ike_rule *rule = sim->host[BOB].rule;

	rule[1] = rule[0];
	rule[1].auth[0].secret = 2;
	rule[0].local_port_lo = rule[0].local_port_hi = 443;
	sim->host[BOB].rule_count = 2;
	sim_set_rules(sim, BOB);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	the_failure(sim);
	assert_int_equal(sim_established(sim, BOB), 1);
	assert_true(sim_logged(sim, BOB, "wants another preshared key"));
	sim_free(sim);
}

/* All ports are more than the one port that bob's rule covers. */
static void traffic_wider_than_the_responder_s_rule(void **state)
{
	struct sim *sim = sim_new();

	sim->host[ALICE].rule[0].remote_port_lo = 0;
	sim->host[ALICE].rule[0].remote_port_hi = 65535;
	sim_set_rules(sim, ALICE);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	the_failure(sim);
	sim_free(sim);
}

static void a_peer_without_any_rule_gets_no_answer(void **state)
{
	struct sim *sim = sim_new();

	sim->host[BOB].rule_count = 0;
	sim_set_rules(sim, BOB);
	sim_acquire(sim, ALICE);
	sim_run(sim, 70000);
	the_failure(sim);
	assert_int_equal(sim_counters(sim, BOB).packets_out, 0);
	assert_int_equal(sim_counters(sim, BOB).dropped_no_rule, 6);
	assert_int_equal(sim_counters(sim, BOB).mm_responded, 0);
	sim_free(sim);
}

static void what_no_rule_covers_is_not_negotiated(void **state)
{
	struct sim *sim = sim_new();
	struct ike_acquire acquire = {.rule = 8, .proto = 6, .remote_port = 5432};

	acquire.local = sim->host[ALICE].addr;
	acquire.remote = sim->host[BOB].addr;
	assert_int_equal(ike_engine_acquire(sim->host[ALICE].engine, &acquire), -ENOENT);
	acquire.rule = 7;
	acquire.remote_port = 80;
	assert_int_equal(ike_engine_acquire(sim->host[ALICE].engine, &acquire), -ENOENT);
	acquire.remote_port = 5432;
	xi_addr_parse("198.51.100.1", &acquire.remote);
	assert_int_equal(ike_engine_acquire(sim->host[ALICE].engine, &acquire), -ENOENT);
	sim_run(sim, 1000);
	assert_int_equal(sim->sent, 0);
	sim_free(sim);
}

static void what_is_not_supported_yet_is_said(void **state)
{
	struct sim *sim = sim_new();

	sim->host[ALICE].rule[0].mode = XI_MODE_TUNNEL;
	sim_set_rules(sim, ALICE);
	assert_int_equal(sim_acquire(sim, ALICE), -EOPNOTSUPP);
	assert_true(sim_logged(sim, ALICE, "tunnel mode, which is not supported"));
	sim->host[ALICE].rule[0].mode = XI_MODE_TRANSPORT;
	sim->host[ALICE].rule[0].ike_version = 2;
	sim_set_rules(sim, ALICE);
	assert_int_equal(sim_acquire(sim, ALICE), -EOPNOTSUPP);
	sim->host[ALICE].rule[0].ike_version = 0;
	sim->host[ALICE].rule[0].auth[0].kind = IKE_AUTH_KERBEROS;
	sim_set_rules(sim, ALICE);
	assert_int_equal(sim_acquire(sim, ALICE), -EOPNOTSUPP);
	assert_int_equal(sim->sent, 0);
	sim_free(sim);
}

static void the_initiator_cannot_install(void **state)
{
	struct sim *sim = sim_new();
	struct sim_done *done;

	sim->host[ALICE].install_error = -ENOSPC;
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	done = the_failure(sim); /* bob's half was deleted again */
	assert_non_null(strstr(done->reason, "failure point me: SA could not be installed"));
	assert_int_equal(sim->host[BOB].installs, 1);
	assert_int_equal(sim->host[BOB].deletes, 1);
	sim_free(sim);
}

/* Alice deletes what she could not install: bob does not wait for her message 3 any more. */
static void a_deleted_pair_is_not_waited_for(void **state)
{
	struct sim *sim = sim_new();

	sim->host[ALICE].install_error = -ENOSPC;
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim_counters(sim, BOB).qm_failed, 1);
	sim_run(sim, 60000);
	assert_int_equal(sim_counters(sim, BOB).retransmits, 0);
	sim_free(sim);
}

static void the_responder_cannot_install(void **state)
{
	struct sim *sim = sim_new();

	sim->host[BOB].install_error = -ENOSPC;
	sim_acquire(sim, ALICE);
	sim_run(sim, 70000);
	the_failure(sim);
	assert_true(sim_logged(sim, BOB, "failure point me"));
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(different_keys),
		cmocka_unit_test(no_key_at_all),
		cmocka_unit_test(no_common_main_mode_proposal),
		cmocka_unit_test(each_main_mode_attribute_is_named),
		cmocka_unit_test(no_common_quick_mode_proposal),
		cmocka_unit_test(pfs_that_the_responder_wants_is_not_waived),
		cmocka_unit_test(pfs_that_only_the_initiator_wants_is_welcome),
		cmocka_unit_test(traffic_outside_the_responder_s_rules),
		cmocka_unit_test(a_rule_with_another_key_is_not_served),
		cmocka_unit_test(traffic_wider_than_the_responder_s_rule),
		cmocka_unit_test(a_peer_without_any_rule_gets_no_answer),
		cmocka_unit_test(what_no_rule_covers_is_not_negotiated),
		cmocka_unit_test(what_is_not_supported_yet_is_said),
		cmocka_unit_test(the_initiator_cannot_install),
		cmocka_unit_test(a_deleted_pair_is_not_waited_for),
		cmocka_unit_test(the_responder_cannot_install),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
