/* SPDX-License-Identifier: BSD-2-Clause */
/* What explain found out, as JSON; see explain.h. Text: explain_text.c. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "compile/words.h"
#include "policy/policy.h"
#include "policy/scalar.h"
#include "util/addr.h"
#include "view/explain.h"

#define SENTENCE 700

const char *view_verdict(enum xi_action action)
{
	return action == XI_ACT_NEGOTIATE ? "secure" : action_name(action);
}

/* ------------------------------------------------------------------- packet */

static json_t *number_unless(unsigned unknown, int value)
{
	return unknown ? json_null() : json_integer(value);
}

/* What is there of ports, or ICMP type and code; null where it was not given. */
static void add_upper(json_t *packet, const struct explain_question *q)
{
	const struct xi_pkt *pkt = &q->pkt;

	if (pkt->flags & XI_PKT_LATER_FRAG)
		return;
	if (proto_is_icmp(pkt->proto)) {
		json_object_set_new(packet, "icmp_type",
				    number_unless(q->unknown & EXPLAIN_ICMP_TYPE, pkt->icmp_type));
		json_object_set_new(packet, "icmp_code",
				    number_unless(q->unknown & EXPLAIN_ICMP_CODE, pkt->icmp_code));
	} else if (proto_has_ports(pkt->proto)) {
		json_object_set_new(
			packet, "local_port",
			number_unless(q->unknown & EXPLAIN_LOCAL_PORT, pkt->local_port));
		json_object_set_new(
			packet, "remote_port",
			number_unless(q->unknown & EXPLAIN_REMOTE_PORT, pkt->remote_port));
	}
}

json_t *view_packet(const struct explain_question *q)
{
	struct xi_addr local = {.family = q->pkt.family}, remote = local;
	char local_text[XI_ADDR_STRLEN], remote_text[XI_ADDR_STRLEN], proto[PROTO_TEXT];
	json_t *packet;

	memcpy(local.b, q->pkt.local, sizeof(local.b));
	memcpy(remote.b, q->pkt.remote, sizeof(remote.b));
	packet = json_pack("{s:s, s:s, s:s, s:i, s:s, s:b, s:b}", "direction",
			   q->pkt.dir == XI_DIR_IN ? "in" : "out", "local",
			   xi_addr_text(&local, local_text), "remote",
			   xi_addr_text(&remote, remote_text), "proto", q->pkt.proto, "proto_name",
			   proto_text(q->pkt.proto, proto), "local_is_me",
			   !!(q->pkt.flags & XI_PKT_LOCAL_IS_ME), "later_fragment",
			   !!(q->pkt.flags & XI_PKT_LATER_FRAG));
	if (!packet)
		return NULL;
	add_upper(packet, q);
	json_object_set_new(packet, "interface",
			    q->unknown & EXPLAIN_IFACE
				    ? json_null()
				    : json_string(q->pkt.iface_class == XI_IFACE_LAN
							  ? "lan"
							  : "remote-access"));
	return packet;
}

static int parse_addr(const json_t *packet, const char *key, uint8_t *family, uint8_t ret[16])
{
	const char *text = json_string_value(json_object_get(packet, key));
	struct xi_addr addr;

	if (!text || xi_addr_parse(text, &addr) || (*family && *family != addr.family))
		return -EINVAL;
	*family = addr.family;
	memcpy(ret, addr.b, sizeof(addr.b));
	return 0;
}

/* A number that may be missing or null. */
static int parse_number_of(const json_t *packet, const char *key, enum explain_field field,
			   unsigned max, struct explain_question *q, unsigned *ret)
{
	const json_t *value = json_object_get(packet, key);

	*ret = 0;
	if (!value || json_is_null(value)) {
		q->unknown |= field;
		return 0;
	}
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > max)
		return -EINVAL;
	*ret = json_integer_value(value);
	return 0;
}

static int parse_upper(const json_t *packet, struct explain_question *q)
{
	struct xi_pkt *pkt = &q->pkt;
	unsigned a = 0, b = 0;
	int err = 0;

	if (json_is_true(json_object_get(packet, "later_fragment"))) {
		pkt->flags |= XI_PKT_LATER_FRAG;
	} else if (proto_is_icmp(pkt->proto)) {
		err = parse_number_of(packet, "icmp_type", EXPLAIN_ICMP_TYPE, 255, q, &a);
		if (!err)
			err = parse_number_of(packet, "icmp_code", EXPLAIN_ICMP_CODE, 255, q, &b);
		pkt->icmp_type = a;
		pkt->icmp_code = b;
	} else if (proto_has_ports(pkt->proto)) {
		err = parse_number_of(packet, "local_port", EXPLAIN_LOCAL_PORT, 65535, q, &a);
		if (!err)
			err = parse_number_of(packet, "remote_port", EXPLAIN_REMOTE_PORT, 65535, q,
					      &b);
		pkt->local_port = a;
		pkt->remote_port = b;
	}
	return err;
}

int view_packet_parse(const json_t *packet, struct explain_question *ret)
{
	const char *direction = json_string_value(json_object_get(packet, "direction"));
	const char *interface = json_string_value(json_object_get(packet, "interface"));
	struct explain_question q = {0};
	unsigned proto;

	if (!direction || (strcmp(direction, "in") && strcmp(direction, "out")) ||
	    parse_addr(packet, "local", &q.pkt.family, q.pkt.local) ||
	    parse_addr(packet, "remote", &q.pkt.family, q.pkt.remote) ||
	    parse_number_of(packet, "proto", EXPLAIN_PROTO, 255, &q, &proto) || q.unknown)
		return -EINVAL;
	q.pkt.dir = strcmp(direction, "in") ? XI_DIR_OUT : XI_DIR_IN;
	q.pkt.proto = proto;
	if (interface && strcmp(interface, "lan") && strcmp(interface, "remote-access"))
		return -EINVAL;
	q.pkt.iface_class = interface && strcmp(interface, "lan") ? XI_IFACE_REMOTE_ACCESS
								  : XI_IFACE_LAN;
	q.unknown |= interface ? 0 : EXPLAIN_IFACE;
	if (json_is_true(json_object_get(packet, "local_is_me")))
		q.pkt.flags |= XI_PKT_LOCAL_IS_ME;
	if (parse_upper(packet, &q))
		return -EINVAL;
	*ret = q;
	return 0;
}

/* ------------------------------------------------------------------ filters */

static json_t *place_json(const struct policy *policy, const struct filter *f)
{
	char place[PATH_MAX + 32];
	struct diag_loc at;
	const struct diag_loc *loc = filter_loc(policy, f, &at);

	if (!loc || !loc->file)
		return json_null();
	diag_place(loc, place, sizeof(place));
	return json_string(place);
}

static json_t *filter_json(const struct policy *policy, const struct filter *f)
{
	char words[FILTER_WORDS];

	return json_pack("{s:I, s:s, s:s, s:s, s:o}", "filter", (json_int_t)f->id, "rule",
			 f->rule_name, "verdict", view_verdict(f->action), "covers",
			 filter_words(f, words), "place", place_json(policy, f));
}

/*
 * The filter to be shown as deciding, or NULL: where the one that is assumed never
 * does, whatever the unknown fields are, the first of those that do.
 */
static const struct filter *shown(const struct image *image, const struct explain_answer *answer)
{
	if (answer->surely_other && answer->depends.count)
		return &image->filters[answer->depends.v[0].index];
	return answer->matches.count ? &image->filters[answer->deciding] : NULL;
}

static json_t *beaten_json(const struct image *image, const struct policy *policy,
			   const struct explain_answer *answer)
{
	const struct filter *winner = shown(image, answer);
	json_t *beaten = json_array();

	for (size_t i = answer->surely_other ? 0 : 1; i < answer->matches.count; i++) {
		uint32_t index = answer->matches.v[i].index;
		const struct filter *f = &image->filters[index];
		json_t *row = filter_json(policy, f);
		const char *also = "";
		char words[FILTER_WORDS];

		/* Not in the list that compile prints: it never decides. */
		if (index >= image->count) {
			json_object_set_new(row, "shadowed", json_true());
			also = "; shadowed";
		}
		json_object_set_new(row, "lost_on", json_string(filter_lost_on(winner, f)));
		json_object_set_new(row, "lost",
				    json_sprintf("%s%s", lost_words(winner, f, words), also));
		json_array_append_new(beaten, row);
	}
	return beaten;
}

/* "remote port 1024-65535 and local port 80": what the filter asks of these fields. */
static void fields_words(const struct filter *f, unsigned fields, char *buf, size_t size)
{
	static const struct {
		enum explain_field field;
		enum filter_level level;
	} levels[] = {{EXPLAIN_REMOTE_PORT, LEVEL_REMOTE_PORT},
		      {EXPLAIN_LOCAL_PORT, LEVEL_LOCAL_PORT},
		      {EXPLAIN_ICMP_TYPE, LEVEL_ICMP_TYPE},
		      {EXPLAIN_ICMP_CODE, LEVEL_ICMP_CODE},
		      {EXPLAIN_IFACE, LEVEL_IFACE}};
	char value[FILTER_WORDS];
	size_t len = 0;

	buf[0] = 0;
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		if (fields & levels[i].field && len < size)
			len += snprintf(buf + len, size - len, "%s%s %s", len ? " and " : "",
					explain_field_name(levels[i].field),
					level_value(f, levels[i].level, value));
	}
}

static json_t *depends_json(const struct image *image, const struct policy *policy,
			    const struct explain_answer *answer)
{
	json_t *depends = json_array();

	for (size_t i = 0; i < answer->depends.count; i++) {
		const struct explain_row *from = &answer->depends.v[i];
		const struct filter *f = &image->filters[from->index];
		json_t *row = filter_json(policy, f);
		char words[SENTENCE];

		fields_words(f, from->fields, words, sizeof(words));
		json_object_set_new(row, "if", json_string(from->fields ? words : "otherwise"));
		json_array_append_new(depends, row);
	}
	if (answer->or_none)
		json_array_append_new(depends, json_pack("{s:n, s:n, s:s, s:n, s:n, s:s}", "filter",
							 "rule", "verdict", "none", "covers",
							 "place", "if", "otherwise"));
	return depends;
}

/* "10.1.2.3 is not in 10.2.0.0/16" */
static void near_words(const struct explain_question *q, const struct filter *f, unsigned field,
		       char *buf, size_t size)
{
	bool remote = field == EXPLAIN_REMOTE || field == EXPLAIN_REMOTE_PORT;
	struct xi_addr addr = {.family = q->pkt.family};
	char text[XI_ADDR_STRLEN], prefix[XI_PREFIX_STRLEN], value[FILTER_WORDS], proto[PROTO_TEXT];

	memcpy(addr.b, remote ? q->pkt.remote : q->pkt.local, sizeof(addr.b));
	switch ((enum explain_field)field) {
	case EXPLAIN_REMOTE:
	case EXPLAIN_LOCAL:
		if (!remote && f->local_is_me)
			snprintf(buf, size, "%s is not one of this host's",
				 xi_addr_text(&addr, text));
		else
			snprintf(buf, size, "%s is not in %s", xi_addr_text(&addr, text),
				 xi_prefix_text(remote ? &f->remote : &f->local, prefix));
		break;
	case EXPLAIN_REMOTE_PORT:
	case EXPLAIN_LOCAL_PORT:
		snprintf(buf, size, "%u is not %s", remote ? q->pkt.remote_port : q->pkt.local_port,
			 level_value(f, remote ? LEVEL_REMOTE_PORT : LEVEL_LOCAL_PORT, value));
		break;
	case EXPLAIN_PROTO:
		snprintf(buf, size, "%s is not %s", proto_text(q->pkt.proto, proto),
			 level_value(f, LEVEL_PROTOCOL, value));
		break;
	case EXPLAIN_ICMP_TYPE:
		snprintf(buf, size, "%u is not %s", q->pkt.icmp_type,
			 level_value(f, LEVEL_ICMP_TYPE, value));
		break;
	case EXPLAIN_ICMP_CODE:
		snprintf(buf, size, "%u is not %s", q->pkt.icmp_code,
			 level_value(f, LEVEL_ICMP_CODE, value));
		break;
	case EXPLAIN_IFACE:
		snprintf(buf, size, "it is not %s", level_value(f, LEVEL_IFACE, value));
		break;
	case EXPLAIN_FRAGMENT:
		snprintf(buf, size, "a permit filter for ports never covers one");
		break;
	case EXPLAIN_DIR:
	case EXPLAIN_FAMILY:
		buf[0] = 0;
		break;
	}
}

static json_t *near_json(const struct image *image, const struct policy *policy,
			 const struct explain_question *q, const struct explain_answer *answer)
{
	json_t *near = json_array();

	for (size_t i = 0; i < answer->near.count; i++) {
		const struct explain_row *from = &answer->near.v[i];
		const struct filter *f = &image->filters[from->index];
		json_t *row = filter_json(policy, f);
		char words[SENTENCE];

		near_words(q, f, from->fields, words, sizeof(words));
		json_object_set_new(row, "field", json_string(explain_field_name(from->fields)));
		json_object_set_new(row, "why", json_string(words));
		json_array_append_new(near, row);
	}
	return near;
}

/* ------------------------------------------------------------------- answer */

/* The options that it depends on, which were not given: "--local-port and --interface". */
static void unknown_words(const struct explain_answer *answer, char *buf, size_t size)
{
	static const struct {
		enum explain_field field;
		const char *option;
	} options[] = {{EXPLAIN_LOCAL_PORT, "--local-port"},
		       {EXPLAIN_REMOTE_PORT, "--remote-port"},
		       {EXPLAIN_ICMP_TYPE, "--icmp-type"},
		       {EXPLAIN_ICMP_CODE, "--icmp-code"},
		       {EXPLAIN_IFACE, "--interface"}};
	unsigned fields = answer->matches.count ? answer->matches.v[0].fields : 0;
	size_t len = 0;

	for (size_t i = 0; i < answer->depends.count; i++)
		fields |= answer->depends.v[i].fields;
	buf[0] = 0;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		if (fields & options[i].field && len < size)
			len += snprintf(buf + len, size - len, "%s%s", len ? " and " : "",
					options[i].option);
	}
}

/* All that could decide say the same. */
static bool same_verdict(const struct image *image, const struct explain_answer *answer)
{
	enum xi_action action = answer->deciding == XI_NO_FILTER
					? XI_ACT_NONE
					: image->filters[answer->deciding].action;
	bool same = !answer->or_none || action == XI_ACT_NONE;

	for (size_t i = 0; i < answer->depends.count; i++)
		same &= image->filters[answer->depends.v[i].index].action == action;
	return same;
}

/* What it depends on, behind the sentence in buf. */
static void add_depends(const struct image *image, const struct explain_answer *answer, char *buf,
			size_t size)
{
	char unknown[120];
	size_t len = strlen(buf);

	unknown_words(answer, unknown, sizeof(unknown));
	if (same_verdict(image, answer))
		snprintf(buf + len, size - len,
			 "; %s would tell whether another decides, with the same verdict", unknown);
	else
		snprintf(buf + len, size - len, "; but it depends on %s, not given here", unknown);
}

/* One sentence on why the first filter decides. */
static void because(const struct image *image, const struct explain_answer *answer, char *buf,
		    size_t size)
{
	char mine[FILTER_WORDS], his[FILTER_WORDS];
	const struct filter *f, *second;
	enum filter_level level;

	if (answer->surely_other && answer->depends.count) {
		f = shown(image, answer);
		unknown_words(answer, mine, sizeof(mine));
		snprintf(buf, size,
			 "it depends on %s; filter %u of '%s' is the first that may decide", mine,
			 f->id, f->rule_name);
		return;
	}
	if (!answer->matches.count) {
		snprintf(buf, size, "no filter covers this packet, so it passes in clear");
	} else if (answer->matches.count == 1) {
		f = &image->filters[answer->deciding];
		snprintf(buf, size, "filter %u of '%s' is the only one that covers this packet",
			 f->id, f->rule_name);
	} else {
		f = &image->filters[answer->deciding];
		second = &image->filters[answer->matches.v[1].index];
		level = filter_decided_by(f, second);
		snprintf(buf, size,
			 "filter %u of '%s' goes before filter %u of '%s' by its %s (%.60s before "
			 "%.60s)",
			 f->id, f->rule_name, second->id, second->rule_name,
			 filter_lost_on(f, second), level_value(f, level, mine),
			 level_value(second, level, his));
	}
	if (answer->depends.count || answer->or_none)
		add_depends(image, answer, buf, size);
}

/* All this is about a fragment whose first one was not seen. */
static json_t *fragment_json(const struct explain_answer *answer)
{
	bool decided = answer->lone == EXPLAIN_LONE_DECIDED;

	return json_pack("{s:b, s:s, s:s}", "decided", decided, "alone",
			 view_verdict(answer->lone_action), "text",
			 decided ? "it has the verdict of its first fragment; if that one was not "
				   "seen, it has this one, as ports change nothing"
				 : "it has the verdict of its first fragment; if that one was not "
				   "seen, its packet is put together and judged where the kernel "
				   "can");
}

json_t *view_explain(const struct image *image, const struct policy *policy,
		     const struct explain_question *q, const struct explain_answer *answer)
{
	const struct filter *f = shown(image, answer);
	bool found = f;
	char why[SENTENCE], words[FILTER_WORDS];
	json_t *root;

	because(image, answer, why, sizeof(why));
	root = json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:b, s:o, s:o, s:o}", "verdict",
			 view_verdict(found ? f->action : XI_ACT_NONE), "filter",
			 found ? json_integer(f->id) : json_null(), "rule",
			 found ? json_string(f->rule_name) : json_null(), "because", why, "beaten",
			 beaten_json(image, policy, answer), "depends",
			 depends_json(image, policy, answer), "surely_other", answer->surely_other,
			 "packet", view_packet(q), "covers",
			 found ? json_string(filter_words(f, words)) : json_null(), "place",
			 found ? place_json(policy, f) : json_null());
	if (root && answer->lone != EXPLAIN_LONE_NOT)
		json_object_set_new(root, "fragment", fragment_json(answer));
	if (root && answer->near_count) {
		json_object_set_new(root, "near", near_json(image, policy, q, answer));
		json_object_set_new(root, "near_count", json_integer(answer->near_count));
	}
	return root;
}
