/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a filter counted, exact at any moment: with the counters written at once,
 * and with hits that wait in a log until sixteen are together; with a row for each
 * CPU, and with rows that CPUs share.
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
#include <unistd.h>
#include <cmocka.h>

#include "datapath/internal.h"
#include "tests/lib/verdict.h"

#define ME     "192.0.2.1"
#define PEER   "203.0.113.5"
#define WEB    443
#define TELNET 23

/* Filter n is about port WEB + n. So many that summing up takes as long as some packets. */
#define FILTERS 3000
#define SENT	40 /* filters that have traffic */

struct mode {
	const char *name;
	size_t near, budget;
	uint32_t flags;
};

static const struct mode modes[] = {
	{"at once", SIZE_MAX, SIZE_MAX, 0},
	{"logged", 0, SIZE_MAX, XI_LIST_HIT_LOG},
	{"at once, shared", SIZE_MAX, 0, XI_LIST_SHARED},
	{"logged, shared", 0, 0, XI_LIST_HIT_LOG | XI_LIST_SHARED},
};
#define MODES (sizeof(modes) / sizeof(*modes))

static cpu_set_t usable; /* before a test run keeps this thread where it is */
static struct frame frames[SENT];
static struct image *whole, *shorter, *other; /* all filters; but the first; no one of them */
static struct testrun *run;
static struct datapath *dp;

static struct image *list_from(unsigned first, uint8_t proto)
{
	static struct filter_spec specs[FILTERS];

	for (unsigned i = 0; i < FILTERS; i++)
		specs[i] = (struct filter_spec){
			XI_DIR_IN, XI_ACT_BLOCK, PEER, "me", proto, .local_port = WEB + i,
		};
	return filters_compile(specs + first, FILTERS - first);
}

static int open_run(void **state)
{
	struct xi_addr me = verdict_addr(ME);
	struct testrun_opts opts = {.me = &me, .me_count = 1};

	if (sched_getaffinity(0, sizeof(usable), &usable))
		return -1;
	whole = list_from(0, PROTO_TCP);
	shorter = list_from(1, PROTO_TCP);
	other = list_from(0, PROTO_UDP);
	for (unsigned i = 0; i < SENT; i++)
		frame_build(&frames[i], &(struct frame_spec){.src = PEER,
							     .dst = ME,
							     .proto = PROTO_TCP,
							     .dport = WEB + i,
							     .payload = i});
	run = verdict_open(NULL, &opts);
	dp = testrun_datapath(run);
	return 0;
}

static int close_run(void **state)
{
	testrun_close(run);
	image_free(whole);
	image_free(shorter);
	image_free(other);
	return 0;
}

/* The list in force counts this way, and nothing is counted yet. */
static void begin(const struct mode *mode)
{
	dp_counts_near = mode->near;
	dp_counts_budget = mode->budget;
	assert_int_equal(datapath_swap(dp, other, NULL), 0);
	assert_int_equal(datapath_swap(dp, whole, NULL), 0);
	assert_int_equal(dp->ctl->list[dp->ctl->active].flags & (XI_LIST_HIT_LOG | XI_LIST_SHARED),
			 mode->flags);
}

static struct xi_hits hits_of(struct datapath *of, const struct image *list, unsigned filter)
{
	struct xi_hits hits[FILTERS];

	assert_int_equal(datapath_filter_counts(of, hits, list->count), 0);
	return hits[filters_index(list, filter)];
}

/* Whatever waits in the log: nobody who asks can tell. */
static void every_hit_counts_at_once(void **state)
{
	for (unsigned m = 0; m < MODES; m++) {
		uint64_t bytes[3] = {0}, last = 0;

		begin(&modes[m]);
		for (unsigned sent = 0; sent < 100; sent++) {
			unsigned which = sent % 3;
			struct testrun_result result = verdict_of_frame(run, XI_HOOK_XDP_INGRESS,
									&frames[which]);
			struct xi_hits hits = hits_of(dp, whole, which);

			expect_fate(result, DROP, BLOCKED);
			bytes[which] += result.pkt.len;
			assert_int_equal(hits.packets, sent / 3 + 1);
			assert_int_equal(hits.bytes, bytes[which]);
			assert_true(hits.last_ns >= last && hits.last_ns);
			last = hits.last_ns;
		}
		assert_int_equal(hits_of(dp, whole, 3).packets, 0);
	}
}

/* With any number of hits in the log, none and a full round of them too. */
static void hits_go_along_to_the_next_list(void **state)
{
	for (unsigned m = 0; m < MODES; m++) {
		uint64_t sent = 0;

		begin(&modes[m]);
		for (unsigned more = 0; more <= XI_HIT_LOG + 1; more++) {
			const struct image *list = more & 1 ? whole : shorter;
			struct xi_hits hits;

			for (unsigned i = 0; i < more; i++, sent++)
				verdict_of_frame(run, XI_HOOK_XDP_INGRESS, &frames[5]);
			assert_int_equal(datapath_swap(dp, list, NULL), 0);
			hits = hits_of(dp, list, list == whole ? 5 : 4);
			assert_int_equal(hits.packets, sent);
			assert_int_equal(hits_of(dp, list, 0).packets, 0);
		}
	}
}

/* ------------------------------------------------------------- under traffic */

struct sender {
	int prog, cpu, err;
	atomic_bool *done;
	uint64_t sent[SENT];
};

static void *send_on(void *arg)
{
	struct sender *s = arg;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(s->cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	for (unsigned i = 0; !atomic_load(s->done) && !s->err; i = (i + 7) % SENT) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frames[i].data,
			    .data_size_in = frames[i].len, .repeat = 1);

		if (bpf_prog_test_run_opts(s->prog, &opts))
			s->err = -errno;
		s->sent[i]++;
	}
	return NULL;
}

#define SENDERS	    2
#define READS	    1000
#define READS_QUICK 100 /* on an emulated CPU */

/* One for each CPU: two test runs on one CPU may interrupt each other, packets do not. */
static unsigned senders_start(struct sender *senders, pthread_t *threads, atomic_bool *done)
{
	unsigned n = 0;

	for (int cpu = 0; cpu < CPU_SETSIZE && n < SENDERS; cpu++) {
		if (!CPU_ISSET(cpu, &usable))
			continue;
		senders[n] = (struct sender){
			.prog = dp->prog[DP_PROG_XDP_INGRESS], .cpu = cpu, .done = done};
		assert_int_equal(pthread_create(&threads[n], NULL, send_on, &senders[n]), 0);
		n++;
	}
	return n;
}

static void no_counter_goes_back_and_none_is_lost(void **state)
{
	unsigned reads = getenv("XI_QUICK") ? READS_QUICK : READS;

	for (unsigned m = 0; m < MODES; m++) {
		struct xi_hits before[FILTERS] = {0}, now[FILTERS];
		struct sender senders[SENDERS];
		pthread_t threads[SENDERS];
		atomic_bool done = false;
		unsigned n;

		begin(&modes[m]);
		n = senders_start(senders, threads, &done);
		for (unsigned read = 0; read < reads; read++) {
			assert_int_equal(datapath_filter_counts(dp, now, FILTERS), 0);
			for (unsigned i = 0; i < FILTERS; i++) {
				assert_true(now[i].packets >= before[i].packets);
				assert_true(now[i].bytes >= before[i].bytes);
				assert_true(now[i].last_ns >= before[i].last_ns);
			}
			memcpy(before, now, sizeof(before));
		}
		atomic_store(&done, true);
		for (unsigned i = 0; i < n; i++) {
			pthread_join(threads[i], NULL);
			assert_int_equal(senders[i].err, 0);
		}
		assert_int_equal(datapath_filter_counts(dp, now, FILTERS), 0);
		for (unsigned i = 0; i < SENT; i++) {
			uint64_t sent = 0;

			for (unsigned s = 0; s < n; s++)
				sent += senders[s].sent[i];
			assert_int_equal(now[filters_index(whole, i)].packets, sent);
			assert_int_equal(now[filters_index(whole, i)].bytes,
					 sent * (frames[i].len - frames[i].l3));
		}
	}
}

/* ------------------------------------------------------------ the next daemon */

static char instance[XI_INSTANCE_LEN];

static struct datapath *open_pinned(void)
{
	const struct datapath_opts opts = {.instance = instance, .owns_esp = true};
	struct xi_addr me = verdict_addr(ME);
	struct datapath *ret;

	assert_int_equal(datapath_open(&opts, &ret, NULL), 0);
	assert_int_equal(datapath_set_local(ret, &me, 1), 0);
	return ret;
}

/* What the log holds is there when the daemon is not, and for whoever comes next. */
static void a_new_daemon_finds_what_waits(void **state)
{
	struct datapath *pinned;
	uint64_t sent = 0;

	dp_counts_near = 0;
	dp_counts_budget = SIZE_MAX;
	pinned = open_pinned();
	assert_int_equal(datapath_swap(pinned, whole, NULL), 0);
	for (unsigned round = 1; round < 8; round++) {
		for (unsigned i = 0; i < round; i++, sent++) {
			LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frames[0].data,
				    .data_size_in = frames[0].len, .repeat = 1);

			assert_int_equal(
				bpf_prog_test_run_opts(pinned->prog[DP_PROG_XDP_INGRESS], &opts),
				0);
		}
		datapath_close(pinned);
		pinned = open_pinned();
		assert_int_equal(hits_of(pinned, whole, 0).packets, sent);
		if (round == 4)
			assert_int_equal(datapath_swap(pinned, whole, NULL), 0);
	}
	datapath_close(pinned);
	assert_int_equal(datapath_teardown(instance, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_hit_counts_at_once),
		cmocka_unit_test(hits_go_along_to_the_next_list),
		cmocka_unit_test(no_counter_goes_back_and_none_is_lost),
		cmocka_unit_test(a_new_daemon_finds_what_waits),
	};
	int rc;

	snprintf(instance, sizeof(instance), "counts%d", getpid());
	rc = cmocka_run_group_tests(tests, open_run, close_run);
	datapath_teardown(instance, NULL); /* what a failed test left */
	return rc;
}
