/* SPDX-License-Identifier: BSD-2-Clause */
/* The section filter-lists: named lists of filters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/schema.h"

#define FILTERS_MAX	1000000
#define ADDRESSES_MAX	100000
#define DESCRIPTION_MAX 255

/* One filter as written; judged together once all keys are known. */
struct filter_text {
	const struct node *src, *dst, *src_file, *dst_file, *src_port, *dst_port, *proto;
	const struct node *icmp_type, *icmp_code, *description;
	bool mirrored;
};

#define NODE_OF(member) set_node, offsetof(struct filter_text, member)
TABLE(filter_table, "a filter", {"src", NODE_OF(src)}, {"dst", NODE_OF(dst)},
      {"src-file", NODE_OF(src_file)}, {"dst-file", NODE_OF(dst_file)}, {"proto", NODE_OF(proto)},
      {"src-port", NODE_OF(src_port)}, {"dst-port", NODE_OF(dst_port)},
      {"icmp-type", NODE_OF(icmp_type)}, {"icmp-code", NODE_OF(icmp_code)},
      {"mirrored", set_bool, offsetof(struct filter_text, mirrored)},
      {"description", NODE_OF(description)});

static void read_address(struct loader *load, const struct node *node, struct pol_side *side)
{
	const char *text = load_text(load, node, "an address");
	struct complaint why;

	if (text &&
	    load_result(load, node, parse_address(text, &side->addrs[side->count], &why), &why))
		side->count++;
}

static void read_addresses(struct loader *load, const struct node *node, const char *key,
			   struct pol_side *side)
{
	size_t count = node->kind == NODE_LIST ? node->count : 1;
	struct node_iter iter;

	if (node->kind == NODE_MAP) {
		load_error(load, node, NULL, "%s must be an address or a list of addresses", key);
		return;
	}
	if (!count || count > ADDRESSES_MAX) {
		load_error(load, node, count ? "put them into a file" : NULL,
			   "%s needs 1 to %d addresses, here are %zu", key, ADDRESSES_MAX, count);
		return;
	}
	side->addrs = load_array(load, count, sizeof(*side->addrs));
	if (!side->addrs)
		return;
	if (node->kind == NODE_SCALAR) {
		read_address(load, node, side);
		return;
	}
	for (const struct node *item = node_first(&iter, node); item; item = node_next(&iter))
		read_address(load, item, side);
	for (size_t i = 0; i < side->count && side->count > 1; i++)
		if (side->addrs[i].kind == POL_ADDR_ANY) {
			load_warning(load, node, NULL,
				     "%s lists 'any', which makes the others needless", key);
			break;
		}
}

/* Exactly one of `src` and `src-file`. */
static void read_side(struct loader *load, const struct node *filter, const char *key,
		      const struct node *addrs, const struct node *file, struct pol_side *side)
{
	const char *name;

	if (addrs && file) {
		load_error(load, file, NULL, "%s and %s-file cannot both be given", key, key);
		return;
	}
	if (addrs) {
		read_addresses(load, addrs, key, side);
		return;
	}
	if (!file) {
		load_error(load, filter, NULL, "a filter needs '%s' or '%s-file'", key, key);
		return;
	}
	name = load_text(load, file, "the file");
	if (!name)
		return;
	side->file = load_strdup(load, name);
	if (side->file)
		load_address_file(load, file, side);
}

static void read_ports(struct loader *load, const struct node *node, const char *key,
		       struct pol_side *side, const struct pol_filter *filter)
{
	struct complaint why;
	const char *text;
	char proto[PROTO_TEXT];

	if (!node)
		return;
	if (node->kind == NODE_LIST) {
		load_error(load, node, "write one filter for each",
			   "%s takes one port or one range", key);
		return;
	}
	text = load_text(load, node, key);
	if (!text ||
	    !load_result(load, node,
			 parse_ports(text, &side->port_given, &side->port_lo, &side->port_hi, &why),
			 &why))
		return;
	if (side->port_given && !filter->proto_given)
		load_error(load, node, "add proto: tcp or proto: udp",
			   "%s needs a protocol that has ports", key);
	else if (side->port_given && !proto_has_ports(filter->proto))
		load_error(load, node, NULL, "%s: protocol %s has no ports", key,
			   proto_text(filter->proto, proto));
	else if (side->port_given && !side->port_hi)
		load_warning(load, node, "leave the port out for any",
			     "%s is port 0, which no program uses", key);
}

static void read_icmp(struct loader *load, const struct node *node, const char *key,
		      const struct pol_filter *filter, int *ret)
{
	const char *text = node ? load_text(load, node, key) : NULL;
	struct complaint why;
	uint32_t number;

	if (!text || !load_result(load, node, parse_number(text, key, 0, 255, &number, &why), &why))
		return;
	if (!filter->proto_given || !proto_is_icmp(filter->proto))
		load_error(load, node, "add proto: icmp or proto: icmpv6", "%s needs ICMP", key);
	else
		*ret = (int)number;
}

static void read_proto(struct loader *load, const struct node *node, struct pol_filter *filter)
{
	const char *text = load_text(load, node, "proto");
	struct complaint why;

	if (text)
		load_result(load, node,
			    parse_proto(text, &filter->proto_given, &filter->proto, &why), &why);
}

static void read_description(struct loader *load, const struct node *node,
			     struct pol_filter *filter)
{
	if (!load_expect(load, node, NODE_SCALAR, "description"))
		return;
	if (strlen(node->text) > DESCRIPTION_MAX)
		load_error(load, node, NULL, "the description is longer than %d bytes",
			   DESCRIPTION_MAX);
	else if (*node->text)
		filter->description = load_strdup(load, node->text);
}

static void read_filter(struct loader *load, const struct node *node, struct pol_filter *filter)
{
	struct filter_text text = {.mirrored = true};

	filter->loc = load_loc(load, node);
	filter->icmp_type = filter->icmp_code = -1;
	if (!load_map(load, node, &filter_table, &text))
		return;
	filter->mirrored = text.mirrored;
	read_side(load, node, "src", text.src, text.src_file, &filter->src);
	read_side(load, node, "dst", text.dst, text.dst_file, &filter->dst);
	if (text.proto)
		read_proto(load, text.proto, filter);
	read_ports(load, text.src_port, "src-port", &filter->src, filter);
	read_ports(load, text.dst_port, "dst-port", &filter->dst, filter);
	read_icmp(load, text.icmp_type, "icmp-type", filter, &filter->icmp_type);
	read_icmp(load, text.icmp_code, "icmp-code", filter, &filter->icmp_code);
	if (text.icmp_code && !text.icmp_type)
		load_error(load, text.icmp_code, NULL, "icmp-code needs icmp-type");
	if (text.description)
		read_description(load, text.description, filter);
}

void load_filter_lists(struct loader *load, const struct node *value, void *to,
		       const struct field *field)
{
	struct policy *policy = load->policy;
	struct node_iter iter;
	size_t total = 0;

	if (!load_expect(load, value, NODE_MAP, field->key))
		return;
	policy->filter_lists = load_array(load, value->count, sizeof(*policy->filter_lists));
	for (const struct node *key = value->first; key; key = key->next->next) {
		const struct node *items = key->next;
		struct pol_filter_list *list = &policy->filter_lists[policy->list_count];

		if (load->no_memory)
			return;
		policy->list_count++;
		list->loc = load_loc(load, key);
		list->name = load_name(load, key, "a filter list");
		if (!load_expect(load, items, NODE_LIST, "a filter list"))
			continue;
		total += items->count;
		if (total > FILTERS_MAX) {
			load_error(load, items, NULL, "more than %d filters", FILTERS_MAX);
			return;
		}
		list->filters = load_array(load, items->count, sizeof(*list->filters));
		if (load->no_memory)
			return;
		for (const struct node *item = node_first(&iter, items); item;
		     item = node_next(&iter))
			read_filter(load, item, &list->filters[list->count++]);
	}
}
