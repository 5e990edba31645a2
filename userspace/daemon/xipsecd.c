/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsecd: options, then one of the roles. Users start the parent; the parent
 * starts this program again with --role for each of its children.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/role.h"
#include "datapath/datapath.h"
#include "util/instance.h"
#include "util/log.h"
#include "util/version.h"

struct options {
	struct daemon_opts daemon;
	struct role_args role;
	bool is_role, teardown;
	enum log_level level;
};

static const char usage_text[] =
	"usage: xipsecd --policy FILE [--instance NAME] [--interface PATTERN]... [--foreground]\n"
	"               [--xdp auto|native|generic|off] [--tc auto|clsact]\n"
	"               [--log-level error|warning|info|debug]\n"
	"       xipsecd --teardown [--instance NAME]\n"
	"       xipsecd --version | --help\n";

enum {
	OPT_ROLE = 256,
	OPT_IFINDEX,
	OPT_LEVEL,
	OPT_LEVEL_NUMBER,
	OPT_TEARDOWN,
	OPT_VERSION,
	OPT_XDP,
	OPT_TC
};

static const struct option long_options[] = {
	{"policy", required_argument, NULL, 'p'},
	{"instance", required_argument, NULL, 'n'},
	{"interface", required_argument, NULL, 'i'},
	{"xdp", required_argument, NULL, OPT_XDP},
	{"tc", required_argument, NULL, OPT_TC},
	{"foreground", no_argument, NULL, 'f'},
	{"log-level", required_argument, NULL, OPT_LEVEL},
	{"teardown", no_argument, NULL, OPT_TEARDOWN},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, 'h'},
	/* between the parent and its children */
	{"role", required_argument, NULL, OPT_ROLE},
	{"ifindex", required_argument, NULL, OPT_IFINDEX},
	{"log-level-number", required_argument, NULL, OPT_LEVEL_NUMBER},
	{NULL},
};

static int usage(void)
{
	fputs(usage_text, stderr);
	return 2;
}

/* The place of a word in a list; -1 with a message if it is not there. */
static int place_of(const char *option, const char *word, const char *const *list)
{
	for (int i = 0; list[i]; i++)
		if (!strcmp(list[i], word))
			return i;
	fprintf(stderr, "xipsecd: --%s has no '%s'\n", option, word);
	return -1;
}

static int take_want(int opt, struct datapath_want *want)
{
	/* In the order of their enums. */
	static const char *const xdp[] = {"auto", "native", "generic", "off", NULL};
	static const char *const tc[] = {"auto", "clsact", NULL};
	int place = opt == OPT_XDP ? place_of("xdp", optarg, xdp) : place_of("tc", optarg, tc);

	if (place < 0)
		return usage();
	if (opt == OPT_XDP)
		want->xdp = (enum dp_want_xdp)place;
	else
		want->tc = (enum dp_want_tc)place;
	return -1;
}

/* -1 to go on, else the exit code. */
static int take_option(int opt, struct options *o)
{
	switch (opt) {
	case 'p':
		o->daemon.policy = optarg;
		return -1;
	case 'n':
		o->daemon.instance = optarg;
		return -1;
	case 'i':
		if (o->daemon.iface_count == PATTERNS_MAX) {
			fprintf(stderr, "xipsecd: at most %d --interface\n", PATTERNS_MAX);
			return 2;
		}
		o->daemon.ifaces[o->daemon.iface_count++] = optarg;
		return -1;
	case 'f': /* it always stays in the foreground; said for scripts that say so */
		return -1;
	case OPT_LEVEL:
		if (!log_level_by_name(optarg, &o->level))
			return -1;
		fprintf(stderr, "xipsecd: '%s' is not a log level\n", optarg);
		return usage();
	case OPT_LEVEL_NUMBER:
		o->level = (enum log_level)(atoi(optarg) & 3);
		return -1;
	case OPT_XDP:
	case OPT_TC:
		return take_want(opt, &o->daemon.want);
	case OPT_TEARDOWN:
		o->teardown = true;
		return -1;
	case OPT_ROLE:
		if (role_by_name(optarg, &o->role.role))
			return usage();
		o->is_role = true;
		return -1;
	case OPT_IFINDEX:
		o->role.ifindex = atoi(optarg);
		return -1;
	case OPT_VERSION:
		printf("xipsecd %s\n", xipsec_version);
		return 0;
	case 'h':
		fputs(usage_text, stdout);
		return 0;
	}
	return usage();
}

static int teardown(const char *instance)
{
	struct diag diag = {0};
	int rc = datapath_teardown(instance, &diag);

	log_diag(&diag);
	if (rc && !diag.errors)
		log_error("instance %s: %s", instance, strerror(-rc));
	if (!rc)
		instance_forget(instance);
	diag_free(&diag);
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options o = {.daemon = {.instance = "main", .version = xipsec_version},
			    .level = LVL_INFO};
	static char name[INSTANCE_NAME_MAX + 16] = "xipsecd";
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "p:n:i:fh", long_options, NULL)) != -1) {
		rc = take_option(opt, &o);
		if (rc >= 0)
			return rc;
	}
	if (optind != argc) {
		fprintf(stderr, "xipsecd: unexpected '%s'\n", argv[optind]);
		return usage();
	}
	if (!instance_name_ok(o.daemon.instance)) {
		fprintf(stderr, "xipsecd: '%s' is not an instance name (%s)\n", o.daemon.instance,
			INSTANCE_NAME_RULE);
		return 2;
	}
	if (strcmp(o.daemon.instance, "main"))
		snprintf(name, sizeof(name), "xipsecd[%s]", o.daemon.instance);
	log_open(name, o.level);
	if (o.is_role) {
		o.role.instance = o.daemon.instance;
		return role_main(&o.role);
	}
	if (o.teardown)
		return teardown(o.daemon.instance);
	if (!o.daemon.policy) {
		fprintf(stderr, "xipsecd: which policy? (--policy FILE)\n");
		return usage();
	}
	return daemon_main(&o.daemon);
}
