/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole policy text: what the struct then holds, and that printing keeps all of it. */
#include <dirent.h>
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

#include "policy/policy.h"
#include "util/addr.h"

static char folder[] = "/tmp/xipsec-policy-XXXXXX";

static char *path_of(const char *name)
{
	static char path[320];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *out = fopen(path_of(name), "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	write_file("peer.psk", "secret\n", 0600);
	write_file("ca.pem", "x\n", 0644);
	write_file("host.pem", "x\n", 0644);
	write_file("host.key", "x\n", 0600);
	write_file("list.netset", "192.0.2.0/24 # one\n\n2001:db8::/32\n198.51.100.7", 0644);
	return 0;
}

static int remove_folder(void **state)
{
	struct dirent *entry;
	DIR *dir = opendir(folder);

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		unlink(path_of(entry->d_name));
	closedir(dir);
	return rmdir(folder);
}

/* NULL when it is refused; the messages are kept in *ret_said when given. */
static struct policy *parse(const char *text, size_t len, char **ret_said)
{
	static struct policy untouched;
	struct policy *policy = &untouched;
	struct diag diag = {0};
	int err = policy_parse(text, len, path_of("policy.yaml"), &policy, &diag);

	assert_int_equal(!err, !diag.errors);
	if (err) {
		assert_int_equal(err, -EINVAL);
		assert_ptr_equal(policy, &untouched);
		policy = NULL;
	}
	if (ret_said)
		*ret_said = diag_text(&diag);
	diag_free(&diag);
	return policy;
}

/* What the policy text can say, on one page. */
static const char full[] =
	"policy: branch-server\n"
	"settings:\n"
	"  exemptions: 1\n"
	"  datapath: afxdp\n"
	"  poll-interval: 2h\n"
	"main-mode:\n"
	"  methods: [aes256-sha256-modp2048, 3des-sha1-modp1024]\n"
	"  lifetime: 4h\n"
	"  quick-modes: 1\n"
	"  master-pfs: true\n"
	"filter-lists:\n"
	"  web:\n"
	"    - {src: any, dst: me, proto: tcp, dst-port: 443}\n"
	"  database:\n"
	"    - {src: me, dst: 10.2.0.0/16, proto: tcp, src-port: 1024-65535,\n"
	"       dst-port: 5432-5433, mirrored: false, description: primary and standby}\n"
	"    - {src: me, dst: [10.3.0.1-10.3.0.9, 2001:db8::/32], proto: icmp, icmp-type: 8,\n"
	"       icmp-code: 0}\n"
	"  unwanted:\n"
	"    - {src-file: list.netset, dst: me}\n"
	"filter-actions:\n"
	"  require:\n"
	"    negotiate:\n"
	"      methods:\n"
	"        - {esp: aes128gcm16, lifetime: 1h, lifetime-kb: 100000}\n"
	"        - {ah: sha1, esp: aes128-sha1}\n"
	"        - {ah: sha256}\n"
	"      pfs: modp2048\n"
	"      inbound-passthrough: true\n"
	"      fallback-to-clear: true\n"
	"rules:\n"
	"  - {name: web, filter-list: web, action: permit, connection-type: lan}\n"
	"  - {name: drop, filter-list: unwanted, action: block, active: false}\n"
	"  - name: database\n"
	"    filter-list: database\n"
	"    action: require\n"
	"    auth: [kerberos, {cert: {ca: ca.pem, cert: host.pem, key: host.key}},\n"
	"           {psk-file: peer.psk}]\n"
	"    tunnel: 192.0.2.1\n"
	"    connection-type: remote-access\n"
	"    ike: 1\n"
	"default-response: {enabled: true}\n";

static void settings_are_taken_over(void **state)
{
	struct policy *policy = parse(full, strlen(full), NULL);

	assert_non_null(policy);
	assert_string_equal(policy->name, "branch-server");
	assert_int_equal(policy->exemptions, 1);
	assert_int_equal(policy->datapath, POL_DATAPATH_AFXDP);
	assert_int_equal(policy->poll_interval_s, 7200);
	assert_int_equal(policy->mm_count, 2);
	assert_int_equal(policy->mm_methods[0].cipher, XI_CIPHER_AES256_CBC);
	assert_int_equal(policy->mm_methods[1].group, XI_GROUP_MODP1024);
	assert_int_equal(policy->mm_lifetime_s, 14400);
	assert_int_equal(policy->mm_quick_modes, 1);
	assert_true(policy->mm_master_pfs);
	assert_true(policy->default_response);
	policy_free(policy);
}

static void filters_are_taken_over(void **state)
{
	struct policy *policy = parse(full, strlen(full), NULL);
	const struct pol_filter *filter;
	char buf[XI_PREFIX_STRLEN];

	assert_non_null(policy);
	assert_int_equal(policy->list_count, 3);
	filter = &policy->filter_lists[0].filters[0];
	assert_int_equal(filter->src.addrs[0].kind, POL_ADDR_ANY);
	assert_int_equal(filter->dst.addrs[0].kind, POL_ADDR_ME);
	assert_true(filter->mirrored && filter->proto_given && !filter->src.port_given);
	assert_int_equal(filter->dst.port_lo, 443);
	assert_int_equal(filter->icmp_type, -1);
	assert_int_equal(filter->loc.line, 13);
	assert_int_equal(filter->loc.col, 7);

	filter = &policy->filter_lists[1].filters[0];
	assert_string_equal(xi_prefix_text(&filter->dst.addrs[0].prefix, buf), "10.2.0.0/16");
	assert_int_equal(filter->proto, 6);
	assert_int_equal(filter->src.port_lo, 1024);
	assert_int_equal(filter->src.port_hi, 65535);
	assert_int_equal(filter->dst.port_hi, 5433);
	assert_false(filter->mirrored);
	assert_string_equal(filter->description, "primary and standby");

	filter = &policy->filter_lists[1].filters[1];
	assert_int_equal(filter->dst.count, 2);
	assert_int_equal(filter->dst.addrs[0].kind, POL_ADDR_RANGE);
	assert_string_equal(xi_addr_text(&filter->dst.addrs[0].last, buf), "10.3.0.9");
	assert_int_equal(filter->icmp_type, 8);
	assert_int_equal(filter->icmp_code, 0);

	filter = &policy->filter_lists[2].filters[0];
	assert_string_equal(filter->src.file, "list.netset");
	assert_int_equal(filter->src.count, 3);
	assert_string_equal(xi_prefix_text(&filter->src.addrs[1].prefix, buf), "2001:db8::/32");
	assert_string_equal(xi_prefix_text(&filter->src.addrs[2].prefix, buf), "198.51.100.7");
	policy_free(policy);
}

static void rules_refer_to_lists_and_actions(void **state)
{
	struct policy *policy = parse(full, strlen(full), NULL);
	const struct pol_action *action;
	const struct pol_rule *rule;

	assert_non_null(policy);
	assert_int_equal(policy->action_count, 3);
	assert_int_equal(policy->actions[0].kind, POL_ACTION_PERMIT);
	assert_int_equal(policy->actions[1].kind, POL_ACTION_BLOCK);
	action = &policy->actions[2];
	assert_int_equal(action->count, 3);
	assert_true(action->methods[0].esp && !action->methods[0].ah);
	assert_int_equal(action->methods[0].lifetime_s, 3600);
	assert_int_equal(action->methods[0].lifetime_kb, 100000);
	assert_true(action->methods[1].esp && action->methods[1].ah);
	assert_true(!action->methods[2].esp && action->methods[2].ah);
	assert_int_equal(action->methods[2].ah_integ, XI_INTEG_SHA256);
	assert_int_equal(action->pfs, XI_GROUP_MODP2048);
	assert_true(action->inbound_passthrough && action->fallback_to_clear);

	assert_int_equal(policy->rule_count, 3);
	assert_int_equal(policy->rules[0].filter_list, 0);
	assert_int_equal(policy->rules[0].action, 0);
	assert_int_equal(policy->rules[0].connection, POL_CONN_LAN);
	assert_int_equal(policy->rules[1].filter_list, 2);
	assert_int_equal(policy->rules[1].action, 1);
	assert_false(policy->rules[1].active);
	rule = &policy->rules[2];
	assert_int_equal(rule->auth_count, 3);
	assert_int_equal(rule->auth[0].kind, POL_AUTH_KERBEROS);
	assert_int_equal(rule->auth[1].kind, POL_AUTH_CERT);
	assert_string_equal(rule->auth[1].cert_key, "host.key");
	assert_string_equal(rule->auth[1].path_key, path_of("host.key"));
	assert_int_equal(rule->auth[2].kind, POL_AUTH_PSK);
	assert_string_equal(rule->auth[2].psk_file, "peer.psk");
	assert_string_equal(rule->auth[2].path_psk, path_of("peer.psk"));
	assert_true(rule->tunnel_given && rule->active);
	assert_int_equal(rule->tunnel.family, 4);
	assert_int_equal(rule->ike_version, 1);
	policy_free(policy);
}

static void what_is_not_given_has_the_documented_default(void **state)
{
	static const char text[] = "policy: p\nrules: []\n";
	struct policy *policy = parse(text, strlen(text), NULL);

	assert_non_null(policy);
	assert_int_equal(policy->exemptions, 3);
	assert_int_equal(policy->datapath, POL_DATAPATH_AUTO);
	assert_int_equal(policy->poll_interval_s, 3 * 3600);
	assert_int_equal(policy->mm_lifetime_s, 8 * 3600);
	assert_int_equal(policy->mm_quick_modes, 0);
	assert_false(policy->mm_master_pfs);
	assert_true(policy->mm_count > 0);
	assert_false(policy->default_response);
	policy_free(policy);
}

static void printing_keeps_everything(void **state)
{
	struct policy *policy = parse(full, strlen(full), NULL), *second;
	char *text, *again;

	assert_non_null(policy);
	text = policy_print(policy);
	second = parse(text, strlen(text), NULL);
	assert_non_null(second);
	assert_true(policy_equal(policy, second));
	again = policy_print(second);
	assert_string_equal(text, again);
	free(text);
	free(again);
	policy_free(policy);
	policy_free(second);
}

/* The comparison that the other tests rely on: one changed word, another policy. */
static void policies_that_differ_in_one_word_are_not_equal(void **state)
{
	static const char *const changes[][2] = {
		{"branch-server", "branch-serves"},
		{"exemptions: 1", "exemptions: 2"},
		{"datapath: afxdp", "datapath: xfrm "},
		{"poll-interval: 2h", "poll-interval: 3h"},
		{"[aes256-sha256-modp2048", "[aes128-sha256-modp2048"},
		{"3des-sha1-modp1024", "3des-sha1-modp1536"},
		{"lifetime: 4h", "lifetime: 5h"},
		{"quick-modes: 1", "quick-modes: 0"},
		{"master-pfs: true\n", "master-pfs: false\n"},
		{"dst-port: 443", "dst-port: 444"},
		{"proto: tcp, dst-port: 443", "proto: udp, dst-port: 443"},
		{"10.2.0.0/16", "10.2.0.0/17"},
		{"src-port: 1024-65535", "src-port: 1025-65535"},
		{"5432-5433", "5432-5434"},
		{"mirrored: false", "mirrored: true"},
		{"primary and standby", "primary and reserve"},
		{"10.3.0.1-10.3.0.9", "10.3.0.1-10.3.0.8"},
		{"icmp-type: 8", "icmp-type: 0"},
		{"icmp-code: 0", "icmp-code: 1"},
		{"src-file: list.netset", "src-file: ./list.netset"},
		{"aes128gcm16", "aes256gcm16"},
		{"lifetime: 1h", "lifetime: 2h"},
		{"lifetime-kb: 100000", "lifetime-kb: 100001"},
		{"esp: aes128-sha1", "esp: aes128-sha256"},
		{"{ah: sha256}", "{ah: sha1}"},
		{"pfs: modp2048", "pfs: none"},
		{"inbound-passthrough: true", "inbound-passthrough: false"},
		{"fallback-to-clear: true", "fallback-to-clear: false"},
		{"connection-type: lan", "connection-type: all"},
		{"active: false", "active: true"},
		{"action: permit", "action: block"},
		{"filter-list: unwanted", "filter-list: web"},
		{"kerberos, {cert: {ca: ca.pem, ", "{cert: {ca: ca.pem, "},
		{"ca: ca.pem", "ca: host.pem"},
		{"psk-file: peer.psk", "psk-file: ./peer.psk"},
		{"tunnel: 192.0.2.1", "tunnel: 192.0.2.2"},
		{"ike: 1", "ike: 2"},
		{"default-response: {enabled: true}", "default-response: {enabled: false}"},
	};
	struct policy *policy = parse(full, strlen(full), NULL), *other;
	size_t tried = 0;

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		const char *at = strstr(full, changes[i][0]);
		char *text = NULL;

		if (!at)
			continue;
		tried++;
		assert_true(asprintf(&text, "%.*s%s%s", (int)(at - full), full, changes[i][1],
				     at + strlen(changes[i][0])) > 0);
		other = parse(text, strlen(text), NULL);
		assert_non_null(other);
		if (policy_equal(policy, other))
			fail_msg("'%s' for '%s' makes no difference", changes[i][1], changes[i][0]);
		policy_free(other);
		free(text);
	}
	assert_int_equal(tried, sizeof(changes) / sizeof(*changes));
	policy_free(policy);
}

/* Cut off anywhere, or with any byte replaced: an answer, no crash, nothing lost. */
static void damaged_text_is_answered(void **state)
{
	size_t len = strlen(full), loaded = 0;
	char *text = malloc(len), *said;
	struct policy *policy;

	assert_non_null(text);
	for (size_t cut = 0; cut < len; cut++) {
		memcpy(text, full, cut);
		policy = parse(text, cut, NULL);
		loaded += policy != NULL;
		policy_free(policy);
	}
	assert_true(loaded > 0 && loaded < len);
	for (size_t i = 0; i < len; i++) {
		memcpy(text, full, len);
		text[i] = "\0\t:{\xff\"-"[i % 7];
		policy = parse(text, len, &said);
		assert_true(policy || *said);
		free(said);
		policy_free(policy);
	}
	free(text);
}

static void what_cannot_be_carried_out_is_refused_apart(void **state)
{
	static const char fine[] = "policy: p\n"
				   "filter-lists: {a: [{src: me, dst: 10.0.0.0/8}]}\n"
				   "filter-actions:\n"
				   "  n: {negotiate: {methods: [{esp: aes128gcm16}, {ah: sha1}]}}\n"
				   "rules: [{name: r, filter-list: a, action: n,\n"
				   "         auth: [kerberos, {psk-file: peer.psk}]}]\n";
	struct policy *policy = parse(fine, strlen(fine), NULL);
	struct diag diag = {0};

	/* Other methods serve: two warnings, and it may be applied. */
	assert_non_null(policy);
	assert_int_equal(policy_supported(policy, &diag), 0);
	assert_int_equal(diag.errors, 0);
	assert_int_equal(diag.warnings, 2);
	policy_free(policy);
	diag_free(&diag);

	/* Without its tunnel the rule would protect something else. */
	policy = parse(full, strlen(full), NULL);
	assert_non_null(policy);
	assert_int_equal(policy_supported(policy, &diag), -EOPNOTSUPP);
	assert_true(diag.errors > 0);
	policy_free(policy);
	diag_free(&diag);
}

static void a_secret_that_others_may_read_is_a_warning(void **state)
{
	static const char text[] = "policy: p\n"
				   "filter-lists: {a: [{src: me, dst: 10.0.0.0/8}]}\n"
				   "filter-actions: {n: {negotiate: {methods: [{ah: sha1}]}}}\n"
				   "rules: [{name: r, filter-list: a, action: n,\n"
				   "         auth: [{psk-file: open.psk}]}]\n";
	struct policy *policy;
	char *said;

	write_file("open.psk", "secret\n", 0640);
	policy = parse(text, strlen(text), &said);
	assert_non_null(policy);
	assert_non_null(strstr(said, "policy.yaml:5:28: warning: "));
	assert_non_null(strstr(said, "(mode 0640)"));
	free(said);
	policy_free(policy);

	write_file("open.psk", "secret\n", 0400);
	policy = parse(text, strlen(text), &said);
	assert_string_equal(said, "");
	free(said);
	policy_free(policy);
}

static void special_files_are_refused_without_waiting(void **state)
{
	static const char text[] = "policy: p\n"
				   "filter-lists: {a: [{src-file: fifo, dst: me},\n"
				   "                   {src-file: /dev/zero, dst: me}]}\n";
	char *said;

	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_null(parse(text, strlen(text), &said));
	assert_non_null(strstr(said, "fifo is not a regular file"));
	assert_non_null(strstr(said, "/dev/zero is not a regular file"));
	free(said);
}

static void a_policy_that_is_not_there_says_so(void **state)
{
	struct policy *policy = NULL;
	struct diag diag = {0};
	char *said;

	assert_int_equal(policy_load("/nonexistent/policy.yaml", &policy, &diag), -ENOENT);
	said = diag_text(&diag);
	assert_string_equal(said, "/nonexistent/policy.yaml: error: cannot be read: "
				  "No such file or directory\n");
	free(said);
	diag_free(&diag);
	/* The caller may not care about the reason. */
	assert_int_equal(policy_load("/nonexistent/policy.yaml", &policy, NULL), -ENOENT);
	assert_int_equal(policy_parse("policy: 1\nx: 1\n", 15, "p", &policy, NULL), -EINVAL);
	assert_null(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_taken_over),
		cmocka_unit_test(filters_are_taken_over),
		cmocka_unit_test(rules_refer_to_lists_and_actions),
		cmocka_unit_test(what_is_not_given_has_the_documented_default),
		cmocka_unit_test(printing_keeps_everything),
		cmocka_unit_test(policies_that_differ_in_one_word_are_not_equal),
		cmocka_unit_test(damaged_text_is_answered),
		cmocka_unit_test(what_cannot_be_carried_out_is_refused_apart),
		cmocka_unit_test(a_secret_that_others_may_read_is_a_warning),
		cmocka_unit_test(special_files_are_refused_without_waiting),
		cmocka_unit_test(a_policy_that_is_not_there_says_so),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
