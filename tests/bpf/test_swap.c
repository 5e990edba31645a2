/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replacing the filter list while packets are being classified on every CPU: each
 * packet gets the answer of one list, the old or the new, and nothing that is
 * counted is lost. The two lists differ in size and in every verdict, so that a
 * mixture cannot look right by chance. Then what a swap that fails or dies half-way
 * leaves behind: always a whole list.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "datapath/internal.h"
#include "tests/lib/verdict.h"

#define ME     "192.0.2.1"
#define PEER   "203.0.113.5"
#define SHORT  10
#define LONG   100000
#define SWAPS  40
#define LEAST  20000 /* test runs that must fall between them */
#define WEB    443
#define TELNET 23

/* lists[0]: short, permits web and blocks telnet. lists[1]: long, the other way round. */
static struct image *lists[2];
static struct testrun *run;
static struct datapath *dp;
static struct frame frames[2];

/* Which list is generation g? They alternate, and lists[g & 1] is it. */
static bool permitted(uint32_t generation, unsigned frame)
{
	return (generation & 1) == frame;
}

/* Filter 0 is about web, filter 1 about telnet; all others are about somebody else. */
static struct image *list_of(size_t count, bool web_passes)
{
	char(*names)[24] = calloc(count, sizeof(*names));
	struct filter_spec *specs = calloc(count, sizeof(*specs));
	struct image *image;

	assert_non_null(specs);
	assert_non_null(names);
	specs[0] = (struct filter_spec){
		XI_DIR_IN,	   web_passes ? XI_ACT_PERMIT : XI_ACT_BLOCK, NULL, "me", PROTO_TCP,
		.local_port = WEB,
	};
	specs[1] = (struct filter_spec){
		XI_DIR_IN, web_passes ? XI_ACT_BLOCK : XI_ACT_PERMIT,
		NULL,	   "me",
		PROTO_TCP, .local_port = TELNET,
	};
	for (size_t i = 2; i < count; i++) {
		/* Full prefixes go before the two above and shift their places. */
		snprintf(names[i], sizeof(names[i]), "10.%zu.%zu.%zu/32", i >> 16 & 255,
			 i >> 8 & 255, i & 255);
		specs[i] = (struct filter_spec){XI_DIR_IN, i & 1 ? XI_ACT_BLOCK : XI_ACT_PERMIT,
						names[i], "me", i & 2 ? PROTO_UDP : 0};
	}
	image = filters_compile(specs, count);
	free(specs);
	free(names);
	return image;
}

static int open_run(void **state)
{
	struct xi_addr me = verdict_addr(ME);
	struct testrun_opts opts = {.me = &me, .me_count = 1};

	lists[0] = list_of(SHORT, true);
	lists[1] = list_of(LONG, false);
	for (unsigned i = 0; i < 2; i++)
		frame_build(&frames[i], &(struct frame_spec){.src = PEER,
							     .dst = ME,
							     .proto = PROTO_TCP,
							     .dport = i ? TELNET : WEB});
	run = verdict_open(NULL, &opts);
	dp = testrun_datapath(run);
	return 0;
}

static int close_run(void **state)
{
	testrun_close(run);
	image_free(lists[0]);
	image_free(lists[1]);
	return 0;
}

/* Makes lists[which] the one in force, whatever was. */
static void enforce(unsigned which)
{
	while ((datapath_generation(dp) & 1) != which || !datapath_generation(dp))
		assert_int_equal(datapath_swap(dp, lists[(datapath_generation(dp) + 1) & 1], NULL),
				 0);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* ------------------------------------------------------- while packets arrive */

struct swapper {
	atomic_bool done;
	int err;
	double worst_ms;
};

/* The test run keeps its thread on one CPU, and threads inherit that: away from there. */
static void leave_this_cpu(void)
{
	cpu_set_t others;

	CPU_ZERO(&others);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (cpu != sched_getcpu())
			CPU_SET(cpu, &others);
	/* With one CPU there is only preemption, which shows less. */
	sched_setaffinity(0, sizeof(others), &others);
}

static void *swap_many_times(void *arg)
{
	struct swapper *swapper = arg;

	leave_this_cpu();
	for (unsigned i = 0; i < SWAPS && !swapper->err; i++) {
		uint64_t from = now_ns();

		swapper->err = datapath_swap(dp, lists[(datapath_generation(dp) + 1) & 1], NULL);
		if ((now_ns() - from) / 1e6 > swapper->worst_ms)
			swapper->worst_ms = (now_ns() - from) / 1e6;
	}
	atomic_store(&swapper->done, true);
	return NULL;
}

/* A second sender on another CPU: only counts, its xi_run is not ours to read. */
struct sender {
	struct swapper *until;
	uint64_t sent, passed;
	int err;
};

static void *send_on_another_cpu(void *arg)
{
	struct sender *sender = arg;

	leave_this_cpu();
	while (!atomic_load(&sender->until->done) && !sender->err) {
		const struct frame *frame = &frames[sender->sent & 1];
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->data,
			    .data_size_in = frame->len, .repeat = 1);

		if (bpf_prog_test_run_opts(dp->prog[DP_PROG_XDP_INGRESS], &opts))
			sender->err = -errno;
		sender->passed += opts.retval == XDP_PASS;
		sender->sent++;
	}
	return NULL;
}

static void no_packet_sees_a_mixture(void **state)
{
	struct testrun_result result;
	struct swapper swapper = {0};
	struct sender sender = {.until = &swapper};
	uint64_t runs = 0, passed = 0;
	struct xi_totals totals;
	unsigned changes = 0;
	pthread_t thread, other;
	uint32_t last = 0;
	/* On one CPU the other sender would write into our xi_run. */
	bool two = sysconf(_SC_NPROCESSORS_ONLN) > 1;

	enforce(1);
	assert_int_equal(pthread_create(&thread, NULL, swap_many_times, &swapper), 0);
	if (two)
		assert_int_equal(pthread_create(&other, NULL, send_on_another_cpu, &sender), 0);
	while (!atomic_load(&swapper.done) || runs < LEAST) {
		unsigned which = runs & 1;
		const struct image *list;

		result = verdict_of_frame(run, XI_HOOK_XDP_INGRESS, &frames[which]);
		list = lists[result.generation & 1];
		if (permitted(result.generation, which)) {
			expect_fate(result, PASS, NONE);
			passed++;
		} else {
			expect_fate(result, DROP, BLOCKED);
		}
		assert_int_equal(result.filter_idx, filters_index(list, which));
		changes += result.generation != last;
		last = result.generation;
		runs++;
	}
	pthread_join(thread, NULL);
	if (two)
		pthread_join(other, NULL);
	assert_int_equal(swapper.err, 0);
	assert_int_equal(sender.err, 0);
	print_message("%llu and %llu test runs, of which %u met a new list; a swap took at most "
		      "%.1f ms\n",
		      (unsigned long long)runs, (unsigned long long)sender.sent, changes,
		      swapper.worst_ms);
	assert_in_range(changes, 10, SWAPS + 1);
	/* None is lost: all that were sent got one of the two verdicts. */
	assert_int_equal(datapath_totals(dp, &totals), 0);
	assert_int_equal(totals.in_permit.packets, passed + sender.passed);
	assert_int_equal(totals.in_permit.packets + totals.in_block.packets, runs + sender.sent);
	assert_int_equal(totals.in_none.packets, 0);
	assert_int_equal(verdict_reason(run, XI_REASON_NO_POLICY), 0);
}

/*
 * The same without loading anything: both lists stay in their slots and only the
 * word flips, far more often than a swap could, so that a program that read it
 * twice would be caught in between.
 */
static void *flip_the_word(void *arg)
{
	struct swapper *swapper = arg;
	uint64_t *word = (uint64_t *)&dp->ctl->active, whole = *word;

	leave_this_cpu();
	while (!atomic_load(&swapper->done)) {
		/* Slot g & 1 of generation g stays so: both halves change by one bit. */
		whole ^= 1ull << 32 | 1;
		__atomic_store_n(word, whole, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void the_switch_is_read_once(void **state)
{
	struct swapper swapper = {0};
	unsigned seen[2] = {0};
	uint64_t before = *(uint64_t *)&dp->ctl->active;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, flip_the_word, &swapper), 0);
	for (unsigned i = 0; i < LEAST || (i < 100 * LEAST && (!seen[0] || !seen[1])); i++) {
		struct testrun_result result = verdict_of_frame(run, XI_HOOK_XDP_INGRESS,
								&frames[0]);
		unsigned which = result.generation & 1;

		assert_int_equal(result.filter_idx, filters_index(lists[which], 0));
		assert_int_equal(result.fate, permitted(which, 0) ? TESTRUN_PASS : TESTRUN_DROP);
		seen[which]++;
	}
	atomic_store(&swapper.done, true);
	pthread_join(thread, NULL);
	*(uint64_t *)&dp->ctl->active = before;
	assert_true(seen[0] && seen[1]);
}

/* ----------------------------------------------------------- what stays the same */

static struct xi_hits hits_of(size_t count, uint32_t index)
{
	struct xi_hits *hits = calloc(count, sizeof(*hits)), ret;

	assert_non_null(hits);
	assert_int_equal(datapath_filter_counts(dp, hits, count), 0);
	ret = hits[index];
	free(hits);
	return ret;
}

/* Two lists of which one has a filter more in front: all that is old stays counted. */
static void counters_go_along(void **state)
{
	static const struct filter_spec few[] = {
		{XI_DIR_IN, XI_ACT_PERMIT, NULL, "me", PROTO_TCP, .local_port = WEB},
		{XI_DIR_IN, XI_ACT_BLOCK, NULL, "me", PROTO_TCP, .local_port = TELNET},
		{XI_DIR_IN, XI_ACT_BLOCK, "198.51.100.1", "me"},
	};
	struct image *both[2] = {filters_compile(few, 2), filters_compile(few, 3)};
	struct datapath_change change;
	struct testrun_result result;
	struct xi_hits first, web;
	uint64_t before;

	assert_int_equal(datapath_swap(dp, both[0], NULL), 0);
	before = now_ns();
	for (unsigned i = 0; i < 5; i++)
		result = verdict_of_frame(run, XI_HOOK_XDP_INGRESS, &frames[0]);
	first = hits_of(2, filters_index(both[0], 0));
	assert_int_equal(first.packets, 5);
	assert_int_equal(first.bytes, 5 * result.pkt.len);
	/* The clock of the programs is a coarse one: it may be some ticks behind. */
	assert_in_range(first.last_ns, before - 50000000, now_ns());
	assert_int_equal(hits_of(2, filters_index(both[0], 1)).last_ns, 0);

	assert_int_equal(datapath_swap(dp, both[1], NULL), 0);
	datapath_last_change(dp, &change);
	assert_int_equal(change.added, 1);
	assert_int_equal(change.removed, 0);
	assert_int_equal(change.kept, 2);
	assert_int_not_equal(filters_index(both[1], 0), filters_index(both[0], 0));
	web = hits_of(3, filters_index(both[1], 0));
	assert_memory_equal(&web, &first, sizeof(web));
	verdict_of_frame(run, XI_HOOK_XDP_INGRESS, &frames[0]);

	/* And back, without anybody having looked in between. */
	assert_int_equal(datapath_swap(dp, both[0], NULL), 0);
	datapath_last_change(dp, &change);
	assert_int_equal(change.removed, 1);
	assert_int_equal(change.added, 0);
	assert_int_equal(hits_of(2, filters_index(both[0], 0)).packets, 6);
	image_free(both[0]);
	image_free(both[1]);
}

/* A filter that selects the same but does something else is another filter. */
static void another_action_starts_from_zero(void **state)
{
	static const struct filter_spec now_blocked[] = {
		{XI_DIR_IN, XI_ACT_BLOCK, NULL, "me", PROTO_TCP, .local_port = WEB},
	};
	struct image *other = filters_compile(now_blocked, 1);
	struct datapath_change change;
	struct xi_hits hits;

	assert_int_equal(datapath_swap(dp, other, NULL), 0);
	datapath_last_change(dp, &change);
	assert_int_equal(change.kept, 0);
	assert_int_equal(change.added, 1);
	assert_int_equal(change.removed, 2);
	assert_int_equal(datapath_filter_counts(dp, &hits, 1), 0);
	assert_int_equal(hits.packets, 0);
	assert_int_equal(hits.last_ns, 0);
	image_free(other);
}

/* On hosts with very many CPUs they share counters: still none is lost. */
static void shared_counters_lose_nothing(void **state)
{
	size_t before = dp_counts_budget;
	struct swapper swapper = {0};
	struct sender sender = {.until = &swapper};
	uint64_t runs = 0, sum;
	pthread_t other;

	dp_counts_budget = 0;
	enforce(0);
	enforce(1); /* both anew: neither list has counted in shared rows */
	enforce(0);
	assert_true(dp->ctl->list[dp->ctl->active].flags & XI_LIST_SHARED);
	sum = hits_of(SHORT, filters_index(lists[0], 0)).packets +
	      hits_of(SHORT, filters_index(lists[0], 1)).packets;
	assert_int_equal(pthread_create(&other, NULL, send_on_another_cpu, &sender), 0);
	for (; runs < LEAST; runs++)
		verdict_of_frame(run, XI_HOOK_XDP_INGRESS, &frames[runs & 1]);
	atomic_store(&swapper.done, true);
	pthread_join(other, NULL);
	sum = hits_of(SHORT, filters_index(lists[0], 0)).packets +
	      hits_of(SHORT, filters_index(lists[0], 1)).packets - sum;
	assert_int_equal(sum, runs + sender.sent);
	dp_counts_budget = before;
}

static void counts_of_another_list_are_refused(void **state)
{
	struct xi_hits counts[SHORT + 1];

	enforce(0);
	assert_int_equal(datapath_filter_counts(dp, counts, SHORT + 1), -ERANGE);
}

static uint32_t program_in_force(const struct datapath *of)
{
	uint32_t index = XI_PROG_INDEX(XI_HOOK_XDP_INGRESS, of->ctl->active), id;

	assert_int_equal(bpf_map_lookup_elem(of->map[DP_MAP_XDP_SLOTS], &index, &id), 0);
	return id;
}

/* The usual change makes no map and loads no program. */
static void a_list_that_fits_uses_what_is_there(void **state)
{
	uint32_t ids[2];

	for (unsigned which = 0; which < 2; which++) {
		enforce(which);
		ids[which] = program_in_force(dp);
	}
	assert_int_not_equal(ids[0], ids[1]);
	for (unsigned i = 0; i < 6; i++) {
		enforce(i & 1);
		assert_int_equal(program_in_force(dp), ids[i & 1]);
	}
}

/* ------------------------------------------------------- half-way, and no further */

/* The list in force decides, whole: both packets get its verdicts. */
static void check_whole(struct testrun *with, uint32_t generation)
{
	for (unsigned which = 0; which < 2; which++) {
		struct testrun_result result = verdict_of_frame(with, XI_HOOK_XDP_INGRESS,
								&frames[which]);

		assert_int_equal(result.generation, generation);
		if (permitted(generation, which))
			expect_fate(result, PASS, NONE);
		else
			expect_fate(result, DROP, BLOCKED);
	}
}

static void a_refused_list_changes_nothing(void **state)
{
	uint32_t generation, saved,
		*sizes[] = {
			&lists[1]->tables[XI_TABLE_FILTER].value_size,
			&lists[1]->tables[XI_TABLE_FILTER].count,
		};
	static const uint32_t wrong[] = {8, UINT32_MAX - 1};
	struct diag diag = {0};

	enforce(0);
	generation = datapath_generation(dp);
	for (unsigned i = 0; i < 2; i++) {
		saved = *sizes[i];
		*sizes[i] = wrong[i];
		assert_int_not_equal(datapath_swap(dp, lists[1], &diag), 0);
		*sizes[i] = saved;
		assert_int_equal(diag.errors, 1);
		diag_free(&diag);
		check_whole(run, generation);
	}
}

/* On an emulated CPU, where the verifier takes seconds: every third place. */
static unsigned stride(void)
{
	return getenv("XI_QUICK") ? 3 : 1;
}

static unsigned faults_left;

static int fail_at_last(void)
{
	return faults_left-- ? 0 : -ENOMEM;
}

static int die_at_last(void)
{
	if (!faults_left--)
		kill(getpid(), SIGKILL);
	return 0;
}

static int no_fault(void)
{
	return 0;
}

/* As if the tables there were too small: the next list needs new ones and new programs. */
static void outgrow(struct datapath *of)
{
	for (unsigned i = 0; i < 2; i++)
		for (unsigned t = 0; t < DP_TABLE_MAX; t++)
			of->slot[i].table[t].capacity = 0;
}

static void a_swap_that_fails_at_any_step_changes_nothing(void **state)
{
	unsigned failed = 0;

	for (unsigned step = 0;; step += stride()) {
		uint32_t generation;
		int err;

		enforce(0);
		outgrow(dp);
		generation = datapath_generation(dp);
		faults_left = step;
		dp_swap_fault = fail_at_last;
		err = datapath_swap(dp, lists[1], NULL);
		dp_swap_fault = no_fault;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		check_whole(run, generation);
		failed++;
	}
	print_message("%u places to fail\n", failed);
	assert_in_range(failed, 6 / stride(), 50);
}

/* ------------------------------------------------------------------ giving back */

/* As a list of a million filters leaves it. */
static void grow_spare(void)
{
	uint32_t spare = !(dp->ctl->active & 1);
	struct dp_room room;

	assert_int_equal(dp_room_for(lists[1], &room), 0);
	room.capacity[XI_TABLE_FILTER] = 5 << 19;
	assert_int_equal(dp_slot_make(dp, spare, &room), 0);
	assert_true(dp_slot_bytes(&dp->slot[spare]) > 128u << 20);
}

static void a_small_list_gives_the_memory_of_a_large_one_back(void **state)
{
	uint32_t generation;

	enforce(0);
	datapath_idle(dp);
	grow_spare();
	enforce(1);
	assert_true(dp_slot_bytes(&dp->slot[dp->ctl->active & 1]) < 64u << 20);
	generation = datapath_generation(dp);
	check_whole(run, generation);
	/* And that of the list before it, when there is time. */
	datapath_idle(dp);
	grow_spare();
	datapath_idle(dp);
	assert_true(dp_slot_bytes(&dp->slot[0]) + dp_slot_bytes(&dp->slot[1]) < 128u << 20);
	check_whole(run, generation);
	enforce(0);
}

/* ------------------------------------------------------------------- and dying */

/* Of this run alone: what is pinned is seen by the whole machine. */
static char instance[XI_INSTANCE_LEN];

static struct datapath *open_pinned(void)
{
	const struct datapath_opts opts = {.instance = instance, .owns_esp = true};
	struct xi_addr me = verdict_addr(ME);
	struct datapath *ret;

	if (datapath_open(&opts, &ret, NULL) || datapath_set_local(ret, &me, 1))
		return NULL;
	return ret;
}

/* Another process swaps and is killed at a step. False: it came to its end. */
static bool die_in_swap(unsigned step, bool grow)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct datapath *theirs = open_pinned();

		if (!theirs)
			_exit(1);
		if (grow)
			outgrow(theirs);
		faults_left = step;
		dp_swap_fault = die_at_last;
		_exit(datapath_swap(theirs, lists[(datapath_generation(theirs) + 1) & 1], NULL)
			      ? 1
			      : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	else
		assert_int_equal(WTERMSIG(status), SIGKILL);
	return WIFSIGNALED(status);
}

/* What is pinned decides as one whole list, also before anybody opens it. */
static void check_pinned(unsigned before)
{
	char path[128];
	struct xi_ctl ctl;
	uint32_t zero = 0;
	int prog, map;

	dp_pin_path(path, sizeof(path), instance, dp_prog_name(DP_PROG_XDP_INGRESS));
	prog = bpf_obj_get(path);
	dp_pin_path(path, sizeof(path), instance, dp_map_name(DP_MAP_CTL));
	map = bpf_obj_get(path);
	assert_true(prog >= 0 && map >= 0);
	assert_int_equal(bpf_map_lookup_elem(map, &zero, &ctl), 0);
	assert_in_range(ctl.generation, before, before + 1);
	for (unsigned which = 0; which < 2; which++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frames[which].data,
			    .data_size_in = frames[which].len, .repeat = 1);

		assert_int_equal(bpf_prog_test_run_opts(prog, &opts), 0);
		assert_int_equal(opts.retval,
				 permitted(ctl.generation, which) ? XDP_PASS : XDP_DROP);
	}
	close(prog);
	close(map);
}

static void a_daemon_that_dies_at_any_step_leaves_a_whole_list(void **state)
{
	unsigned deaths = 0;

	for (unsigned grow = 0; grow < 2; grow++) {
		bool died = true;

		for (unsigned step = 0; died; step += stride()) {
			struct datapath *ours = open_pinned();
			uint32_t before;

			assert_non_null(ours);
			/* A swap goes on from whatever was left. */
			for (unsigned i = 0; i < 2; i++)
				assert_int_equal(
					datapath_swap(ours,
						      lists[(datapath_generation(ours) + 1) & 1],
						      NULL),
					0);
			before = datapath_generation(ours);
			datapath_close(ours);
			died = die_in_swap(step, grow);
			deaths += died;
			check_pinned(before);
		}
	}
	assert_int_equal(datapath_teardown(instance, NULL), 0);
	print_message("%u deaths\n", deaths);
	assert_in_range(deaths, 10 / stride(), 100);
}

/* Counters are carried over by whoever comes next. */
static void counters_survive_a_death_after_the_switch(void **state)
{
	static const struct filter_spec one = {XI_DIR_IN, XI_ACT_PERMIT, NULL,
					       "me",	  PROTO_TCP,	 .local_port = WEB};
	struct image *image = filters_compile(&one, 1);
	struct datapath *ours = open_pinned();
	struct xi_hits hits;

	assert_non_null(ours);
	for (unsigned round = 0; round < 3; round++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frames[0].data,
			    .data_size_in = frames[0].len, .repeat = 1);

		assert_int_equal(datapath_swap(ours, image, NULL), 0);
		assert_int_equal(bpf_prog_test_run_opts(ours->prog[DP_PROG_XDP_INGRESS], &opts), 0);
		/* Without settling what the swap left open. */
		datapath_close(ours);
		ours = open_pinned();
		assert_non_null(ours);
		assert_int_equal(datapath_filter_counts(ours, &hits, 1), 0);
		assert_int_equal(hits.packets, round + 1);
	}
	datapath_close(ours);
	assert_int_equal(datapath_teardown(instance, NULL), 0);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_packet_sees_a_mixture),
		cmocka_unit_test(the_switch_is_read_once),
		cmocka_unit_test(counters_go_along),
		cmocka_unit_test(another_action_starts_from_zero),
		cmocka_unit_test(shared_counters_lose_nothing),
		cmocka_unit_test(counts_of_another_list_are_refused),
		cmocka_unit_test(a_list_that_fits_uses_what_is_there),
		cmocka_unit_test(a_refused_list_changes_nothing),
		cmocka_unit_test(a_swap_that_fails_at_any_step_changes_nothing),
		cmocka_unit_test(a_small_list_gives_the_memory_of_a_large_one_back),
		cmocka_unit_test(a_daemon_that_dies_at_any_step_leaves_a_whole_list),
		cmocka_unit_test(counters_survive_a_death_after_the_switch),
	};

	int rc;

	snprintf(instance, sizeof(instance), "swap%d", getpid());
	rc = cmocka_run_group_tests(tests, open_run, close_run);
	datapath_teardown(instance, NULL); /* what a failed test left */
	return rc;
}
