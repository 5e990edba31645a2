/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs that choose samples in the kernel: filters translated from classic
 * BPF say what the interpreter says, listeners get what they asked for, and no
 * verdict is another one because somebody listens.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/filter.h>
#include <linux/pkt_cls.h>

#include "datapath/internal.h"
#include "datapath/sampler.h"
#include "tests/lib/cbpf_random.h"
#include "tests/lib/verdict_host.h"
#include "util/cbpf.h"

#define PEER4 "192.0.2.9"

enum { WEB, TELNET, DATABASE, OUT_TELNET, OUT_DATABASE, FILTERS };

static const struct filter_spec specs[FILTERS] = {
	[WEB] = {XI_DIR_IN, XI_ACT_PERMIT, NULL, "me", PROTO_TCP, .local_port = 443},
	[TELNET] = {XI_DIR_IN, XI_ACT_BLOCK, NULL, "me", PROTO_TCP, .local_port = 23},
	[DATABASE] = {XI_DIR_IN, XI_ACT_NEGOTIATE, NULL, "me", PROTO_TCP, .local_port = 5432},
	[OUT_TELNET] = {XI_DIR_OUT, XI_ACT_BLOCK, NULL, "me", PROTO_TCP, .remote_port = 23},
	[OUT_DATABASE] = {XI_DIR_OUT, XI_ACT_NEGOTIATE, NULL, "me", PROTO_TCP, .remote_port = 5432},
};

static const struct cbpf_insn all[] = {{BPF_RET | BPF_K, 0, 0, 1}};
static const struct cbpf_insn nothing[] = {{BPF_RET | BPF_K, 0, 0, 0}};

static struct verdict_host host;
static struct xi_sampler *each; /* of every CPU */
static int cpus;

static int open_host(void **state)
{
	cpus = libbpf_num_possible_cpus();
	each = calloc(cpus, sizeof(*each));
	return each ? verdict_host_open(&host, specs, FILTERS) : -1;
}

static int close_host(void **state)
{
	free(each);
	return verdict_host_close(&host);
}

/* ------------------------------------------------------------ one program alone */

static struct datapath_listener everything(void)
{
	return (struct datapath_listener){.every = 1, .verdicts = 0xf, .dirs = 0x3};
}

static struct datapath_listener filter(const struct cbpf_insn *insns, size_t count)
{
	struct datapath_listener l = everything();

	l.insns = insns;
	l.insn_count = count;
	return l;
}

static int load_error;

/* A chooser for these listeners; -1 and load_error when the kernel does not take it. */
static int choose(const struct datapath_listener *const *listeners, bool xdp)
{
	const struct sampler_opts opts = {
		.listeners = listeners,
		.sampler_fd = host.dp->map[DP_MAP_SAMPLER],
		.samples_fd = host.dp->map[DP_MAP_SAMPLES],
		.xdp = xdp,
		.epoch = 7,
	};
	static char log[1 << 16];
	LIBBPF_OPTS(bpf_prog_load_opts, how, .log_buf = log, .log_size = sizeof(log));
	enum bpf_prog_type type = xdp ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS;
	struct bpf_insn *insns;
	size_t count;
	int fd;

	load_error = sampler_make(&opts, &insns, &count);
	if (load_error)
		return -1;
	log[0] = '\0';
	fd = bpf_prog_load(type, "xi_test", "GPL", insns, count, &how);
	if (fd < 0) {
		load_error = -errno;
		fprintf(stderr, "%s\n", log + (strlen(log) > 2000 ? strlen(log) - 2000 : 0));
	}
	free(insns);
	return fd;
}

static int choose_for(const struct datapath_listener *l, bool xdp)
{
	const struct datapath_listener *list[XI_LISTENERS_MAX] = {l};
	int fd = choose(list, xdp);

	assert_true(fd >= 0);
	return fd;
}

/* Runs it on this sample, on whichever CPU; who wanted it, 0: nobody. */
static uint32_t wanted(int prog, const struct xi_sample *sample)
{
	uint8_t frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);
	uint32_t zero = 0, who = 0;

	assert_int_equal(bpf_map_lookup_elem(host.dp->map[DP_MAP_SAMPLER], &zero, each), 0);
	for (int i = 0; i < cpus; i++)
		each[i].sample = *sample;
	assert_int_equal(bpf_map_update_elem(host.dp->map[DP_MAP_SAMPLER], &zero, each, BPF_ANY),
			 0);
	assert_int_equal(bpf_prog_test_run_opts(prog, &opts), 0);
	/* Whatever it chose, what was decided stands. */
	assert_int_equal(opts.retval, sample->result);
	assert_int_equal(bpf_map_lookup_elem(host.dp->map[DP_MAP_SAMPLER], &zero, each), 0);
	for (int i = 0; i < cpus; i++) {
		who |= each[i].sample.listeners;
		if (each[i].sample.listeners)
			assert_int_equal(each[i].sample.epoch, 7);
	}
	return who;
}

static void forget_samples(void)
{
	datapath_samples(host.dp, NULL, NULL, ~0u);
}

static void random_sample(uint64_t *seed, struct xi_sample *ret)
{
	*ret = (struct xi_sample){.result = XDP_PASS, .action = XI_ACT_PERMIT};
	ret->captured = cbpf_random(seed) % 4 ? XI_SAMPLE_BYTES
					      : cbpf_random(seed) % (XI_SAMPLE_BYTES + 1);
	ret->frame_len = ret->captured + cbpf_random(seed) % 2 * 1000;
	for (unsigned i = 0; i < XI_SAMPLE_BYTES; i++)
		ret->frame[i] = cbpf_random(seed) % 3 ? cbpf_random(seed) % 64 : cbpf_random(seed);
}

static void translated_filters_say_what_the_interpreter_says(void **state)
{
	struct cbpf_insn insns[64];
	uint64_t seed = 3;
	unsigned matched = 0, runs = 0;
	struct xi_sample sample;

	for (int i = 0; i < 1500; i++) {
		size_t count = cbpf_random_program(&seed, insns, 64, XI_SAMPLE_BYTES);
		struct datapath_listener l = filter(insns, count);
		int prog = choose_for(&l, i % 2);

		for (int j = 0; j < 6; j++, runs++) {
			uint32_t said;

			random_sample(&seed, &sample);
			said = cbpf_run(insns, sample.frame, sample.frame_len, sample.captured);
			assert_int_equal(wanted(prog, &sample), !!said);
			matched += !!said;
		}
		close(prog);
		forget_samples();
	}
	assert_in_range(matched, runs / 8, runs - runs / 8);
}

static void each_choice_narrows(void **state)
{
	struct xi_sample sample = {.result = XDP_DROP,
				   .action = XI_ACT_NEGOTIATE,
				   .reason = XI_REASON_CLEAR_INBOUND,
				   .pkt = {.dir = XI_DIR_IN}};
	struct datapath_listener lists[] = {
		everything(), everything(), everything(), everything(),
		everything(), everything(), everything(), everything(),
	};
	const struct datapath_listener *list[XI_LISTENERS_MAX];
	int prog;

	for (int i = 0; i < XI_LISTENERS_MAX; i++)
		list[i] = &lists[i];
	lists[1].verdicts = 1u << XI_ACT_NEGOTIATE;
	lists[2].verdicts = ~(1u << XI_ACT_NEGOTIATE);
	lists[3].dirs = 1u << XI_DIR_OUT;
	lists[4].reasons = 1ull << XI_REASON_CLEAR_INBOUND;
	lists[5].reasons = ~(1ull << XI_REASON_CLEAR_INBOUND);
	lists[6].dropped = true;
	lists[7] = filter(nothing, 1);
	prog = choose(list, true);
	assert_true(prog >= 0);
	assert_int_equal(wanted(prog, &sample), 0x53);
	sample.result = XDP_REDIRECT;
	assert_int_equal(wanted(prog, &sample), 0x13);
	sample.result = XDP_PASS;
	sample.action = XI_ACT_PERMIT;
	sample.reason = XI_REASON_NONE;
	sample.pkt.dir = XI_DIR_OUT;
	assert_int_equal(wanted(prog, &sample), 0x2d);
	close(prog);
	/* The same numbers are other things at TC. */
	prog = choose(list, false);
	assert_true(prog >= 0);
	sample.result = TC_ACT_SHOT;
	assert_int_equal(wanted(prog, &sample), 0x6d);
	sample.result = (uint32_t)TC_ACT_UNSPEC;
	assert_int_equal(wanted(prog, &sample), 0x2d);
	close(prog);
	forget_samples();
}

/* A rule has a number in each generation, a built-in filter a place. */
static void rules_are_those_of_their_generation(void **state)
{
	const struct datapath_rules rules[] = {
		{.generation = 5,
		 .count = 2,
		 .rule = {3, 70000},
		 .builtin_count = 1,
		 .builtin = {0}},
		{.generation = 6, .count = 1, .rule = {1}},
		{.generation = 7},
	};
	static const struct {
		uint32_t generation, rule, filter_idx;
		bool wanted;
	} cases[] = {
		{5, 3, 9, true},
		{5, 70000, 9, true},
		{5, 1, 9, false},
		{5, XI_NO_FILTER, 0, true},
		{5, XI_NO_FILTER, 1, false},
		{5, XI_NO_FILTER, XI_NO_FILTER, false},
		{6, 1, 9, true},
		{6, 3, 9, false},
		{6, XI_NO_FILTER, 0, false},
		{7, 1, 9, false},
		{7, XI_NO_FILTER, 0, false},
		{4, 3, 9, false},
	};
	struct datapath_listener l = everything(), beside = everything();
	const struct datapath_listener *list[XI_LISTENERS_MAX] = {&l, &beside};
	int prog;

	l.rules = rules;
	l.generations = 3;
	prog = choose(list, true);
	assert_true(prog >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct xi_sample sample = {.result = XDP_PASS,
					   .action = XI_ACT_PERMIT,
					   .generation = cases[i].generation,
					   .rule = cases[i].rule,
					   .filter_idx = cases[i].filter_idx};

		assert_int_equal(wanted(prog, &sample), cases[i].wanted ? 3 : 2);
	}
	close(prog);
	/* Rules that are nowhere: nothing leads behind them. */
	l.rules = &rules[2];
	l.generations = 1;
	l.every = 10;
	prog = choose(list, false);
	assert_true(prog >= 0);
	assert_int_equal(wanted(prog, &(struct xi_sample){.action = XI_ACT_PERMIT,
							  .generation = 7,
							  .rule = XI_NO_FILTER}),
			 2);
	close(prog);
	forget_samples();
}

static void one_in_n_is_told_after_the_filter(void **state)
{
	struct xi_sample sample = {.result = XDP_PASS, .captured = 1, .frame_len = 1};
	/* ether[0] != 0 */
	static const struct cbpf_insn odd[] = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, 0},
					       {BPF_RET | BPF_A, 0, 0, 0}};
	struct datapath_listener l = filter(odd, 2);
	unsigned told = 0;
	int prog;

	l.every = 10;
	prog = choose_for(&l, true);
	for (int i = 0; i < 300; i++) {
		sample.frame[0] = i % 3 == 0;
		told += wanted(prog, &sample);
	}
	/* Of a hundred; the last turn of this CPU may be under way. */
	assert_int_equal(told, 10);
	close(prog);
	/* Somebody else's turn that was longer does not make this one wait. */
	l.every = 1000;
	prog = choose_for(&l, true);
	sample.frame[0] = 1;
	for (int i = 0; i < 3; i++)
		wanted(prog, &sample);
	close(prog);
	l.every = 5;
	prog = choose_for(&l, true);
	assert_int_equal(wanted(prog, &sample), 1);
	close(prog);
	forget_samples();
}

static void what_cannot_be_reached_is_left_out(void **state)
{
	static const struct cbpf_insn odd[] = {
		{BPF_JMP | BPF_JA, 0, 0, 1}, {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
		{BPF_RET | BPF_K, 0, 0, 1},  {BPF_MISC | BPF_TAX, 0, 0, 0},
		{BPF_RET | BPF_A, 0, 0, 0},
	};
	struct xi_sample sample = {.result = XDP_PASS};
	struct datapath_listener l = filter(odd, 5);
	int prog = choose_for(&l, true);

	assert_int_equal(wanted(prog, &sample), 1);
	close(prog);
	forget_samples();
}

static void a_filter_too_long_for_its_jumps_is_refused(void **state)
{
	static struct cbpf_insn insns[CBPF_INSNS_MAX];
	struct datapath_listener l = filter(insns, CBPF_INSNS_MAX);
	const struct datapath_listener *list[XI_LISTENERS_MAX] = {&l, &l};
	uint32_t epoch = 0;

	for (size_t i = 0; i < CBPF_INSNS_MAX; i++)
		insns[i] = (struct cbpf_insn){BPF_LD | BPF_W | BPF_IND, 0, 0, i % 64};
	insns[CBPF_INSNS_MAX - 1].code = BPF_RET | BPF_A;
	assert_int_equal(cbpf_check(insns, CBPF_INSNS_MAX, XI_SAMPLE_BYTES), 0);
	assert_int_equal(choose(list, true), -1);
	assert_int_equal(load_error, -E2BIG);
	assert_int_equal(datapath_listen(host.dp, list, false, &epoch), -E2BIG);
	assert_int_equal(epoch, 0);
}

/* Else the time to load grows with the product of the filters, and somebody waits for it. */
static void the_verifier_takes_each_filter_by_itself(void **state)
{
	static char log[1 << 12];
	LIBBPF_OPTS(bpf_prog_load_opts, how, .log_buf = log, .log_size = sizeof(log),
		    .log_level = 4);
	struct sampler_opts opts = {.sampler_fd = host.dp->map[DP_MAP_SAMPLER],
				    .samples_fd = host.dp->map[DP_MAP_SAMPLES],
				    .xdp = true};
	const struct datapath_listener *list[XI_LISTENERS_MAX];
	struct datapath_listener l[XI_LISTENERS_MAX];
	struct cbpf_insn insns[XI_LISTENERS_MAX][64];
	unsigned long processed[XI_LISTENERS_MAX + 1] = {0};
	uint64_t seed = 8;
	struct bpf_insn *made;
	const char *found;
	size_t count;
	int fd;

	for (int i = 0; i < XI_LISTENERS_MAX; i++)
		l[i] = filter(insns[i], cbpf_random_program(&seed, insns[i], 64, XI_SAMPLE_BYTES));
	/* Each alone, then all. */
	for (int i = 0; i <= XI_LISTENERS_MAX; i++) {
		for (int j = 0; j < XI_LISTENERS_MAX; j++)
			list[j] = i == j || i == XI_LISTENERS_MAX ? &l[j] : NULL;
		opts.listeners = list;
		assert_int_equal(sampler_make(&opts, &made, &count), 0);
		log[0] = '\0';
		fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "xi_test", "GPL", made, count, &how);
		free(made);
		assert_true(fd >= 0);
		close(fd);
		found = strstr(log, "processed ");
		assert_non_null(found);
		processed[i] = strtoul(found + strlen("processed "), NULL, 10);
	}
	for (int i = 0; i < XI_LISTENERS_MAX; i++)
		processed[0] += i ? processed[i] : 0;
	print_message("eight filters: %lu instructions verified together, %lu one by one\n",
		      processed[XI_LISTENERS_MAX], processed[0]);
	assert_true(processed[XI_LISTENERS_MAX] <= 2 * processed[0]);
}

/* --------------------------------------------------------- behind the programs */

static struct {
	unsigned count;
	struct xi_sample last;
} seen;

static void on_sample(void *arg, const struct xi_sample *sample)
{
	seen.count++;
	seen.last = *sample;
}

/* How many samples there were since; the last one is in seen. */
static unsigned samples(void)
{
	seen.count = 0;
	datapath_samples(host.dp, on_sample, NULL, ~0u);
	return seen.count;
}

static uint32_t listen_with(const struct datapath_listener *l)
{
	const struct datapath_listener *list[XI_LISTENERS_MAX] = {NULL, NULL, l};
	uint32_t epoch = 0;

	assert_int_equal(datapath_listen(host.dp, list, false, &epoch), 0);
	assert_int_equal(datapath_sampling(host.dp, true), 0);
	assert_int_not_equal(epoch, 0);
	return epoch;
}

static const struct frame_spec frames[] = {
	{.src = PEER4, .dst = ME4, .proto = PROTO_TCP, .sport = 4000, .dport = 443},
	{.src = PEER4, .dst = ME4, .proto = PROTO_TCP, .sport = 4000, .dport = 23},
	{.src = PEER4, .dst = ME4, .proto = PROTO_TCP, .sport = 4000, .dport = 5432},
	{.src = PEER4, .dst = ME4, .proto = PROTO_UDP, .sport = 4000, .dport = 9, .payload = 900},
	{.src = ME4, .dst = PEER4, .proto = PROTO_TCP, .sport = 4000, .dport = 23},
	{.src = PEER4, .dst = ME4, .proto = PROTO_TCP, .sport = 4000, .dport = 23, .vlans = 1},
};
#define FRAMES (sizeof(frames) / sizeof(*frames))

static void no_verdict_changes_because_somebody_listens(void **state)
{
	struct datapath_listener listeners[] = {everything(), filter(all, 1), filter(nothing, 1)};

	/* The hook behind them takes packets, not frames. */
	for (unsigned hook = 0; hook < XI_HOOK_NF_INGRESS; hook++)
		for (size_t i = 0; i < FRAMES; i++) {
			struct testrun_result quiet = verdict_of(host.run, hook, &frames[i]);

			for (size_t j = 0; j < 3; j++) {
				struct testrun_result loud;

				listen_with(&listeners[j]);
				loud = verdict_of(host.run, hook, &frames[i]);
				assert_int_equal(loud.retval, quiet.retval);
				assert_int_equal(loud.action, quiet.action);
				assert_int_equal(loud.reason, quiet.reason);
				assert_int_equal(samples(), j < 2);
				/* And when the kernel does not choose. */
				datapath_listen_end(host.dp);
				loud = verdict_of(host.run, hook, &frames[i]);
				assert_int_equal(loud.retval, quiet.retval);
				assert_int_equal(samples(), 1);
				assert_int_equal(seen.last.listeners, 0);
				datapath_sampling(host.dp, false);
			}
		}
}

static void a_sample_says_what_happened(void **state)
{
	struct datapath_listener l = filter(all, 1);
	uint32_t epoch = listen_with(&l);
	struct testrun_result result;
	struct frame frame;

	for (size_t i = 0; i < FRAMES; i++) {
		frame_build(&frame, &frames[i]);
		result = verdict_of(host.run, XI_HOOK_XDP_INGRESS, &frames[i]);
		assert_int_equal(samples(), 1);
		assert_int_equal(seen.last.listeners, 4);
		assert_int_equal(seen.last.epoch, epoch);
		assert_int_equal(seen.last.hook, XI_HOOK_XDP_INGRESS);
		assert_int_equal(seen.last.result, result.retval);
		assert_int_equal(seen.last.action, result.action);
		assert_int_equal(seen.last.reason, result.reason);
		assert_int_equal(seen.last.filter_idx, result.filter_idx);
		assert_int_equal(seen.last.generation, result.generation);
		assert_int_equal(seen.last.rule,
				 result.filter_idx == XI_NO_FILTER
					 ? XI_NO_FILTER
					 : host.image->filters[result.filter_idx].rule);
		assert_memory_equal(&seen.last.pkt, &result.pkt, sizeof(result.pkt));
		assert_int_equal(seen.last.frame_len, frame.len);
		assert_int_equal(seen.last.captured,
				 frame.len < XI_SAMPLE_BYTES ? frame.len : XI_SAMPLE_BYTES);
		assert_memory_equal(seen.last.frame, frame.data, seen.last.captured);
	}
	datapath_sampling(host.dp, false);
	verdict_of(host.run, XI_HOOK_XDP_INGRESS, &frames[0]);
	assert_int_equal(samples(), 0);
}

/* The worker is told by a mark over the source address; those who look on see the address. */
static void a_packet_for_the_worker_has_its_own_source_address(void **state)
{
	const struct frame_spec spec = {
		.src = ME4, .dst = PEER4, .proto = PROTO_TCP, .sport = 4000, .dport = 5432};
	struct xi_iface iface = {.tap_ifindex = 42, .mac = {2, 1, 2, 3, 4, 5}};
	struct datapath_listener l = everything();
	struct testrun_result result;
	uint32_t lo = LO;

	assert_int_equal(bpf_map_update_elem(host.dp->map[DP_MAP_IFACE], &lo, &iface, BPF_ANY), 0);
	listen_with(&l);
	result = verdict_of(host.run, XI_HOOK_TC_EGRESS, &spec);
	expect_fate(result, REDIRECT, HELD);
	assert_int_equal(result.out[6], XI_TAP_MAGIC0);
	assert_int_equal(samples(), 1);
	assert_int_equal(seen.last.action, XI_ACT_NEGOTIATE);
	assert_memory_equal(seen.last.frame + 6, iface.mac, sizeof(iface.mac));
	bpf_map_delete_elem(host.dp->map[DP_MAP_IFACE], &lo);
	datapath_sampling(host.dp, false);
}

/* Puts a tag beside the packet, as a VLAN device does, and goes on to our program. */
static int tagging_program(void)
{
	const uint32_t index = XI_PROG_INDEX(XI_HOOK_TC_EGRESS, host.dp->ctl->active & 1);
	const struct bpf_insn insns[] = {
		{BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, htons(0x8100)},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 0x2005},
		{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_vlan_push},
		{BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_6, 0, 0},
		{BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0,
		 host.dp->map[DP_MAP_TC_SLOTS]},
		{0, 0, 0, 0, 0},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, (int)index},
		{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 99},
		{BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "xi_test_tag", "GPL", insns,
			     sizeof(insns) / sizeof(*insns), NULL);
}

static void a_tag_beside_the_packet_is_back_in_its_frame(void **state)
{
	static const uint8_t tag[] = {0x81, 0, 0x20, 5, 8, 0};
	struct datapath_listener l = everything();
	int prog = tagging_program();
	struct frame frame;

	frame_build(&frame, &frames[4]);
	assert_true(prog >= 0);
	listen_with(&l);
	for (size_t extra = 0; extra < 900; extra += 75) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame.data,
			    .data_size_in = frame.len + extra, .repeat = 1);

		assert_int_equal(bpf_prog_test_run_opts(prog, &opts), 0);
		assert_int_equal(opts.retval, TC_ACT_SHOT);
		assert_int_equal(samples(), 1);
		assert_int_equal(seen.last.frame_len, frame.len + extra + 4);
		assert_int_equal(seen.last.captured, frame.len + extra + 4 < XI_SAMPLE_BYTES
							     ? frame.len + extra + 4
							     : XI_SAMPLE_BYTES);
		assert_memory_equal(seen.last.frame, frame.data, 12);
		assert_memory_equal(seen.last.frame + 12, tag, sizeof(tag));
		assert_memory_equal(seen.last.frame + 18, frame.data + 14, seen.last.captured - 18);
	}
	close(prog);
	datapath_sampling(host.dp, false);
}

static void a_full_ring_loses_samples_and_counts_them(void **state)
{
	struct datapath_listener l = everything();
	struct testrun_result result;
	uint64_t before, after;
	struct frame frame;
	double ns;

	frame_build(&frame, &frames[1]);
	listen_with(&l);
	assert_int_equal(datapath_samples_lost(host.dp, &before), 0);
	assert_int_equal(
		testrun_time(host.run, XI_HOOK_XDP_INGRESS, frame.data, frame.len, 20000, &ns), 0);
	/* Even then the packet is dropped as it must be. */
	result = verdict_of(host.run, XI_HOOK_XDP_INGRESS, &frames[1]);
	expect_fate(result, DROP, BLOCKED);
	assert_int_equal(datapath_samples_lost(host.dp, &after), 0);
	assert_true(after > before);
	assert_int_equal(samples() + after - before, 20001);
	datapath_sampling(host.dp, false);
}

/* The least of some, so that what else the machine does counts little. */
static void cost(const struct datapath_listener *l, double *best)
{
	struct frame frame;
	double ns;

	frame_build(&frame, &frames[0]);
	if (l)
		listen_with(l);
	assert_int_equal(
		testrun_time(host.run, XI_HOOK_XDP_INGRESS, frame.data, frame.len, 4000, &ns), 0);
	*best = ns < *best ? ns : *best;
	samples();
	datapath_sampling(host.dp, false);
}

/* For people: figures are printed, not judged. */
static void what_listening_costs(void **state)
{
	/* tcp port 80, as libpcap translates it for IPv4 and IPv6 */
	static const struct cbpf_insn port[] = {
		{0x28, 0, 0, 12},   {0x15, 0, 8, 0x86dd}, {0x30, 0, 0, 20},
		{0x15, 2, 0, 0x84}, {0x15, 1, 0, 6},	  {0x15, 0, 17, 0x11},
		{0x28, 0, 0, 54},   {0x15, 14, 0, 80},	  {0x28, 0, 0, 56},
		{0x15, 12, 13, 80}, {0x15, 0, 12, 0x800}, {0x30, 0, 0, 23},
		{0x15, 2, 0, 0x84}, {0x15, 1, 0, 6},	  {0x15, 0, 8, 0x11},
		{0x28, 0, 0, 20},   {0x45, 6, 0, 0x1fff}, {0xb1, 0, 0, 14},
		{0x48, 0, 0, 14},   {0x15, 2, 0, 80},	  {0x48, 0, 0, 16},
		{0x15, 0, 1, 80},   {0x6, 0, 0, 262144},  {0x6, 0, 0, 0},
	};
	struct datapath_listener none = filter(port, 24), every = everything(), some = everything();

	double best[4] = {1e9, 1e9, 1e9, 1e9};

	assert_int_equal(cbpf_check(port, 24, XI_SAMPLE_BYTES), 0);
	some.every = 1000;
	/* Figures to be read, of an emulated CPU not worth much. */
	for (int i = 0; i < (getenv("XI_QUICK") ? 2 : 20); i++) {
		cost(NULL, &best[0]);
		cost(&none, &best[1]);
		cost(&some, &best[2]);
		cost(&every, &best[3]);
	}
	print_message("a packet: nobody listens %.0f ns, a filter that it does not match %.0f ns, "
		      "one in 1000 %.0f ns, all %.0f ns\n",
		      best[0], best[1], best[2], best[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(translated_filters_say_what_the_interpreter_says),
		cmocka_unit_test(each_choice_narrows),
		cmocka_unit_test(rules_are_those_of_their_generation),
		cmocka_unit_test(one_in_n_is_told_after_the_filter),
		cmocka_unit_test(what_cannot_be_reached_is_left_out),
		cmocka_unit_test(a_filter_too_long_for_its_jumps_is_refused),
		cmocka_unit_test(the_verifier_takes_each_filter_by_itself),
		cmocka_unit_test(no_verdict_changes_because_somebody_listens),
		cmocka_unit_test(a_sample_says_what_happened),
		cmocka_unit_test(a_packet_for_the_worker_has_its_own_source_address),
		cmocka_unit_test(a_tag_beside_the_packet_is_back_in_its_frame),
		cmocka_unit_test(a_full_ring_loses_samples_and_counts_them),
		cmocka_unit_test(what_listening_costs),
	};

	if (geteuid()) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, open_host, close_host);
}
