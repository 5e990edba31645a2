/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a classic BPF program and a frame: what passes the check ends, reads
 * only the frame, and says what libpcap's machine says; it can also be
 * translated, to a program of bounded length whose jumps stay inside.
 *
 * First byte: how many instructions. Each is eight bytes; the rest is the frame.
 */
// FUZZ-SOURCES: userspace/util/cbpf.c userspace/datapath/sampler.c
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>

#include "datapath/sampler.h"
#include "util/cbpf.h"

#define INSNS_MAX 255

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#ifdef HAVE_PCAP
/* As <pcap/bpf.h> declares it, which cannot be included beside <linux/filter.h>. */
u_int bpf_filter(const void *insns, const u_char *frame, u_int len, u_int captured);

/* libpcap starts with memory that is not set. */
static void compare(const struct cbpf_insn *insns, size_t count, const uint8_t *frame, size_t len)
{
	struct cbpf_insn all[INSNS_MAX + CBPF_MEMWORDS];

	for (uint32_t i = 0; i < CBPF_MEMWORDS; i++)
		all[i] = (struct cbpf_insn){.code = BPF_ST, .k = i};
	memcpy(all + CBPF_MEMWORDS, insns, count * sizeof(*insns));
	if (cbpf_run(insns, frame, len, len) != bpf_filter(all, frame, len, len)) {
		fprintf(stderr, "libpcap says something else\n");
		abort();
	}
}
#else
static void compare(const struct cbpf_insn *insns, size_t count, const uint8_t *frame, size_t len)
{
	cbpf_run(insns, frame, len, len);
}
#endif

static void translate(const struct cbpf_insn *insns, size_t count)
{
	const struct datapath_listener l = {
		.every = 2, .verdicts = 1, .dirs = 1, .insns = insns, .insn_count = count};
	const struct datapath_listener *list[XI_LISTENERS_MAX] = {&l};
	const struct sampler_opts opts = {.listeners = list, .xdp = true};
	struct bpf_insn *made;
	size_t made_count;

	if (sampler_make(&opts, &made, &made_count))
		abort();
	for (size_t i = 0; i < made_count; i++) {
		uint8_t class = BPF_CLASS(made[i].code), op = BPF_OP(made[i].code);

		if (made[i].code == (BPF_LD | BPF_DW | BPF_IMM)) {
			i++;
			continue;
		}
		if ((class != BPF_JMP && class != BPF_JMP32) || op == BPF_CALL || op == BPF_EXIT)
			continue;
		if (made[i].off < 0 || i + 1 + made[i].off >= made_count)
			abort();
	}
	free(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cbpf_insn insns[INSNS_MAX];
	uint8_t *frame;
	size_t count;

	if (!len)
		return 0;
	count = *data++;
	len--;
	if (count * sizeof(*insns) > len)
		return 0;
	memcpy(insns, data, count * sizeof(*insns));
	data += count * sizeof(*insns);
	len -= count * sizeof(*insns);
	if (cbpf_check(insns, count, XI_SAMPLE_BYTES))
		return 0;
	/* Its own memory, so that a byte too far is noticed. */
	len = len < XI_SAMPLE_BYTES ? len : XI_SAMPLE_BYTES;
	frame = malloc(len ? len : 1);
	if (!frame)
		return 0;
	memcpy(frame, data, len);
	compare(insns, count, frame, len);
	translate(insns, count);
	free(frame);
	return 0;
}
