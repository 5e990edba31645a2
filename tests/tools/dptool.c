/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The datapath without a daemon around it, for tests.
 *
 *   dptool INSTANCE run POLICY ME[,ME] INTERFACE...   opens, loads, attaches; prints
 *                        "ready MODE..." and then every event until it is killed
 *   dptool INSTANCE flip POLICY OTHER ME INTERFACE MS
 *                        attaches, prints "ready" and changes between the two
 *                        policies as fast as it can for so long; a second later
 *                        prints "swaps N permitted N blocked N refused N"
 *   dptool INSTANCE reasons      what was counted, by reason
 *   dptool INSTANCE generation   of the filter list in force
 *   dptool INSTANCE foreign      makes the pinned set look like another build's
 *   dptool INSTANCE detach INTERFACE...
 *   dptool INSTANCE teardown
 *   dptool - tcx INTERFACE in|out          the TCX programs there, in order
 *   dptool - stranger INTERFACE in|out VERDICT
 *                        attaches a program that always answers that, as the
 *                        first one, prints "ready" and holds it until it is killed
 *   XI_NO_REASSEMBLY in the environment: without the netfilter links
 *
 * XI_XDP and XI_TC in the environment choose the way of attaching, by number. A
 * MODE is INGRESS/EGRESS. Messages go to stderr. Exit status 0, or 1 when the datapath refused.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <time.h>
#include <unistd.h>

#include "datapath/internal.h"
#include "datapath/tcx.h"
#include "policy/policy.h"
#include "util/addr.h"

static struct diag diag;

static void say(void)
{
	char *text = diag_text(&diag);

	if (text)
		fputs(text, stderr);
	free(text);
	diag_free(&diag);
}

static int fail(const char *what, int err)
{
	say();
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	return 1;
}

static void on_event(void *arg, const struct xi_event *event)
{
#define XI_EVENT(NAME, label, text) label,
	static const char *const names[] = {
#include <xipsec/events.def>
	};
#undef XI_EVENT
	const struct xi_pkt *pkt = &event->pkt;
	struct xi_addr remote = {.family = pkt->family};
	char text[XI_ADDR_STRLEN];

	memcpy(remote.b, pkt->remote, sizeof(remote.b));
	printf("event %s remote %s proto %u port %u generation %u\n",
	       event->kind < XI_EVENT_MAX ? names[event->kind] : "?", xi_addr_text(&remote, text),
	       pkt->proto, pkt->remote_port, event->generation);
	fflush(stdout);
}

static int load(struct datapath *dp, const char *path, const struct xi_addr *me, size_t count)
{
	struct compile_opts opts = {.me = me, .me_count = count};
	struct policy *policy = NULL;
	struct image *image = NULL;
	int err = policy_load(path, &policy, &diag);

	if (!err)
		err = compile_policy(policy, &opts, &image, &diag);
	if (!err)
		err = datapath_set_local(dp, me, count);
	if (!err)
		err = datapath_swap(dp, image, &diag);
	image_free(image);
	policy_free(policy);
	return err;
}

static int run(struct datapath *dp, char **argv)
{
	struct pollfd wait = {.fd = datapath_event_fd(dp), .events = POLLIN};
	char modes[256] = "";
	struct xi_addr me[8];
	size_t count = 0;
	int err;

	if (!argv[0] || !argv[1])
		return fail("run", -EINVAL);
	for (char *addr = strtok(argv[1], ","); addr && count < 8; addr = strtok(NULL, ","))
		if (xi_addr_parse(addr, &me[count++]))
			return fail("run", -EINVAL);
	err = load(dp, argv[0], me, count);
	if (err)
		return fail("load", err);
	for (argv += 2; *argv; argv++) {
		int ifindex = if_nametoindex(*argv);
		struct datapath_iface state = {0};
		const char *name;

		err = datapath_attach(dp, ifindex, XI_IFACE_LAN, &diag);
		if (err)
			return fail(*argv, err);
		err = datapath_iface_state(dp, ifindex, &state);
		if (err)
			return fail(*argv, err);
		name = datapath_ingress_name(state.ingress);
		snprintf(modes + strlen(modes), sizeof(modes) - strlen(modes), " %s/%s",
			 name ? name : "none", datapath_tc_name(state.egress));
		if (*state.why)
			fprintf(stderr, "state %s: %s\n", *argv, state.why);
	}
	say();
	printf("ready%s\n", modes);
	fflush(stdout);
	while (poll(&wait, 1, -1) > 0)
		datapath_events(dp, on_event, NULL);
	return 0;
}

static struct image *compile(const char *path, const struct xi_addr *me)
{
	struct compile_opts opts = {.me = me, .me_count = 1};
	struct policy *policy = NULL;
	struct image *image = NULL;

	if (!policy_load(path, &policy, &diag))
		compile_policy(policy, &opts, &image, &diag);
	policy_free(policy);
	return image;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static int flip(struct datapath *dp, char **argv)
{
	struct image *images[2] = {NULL};
	struct xi_reason_counts reasons;
	struct xi_totals totals;
	unsigned long swaps = 0;
	struct xi_addr me;
	uint64_t end;
	int err = 0;

	for (unsigned i = 0; i < 5; i++)
		if (!argv[i])
			return fail("flip", -EINVAL);
	if (xi_addr_parse(argv[2], &me) || datapath_set_local(dp, &me, 1))
		return fail("flip", -EINVAL);
	for (unsigned i = 0; i < 2; i++) {
		images[i] = compile(argv[i], &me);
		if (!images[i])
			return fail(argv[i], -EINVAL);
	}
	/* Both slots are made before the first packet comes. */
	for (unsigned i = 0; i < 3 && !err; i++)
		err = datapath_swap(dp, images[i & 1], &diag);
	if (!err)
		err = datapath_attach(dp, if_nametoindex(argv[3]), XI_IFACE_LAN, &diag);
	if (err)
		return fail("flip", err);
	printf("ready\n");
	fflush(stdout);
	for (end = now_ms() + strtoul(argv[4], NULL, 10); !err && now_ms() < end; swaps++)
		err = datapath_swap(dp, images[(swaps + 1) & 1], &diag);
	if (err)
		return fail("swap", err);
	sleep(1);
	datapath_totals(dp, &totals);
	datapath_reasons(dp, &reasons);
	printf("swaps %lu permitted %llu blocked %llu refused %llu\n", swaps,
	       totals.in_permit.packets, totals.in_block.packets, reasons.NO_POLICY.packets);
	image_free(images[0]);
	image_free(images[1]);
	return 0;
}

static int reasons(struct datapath *dp)
{
	struct xi_reason_counts counts;
	int err = datapath_reasons(dp, &counts);

	if (err)
		return fail("reasons", err);
#define XI_REASON(NAME, label, text) printf("%s %llu\n", label, counts.NAME.packets);
#include <xipsec/reasons.def>
#undef XI_REASON
	return 0;
}

/* Ways of attaching by their number in datapath.h; 0: the best. */
static int number_of(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 0;
}

static int detach(struct datapath *dp, char **argv)
{
	for (; *argv; argv++) {
		int err = datapath_detach(dp, if_nametoindex(*argv));

		if (err)
			return fail(*argv, err);
	}
	return 0;
}

static int tcx_list(int ifindex, bool ingress)
{
	uint32_t ids[64];
	int count = tcx_programs(ifindex, ingress, ids, 64);

	for (int i = 0; i < count; i++) {
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(ids[i]);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
			puts(info.name);
	}
	return count < 0;
}

static int stranger(int ifindex, bool ingress, int verdict)
{
	const struct bpf_insn insns[] = {
		{.code = 0xb7, .dst_reg = 0, .imm = verdict}, /* r0 = verdict */
		{.code = 0x95},				      /* exit */
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "stranger", "GPL", insns, 2, NULL);

	if (fd < 0 || tcx_create(fd, ifindex, ingress) < 0)
		return fail("stranger", -errno);
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	struct datapath_opts opts = {.owns_esp = true, .no_reassembly = getenv("XI_NO_REASSEMBLY")};
	struct datapath *dp = NULL;
	int err, rc = 2;

	if (argc < 3) {
		fprintf(stderr, "usage: dptool INSTANCE run|reasons|generation|foreign|detach|"
				"teardown ...\n");
		return 2;
	}
	if (argc == 5 && !strcmp(argv[2], "tcx"))
		return tcx_list(if_nametoindex(argv[3]), !strcmp(argv[4], "in"));
	if (argc == 6 && !strcmp(argv[2], "stranger"))
		return stranger(if_nametoindex(argv[3]), !strcmp(argv[4], "in"), atoi(argv[5]));
	opts.instance = argv[1];
	opts.want.xdp = number_of("XI_XDP");
	opts.want.tc = number_of("XI_TC");
	if (!strcmp(argv[2], "teardown")) {
		err = datapath_teardown(argv[1], &diag);
		return err ? fail("teardown", err) : 0;
	}
	err = datapath_open(&opts, &dp, &diag);
	if (err)
		return fail("open", err);
	if (!strcmp(argv[2], "run"))
		rc = run(dp, argv + 3);
	else if (!strcmp(argv[2], "flip"))
		rc = flip(dp, argv + 3);
	else if (!strcmp(argv[2], "reasons"))
		rc = reasons(dp);
	else if (!strcmp(argv[2], "detach"))
		rc = detach(dp, argv + 3);
	else if (!strcmp(argv[2], "generation"))
		rc = printf("%u\n", datapath_generation(dp)) < 0;
	else if (!strcmp(argv[2], "foreign")) {
		dp->ctl->build ^= 1;
		rc = 0;
	}
	datapath_close(dp);
	return rc;
}
