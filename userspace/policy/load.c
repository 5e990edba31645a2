/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From policy text to struct policy. Here: the document as a whole, settings and
 * main mode. load_filters.c, load_actions.c and load_rules.c read the other
 * sections; check.c judges the whole; supported.c says what this version of
 * xipsec cannot carry out.
 *
 * Weak spot: JSON text loads, except that libyaml refuses characters written as
 * a pair of \u surrogates.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/schema.h"
#include "policy/textfile.h"

#define POLICY_BYTES_MAX (256u << 20)

static const struct limits exemption_limits = {0, 3};
static const struct limits poll_limits = {60, 30 * 86400};
static const struct limits mm_lifetime_limits = {60, 2 * 86400};
static const struct limits any_number = {0, UINT32_MAX};

static const char *const datapath_names[] = {
	[POL_DATAPATH_AUTO] = "auto",
	[POL_DATAPATH_XFRM] = "xfrm",
	[POL_DATAPATH_AFXDP] = "afxdp",
};
static const struct choices datapaths = {"datapath", datapath_names, 3};

/* Used when the text names no methods: what a current peer accepts, strongest first. */
static const struct pol_mm_method default_mm_methods[] = {
	{XI_CIPHER_AES256_CBC, XI_INTEG_SHA256, XI_GROUP_MODP2048},
	{XI_CIPHER_AES128_CBC, XI_INTEG_SHA256, XI_GROUP_MODP2048},
	{XI_CIPHER_AES128_CBC, XI_INTEG_SHA1, XI_GROUP_MODP2048},
};

static void load_mm_methods(struct loader *load, const struct node *value, void *to,
			    const struct field *field)
{
	struct policy *policy = to;
	struct node_iter iter;
	size_t count = 0;

	if (!load_expect(load, value, NODE_LIST, field->key))
		return;
	if (!value->count || value->count > POL_METHODS_MAX) {
		load_error(load, value, NULL, "main-mode needs 1 to %d methods, here are %zu",
			   POL_METHODS_MAX, value->count);
		return;
	}
	policy->mm_methods = load_array(load, value->count, sizeof(*policy->mm_methods));
	if (!policy->mm_methods)
		return;
	for (const struct node *item = node_first(&iter, value); item; item = node_next(&iter)) {
		struct pol_mm_method *method = &policy->mm_methods[count];
		const char *text = load_text(load, item, "a main-mode method");
		struct complaint why;

		if (!text || !load_result(load, item, parse_mm_method(text, method, &why), &why))
			continue;
		for (size_t i = 0; i < count; i++)
			if (!memcmp(&policy->mm_methods[i], method, sizeof(*method)))
				load_warning(load, item, NULL, "the method %s is listed twice",
					     text);
		count++;
	}
	policy->mm_count = count;
}

static void keep_rules(struct loader *load, const struct node *value, void *to,
		       const struct field *field)
{
	load->rules = value;
}

TABLE(settings_table, "settings",
      {"exemptions", set_number, offsetof(struct policy, exemptions), &exemption_limits, false,
       offsetof(struct policy, at.exemptions)},
      {"datapath", set_choice, offsetof(struct policy, datapath), &datapaths, false,
       offsetof(struct policy, at.datapath)},
      {"poll-interval", set_duration, offsetof(struct policy, poll_interval_s), &poll_limits, false,
       offsetof(struct policy, at.poll_interval)});

TABLE(main_mode_table, "main-mode", {"methods", load_mm_methods, 0},
      {"lifetime", set_duration, offsetof(struct policy, mm_lifetime_s), &mm_lifetime_limits},
      {"quick-modes", set_number, offsetof(struct policy, mm_quick_modes), &any_number, false,
       offsetof(struct policy, at.quick_modes)},
      {"master-pfs", set_bool, offsetof(struct policy, mm_master_pfs)});

TABLE(default_response_table, "default-response",
      {"enabled", set_bool, offsetof(struct policy, default_response), NULL, true,
       offsetof(struct policy, at.default_response)});

TABLE(policy_table, "a policy",
      {"policy", set_name, offsetof(struct policy, name), NULL, true,
       offsetof(struct policy, at.name)},
      {"settings", set_map, 0, &settings_table}, {"main-mode", set_map, 0, &main_mode_table},
      {"filter-lists", load_filter_lists, 0}, {"filter-actions", load_actions, 0},
      {"rules", keep_rules, 0}, {"default-response", set_map, 0, &default_response_table});

/* Permit and block are actions like any other, only that nobody writes them down. */
static int add_builtin_actions(struct policy *policy)
{
	policy->actions = calloc(2, sizeof(*policy->actions));
	if (!policy->actions)
		return -ENOMEM;
	policy->action_count = 2;
	policy->actions[0].kind = POL_ACTION_PERMIT;
	policy->actions[1].kind = POL_ACTION_BLOCK;
	policy->actions[0].name = strdup("permit");
	policy->actions[1].name = strdup("block");
	return policy->actions[0].name && policy->actions[1].name ? 0 : -ENOMEM;
}

static int policy_new(const char *path, struct policy **ret)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return -ENOMEM;
	*ret = policy;
	policy->exemptions = 3;
	policy->poll_interval_s = 10800;
	policy->mm_lifetime_s = 28800;
	policy->file = strdup(path);
	if (!policy->file)
		return -ENOMEM;
	return add_builtin_actions(policy);
}

static const char *list_name(const void *of, size_t i)
{
	return ((const struct policy *)of)->filter_lists[i].name;
}

static const char *action_name(const void *of, size_t i)
{
	return ((const struct policy *)of)->actions[i].name;
}

static int add_default_methods(struct policy *policy)
{
	if (policy->mm_count)
		return 0;
	policy->mm_methods = malloc(sizeof(default_mm_methods));
	if (!policy->mm_methods)
		return -ENOMEM;
	memcpy(policy->mm_methods, default_mm_methods, sizeof(default_mm_methods));
	policy->mm_count = sizeof(default_mm_methods) / sizeof(*default_mm_methods);
	return 0;
}

static int load_document(struct loader *load, const struct node *root)
{
	struct policy *policy = load->policy;
	int err;

	load_map(load, root, &policy_table, policy);
	err = name_index_build(&load->lists, policy->list_count, list_name, policy);
	if (!err)
		err = name_index_build(&load->actions, policy->action_count, action_name, policy);
	if (err)
		return err;
	if (load->rules)
		load_rules(load, load->rules);
	if (load->no_memory)
		return -ENOMEM;
	if (load->errors)
		return -EINVAL;
	check_policy(load);
	if (load->no_memory)
		return -ENOMEM;
	return load->errors ? -EINVAL : add_default_methods(policy);
}

int policy_parse(const char *text, size_t len, const char *path, struct policy **ret,
		 struct diag *diag)
{
	struct loader load = {.diag = diag};
	struct yaml_doc *doc = NULL;
	int err;

	err = policy_new(path, &load.policy);
	if (err)
		goto out;
	if (len > POLICY_BYTES_MAX) {
		struct diag_loc loc = {load.policy->file, 0, 0};

		diag_add(diag, DIAG_ERROR, &loc, NULL, "the policy is larger than %u bytes",
			 POLICY_BYTES_MAX);
		err = -EINVAL;
		goto out;
	}
	err = yaml_doc_parse(text, len, load.policy->file, &doc, diag);
	if (!err)
		err = load_document(&load, yaml_doc_root(doc));
	if (!err) {
		*ret = load.policy;
		load.policy = NULL;
	}
out:
	if (err == -ENOMEM)
		diag_add(diag, DIAG_ERROR, NULL, NULL, "out of memory while reading %s", path);
	free(load.lists.entries);
	free(load.actions.entries);
	yaml_doc_free(doc);
	policy_free(load.policy);
	return err;
}

static int load_file(const char *path, enum textfile_kind kind, struct policy **ret,
		     struct diag *diag)
{
	struct diag_loc loc = {path, 0, 0};
	struct complaint why;
	char *text = NULL;
	size_t len;
	int err;

	err = textfile_read(path, POLICY_BYTES_MAX, kind, &text, &len, &why);
	if (err) {
		diag_add(diag, DIAG_ERROR, &loc, NULL, "%s", why.text);
		return err;
	}
	err = policy_parse(text, len, path, ret, diag);
	free(text);
	return err;
}

int policy_load(const char *path, struct policy **ret, struct diag *diag)
{
	return load_file(path, TEXTFILE_ANY, ret, diag);
}

int policy_load_regular(const char *path, struct policy **ret, struct diag *diag)
{
	return load_file(path, TEXTFILE_REGULAR, ret, diag);
}
