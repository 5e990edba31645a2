/* SPDX-License-Identifier: BSD-2-Clause */
/* Live events and samples to JSON; see live.h. */
#include <string.h>
#include <netinet/in.h>
#include <linux/bpf.h>
#include <linux/netfilter.h>
#include <linux/pkt_cls.h>

#include "compile/image.h"
#include "policy/scalar.h"
#include "sa/sad.h"
#include "util/addr.h"
#include "view/live.h"

#define NS_PER_MS 1000000ull

static const char *const verdicts[] = {
	[XI_ACT_NONE] = "none",
	[XI_ACT_PERMIT] = "permit",
	[XI_ACT_BLOCK] = "block",
	[XI_ACT_NEGOTIATE] = "secure",
};

static const char *const reasons[XI_REASON_MAX] = {
#define XI_REASON(NAME, label, text) label,
#include <xipsec/reasons.def>
#undef XI_REASON
};

static const char *const events[XI_EVENT_MAX] = {
#define XI_EVENT(NAME, label, text) label,
#include <xipsec/events.def>
#undef XI_EVENT
};

static const char *const hooks[XI_HOOK_MAX] = {
	[XI_HOOK_XDP_INGRESS] = "xdp-ingress", [XI_HOOK_TC_EGRESS] = "tc-egress",
	[XI_HOOK_TC_INJECT] = "tc-inject",     [XI_HOOK_TC_INGRESS] = "tc-ingress",
	[XI_HOOK_NF_INGRESS] = "nf-ingress",
};

static const char *const fates[] = {
	[VIEW_PASSED] = "passed",
	[VIEW_DROPPED] = "dropped",
	[VIEW_WORKER] = "worker",
	[VIEW_HELD] = "held",
};

static int find(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (names[i] && !strcmp(names[i], name))
			return i;
	return -1;
}

const char *view_verdict_name(enum xi_action action)
{
	return action <= XI_ACT_NEGOTIATE ? verdicts[action] : "none";
}

int view_verdict_find(const char *name)
{
	return find(verdicts, XI_ACT_NEGOTIATE + 1, name);
}

const char *view_reason_name(uint32_t reason)
{
	return reason < XI_REASON_MAX ? reasons[reason] : "none";
}

int view_reason_find(const char *name)
{
	return find(reasons, XI_REASON_MAX, name);
}

enum view_fate view_fate_of(const struct xi_sample *sample)
{
	if (sample->hook == XI_HOOK_XDP_INGRESS) {
		if (sample->result == XDP_REDIRECT)
			return VIEW_WORKER;
		return sample->result == XDP_PASS || sample->result == XDP_TX ? VIEW_PASSED
									      : VIEW_DROPPED;
	}
	if (sample->hook == XI_HOOK_NF_INGRESS)
		return sample->result == NF_ACCEPT ? VIEW_PASSED : VIEW_DROPPED;
	if (sample->result == TC_ACT_REDIRECT)
		return sample->reason == XI_REASON_HELD ? VIEW_HELD : VIEW_WORKER;
	return sample->result == TC_ACT_SHOT ? VIEW_DROPPED : VIEW_PASSED;
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *moment(uint64_t time_ns, const struct view_clock *clock)
{
	int64_t ns = (int64_t)(time_ns - clock->mono_ms * NS_PER_MS);

	return json_real(((double)clock->real_ms + ns / 1e6) / 1000);
}

static json_t *moment_now(const struct view_clock *clock)
{
	return json_real(clock->real_ms / 1000.0);
}

static json_t *addr_json(const uint8_t bytes[16], uint8_t family)
{
	struct xi_addr addr = {.family = family};
	char text[XI_ADDR_STRLEN];

	memcpy(addr.b, bytes, sizeof(addr.b));
	return json_string(xi_addr_text(&addr, text));
}

/* What the parser made of the headers; nothing when it could make nothing of them. */
static void add_packet(json_t *view, const struct xi_pkt *pkt)
{
	bool later = pkt->flags & XI_PKT_LATER_FRAG; /* shows neither ports nor type */

	if (!pkt->family)
		return;
	json_object_set_new(view, "remote", addr_json(pkt->remote, pkt->family));
	json_object_set_new(view, "local", addr_json(pkt->local, pkt->family));
	json_object_set_new(view, "proto", json_integer(pkt->proto));
	if (proto_has_ports(pkt->proto) && !later) {
		json_object_set_new(view, "remote_port", json_integer(pkt->remote_port));
		json_object_set_new(view, "local_port", json_integer(pkt->local_port));
	}
	if (proto_is_icmp(pkt->proto) && !later) {
		json_object_set_new(view, "icmp_type", json_integer(pkt->icmp_type));
		json_object_set_new(view, "icmp_code", json_integer(pkt->icmp_code));
	}
	if (pkt->flags & (XI_PKT_FIRST_FRAG | XI_PKT_LATER_FRAG))
		json_object_set_new(
			view, "fragment",
			json_string(pkt->flags & XI_PKT_FIRST_FRAG ? "first" : "later"));
}

static json_t *reason_json(uint32_t reason)
{
	return reason == XI_REASON_NONE ? json_null() : json_string(view_reason_name(reason));
}

static json_t *filter_json(const struct filter *filter)
{
	return filter ? json_integer(filter->id) : json_null();
}

json_t *view_sample(const struct xi_sample *sample, const struct filter *filter, bool is_stale,
		    const char *iface, const struct view_clock *clock)
{
	json_t *view;

	view = json_pack(
		"{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:I, s:I, s:I}", "type",
		"packet", "time", moment(sample->time_ns, clock), "verdict",
		view_verdict_name(sample->action), "fate", fates[view_fate_of(sample)], "reason",
		reason_json(sample->reason), "filter", filter_json(filter), "rule",
		text_or_null(filter ? filter->rule_name : NULL), "hook",
		sample->hook < XI_HOOK_MAX && hooks[sample->hook] ? hooks[sample->hook] : "other",
		"direction", sample->pkt.dir == XI_DIR_OUT ? "out" : "in", "interface",
		text_or_null(iface), "length", (json_int_t)sample->pkt.len, "frame_length",
		(json_int_t)sample->frame_len, "generation", (json_int_t)sample->generation);
	if (!view)
		return NULL;
	add_packet(view, &sample->pkt);
	if (is_stale)
		json_object_set_new(view, "stale", json_true());
	return view;
}

json_t *view_event(const struct xi_event *event, const struct filter *filter, const char *iface,
		   const struct view_clock *clock)
{
	const char *name = event->kind < XI_EVENT_MAX ? events[event->kind] : "none";
	json_t *view;

	view = json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:s, s:o, s:I, s:I}", "type", "event",
			 "time", moment(event->time_ns, clock), "event", name, "reason",
			 reason_json(event->reason), "filter", filter_json(filter), "rule",
			 text_or_null(filter ? filter->rule_name : NULL), "direction",
			 event->pkt.dir == XI_DIR_OUT ? "out" : "in", "interface",
			 text_or_null(iface), "length", (json_int_t)event->pkt.len, "generation",
			 (json_int_t)event->generation);
	if (!view)
		return NULL;
	add_packet(view, &event->pkt);
	if (event->kind == XI_EVENT_INVALID_SPI)
		json_object_set_new(view, "spi", json_sprintf("0x%08x", event->spi));
	return view;
}

json_t *view_sa_change(const struct sad_entry *entry, const char *rule, const char *ended,
		       const struct view_clock *clock)
{
	const struct xi_sa_params *sa = &entry->params;
	char remote[XI_ADDR_STRLEN], local[XI_ADDR_STRLEN];

	return json_pack("{s:s, s:o, s:s, s:I, s:s, s:s, s:o, s:o, s:o, s:o}", "type", "sa", "time",
			 moment_now(clock), "state", ended ? "down" : "up", "id",
			 (json_int_t)sa->id, "peer", xi_addr_text(&sa->remote, remote), "local",
			 xi_addr_text(&sa->local, local), "rule", text_or_null(rule), "spi_in",
			 json_sprintf("0x%08x", sa->in.spi), "spi_out",
			 json_sprintf("0x%08x", sa->out.spi), "because", text_or_null(ended));
}

json_t *view_worker_drop(const char *iface, uint32_t reason, const struct xi_count *more,
			 const struct view_clock *clock)
{
	return json_pack("{s:s, s:o, s:s, s:s, s:I, s:I}", "type", "worker", "time",
			 moment_now(clock), "interface", iface, "reason", view_reason_name(reason),
			 "packets", (json_int_t)more->packets, "bytes", (json_int_t)more->bytes);
}
