/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsec replay: every packet of a capture through the real BPF programs, with a
 * policy that is in force nowhere else. Nothing is sent. Packets that were
 * captured without an Ethernet header get one; packets cut short by the capture
 * are filled with zeros up to their length on the wire, as only headers decide.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/compiled.h"
#include "datapath/testrun.h"
#include "policy/scalar.h"
#include "util/pcap.h"

#define ETHER_LEN 14
/* What a test run takes in one piece; more is a super-packet of a capturing host. */
#define FRAME_MAX 3000

struct options {
	const char *policy, *file;
	bool json, dir_given;
	enum xi_hook hook;
	unsigned repeat;
	struct cli_me me;
};

struct replay {
	const struct options *opt;
	const struct image *image;
	struct testrun *run;
	uint8_t frame[FRAME_MAX];
	unsigned long packets, verdicts[XI_ACT_NEGOTIATE + 1];
	double ns; /* sum over timed packets */
	unsigned long timed;
};

static int take_repeat(const char *command, const char *text, unsigned *ret)
{
	struct complaint why;
	uint32_t repeat;

	if (parse_number(text, "--repeat", 1, 100000000, &repeat, &why))
		return cli_usage(command, "%s", why.text);
	*ret = repeat;
	return CLI_OK;
}

static int parse_args(int argc, char **argv, struct options *opt)
{
	int rc = CLI_OK;

	for (int i = 1; !rc && i < argc; i++) {
		if (!strcmp(argv[i], "--in") || !strcmp(argv[i], "--out")) {
			opt->hook = argv[i][2] == 'i' ? XI_HOOK_XDP_INGRESS : XI_HOOK_TC_EGRESS;
			opt->dir_given = true;
		} else if (!strcmp(argv[i], "--json")) {
			opt->json = true;
		} else if (!strcmp(argv[i], "--me") && i + 1 < argc) {
			rc = cli_me_add(&opt->me, argv[0], argv[++i]);
		} else if (!strcmp(argv[i], "--repeat") && i + 1 < argc) {
			rc = take_repeat(argv[0], argv[++i], &opt->repeat);
		} else if (argv[i][0] == '-') {
			rc = cli_usage(argv[0], "unknown or incomplete option '%s'", argv[i]);
		} else if (!opt->policy) {
			opt->policy = argv[i];
		} else if (!opt->file) {
			opt->file = argv[i];
		} else {
			rc = cli_usage(argv[0], "too many arguments");
		}
	}
	if (rc)
		return rc;
	if (!opt->policy || !opt->file)
		return cli_usage(argv[0], "a policy and a capture are needed");
	if (!opt->dir_given)
		return cli_usage(argv[0], "--in or --out?");
	return CLI_OK;
}

/* -------------------------------------------------------------------- frames */

/*
 * A packet longer than a test run takes is shortened, and its length field with
 * it: what decides stands in its headers. `ip` lies in the frame.
 */
static void shorten(uint8_t *ip, size_t len)
{
	if (len >= 20 && ip[0] >> 4 == 4) {
		ip[2] = len >> 8;
		ip[3] = len;
	} else if (len >= 40 && ip[0] >> 4 == 6) {
		ip[4] = (len - 40) >> 8;
		ip[5] = len - 40;
	}
}

/* The frame to run, or 0 when the packet is not one that a device would deliver. */
static size_t make_frame(struct replay *r, const struct capture_packet *packet)
{
	const uint8_t *ip = NULL;
	size_t len = packet->wire_len, ip_len = 0, at = 0;

	if (packet->link_type != CAPTURE_ETHERNET) {
		if (capture_ip(packet, &ip, &ip_len) || !ip_len)
			return 0;
		memset(r->frame, 0, ETHER_LEN);
		r->frame[0] = r->frame[6] = 0x02; /* some locally administered addresses */
		r->frame[12] = ip[0] >> 4 == 6 ? 0x86 : 0x08;
		r->frame[13] = ip[0] >> 4 == 6 ? 0xdd : 0x00;
		len = ETHER_LEN + packet->wire_len - (ip - packet->p);
		at = ETHER_LEN;
	} else {
		if (packet->len < ETHER_LEN)
			return 0;
		ip = packet->p;
		ip_len = packet->len;
	}
	if (len > FRAME_MAX)
		len = FRAME_MAX;
	if (ip_len > len - at)
		ip_len = len - at;
	memset(r->frame + at, 0, len - at);
	memcpy(r->frame + at, ip, ip_len);
	if (len == FRAME_MAX)
		shorten(r->frame + ETHER_LEN, len - ETHER_LEN);
	return len;
}

/* ------------------------------------------------------------------ verdicts */

static void print_packet(const struct replay *r, unsigned long n, enum xi_action action,
			 const struct filter *f)
{
	json_t *line;

	if (!r->opt->json) {
		if (f)
			printf("%6lu  %-7s  filter %u of '%s'\n", n, cli_verdict(action), f->id,
			       f->rule_name);
		else
			printf("%6lu  %-7s\n", n, cli_verdict(action));
		return;
	}
	line = json_pack("{s:I, s:s, s:o, s:o}", "n", (json_int_t)n, "verdict", cli_verdict(action),
			 "filter", f ? json_integer(f->id) : json_null(), "rule",
			 f ? json_string(f->rule_name) : json_null());
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
}

static int run_packet(struct replay *r, const struct capture_packet *packet)
{
	size_t len = make_frame(r, packet);
	const struct filter *f = NULL;
	enum xi_action action = XI_ACT_NONE;
	struct testrun_result result;
	double ns;
	int err;

	if (len) {
		err = testrun_frame(r->run, r->opt->hook, r->frame, len, &result);
		if (!err)
			err = testrun_time(r->run, r->opt->hook, r->frame, len, r->opt->repeat,
					   &ns);
		if (err)
			return err;
		r->ns += ns;
		r->timed++;
		if (result.ip && result.filter_idx < r->image->count) {
			f = &r->image->filters[result.filter_idx];
			action = result.action;
		}
	}
	print_packet(r, r->packets, action, f);
	r->verdicts[action]++;
	r->packets++;
	return 0;
}

static void print_summary(const struct replay *r)
{
	double ns = r->timed ? r->ns / r->timed : 0;
	json_t *line;

	if (!r->opt->json) {
		printf("%lu packets: %lu permit, %lu block, %lu secure, %lu none; %.0f ns each\n",
		       r->packets, r->verdicts[XI_ACT_PERMIT], r->verdicts[XI_ACT_BLOCK],
		       r->verdicts[XI_ACT_NEGOTIATE], r->verdicts[XI_ACT_NONE], ns);
		return;
	}
	line = json_pack("{s:{s:I, s:I, s:I, s:I, s:I, s:f}}", "summary", "packets",
			 (json_int_t)r->packets, "permit", (json_int_t)r->verdicts[XI_ACT_PERMIT],
			 "block", (json_int_t)r->verdicts[XI_ACT_BLOCK], "secure",
			 (json_int_t)r->verdicts[XI_ACT_NEGOTIATE], "none",
			 (json_int_t)r->verdicts[XI_ACT_NONE], "ns_per_packet", ns);
	json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(line);
}

static int replay(const struct options *opt, const struct image *image, struct capture *capture)
{
	struct testrun_opts run_opts = {
		.me = opt->me.v, .me_count = opt->me.count, .all_me = !opt->me.count};
	struct replay r = {.opt = opt, .image = image};
	struct capture_packet packet;
	struct diag diag = {0};
	int err, more = 0;

	err = testrun_open(image, &run_opts, &r.run, &diag);
	cli_print_diag(&diag);
	if (err) {
		fprintf(stderr, "xipsec: the BPF programs cannot be run here: %s\n",
			strerror(-err));
		return err == -EPERM ? CLI_UNSUPPORTED : CLI_FAILED;
	}
	while (!err && (more = capture_next(capture, &packet)) > 0)
		err = run_packet(&r, &packet);
	if (!err)
		print_summary(&r);
	if (err)
		fprintf(stderr, "xipsec: packet %lu: %s\n", r.packets, strerror(-err));
	else if (more < 0)
		fprintf(stderr, "xipsec: %s is damaged behind packet %lu\n", opt->file, r.packets);
	testrun_close(r.run);
	return err ? CLI_FAILED : more < 0 ? CLI_USAGE : CLI_OK;
}

int cmd_replay(int argc, char **argv)
{
	struct options opt = {.repeat = 1};
	struct capture *capture = NULL;
	struct image *image = NULL;
	int err, rc = parse_args(argc, argv, &opt);

	if (!rc) {
		err = capture_open(opt.file, &capture);
		if (err) {
			fprintf(stderr, "xipsec: %s: %s\n", opt.file,
				err == -EBADMSG ? "this is no capture file" : strerror(-err));
			rc = CLI_USAGE;
		}
	}
	if (!rc)
		rc = cli_compile(opt.policy, &opt.me, true, &image);
	if (!rc)
		rc = replay(&opt, image, capture);
	capture_close(capture);
	image_free(image);
	free(opt.me.v);
	return rc;
}
