/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replacing the filter list while packets are being classified: every packet
 * gets the answer of one list, the old or the new, and nothing that is counted
 * is lost. Two lists of different size in which the same two filters stand at
 * different places, so that a mixture cannot look right by chance.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "datapath/internal.h"
#include "tests/lib/verdict.h"

#define ME    "192.0.2.1"
#define PEER  "203.0.113.5"
#define LONG  3000
#define SWAPS 40
#define LEAST 20000 /* test runs that must fall between them */

static struct image *lists[2]; /* a short and a long one */
static struct testrun *run;
static struct datapath *dp;

/* In both: filter 0 permits 443, filter 1 blocks 23. The long one has many more. */
static struct image *list_of(size_t count)
{
	static char names[LONG][24];
	struct filter_spec *specs = calloc(count, sizeof(*specs));
	struct image *image;

	assert_non_null(specs);
	specs[0] = (struct filter_spec){XI_DIR_IN, XI_ACT_PERMIT, NULL,
					"me",	   PROTO_TCP,	  .local_port = 443};
	specs[1] = (struct filter_spec){XI_DIR_IN, XI_ACT_BLOCK, NULL,
					"me",	   PROTO_TCP,	 .local_port = 23};
	for (size_t i = 2; i < count; i++) {
		/* Full prefixes go before the two above and shift their places. */
		snprintf(names[i], sizeof(names[i]), "10.%zu.%zu.0/24", i / 250, i % 250);
		specs[i] = (struct filter_spec){XI_DIR_IN, i & 1 ? XI_ACT_BLOCK : XI_ACT_PERMIT,
						names[i], "me", i & 2 ? PROTO_UDP : 0};
	}
	image = filters_compile(specs, count);
	free(specs);
	return image;
}

static int open_run(void **state)
{
	struct xi_addr me = verdict_addr(ME);
	struct testrun_opts opts = {.me = &me, .me_count = 1};

	lists[0] = list_of(2);
	lists[1] = list_of(LONG);
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

struct swapper {
	atomic_bool done;
	int err;
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

/* Generation g has lists[g & 1]. */
static void *swap_many_times(void *arg)
{
	struct swapper *swapper = arg;

	leave_this_cpu();
	for (unsigned i = 0; i < SWAPS && !swapper->err; i++)
		swapper->err = datapath_swap(dp, lists[(datapath_generation(dp) + 1) & 1], NULL);
	atomic_store(&swapper->done, true);
	return NULL;
}

static void no_packet_sees_a_mixture(void **state)
{
	static struct frame web, telnet;
	struct testrun_result result;
	struct swapper swapper = {0};
	unsigned runs = 0, changes = 0;
	uint32_t last = 0;
	pthread_t thread;

	frame_build(&web, &(struct frame_spec){.src = PEER, .dst = ME, .proto = 6, .dport = 443});
	frame_build(&telnet, &(struct frame_spec){.src = PEER, .dst = ME, .proto = 6, .dport = 23});
	assert_int_not_equal(filters_index(lists[0], 0), filters_index(lists[1], 0));
	assert_int_equal(datapath_swap(dp, lists[1], NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, swap_many_times, &swapper), 0);
	while (!atomic_load(&swapper.done) || runs < LEAST) {
		const struct image *list;

		result = verdict_of_frame(run, XI_HOOK_XDP_INGRESS, runs & 1 ? &telnet : &web);
		list = lists[result.generation & 1];
		if (runs & 1)
			expect_fate(result, DROP, BLOCKED);
		else
			expect_fate(result, PASS, NONE);
		assert_int_equal(result.filter_idx, filters_index(list, runs & 1));
		changes += result.generation != last;
		last = result.generation;
		runs++;
	}
	pthread_join(thread, NULL);
	assert_int_equal(swapper.err, 0);
	print_message("%u test runs, of which %u met a new list\n", runs, changes);
	assert_in_range(changes, 10, SWAPS + 1);
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
	static struct frame web;
	struct swapper swapper = {0};
	unsigned seen[2] = {0};
	uint64_t before = *(uint64_t *)&dp->ctl->active;
	pthread_t thread;

	frame_build(&web, &(struct frame_spec){.src = PEER, .dst = ME, .proto = 6, .dport = 443});
	assert_int_equal(pthread_create(&thread, NULL, flip_the_word, &swapper), 0);
	for (unsigned i = 0; i < LEAST || (i < 100 * LEAST && (!seen[0] || !seen[1])); i++) {
		struct testrun_result result = verdict_of_frame(run, XI_HOOK_XDP_INGRESS, &web);
		unsigned which = result.generation & 1;

		assert_int_equal(result.filter_idx, filters_index(lists[which], 0));
		seen[which]++;
	}
	atomic_store(&swapper.done, true);
	pthread_join(thread, NULL);
	*(uint64_t *)&dp->ctl->active = before;
	assert_true(seen[0] && seen[1]);
}

/* Sums of the first test: every run was counted once, across all generations. */
static void counters_go_along(void **state)
{
	struct xi_count counts[LONG];
	struct xi_totals totals;
	const struct image *list;

	list = lists[datapath_generation(dp) & 1];
	assert_int_equal(datapath_filter_counts(dp, counts, list->count), 0);
	assert_int_equal(datapath_totals(dp, &totals), 0);
	assert_in_range(totals.in_permit.packets, LEAST / 2, UINT32_MAX);
	assert_int_equal(counts[filters_index(list, 0)].packets, totals.in_permit.packets);
	assert_int_equal(counts[filters_index(list, 1)].packets, totals.in_block.packets);
	assert_int_equal(counts[filters_index(list, 1)].bytes, totals.in_block.bytes);
	/* Another swap and nothing between: the same sums at other places. */
	list = lists[(datapath_generation(dp) + 1) & 1];
	assert_int_equal(datapath_swap(dp, list, NULL), 0);
	assert_int_equal(datapath_filter_counts(dp, counts, list->count), 0);
	assert_int_equal(counts[filters_index(list, 0)].packets, totals.in_permit.packets);
	assert_int_equal(counts[filters_index(list, 1)].packets, totals.in_block.packets);
}

/* A filter that selects the same but does something else is another filter. */
static void another_action_starts_from_zero(void **state)
{
	static const struct filter_spec now_blocked[] = {
		{XI_DIR_IN, XI_ACT_BLOCK, NULL, "me", PROTO_TCP, .local_port = 443},
	};
	struct image *other = filters_compile(now_blocked, 1);
	struct xi_count count;

	assert_int_equal(datapath_swap(dp, other, NULL), 0);
	assert_int_equal(datapath_filter_counts(dp, &count, 1), 0);
	assert_int_equal(count.packets, 0);
	image_free(other);
}

/* An image that cannot be loaded leaves the list in force. */
static void a_refused_list_changes_nothing(void **state)
{
	struct frame_spec telnet = {.src = PEER, .dst = ME, .proto = PROTO_TCP, .dport = 23};
	struct testrun_result result;
	struct diag diag = {0};
	uint32_t generation, saved;

	assert_int_equal(datapath_swap(dp, lists[0], NULL), 0);
	generation = datapath_generation(dp);
	saved = lists[1]->tables[XI_TABLE_CELLS4].value_size;
	lists[1]->tables[XI_TABLE_CELLS4].value_size = 8;
	assert_int_not_equal(datapath_swap(dp, lists[1], &diag), 0);
	lists[1]->tables[XI_TABLE_CELLS4].value_size = saved;
	assert_int_equal(diag.errors, 1);
	diag_free(&diag);
	assert_int_equal(datapath_generation(dp), generation);
	result = verdict_of(run, XI_HOOK_XDP_INGRESS, &telnet);
	expect_fate(result, DROP, BLOCKED);
	assert_int_equal(result.generation, generation);
}

static void counts_of_another_list_are_refused(void **state)
{
	struct xi_count counts[3];

	assert_int_equal(datapath_filter_counts(dp, counts, 3), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_packet_sees_a_mixture),
		cmocka_unit_test(counters_go_along),
		cmocka_unit_test(the_switch_is_read_once),
		cmocka_unit_test(another_action_starts_from_zero),
		cmocka_unit_test(a_refused_list_changes_nothing),
		cmocka_unit_test(counts_of_another_list_are_refused),
	};

	return cmocka_run_group_tests(tests, open_run, close_run);
}
