/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classic BPF machine: an accumulator, an index register, sixteen words of
 * memory, forward jumps only. See cbpf.h.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <linux/filter.h>

#include "util/cbpf.h"

/* ------------------------------------------------------------------ check */

static bool is_load_ok(const struct cbpf_insn *insn, bool *ret_fixed, uint32_t *ret_size)
{
	*ret_fixed = false;
	*ret_size = 0;
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
		*ret_fixed = true;
		*ret_size = BPF_SIZE(insn->code) == BPF_W   ? 4
			    : BPF_SIZE(insn->code) == BPF_H ? 2
							    : 1;
		return true;
	case BPF_LDX | BPF_B | BPF_MSH:
		*ret_fixed = true;
		*ret_size = 1;
		return true;
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
		return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
		return insn->k < CBPF_MEMWORDS;
	}
	return false;
}

static bool is_alu_ok(const struct cbpf_insn *insn)
{
	switch (insn->code) {
	case BPF_ALU | BPF_DIV | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_K:
		return insn->k;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return insn->k < 32;
	case BPF_ALU | BPF_ADD | BPF_K:
	case BPF_ALU | BPF_SUB | BPF_K:
	case BPF_ALU | BPF_MUL | BPF_K:
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_ALU | BPF_OR | BPF_K:
	case BPF_ALU | BPF_XOR | BPF_K:
	case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_MOD | BPF_X:
	case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X:
	case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG:
		return true;
	}
	return false;
}

/* rest: how many instructions follow. */
static bool is_jump_ok(const struct cbpf_insn *insn, size_t rest)
{
	switch (insn->code) {
	case BPF_JMP | BPF_JA:
		return insn->k < rest;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_X:
		return insn->jt < rest && insn->jf < rest;
	}
	return false;
}

static bool is_other_ok(const struct cbpf_insn *insn)
{
	switch (insn->code) {
	case BPF_ST:
	case BPF_STX:
		return insn->k < CBPF_MEMWORDS;
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
		return true;
	}
	return false;
}

int cbpf_check(const struct cbpf_insn *insns, size_t count, uint32_t bytes)
{
	uint32_t size;
	bool fixed;

	if (!count || count > CBPF_INSNS_MAX || BPF_CLASS(insns[count - 1].code) != BPF_RET)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		const struct cbpf_insn *insn = &insns[i];

		if (is_load_ok(insn, &fixed, &size)) {
			if (fixed && (size > bytes || insn->k > bytes - size))
				return -ERANGE;
			continue;
		}
		if (!is_alu_ok(insn) && !is_jump_ok(insn, count - i - 1) && !is_other_ok(insn))
			return -EINVAL;
	}
	return 0;
}

/* -------------------------------------------------------------------- run */

struct machine {
	uint32_t a, x, mem[CBPF_MEMWORDS];
	const uint8_t *frame;
	uint32_t len, captured;
};

static bool fetch(const struct machine *m, uint32_t at, uint32_t size, uint32_t *ret)
{
	uint32_t value = 0;

	if (size > m->captured || at > m->captured - size)
		return false;
	for (uint32_t i = 0; i < size; i++)
		value = value << 8 | m->frame[at + i];
	*ret = value;
	return true;
}

/* False: beyond the frame, the program returns 0. */
static bool load(struct machine *m, const struct cbpf_insn *insn)
{
	uint32_t size = BPF_SIZE(insn->code) == BPF_W ? 4 : BPF_SIZE(insn->code) == BPF_H ? 2 : 1;
	uint32_t *to = BPF_CLASS(insn->code) == BPF_LD ? &m->a : &m->x, byte;

	switch (BPF_MODE(insn->code)) {
	case BPF_ABS:
		return fetch(m, insn->k, size, to);
	case BPF_IND:
		return m->x + insn->k >= m->x && fetch(m, m->x + insn->k, size, to);
	case BPF_MSH:
		if (!fetch(m, insn->k, 1, &byte))
			return false;
		*to = (byte & 0xf) << 2;
		return true;
	case BPF_LEN:
		*to = m->len;
		return true;
	case BPF_MEM:
		*to = m->mem[insn->k];
		return true;
	default: /* BPF_IMM: cbpf_check() lets nothing else in */
		*to = insn->k;
		return true;
	}
}

/* False: a division by zero, the program returns 0. */
static bool compute(struct machine *m, const struct cbpf_insn *insn)
{
	uint32_t by = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		m->a += by;
		break;
	case BPF_SUB:
		m->a -= by;
		break;
	case BPF_MUL:
		m->a *= by;
		break;
	case BPF_DIV:
		if (!by)
			return false;
		m->a /= by;
		break;
	case BPF_MOD:
		if (!by)
			return false;
		m->a %= by;
		break;
	case BPF_AND:
		m->a &= by;
		break;
	case BPF_OR:
		m->a |= by;
		break;
	case BPF_XOR:
		m->a ^= by;
		break;
	case BPF_LSH:
		m->a = by < 32 ? m->a << by : 0;
		break;
	case BPF_RSH:
		m->a = by < 32 ? m->a >> by : 0;
		break;
	default: /* BPF_NEG */
		m->a = -m->a;
		break;
	}
	return true;
}

/* How many instructions to pass over. */
static uint32_t jump(const struct machine *m, const struct cbpf_insn *insn)
{
	uint32_t with = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;
	bool taken;

	switch (BPF_OP(insn->code)) {
	case BPF_JEQ:
		taken = m->a == with;
		break;
	case BPF_JGT:
		taken = m->a > with;
		break;
	case BPF_JGE:
		taken = m->a >= with;
		break;
	case BPF_JSET:
		taken = m->a & with;
		break;
	default: /* BPF_JA */
		return insn->k;
	}
	return taken ? insn->jt : insn->jf;
}

uint32_t cbpf_run(const struct cbpf_insn *insns, const uint8_t *frame, uint32_t len,
		  uint32_t captured)
{
	struct machine m = {.frame = frame, .len = len, .captured = captured};

	for (const struct cbpf_insn *insn = insns;; insn++) {
		switch (BPF_CLASS(insn->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!load(&m, insn))
				return 0;
			break;
		case BPF_ST:
			m.mem[insn->k] = m.a;
			break;
		case BPF_STX:
			m.mem[insn->k] = m.x;
			break;
		case BPF_ALU:
			if (!compute(&m, insn))
				return 0;
			break;
		case BPF_JMP:
			insn += jump(&m, insn);
			break;
		case BPF_RET:
			return BPF_RVAL(insn->code) == BPF_A ? m.a : insn->k;
		default: /* BPF_MISC */
			if (BPF_MISCOP(insn->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		}
	}
}
