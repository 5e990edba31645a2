/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Main mode and quick mode between two engines, message by message:
 *
 *	alice				bob
 *	1  HDR, SA		-->			main mode
 *	2			<--	HDR, SA
 *	3  HDR, KE, Ni		-->
 *	4			<--	HDR, KE, Nr
 *	5  HDR*, ID, HASH_I	-->
 *	6			<--	HDR*, ID, HASH_R
 *	7  HDR*, HASH(1), SA, Ni, [KE], ID, ID	-->	quick mode
 *	8			<--	HDR*, HASH(2), SA, Nr, [KE], ID, ID
 *	9  HDR*, HASH(3)	-->
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ike/engine.h"
#include "tests/lib/sim.h"

/* One SA pair on each side, the same keys crosswise, the acquire answered. */
static void assert_up(struct sim *sim)
{
	struct sim_host *alice = &sim->host[ALICE], *bob = &sim->host[BOB];

	assert_int_equal(alice->sa_count, 1);
	assert_int_equal(bob->sa_count, 1);
	assert_true(sim_pairs_match(&alice->sa[0], &bob->sa[0]));
	assert_int_equal(alice->done_count, 1);
	assert_int_equal(alice->done[0].status, 0);
	assert_int_equal(sim_established(sim, ALICE), 1);
	assert_int_equal(sim_established(sim, BOB), 1);
}

static void nine_messages_bring_up_a_pair(void **state)
{
	struct sim *sim = sim_new();
	struct ike_counters a, b;

	assert_int_equal(sim_acquire(sim, ALICE), 0);
	sim_run(sim, 100);
	assert_up(sim);
	assert_int_equal(sim->sent, 9);
	a = sim_counters(sim, ALICE);
	b = sim_counters(sim, BOB);
	assert_int_equal(a.mm_started, 1);
	assert_int_equal(b.mm_responded, 1);
	assert_int_equal(a.qm_established, 1);
	assert_int_equal(b.qm_established, 1);
	assert_int_equal(a.retransmits + b.retransmits, 0);
	sim_free(sim);
}

static void the_selector_is_the_rule_s(void **state)
{
	struct sim *sim = sim_new();
	struct xi_sa_params *sa = sim->host[ALICE].sa;

	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_up(sim);
	assert_int_equal(sa->sel.proto, 6);
	assert_int_equal(sa->sel.local_port, 0);
	assert_int_equal(sa->sel.remote_port, 5432);
	assert_int_equal(sa->rule, 7);
	assert_int_equal(sa->generation, sim->host[ALICE].generation);
	assert_true(sa->initiator);
	sim_free(sim);
}

static void a_port_range_is_narrowed_to_the_packet(void **state)
{
	struct sim *sim = sim_new();

	sim->host[ALICE].rule[0].remote_port_lo = 5000;
	sim->host[ALICE].rule[0].remote_port_hi = 6000;
	sim_set_rules(sim, ALICE);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_up(sim);
	assert_int_equal(sim->host[ALICE].sa[0].sel.remote_port, 5432);
	sim_free(sim);
}

static void bob_can_start_too(void **state)
{
	struct sim *sim = sim_new();

	assert_int_equal(sim_acquire(sim, BOB), 0);
	sim_run(sim, 100);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	assert_true(sim_pairs_match(&sim->host[BOB].sa[0], &sim->host[ALICE].sa[0]));
	assert_true(sim->host[BOB].sa[0].initiator);
	sim_free(sim);
}

static void every_main_mode_suite_works(void **state)
{
	static const enum xi_cipher ciphers[] = {XI_CIPHER_TDES_CBC, XI_CIPHER_AES128_CBC,
						 XI_CIPHER_AES192_CBC, XI_CIPHER_AES256_CBC};
	static const enum xi_integ hashes[] = {XI_INTEG_SHA1, XI_INTEG_SHA256, XI_INTEG_SHA384,
					       XI_INTEG_SHA512};

	for (unsigned c = 0; c < 4; c++) {
		for (unsigned h = 0; h < 4; h++) {
			struct sim *sim = sim_new();

			for (int i = 0; i < SIM_HOSTS; i++) {
				sim->host[i].rule[0].mm[0] = (struct ike_mm_method){
					ciphers[c], hashes[h], XI_GROUP_MODP1024};
				sim_set_rules(sim, i);
			}
			sim_acquire(sim, ALICE);
			sim_run(sim, 100);
			assert_up(sim);
			sim_free(sim);
		}
	}
}

static void every_group_works_with_and_without_pfs(void **state)
{
	for (enum xi_group group = XI_GROUP_MODP1024; group < XI_GROUP_MAX; group++) {
		for (int pfs = 0; pfs < 2; pfs++) {
			struct sim *sim = sim_new();

			for (int i = 0; i < SIM_HOSTS; i++) {
				sim->host[i].rule[0].mm[0].group = group;
				sim->host[i].rule[0].pfs = pfs ? group : XI_GROUP_NONE;
				sim_set_rules(sim, i);
			}
			sim_acquire(sim, ALICE);
			sim_run(sim, 100);
			assert_up(sim);
			assert_int_equal(sim->host[ALICE].sa[0].pfs, pfs ? group : XI_GROUP_NONE);
			sim_free(sim);
		}
	}
}

static void every_esp_suite_works(void **state)
{
	static const struct ike_qm_method methods[] = {
		{50, XI_CIPHER_AES128_CBC, XI_INTEG_SHA1, 0, 0},
		{50, XI_CIPHER_AES192_CBC, XI_INTEG_SHA256, 0, 0},
		{50, XI_CIPHER_AES256_CBC, XI_INTEG_SHA384, 0, 0},
		{50, XI_CIPHER_AES256_CBC, XI_INTEG_SHA512, 0, 0},
		{50, XI_CIPHER_TDES_CBC, XI_INTEG_SHA1, 0, 0},
		{50, XI_CIPHER_NULL, XI_INTEG_SHA1, 0, 0},
		{50, XI_CIPHER_AES128_GCM16, XI_INTEG_NONE, 0, 0},
		{50, XI_CIPHER_AES256_GCM16, XI_INTEG_NONE, 0, 0},
	};

	for (unsigned m = 0; m < sizeof(methods) / sizeof(*methods); m++) {
		struct sim *sim = sim_new();

		for (int i = 0; i < SIM_HOSTS; i++) {
			sim->host[i].rule[0].qm[0] = methods[m];
			sim_set_rules(sim, i);
		}
		sim_acquire(sim, ALICE);
		sim_run(sim, 100);
		assert_up(sim);
		assert_int_equal(sim->host[BOB].sa[0].cipher, methods[m].cipher);
		assert_int_equal(sim->host[BOB].sa[0].integ, methods[m].integ);
		sim_free(sim);
	}
}

/* Each direction has its own key, and the key is not empty. */
static void the_two_directions_have_different_keys(void **state)
{
	static const uint8_t zero[XI_KEY_MAX];
	struct sim *sim = sim_new();
	struct xi_sa_params *sa = &sim->host[ALICE].sa[0];

	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_up(sim);
	assert_memory_not_equal(sa->in.cipher_key, sa->out.cipher_key, 16);
	assert_memory_not_equal(sa->in.integ_key, sa->out.integ_key, 20);
	assert_memory_not_equal(sa->in.cipher_key, zero, 16);
	assert_memory_not_equal(sa->in.cipher_key, sa->in.integ_key, 16);
	sim_free(sim);
}

/* The responder's order of preference decides, not the initiator's. */
static void the_responder_picks_by_its_own_order(void **state)
{
	struct sim *sim = sim_new();
	struct ike_rule *a = &sim->host[ALICE].rule[0], *b = &sim->host[BOB].rule[0];

	a->qm_count = b->qm_count = 2;
	a->qm[0] = b->qm[1] = (struct ike_qm_method){50, XI_CIPHER_TDES_CBC, XI_INTEG_SHA1, 0, 0};
	a->qm[1] = b->qm[0] = (struct ike_qm_method){50, XI_CIPHER_AES256_CBC, XI_INTEG_SHA256, 0,
						     0};
	a->mm_count = b->mm_count = 2;
	a->mm[1] = b->mm[0];
	a->mm[0] = b->mm[1] = (struct ike_mm_method){XI_CIPHER_TDES_CBC, XI_INTEG_SHA1,
						     XI_GROUP_MODP1024};
	sim_set_rules(sim, ALICE);
	sim_set_rules(sim, BOB);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_up(sim);
	assert_int_equal(sim->host[ALICE].sa[0].cipher, XI_CIPHER_AES256_CBC);
	assert_true(sim_logged(sim, ALICE, "aes256-sha256-modp1024"));
	sim_free(sim);
}

static void more_acquires_join_the_one_under_way(void **state)
{
	struct sim *sim = sim_new();
	struct ike_acquire other = {
		.rule = 7, .proto = 6, .local_port = 40001, .remote_port = 5432};

	other.local = sim->host[ALICE].addr;
	other.remote = sim->host[BOB].addr;
	sim_acquire(sim, ALICE);
	sim_acquire(sim, ALICE);
	assert_int_equal(ike_engine_acquire(sim->host[ALICE].engine, &other), 0);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].done_count, 2); /* the equal ones count once */
	assert_int_equal(sim->host[ALICE].installs, 1);
	assert_int_equal(sim->sent, 9);
	sim_free(sim);
}

static void a_second_quick_mode_needs_three_messages(void **state)
{
	struct sim *sim = sim_new();

	sim_acquire(sim, ALICE);
	sim_run(sim, 5000);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim->sent, 12);
	assert_int_equal(sim->host[ALICE].sa_count, 2);
	assert_int_equal(sim_mms(sim, ALICE), 1);
	sim_free(sim);
}

/* The commit bit is not used; a peer that sets it is served all the same (RFC 2408 3.1). */
static enum sim_fate set_commit(struct sim *sim, struct sim_packet *packet, void *arg)
{
	packet->bytes[19] |= IKE_FLAG1_COMMIT;
	return DELIVER;
}

static void the_commit_bit_is_ignored(void **state)
{
	struct sim *sim = sim_new();

	sim->wire = set_commit;
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_up(sim);
	assert_int_equal(sim->sent, 9);
	sim_free(sim);
}

/* HDR*, HASH(1), SA, Ni without identities stands for the two hosts and everything they say. */
static void quick_mode_without_identities(void **state)
{
	struct sim *sim = sim_new();
	struct ike_rule *rule = &sim->host[BOB].rule[0];
	uint8_t mem[V1_MESSAGE_MAX], hash[CRYPTO_DIGEST_MAX], iv[CRYPTO_BLOCK_MAX];
	struct wire_transform2 t;
	struct wire_buf wb;
	struct v1_mm *mm;
	size_t at, rest;

	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	rule->proto = 0;
	rule->local_port_lo = 0;
	rule->local_port_hi = 65535;
	sim_set_rules(sim, BOB);
	mm = LIST_FIRST(&sim->host[ALICE].engine->v1.mms);
	v1_begin(&wb, mem, mm, IKE_EXCHANGE_QUICK, 4711);
	at = wire_put_payload_zero(&wb, IKE_PAYLOAD_HASH, 32);
	rest = wb.len;
	wire_transform2_set(&t, XI_CIPHER_AES128_CBC, XI_INTEG_SHA1, XI_GROUP_NONE,
			    IKE_ENCAP_TRANSPORT, 3600, 0);
	wire_put_sa_p2(&wb, 0xfeed0001, &t, 1);
	wire_put_payload(&wb, IKE_PAYLOAD_NONCE, "a nonce of 20 bytes", 20);
	assert_int_equal(ikev1_hash_1(&mm->keys, 4711, mem + rest, wb.len - rest, hash), 0);
	wire_patch(&wb, at, hash, 32);
	assert_int_equal(ikev1_phase2_iv(XI_INTEG_SHA256, XI_CIPHER_AES256_CBC, mm->iv, 4711, iv),
			 0);
	assert_int_equal(v1_encrypt(mm, iv, &wb), 0);
	sim_inject(sim, BOB, mem, wb.len);
	assert_int_equal(sim->host[BOB].sa_count, 2);
	assert_int_equal(sim->host[BOB].sa[1].sel.proto, 0);
	assert_int_equal(sim->host[BOB].sa[1].sel.local_port, 0);
	assert_int_equal(sim->host[BOB].sa[1].sel.remote.len, 32);
	assert_int_equal(sim->host[BOB].sa[1].out.spi, 0xfeed0001);
	assert_int_equal(sim->host[BOB].sa[1].lifetime_kb, 100000); /* ours; the peer named none */
	sim_free(sim);
}

static void ipv6_works(void **state)
{
	struct sim *sim = sim_new();

	for (int i = 0; i < SIM_HOSTS; i++) {
		struct sim_host *host = &sim->host[i];

		host->addr = (struct xi_addr){.family = 6,
					      .b = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(i + 1)}};
		host->rule[0].remote = (struct xi_prefix){.addr = {.family = 6}, .len = 0};
		sim_set_rules(sim, i);
	}
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_up(sim);
	assert_int_equal(sim->host[ALICE].sa[0].sel.local.len, 128);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nine_messages_bring_up_a_pair),
		cmocka_unit_test(the_selector_is_the_rule_s),
		cmocka_unit_test(a_port_range_is_narrowed_to_the_packet),
		cmocka_unit_test(bob_can_start_too),
		cmocka_unit_test(every_main_mode_suite_works),
		cmocka_unit_test(every_group_works_with_and_without_pfs),
		cmocka_unit_test(every_esp_suite_works),
		cmocka_unit_test(the_two_directions_have_different_keys),
		cmocka_unit_test(the_responder_picks_by_its_own_order),
		cmocka_unit_test(more_acquires_join_the_one_under_way),
		cmocka_unit_test(a_second_quick_mode_needs_three_messages),
		cmocka_unit_test(the_commit_bit_is_ignored),
		cmocka_unit_test(quick_mode_without_identities),
		cmocka_unit_test(ipv6_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
