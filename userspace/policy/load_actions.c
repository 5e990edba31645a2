/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The section filter-actions: what `negotiate` offers. A name may also stand for
 * plain permit or block, as filter actions of Windows may.
 */
#include <string.h>

#include "policy/schema.h"

static const struct limits lifetime_limits = {10, 2 * 86400};
#define KILOBYTES_MIN 1024u
#define KILOBYTES_MAX 2147483647u

struct method_text {
	const struct node *esp, *ah;
	uint32_t lifetime_s, lifetime_kb;
};

static void set_kilobytes(struct loader *load, const struct node *value, void *to,
			  const struct field *field)
{
	const char *text = load_text(load, value, field->key);
	struct complaint why;
	uint32_t kb;

	if (!text || !load_result(load, value, parse_kilobytes(text, &kb, &why), &why))
		return;
	if (kb < KILOBYTES_MIN || kb > KILOBYTES_MAX)
		load_error(load, value, NULL, "%s must be from %u to %u", field->key, KILOBYTES_MIN,
			   KILOBYTES_MAX);
	else
		*(uint32_t *)to = kb;
}

TABLE(method_table, "a method", {"esp", set_node, offsetof(struct method_text, esp)},
      {"ah", set_node, offsetof(struct method_text, ah)},
      {"lifetime", set_duration, offsetof(struct method_text, lifetime_s), &lifetime_limits},
      {"lifetime-kb", set_kilobytes, offsetof(struct method_text, lifetime_kb)});

static void read_method(struct loader *load, const struct node *node, struct pol_qm_method *method)
{
	struct method_text keys = {0};
	struct complaint why;
	const char *text;

	method->loc = load_loc(load, node);
	if (!load_map(load, node, &method_table, &keys))
		return;
	if (!keys.esp && !keys.ah) {
		load_error(load, node, NULL, "a method needs 'esp', 'ah' or both");
		return;
	}
	if (keys.esp && (text = load_text(load, keys.esp, "esp")))
		method->esp = load_result(load, keys.esp,
					  parse_esp(text, &method->cipher, &method->integ, &why),
					  &why);
	if (keys.ah && (text = load_text(load, keys.ah, "ah")))
		method->ah = load_result(load, keys.ah, parse_ah(text, &method->ah_integ, &why),
					 &why);
	/* Encryption that nobody authenticates lets an attacker steer the plain text. */
	if (method->esp && !keys.ah && method->integ == XI_INTEG_NONE &&
	    !xi_cipher_info(method->cipher)->tag_len)
		load_error(load, keys.esp, "add integrity, such as aes128-sha256",
			   "ESP without integrity is only allowed inside AH");
	method->lifetime_s = keys.lifetime_s;
	method->lifetime_kb = keys.lifetime_kb;
}

static void set_methods(struct loader *load, const struct node *value, void *to,
			const struct field *field)
{
	struct pol_action *action = to;
	struct node_iter iter;

	if (!load_expect(load, value, NODE_LIST, field->key))
		return;
	if (!value->count || value->count > POL_METHODS_MAX) {
		load_error(load, value, NULL, "negotiate needs 1 to %d methods, here are %zu",
			   POL_METHODS_MAX, value->count);
		return;
	}
	action->methods = load_array(load, value->count, sizeof(*action->methods));
	if (!action->methods)
		return;
	for (const struct node *item = node_first(&iter, value); item; item = node_next(&iter))
		read_method(load, item, &action->methods[action->count++]);
}

static void set_pfs(struct loader *load, const struct node *value, void *to,
		    const struct field *field)
{
	const char *text = load_text(load, value, field->key);
	struct complaint why;

	if (text)
		load_result(load, value, parse_pfs(text, to, &why), &why);
}

TABLE(negotiate_table, "negotiate", {"methods", set_methods, 0, NULL, true},
      {"pfs", set_pfs, offsetof(struct pol_action, pfs)},
      {"inbound-passthrough", set_bool, offsetof(struct pol_action, inbound_passthrough)},
      {"fallback-to-clear", set_bool, offsetof(struct pol_action, fallback_to_clear)});

TABLE(action_table, "a filter action", {"negotiate", set_map, 0, &negotiate_table, true});

static const char *const plain_names[] = {"permit", "block"};
static const struct choices plain_actions = {"filter action", plain_names, 2};

void load_actions(struct loader *load, const struct node *value, void *to,
		  const struct field *field)
{
	static const struct field plain = {"a filter action", set_choice, 0, &plain_actions, false};
	struct policy *policy = load->policy;
	struct pol_action *actions;

	if (!load_expect(load, value, NODE_MAP, field->key))
		return;
	actions = load_array(load, policy->action_count + value->count, sizeof(*actions));
	if (!actions)
		return;
	memcpy(actions, policy->actions, policy->action_count * sizeof(*actions));
	free(policy->actions);
	policy->actions = actions;
	for (const struct node *key = value->first; key; key = key->next->next) {
		struct pol_action *action = &policy->actions[policy->action_count++];

		action->loc = load_loc(load, key);
		action->name = load_name(load, key, "a filter action");
		if (!strcmp(key->text, "permit") || !strcmp(key->text, "block"))
			load_error(load, key, NULL, "'%s' is built in and cannot be redefined",
				   key->text);
		if (key->next->kind == NODE_SCALAR) {
			plain.set(load, key->next, &action->kind, &plain);
			continue;
		}
		action->kind = POL_ACTION_NEGOTIATE;
		load_map(load, key->next, &action_table, action);
	}
}
