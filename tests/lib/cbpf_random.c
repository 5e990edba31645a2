/* SPDX-License-Identifier: BSD-2-Clause */
/* See cbpf_random.h. */
#include <linux/filter.h>

#include "tests/lib/cbpf_random.h"

uint32_t cbpf_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* Numbers that make a difference: small ones, offsets, sign bits, anything. */
static uint32_t constant(uint64_t *seed)
{
	static const uint32_t some[] = {0,  1,	2,    4,      14,     23,	  31,	      32,
					33, 64, 0xff, 0x0800, 0xffff, 0x80000000, 0xfffffff0, ~0u};

	switch (cbpf_random(seed) % 3) {
	case 0:
		return some[cbpf_random(seed) % (sizeof(some) / sizeof(*some))];
	case 1:
		return cbpf_random(seed) % 160;
	}
	return cbpf_random(seed) << 1 ^ cbpf_random(seed);
}

static void load(uint64_t *seed, struct cbpf_insn *insn, uint32_t bytes)
{
	static const uint16_t sizes[] = {BPF_W, BPF_H, BPF_B};
	uint16_t size = sizes[cbpf_random(seed) % 3];
	uint32_t len = size == BPF_W ? 4 : size == BPF_H ? 2 : 1;

	switch (cbpf_random(seed) % 9) {
	case 0:
	case 1:
		insn->code = BPF_LD | size | BPF_ABS;
		insn->k = cbpf_random(seed) % (bytes - len + 1);
		break;
	case 2:
	case 3:
		insn->code = BPF_LD | size | BPF_IND;
		insn->k = cbpf_random(seed) % 4 ? cbpf_random(seed) % 40 : constant(seed);
		break;
	case 4:
		insn->code = BPF_LDX | BPF_B | BPF_MSH;
		insn->k = cbpf_random(seed) % bytes;
		break;
	case 5:
		insn->code = (cbpf_random(seed) % 2 ? BPF_LD : BPF_LDX) | BPF_W | BPF_LEN;
		break;
	case 6:
	case 7:
		insn->code = (cbpf_random(seed) % 2 ? BPF_LD : BPF_LDX) | BPF_MEM;
		insn->k = cbpf_random(seed) % CBPF_MEMWORDS;
		break;
	default:
		insn->code = (cbpf_random(seed) % 2 ? BPF_LD : BPF_LDX) | BPF_IMM;
		insn->k = constant(seed);
	}
}

static void alu(uint64_t *seed, struct cbpf_insn *insn)
{
	static const uint16_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_MOD, BPF_AND,
				       BPF_OR,	BPF_XOR, BPF_LSH, BPF_RSH, BPF_NEG};
	uint16_t op = ops[cbpf_random(seed) % (sizeof(ops) / sizeof(*ops))];

	insn->code = BPF_ALU | op;
	if (op == BPF_NEG)
		return;
	insn->code |= cbpf_random(seed) % 2 ? BPF_X : BPF_K;
	insn->k = constant(seed);
	if (op == BPF_LSH || op == BPF_RSH)
		insn->k %= 32;
	if ((op == BPF_DIV || op == BPF_MOD) && !insn->k)
		insn->k = 3;
}

static void jump(uint64_t *seed, struct cbpf_insn *insn, size_t rest)
{
	static const uint16_t ops[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
	uint32_t most = rest < 8 ? rest : 8;

	if (!(cbpf_random(seed) % 12)) {
		insn->code = BPF_JMP | BPF_JA;
		insn->k = cbpf_random(seed) % most;
		return;
	}
	insn->code = BPF_JMP | ops[cbpf_random(seed) % 4] | (cbpf_random(seed) % 4 ? BPF_K : BPF_X);
	insn->k = constant(seed);
	insn->jt = cbpf_random(seed) % most;
	insn->jf = cbpf_random(seed) % most;
}

static void other(uint64_t *seed, struct cbpf_insn *insn)
{
	switch (cbpf_random(seed) % 9) {
	case 0:
	case 1:
	case 2:
		insn->code = BPF_MISC | BPF_TAX;
		break;
	case 3:
	case 4:
		insn->code = BPF_MISC | BPF_TXA;
		break;
	case 5:
		insn->code = BPF_RET | BPF_A;
		break;
	default:
		insn->code = cbpf_random(seed) % 2 ? BPF_ST : BPF_STX;
		insn->k = cbpf_random(seed) % CBPF_MEMWORDS;
	}
}

size_t cbpf_random_program(uint64_t *seed, struct cbpf_insn *ret, size_t max, uint32_t bytes)
{
	size_t count = CBPF_MEMWORDS + 2 + cbpf_random(seed) % (max - CBPF_MEMWORDS - 2), i;

	for (i = 0; i < CBPF_MEMWORDS; i++)
		ret[i] = (struct cbpf_insn){.code = i % 2 ? BPF_ST : BPF_STX, .k = i};
	for (; i + 1 < count; i++) {
		ret[i] = (struct cbpf_insn){0};
		switch (cbpf_random(seed) % 8) {
		case 0:
		case 1:
		case 2:
			load(seed, &ret[i], bytes);
			break;
		case 3:
		case 4:
			alu(seed, &ret[i]);
			break;
		case 5:
		case 6:
			jump(seed, &ret[i], count - i - 1);
			break;
		default:
			other(seed, &ret[i]);
		}
	}
	ret[i] = (struct cbpf_insn){.code = BPF_RET | BPF_A};
	return count;
}
