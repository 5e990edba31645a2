/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One host of an ESP test: the real BPF programs and the real worker on one
 * interface, with an SA pair of fixed keys instead of IKE.
 *
 *   espworker --instance NAME --interface IF --policy FILE --local A --remote B
 *             --side 0|1 [--cipher NAME] [--integ NAME] [--delay MS]
 *   espworker --teardown NAME
 *
 * The two hosts are side 0 and side 1. The SA comes up MS after the first packet
 * asks for it (--delay), or at once; SIGUSR1 rekeys it. Prints "ready", and on
 * SIGTERM one line of counters "name=value ..." and the reasons of drops.
 */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compile/image.h"
#include "datapath/datapath.h"
#include "esp/worker.h"
#include "policy/policy.h"
#include "util/addr.h"

struct host {
	const char *instance, *interface, *policy;
	struct xi_addr local, remote;
	enum xi_cipher cipher;
	enum xi_integ integ;
	int side, ifindex;
	long delay_ms; /* -1: install at once */
	struct worker *worker;
	struct datapath *dp;
	struct xi_sa_params sa;		 /* the newest */
	uint64_t asked_ms, installed_ms; /* 0: not yet */
	struct xi_sa_stats old;		 /* of the SAs that were rekeyed */
};

static volatile sig_atomic_t ended, rekey_wanted;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		rekey_wanted = 1;
	else
		ended = 1;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int complain(const char *what, int err, struct diag *diag)
{
	char *text = diag_text(diag);

	fprintf(stderr, "espworker: %s: %s\n%s", what, strerror(-err), text ? text : "");
	free(text);
	diag_free(diag);
	return 1;
}

/* The same keys on both sides, other ones for each generation. */
static void make_half(struct xi_sa_half *half, uint32_t id, int direction)
{
	half->spi = 0x10000 + id * 2 + (uint32_t)direction;
	for (size_t i = 0; i < XI_KEY_MAX; i++) {
		half->cipher_key[i] = (uint8_t)(i * 17 + id * 5 + (unsigned)direction);
		half->integ_key[i] = (uint8_t)(i * 29 + id * 3 + (unsigned)direction);
	}
}

static int sa_up(struct host *host, uint32_t id)
{
	struct xi_sa_params sa = {.id = id,
				  .replaces = id > 1 ? id - 1 : 0,
				  .local = host->local,
				  .remote = host->remote,
				  .protocol = 50,
				  .mode = XI_MODE_TRANSPORT,
				  .cipher = host->cipher,
				  .integ = host->integ,
				  .replay_window = 1024};
	uint8_t bits = xi_family_bits(host->local.family);
	int err;

	sa.sel.local = (struct xi_prefix){host->local, bits};
	sa.sel.remote = (struct xi_prefix){host->remote, bits};
	make_half(&sa.in, id, host->side);
	make_half(&sa.out, id, !host->side);
	err = worker_sa_install(host->worker, &sa, now_ms());
	if (!err)
		err = datapath_sa_in_add(host->dp, &sa, XI_PATH_WORKER);
	if (!err)
		err = datapath_sa_out_add(host->dp, &sa, XI_PATH_WORKER);
	if (err) {
		fprintf(stderr, "espworker: SA %u: %s\n", id, strerror(-err));
		return err;
	}
	host->sa = sa;
	host->installed_ms = now_ms();
	printf("SA %u\n", id);
	fflush(stdout);
	return 0;
}

static void add_stats(struct host *host, uint32_t id)
{
	struct xi_sa_stats stats;

	if (worker_sa_stats(host->worker, id, &stats))
		return;
	host->old.in_packets += stats.in_packets;
	host->old.out_packets += stats.out_packets;
	host->old.in_bytes += stats.in_bytes;
	host->old.out_bytes += stats.out_bytes;
}

/* The SA before the last goes: the last two receive while the hosts change over. */
static int rekey(struct host *host)
{
	struct xi_sa_params before = host->sa;
	int err = sa_up(host, host->sa.id + 1);

	if (err || before.id < 2)
		return err;
	before.id--;
	make_half(&before.in, before.id, host->side);
	make_half(&before.out, before.id, !host->side);
	add_stats(host, before.id);
	datapath_sa_out_del(host->dp, &before);
	datapath_sa_in_del(host->dp, &before);
	return worker_sa_remove(host->worker, before.id);
}

static void on_event(void *arg, const struct xi_event *event)
{
	struct host *host = arg;

	if (event->kind == XI_EVENT_NEED_SA && !host->asked_ms) {
		host->asked_ms = now_ms();
		printf("asked\n");
		fflush(stdout);
	}
}

static int load_policy(struct host *host, struct diag *diag)
{
	struct compile_opts opts = {0};
	struct policy *policy;
	struct image *image;
	int err = policy_load(host->policy, &policy, diag);

	if (err)
		return err;
	err = compile_policy(policy, &opts, &image, diag);
	if (!err) {
		err = datapath_swap(host->dp, image, diag);
		image_free(image);
	}
	policy_free(policy);
	return err;
}

static int host_up(struct host *host)
{
	struct datapath_opts dp_opts = {.instance = host->instance, .owns_esp = true};
	struct worker_opts opts = {.ifindex = host->ifindex};
	struct worker_info info;
	struct diag diag = {0};
	int err;

	err = worker_open(&opts, &host->worker, &diag);
	if (err)
		return complain("worker", err, &diag);
	worker_info(host->worker, &info);
	err = datapath_open(&dp_opts, &host->dp, &diag);
	if (err)
		return complain("datapath", err, &diag);
	err = load_policy(host, &diag);
	if (err)
		return complain(host->policy, err, &diag);
	err = datapath_set_local(host->dp, &host->local, 1);
	if (!err)
		err = datapath_attach(host->dp, host->ifindex, XI_IFACE_LAN, &diag);
	if (!err)
		err = datapath_set_worker(host->dp, host->ifindex, info.tap_ifindex, info.xsk_fds,
					  info.queues);
	if (err)
		return complain("attach", err, &diag);
	if (host->delay_ms < 0)
		err = sa_up(host, 1);
	if (err)
		return complain("SA", err, &diag);
	for (size_t i = 0; i < diag.count; i++)
		printf("note: %s\n", diag.entries[i].text);
	diag_free(&diag);
	printf("ready %s %u %s\n", info.tap_name, info.queues,
	       info.zero_copy ? "zero-copy" : "copy");
	fflush(stdout);
	return 0;
}

static int run(struct host *host)
{
	struct pollfd fds[WORKER_QUEUES_MAX + 5];
	int raw[WORKER_QUEUES_MAX + 4];
	size_t count = worker_fds(host->worker, raw, sizeof(raw) / sizeof(*raw));

	for (size_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = raw[i], .events = POLLIN};
	fds[count] = (struct pollfd){.fd = datapath_event_fd(host->dp), .events = POLLIN};
	while (!ended) {
		if (poll(fds, count + 1, 20) < 0 && errno != EINTR)
			return -errno;
		if (worker_run(host->worker, now_ms()) < 0)
			return 1;
		datapath_events(host->dp, on_event, host);
		if (!host->installed_ms && host->asked_ms &&
		    now_ms() - host->asked_ms >= (uint64_t)host->delay_ms && sa_up(host, 1))
			return 1;
		if (rekey_wanted && host->installed_ms) {
			rekey_wanted = 0;
			if (rekey(host))
				return 1;
		}
	}
	return 0;
}

#define XI_REASON(NAME, label, text) label,
static const char *const labels[] = {
#include <xipsec/reasons.def>
};
#undef XI_REASON

static void print_counters(struct host *host)
{
	struct xi_count reasons[XI_REASON_MAX];
	struct xi_reason_counts bpf = {0};
	const struct xi_count *bpf_reasons = (const struct xi_count *)&bpf;

	if (host->sa.id > 1)
		add_stats(host, host->sa.id - 1);
	add_stats(host, host->sa.id);
	printf("in_packets=%llu out_packets=%llu in_bytes=%llu out_bytes=%llu sas=%u\n",
	       (unsigned long long)host->old.in_packets, (unsigned long long)host->old.out_packets,
	       (unsigned long long)host->old.in_bytes, (unsigned long long)host->old.out_bytes,
	       host->sa.id);
	worker_reasons(host->worker, reasons);
	datapath_reasons(host->dp, &bpf);
	for (int i = 0; i < XI_REASON_MAX; i++) {
		if (reasons[i].packets)
			printf("worker %s %llu\n", labels[i],
			       (unsigned long long)reasons[i].packets);
		if (bpf_reasons[i].packets)
			printf("bpf %s %llu\n", labels[i],
			       (unsigned long long)bpf_reasons[i].packets);
	}
}

static int teardown(const char *instance)
{
	struct diag diag = {0};
	int err = datapath_teardown(instance, &diag);

	if (err)
		return complain("teardown", err, &diag);
	diag_free(&diag);
	return 0;
}

static int parse_args(struct host *host, int argc, char **argv)
{
	static const struct option options[] = {
		{"instance", 1, NULL, 'n'}, {"interface", 1, NULL, 'i'}, {"policy", 1, NULL, 'p'},
		{"local", 1, NULL, 'l'},    {"remote", 1, NULL, 'r'},	 {"side", 1, NULL, 's'},
		{"cipher", 1, NULL, 'c'},   {"integ", 1, NULL, 'g'},	 {"delay", 1, NULL, 'd'},
		{"teardown", 1, NULL, 't'}, {NULL, 0, NULL, 0},
	};
	int opt, bad = 0;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'n':
			host->instance = optarg;
			break;
		case 'i':
			host->interface = optarg;
			break;
		case 'p':
			host->policy = optarg;
			break;
		case 'l':
			bad |= xi_addr_parse(optarg, &host->local);
			break;
		case 'r':
			bad |= xi_addr_parse(optarg, &host->remote);
			break;
		case 's':
			host->side = atoi(optarg);
			break;
		case 'c':
			bad |= xi_cipher_by_name(optarg, &host->cipher);
			break;
		case 'g':
			bad |= xi_integ_by_name(optarg, &host->integ);
			break;
		case 'd':
			host->delay_ms = atol(optarg);
			break;
		case 't':
			exit(teardown(optarg));
		default:
			bad = 1;
		}
	}
	if (!host->instance || !host->interface || !host->policy || !host->local.family ||
	    !host->remote.family)
		bad = 1;
	return bad;
}

int main(int argc, char **argv)
{
	static struct host host = {.cipher = XI_CIPHER_AES128_GCM16, .delay_ms = -1};
	int rc;

	if (parse_args(&host, argc, argv)) {
		fprintf(stderr, "espworker: see the head of tests/tools/espworker.c\n");
		return 2;
	}
	host.ifindex = (int)if_nametoindex(host.interface);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGUSR1, on_signal);
	rc = host_up(&host);
	if (!rc)
		rc = run(&host);
	if (!rc)
		print_counters(&host);
	worker_close(host.worker);
	datapath_close(host.dp);
	return teardown(host.instance) || rc;
}
