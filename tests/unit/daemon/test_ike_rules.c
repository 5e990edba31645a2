/* SPDX-License-Identifier: BSD-2-Clause */
/* Policy text -> compiled image -> what IKE is told. */
#include <errno.h>
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
#include "policy/policy.h"
#include "util/addr.h"

static char dir[] = "/tmp/xipsec-test-XXXXXX";

static struct world {
	struct policy *policy;
	struct image *image;
	struct ike_rule *rules;
	size_t count;
	struct diag diag;
	unsigned handles_asked;
} w;

static uint32_t handle(void *arg, const char *path)
{
	w.handles_asked++;
	return strstr(path, "b.psk") ? 2 : 1;
}

static int build(const char *text)
{
	static const struct compile_opts opts;
	char path[64];

	snprintf(path, sizeof(path), "%s/policy.yaml", dir);
	assert_int_equal(policy_parse(text, strlen(text), path, &w.policy, &w.diag), 0);
	assert_int_equal(compile_policy(w.policy, &opts, &w.image, &w.diag), 0);
	return ike_rules_build(w.policy, w.image, handle, NULL, &w.rules, &w.count, &w.diag);
}

static int make_files(void **state)
{
	static const char *const names[] = {"a.psk", "b.psk"};
	char path[64];
	FILE *file;

	if (!mkdtemp(dir))
		return -1;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		file = fopen(path, "w");
		if (!file)
			return -1;
		fputs("secret\n", file);
		fclose(file);
		chmod(path, 0600);
	}
	return 0;
}

static int remove_files(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/a.psk", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/b.psk", dir);
	unlink(path);
	return rmdir(dir);
}

static int teardown(void **state)
{
	policy_free(w.policy);
	image_free(w.image);
	free(w.rules);
	diag_free(&w.diag);
	memset(&w, 0, sizeof(w));
	return 0;
}

#define HEAD                                                                                       \
	"policy: test\n"                                                                           \
	"main-mode:\n"                                                                             \
	"  methods: [aes256-sha256-modp2048, 3des-sha1-modp1024]\n"                                \
	"  lifetime: 2h\n"                                                                         \
	"  quick-modes: 7\n"                                                                       \
	"filter-actions:\n"                                                                        \
	"  require:\n"                                                                             \
	"    negotiate:\n"                                                                         \
	"      methods:\n"                                                                         \
	"        - {esp: aes128gcm16, lifetime: 30m, lifetime-kb: 5000}\n"                         \
	"        - {ah: sha1}\n"                                                                   \
	"        - {esp: aes256-sha256}\n"                                                         \
	"      pfs: modp2048\n"

static void a_rule_becomes_its_terms_and_its_selector(void **state)
{
	const struct ike_rule *rule;
	char text[XI_PREFIX_STRLEN];

	assert_int_equal(
		build(HEAD "filter-lists:\n"
			   "  db:\n"
			   "    - {src: me, dst: 10.2.0.0/16, proto: tcp, dst-port: 5432-5433}\n"
			   "rules:\n"
			   "  - {name: database, filter-list: db, action: require,\n"
			   "     auth: [{psk-file: a.psk}]}\n"),
		0);
	/* Mirrored gives an IN and an OUT filter, but one selector. */
	assert_int_equal(w.count, 1);
	rule = &w.rules[0];
	assert_string_equal(rule->name, "database");
	assert_int_equal(rule->rule, 0);
	assert_true(rule->local_is_me);
	assert_int_equal(rule->local.addr.family, 4);
	assert_string_equal(xi_prefix_text(&rule->remote, text), "10.2.0.0/16");
	assert_int_equal(rule->proto, 6);
	assert_int_equal(rule->local_port_lo, 0);
	assert_int_equal(rule->local_port_hi, 65535);
	assert_int_equal(rule->remote_port_lo, 5432);
	assert_int_equal(rule->remote_port_hi, 5433);
	assert_int_equal(rule->mode, XI_MODE_TRANSPORT);
	assert_int_equal(rule->pfs, XI_GROUP_MODP2048);
	assert_int_equal(rule->mm_lifetime_s, 7200);
	assert_int_equal(rule->qm_per_mm, 7);
}

static void master_pfs_is_one_quick_mode_a_main_mode(void **state)
{
	assert_int_equal(build("policy: test\n"
			       "main-mode: {quick-modes: 7, master-pfs: true}\n"
			       "filter-actions:\n"
			       "  require: {negotiate: {methods: [{esp: aes128gcm16}]}}\n"
			       "filter-lists: {db: [{src: me, dst: 10.2.0.0/16}]}\n"
			       "rules:\n"
			       "  - {name: database, filter-list: db, action: require,\n"
			       "     auth: [{psk-file: a.psk}]}\n"),
			 0);
	assert_int_equal(w.count, 1);
	assert_int_equal(w.rules[0].qm_per_mm, 1);
}

static void methods_keep_their_order_and_ah_is_left_out(void **state)
{
	const struct ike_rule *rule;

	assert_int_equal(build(HEAD "filter-lists:\n"
				    "  db: [{src: me, dst: 10.2.0.1}]\n"
				    "rules:\n"
				    "  - {name: r, filter-list: db, action: require,\n"
				    "     auth: [kerberos, {psk-file: b.psk}]}\n"),
			 0);
	rule = &w.rules[0];
	assert_int_equal(rule->mm_count, 2);
	assert_int_equal(rule->mm[0].cipher, XI_CIPHER_AES256_CBC);
	assert_int_equal(rule->mm[1].cipher, XI_CIPHER_TDES_CBC);
	assert_int_equal(rule->mm[1].group, XI_GROUP_MODP1024);
	assert_int_equal(rule->qm_count, 2);
	assert_int_equal(rule->qm[0].cipher, XI_CIPHER_AES128_GCM16);
	assert_int_equal(rule->qm[0].lifetime_s, 1800);
	assert_int_equal(rule->qm[0].lifetime_kb, 5000);
	assert_int_equal(rule->qm[1].cipher, XI_CIPHER_AES256_CBC);
	assert_int_equal(rule->qm[1].integ, XI_INTEG_SHA256);
	assert_int_equal(rule->auth_count, 1);
	assert_int_equal(rule->auth[0].kind, IKE_AUTH_PSK);
	assert_int_equal(rule->auth[0].secret, 2);
}

static void the_more_specific_rule_comes_first(void **state)
{
	assert_int_equal(build(HEAD "filter-lists:\n"
				    "  net: [{src: me, dst: 10.2.0.0/16}]\n"
				    "  host: [{src: me, dst: 10.2.0.1}]\n"
				    "rules:\n"
				    "  - {name: net, filter-list: net, action: require,\n"
				    "     auth: [{psk-file: a.psk}]}\n"
				    "  - {name: host, filter-list: host, action: require,\n"
				    "     auth: [{psk-file: b.psk}]}\n"),
			 0);
	assert_int_equal(w.count, 2);
	assert_string_equal(w.rules[0].name, "host");
	assert_int_equal(w.rules[0].rule, 1);
	assert_string_equal(w.rules[1].name, "net");
}

static void rules_that_do_not_negotiate_are_none_of_ikes_business(void **state)
{
	assert_int_equal(build("policy: test\n"
			       "filter-lists:\n"
			       "  web: [{src: any, dst: me, proto: tcp, dst-port: 80}]\n"
			       "rules:\n"
			       "  - {name: web, filter-list: web, action: permit}\n"),
			 0);
	assert_int_equal(w.count, 0);
	assert_int_equal(w.handles_asked, 0);
}

static void a_rule_without_usable_authentication_is_named(void **state)
{
	char *text;

	assert_int_equal(build(HEAD "filter-lists:\n"
				    "  db: [{src: me, dst: 10.2.0.1}]\n"
				    "rules:\n"
				    "  - {name: lonely, filter-list: db, action: require,\n"
				    "     auth: [kerberos]}\n"),
			 -EINVAL);
	assert_null(w.rules);
	text = diag_text(&w.diag);
	assert_non_null(strstr(text, "rule 'lonely' has no authentication"));
	free(text);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_rule_becomes_its_terms_and_its_selector),
		TEST(master_pfs_is_one_quick_mode_a_main_mode),
		TEST(methods_keep_their_order_and_ah_is_left_out),
		TEST(the_more_specific_rule_comes_first),
		TEST(rules_that_do_not_negotiate_are_none_of_ikes_business),
		TEST(a_rule_without_usable_authentication_is_named),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
