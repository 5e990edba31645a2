/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The canonical text of a policy: every setting written out, keys in one order,
 * filters one a line. Loading it gives an equal policy, printing that gives the
 * same text. Secrets are only ever named by their file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/scalar.h"
#include "util/addr.h"
#include "util/memtext.h"

/* Unquoted where that is the same text in every position of the canonical form. */
static bool is_plain(const char *text)
{
	static const char inner[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "._/+-:";
	size_t len = strlen(text);

	return len && len < 200 && strspn(text, inner) == len && !strchr("-:+", text[0]) &&
	       text[len - 1] != ':' && strcmp(text, "---") && strcmp(text, "...");
}

/* One character of valid UTF-8. */
static uint32_t next_char(const unsigned char **at)
{
	const unsigned char *c = *at;
	unsigned extra = *c < 0x80 ? 0 : *c < 0xe0 ? 1 : *c < 0xf0 ? 2 : 3;
	uint32_t value = extra ? *c & (0x3f >> extra) : *c;

	c++;
	for (; extra && (*c & 0xc0) == 0x80; extra--)
		value = value << 6 | (*c++ & 0x3f);
	*at = c;
	return value;
}

static void print_quoted(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text, *begin;

	fputc('"', out);
	while (*at) {
		uint32_t c;

		begin = at;
		c = next_char(&at);
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", (char)c);
		else if ((c >= ' ' && c < 0x7f) || (c > 0xa0 && c < 0x2000) ||
			 (c >= 0x2030 && c < 0xd800) || (c >= 0xf900 && c < 0xfe00) ||
			 (c >= 0x10000 && c < 0xe0000))
			fwrite(begin, 1, (size_t)(at - begin), out);
		else if (c < 0x10000) /* invisible, or a line break to YAML */
			fprintf(out, "\\u%04x", c);
		else
			fprintf(out, "\\U%08x", c);
	}
	fputc('"', out);
}

static void print_text(FILE *out, const char *text)
{
	if (is_plain(text))
		fputs(text, out);
	else
		print_quoted(out, text);
}

static void print_address(FILE *out, const struct pol_addr *addr)
{
	char text[2 * XI_PREFIX_STRLEN], last[XI_ADDR_STRLEN];
	const char *word = address_keyword(addr->kind);

	switch (addr->kind) {
	case POL_ADDR_ANY:
	case POL_ADDR_ME:
	case POL_ADDR_DNS:
	case POL_ADDR_WINS:
	case POL_ADDR_DHCP:
	case POL_ADDR_GATEWAY:
		fputs(word, out);
		return;
	case POL_ADDR_NAME:
		print_text(out, addr->text);
		return;
	case POL_ADDR_PREFIX:
		xi_prefix_text(&addr->prefix, text);
		print_text(out, text);
		return;
	case POL_ADDR_RANGE:
		xi_addr_text(&addr->prefix.addr, text);
		strcat(text, "-");
		strcat(text, xi_addr_text(&addr->last, last));
		print_text(out, text);
		return;
	}
}

/* A file's name as written, or absolute when a folder is given that it is relative to. */
static void print_file(FILE *out, const char *folder, const char *name)
{
	char *path = NULL;

	if (folder && name[0] != '/' && asprintf(&path, "%s/%s", folder, name) < 0)
		path = NULL;
	print_text(out, path ? path : name);
	free(path);
}

static void print_side(FILE *out, const char *folder, const char *key, const struct pol_side *side)
{
	if (side->file) {
		fprintf(out, "%s-file: ", key);
		print_file(out, folder, side->file);
		return;
	}
	fprintf(out, "%s: ", key);
	if (side->count != 1)
		fputc('[', out);
	for (size_t i = 0; i < side->count; i++) {
		if (i)
			fputs(", ", out);
		print_address(out, &side->addrs[i]);
	}
	if (side->count != 1)
		fputc(']', out);
}

static void print_ports(FILE *out, const char *key, const struct pol_side *side)
{
	if (!side->port_given)
		return;
	fprintf(out, ", %s: %u", key, side->port_lo);
	if (side->port_hi != side->port_lo)
		fprintf(out, "-%u", side->port_hi);
}

static void print_filter(FILE *out, const char *folder, const struct pol_filter *filter)
{
	char proto[PROTO_TEXT];

	fputs("    - {", out);
	print_side(out, folder, "src", &filter->src);
	fputs(", ", out);
	print_side(out, folder, "dst", &filter->dst);
	if (filter->proto_given)
		fprintf(out, ", proto: %s", proto_text(filter->proto, proto));
	print_ports(out, "src-port", &filter->src);
	print_ports(out, "dst-port", &filter->dst);
	if (filter->icmp_type >= 0)
		fprintf(out, ", icmp-type: %d", filter->icmp_type);
	if (filter->icmp_code >= 0)
		fprintf(out, ", icmp-code: %d", filter->icmp_code);
	if (!filter->mirrored)
		fputs(", mirrored: false", out);
	if (filter->description) {
		fputs(", description: ", out);
		print_text(out, filter->description);
	}
	fputs("}\n", out);
}

static void print_lists(FILE *out, const char *folder, const struct policy *policy)
{
	if (!policy->list_count)
		return;
	fputs("filter-lists:\n", out);
	for (size_t i = 0; i < policy->list_count; i++) {
		const struct pol_filter_list *list = &policy->filter_lists[i];

		fputs("  ", out);
		print_text(out, list->name);
		fputs(list->count ? ":\n" : ": []\n", out);
		for (size_t j = 0; j < list->count; j++)
			print_filter(out, folder, &list->filters[j]);
	}
}

static void print_method(FILE *out, const struct pol_qm_method *method)
{
	char text[DURATION_TEXT];
	const char *comma = "";

	fputs("        - {", out);
	if (method->ah) {
		fprintf(out, "ah: %s", xi_integ_info(method->ah_integ)->name);
		comma = ", ";
	}
	if (method->esp) {
		fprintf(out, "%sesp: %s", comma, xi_cipher_info(method->cipher)->name);
		if (method->integ != XI_INTEG_NONE)
			fprintf(out, "-%s", xi_integ_info(method->integ)->name);
	}
	if (method->lifetime_s)
		fprintf(out, ", lifetime: %s", duration_text(method->lifetime_s, text));
	if (method->lifetime_kb)
		fprintf(out, ", lifetime-kb: %u", method->lifetime_kb);
	fputs("}\n", out);
}

static void print_actions(FILE *out, const struct policy *policy)
{
	if (policy->action_count <= 2)
		return;
	fputs("filter-actions:\n", out);
	for (size_t i = 2; i < policy->action_count; i++) {
		const struct pol_action *action = &policy->actions[i];

		fputs("  ", out);
		print_text(out, action->name);
		switch (action->kind) {
		case POL_ACTION_PERMIT:
			fputs(": permit\n", out);
			continue;
		case POL_ACTION_BLOCK:
			fputs(": block\n", out);
			continue;
		case POL_ACTION_NEGOTIATE:
			break;
		}
		fputs(":\n    negotiate:\n      methods:\n", out);
		for (size_t j = 0; j < action->count; j++)
			print_method(out, &action->methods[j]);
		fprintf(out, "      pfs: %s\n", xi_group_info(action->pfs)->name);
		fprintf(out, "      inbound-passthrough: %s\n",
			action->inbound_passthrough ? "true" : "false");
		fprintf(out, "      fallback-to-clear: %s\n",
			action->fallback_to_clear ? "true" : "false");
	}
}

static void print_auth(FILE *out, const char *folder, const struct pol_auth *auth)
{
	switch (auth->kind) {
	case POL_AUTH_KERBEROS:
		fputs("kerberos", out);
		return;
	case POL_AUTH_CERT:
		fputs("{cert: {ca: ", out);
		print_file(out, folder, auth->cert_ca);
		fputs(", cert: ", out);
		print_file(out, folder, auth->cert);
		fputs(", key: ", out);
		print_file(out, folder, auth->cert_key);
		fputs("}}", out);
		return;
	case POL_AUTH_PSK:
		fputs("{psk-file: ", out);
		print_file(out, folder, auth->psk_file);
		fputs("}", out);
		return;
	}
}

static void print_rule(FILE *out, const char *folder, const struct policy *policy,
		       const struct pol_rule *rule)
{
	char text[XI_ADDR_STRLEN];

	fputs("  - name: ", out);
	print_text(out, rule->name);
	fputs("\n    filter-list: ", out);
	print_text(out, policy->filter_lists[rule->filter_list].name);
	fputs("\n    action: ", out);
	print_text(out, policy->actions[rule->action].name);
	fputc('\n', out);
	if (rule->auth_count) {
		fputs("    auth: [", out);
		for (size_t i = 0; i < rule->auth_count; i++) {
			if (i)
				fputs(", ", out);
			print_auth(out, folder, &rule->auth[i]);
		}
		fputs("]\n", out);
	}
	if (rule->tunnel_given) {
		fputs("    tunnel: ", out);
		print_text(out, xi_addr_text(&rule->tunnel, text));
		fputc('\n', out);
	}
	if (rule->connection != POL_CONN_ALL)
		fprintf(out, "    connection-type: %s\n",
			rule->connection == POL_CONN_LAN ? "lan" : "remote-access");
	if (rule->ike_version)
		fprintf(out, "    ike: %u\n", rule->ike_version);
	if (!rule->active)
		fputs("    active: false\n", out);
}

static void print_settings(FILE *out, const struct policy *policy)
{
	static const char *const datapaths[] = {
		[POL_DATAPATH_AUTO] = "auto",
		[POL_DATAPATH_XFRM] = "xfrm",
		[POL_DATAPATH_AFXDP] = "afxdp",
	};
	char text[DURATION_TEXT];

	fputs("policy: ", out);
	print_text(out, policy->name);
	fprintf(out, "\nsettings:\n  exemptions: %d\n  datapath: %s\n  poll-interval: %s\n",
		policy->exemptions, datapaths[policy->datapath],
		duration_text(policy->poll_interval_s, text));
	fputs("main-mode:\n  methods: [", out);
	for (size_t i = 0; i < policy->mm_count; i++)
		fprintf(out, "%s%s-%s-%s", i ? ", " : "",
			xi_cipher_info(policy->mm_methods[i].cipher)->name,
			xi_integ_info(policy->mm_methods[i].hash)->name,
			xi_group_info(policy->mm_methods[i].group)->name);
	fprintf(out, "]\n  lifetime: %s\n  quick-modes: %u\n  master-pfs: %s\n",
		duration_text(policy->mm_lifetime_s, text), policy->mm_quick_modes,
		policy->mm_master_pfs ? "true" : "false");
}

static char *print(const struct policy *policy, const char *folder)
{
	struct memtext text;
	FILE *out = memtext_open(&text);

	if (!out)
		return NULL;
	print_settings(out, policy);
	print_lists(out, folder, policy);
	print_actions(out, policy);
	if (policy->rule_count)
		fputs("rules:\n", out);
	for (size_t i = 0; i < policy->rule_count; i++)
		print_rule(out, folder, policy, &policy->rules[i]);
	fprintf(out, "default-response: {enabled: %s}\n",
		policy->default_response ? "true" : "false");
	return memtext_close(&text, out);
}

char *policy_print(const struct policy *policy)
{
	return print(policy, NULL);
}

char *policy_print_absolute(const struct policy *policy)
{
	const char *slash = strrchr(policy->file, '/');
	char *folder, *text;

	folder = slash ? strndup(policy->file, slash - policy->file) : strdup(".");
	if (!folder)
		return NULL;
	text = print(policy, folder);
	free(folder);
	return text;
}
