/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules of RFC 2407, 2408, 2409 and 4301 that a peer which keeps them never shows:
 * each test breaks one on the wire, or plays a message where it does not belong.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ike/engine.h"
#include "tests/lib/sim_scenes.h"

/* Messages of sim_acquire(): 1 to 6 main mode, 7 to 9 quick mode. */
#define AT_VERSION  17
#define AT_RESERVED (WIRE_HEADER_LEN + 1) /* of the first payload */
#define AT_DOI	    (WIRE_HEADER_LEN + 4)
#define AT_SIT	    (WIRE_HEADER_LEN + 8)

/* ------------------------------------------------------------------- headers */

/* Alice's message 1 with one byte changed, given to bob; how many main modes he has then. */
static unsigned after_changed_message1(size_t at, uint8_t value)
{
	struct sim *sim = sim_new();
	struct sim_packet *first;
	unsigned count;

	sim->wire = sim_drop_all;
	sim_acquire(sim, ALICE);
	first = sim->kept[1];
	first->bytes[at] = value;
	sim_inject(sim, BOB, first->bytes, first->len);
	count = sim_mms(sim, BOB);
	assert_int_equal(sim_counters(sim, BOB).dropped_malformed, !count);
	sim_free(sim);
	return count;
}

/* RFC 2408 3.1: "never accept packets with a minor version number larger than its own". */
static void a_larger_minor_version_is_not_accepted(void **state)
{
	assert_int_equal(after_changed_message1(AT_VERSION, 0x10), 1);
	assert_int_equal(after_changed_message1(AT_VERSION, 0x11), 0);
	assert_int_equal(after_changed_message1(AT_VERSION, 0x1f), 0);
}

/* RFC 2408 5.3: a RESERVED field that is not zero, and the message is discarded. */
static void a_reserved_field_must_be_zero(void **state)
{
	assert_int_equal(after_changed_message1(AT_RESERVED, 0), 1);
	assert_int_equal(after_changed_message1(AT_RESERVED, 1), 0);
	assert_int_equal(after_changed_message1(AT_RESERVED, 0x80), 0);
}

/* ----------------------------------------------------------------- situation */

/* The notify type that bob answers alice's changed message 1 with. */
static uint16_t answer_to_changed_message1(size_t at, uint8_t value)
{
	struct sim *sim = sim_new();
	const struct sim_packet *answer;
	struct wire_notify notify;
	struct wire_chain chain;

	sim->wire = sim_drop_all;
	sim_acquire(sim, ALICE);
	sim->kept[1]->bytes[at + 3] = value;
	sim_inject(sim, BOB, sim->kept[1]->bytes, sim->kept[1]->len);
	assert_int_equal(sim_mms(sim, BOB), 0);
	assert_int_equal(sim->sent, 2);
	answer = sim->kept[2];
	assert_int_equal(wire_chain_parse(1, answer->bytes[16], answer->bytes + WIRE_HEADER_LEN,
					  answer->len - WIRE_HEADER_LEN, WIRE_EXACT, &chain, NULL),
			 0);
	assert_int_equal(chain.payload[0].type, IKE_PAYLOAD_NOTIFY);
	assert_int_equal(wire_notify_parse(1, chain.payload[0].body, &notify, NULL), 0);
	sim_free(sim);
	return notify.type;
}

/* RFC 2408 5.4, RFC 2407 4.2.2. */
static void a_foreign_doi_or_situation_is_named(void **state)
{
	assert_int_equal(answer_to_changed_message1(AT_DOI, 2), IKE_N1_DOI_NOT_SUPPORTED);
	assert_int_equal(answer_to_changed_message1(AT_SIT, 2), IKE_N1_SITUATION_NOT_SUPPORTED);
	assert_int_equal(answer_to_changed_message1(AT_SIT, 3), IKE_N1_SITUATION_NOT_SUPPORTED);
	assert_int_equal(answer_to_changed_message1(AT_SIT, 4), IKE_N1_SITUATION_NOT_SUPPORTED);
}

/* ------------------------------------------------------------- informational */

/* Bob refuses alice's quick mode: message 7 is hers, message 8 is his refusal. */
static struct sim *sim_refused(void)
{
	struct sim *sim = sim_new();

	sim->host[BOB].rule[0].qm[0].cipher = XI_CIPHER_AES256_CBC;
	sim_set_rules(sim, BOB);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim_established(sim, BOB), 1);
	assert_int_equal(sim->host[ALICE].sa_count, 0);
	assert_true(sim->sent >= 8);
	assert_int_equal(sim->kept[8]->from, BOB);
	return sim;
}

/*
 * One key protects both directions, so what bob sent verifies when it comes back
 * to him. Its message id is used up: RFC 2409 5.7 makes it unique to the exchange.
 */
static void an_informational_of_one_s_own_is_not_taken_back(void **state)
{
	struct sim *sim = sim_refused();
	const struct sim_packet *refusal = sim->kept[8];

	assert_int_equal(sim_counters(sim, ALICE).notifies_in, 1);
	sim_inject(sim, BOB, refusal->bytes, refusal->len);
	assert_int_equal(sim_counters(sim, BOB).notifies_in, 0);
	assert_int_equal(sim_counters(sim, BOB).dropped_malformed, 1);
	sim_free(sim);
}

/* A refused message 1, caught on the way and played to bob over and over. */
static void a_replayed_refusal_is_answered_at_a_bounded_rate(void **state)
{
	struct sim *sim = sim_refused();
	const struct sim_packet *message1 = sim->kept[7];
	unsigned sent = sim->sent;

	sim->wire = sim_drop_all;
	for (int i = 0; i < 1000; i++)
		sim_inject(sim, BOB, message1->bytes, message1->len);
	assert_true(sim->sent - sent <= 20);
	/* A peer that lost the answer and asks again has it. */
	sim_run(sim, 10000);
	sent = sim->sent;
	sim_inject(sim, BOB, message1->bytes, message1->len);
	assert_int_equal(sim->sent - sent, 1);
	sim_free(sim);
}

/* Alice deletes her SA, or tells bob that he is new to her, in the words of this DOI. */
static void tell_bob(struct sim *sim, bool delete, uint32_t doi)
{
	uint8_t mem[V1_MESSAGE_MAX], hash[CRYPTO_DIGEST_MAX], iv[CRYPTO_BLOCK_MAX], number[4];
	struct v1_mm *mm = sim_mm(sim, ALICE);
	size_t hash_len = crypto_digest_len(mm->method.hash), at, rest;
	static uint32_t id = 0x1000;
	struct wire_buf wb;

	v1_begin(&wb, mem, mm, IKE_EXCHANGE_INFORMATIONAL, ++id);
	at = wire_put_payload_zero(&wb, IKE_PAYLOAD_HASH, hash_len);
	rest = wb.len;
	put_be32(number, sim->host[ALICE].sa[0].in.spi);
	if (delete)
		wire_put_delete1(&wb, IKE_PROTO1_ESP, 4, number, 1);
	else
		wire_put_notify1(&wb, IKE_PROTO1_ESP, number, 4, IKE_N1_INVALID_SPI, NULL, 0);
	put_be32(number, doi);
	wire_patch(&wb, rest + 4, number, 4);
	assert_int_equal(ikev1_hash_1(&mm->keys, id, mem + rest, wb.len - rest, hash), 0);
	wire_patch(&wb, at, hash, hash_len);
	assert_int_equal(ikev1_phase2_iv(mm->method.hash, mm->method.cipher, mm->iv, id, iv), 0);
	assert_int_equal(v1_encrypt(mm, iv, &wb), 0);
	sim_inject(sim, BOB, mem, wb.len);
}

/* RFC 2408 5.14 and 5.15: what a payload of another DOI says is not for us. */
static void a_notify_or_delete_of_a_foreign_doi_is_passed_over(void **state)
{
	struct sim *sim = sim_new();

	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	tell_bob(sim, false, 2);
	assert_int_equal(sim_counters(sim, BOB).notifies_in, 0);
	tell_bob(sim, false, 0);
	tell_bob(sim, false, 1);
	assert_int_equal(sim_counters(sim, BOB).notifies_in, 2);
	tell_bob(sim, true, 2);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	tell_bob(sim, true, 1);
	assert_int_equal(sim->host[BOB].sa_count, 0);
	sim_free(sim);
}

/* --------------------------------------------------------------- half-made SAs */

/* Bob has no room for another message id: the quick mode fails, and leaves no SA behind. */
static void a_quick_mode_that_cannot_be_noted_leaves_no_sa(void **state)
{
	struct sim *sim = sim_new();
	struct v1_message_ids *ids;

	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	ids = &sim_mm(sim, BOB)->ids;
	ids->id = realloc(ids->id, IKE_MESSAGE_IDS_MAX * sizeof(*ids->id));
	assert_non_null(ids->id);
	memset(ids->id, 0, IKE_MESSAGE_IDS_MAX * sizeof(*ids->id));
	ids->count = ids->capacity = IKE_MESSAGE_IDS_MAX;
	sim_run(sim, 3000);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	assert_int_equal(sim->host[BOB].installs, 2);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	sim_free(sim);
}

static void no_spi_is_lost(const struct sim *sim)
{
	for (int who = 0; who < SIM_HOSTS; who++) {
		const struct sim_host *host = &sim->host[who];

		assert_int_equal(host->spis_taken, host->installs + host->spis_back);
	}
}

static enum sim_fate drop_quick(struct sim *sim, struct sim_packet *packet, void *arg)
{
	return packet->bytes[18] == IKE_EXCHANGE_QUICK ? DROP : DELIVER;
}

/* Only so many may be reserved at a time: each that no SA came to use must go back. */
static void an_spi_that_nobody_uses_is_given_back(void **state)
{
	struct sim *sim = sim_refused();

	assert_int_equal(sim->host[ALICE].spis_back, 1);
	no_spi_is_lost(sim);
	sim_free(sim);

	sim = sim_new(); /* no answer to message 1 of quick mode */
	sim->wire = drop_quick;
	sim_acquire(sim, ALICE);
	sim_run(sim, 70000);
	assert_int_equal(sim->host[ALICE].spis_back, 1);
	no_spi_is_lost(sim);
	sim_free(sim);

	sim = sim_new(); /* the responder's backend is full */
	sim->host[BOB].install_error = -ENOSPC;
	sim_acquire(sim, ALICE);
	sim_run(sim, 70000);
	assert_true(sim->host[BOB].spis_back >= 1);
	no_spi_is_lost(sim);
	sim_free(sim);

	sim = sim_new(); /* and the initiator's */
	sim->host[ALICE].install_error = -ENOSPC;
	sim_acquire(sim, ALICE);
	sim_run(sim, 70000);
	assert_int_equal(sim->host[ALICE].spis_back, 1);
	no_spi_is_lost(sim);
	sim_free(sim);

	sim = sim_new(); /* when all goes well there is nothing to give back */
	sim_acquire(sim, ALICE);
	sim_run(sim, 70000);
	assert_int_equal(sim->host[ALICE].spis_back + sim->host[BOB].spis_back, 0);
	no_spi_is_lost(sim);
	sim_free(sim);
}

/* ------------------------------------------------------ one SA, one rule of the policy */

/* Below the database rule one for everything else between the two, with a weaker cipher. */
static void add_weaker_rule(struct sim *sim, enum sim_who who)
{
	struct ike_rule *lan = &sim->host[who].rule[1];

	sim->host[who].rule[0].qm[0].cipher = XI_CIPHER_AES256_CBC;
	*lan = sim->host[who].rule[0];
	snprintf(lan->name, sizeof(lan->name), "lan");
	lan->rule = 8;
	lan->proto = 0;
	lan->local_port_lo = lan->remote_port_lo = 0;
	lan->local_port_hi = lan->remote_port_hi = 65535;
	lan->qm[0].cipher = XI_CIPHER_AES128_CBC;
	sim->host[who].rule_count = 2;
	sim_set_rules(sim, who);
}

static int want(struct sim *sim, uint32_t rule, uint8_t proto, uint16_t local, uint16_t remote)
{
	struct ike_acquire acquire = {.rule = rule,
				      .local = sim->host[ALICE].addr,
				      .remote = sim->host[BOB].addr,
				      .proto = proto,
				      .local_port = local,
				      .remote_port = remote};
	int err = ike_engine_acquire(sim->host[ALICE].engine, &acquire);

	sim_run(sim, 100);
	return err;
}

/*
 * RFC 4301 4.4.1: an SA belongs to one entry of the policy. One for all traffic would carry that
 * of the database, which has a right to more; so it takes its selectors from the packet.
 */
static void an_sa_takes_in_no_traffic_of_a_rule_with_other_terms(void **state)
{
	struct sim *sim = sim_new();
	const struct xi_sa_params *sa = sim->host[ALICE].sa;

	add_weaker_rule(sim, ALICE);
	add_weaker_rule(sim, BOB);
	assert_int_equal(want(sim, 8, 1, 0, 0), 0); /* ICMP */
	assert_int_equal(want(sim, 8, 6, 40000, 80), 0);
	assert_int_equal(want(sim, 7, 6, 40000, 5432), 0);
	assert_int_equal(sim->host[ALICE].sa_count, 3);
	assert_int_equal(sa[0].sel.proto, 1);
	assert_int_equal(sa[0].cipher, XI_CIPHER_AES128_CBC);
	assert_int_equal(sa[1].sel.proto, 6);
	assert_int_equal(sa[1].sel.remote_port, 80);
	assert_int_equal(sa[1].sel.local_port, 0);
	assert_int_equal(sa[1].cipher, XI_CIPHER_AES128_CBC);
	assert_int_equal(sa[2].sel.remote_port, 5432);
	assert_int_equal(sa[2].cipher, XI_CIPHER_AES256_CBC);
	for (unsigned i = 0; i < 3; i++)
		assert_true(sim_pairs_match(&sa[i], &sim->host[BOB].sa[i]));
	/* A wish that names no packet could only be fulfilled by an SA for both rules. */
	assert_int_equal(want(sim, 8, 0, 0, 0), -EINVAL);
	sim_free(sim);
}

/* With the same terms in both rules one SA may serve both. */
static void rules_with_the_same_terms_share_an_sa(void **state)
{
	struct sim *sim = sim_new();

	add_weaker_rule(sim, ALICE);
	add_weaker_rule(sim, BOB);
	for (int who = 0; who < SIM_HOSTS; who++) {
		sim->host[who].rule[0].qm[0].cipher = XI_CIPHER_AES128_CBC;
		sim_set_rules(sim, (enum sim_who)who);
	}
	assert_int_equal(want(sim, 8, 1, 0, 0), 0);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_equal(sim->host[ALICE].sa[0].sel.proto, 0);
	sim_free(sim);
}

/* Alice knows the general rule only and asks for everything: bob says which rule is in the way. */
static void a_peer_that_asks_for_too_much_is_refused_in_words(void **state)
{
	struct sim *sim = sim_new();

	add_weaker_rule(sim, ALICE);
	add_weaker_rule(sim, BOB);
	sim->host[ALICE].rule[0] = sim->host[ALICE].rule[1];
	sim->host[ALICE].rule_count = 1;
	sim_set_rules(sim, ALICE);
	assert_int_equal(want(sim, 8, 1, 0, 0), 0);
	assert_int_equal(sim->host[BOB].sa_count, 0);
	assert_true(sim_logged(sim, BOB, "takes in traffic of rule database"));
	assert_int_equal(sim->host[ALICE].done_count, 1);
	assert_non_null(strstr(sim->host[ALICE].done[0].reason, "INVALID-ID-INFORMATION"));
	sim_free(sim);
}

/* A new policy gives part of a living SA other terms: it ends with its lifetime. */
static void an_sa_that_became_too_wide_is_not_rekeyed(void **state)
{
	struct sim *sim = sim_new();

	add_weaker_rule(sim, ALICE);
	add_weaker_rule(sim, BOB);
	for (int who = 0; who < SIM_HOSTS; who++) {
		sim->host[who].rule[0].qm[0].cipher = XI_CIPHER_AES128_CBC;
		sim_set_rules(sim, (enum sim_who)who);
	}
	assert_int_equal(want(sim, 8, 1, 0, 0), 0);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	sim->host[ALICE].rule[0].qm[0].cipher = XI_CIPHER_AES256_CBC;
	sim_set_rules(sim, ALICE);
	ike_engine_rekey(sim->host[ALICE].engine, sim->host[ALICE].sa[0].in.spi);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].installs, 1);
	assert_true(sim_logged(sim, ALICE, "part of it has a rule with other terms now"));
	sim_free(sim);
}

/* ---------------------------------------------------------------------- logs */

/* Forged senders open main modes and leave them: that must not fill the log when they end. */
static void abandoned_main_modes_do_not_flood_the_log(void **state)
{
	struct sim *sim = sim_new();
	struct sim_host *bob = &sim->host[BOB];
	struct ike_path path = {bob->addr, {.family = 4, .b = {192, 0, 2, 0}}, 500, 500};
	uint8_t mem[SIM_PACKET_MAX];

	sim->wire = sim_drop_all;
	sim_acquire(sim, ALICE);
	memcpy(mem, sim->kept[1]->bytes, sim->kept[1]->len);
	for (unsigned i = 0; i < 300; i++) {
		memcpy(mem, &(uint64_t){0x5000000 + i}, 8);
		path.remote.b[3] = (uint8_t)(10 + i % 100);
		ike_engine_feed(bob->engine, &path, mem, sim->kept[1]->len);
	}
	assert_int_equal(sim_mms(sim, BOB), 300);
	sim_run(sim, 30000);
	bob->log_len = 0;
	sim_run(sim, 31000);
	assert_int_equal(sim_mms(sim, BOB), 0);
	assert_true(sim_count_logged(bob, "did not finish main mode") >= 1);
	assert_true(sim_count_logged(bob, "did not finish main mode") <= 30);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_larger_minor_version_is_not_accepted),
		cmocka_unit_test(a_reserved_field_must_be_zero),
		cmocka_unit_test(a_foreign_doi_or_situation_is_named),
		cmocka_unit_test(an_informational_of_one_s_own_is_not_taken_back),
		cmocka_unit_test(a_replayed_refusal_is_answered_at_a_bounded_rate),
		cmocka_unit_test(a_notify_or_delete_of_a_foreign_doi_is_passed_over),
		cmocka_unit_test(a_quick_mode_that_cannot_be_noted_leaves_no_sa),
		cmocka_unit_test(an_spi_that_nobody_uses_is_given_back),
		cmocka_unit_test(an_sa_takes_in_no_traffic_of_a_rule_with_other_terms),
		cmocka_unit_test(rules_with_the_same_terms_share_an_sa),
		cmocka_unit_test(a_peer_that_asks_for_too_much_is_refused_in_words),
		cmocka_unit_test(an_sa_that_became_too_wide_is_not_rekeyed),
		cmocka_unit_test(abandoned_main_modes_do_not_flood_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
