/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsec explain: which filter decides about a packet that one can describe, on
 * what the others that cover it lost, and what it depends on where the packet was
 * not described completely. Of a policy file it is answered here, by the reference
 * model that the BPF classifier is tested against; with --live the daemon answers
 * for the list in force and runs the BPF programs as well.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/compiled.h"
#include "compile/explain.h"
#include "policy/policy.h"
#include "policy/scalar.h"
#include "util/addr.h"
#include "view/explain.h"
#include "view/view.h"

struct options {
	const char *file;
	bool json, live, near, dir_given, local_given, remote_given, proto_given;
	unsigned given; /* of the fields that may be left out */
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
		opt->given |= EXPLAIN_IFACE;
		return CLI_OK;
	}
	rc = take_number(command, name, value, strstr(name, "-port") ? 65535 : 255, &number);
	if (rc)
		return rc;
	if (!strcmp(name, "--local-port")) {
		opt->pkt.local_port = number;
		opt->given |= EXPLAIN_LOCAL_PORT;
	} else if (!strcmp(name, "--remote-port")) {
		opt->pkt.remote_port = number;
		opt->given |= EXPLAIN_REMOTE_PORT;
	} else if (!strcmp(name, "--icmp-type")) {
		opt->pkt.icmp_type = number;
		opt->given |= EXPLAIN_ICMP_TYPE;
	} else {
		opt->pkt.icmp_code = number;
		opt->given |= EXPLAIN_ICMP_CODE;
	}
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
	if (opt->live && (opt->file || opt->me.count))
		return cli_usage(command,
				 "--live is about the policy and the addresses that the "
				 "daemon has: leave %s out",
				 opt->file ? "POLICY" : "--me");
	if (!opt->file && !opt->live)
		return cli_usage(command, "which policy? (or --live)");
	if (!opt->dir_given)
		return cli_usage(command, "--in or --out?");
	if (!opt->local_given || !opt->remote_given)
		return cli_usage(command, "a packet needs --local and --remote");
	if (!opt->proto_given)
		return cli_usage(command, "a packet needs --proto");
	if (opt->given & (EXPLAIN_LOCAL_PORT | EXPLAIN_REMOTE_PORT) &&
	    !proto_has_ports(opt->pkt.proto))
		return cli_usage(command, "this protocol has no ports");
	if (opt->given & (EXPLAIN_ICMP_TYPE | EXPLAIN_ICMP_CODE) && !proto_is_icmp(opt->pkt.proto))
		return cli_usage(command, "this protocol has no ICMP types");
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
		} else if (!strcmp(argv[i], "--near")) {
			opt->near = true;
		} else if (!strcmp(argv[i], "--live")) {
			opt->live = true;
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

/* What the packet has and was not told of. */
static struct explain_question question(const struct options *opt)
{
	struct explain_question q = {.pkt = opt->pkt, .unknown = EXPLAIN_IFACE};

	if (!(opt->pkt.flags & XI_PKT_LATER_FRAG)) {
		if (proto_has_ports(opt->pkt.proto))
			q.unknown |= EXPLAIN_LOCAL_PORT | EXPLAIN_REMOTE_PORT;
		if (proto_is_icmp(opt->pkt.proto))
			q.unknown |= EXPLAIN_ICMP_TYPE | EXPLAIN_ICMP_CODE;
	}
	q.unknown &= ~opt->given;
	return q;
}

/* -------------------------------------------------------------------- answer */

static int print(const struct options *opt, json_t *data)
{
	if (!data) {
		fprintf(stderr, "xipsec explain: %s\n", strerror(ENOMEM));
		return CLI_FAILED;
	}
	if (opt->json)
		view_print_json(stdout, data);
	else
		view_print_explain(stdout, data);
	json_decref(data);
	return CLI_OK;
}

static int explain_file(struct options *opt)
{
	struct explain_question q;
	struct explain_answer answer;
	struct policy *policy = NULL;
	struct image *image = NULL;
	json_t *data = NULL;
	int rc = cli_compile_policy(opt->file, &opt->me, CLI_MAY_NOT_LOAD, &policy, &image, NULL);

	if (rc)
		return rc;
	decide_me(opt);
	q = question(opt);
	if (!explain(image, &q, opt->near, &answer))
		data = view_explain(image, policy, &q, &answer);
	explain_free(&answer);
	image_free(image);
	policy_free(policy);
	return print(opt, data);
}

static int explain_live(const struct options *opt)
{
	struct explain_question q = question(opt);
	json_t *data = NULL;
	int rc = ask(json_pack("{s:s, s:o, s:b}", "method", "explain", "packet", view_packet(&q),
			       "near", opt->near),
		     &data);

	return rc ? rc : print(opt, data);
}

int cmd_explain(int argc, char **argv)
{
	struct options opt = {0};
	int rc = parse_args(argc, argv, &opt);

	if (!rc)
		rc = opt.live ? explain_live(&opt) : explain_file(&opt);
	free(opt.me.v);
	return rc;
}
