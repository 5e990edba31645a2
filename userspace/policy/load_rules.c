/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The section rules: which filter list meets which action, and who the peer must
 * prove to be. Read after the sections it refers to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/schema.h"
#include "policy/textfile.h"
#include "util/addr.h"

#define RULES_MAX 100000

struct rule_text {
	const struct node *name, *filter_list, *action, *auth, *tunnel, *connection, *ike;
	bool active;
	int connection_type, ike_version;
};

static const char *const connection_names[] = {
	[POL_CONN_ALL] = "all",
	[POL_CONN_LAN] = "lan",
	[POL_CONN_REMOTE_ACCESS] = "remote-access",
};
static const struct choices connections = {"connection type", connection_names, 3};
static const char *const ike_names[] = {"auto", "1", "2"};
static const struct choices ike_versions = {"IKE version", ike_names, 3};

TABLE(rule_table, "a rule", {"name", set_node, offsetof(struct rule_text, name), NULL, true},
      {"filter-list", set_node, offsetof(struct rule_text, filter_list), NULL, true},
      {"action", set_node, offsetof(struct rule_text, action), NULL, true},
      {"auth", set_node, offsetof(struct rule_text, auth)},
      {"tunnel", set_node, offsetof(struct rule_text, tunnel)},
      {"connection-type", set_choice, offsetof(struct rule_text, connection_type), &connections},
      {"ike", set_choice, offsetof(struct rule_text, ike_version), &ike_versions},
      {"active", set_bool, offsetof(struct rule_text, active)});

/* A file named in the policy: kept as written and as it is found from here. */
static void read_file_name(struct loader *load, const struct node *node, const char *what,
			   bool secret, char **ret_name, char **ret_path)
{
	const char *name = load_text(load, node, what);
	struct complaint why;
	struct stat st;

	if (!name)
		return;
	*ret_name = load_strdup(load, name);
	*ret_path = textfile_resolve(load->policy->file, name);
	if (!*ret_name || !*ret_path) {
		load->no_memory = true;
		return;
	}
	if (textfile_check(*ret_path, &st, &why)) {
		load_error(load, node, NULL, "%s %s", *ret_path, why.text);
		return;
	}
	if (!st.st_size)
		load_error(load, node, NULL, "%s is empty", *ret_path);
	if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)))
		load_warning(load, node, "chmod 600",
			     "%s holds a secret and others than its owner may use it (mode %04o)",
			     *ret_path, (unsigned)st.st_mode & 07777);
}

struct cert_text {
	const struct node *ca, *cert, *key;
};

TABLE(cert_table, "cert", {"ca", set_node, offsetof(struct cert_text, ca), NULL, true},
      {"cert", set_node, offsetof(struct cert_text, cert), NULL, true},
      {"key", set_node, offsetof(struct cert_text, key), NULL, true});

static void set_cert(struct loader *load, const struct node *value, void *to,
		     const struct field *field)
{
	struct pol_auth *auth = to;
	struct cert_text text = {0};

	auth->kind = POL_AUTH_CERT;
	if (!load_map(load, value, &cert_table, &text))
		return;
	read_file_name(load, text.ca, "ca", false, &auth->cert_ca, &auth->path_ca);
	read_file_name(load, text.cert, "cert", false, &auth->cert, &auth->path_cert);
	read_file_name(load, text.key, "key", true, &auth->cert_key, &auth->path_key);
}

static void set_psk(struct loader *load, const struct node *value, void *to,
		    const struct field *field)
{
	struct pol_auth *auth = to;

	auth->kind = POL_AUTH_PSK;
	read_file_name(load, value, "psk-file", true, &auth->psk_file, &auth->path_psk);
}

/* A key in the policy text itself would end up in every copy and listing of it. */
static void refuse_psk(struct loader *load, const struct node *value, void *to,
		       const struct field *field)
{
	load_error(load, value, "write psk-file: FILE",
		   "a secret does not stand in the policy itself");
}

TABLE(auth_table, "an authentication method", {"cert", set_cert, 0}, {"psk-file", set_psk, 0},
      {"psk", refuse_psk, 0});

static void read_auth(struct loader *load, const struct node *node, struct pol_auth *auth)
{
	const char *text;

	auth->loc = load_loc(load, node);
	if (node->kind == NODE_SCALAR) {
		text = load_text(load, node, "an authentication method");
		auth->kind = POL_AUTH_KERBEROS;
		if (text && strcmp(text, "kerberos"))
			load_error(load, node,
				   "write kerberos, {psk-file: FILE} or {cert: {ca, cert, key}}",
				   "unknown authentication method '%.60s'", text);
		return;
	}
	if (!load_expect(load, node, NODE_MAP, "an authentication method"))
		return;
	if (node->count != 1) {
		load_error(load, node, "write a list: [kerberos, {psk-file: FILE}]",
			   "one authentication method is expected here, not %zu", node->count);
		return;
	}
	load_map(load, node, &auth_table, auth);
}

static void read_auths(struct loader *load, const struct node *node, struct pol_rule *rule)
{
	struct node_iter iter;

	if (!load_expect(load, node, NODE_LIST, "auth"))
		return;
	if (!node->count || node->count > POL_AUTH_MAX) {
		load_error(load, node, NULL, "auth needs 1 to %d methods, here are %zu",
			   POL_AUTH_MAX, node->count);
		return;
	}
	rule->auth = load_array(load, node->count, sizeof(*rule->auth));
	if (!rule->auth)
		return;
	for (const struct node *item = node_first(&iter, node); item; item = node_next(&iter))
		read_auth(load, item, &rule->auth[rule->auth_count++]);
}

static void read_tunnel(struct loader *load, const struct node *node, struct pol_rule *rule)
{
	const char *text = load_text(load, node, "tunnel");
	static const uint8_t zeros[16];

	if (!text)
		return;
	if (xi_addr_parse(text, &rule->tunnel))
		load_error(load, node, NULL, "'%.60s' is not the address of a tunnel endpoint",
			   text);
	else if (!memcmp(rule->tunnel.b, zeros, sizeof(zeros)) ||
		 (rule->tunnel.family == 4 ? rule->tunnel.b[0] >= 224 : rule->tunnel.b[0] == 0xff))
		load_error(load, node, NULL, "%s is not the address of one host", text);
	else
		rule->tunnel_given = true;
}

/* An index into the list, or 0 and an error that names what was probably meant. */
static size_t refer(struct loader *load, const struct node *node, const char *what,
		    const struct name_index *index)
{
	const char *name = load_text(load, node, what), *near = NULL;
	char hint[120];
	ssize_t found;

	if (!name)
		return 0;
	found = name_index_find(index, name);
	if (found >= 0)
		return (size_t)found;
	if (load->errors < LOAD_ERRORS_MAX)
		near = name_index_near(index, name);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%.64s'?", near);
	load_error(load, node, near ? hint : NULL, "there is no %s '%.80s'", what, name);
	return 0;
}

/* What belongs to negotiation must not stand where nothing is negotiated. */
static void match_action(struct loader *load, const struct node *node, const struct rule_text *text,
			 const struct pol_action *action)
{
	if (action->kind == POL_ACTION_NEGOTIATE) {
		if (!text->auth)
			load_error(load, node, NULL,
				   "the action '%s' negotiates, so the rule needs 'auth'",
				   action->name);
		return;
	}
	if (text->tunnel)
		load_error(load, text->tunnel, NULL, "tunnel needs an action that negotiates");
	if (text->auth)
		load_warning(load, text->auth, NULL,
			     "auth has no effect: the action '%s' negotiates nothing",
			     action->name);
	if (text->ike_version)
		load_warning(load, node, NULL,
			     "ike has no effect: the action '%s' negotiates nothing", action->name);
}

static void read_rule(struct loader *load, const struct node *node, struct pol_rule *rule)
{
	struct rule_text text = {.active = true};
	size_t errors = load->errors;

	rule->loc = load_loc(load, node);
	if (!load_map(load, node, &rule_table, &text))
		return;
	rule->name = load_name(load, text.name, "a rule");
	rule->filter_list = refer(load, text.filter_list, "filter list", &load->lists);
	rule->action = refer(load, text.action, "filter action", &load->actions);
	if (text.auth)
		read_auths(load, text.auth, rule);
	if (text.tunnel)
		read_tunnel(load, text.tunnel, rule);
	rule->connection = (enum pol_connection)text.connection_type;
	rule->ike_version = (uint8_t)text.ike_version;
	rule->active = text.active;
	if (load->errors == errors)
		match_action(load, node, &text, &load->policy->actions[rule->action]);
}

void load_rules(struct loader *load, const struct node *rules)
{
	struct policy *policy = load->policy;
	struct node_iter iter;

	if (!load_expect(load, rules, NODE_LIST, "rules"))
		return;
	if (rules->count > RULES_MAX) {
		load_error(load, rules, NULL, "more than %d rules", RULES_MAX);
		return;
	}
	policy->rules = load_array(load, rules->count, sizeof(*policy->rules));
	if (load->no_memory)
		return;
	for (const struct node *item = node_first(&iter, rules); item; item = node_next(&iter))
		read_rule(load, item, &policy->rules[policy->rule_count++]);
}
