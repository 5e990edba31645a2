/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xipsec compile: the filters that a policy amounts to, highest precedence
 * first, without privilege and without a daemon. --stats adds what the tables of
 * the classifier look like and take.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/compiled.h"
#include "cli/output.h"
#include "compile/words.h"
#include "policy/policy.h"
#include "util/addr.h"
#include "view/image.h"
#include "view/view.h"

static void print_row(const struct filter *f, int rule_width)
{
	char remote[XI_PREFIX_STRLEN], local[XI_PREFIX_STRLEN], rport[PORTS_WORDS],
		lport[PORTS_WORDS], proto[VIEW_PROTO_MAX];

	printf("%6u  %-*s %-3s  %-9s  %-8s %-20s %-11s %-20s %-11s %s%s%s\n", f->id, rule_width,
	       f->rule_name, f->dir == XI_DIR_IN ? "in" : "out", action_name(f->action),
	       view_proto_text(f->proto_given ? f->proto : -1, f->icmp_type, f->icmp_code, proto),
	       xi_prefix_text(&f->remote, remote),
	       ports_words(f->remote_port_lo, f->remote_port_hi, rport),
	       f->local_is_me ? (f->family == 4 ? "me" : "me (IPv6)")
			      : xi_prefix_text(&f->local, local),
	       ports_words(f->local_port_lo, f->local_port_hi, lport), band_name(f->band),
	       f->iface_class == XI_IFACE_LAN ? " lan" : "",
	       f->iface_class == XI_IFACE_REMOTE_ACCESS ? " remote-access" : "");
}

static void print_text(const struct image *image)
{
	int width = 4;

	for (size_t i = 0; i < image->count; i++) {
		int len = strlen(image->filters[i].rule_name);

		width = len > width ? len : width;
	}
	printf("%6s  %-*s %-3s  %-9s  %-8s %-20s %-11s %-20s %-11s %s\n", "id", width, "rule",
	       "dir", "action", "proto", "remote", "port", "local", "port", "band");
	for (size_t i = 0; i < image->count; i++)
		print_row(&image->filters[i], width);
}

static void print_json(const struct image *image)
{
	char line[VIEW_FILTER_MAX + 1];

	for (size_t i = 0; i < image->count; i++) {
		size_t len = view_filter_line(line, &image->filters[i], NULL, NULL);

		line[len++] = '\n';
		fwrite(line, 1, len, stdout);
	}
}

static void print_stats(const struct image *image, const struct cli_times *times, bool json)
{
	json_t *stats = view_image(image, times->load_s, times->compile_s);

	if (json) {
		cli_json_line(stats, JSON_REAL_PRECISION(6));
		return;
	}
	if (!stats)
		cli_output_lost();
	view_print_image(stdout, stats);
	json_decref(stats);
}

int cmd_compile(int argc, char **argv)
{
	struct cli_policy_args opt = {0};
	bool stats = false;
	struct policy *policy = NULL;
	struct image *image = NULL;
	struct cli_times times;
	int rc = cli_policy_args(argc, argv, &opt, &stats);

	if (!rc)
		rc = cli_compile_policy(opt.file, &opt.me, CLI_MUST_LOAD, &policy, &image, &times);
	if (!rc) {
		if (opt.json)
			print_json(image);
		else
			print_text(image);
		if (stats)
			print_stats(image, &times, opt.json);
	}
	image_free(image);
	policy_free(policy);
	free(opt.me.v);
	return rc;
}
