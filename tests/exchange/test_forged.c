/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Liars with the right keys, and some without: messages made with the engine's
 * own insides that are wrong in one thing, and the same ones right, to show that
 * it was this thing. Messages are numbered as in test_main_quick.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ike/engine.h"
#include "tests/lib/sim_scenes.h"

#define MESSAGES 9

/* An informational message as this host would make it; hash_ok false: HASH(1) is one bit off. */
static void forge_info(struct sim *sim, enum sim_who from, bool encrypted, bool hash_ok,
		       uint8_t payload, uint8_t protocol, const void *spi, size_t spi_len,
		       uint16_t notify)
{
	uint8_t mem[V1_MESSAGE_MAX], hash[CRYPTO_DIGEST_MAX], iv[CRYPTO_BLOCK_MAX];
	struct v1_mm *mm = sim_mm(sim, from);
	size_t hash_len = crypto_digest_len(mm->method.hash), at = 0, rest;
	uint32_t id = sim_rnd() | 1;
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

static void a_delete_needs_a_valid_hash(void **state)
{
	struct sim *sim = sim_up();
	struct v1_mm *mm = sim_mm(sim, ALICE);
	uint8_t spi[4], cookies[16];

	put_be32(spi, sim->host[ALICE].sa[0].in.spi);
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

	put_be32(in, child->spi_in);
	put_be32(out, child->spi_out);
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

	memcpy(cookies, sim_mm(sim, ALICE)->cookie_i, 8);
	memcpy(cookies + 8, sim_mm(sim, ALICE)->cookie_r, 8);
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
		struct v1_mm *mm = sim_mm(sim, ALICE);
		uint8_t mem[V1_MESSAGE_MAX];
		struct wire_buf wb;

		v1_begin(&wb, mem, mm, IKE_EXCHANGE_INFORMATIONAL, sim_rnd() | 1);
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

/* Message 6 as bob would send it, but with this address as his identity. */
static void forge_message6(struct sim *sim, const struct xi_addr *identity)
{
	struct v1_mm *mm = sim_mm(sim, ALICE);
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
	*ret_qm = LIST_FIRST(&sim_mm(sim, ALICE)->qms);
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

/* Message `number` is held back, decrypted, its HASH bent, encrypted again and sent. */
static void bend_hash(unsigned number)
{
	struct sim *sim = sim_new();
	const struct sim_packet *packet;
	enum sim_who from, to;
	uint8_t mem[SIM_PACKET_MAX], iv[CRYPTO_BLOCK_MAX], iv2[CRYPTO_BLOCK_MAX];
	struct v1_mm *mm;
	struct v1_qm *qm;

	sim->wire = sim_drop_one;
	sim->wire_arg = &number;
	sim_acquire(sim, ALICE);
	sim_run(sim, 100);
	packet = sim->kept[number];
	from = packet->from;
	to = (enum sim_who) !from;
	mm = sim_mm(sim, from);
	memcpy(mem, packet->bytes, packet->len);
	if (number == 7) {
		assert_int_equal(ikev1_phase2_iv(mm->method.hash, mm->method.cipher, mm->iv,
						 get_be32(mem + 20), iv),
				 0);
	} else { /* the chain of the receiver stands before this message */
		qm = LIST_FIRST(&sim_mm(sim, to)->qms);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_delete_needs_a_valid_hash),
		cmocka_unit_test(one_may_delete_only_what_is_one_s_own),
		cmocka_unit_test(unprotected_notifies_are_only_noted),
		cmocka_unit_test(a_forged_refusal_does_not_end_a_negotiation),
		cmocka_unit_test(a_peer_may_not_have_our_own_identity),
		cmocka_unit_test(a_late_initial_contact_spares_the_new),
		cmocka_unit_test(a_proposal_that_was_not_offered_is_not_taken),
		cmocka_unit_test(identities_must_come_back_as_they_were),
		cmocka_unit_test(quick_mode_hashes_are_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
