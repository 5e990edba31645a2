/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strangers on the path. What cannot be verified changes nothing: no state, no
 * SA, no answer worth having. Messages are numbered as in test_main_quick.c.
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
			run_flipped(number, i < 30 ? sim_rnd() % (28 * 8) : sim_rnd() % (300 * 8),
				    false);
	}
}

/* From message 5 on, an altered message is dropped and the good copy does the work. */
static void a_flipped_bit_in_the_encrypted_part(void **state)
{
	for (unsigned number = 5; number <= MESSAGES; number++) {
		for (int i = 0; i < 60; i++)
			run_flipped(number, i < 30 ? sim_rnd() % (28 * 8) : sim_rnd() % (300 * 8),
				    true);
	}
}

static void inject_garbage(struct sim *sim, enum sim_who to)
{
	uint8_t junk[400];
	size_t len = sim_rnd() % sizeof(junk);

	for (size_t i = 0; i < len; i++)
		junk[i] = (uint8_t)sim_rnd();
	sim_inject(sim, to, junk, len);
	/* With a plausible header: the cookies of the conversation, some exchange. */
	if (len < 28 || !sim->kept[1])
		return;
	memcpy(junk, sim->kept[sim->sent < 63 ? sim->sent : 1]->bytes, 16);
	junk[17] = 0x10;
	junk[18] = (uint8_t[]){2, 2, 4, 5, 32, 6}[sim_rnd() % 6];
	junk[19] = sim_rnd() & 1;
	if (sim_rnd() & 1)
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
		for (size_t len = 0; len < packet->len; len += 1 + sim_rnd() % 7) {
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

/* With one key for both directions, alice must not be talked into trusting herself. */
static void reflected_messages_lead_nowhere(void **state)
{
	struct sim *sim = sim_new();
	unsigned next = 1;

	sim->wire = sim_drop_all;
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

static void other_versions_and_exchanges_are_counted_and_dropped(void **state)
{
	struct sim *sim = sim_up();
	uint8_t mem[SIM_PACKET_MAX];
	size_t len = sim_message1(sim, mem, 0x3000000);
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

	sim->wire = sim_drop_one;
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
		cmocka_unit_test(an_informational_is_not_taken_twice),
		cmocka_unit_test(reflected_messages_lead_nowhere),
		cmocka_unit_test(other_versions_and_exchanges_are_counted_and_dropped),
		cmocka_unit_test(a_main_mode_is_bound_to_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
