/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsec replay: every packet of a capture through the real BPF programs, with a
 * policy that is in force nowhere else. Nothing is sent. Packets that were
 * captured without an Ethernet header get one. Packets that the capture cut short
 * are run as if they had ended there: the headers decide, and where the cut
 * took part of them nothing is made up in their place.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/compiled.h"
#include "cli/output.h"
#include "datapath/testrun.h"
#include "policy/scalar.h"
#include "util/pcap.h"

#define ETHER_LEN 14
#define IPV4_LEN  20
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
	bool cut; /* not the whole packet is in it */
	unsigned long packets, verdicts[XI_ACT_NEGOTIATE + 1];
	unsigned long foreign_link; /* packets of a link type that we do not read */
	uint32_t link_type;	    /* of the first of them */
	double ns;		    /* sum over timed packets */
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
	enum xi_hook hook;
	int rc = CLI_OK;

	for (int i = 1; !rc && i < argc; i++) {
		if (!strcmp(argv[i], "--in") || !strcmp(argv[i], "--out")) {
			hook = argv[i][2] == 'i' ? XI_HOOK_XDP_INGRESS : XI_HOOK_TC_EGRESS;
			if (opt->dir_given && opt->hook != hook)
				return cli_usage(argv[0], "--in and --out exclude each other");
			opt->hook = hook;
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

/* Where IP begins behind an Ethernet header and VLAN tags, 0 if nowhere. */
static size_t ip_at(const uint8_t *frame, size_t len)
{
	for (size_t at = 12; at + 2 <= len && at <= 20; at += 4) {
		unsigned type = frame[at] << 8 | frame[at + 1];

		if (type == 0x0800 || type == 0x86dd)
			return at + 2;
		if (type != 0x8100 && type != 0x88a8)
			return 0;
	}
	return 0;
}

/* An IP packet that says it is longer than the `len` bytes there are, says `len`. */
static void shorten(uint8_t *ip, size_t len)
{
	if (len >= 20 && ip[0] >> 4 == 4 && (size_t)(ip[2] << 8 | ip[3]) > len) {
		ip[2] = len >> 8;
		ip[3] = len;
	} else if (len >= 40 && ip[0] >> 4 == 6 && (size_t)(ip[4] << 8 | ip[5]) > len - 40) {
		ip[4] = (len - 40) >> 8;
		ip[5] = len - 40;
	}
}

/* The frame to run, or 0 when the packet is not one that a device would deliver. */
static size_t make_frame(struct replay *r, const struct capture_packet *packet)
{
	const uint8_t *bytes = packet->p;
	size_t len = packet->len, at = 0, ip;

	r->cut = packet->wire_len > packet->len;
	if (packet->link_type != CAPTURE_ETHERNET) {
		int err = capture_ip(packet, &bytes, &len);

		if (err == -EOPNOTSUPP && !r->foreign_link++)
			r->link_type = packet->link_type;
		if (err)
			return 0;
		memset(r->frame, 0, ETHER_LEN);
		r->frame[0] = r->frame[6] = 0x02; /* some locally administered addresses */
		r->frame[12] = bytes[0] >> 4 == 6 ? 0x86 : 0x08;
		r->frame[13] = bytes[0] >> 4 == 6 ? 0xdd : 0x00;
		at = ETHER_LEN;
	} else if (len < ETHER_LEN) {
		return 0;
	}
	if (len > FRAME_MAX - at) {
		len = FRAME_MAX - at;
		r->cut = true;
	}
	memcpy(r->frame + at, bytes, len);
	len += at;
	ip = ip_at(r->frame, len);
	if (r->cut && ip && len - ip < IPV4_LEN)
		return 0;
	if (r->cut && ip)
		shorten(r->frame + ip, len - ip);
	/* The kernel makes no skb of less; a wire pads its frames as well. */
	if (len < ETHER_LEN + IPV4_LEN) {
		memset(r->frame + len, 0, ETHER_LEN + IPV4_LEN - len);
		len = ETHER_LEN + IPV4_LEN;
	}
	return len;
}

/* ------------------------------------------------------------------ verdicts */

/* The label of what the verdict does not tell by itself, or NULL. */
static const char *reason_label(enum xi_reason reason)
{
	static const char *const labels[] = {
#define XI_REASON(NAME, label, sentence) label,
#include <xipsec/reasons.def>
#undef XI_REASON
	};

	if (reason == XI_REASON_MALFORMED || reason == XI_REASON_UNSECURABLE ||
	    reason == XI_REASON_FRAGMENT)
		return labels[reason];
	return NULL;
}

static void print_packet(const struct replay *r, unsigned long n, enum xi_action action,
			 const struct filter *f, const char *reason)
{
	json_t *line;

	if (!r->opt->json) {
		printf("%6lu  %s", n, cli_verdict(action));
		if (f)
			printf("  filter %u of '%s'", f->id, f->rule_name);
		if (reason)
			printf("  (%s)", reason);
		putchar('\n');
		return;
	}
	line = json_pack("{s:I, s:s, s:o, s:o}", "n", (json_int_t)n, "verdict", cli_verdict(action),
			 "filter", f ? json_integer(f->id) : json_null(), "rule",
			 f ? json_string(f->rule_name) : json_null());
	if (reason)
		json_object_set_new(line, "reason", json_string(reason));
	cli_json_line(line, 0);
}

static int run_packet(struct replay *r, const struct capture_packet *packet)
{
	size_t len = make_frame(r, packet);
	const struct filter *f = NULL;
	const char *reason = NULL;
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
		reason = reason_label(result.reason);
		if (r->cut && result.reason == XI_REASON_MALFORMED)
			reason = "truncated";
		if (result.ip && result.filter_idx < r->image->count) {
			f = &r->image->filters[result.filter_idx];
			action = result.action;
		}
	} else if (r->cut)
		reason = "truncated";
	print_packet(r, r->packets, action, f, reason);
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
	cli_json_line(line, JSON_REAL_PRECISION(6));
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
	else if (r.foreign_link)
		fprintf(stderr,
			"xipsec: %s: %lu packets have no verdict: link type %u is not understood\n",
			opt->file, r.foreign_link, r.link_type);
	testrun_close(r.run);
	return err ? CLI_FAILED : more < 0 || r.foreign_link ? CLI_USAGE : CLI_OK;
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
		rc = cli_compile(opt.policy, &opt.me, &image);
	if (!rc)
		rc = replay(&opt, image, capture);
	capture_close(capture);
	image_free(image);
	free(opt.me.v);
	return rc;
}
