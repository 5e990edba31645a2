/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends flows into an interface and measures what a packet costs its sender and
 * its receiver together.
 *
 *   flood send FLOWS INTERFACE CPU COUNT|MSms [fresh]
 *       prints "packets, ns of CPU, ns of wall time"
 *   flood limit INTERFACE      attaches the program that only parses and drops
 *
 * Frames are made in the kernel (BPF_PROG_TEST_RUN, live frames) and redirected
 * to the interface, a veth whose other end polls in a softirq of the same CPU:
 * this thread's CPU time is the cost of both ends. What ran over into ksoftirqd
 * is added. CPU time stays true on a busy machine; wall time does not.
 *
 * Weak spot: with CONFIG_IRQ_TIME_ACCOUNTING a softirq is nobody's CPU time. It is
 * then read from /proc/stat, which counts in 10 ms: use samples of a second there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <net/if.h>
#include <sys/socket.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "flow.h"
#include "skel/flood.skel.h"

#define BATCH 64	  /* frames sent before the receiver polls: its NAPI budget */
#define SHORT (8 * BATCH) /* packets of the first, untimed look */

struct sample {
	uint64_t packets, cpu, wall;
};

static int fail(const char *what, int err)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(-err));
	return 1;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* The clock of ksoftirqd/CPU; CPU time of any process may be read. -1 when it has none. */
static clockid_t softirqd_clock(int cpu)
{
	char want[32], path[300], comm[32] = "";
	clockid_t ret = -1;
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	snprintf(want, sizeof(want), "ksoftirqd/%d\n", cpu);
	while (proc && ret == -1 && (entry = readdir(proc))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && !strcmp(comm, want))
			clock_getcpuclockid(atoi(entry->d_name), &ret);
		fclose(file);
	}
	if (proc)
		closedir(proc);
	return ret;
}

static bool irq_time_apart(void)
{
	return !system("(zcat /proc/config.gz || cat /boot/config-$(uname -r)) 2>/dev/null |"
		       " grep -q '^CONFIG_IRQ_TIME_ACCOUNTING=y'");
}

/* Softirq time of a CPU by /proc/stat, in ns. */
static uint64_t softirq_ns(int cpu)
{
	unsigned long long v[7] = {0};
	char line[512], name[16];
	FILE *file = fopen("/proc/stat", "r");

	snprintf(name, sizeof(name), "cpu%d ", cpu);
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line, "%*s %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2],
			       &v[3], &v[4], &v[5], &v[6]);
	if (file)
		fclose(file);
	return v[6] * (1000000000ull / sysconf(_SC_CLK_TCK));
}

/*
 * Of the sending end: what the other end took off its ring, and what did not fit
 * in there. The counters have 32 bits; differences are right.
 */
static int link_counts(const char *name, uint32_t *ret_taken, uint32_t *ret_lost)
{
	struct ifaddrs *list, *i;
	int err = -ENODEV;

	if (getifaddrs(&list))
		return -errno;
	for (i = list; i; i = i->ifa_next) {
		const struct rtnl_link_stats *stats = i->ifa_data;

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_PACKET || !stats ||
		    strcmp(i->ifa_name, name))
			continue;
		*ret_taken = stats->tx_packets;
		*ret_lost = stats->tx_dropped;
		err = 0;
	}
	freeifaddrs(list);
	return err;
}

static int read_flows(const char *path, struct flow *ret)
{
	size_t want = sizeof(struct flow) * FLOWS, got;
	FILE *file = fopen(path, "rb");

	if (!file)
		return -errno;
	got = fread(ret, 1, want, file);
	fclose(file);
	return got == want ? 0 : -EINVAL;
}

/* The fields that flood() leaves alone. TCP finds a header of 20 bytes, UDP no checksum. */
static void frame_fill(uint8_t frame[FRAME_LEN])
{
	struct ethhdr *eth = (void *)frame;
	struct iphdr *ip = (void *)(eth + 1);
	uint8_t *l4 = (void *)(ip + 1);

	memset(frame, 0, FRAME_LEN);
	memcpy(eth->h_dest, "\x02\x00\x00\x00\x00\x02", ETH_ALEN); /* of every receiver */
	memcpy(eth->h_source, "\x02\x00\x00\x00\x00\x01", ETH_ALEN);
	eth->h_proto = htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->tot_len = htons(IP_LEN);
	l4[5] = IP_LEN - sizeof(*ip);
	l4[12] = 5 << 4;
}

static int run(struct flood *skel, uint64_t count, struct sample *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = BATCH);
	uint8_t frame[FRAME_LEN];
	struct xdp_md ctx = {.data_end = FRAME_LEN};
	uint64_t cpu, wall;
	int err;

	frame_fill(frame);
	opts.data_in = frame;
	opts.data_size_in = FRAME_LEN;
	opts.ctx_in = &ctx;
	opts.ctx_size_in = sizeof(ctx);
	opts.repeat = count;
	wall = clock_ns(CLOCK_MONOTONIC);
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.flood), &opts);
	ret->cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	ret->wall = clock_ns(CLOCK_MONOTONIC) - wall;
	ret->packets = count;
	return err;
}

/* A whole sample, and the proof that all of it went through the receiver. */
static int sample(struct flood *skel, const char *name, int cpu, uint64_t count, struct sample *ret)
{
	uint32_t taken, lost, taken_after, lost_after;
	clockid_t softirqd = softirqd_clock(cpu);
	bool apart = irq_time_apart();
	uint64_t other, irq = 0;
	int err;

	err = link_counts(name, &taken, &lost);
	if (err)
		return err;
	other = softirqd == -1 ? 0 : clock_ns(softirqd);
	if (apart)
		irq = softirq_ns(cpu);
	err = run(skel, count, ret);
	if (err)
		return err;
	/* The last frames may wait for ksoftirqd; a slow filter takes 1 ms for each. */
	for (int tries = 0; tries < 1000; tries++) {
		err = link_counts(name, &taken_after, &lost_after);
		if (err)
			return err;
		if (taken_after - taken + (lost_after - lost) >= (uint32_t)count)
			break;
		usleep(1000);
	}
	if (softirqd != -1)
		ret->cpu += clock_ns(softirqd) - other;
	if (apart)
		ret->cpu += softirq_ns(cpu) - irq;
	if (taken_after - taken != (uint32_t)count) {
		fprintf(stderr, "flood: of %llu frames %u arrived and %u were lost\n",
			(unsigned long long)count, taken_after - taken, lost_after - lost);
		return -EIO;
	}
	return 0;
}

static int send_flows(char **argv, bool fresh)
{
	struct sample result;
	struct flood *skel = flood__open_and_load();
	int cpu = atoi(argv[2]), err;
	unsigned long long number;
	cpu_set_t cpus;
	char *unit;

	if (!skel)
		return fail("load", -errno);
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		return fail("CPU", -errno);
	err = read_flows(argv[0], skel->bss->flows);
	if (err)
		return fail(argv[0], err);
	skel->bss->fresh = fresh;
	skel->bss->target = if_nametoindex(argv[1]);
	number = strtoull(argv[3], &unit, 10);
	if (!strcmp(unit, "ms")) {
		/* Untimed first: caches and the page pool fill, and the speed shows. */
		err = sample(skel, argv[1], cpu, SHORT, &result);
		if (err)
			return fail(argv[1], err);
		number = number * 1000000 * SHORT / (result.cpu ? result.cpu : 1) / 4;
		if (number < SHORT)
			number = SHORT;
		err = sample(skel, argv[1], cpu, number, &result);
		if (err)
			return fail(argv[1], err);
		number = result.cpu ? number * (strtoull(argv[3], NULL, 10) * 1000000) / result.cpu
				    : number;
		number -= number % BATCH;
		if (number < SHORT)
			number = SHORT;
	}
	if (!(skel->bss->target && number))
		return fail(argv[1], -EINVAL);
	err = sample(skel, argv[1], cpu, number, &result);
	if (err)
		return fail(argv[1], err);
	printf("%llu %llu %llu\n", (unsigned long long)result.packets,
	       (unsigned long long)result.cpu, (unsigned long long)result.wall);
	flood__destroy(skel);
	return 0;
}

/* Stays attached when this process ends: the interface owns it, not a link. */
static int limit(const char *name)
{
	struct flood *skel = flood__open_and_load();
	int err;

	if (!skel)
		return fail("load", -errno);
	err = bpf_xdp_attach(if_nametoindex(name), bpf_program__fd(skel->progs.limit),
			     1u << 2 /* XDP_FLAGS_DRV_MODE */, NULL);
	flood__destroy(skel);
	return err ? fail(name, err) : 0;
}

int main(int argc, char **argv)
{
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	if (argc == 3 && !strcmp(argv[1], "limit"))
		return limit(argv[2]);
	if ((argc == 6 || (argc == 7 && !strcmp(argv[6], "fresh"))) && !strcmp(argv[1], "send"))
		return send_flows(argv + 2, argc == 7);
	fprintf(stderr, "usage: flood send FLOWS INTERFACE CPU COUNT|MSms [fresh]\n"
			"       flood limit INTERFACE\n");
	return 2;
}
