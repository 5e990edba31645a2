/* SPDX-License-Identifier: BSD-2-Clause */
/* Policy text and an SA -> whether it stays, under which rule, or why it goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "compile/image.h"
#include "daemon/ike_rules.h"
#include "daemon/revalidate.h"
#include "policy/policy.h"
#include "util/addr.h"

static char dir[] = "/tmp/xipsec-test-XXXXXX", psk[64], policy_path[64];

static int make_files(void **state)
{
	FILE *file;

	if (!mkdtemp(dir))
		return -1;
	snprintf(psk, sizeof(psk), "%s/psk", dir);
	snprintf(policy_path, sizeof(policy_path), "%s/policy.yaml", dir);
	file = fopen(psk, "w");
	if (!file)
		return -1;
	fputs("a secret of some length\n", file);
	fclose(file);
	return chmod(psk, 0600);
}

static int remove_files(void **state)
{
	unlink(psk);
	return rmdir(dir);
}

static uint32_t handle(void *arg, const char *path)
{
	return 1;
}

/* 10.0.0.1 (us) with 10.2.0.1, TCP to their port 5432, aes128-sha256 for an hour. */
static struct xi_sa_params an_sa(void)
{
	struct xi_sa_params sa = {
		.rule = 99,
		.protocol = 50,
		.mode = XI_MODE_TRANSPORT,
		.cipher = XI_CIPHER_AES128_CBC,
		.integ = XI_INTEG_SHA256,
		.lifetime_s = 3600,
		.lifetime_kb = 100000,
	};

	xi_addr_parse("10.0.0.1", &sa.local);
	xi_addr_parse("10.2.0.1", &sa.remote);
	xi_prefix_parse("10.0.0.1", &sa.sel.local);
	xi_prefix_parse("10.2.0.1", &sa.sel.remote);
	sa.sel.proto = 6;
	sa.sel.remote_port = 5432;
	return sa;
}

/* The rule, or -1 and the reason in *ret_why. */
static int judge(const char *text, const struct xi_sa_params *sa, const struct xi_addr *me,
		 const char **ret_why)
{
	static const struct compile_opts opts;
	struct revalidation by = {.me = me, .me_count = me ? 1 : 0};
	struct policy *policy = NULL;
	struct ike_rule *rules = NULL;
	struct image *image = NULL;
	struct diag diag = {0};
	uint32_t rule = 12345;

	int rc = policy_parse(text, strlen(text), policy_path, &policy, &diag);

	if (rc)
		print_error("%s", diag_text(&diag));
	assert_int_equal(rc, 0);
	assert_int_equal(compile_policy(policy, &opts, &image, &diag), 0);
	assert_int_equal(
		ike_rules_build(policy, image, handle, NULL, &rules, &by.rule_count, &diag), 0);
	by.image = image;
	by.rules = rules;
	*ret_why = revalidate_sa(&by, sa, &rule);
	policy_free(policy);
	image_free(image);
	free(rules);
	diag_free(&diag);
	if (*ret_why) {
		assert_int_equal(rule, 12345);
		return -1;
	}
	return (int)rule;
}

#define ACTIONS                                                                                    \
	"policy: test\n"                                                                           \
	"filter-actions:\n"                                                                        \
	"  good: {negotiate: {methods: [{esp: aes256-sha256}, {esp: aes128-sha256}]}}\n"           \
	"  other: {negotiate: {methods: [{esp: aes256-sha256}]}}\n"                                \
	"  short: {negotiate: {methods: [{esp: aes128-sha256, lifetime: 30m}]}}\n"                 \
	"  less: {negotiate: {methods: [{esp: aes128-sha256, lifetime-kb: 20480}]}}\n"             \
	"  pfs: {negotiate: {methods: [{esp: aes128-sha256}], pfs: modp2048}}\n"                   \
	"filter-lists:\n"                                                                          \
	"  db: [{src: me, dst: 10.2.0.0/16, proto: tcp, dst-port: 5432-5433}]\n"                   \
	"  near: [{src: me, dst: 10.2.0.1, proto: tcp, dst-port: 5432}]\n"                         \
	"  tcp: [{src: me, dst: 10.2.0.0/16, proto: tcp}]\n"                                       \
	"  all: [{src: me, dst: 10.2.0.0/16}]\n"                                                   \
	"  out: [{src: me, dst: 10.2.0.0/16, proto: tcp, mirrored: false}]\n"                      \
	"  in: [{src: 10.2.0.0/16, dst: me, proto: tcp, mirrored: false}]\n"                       \
	"rules:\n"
#define AUTH			 ", auth: [{psk-file: psk}]}\n"
#define RULE(name, list, action) "  - {name: " name ", filter-list: " list ", action: " action AUTH
#define PLAIN(name, list, action)                                                                  \
	"  - {name: " name ", filter-list: " list ", action: " action "}\n"

static void stays(const char *text, const struct xi_sa_params *sa, int rule)
{
	const char *why;

	assert_int_equal(judge(text, sa, NULL, &why), rule);
}

static void goes(const char *text, const struct xi_sa_params *sa, const char *reason)
{
	const char *why;

	assert_int_equal(judge(text, sa, NULL, &why), -1);
	assert_non_null(strstr(why, reason));
}

static void it_stays_with_the_rule_that_covers_it_now(void **state)
{
	struct xi_sa_params sa = an_sa();

	stays(ACTIONS RULE("db", "db", "good"), &sa, 0);
	stays(ACTIONS PLAIN("no", "out", "block") RULE("db", "db", "good"), &sa, 1);
	stays(ACTIONS RULE("wide", "all", "other") RULE("db", "db", "good"), &sa, 1);
	stays(ACTIONS RULE("wide", "all", "good"), &sa, 0);
}

static void it_goes_without_a_rule(void **state)
{
	struct xi_sa_params sa = an_sa();

	sa.sel.remote_port = 5434;
	goes(ACTIONS RULE("db", "db", "good"), &sa, "no rule");
	sa.sel.remote_port = 0; /* every port: the rule has two of them */
	goes(ACTIONS RULE("db", "db", "good"), &sa, "no rule");
	sa = an_sa();
	xi_prefix_parse("10.3.0.1", &sa.sel.remote);
	goes(ACTIONS RULE("db", "all", "good"), &sa, "no rule");
}

static void it_goes_when_the_rule_has_other_terms(void **state)
{
	struct xi_sa_params sa = an_sa();

	goes(ACTIONS RULE("db", "db", "other"), &sa, "other terms");
	goes(ACTIONS RULE("db", "db", "short"), &sa, "other terms");
	goes(ACTIONS RULE("db", "db", "less"), &sa, "other terms");
	goes(ACTIONS RULE("db", "db", "pfs"), &sa, "other terms");
	/* A rule below that would allow it does not help: the first one decides. */
	goes(ACTIONS RULE("db", "db", "other") RULE("wide", "all", "good"), &sa, "other terms");
	sa.lifetime_s = 1800;
	stays(ACTIONS RULE("db", "db", "short"), &sa, 0);
	sa.lifetime_s = 0; /* for ever */
	goes(ACTIONS RULE("db", "db", "good"), &sa, "other terms");
	sa = an_sa();
	sa.integ = XI_INTEG_SHA1;
	goes(ACTIONS RULE("db", "db", "good"), &sa, "other terms");
	sa = an_sa();
	sa.mode = XI_MODE_TUNNEL;
	goes(ACTIONS RULE("db", "db", "good"), &sa, "other terms");
}

/* More secrecy than asked for is welcome, as in negotiation. */
static void a_group_that_the_rule_does_not_ask_for_is_allowed(void **state)
{
	struct xi_sa_params sa = an_sa();

	sa.pfs = XI_GROUP_MODP2048;
	stays(ACTIONS RULE("db", "db", "good"), &sa, 0);
	stays(ACTIONS RULE("db", "db", "pfs"), &sa, 0);
}

static void it_goes_when_its_traffic_is_blocked_or_permitted(void **state)
{
	struct xi_sa_params sa = an_sa();

	goes(ACTIONS PLAIN("no", "near", "block") RULE("wide", "all", "good"), &sa, "blocks");
	goes(ACTIONS PLAIN("yes", "near", "permit") RULE("wide", "all", "good"), &sa, "permits");
	/* Of a part of its traffic that is decided packet by packet. */
	sa.sel.remote_port = 0;
	stays(ACTIONS PLAIN("no", "near", "block") RULE("wide", "tcp", "good"), &sa, 1);
}

/* RFC 4301 4.4.1: a packet must not travel in an SA of weaker terms than its own entry's. */
static void part_of_its_traffic_may_not_have_stronger_terms(void **state)
{
	struct xi_sa_params sa = an_sa();

	sa.sel.remote_port = 0;
	goes(ACTIONS RULE("db", "near", "other") RULE("wide", "tcp", "good"), &sa, "part of");
	stays(ACTIONS RULE("db", "near", "good") RULE("wide", "tcp", "good"), &sa, 1);
	/* A shorter lifetime for a part was no hindrance when it was negotiated either. */
	stays(ACTIONS RULE("db", "near", "short") RULE("wide", "tcp", "good"), &sa, 1);
}

static void one_direction_is_enough(void **state)
{
	struct xi_sa_params sa = an_sa();

	stays(ACTIONS RULE("half", "out", "good"), &sa, 0);
	stays(ACTIONS RULE("half", "in", "good"), &sa, 0);
}

static void me_is_asked_for_only_where_it_is_known(void **state)
{
	struct xi_sa_params sa = an_sa();
	struct xi_addr me;
	const char *why;

	xi_addr_parse("10.0.0.1", &me);
	assert_int_equal(judge(ACTIONS RULE("db", "db", "good"), &sa, &me, &why), 0);
	xi_addr_parse("10.0.0.9", &me); /* the address of the SA was taken away */
	assert_int_equal(judge(ACTIONS RULE("db", "db", "good"), &sa, &me, &why), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stays_with_the_rule_that_covers_it_now),
		cmocka_unit_test(it_goes_without_a_rule),
		cmocka_unit_test(it_goes_when_the_rule_has_other_terms),
		cmocka_unit_test(a_group_that_the_rule_does_not_ask_for_is_allowed),
		cmocka_unit_test(it_goes_when_its_traffic_is_blocked_or_permitted),
		cmocka_unit_test(part_of_its_traffic_may_not_have_stronger_terms),
		cmocka_unit_test(one_direction_is_enough),
		cmocka_unit_test(me_is_asked_for_only_where_it_is_known),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
