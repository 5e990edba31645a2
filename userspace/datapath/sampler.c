/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classic BPF to BPF, and what stands around it; see sampler.h.
 *
 * Registers: r7 the sampler; within a filter r1 is the accumulator and r2 the
 * index, both always zero-extended, r3 and r4 are scratch, and its memory is on the
 * stack. The verifier wants no instruction that cannot be reached: those are left
 * out. It must not learn anything on one way through a filter that lasts beyond it,
 * else it follows all ways of all filters: so who wants the sample and how much
 * of a frame there is stay in the sampler, and are read each time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/pkt_cls.h>

#include "datapath/sampler.h"
#include "util/cbpf.h"

#define A	BPF_REG_1
#define X	BPF_REG_2
#define TMP	BPF_REG_3
#define TMP2	BPF_REG_4
#define SAMPLER BPF_REG_7

#define MEM_AT(word) (-(int)(4 * ((word) + 1)))
#define KEY_AT	     MEM_AT(CBPF_MEMWORDS + 1)

/* Where in the sampler. */
#define AT(field)  ((int)offsetof(struct xi_sampler, field))
#define AT_FRAME   AT(sample.frame)
#define AT_SKIP(i) ((int)(offsetof(struct xi_sampler, skip) + 4 * (i)))
/* Jumps reach 32767; half of that keeps the time that the verifier takes below half a second. */
#define LENGTH_MAX 16384

/* What a jump goes to that is not made yet. */
enum label {
	LABEL_MATCH,
	LABEL_NEXT,
	LABEL_OUT,
	LABEL_RULE,	  /* it is of one of the rules */
	LABEL_GENERATION, /* the rules of another generation */
	LABEL_CBPF,	  /* + index of an instruction */
};

struct fixup {
	size_t at;
	uint32_t label;
};

struct maker {
	struct bpf_insn *insns;
	size_t count, room;
	struct fixup *fixups;
	size_t fixup_count, fixup_room;
	bool failed; /* no memory */
};

/* ------------------------------------------------------------------- making */

static void *more(struct maker *m, void *array, size_t *room, size_t size)
{
	size_t wanted = *room ? 2 * *room : 256;
	void *grown = reallocarray(array, wanted, size);

	if (!grown)
		m->failed = true;
	else
		*room = wanted;
	return grown ? grown : array;
}

static void emit(struct maker *m, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	if (m->count == m->room)
		m->insns = more(m, m->insns, &m->room, sizeof(*m->insns));
	if (m->failed)
		return;
	m->insns[m->count++] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static void emit_wide(struct maker *m, uint8_t dst, uint8_t src, uint64_t value)
{
	emit(m, BPF_LD | BPF_DW | BPF_IMM, dst, src, 0, (int32_t)value);
	emit(m, 0, 0, 0, 0, (int32_t)(value >> 32));
}

/* A jump to somewhere further on. */
static void emit_jump(struct maker *m, uint8_t code, uint8_t dst, uint8_t src, int32_t imm,
		      uint32_t label)
{
	if (m->fixup_count == m->fixup_room)
		m->fixups = more(m, m->fixups, &m->fixup_room, sizeof(*m->fixups));
	if (m->failed)
		return;
	m->fixups[m->fixup_count++] = (struct fixup){m->count, label};
	emit(m, code, dst, src, 0, imm);
}

static void emit_goto(struct maker *m, uint32_t label)
{
	emit_jump(m, BPF_JMP | BPF_JA, 0, 0, 0, label);
}

/* All jumps to the label lead here from now on. True if there were any. */
static bool here(struct maker *m, uint32_t label)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->fixup_count; i++) {
		struct fixup *fixup = &m->fixups[i];

		if (fixup->label != label) {
			m->fixups[kept++] = *fixup;
			continue;
		}
		/* Too far is found in the end, by the whole program's length. */
		m->insns[fixup->at].off = (int16_t)(m->count - fixup->at - 1);
	}
	if (kept == m->fixup_count)
		return false;
	m->fixup_count = kept;
	return true;
}

static void load(struct maker *m, uint8_t size, uint8_t dst, uint8_t base, int off)
{
	emit(m, BPF_LDX | BPF_MEM | size, dst, base, off, 0);
}

static void store(struct maker *m, uint8_t size, uint8_t base, int off, uint8_t src)
{
	emit(m, BPF_STX | BPF_MEM | size, base, src, off, 0);
}

static void mov(struct maker *m, uint8_t dst, uint8_t src)
{
	emit(m, BPF_ALU | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void mov_imm(struct maker *m, uint8_t dst, uint32_t value)
{
	emit(m, BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)value);
}

/* ------------------------------------------------------------------ filters */

static void to_host(struct maker *m, uint8_t size, uint8_t reg)
{
	if (size != BPF_B)
		emit(m, BPF_ALU | BPF_END | BPF_TO_BE, reg, 0, 0, size == BPF_W ? 32 : 16);
}

static int bytes_of(uint8_t size)
{
	return size == BPF_W ? 4 : size == BPF_H ? 2 : 1;
}

static void frame_fixed(struct maker *m, uint8_t size, uint8_t dst, uint32_t k)
{
	load(m, BPF_W, TMP, SAMPLER, AT(sample.captured));
	emit_jump(m, BPF_JMP32 | BPF_JLT | BPF_K, TMP, 0, (int32_t)k + bytes_of(size), LABEL_NEXT);
	load(m, size, dst, SAMPLER, AT_FRAME + (int)k);
	to_host(m, size, dst);
}

/* In 64 bits nothing wraps around; the first bound is what the verifier knows the place by. */
static void frame_indexed(struct maker *m, uint8_t size, uint32_t k)
{
	int bytes = bytes_of(size);

	mov_imm(m, TMP, k);
	emit(m, BPF_ALU64 | BPF_ADD | BPF_X, TMP, X, 0, 0);
	emit_jump(m, BPF_JMP | BPF_JGT | BPF_K, TMP, 0, XI_SAMPLE_BYTES - bytes, LABEL_NEXT);
	load(m, BPF_W, TMP2, SAMPLER, AT(sample.captured));
	emit(m, BPF_ALU64 | BPF_SUB | BPF_K, TMP2, 0, 0, bytes);
	emit_jump(m, BPF_JMP | BPF_JSGT | BPF_X, TMP, TMP2, 0, LABEL_NEXT);
	emit(m, BPF_ALU64 | BPF_ADD | BPF_X, TMP, SAMPLER, 0, 0);
	load(m, size, A, TMP, AT_FRAME);
	to_host(m, size, A);
}

static void do_load(struct maker *m, const struct cbpf_insn *insn)
{
	uint8_t to = BPF_CLASS(insn->code) == BPF_LD ? A : X;

	switch (BPF_MODE(insn->code)) {
	case BPF_ABS:
		frame_fixed(m, BPF_SIZE(insn->code), to, insn->k);
		break;
	case BPF_IND:
		frame_indexed(m, BPF_SIZE(insn->code), insn->k);
		break;
	case BPF_MSH:
		frame_fixed(m, BPF_B, X, insn->k);
		emit(m, BPF_ALU | BPF_AND | BPF_K, X, 0, 0, 0xf);
		emit(m, BPF_ALU | BPF_LSH | BPF_K, X, 0, 0, 2);
		break;
	case BPF_LEN:
		load(m, BPF_W, to, SAMPLER, AT(sample.frame_len));
		break;
	case BPF_MEM:
		load(m, BPF_W, to, BPF_REG_10, MEM_AT(insn->k));
		break;
	default: /* BPF_IMM */
		mov_imm(m, to, insn->k);
		break;
	}
}

static void do_alu(struct maker *m, const struct cbpf_insn *insn)
{
	uint8_t op = BPF_OP(insn->code), src = BPF_SRC(insn->code);
	bool by_x = src == BPF_X;

	if (op == BPF_NEG) {
		emit(m, BPF_ALU | BPF_NEG, A, 0, 0, 0);
		return;
	}
	if (by_x && (op == BPF_DIV || op == BPF_MOD))
		emit_jump(m, BPF_JMP32 | BPF_JEQ | BPF_K, X, 0, 0, LABEL_NEXT);
	/* A shift by 32 or more leaves nothing; BPF would shift by the rest. */
	if (by_x && (op == BPF_LSH || op == BPF_RSH)) {
		emit(m, BPF_JMP32 | BPF_JLT | BPF_K, X, 0, 2, 32);
		mov_imm(m, A, 0);
		emit(m, BPF_JMP | BPF_JA, 0, 0, 1, 0);
	}
	emit(m, BPF_ALU | op | src, A, by_x ? X : 0, 0, by_x ? 0 : (int32_t)insn->k);
}

static void do_jump(struct maker *m, const struct cbpf_insn *insn, uint32_t index)
{
	uint8_t op = BPF_OP(insn->code), src = BPF_SRC(insn->code);
	uint32_t next = LABEL_CBPF + index + 1;

	if (op == BPF_JA) {
		emit_goto(m, next + insn->k);
		return;
	}
	emit_jump(m, BPF_JMP32 | op | src, A, src == BPF_X ? X : 0,
		  src == BPF_X ? 0 : (int32_t)insn->k, next + insn->jt);
	if (insn->jf)
		emit_goto(m, next + insn->jf);
}

static void do_other(struct maker *m, const struct cbpf_insn *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ST:
	case BPF_STX:
		store(m, BPF_W, BPF_REG_10, MEM_AT(insn->k),
		      BPF_CLASS(insn->code) == BPF_ST ? A : X);
		break;
	case BPF_RET:
		if (BPF_RVAL(insn->code) == BPF_A)
			emit_jump(m, BPF_JMP32 | BPF_JNE | BPF_K, A, 0, 0, LABEL_MATCH);
		emit_goto(m, BPF_RVAL(insn->code) != BPF_A && insn->k ? LABEL_MATCH : LABEL_NEXT);
		break;
	default: /* BPF_MISC */
		if (BPF_MISCOP(insn->code) == BPF_TAX)
			mov(m, X, A);
		else
			mov(m, A, X);
		break;
	}
}

/* Which instructions can be reached: jumps go forward only, so one pass tells. */
static bool *reachable(const struct cbpf_insn *insns, size_t count)
{
	bool *reached = calloc(count, sizeof(*reached));

	if (!reached)
		return NULL;
	reached[0] = true;
	for (size_t i = 0; i < count; i++) {
		if (!reached[i] || BPF_CLASS(insns[i].code) == BPF_RET)
			continue;
		if (BPF_CLASS(insns[i].code) != BPF_JMP) {
			reached[i + 1] = true;
		} else if (BPF_OP(insns[i].code) == BPF_JA) {
			reached[i + 1 + insns[i].k] = true;
		} else {
			reached[i + 1 + insns[i].jt] = true;
			reached[i + 1 + insns[i].jf] = true;
		}
	}
	return reached;
}

static void clear_memory(struct maker *m, const struct cbpf_insn *insns, size_t count)
{
	bool used[CBPF_MEMWORDS] = {false};

	for (size_t i = 0; i < count; i++)
		if (insns[i].code == (BPF_LD | BPF_MEM) || insns[i].code == (BPF_LDX | BPF_MEM))
			used[insns[i].k] = true;
	for (int i = 0; i < CBPF_MEMWORDS; i++)
		if (used[i])
			emit(m, BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, MEM_AT(i), 0);
}

/* Ends at LABEL_MATCH or LABEL_NEXT. */
static void do_filter(struct maker *m, const struct cbpf_insn *insns, size_t count)
{
	bool *reached = reachable(insns, count);

	if (!reached) {
		m->failed = true;
		return;
	}
	clear_memory(m, insns, count);
	mov_imm(m, A, 0);
	mov_imm(m, X, 0);
	for (size_t i = 0; i < count && !m->failed; i++) {
		here(m, LABEL_CBPF + i);
		if (!reached[i])
			continue;
		switch (BPF_CLASS(insns[i].code)) {
		case BPF_LD:
		case BPF_LDX:
			do_load(m, &insns[i]);
			break;
		case BPF_ALU:
			do_alu(m, &insns[i]);
			break;
		case BPF_JMP:
			do_jump(m, &insns[i], i);
			break;
		default:
			do_other(m, &insns[i]);
			break;
		}
	}
	free(reached);
}

/* ---------------------------------------------------------------- listeners */

/* Goes on to the next listener unless the bit that the field numbers is set. */
static void need_bit(struct maker *m, uint8_t size, int field, uint64_t bits)
{
	load(m, size, TMP, SAMPLER, field);
	emit(m, BPF_ALU | BPF_AND | BPF_K, TMP, 0, 0, 63);
	emit_wide(m, TMP2, 0, bits);
	emit(m, BPF_ALU64 | BPF_RSH | BPF_X, TMP2, TMP, 0, 0);
	emit(m, BPF_ALU64 | BPF_AND | BPF_K, TMP2, 0, 0, 1);
	emit_jump(m, BPF_JMP | BPF_JEQ | BPF_K, TMP2, 0, 0, LABEL_NEXT);
}

static void need_dropped(struct maker *m, bool xdp)
{
	load(m, BPF_W, TMP, SAMPLER, AT(sample.result));
	if (!xdp) {
		emit_jump(m, BPF_JMP32 | BPF_JNE | BPF_K, TMP, 0, TC_ACT_SHOT, LABEL_NEXT);
		return;
	}
	emit_jump(m, BPF_JMP32 | BPF_JEQ | BPF_K, TMP, 0, XDP_PASS, LABEL_NEXT);
	emit_jump(m, BPF_JMP32 | BPF_JEQ | BPF_K, TMP, 0, XDP_TX, LABEL_NEXT);
	emit_jump(m, BPF_JMP32 | BPF_JEQ | BPF_K, TMP, 0, XDP_REDIRECT, LABEL_NEXT);
}

static void rule_in(struct maker *m, int field, const uint32_t *numbers, unsigned count)
{
	if (!count)
		return;
	load(m, BPF_W, TMP, SAMPLER, field);
	for (unsigned i = 0; i < count; i++)
		emit_jump(m, BPF_JMP32 | BPF_JEQ | BPF_K, TMP, 0, (int32_t)numbers[i], LABEL_RULE);
}

/* Goes on behind this for packets of the rules. False: there are none in any generation. */
static bool need_rule(struct maker *m, const struct datapath_listener *l)
{
	for (unsigned i = 0; i < l->generations; i++) {
		const struct datapath_rules *rules = &l->rules[i];

		load(m, BPF_W, TMP, SAMPLER, AT(sample.generation));
		emit_jump(m, BPF_JMP32 | BPF_JNE | BPF_K, TMP, 0, (int32_t)rules->generation,
			  LABEL_GENERATION);
		rule_in(m, AT(sample.rule), rules->rule, rules->count);
		rule_in(m, AT(sample.filter_idx), rules->builtin, rules->builtin_count);
		emit_goto(m, LABEL_NEXT);
		here(m, LABEL_GENERATION);
	}
	emit_goto(m, LABEL_NEXT);
	return here(m, LABEL_RULE);
}

/* One in `every` on this CPU. A count that an earlier listener left is cut off. */
static void need_turn(struct maker *m, unsigned index, uint32_t every)
{
	load(m, BPF_W, TMP, SAMPLER, AT_SKIP(index));
	emit(m, BPF_JMP32 | BPF_JEQ | BPF_K, TMP, 0, 4, 0);
	emit(m, BPF_JMP32 | BPF_JGE | BPF_K, TMP, 0, 3, (int32_t)every);
	emit(m, BPF_ALU | BPF_SUB | BPF_K, TMP, 0, 0, 1);
	store(m, BPF_W, SAMPLER, AT_SKIP(index), TMP);
	emit_goto(m, LABEL_NEXT);
	emit(m, BPF_ST | BPF_MEM | BPF_W, SAMPLER, 0, AT_SKIP(index), (int32_t)every - 1);
}

static void do_listener(struct maker *m, unsigned index, const struct datapath_listener *l,
			bool xdp)
{
	need_bit(m, BPF_W, AT(sample.action), l->verdicts);
	need_bit(m, BPF_B, AT(sample.pkt.dir), l->dirs);
	if (l->reasons)
		need_bit(m, BPF_W, AT(sample.reason), l->reasons);
	if (l->dropped)
		need_dropped(m, xdp);
	if (l->generations && !need_rule(m, l)) {
		here(m, LABEL_NEXT);
		return;
	}
	if (l->insns)
		do_filter(m, l->insns, l->insn_count);
	/* Nothing of a filter that matches nothing leads on. */
	if (here(m, LABEL_MATCH) || !l->insns) {
		if (l->every > 1)
			need_turn(m, index, l->every);
		load(m, BPF_W, TMP, SAMPLER, AT(sample.listeners));
		emit(m, BPF_ALU | BPF_OR | BPF_K, TMP, 0, 0, 1 << index);
		store(m, BPF_W, SAMPLER, AT(sample.listeners), TMP);
	}
	here(m, LABEL_NEXT);
}

static void do_start(struct maker *m, const struct sampler_opts *opts)
{
	emit(m, BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, KEY_AT, 0);
	emit(m, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0);
	emit(m, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, KEY_AT);
	emit_wide(m, BPF_REG_1, BPF_PSEUDO_MAP_FD, (uint32_t)opts->sampler_fd);
	emit(m, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	emit(m, BPF_ALU64 | BPF_MOV | BPF_X, SAMPLER, BPF_REG_0, 0, 0);
	/* Cannot be: the element is there. Without the packet's result, nothing passes. */
	mov_imm(m, BPF_REG_0, opts->xdp ? XDP_DROP : TC_ACT_SHOT);
	emit(m, BPF_JMP | BPF_JNE | BPF_K, SAMPLER, 0, 1, 0);
	emit(m, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	emit(m, BPF_ST | BPF_MEM | BPF_W, SAMPLER, 0, AT(sample.listeners), 0);
}

static void do_end(struct maker *m, const struct sampler_opts *opts)
{
	load(m, BPF_W, TMP, SAMPLER, AT(sample.listeners));
	emit_jump(m, BPF_JMP32 | BPF_JEQ | BPF_K, TMP, 0, 0, LABEL_OUT);
	mov_imm(m, TMP, opts->epoch);
	store(m, BPF_W, SAMPLER, AT(sample.epoch), TMP);
	emit_wide(m, BPF_REG_1, BPF_PSEUDO_MAP_FD, (uint32_t)opts->samples_fd);
	emit(m, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, SAMPLER, 0, 0);
	mov_imm(m, BPF_REG_3, sizeof(struct xi_sample));
	mov_imm(m, BPF_REG_4, 0);
	emit(m, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output);
	emit_jump(m, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, LABEL_OUT);
	load(m, BPF_DW, BPF_REG_1, SAMPLER, AT(lost));
	emit(m, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, 1);
	store(m, BPF_DW, SAMPLER, AT(lost), BPF_REG_1);
	here(m, LABEL_OUT);
	load(m, BPF_W, BPF_REG_0, SAMPLER, AT(sample.result));
	emit(m, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

int sampler_make(const struct sampler_opts *opts, struct bpf_insn **ret, size_t *ret_count)
{
	struct maker m = {0};
	int err = 0;

	_Static_assert(offsetof(struct xi_sampler, sample) == 0, "the sample is sent from there");
	do_start(&m, opts);
	for (unsigned i = 0; i < XI_LISTENERS_MAX; i++)
		if (opts->listeners[i])
			do_listener(&m, i, opts->listeners[i], opts->xdp);
	do_end(&m, opts);
	free(m.fixups);
	if (m.failed)
		err = -ENOMEM;
	else if (m.count > LENGTH_MAX)
		err = -E2BIG;
	if (err) {
		free(m.insns);
		return err;
	}
	*ret = m.insns;
	*ret_count = m.count;
	return 0;
}
