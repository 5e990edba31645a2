/* SPDX-License-Identifier: BSD-2-Clause */
/* See compile_text.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile_text.h"
#include "policy/policy.h"
#include "util/addr.h"

static const char head[] = "policy: test\n"
			   "filter-actions:\n"
			   "  protect: {negotiate: {methods: [{esp: aes128gcm16}]}}\n";

struct image *compile_text(const char *text, const struct compile_opts *opts, int want,
			   struct diag *diag)
{
	struct compile_opts none = {.no_tables = true};
	size_t size = sizeof(head) + strlen(text);
	char *all = malloc(size), *said;
	struct policy *policy = NULL;
	struct image *image = NULL;
	struct diag own = {0};
	int err;

	assert_non_null(all);
	snprintf(all, size, "%s%s", head, text);
	err = policy_parse(all, strlen(all), "test.yaml", &policy, &own);
	if (err) {
		said = diag_text(&own);
		print_error("%s", said);
		free(said);
	}
	assert_int_equal(err, 0);
	diag_free(&own);
	err = compile_policy(policy, opts ? opts : &none, &image, diag ? diag : &own);
	if (err != want && !diag) {
		said = diag_text(&own);
		print_error("%s", said);
		free(said);
	}
	diag_free(&own);
	assert_int_equal(err, want);
	policy_free(policy);
	free(all);
	return image;
}

static void put_side(FILE *out, const struct filter *f, bool remote)
{
	uint16_t lo = remote ? f->remote_port_lo : f->local_port_lo;
	uint16_t hi = remote ? f->remote_port_hi : f->local_port_hi;
	char buf[XI_PREFIX_STRLEN];

	if (!remote && f->local_is_me)
		fprintf(out, " me%u", f->family);
	else
		fprintf(out, " %s", xi_prefix_text(remote ? &f->remote : &f->local, buf));
	if (lo == 0 && hi == 65535)
		fprintf(out, ":any");
	else if (lo == hi)
		fprintf(out, ":%u", lo);
	else
		fprintf(out, ":%u-%u", lo, hi);
}

char *image_lines(const struct image *image)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < image->count; i++) {
		const struct filter *f = &image->filters[i];

		fprintf(out, "%u %s %s %s ", f->id, f->rule_name,
			f->dir == XI_DIR_IN ? "in" : "out", action_name(f->action));
		if (f->proto_given)
			fprintf(out, "%u", f->proto);
		else
			fprintf(out, "any");
		put_side(out, f, true);
		put_side(out, f, false);
		if (f->icmp_type >= 0)
			fprintf(out, " type %d", f->icmp_type);
		if (f->icmp_code >= 0)
			fprintf(out, " code %d", f->icmp_code);
		if (f->iface_class >= 0)
			fprintf(out, " %s",
				f->iface_class == XI_IFACE_LAN ? "lan" : "remote-access");
		fprintf(out, "%s%s\n", f->passthrough ? " passthrough" : "",
			f->soft ? " soft" : "");
	}
	fclose(out);
	return text;
}

void expect_filters(const char *text, const struct compile_opts *opts, const char *want)
{
	struct image *image = compile_text(text, opts, 0, NULL);
	char *got = image_lines(image);

	assert_string_equal(got, want);
	free(got);
	image_free(image);
}
