/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsec's own row: the datapath as the daemon loads it, on one interface.
 *
 *   hold INSTANCE INTERFACE policy FILE       a policy, every step from its text
 *   hold INSTANCE INTERFACE classbench SET    a ClassBench set, every filter blocking
 *
 * Prints "ready MODE SECONDS FILTERS" (from text to in force), then answers a
 * line on stdin with the sum of the filters' packet counters. Ends, and takes
 * everything off, when stdin ends.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <net/if.h>

#include "../../tests/lib/classbench.h"
#include "compile/image.h"
#include "datapath/datapath.h"
#include "policy/policy.h"
#include "util/addr.h"

static struct diag diag;

static int fail(const char *what, int err)
{
	char *text = diag_text(&diag);

	fprintf(stderr, "%shold: %s: %s\n", text ? text : "", what, strerror(-err));
	free(text);
	return 1;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static int compile_file(const char *path, const struct xi_addr *me, struct image **ret)
{
	struct compile_opts opts = {.me = me, .me_count = 1};
	struct policy *policy = NULL;
	int err = policy_load(path, &policy, &diag);

	if (!err)
		err = compile_policy(policy, &opts, ret, &diag);
	policy_free(policy);
	return err;
}

static int compile_set(const char *path, struct image **ret)
{
	struct compile_opts opts = {0};
	struct classbench set = {0};
	int err = classbench_load(path, &set);

	for (size_t i = 0; !err && i < set.count; i++)
		set.filters[i].action = XI_ACT_BLOCK;
	if (!err)
		err = compile_filters(set.filters, set.count, NULL, &opts, ret, &diag);
	classbench_free(&set);
	return err;
}

static void ignore(void *arg, const struct xi_event *event)
{
}

/* Answers until stdin ends. */
static int answer(struct datapath *dp, size_t count)
{
	struct pollfd wait[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
				 {.fd = datapath_event_fd(dp), .events = POLLIN}};
	struct xi_hits *counts = calloc(count ? count : 1, sizeof(*counts));
	char line[64];
	int err = 0;

	if (!counts)
		return -ENOMEM;
	while (!err && poll(wait, 2, -1) > 0) {
		unsigned long long sum = 0;

		if (wait[1].revents)
			datapath_events(dp, ignore, NULL);
		if (!wait[0].revents)
			continue;
		if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
			break;
		err = datapath_filter_counts(dp, counts, count);
		for (size_t i = 0; i < count; i++)
			sum += counts[i].packets;
		printf("%llu\n", sum);
		fflush(stdout);
	}
	free(counts);
	return err;
}

static int hold(struct datapath *dp, char **argv)
{
	struct xi_addr me;
	struct image *image = NULL;
	struct datapath_iface iface;
	double start = now();
	const char *mode;
	int ifindex = if_nametoindex(argv[2]), err;

	xi_addr_parse("192.0.2.1", &me);
	if (!strcmp(argv[3], "policy"))
		err = compile_file(argv[4], &me, &image);
	else
		err = compile_set(argv[4], &image);
	if (!err)
		err = datapath_set_local(dp, &me, 1);
	if (!err)
		err = datapath_swap(dp, image, &diag);
	start = now() - start;
	if (!err)
		err = datapath_attach(dp, ifindex, XI_IFACE_LAN, &diag);
	if (!err) {
		err = datapath_iface_state(dp, ifindex, &iface);
	}
	if (!err) {
		mode = datapath_ingress_name(iface.ingress);
		printf("ready %s%s %.3f %zu\n", mode ? mode : "none",
		       iface.shared ? "+dispatcher" : "", start, image->count);
		fflush(stdout);
		err = answer(dp, image->count);
	}
	image_free(image);
	return err;
}

int main(int argc, char **argv)
{
	struct datapath_opts opts = {.owns_esp = true};
	struct datapath *dp = NULL;
	int err;

	if (argc != 5 || (strcmp(argv[3], "policy") && strcmp(argv[3], "classbench"))) {
		fprintf(stderr, "usage: hold INSTANCE INTERFACE policy|classbench PATH\n");
		return 2;
	}
	opts.instance = argv[1];
	err = datapath_open(&opts, &dp, &diag);
	if (err)
		return fail(argv[1], err);
	err = hold(dp, argv);
	datapath_close(dp);
	if (err)
		fail(argv[4], err);
	return datapath_teardown(argv[1], &diag) || err;
}
