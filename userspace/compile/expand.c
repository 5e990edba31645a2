/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From rules to directional filters. For each active rule, each entry of its
 * filter list, each source and destination address, each family: the pair as
 * written and, when mirrored, swapped; each in the directions that its own
 * addresses imply. `me` stays symbolic, so a change of address does not change
 * the filter list.
 *
 * Ids are drawn for every combination that the text allows, whether or not the
 * addresses of this host rule it out: so a filter keeps its id wherever the
 * policy is compiled, and ids have gaps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"
#include "policy/policy.h"
#include "policy/scalar.h"
#include "util/addr.h"

/* More directional filters than this is a product of two long lists, not a policy. */
#define FILTERS_MAX 4000000u

/* One side of a filter entry, with ranges cut into prefixes. */
struct side {
	bool me;
	bool any;
	bool piece;		 /* of a range: no address that somebody wrote */
	uint32_t line;		 /* of an address file */
	struct xi_prefix prefix; /* neither me nor any */
};

struct sides {
	struct side *v;
	size_t count, cap;
};

struct expander {
	const struct policy *policy;
	const struct compile_opts *opts;
	struct image *image;
	struct diag *diag;
	size_t cap; /* of image->filters */
	uint32_t next_id;
	size_t rule;	       /* being expanded */
	struct sides src, dst; /* of the entry being expanded */
};

/* ------------------------------------------------------------------- sides */

static int sides_add(struct sides *sides, const struct side *side)
{
	struct side *v;

	if (sides->count == sides->cap) {
		size_t cap = sides->cap ? 2 * sides->cap : 16;

		v = realloc(sides->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		sides->v = v;
		sides->cap = cap;
	}
	sides->v[sides->count++] = *side;
	return 0;
}

typedef unsigned __int128 wide;

static wide addr_number(const struct xi_addr *addr)
{
	wide n = 0;

	for (unsigned i = 0; i < xi_family_bits(addr->family) / 8; i++)
		n = n << 8 | addr->b[i];
	return n;
}

static struct xi_addr number_addr(wide n, uint8_t family)
{
	struct xi_addr addr = {.family = family};

	for (int i = xi_family_bits(family) / 8 - 1; i >= 0; i--, n >>= 8)
		addr.b[i] = n;
	return addr;
}

/* The fewest prefixes that make up first..last. */
static int add_range(struct sides *sides, const struct xi_addr *first, const struct xi_addr *last)
{
	unsigned bits = xi_family_bits(first->family);
	wide at = addr_number(first), end = addr_number(last);

	for (;;) {
		struct side side = {.prefix.len = bits, .piece = !xi_addr_equal(first, last)};
		wide block = 1; /* addresses in it; 0 stands for all of 2^128 */
		int err;

		/* Grow while it stays aligned and inside. */
		while (side.prefix.len && !(at & block) && at + (block * 2 - 1) <= end &&
		       at + (block * 2 - 1) >= at) {
			block *= 2;
			side.prefix.len--;
		}
		side.prefix.addr = number_addr(at, first->family);
		err = sides_add(sides, &side);
		if (err || at + (block - 1) == end)
			return err;
		at += block;
	}
}

static int refuse(struct expander *x, const struct diag_loc *loc, const char *what)
{
	diag_add(x->diag, DIAG_ERROR, loc, NULL, "rule '%s': %s", x->policy->rules[x->rule].name,
		 what);
	return -EINVAL;
}

static int collect_side(struct expander *x, const struct pol_filter *entry,
			const struct pol_side *from, struct sides *to)
{
	struct side open = {.any = true};
	int err = 0;

	to->count = 0;
	/* An address file may be empty: that is no address, not any. */
	if (!from->count && !from->file)
		return sides_add(to, &open);
	for (size_t i = 0; !err && i < from->count; i++) {
		const struct pol_addr *addr = &from->addrs[i];
		struct side side = {0};

		switch (addr->kind) {
		case POL_ADDR_ANY:
			side.any = true;
			err = sides_add(to, &side);
			break;
		case POL_ADDR_ME:
			side.me = true;
			err = sides_add(to, &side);
			break;
		case POL_ADDR_PREFIX:
			side.prefix = addr->prefix;
			side.line = addr->line;
			err = sides_add(to, &side);
			break;
		case POL_ADDR_RANGE:
			err = add_range(to, &addr->prefix.addr, &addr->last);
			break;
		case POL_ADDR_NAME:
			err = refuse(x, &entry->loc,
				     "DNS names in filters are not resolved in this version");
			break;
		case POL_ADDR_DNS:
		case POL_ADDR_WINS:
		case POL_ADDR_DHCP:
		case POL_ADDR_GATEWAY:
			err = refuse(x, &entry->loc,
				     "server sets (dns, wins, dhcp, gateway) are not tracked in "
				     "this version");
			break;
		}
	}
	return err;
}

/* ----------------------------------------------------------------- filters */

static bool side_in_family(const struct side *side, uint8_t family)
{
	return side->me || side->any || side->prefix.addr.family == family;
}

/* One of this host's addresses, written as `me` or written out. */
static bool side_is_local(const struct expander *x, const struct side *side)
{
	if (side->me)
		return true;
	if (side->any || side->piece ||
	    side->prefix.len != xi_family_bits(side->prefix.addr.family))
		return false;
	for (size_t i = 0; i < x->opts->me_count; i++) {
		if (xi_addr_equal(&x->opts->me[i], &side->prefix.addr))
			return true;
	}
	return false;
}

static struct xi_prefix side_prefix(const struct side *side, uint8_t family)
{
	struct xi_prefix open = {.addr.family = family};

	return side->any || side->me ? open : side->prefix;
}

static int push(struct expander *x, const struct filter *f)
{
	struct image *image = x->image;

	if (image->count == FILTERS_MAX) {
		refuse(x, &x->policy->rules[x->rule].loc,
		       "the policy makes more than 4 million filters");
		return -EINVAL;
	}
	if (image->count == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 64;
		struct filter *filters = realloc(image->filters, cap * sizeof(*filters));

		if (!filters)
			return -ENOMEM;
		image->filters = filters;
		x->cap = cap;
	}
	image->filters[image->count++] = *f;
	return 0;
}

static enum xi_action filter_action(const struct pol_action *action)
{
	switch (action->kind) {
	case POL_ACTION_PERMIT:
		return XI_ACT_PERMIT;
	case POL_ACTION_BLOCK:
		return XI_ACT_BLOCK;
	case POL_ACTION_NEGOTIATE:
		return XI_ACT_NEGOTIATE;
	}
	return XI_ACT_NONE;
}

static int rule_iface_class(const struct pol_rule *rule)
{
	switch (rule->connection) {
	case POL_CONN_ALL:
		return -1;
	case POL_CONN_LAN:
		return XI_IFACE_LAN;
	case POL_CONN_REMOTE_ACCESS:
		return XI_IFACE_REMOTE_ACCESS;
	}
	return -1;
}

static void set_ports(const struct pol_side *side, uint16_t *ret_lo, uint16_t *ret_hi)
{
	*ret_lo = side->port_given ? side->port_lo : 0;
	*ret_hi = side->port_given ? side->port_hi : 65535;
}

/* One pair of addresses in one direction: `src` sends, `dst` receives. */
static int add_directed(struct expander *x, const struct pol_filter *entry, const struct side *src,
			const struct pol_side *src_ports, const struct side *dst,
			const struct pol_side *dst_ports, uint8_t family, enum xi_dir dir,
			uint32_t id)
{
	const struct pol_rule *rule = &x->policy->rules[x->rule];
	const struct pol_action *action = &x->policy->actions[rule->action];
	bool in = dir == XI_DIR_IN;
	const struct side *remote = in ? src : dst, *local = in ? dst : src;
	/* Of two address files the source's names the place; mirrored, it is the destination. */
	bool as_written = src_ports == &entry->src;
	struct filter f = {.id = id,
			   .rule = x->rule,
			   .entry = entry - x->policy->filter_lists[rule->filter_list].filters,
			   .rule_name = x->image->names[x->rule],
			   .dir = dir,
			   .band = XI_BAND_RULES,
			   .action = filter_action(action),
			   .family = family,
			   .remote = side_prefix(remote, family),
			   .local = side_prefix(local, family),
			   .local_is_me = local->me,
			   .proto_given = entry->proto_given,
			   .proto = entry->proto_given ? entry->proto : 0,
			   .icmp_type = entry->icmp_type,
			   .icmp_code = entry->icmp_code,
			   .iface_class = rule_iface_class(rule),
			   .line = (entry->src.file ? as_written : !as_written) ? src->line
										: dst->line};

	if (f.action == XI_ACT_NEGOTIATE) {
		f.passthrough = in && action->inbound_passthrough;
		f.soft = action->fallback_to_clear;
	}
	set_ports(in ? src_ports : dst_ports, &f.remote_port_lo, &f.remote_port_hi);
	set_ports(in ? dst_ports : src_ports, &f.local_port_lo, &f.local_port_hi);
	return push(x, &f);
}

/* A pair of addresses in one family: as written, and swapped when mirrored. */
static int add_pair(struct expander *x, const struct pol_filter *entry, const struct side *src,
		    const struct side *dst, uint8_t family)
{
	bool src_local = side_is_local(x, src), dst_local = side_is_local(x, dst);
	int err = 0;

	for (int swap = 0; !err && swap <= entry->mirrored; swap++) {
		const struct side *from = swap ? dst : src, *to = swap ? src : dst;
		bool from_local = swap ? dst_local : src_local;
		bool to_local = swap ? src_local : dst_local;

		for (int dir = XI_DIR_IN; !err && dir < XI_DIR_MAX; dir++) {
			uint32_t id = ++x->next_id;

			if (from_local && to_local)
				continue; /* to itself: never seen on an interface */
			if (dir == XI_DIR_IN ? from_local : to_local)
				continue;
			err = add_directed(x, entry, from, swap ? &entry->dst : &entry->src, to,
					   swap ? &entry->src : &entry->dst, family, dir, id);
		}
	}
	return err;
}

static int check_entry(struct expander *x, const struct pol_filter *entry)
{
	bool icmp = entry->proto_given && proto_is_icmp(entry->proto);

	if ((entry->icmp_type >= 0 || entry->icmp_code >= 0) && !icmp)
		return refuse(x, &entry->loc, "an ICMP type needs the protocol icmp or icmpv6");
	if (entry->icmp_code >= 0 && entry->icmp_type < 0)
		return refuse(x, &entry->loc, "an ICMP code needs an ICMP type");
	return 0;
}

static int expand_entry(struct expander *x, const struct pol_filter *entry)
{
	int err = check_entry(x, entry);

	if (!err)
		err = collect_side(x, entry, &entry->src, &x->src);
	if (!err)
		err = collect_side(x, entry, &entry->dst, &x->dst);
	for (size_t s = 0; !err && s < x->src.count; s++) {
		for (size_t d = 0; !err && d < x->dst.count; d++) {
			for (int family = 4; !err && family <= 6; family += 2) {
				if (side_in_family(&x->src.v[s], family) &&
				    side_in_family(&x->dst.v[d], family))
					err = add_pair(x, entry, &x->src.v[s], &x->dst.v[d],
						       family);
			}
		}
	}
	return err;
}

static int add_exemption(void *arg, struct filter *filter, const char *name)
{
	struct expander *x = arg;
	struct image *image = x->image;
	char **names;

	if (!image->name_count || strcmp(image->names[image->name_count - 1], name)) {
		names = realloc(image->names, (image->name_count + 1) * sizeof(*names));
		if (!names)
			return -ENOMEM;
		image->names = names;
		names[image->name_count] = strdup(name);
		if (!names[image->name_count])
			return -ENOMEM;
		image->name_count++;
	}
	filter->rule_name = image->names[image->name_count - 1];
	filter->id = ++x->next_id;
	return push(x, filter);
}

static bool negotiates(const struct policy *policy)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct pol_rule *rule = &policy->rules[i];

		if (rule->active && policy->actions[rule->action].kind == POL_ACTION_NEGOTIATE)
			return true;
	}
	return false;
}

static int copy_names(struct expander *x)
{
	struct image *image = x->image;

	image->names = calloc(x->policy->rule_count ? x->policy->rule_count : 1,
			      sizeof(*image->names));
	if (!image->names)
		return -ENOMEM;
	for (size_t i = 0; i < x->policy->rule_count; i++) {
		image->names[i] = strdup(x->policy->rules[i].name);
		if (!image->names[i])
			return -ENOMEM;
		image->name_count++;
	}
	return 0;
}

int expand_policy(const struct policy *policy, const struct compile_opts *opts, struct image *image,
		  struct diag *diag)
{
	struct expander x = {.policy = policy, .opts = opts, .image = image, .diag = diag};
	int err = copy_names(&x);

	for (x.rule = 0; !err && x.rule < policy->rule_count; x.rule++) {
		const struct pol_rule *rule = &policy->rules[x.rule];
		const struct pol_filter_list *list = &policy->filter_lists[rule->filter_list];

		for (size_t i = 0; !err && rule->active && i < list->count; i++)
			err = expand_entry(&x, &list->filters[i]);
	}
	if (!err)
		err = exempt_rows(policy->exemptions, negotiates(policy), add_exemption, &x);
	free(x.src.v);
	free(x.dst.v);
	return err;
}
