/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strangers and liars. What cannot be verified changes nothing: no state, no
 * SA, no answer worth having. Messages are numbered as in test_main_quick.c.
 * Forged messages with the right keys are made with the engine's own insides.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ike/engine.h"
#include "tests/lib/sim.h"
#include "util/addr.h"

#define MESSAGES 9

static uint32_t seed = 1;

static uint32_t rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static struct sim *sim_up(void)
{
	struct sim *sim = sim_new();

	assert_int_equal(sim_acquire(sim, ALICE), 0);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	return sim;
}

/* ------------------------------------------------------- altered on the way */

static enum sim_fate drop_all(struct sim *sim, struct sim_packet *packet, void *arg)
{
	return DROP;
}

struct flip {
	unsigned number;
	size_t bit;
	bool done;
};

static enum sim_fate flip_once(struct sim *sim, struct sim_packet *packet, void *arg)
{
	struct flip *flip = arg;

	if (packet->number == flip->number) {
		packet->bytes[flip->bit / 8 % packet->len] ^= (uint8_t)(1 << flip->bit % 8);
		flip->done = true;
	}
	return DELIVER;
}

static void run_flipped(unsigned number, size_t bit, bool must_come_up)
{
	struct flip flip = {number, bit, false};
	struct sim *sim = sim_new();
	struct sim_host *alice = &sim->host[ALICE], *bob = &sim->host[BOB];

	sim->wire = flip_once;
	sim->wire_arg = &flip;
	sim_acquire(sim, ALICE);
	sim_run(sim, 130000);
	assert_true(flip.done);
	assert_int_equal(alice->done_count, 1);
	assert_int_equal(alice->sa_count, bob->sa_count);
	assert_int_equal(alice->sa_count, alice->done[0].status == 0);
	if (alice->sa_count)
		assert_true(sim_pairs_match(&alice->sa[0], &bob->sa[0]));
	if (must_come_up && !alice->sa_count)
		fail_msg("message %u bit %zu: %s", number, bit, alice->done[0].reason);
	sim_free(sim);
}

/*
 * Messages 1 to 4 are not protected by themselves: an altered one may end the
 * negotiation, but never gives SAs that do not match (the HASHes cover it all).
 */
static void a_flipped_bit_in_the_clear_part(void **state)
{
	for (unsigned number = 1; number <= 4; number++) {
		for (int i = 0; i < 60; i++)
			run_flipped(number, i < 30 ? rnd() % (28 * 8) : rnd() % (300 * 8), false);
	}
}

/* From message 5 on, an altered message is dropped and the good copy does the work. */
static void a_flipped_bit_in_the_encrypted_part(void **state)
{
	for (unsigned number = 5; number <= MESSAGES; number++) {
		for (int i = 0; i < 60; i++)
			run_flipped(number, i < 30 ? rnd() % (28 * 8) : rnd() % (300 * 8), true);
	}
}

/* --------------------------------------------------------- garbage everywhere */

static void inject_garbage(struct sim *sim, enum sim_who to)
{
	uint8_t junk[400];
	size_t len = rnd() % sizeof(junk);

	for (size_t i = 0; i < len; i++)
		junk[i] = (uint8_t)rnd();
	sim_inject(sim, to, junk, len);
	/* With a plausible header: the cookies of the conversation, some exchange. */
	if (len < 28 || !sim->kept[1])
		return;
	memcpy(junk, sim->kept[sim->sent < 63 ? sim->sent : 1]->bytes, 16);
	junk[17] = 0x10;
	junk[18] = (uint8_t[]){2, 2, 4, 5, 32, 6}[rnd() % 6];
	junk[19] = rnd() & 1;
	if (rnd() & 1)
		memset(junk + 20, 0, 4);
	junk[24] = junk[25] = 0;
	junk[26] = (uint8_t)(len >> 8);
	junk[27] = (uint8_t)len;
	sim_inject(sim, to, junk, len);
}

/* Every message so far again, cut at every length: nothing but drops. */
static void inject_truncated(struct sim *sim, enum sim_who to)
{
	unsigned newest = sim->sent < 63 ? sim->sent : 62;
	uint8_t copy[SIM_PACKET_MAX];

	for (unsigned n = 1; n <= newest; n++) {
		const struct sim_packet *packet = sim->kept[n];

		if (packet->from == to)
			continue;
		for (size_t len = 0; len < packet->len; len += 1 + rnd() % 7) {
			memcpy(copy, packet->bytes, len);
			if (len >= 28) { /* a length field that agrees */
				copy[26] = (uint8_t)(len >> 8);
				copy[27] = (uint8_t)len;
			}
			sim_inject(sim, to, copy, len);
		}
	}
}

static void garbage_in_every_state_changes_nothing(void **state)
{
	struct sim *sim = sim_new();

	sim_acquire(sim, ALICE);
	for (unsigned step = 0; step < 12; step++) {
		unsigned sent = sim->sent;

		for (int i = 0; i < 200; i++)
			inject_garbage(sim, (enum sim_who)(i & 1));
		inject_truncated(sim, ALICE);
		inject_truncated(sim, BOB);
		/* Answers to garbage: a few unprotected notifies at most, rate-limited. */
		assert_true(sim->sent - sent <= 60);
		sim_run(sim, 1);
	}
	sim_run(sim, 5000);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	assert_int_equal(sim_counters(sim, ALICE).retransmits, 0);
	assert_true(sim_pairs_match(&sim->host[ALICE].sa[0], &sim->host[BOB].sa[0]));
	sim_free(sim);
}

static void old_messages_are_not_taken_twice(void **state)
{
	struct sim *sim = sim_up();
	struct ike_counters before, after;

	sim_run(sim, 70000); /* kept answers are gone */
	before = sim_counters(sim, BOB);
	for (unsigned n = 1; n <= MESSAGES; n++) {
		if (sim->kept[n]->from == ALICE)
			sim_inject(sim, BOB, sim->kept[n]->bytes, sim->kept[n]->len);
		else
			sim_inject(sim, ALICE, sim->kept[n]->bytes, sim->kept[n]->len);
	}
	after = sim_counters(sim, BOB);
	assert_int_equal(after.qm_responded, before.qm_responded);
	assert_int_equal(after.mm_responded, before.mm_responded);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	sim_free(sim);
}

/* -------------------------------------------------- deletes and notifies */

static struct v1_mm *mm_of(struct sim *sim, enum sim_who who)
{
	return LIST_FIRST(&sim->host[who].engine->v1.mms);
}

/* An informational message as this host would make it; hash_ok false: HASH(1) is one bit off. */
static void forge_info(struct sim *sim, enum sim_who from, bool encrypted, bool hash_ok,
		       uint8_t payload, uint8_t protocol, const void *spi, size_t spi_len,
		       uint16_t notify)
{
	uint8_t mem[V1_MESSAGE_MAX], hash[CRYPTO_DIGEST_MAX], iv[CRYPTO_BLOCK_MAX];
	struct v1_mm *mm = mm_of(sim, from);
	size_t hash_len = crypto_digest_len(mm->method.hash), at = 0, rest;
	uint32_t id = rnd() | 1;
	struct wire_buf wb;

	v1_begin(&wb, mem, mm, IKE_EXCHANGE_INFORMATIONAL, id);
	if (encrypted)
		at = wire_put_payload_zero(&wb, IKE_PAYLOAD_HASH, hash_len);
	rest = wb.len;
	if (payload == IKE_PAYLOAD_DELETE)
		wire_put_delete1(&wb, protocol, (uint8_t)spi_len, spi, 1);
	else
		wire_put_notify1(&wb, protocol, spi, spi_len, notify, NULL, 0);
	if (encrypted) {
		assert_int_equal(ikev1_hash_1(&mm->keys, id, mem + rest, wb.len - rest, hash), 0);
		hash[0] ^= !hash_ok;
		wire_patch(&wb, at, hash, hash_len);
		assert_int_equal(
			ikev1_phase2_iv(mm->method.hash, mm->method.cipher, mm->iv, id, iv), 0);
		assert_int_equal(v1_encrypt(mm, iv, &wb), 0);
	} else {
		assert_int_equal(wire_msg_end(&wb), 0);
	}
	sim_inject(sim, (enum sim_who) !from, mem, wb.len);
}

static void spi_of(uint32_t spi, uint8_t ret[4])
{
	for (int i = 0; i < 4; i++)
		ret[i] = (uint8_t)(spi >> (24 - 8 * i));
}

static void a_delete_needs_a_valid_hash(void **state)
{
	struct sim *sim = sim_up();
	struct v1_mm *mm = mm_of(sim, ALICE);
	uint8_t spi[4], cookies[16];

	spi_of(sim->host[ALICE].sa[0].in.spi, spi);
	memcpy(cookies, mm->cookie_i, 8);
	memcpy(cookies + 8, mm->cookie_r, 8);
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		forge_info(sim, ALICE, encrypted, false, IKE_PAYLOAD_DELETE, IKE_PROTO1_ESP, spi, 4,
			   0);
		forge_info(sim, ALICE, encrypted, false, IKE_PAYLOAD_DELETE, IKE_PROTO1_ISAKMP,
			   cookies, 16, 0);
	}
	assert_int_equal(sim->host[BOB].sa_count, 1);
	assert_int_equal(sim_established(sim, BOB), 1);
	assert_int_equal(sim_counters(sim, BOB).dropped_bad_hash, 2);
	/* The same with the right HASH is obeyed: the checks above tested the HASH. */
	forge_info(sim, ALICE, true, true, IKE_PAYLOAD_DELETE, IKE_PROTO1_ESP, spi, 4, 0);
	assert_int_equal(sim->host[BOB].sa_count, 0);
	assert_int_equal(sim_established(sim, BOB), 1);
	forge_info(sim, ALICE, true, true, IKE_PAYLOAD_DELETE, IKE_PROTO1_ISAKMP, cookies, 16, 0);
	assert_int_equal(sim_established(sim, BOB), 0);
	sim_free(sim);
}

/* Bob has a pair with somebody else, whose SPIs alice has found out. */
static void one_may_delete_only_what_is_one_s_own(void **state)
{
	struct sim *sim = sim_up();
	struct v1_child *child = LIST_FIRST(&sim->host[BOB].engine->v1.children);
	uint8_t in[4], out[4], cookies[16] = {1, 2, 3};

	spi_of(child->spi_in, in);
	spi_of(child->spi_out, out);
	child->path.remote.b[3] = 77;
	forge_info(sim, ALICE, true, true, IKE_PAYLOAD_DELETE, IKE_PROTO1_ESP, in, 4, 0);
	forge_info(sim, ALICE, true, true, IKE_PAYLOAD_DELETE, IKE_PROTO1_ESP, out, 4, 0);
	forge_info(sim, ALICE, true, true, IKE_PAYLOAD_DELETE, IKE_PROTO1_ISAKMP, cookies, 16, 0);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	assert_int_equal(sim_established(sim, BOB), 1);
	child->path.remote.b[3] = 1; /* hers after all: now it works */
	forge_info(sim, ALICE, true, true, IKE_PAYLOAD_DELETE, IKE_PROTO1_ESP, out, 4, 0);
	assert_int_equal(sim->host[BOB].sa_count, 0);
	sim_free(sim);
}

static void unprotected_notifies_are_only_noted(void **state)
{
	static const uint16_t types[] = {IKE_N1_NO_PROPOSAL_CHOSEN, IKE_N1_INVALID_COOKIE,
					 IKE_N1_AUTHENTICATION_FAILED, IKE_N1_INITIAL_CONTACT,
					 IKE_N1_INVALID_SPI};
	struct sim *sim = sim_up();
	uint8_t cookies[16];

	memcpy(cookies, mm_of(sim, ALICE)->cookie_i, 8);
	memcpy(cookies + 8, mm_of(sim, ALICE)->cookie_r, 8);
	for (unsigned i = 0; i < sizeof(types) / sizeof(*types); i++) {
		forge_info(sim, ALICE, false, false, IKE_PAYLOAD_NOTIFY, IKE_PROTO1_ISAKMP, cookies,
			   16, types[i]);
		forge_info(sim, ALICE, true, false, IKE_PAYLOAD_NOTIFY, IKE_PROTO1_ISAKMP, cookies,
			   16, types[i]);
	}
	assert_int_equal(sim_established(sim, BOB), 1);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	sim_free(sim);
}

/* A stranger who sees the cookies claims that the proposal is refused: alice goes on and wins. */
static void a_forged_refusal_does_not_end_a_negotiation(void **state)
{
	struct sim *sim = sim_new();

	sim_acquire(sim, ALICE);
	forge_info(sim, ALICE, false, false, IKE_PAYLOAD_NOTIFY, IKE_PROTO1_ISAKMP, NULL, 0,
		   IKE_N1_NO_PROPOSAL_CHOSEN);
	sim_inject(sim, ALICE, "x", 1);
	for (int i = 0; i < 6; i++) {
		struct v1_mm *mm = mm_of(sim, ALICE);
		uint8_t mem[V1_MESSAGE_MAX];
		struct wire_buf wb;

		v1_begin(&wb, mem, mm, IKE_EXCHANGE_INFORMATIONAL, rnd() | 1);
		wire_put_notify1(&wb, IKE_PROTO1_ISAKMP, NULL, 0, IKE_N1_NO_PROPOSAL_CHOSEN, NULL,
				 0);
		assert_int_equal(wire_msg_end(&wb), 0);
		sim_inject(sim, ALICE, mem, wb.len);
		sim_run(sim, 1);
	}
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_equal(sim->host[ALICE].done[0].status, 0);
	sim_free(sim);
}

/* With one key for both directions, alice must not be talked into trusting herself. */
static void reflected_messages_lead_nowhere(void **state)
{
	struct sim *sim = sim_new();
	unsigned next = 1;

	sim->wire = drop_all;
	sim_acquire(sim, ALICE);
	for (int i = 0; i < 20; i++) {
		while (next <= sim->sent && next < 63) {
			sim_inject(sim, ALICE, sim->kept[next]->bytes, sim->kept[next]->len);
			next++;
		}
		sim_run(sim, 500);
	}
	assert_int_equal(sim_counters(sim, ALICE).mm_responded, 0);
	assert_int_equal(sim_established(sim, ALICE), 0);
	sim_free(sim);
}

/* Message 6 as bob would send it, but with this address as his identity. */
static void forge_message6(struct sim *sim, const struct xi_addr *identity)
{
	struct v1_mm *mm = mm_of(sim, ALICE);
	const struct v1_key_exchange *kex = mm->hs->kex;
	const struct xi_prefix id = {*identity, 32};
	uint8_t mem[V1_MESSAGE_MAX], hash[CRYPTO_DIGEST_MAX], iv[CRYPTO_BLOCK_MAX];
	size_t id_at = WIRE_HEADER_LEN + 4;
	struct wire_buf wb;

	v1_begin(&wb, mem, mm, IKE_EXCHANGE_MAIN, 0);
	wire_put_id1_prefix(&wb, &id, 0, 0);
	assert_int_equal(ikev1_hash_phase1(&mm->keys, kex->peer, crypto_dh_public(kex->dh),
					   crypto_dh_len(kex->dh), mm->cookie_r, mm->cookie_i,
					   mm->hs->sa_b, mm->hs->sa_len, mem + id_at,
					   wb.len - id_at, hash),
			 0);
	wire_put_payload(&wb, IKE_PAYLOAD_HASH, hash, crypto_digest_len(mm->method.hash));
	memcpy(iv, mm->iv, sizeof(iv));
	assert_int_equal(v1_encrypt(mm, iv, &wb), 0);
	sim_inject(sim, ALICE, mem, wb.len);
}

/* The HASH is right, but the identity is alice's own. */
static void a_peer_may_not_have_our_own_identity(void **state)
{
	struct sim *sim = sim_new();

	sim_acquire(sim, ALICE);
	sim_run(sim, 4);
	assert_string_equal(sim_mm_state(sim, ALICE), "MM_I5_SENT");
	forge_message6(sim, &sim->host[ALICE].addr);
	assert_int_equal(sim_established(sim, ALICE), 0);
	assert_true(sim_logged(sim, ALICE, "ID: the identity is our own address"));
	forge_message6(sim, &sim->host[BOB].addr); /* so it was the identity */
	assert_int_equal(sim_established(sim, ALICE), 1);
	sim_free(sim);
}

/* INITIAL-CONTACT voids what was before this main mode, not what it has made itself. */
static void a_late_initial_contact_spares_the_new(void **state)
{
	struct sim *sim = sim_up();
	uint8_t cookies[16] = {0};

	forge_info(sim, ALICE, true, true, IKE_PAYLOAD_NOTIFY, IKE_PROTO1_ISAKMP, cookies, 16,
		   IKE_N1_INITIAL_CONTACT);
	assert_true(sim_logged(sim, BOB, "peer says INITIAL-CONTACT"));
	assert_int_equal(sim->host[BOB].sa_count, 1);
	assert_int_equal(sim_established(sim, BOB), 1);
	sim_free(sim);
}

/* Message 8 answers something that alice did not say: she has changed her mind meanwhile. */
static struct sim *with_message8_under_way(struct v1_qm **ret_qm)
{
	struct sim *sim = sim_new();

	sim_acquire(sim, ALICE);
	sim_run(sim, 7);
	assert_int_equal(sim->sent, 8);
	*ret_qm = LIST_FIRST(&mm_of(sim, ALICE)->qms);
	assert_int_equal((*ret_qm)->state, V1_QM_I1_SENT);
	return sim;
}

static void a_proposal_that_was_not_offered_is_not_taken(void **state)
{
	struct v1_qm *qm;
	struct sim *sim = with_message8_under_way(&qm);

	qm->rule.qm[0].integ = XI_INTEG_SHA256;
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].installs, 0);
	assert_non_null(strstr(sim->host[ALICE].done[0].reason, "was not offered"));
	sim_free(sim);
}

static void identities_must_come_back_as_they_were(void **state)
{
	struct v1_qm *qm;
	struct sim *sim = with_message8_under_way(&qm);

	qm->traffic.remote_port = 5433;
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].installs, 0);
	assert_non_null(strstr(sim->host[ALICE].done[0].reason, "changes the identities"));
	sim_free(sim);
}

static void an_informational_is_not_taken_twice(void **state)
{
	struct sim *sim = sim_up();
	struct sim_packet *delete;

	sim_run(sim, 3000);
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	ike_engine_sa_gone(sim->host[ALICE].engine, sim->host[ALICE].sa[0].in.spi);
	delete = sim->kept[sim->sent];
	sim_run(sim, 10);
	assert_int_equal(sim_counters(sim, BOB).deletes_in, 1);
	sim_inject(sim, BOB, delete->bytes, delete->len);
	assert_int_equal(sim_counters(sim, BOB).deletes_in, 1);
	assert_int_equal(sim_counters(sim, BOB).dropped_malformed, 1);
	sim_free(sim);
}

/* ------------------------------------------------------------- quick mode HASH */

static enum sim_fate hold_quick(struct sim *sim, struct sim_packet *packet, void *arg)
{
	return packet->number == *(unsigned *)arg ? DROP : DELIVER;
}

/* Message `number` is held back, decrypted, its HASH bent, encrypted again and sent. */
static void bend_hash(unsigned number)
{
	struct sim *sim = sim_new();
	const struct sim_packet *packet;
	enum sim_who from, to;
	uint8_t mem[SIM_PACKET_MAX], iv[CRYPTO_BLOCK_MAX], iv2[CRYPTO_BLOCK_MAX];
	struct v1_mm *mm;
	struct v1_qm *qm;

	sim->wire = hold_quick;
	sim->wire_arg = &number;
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	packet = sim->kept[number];
	from = packet->from;
	to = (enum sim_who) !from;
	mm = mm_of(sim, from);
	memcpy(mem, packet->bytes, packet->len);
	if (number == 7) {
		assert_int_equal(ikev1_phase2_iv(mm->method.hash, mm->method.cipher, mm->iv,
						 wire_get32(mem + 20), iv),
				 0);
	} else { /* the chain of the receiver stands before this message */
		qm = LIST_FIRST(&mm_of(sim, to)->qms);
		memcpy(iv, qm->iv, sizeof(iv));
	}
	memcpy(iv2, iv, sizeof(iv));
	assert_int_equal(crypto_cbc_decrypt(mm->keys.cipher, mm->keys.cipher_key, iv, mem + 28,
					    packet->len - 28, mem + 28),
			 0);
	assert_int_equal(mem[16], IKE_PAYLOAD_HASH);
	mem[32] ^= 1; /* first byte of the HASH */
	assert_int_equal(crypto_cbc_encrypt(mm->keys.cipher, mm->keys.cipher_key, iv2, mem + 28,
					    packet->len - 28, mem + 28),
			 0);
	sim_inject(sim, to, mem, packet->len);
	assert_int_equal(sim_counters(sim, to).dropped_bad_hash, 1);
	if (number == 7)
		assert_int_equal(sim->host[BOB].sa_count, 0);
	if (number == 8)
		assert_int_equal(sim->host[ALICE].sa_count, 0);
	if (number == 9)
		assert_int_equal(sim_counters(sim, BOB).qm_established, 0);
	sim_run(sim, 60000); /* and the genuine one, repeated, is taken */
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_equal(sim_counters(sim, BOB).qm_established, 1);
	sim_free(sim);
}

static void quick_mode_hashes_are_verified(void **state)
{
	for (unsigned number = 7; number <= MESSAGES; number++)
		bend_hash(number);
}

/* ------------------------------------------------------------------ limits */

static size_t message1(struct sim *sim, uint8_t *mem, uint64_t cookie)
{
	const struct sim_packet *first = sim->kept[1];

	memcpy(mem, first->bytes, first->len);
	memcpy(mem, &cookie, 8);
	return first->len;
}

static void flood(struct sim *sim, unsigned count, unsigned hosts)
{
	struct ike_path path = {sim->host[BOB].addr, {.family = 4, .b = {192, 0, 2, 0}}, 500, 500};
	uint8_t mem[SIM_PACKET_MAX];

	for (unsigned i = 0; i < count; i++) {
		size_t len = message1(sim, mem, 0x1000000 + i);

		path.remote.b[3] = (uint8_t)(10 + i % hosts);
		ike_engine_feed(sim->host[BOB].engine, &path, mem, len);
	}
}

static void half_open_negotiations_are_capped(void **state)
{
	struct sim *sim = sim_new();

	sim->wire = drop_all;
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
		size_t len = message1(sim, mem, 0x2000000 + i);

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

static struct sim *sim_open_to_all(void)
{
	struct sim *sim = sim_new();

	xi_prefix_parse("0.0.0.0/0", &sim->host[ALICE].rule[0].remote);
	sim_set_rules(sim, ALICE);
	sim->wire = only_bob_answers;
	return sim;
}

static unsigned lines_with(const struct sim_host *host, const char *text)
{
	unsigned count = 0;

	for (const char *at = host->log; (at = strstr(at, text)); at += strlen(text))
		count++;
	return count;
}

/* Packets with forged sources make alice want SAs with hosts that do not answer. */
static void a_flood_of_wishes_is_bounded_and_starves_nobody(void **state)
{
	struct sim *sim = sim_open_to_all();

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
	assert_true(lines_with(&sim->host[ALICE], "too many negotiations") <= 150);
	sim_free(sim);
}

/* All at the same time: nobody had time to answer, so the one too many is refused. */
static void a_wish_above_the_limit_is_refused_in_words(void **state)
{
	struct sim *sim = sim_open_to_all();
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

/* --------------------------------------------------------- other exchanges */

static void other_versions_and_exchanges_are_counted_and_dropped(void **state)
{
	struct sim *sim = sim_up();
	uint8_t mem[SIM_PACKET_MAX];
	size_t len = message1(sim, mem, 0x3000000);
	unsigned sent = sim->sent;

	mem[17] = 0x20; /* version 2 */
	sim_inject(sim, BOB, mem, len);
	mem[17] = 0x30;
	sim_inject(sim, BOB, mem, len);
	mem[17] = 0x10;
	for (unsigned exchange = 0; exchange < 256; exchange++) {
		mem[18] = (uint8_t)exchange;
		if (exchange != IKE_EXCHANGE_MAIN)
			sim_inject(sim, BOB, mem, len);
	}
	assert_int_equal(sim->sent, sent);
	assert_int_equal(sim_mms(sim, BOB), 1);
	assert_true(sim_logged(sim, BOB, "only version 1 is supported"));
	sim_free(sim);
}

/* A packet with the right cookies from another address or port is not of this main mode. */
static void a_main_mode_is_bound_to_its_path(void **state)
{
	struct sim *sim = sim_new();
	struct ike_path path;

	sim->wire = hold_quick;
	sim->wire_arg = &(unsigned){5};
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	path = sim->kept[5]->path;
	path.remote_port = 501;
	ike_engine_feed(sim->host[BOB].engine, &path, sim->kept[5]->bytes, sim->kept[5]->len);
	path.remote_port = 500;
	path.remote.b[3] = 77;
	ike_engine_feed(sim->host[BOB].engine, &path, sim->kept[5]->bytes, sim->kept[5]->len);
	assert_int_equal(sim_counters(sim, BOB).dropped_unknown_spi, 2);
	assert_int_equal(sim_established(sim, BOB), 0);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flipped_bit_in_the_clear_part),
		cmocka_unit_test(a_flipped_bit_in_the_encrypted_part),
		cmocka_unit_test(garbage_in_every_state_changes_nothing),
		cmocka_unit_test(old_messages_are_not_taken_twice),
		cmocka_unit_test(a_delete_needs_a_valid_hash),
		cmocka_unit_test(one_may_delete_only_what_is_one_s_own),
		cmocka_unit_test(unprotected_notifies_are_only_noted),
		cmocka_unit_test(a_forged_refusal_does_not_end_a_negotiation),
		cmocka_unit_test(a_late_initial_contact_spares_the_new),
		cmocka_unit_test(a_proposal_that_was_not_offered_is_not_taken),
		cmocka_unit_test(identities_must_come_back_as_they_were),
		cmocka_unit_test(reflected_messages_lead_nowhere),
		cmocka_unit_test(a_peer_may_not_have_our_own_identity),
		cmocka_unit_test(an_informational_is_not_taken_twice),
		cmocka_unit_test(quick_mode_hashes_are_verified),
		cmocka_unit_test(half_open_negotiations_are_capped),
		cmocka_unit_test(an_established_peer_has_a_smaller_allowance),
		cmocka_unit_test(a_legitimate_peer_gets_through_a_flood_of_one_source),
		cmocka_unit_test(a_flood_of_wishes_is_bounded_and_starves_nobody),
		cmocka_unit_test(a_wish_above_the_limit_is_refused_in_words),
		cmocka_unit_test(other_versions_and_exchanges_are_counted_and_dropped),
		cmocka_unit_test(a_main_mode_is_bound_to_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
