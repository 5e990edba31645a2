/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsec explain: which filter of a policy decides about a packet that one can
 * describe, and on what the others that cover it lost. Answered by the reference
 * model, which the BPF classifier is tested against.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/compiled.h"
#include "policy/scalar.h"
#include "util/addr.h"

#define BEATEN_TEXT 20 /* in text; JSON has all */

struct options {
	const char *file;
	bool json, dir_given, local_given, remote_given, proto_given;
	bool local_port_given, remote_port_given;
	struct cli_me me;
	struct xi_pkt pkt;
};

/* ----------------------------------------------------------------- arguments */

static int take_addr(const char *command, const char *text, struct options *opt, uint8_t to[16])
{
	struct xi_addr addr;

	if (xi_addr_parse(text, &addr))
		return cli_usage(command, "'%s' is not an address", text);
	if (opt->pkt.family && opt->pkt.family != addr.family)
		return cli_usage(command, "--local and --remote are of different families");
	opt->pkt.family = addr.family;
	memcpy(to, addr.b, 16);
	return CLI_OK;
}

static int take_number(const char *command, const char *name, const char *text, unsigned max,
		       unsigned *ret)
{
	struct complaint why;
	uint32_t number;

	if (parse_number(text, name, 0, max, &number, &why))
		return cli_usage(command, "%s", why.text);
	*ret = number;
	return CLI_OK;
}

static int take_proto(const char *command, const char *text, struct options *opt)
{
	struct complaint why;

	if (parse_proto(text, &opt->proto_given, &opt->pkt.proto, &why))
		return cli_usage(command, "%s", why.text);
	if (!opt->proto_given)
		return cli_usage(command, "a packet has one protocol, not 'any'");
	return CLI_OK;
}

/* One option that takes a value. */
static int take_value(const char *command, const char *name, const char *value, struct options *opt)
{
	unsigned number = 0;
	int rc;

	if (!strcmp(name, "--me"))
		return cli_me_add(&opt->me, command, value);
	if (!strcmp(name, "--local")) {
		opt->local_given = true;
		return take_addr(command, value, opt, opt->pkt.local);
	}
	if (!strcmp(name, "--remote")) {
		opt->remote_given = true;
		return take_addr(command, value, opt, opt->pkt.remote);
	}
	if (!strcmp(name, "--proto"))
		return take_proto(command, value, opt);
	if (!strcmp(name, "--interface")) {
		if (strcmp(value, "lan") && strcmp(value, "remote-access"))
			return cli_usage(command, "an interface is 'lan' or 'remote-access'");
		opt->pkt.iface_class = !strcmp(value, "lan") ? XI_IFACE_LAN
							     : XI_IFACE_REMOTE_ACCESS;
		return CLI_OK;
	}
	rc = take_number(command, name, value, strstr(name, "-port") ? 65535 : 255, &number);
	if (rc)
		return rc;
	if (!strcmp(name, "--local-port")) {
		opt->pkt.local_port = number;
		opt->local_port_given = true;
	} else if (!strcmp(name, "--remote-port")) {
		opt->pkt.remote_port = number;
		opt->remote_port_given = true;
	} else if (!strcmp(name, "--icmp-type"))
		opt->pkt.icmp_type = number;
	else
		opt->pkt.icmp_code = number;
	return CLI_OK;
}

static bool takes_value(const char *name)
{
	static const char *const names[] = {"--me",	   "--local",	   "--remote",
					    "--proto",	   "--local-port", "--remote-port",
					    "--icmp-type", "--icmp-code",  "--interface"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	return false;
}

static int check_args(const char *command, const struct options *opt)
{
	if (!opt->file)
		return cli_usage(command, "which policy?");
	if (!opt->dir_given)
		return cli_usage(command, "--in or --out?");
	if (!opt->local_given || !opt->remote_given)
		return cli_usage(command, "a packet needs --local and --remote");
	if (!opt->proto_given)
		return cli_usage(command, "a packet needs --proto");
	if ((opt->pkt.local_port || opt->pkt.remote_port) && !proto_has_ports(opt->pkt.proto))
		return cli_usage(command, "this protocol has no ports");
	return CLI_OK;
}

static int parse_args(int argc, char **argv, struct options *opt)
{
	int rc = CLI_OK;

	for (int i = 1; !rc && i < argc; i++) {
		if (!strcmp(argv[i], "--in") || !strcmp(argv[i], "--out")) {
			enum xi_dir dir = argv[i][2] == 'i' ? XI_DIR_IN : XI_DIR_OUT;

			if (opt->dir_given && opt->pkt.dir != dir)
				return cli_usage(argv[0], "--in and --out exclude each other");
			opt->pkt.dir = dir;
			opt->dir_given = true;
		} else if (!strcmp(argv[i], "--json")) {
			opt->json = true;
		} else if (!strcmp(argv[i], "--later-fragment")) {
			opt->pkt.flags |= XI_PKT_LATER_FRAG;
		} else if (takes_value(argv[i]) && i + 1 < argc) {
			rc = take_value(argv[0], argv[i], argv[i + 1], opt);
			i++;
		} else if (argv[i][0] == '-') {
			rc = cli_usage(argv[0], "unknown or incomplete option '%s'", argv[i]);
		} else if (opt->file) {
			rc = cli_usage(argv[0], "one policy at a time");
		} else {
			opt->file = argv[i];
		}
	}
	return rc ? rc : check_args(argv[0], opt);
}

/* Without --me the packet's own local address counts as ours. */
static void decide_me(struct options *opt)
{
	struct xi_addr local = {.family = opt->pkt.family};
	bool me = !opt->me.count;

	memcpy(local.b, opt->pkt.local, 16);
	for (size_t i = 0; i < opt->me.count; i++)
		me |= xi_addr_equal(&opt->me.v[i], &local);
	if (me)
		opt->pkt.flags |= XI_PKT_LOCAL_IS_ME;
}

/* -------------------------------------------------------------------- answer */

/* The packet has a port that we were not told: it may be any, so it is in no particular range. */
static bool port_unknown(const struct options *opt, bool given)
{
	return !given && proto_has_ports(opt->pkt.proto) && !(opt->pkt.flags & XI_PKT_LATER_FRAG);
}

static bool is_range(uint16_t lo, uint16_t hi)
{
	return lo != 0 || hi != 65535;
}

static bool covers(const struct filter *f, const struct options *opt)
{
	if (port_unknown(opt, opt->local_port_given) &&
	    is_range(f->local_port_lo, f->local_port_hi))
		return false;
	if (port_unknown(opt, opt->remote_port_given) &&
	    is_range(f->remote_port_lo, f->remote_port_hi))
		return false;
	return filter_matches(f, &opt->pkt);
}

static size_t next_match(const struct image *image, const struct options *opt, size_t from)
{
	while (from < image->count && !covers(&image->filters[from], opt))
		from++;
	return from;
}

/* What was left out of account, behind the sentence in buf. */
static void add_unknown(const struct options *opt, char *buf, size_t size)
{
	bool local = port_unknown(opt, opt->local_port_given);
	bool remote = port_unknown(opt, opt->remote_port_given);
	size_t len = strlen(buf);

	if (local || remote)
		snprintf(buf + len, size - len,
			 "; no %s was given, so filters for certain %s ports were left out",
			 local && remote ? "--local-port and no --remote-port"
			 : local	 ? "--local-port"
					 : "--remote-port",
			 local && remote ? "local or remote"
			 : local	 ? "local"
					 : "remote");
}

/* One sentence on why the first filter won. */
static void because(const struct image *image, const struct options *opt, size_t winner, char *buf,
		    size_t size)
{
	const struct filter *f = &image->filters[winner];
	size_t second;

	if (winner == image->count) {
		snprintf(buf, size, "no filter covers this packet, so it passes in clear");
		return;
	}
	second = next_match(image, opt, winner + 1);
	if (second == image->count)
		snprintf(buf, size, "filter %u of '%s' is the only one that covers this packet",
			 f->id, f->rule_name);
	else
		snprintf(buf, size, "filter %u of '%s' goes before filter %u of '%s' by its %s",
			 f->id, f->rule_name, image->filters[second].id,
			 image->filters[second].rule_name,
			 filter_lost_on(f, &image->filters[second]));
}

static void answer_json(const struct image *image, const struct options *opt, size_t winner,
			const char *why)
{
	const struct filter *f = &image->filters[winner];
	bool found = winner < image->count;
	json_t *beaten = json_array(), *root;

	for (size_t i = winner; found && (i = next_match(image, opt, i + 1)) < image->count;) {
		const struct filter *loser = &image->filters[i];

		json_array_append_new(beaten,
				      json_pack("{s:I, s:s, s:s}", "filter", (json_int_t)loser->id,
						"rule", loser->rule_name, "lost_on",
						filter_lost_on(f, loser)));
	}
	root = json_pack("{s:s, s:o, s:o, s:s, s:o}", "verdict",
			 cli_verdict(found ? f->action : XI_ACT_NONE), "filter",
			 found ? json_integer(f->id) : json_null(), "rule",
			 found ? json_string(f->rule_name) : json_null(), "because", why, "beaten",
			 beaten);
	json_dumpf(root, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(root);
}

static void answer_text(const struct image *image, const struct options *opt, size_t winner,
			const char *why)
{
	const struct filter *f = &image->filters[winner];
	size_t shown = 0, more = 0;

	printf("%s: %s\n", cli_verdict(winner < image->count ? f->action : XI_ACT_NONE), why);
	if (winner == image->count)
		return;
	for (size_t i = winner; (i = next_match(image, opt, i + 1)) < image->count;) {
		const struct filter *loser = &image->filters[i];

		if (shown++ < BEATEN_TEXT)
			printf("  filter %u of '%s' (%s) also covers it, lost on %s\n", loser->id,
			       loser->rule_name, action_name(loser->action),
			       filter_lost_on(f, loser));
		else
			more++;
	}
	if (more)
		printf("  and %zu more\n", more);
}

int cmd_explain(int argc, char **argv)
{
	struct options opt = {0};
	struct image *image = NULL;
	char why[512];
	int rc = parse_args(argc, argv, &opt);

	if (!rc)
		rc = cli_compile(opt.file, &opt.me, false, &image);
	if (!rc) {
		size_t winner;

		decide_me(&opt);
		winner = next_match(image, &opt, 0);
		because(image, &opt, winner, why, sizeof(why));
		add_unknown(&opt, why, sizeof(why));
		if (opt.json)
			answer_json(image, &opt, winner, why);
		else
			answer_text(image, &opt, winner, why);
	}
	image_free(image);
	free(opt.me.v);
	return rc;
}
