/* SPDX-License-Identifier: BSD-2-Clause */
/* The classic BPF machine against libpcap's, on random programs and on real filters and frames. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#ifdef HAVE_PCAP
#include <pcap/pcap.h>
#else
#include <linux/filter.h>
#endif

#include "tests/lib/cbpf_random.h"
#include "tests/lib/data.h"
#include "util/cbpf.h"
#include "util/pcap.h"

#define BYTES 128

#define ONE(...)                                                                                   \
	(const struct cbpf_insn[]){__VA_ARGS__},                                                   \
		sizeof((const struct cbpf_insn[]){__VA_ARGS__}) / sizeof(struct cbpf_insn)
#define END                                                                                        \
	{                                                                                          \
		.code = BPF_RET | BPF_K, .k = 1                                                    \
	}

static void what_could_leave_the_program_or_the_frame_is_refused(void **state)
{
	assert_int_equal(cbpf_check(ONE(END), BYTES), 0);
	assert_int_equal(cbpf_check(NULL, 0, BYTES), -EINVAL);
	/* no end */
	assert_int_equal(cbpf_check(ONE({.code = BPF_MISC | BPF_TAX}), BYTES), -EINVAL);
	/* jumps to the end, behind it, and around */
	assert_int_equal(cbpf_check(ONE({.code = BPF_JMP | BPF_JA, .k = 0}, END), BYTES), 0);
	assert_int_equal(cbpf_check(ONE({.code = BPF_JMP | BPF_JA, .k = 1}, END), BYTES), -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = BPF_JMP | BPF_JA, .k = ~0u}, END), BYTES),
			 -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 1}, END), BYTES),
			 -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = BPF_JMP | BPF_JEQ | BPF_K, .jf = 1}, END), BYTES),
			 -EINVAL);
	/* memory */
	assert_int_equal(cbpf_check(ONE({.code = BPF_ST, .k = 15}, END), BYTES), 0);
	assert_int_equal(cbpf_check(ONE({.code = BPF_ST, .k = 16}, END), BYTES), -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = BPF_STX, .k = 16}, END), BYTES), -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = BPF_LD | BPF_MEM, .k = 16}, END), BYTES), -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = BPF_LDX | BPF_MEM, .k = 16}, END), BYTES),
			 -EINVAL);
	/* the frame */
	assert_int_equal(cbpf_check(ONE({.code = BPF_LD | BPF_W | BPF_ABS, .k = 124}, END), BYTES),
			 0);
	assert_int_equal(cbpf_check(ONE({.code = BPF_LD | BPF_W | BPF_ABS, .k = 125}, END), BYTES),
			 -ERANGE);
	assert_int_equal(cbpf_check(ONE({.code = BPF_LD | BPF_B | BPF_ABS, .k = ~0u}, END), BYTES),
			 -ERANGE);
	assert_int_equal(cbpf_check(ONE({.code = BPF_LDX | BPF_B | BPF_MSH, .k = 128}, END), BYTES),
			 -ERANGE);
	/* arithmetic that has no result, instructions that are none */
	assert_int_equal(cbpf_check(ONE({.code = BPF_ALU | BPF_DIV | BPF_K}, END), BYTES), -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = BPF_ALU | BPF_MOD | BPF_K}, END), BYTES), -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = BPF_ALU | BPF_LSH | BPF_K, .k = 32}, END), BYTES),
			 -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = 0xffff}, END), BYTES), -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = BPF_LD | 0x18 | BPF_ABS}, END), BYTES), -EINVAL);
	assert_int_equal(cbpf_check(ONE({.code = BPF_RET | BPF_X}), BYTES), -EINVAL);
}

/* tcp dst port 443 in IPv4 without options, by hand. */
static void a_small_filter_tells_frames_apart(void **state)
{
	static const struct cbpf_insn https[] = {
		{BPF_LD | BPF_H | BPF_ABS, 0, 0, 12},
		{BPF_JMP | BPF_JEQ | BPF_K, 0, 6, 0x0800},
		{BPF_LD | BPF_B | BPF_ABS, 0, 0, 23},
		{BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 6},
		{BPF_LDX | BPF_B | BPF_MSH, 0, 0, 14},
		{BPF_LD | BPF_H | BPF_IND, 0, 0, 16},
		{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 443},
		{BPF_RET | BPF_K, 0, 0, 0xffff},
		{BPF_RET | BPF_K, 0, 0, 0},
	};
	uint8_t frame[54] = {[12] = 8, [14] = 0x45, [23] = 6, [36] = 1, [37] = 0xbb};

	assert_int_equal(cbpf_check(https, 9, BYTES), 0);
	assert_int_equal(cbpf_run(https, frame, 54, 54), 0xffff);
	assert_int_equal(cbpf_run(https, frame, 54, 37), 0); /* the port is cut off */
	frame[37]++;
	assert_int_equal(cbpf_run(https, frame, 54, 54), 0);
}

static void a_load_beyond_the_frame_ends_the_program(void **state)
{
	static const struct cbpf_insn far[] = {
		{BPF_LDX | BPF_IMM, 0, 0, 0xfffffff0}, /* wraps around to 4 */
		{BPF_LD | BPF_B | BPF_IND, 0, 0, 20},
		{BPF_RET | BPF_K, 0, 0, 7},
	};
	const uint8_t frame[16] = {0};

	assert_int_equal(cbpf_check(far, 3, BYTES), 0);
	assert_int_equal(cbpf_run(far, frame, 16, 16), 0);
}

#ifdef HAVE_PCAP
/* Its struct has fields of the same widths, in the same order. */
static uint32_t by_libpcap(const struct cbpf_insn *insns, const uint8_t *frame, uint32_t len,
			   uint32_t captured)
{
	_Static_assert(sizeof(struct bpf_insn) == sizeof(struct cbpf_insn), "not the same");
	return bpf_filter((const struct bpf_insn *)insns, frame, len, captured);
}

static void random_programs_say_what_libpcap_says(void **state)
{
	struct cbpf_insn insns[64];
	uint64_t seed = 20261122;
	unsigned matched = 0;
	uint8_t frame[BYTES];

	for (int i = 0; i < 40000; i++) {
		size_t count = cbpf_random_program(&seed, insns, 64, BYTES);

		assert_int_equal(cbpf_check(insns, count, BYTES), 0);
		for (int j = 0; j < 4; j++) {
			uint32_t captured = cbpf_random(&seed) % 4 ? BYTES
								   : cbpf_random(&seed) % BYTES,
				 len = captured + cbpf_random(&seed) % 2 * 1000;
			uint32_t said;

			for (size_t k = 0; k < sizeof(frame); k++)
				frame[k] = cbpf_random(&seed) % 3 ? cbpf_random(&seed) % 64
								  : cbpf_random(&seed);
			said = cbpf_run(insns, frame, len, captured);
			assert_int_equal(said, by_libpcap(insns, frame, len, captured));
			matched += !!said;
		}
	}
	/* Neither all nor nothing, else this shows little. */
	assert_in_range(matched, 20000, 140000);
}

static const char *const filters[] = {
	"tcp port 443 and host 10.1.2.3",
	"udp",
	"udp port 500 or udp port 4500",
	"ip6",
	"icmp[icmptype] = icmp-echo",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	"vlan and ip",
	"net 10.0.0.0/8 and not portrange 1-1023",
	"greater 200",
	"less 100 and (tcp or udp)",
	"ip[6:2] & 0x1fff != 0",
	"esp or ah",
	"src net 192.168.0.0/16 or dst host 2001:db8::1",
	"ether broadcast or ether multicast",
	"udp[8:4] != 0",
	"ip proto 50 and len >= 100",
	"arp",
	"host 192.0.2.1 and port 22",
	"tcp dst port 22 and tcp[13] = 2",
	"ip6 and udp dst port 500",
};
#define FILTERS (sizeof(filters) / sizeof(*filters))

static unsigned on_capture(const char *path, const struct bpf_program *programs)
{
	struct capture_packet packet;
	struct capture *capture;
	unsigned frames = 0;
	size_t len;
	char *mem = data_read(path, &len);

	if (!mem || capture_open_mem(mem, len, &capture)) {
		free(mem);
		return 0;
	}
	while (capture_next(capture, &packet) > 0) {
		uint32_t captured = packet.len < BYTES ? packet.len : BYTES;

		for (size_t i = 0; i < FILTERS; i++)
			assert_int_equal(!!cbpf_run((const struct cbpf_insn *)programs[i].bf_insns,
						    packet.p, packet.wire_len, captured),
					 !!bpf_filter(programs[i].bf_insns, packet.p,
						      packet.wire_len, captured));
		frames++;
	}
	capture_close(capture);
	free(mem);
	return frames;
}

static void real_filters_say_what_libpcap_says_of_real_frames(void **state)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
	struct bpf_program programs[FILTERS];
	static const char *const folders[] = {"tcpdump", "wireshark", "suricata-verify", "arkime",
					      "scapy"};
	unsigned frames = 0, captures = 0;
	char folder[64], **list;
	size_t count;

	assert_non_null(pcap);
	for (size_t i = 0; i < FILTERS; i++) {
		if (pcap_compile(pcap, &programs[i], filters[i], 1, PCAP_NETMASK_UNKNOWN))
			fail_msg("%s: %s", filters[i], pcap_geterr(pcap));
		assert_int_equal(cbpf_check((const struct cbpf_insn *)programs[i].bf_insns,
					    programs[i].bf_len, BYTES),
				 0);
	}
	for (size_t f = 0; f < sizeof(folders) / sizeof(*folders); f++) {
		snprintf(folder, sizeof(folder), "captures/%s", folders[f]);
		count = data_list(folder, ".pcap", &list);
		for (size_t i = 0; i < count; i++)
			frames += on_capture(list[i], programs);
		captures += count;
		data_list_free(list, count);
	}
	for (size_t i = 0; i < FILTERS; i++)
		pcap_freecode(&programs[i]);
	pcap_close(pcap);
	if (!frames)
		data_skip("captures");
	print_message("%u frames of %u captures, %zu filters\n", frames, captures, FILTERS);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_could_leave_the_program_or_the_frame_is_refused),
		cmocka_unit_test(a_small_filter_tells_frames_apart),
		cmocka_unit_test(a_load_beyond_the_frame_ends_the_program),
#ifdef HAVE_PCAP
		cmocka_unit_test(random_programs_say_what_libpcap_says),
		cmocka_unit_test(real_filters_say_what_libpcap_says_of_real_frames),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
