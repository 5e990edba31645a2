/* SPDX-License-Identifier: BSD-2-Clause */
// FUZZ-SOURCES: tests/lib/sim.c ike/*.c ike/*/*.c userspace/util/addr.c userspace/util/algs.c
/*
 * Two engines in memory, taken some way through a negotiation, and then fed
 * with what the fuzzer makes up, on both sides of the encryption:
 *
 *	byte 0		how many steps of the negotiation happen first
 *	then records:	kind (1), length (1, in units of 4 bytes), bytes
 *
 * The kinds are in enum kind. Under a kind that encrypts, the bytes are a chain
 * of payloads that the receiver decrypts correctly, with a right HASH if wanted:
 * so the parsers and the state machine behind the authentication are reached.
 * The only rule that is checked here is that nothing breaks, leaks or grows.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ike/engine.h"
#include "tests/lib/sim.h"

enum kind {
	RAW,		 /* a datagram as it is */
	HEADED,		 /* a header of this conversation before it */
	MAIN_ENCRYPTED,	 /* as message 5 or 6 */
	PHASE2_HASHED,	 /* quick mode or informational, HASH right */
	PHASE2_UNHASHED, /* the same, HASH as it comes */
	QUICK_REPLY,	 /* as message 2 or 3 of the quick mode under way, HASH right */
	PASS_TIME,
	CALL, /* rekey, gone, close, new rules */
	KINDS,
};

#define RECORDS 12

struct input {
	const uint8_t *p;
	size_t len;
};

static uint8_t take8(struct input *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->p++;
}

static struct v1_mm *first_mm(struct sim *sim, enum sim_who who)
{
	return LIST_FIRST(&sim->host[who].engine->v1.mms);
}

/* The chain behind the HASH ends where its own headers say. */
static size_t rest_len(uint8_t first, const uint8_t *p, size_t len)
{
	struct wire_chain chain;

	if (wire_chain_parse(1, first, p, len, WIRE_PADDED, &chain, NULL))
		return len;
	return len - chain.trailing.len;
}

static void send_chain(struct sim *sim, enum sim_who to, struct v1_mm *mm, uint8_t exchange,
		       uint32_t message_id, uint8_t iv[CRYPTO_BLOCK_MAX], struct wire_buf *wb)
{
	uint8_t copy[CRYPTO_BLOCK_MAX];

	memcpy(copy, iv, sizeof(copy));
	if (!v1_encrypt(mm, copy, wb))
		sim_inject(sim, to, wb->p, wb->len);
}

static void main_encrypted(struct sim *sim, enum sim_who to, const uint8_t *p, size_t len)
{
	struct v1_mm *mm = first_mm(sim, to);
	uint8_t mem[V1_MESSAGE_MAX];
	struct wire_buf wb;

	if (!mm || !len || (mm->state != V1_MM_I5_SENT && mm->state != V1_MM_R4_SENT))
		return;
	v1_begin(&wb, mem, mm, IKE_EXCHANGE_MAIN, 0);
	mem[16] = p[0];
	wire_put(&wb, p + 1, len - 1);
	send_chain(sim, to, mm, IKE_EXCHANGE_MAIN, 0, mm->iv, &wb);
}

/* bytes: exchange and id (1), next payload behind HASH (1), the chain. */
static void phase2(struct sim *sim, enum sim_who to, const uint8_t *p, size_t len, bool hashed)
{
	struct v1_mm *mm = first_mm(sim, to);
	uint8_t mem[V1_MESSAGE_MAX], iv[CRYPTO_BLOCK_MAX], hash[CRYPTO_DIGEST_MAX];
	uint8_t exchange;
	uint32_t message_id;
	struct wire_buf wb;
	size_t hash_at, hash_len, rest;

	if (!mm || mm->state != V1_ESTABLISHED || len < 2)
		return;
	exchange = p[0] & 1 ? IKE_EXCHANGE_QUICK : IKE_EXCHANGE_INFORMATIONAL;
	message_id = 0x1000u + p[0];
	hash_len = crypto_digest_len(mm->method.hash);
	v1_begin(&wb, mem, mm, exchange, message_id);
	hash_at = wire_put_payload_zero(&wb, IKE_PAYLOAD_HASH, hash_len);
	mem[WIRE_HEADER_LEN] = p[1];
	rest = wb.len;
	wire_put(&wb, p + 2, len - 2);
	if (hashed && !ikev1_hash_1(&mm->keys, message_id, mem + rest,
				    rest_len(p[1], mem + rest, len - 2), hash))
		wire_patch(&wb, hash_at, hash, hash_len);
	if (!ikev1_phase2_iv(mm->method.hash, mm->method.cipher, mm->iv, message_id, iv))
		send_chain(sim, to, mm, exchange, message_id, iv, &wb);
}

static void quick_reply(struct sim *sim, enum sim_who to, const uint8_t *p, size_t len)
{
	struct v1_mm *mm = first_mm(sim, to);
	struct v1_qm *qm = mm ? LIST_FIRST(&mm->qms) : NULL;
	uint8_t mem[V1_MESSAGE_MAX], hash[CRYPTO_DIGEST_MAX];
	struct wire_buf wb;
	size_t hash_at, hash_len, rest;
	int err;

	if (!qm || !len || (qm->state != V1_QM_I1_SENT && qm->state != V1_QM_R2_SENT))
		return;
	hash_len = crypto_digest_len(mm->method.hash);
	v1_begin(&wb, mem, mm, IKE_EXCHANGE_QUICK, qm->message_id);
	hash_at = wire_put_payload_zero(&wb, IKE_PAYLOAD_HASH, hash_len);
	mem[WIRE_HEADER_LEN] = p[0];
	rest = wb.len;
	wire_put(&wb, p + 1, len - 1);
	if (qm->state == V1_QM_I1_SENT)
		err = ikev1_hash_2(&mm->keys, qm->message_id, qm->ni.b, qm->ni.len, mem + rest,
				   rest_len(p[0], mem + rest, len - 1), hash);
	else
		err = ikev1_hash_3(&mm->keys, qm->message_id, qm->ni.b, qm->ni.len, qm->nr.b,
				   qm->nr.len, hash);
	if (err)
		return;
	wire_patch(&wb, hash_at, hash, hash_len);
	send_chain(sim, to, mm, IKE_EXCHANGE_QUICK, qm->message_id, qm->iv, &wb);
}

static void headed(struct sim *sim, enum sim_who to, const uint8_t *p, size_t len)
{
	static const uint8_t exchanges[] = {2, 5, 32, 4};
	uint8_t mem[WIRE_HEADER_LEN + 1024] = {0};
	struct v1_mm *mm = first_mm(sim, to);

	if (len < 3)
		return;
	if (mm && !(p[0] & 1))
		memcpy(mem, mm->cookie_i, 8);
	else
		mem[0] = 1;
	if (mm && !(p[0] & 2))
		memcpy(mem + 8, mm->cookie_r, 8);
	mem[16] = p[1];
	mem[17] = 0x10;
	mem[18] = exchanges[p[0] >> 2 & 3];
	mem[19] = p[0] >> 4 & 7;
	mem[23] = p[0] >> 7;
	len -= 2;
	memcpy(mem + WIRE_HEADER_LEN, p + 2, len);
	mem[26] = (uint8_t)((len + WIRE_HEADER_LEN) >> 8);
	mem[27] = (uint8_t)(len + WIRE_HEADER_LEN);
	sim_inject(sim, to, mem, len + WIRE_HEADER_LEN);
}

static void call(struct sim *sim, enum sim_who who, uint8_t what)
{
	struct sim_host *host = &sim->host[who];
	uint32_t spi = host->sa_count ? host->sa[0].in.spi : 0;

	switch (what & 3) {
	case 0:
		ike_engine_rekey(host->engine, spi);
		break;
	case 1:
		ike_engine_sa_gone(host->engine, spi);
		if (host->sa_count)
			host->sa_count--;
		break;
	case 2:
		ike_engine_close(host->engine, &(struct xi_addr){0});
		break;
	case 3:
		host->rule_count = what >> 2 & 1;
		sim_set_rules(sim, who);
		sim_acquire(sim, who);
		break;
	}
}

static void one_record(struct sim *sim, struct input *in)
{
	uint8_t head = take8(in);
	enum sim_who to = head & 0x80 ? ALICE : BOB;
	size_t len = take8(in) * 4u;
	const uint8_t *p = in->p;

	if (len > in->len)
		len = in->len;
	in->p += len;
	in->len -= len;
	switch ((enum kind)((head & 0x7f) % KINDS)) {
	case RAW:
		sim_inject(sim, to, p, len);
		break;
	case HEADED:
		headed(sim, to, p, len);
		break;
	case MAIN_ENCRYPTED:
		main_encrypted(sim, to, p, len);
		break;
	case PHASE2_HASHED:
		phase2(sim, to, p, len, true);
		break;
	case PHASE2_UNHASHED:
		phase2(sim, to, p, len, false);
		break;
	case QUICK_REPLY:
		quick_reply(sim, to, p, len);
		break;
	case PASS_TIME:
		sim_run(sim, len ? p[0] * p[0] : 1);
		break;
	case CALL:
		call(sim, to, len ? p[0] : 0);
		break;
	case KINDS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct sim *sim = sim_new();
	unsigned steps = take8(&in) % 12;

	if (steps)
		sim_acquire(sim, ALICE);
	for (unsigned i = 1; i < steps; i++)
		sim_run(sim, 1);
	for (unsigned i = 0; i < RECORDS && in.len; i++)
		one_record(sim, &in);
	for (int i = 0; i < SIM_HOSTS; i++) {
		/* No growth: a handful of records cannot make more than a handful of things. */
		if (sim_mms(sim, (enum sim_who)i) > RECORDS + 4)
			abort();
	}
	sim_run(sim, 100000);
	sim_free(sim);
	return 0;
}
