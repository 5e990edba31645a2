/* SPDX-License-Identifier: BSD-2-Clause */
/* Structs to JSON; see view.h. docs/control.md promises the keys. */
#include <ctype.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compile/image.h"
#include "sa/sad.h"
#include "util/addr.h"
#include "view/view.h"

void view_clock_now(struct view_clock *ret)
{
	struct timespec mono, real;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	ret->mono_ms = mono.tv_sec * 1000ull + mono.tv_nsec / 1000000;
	ret->real_ms = real.tv_sec * 1000ull + real.tv_nsec / 1000000;
}

/* null for "never". */
static json_t *time_json(uint64_t mono_ms, const struct view_clock *clock)
{
	if (!mono_ms || mono_ms == UINT64_MAX)
		return json_null();
	return json_integer((json_int_t)(clock->real_ms + mono_ms - clock->mono_ms) / 1000);
}

static json_t *addr_json(const struct xi_addr *addr)
{
	char text[XI_ADDR_STRLEN];

	return json_string(xi_addr_text(addr, text));
}

static json_t *prefix_json(const struct xi_prefix *prefix)
{
	char text[XI_PREFIX_STRLEN];

	return json_string(xi_prefix_text(prefix, text));
}

static json_t *text_json(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *hex_json(uint64_t value, int digits)
{
	return json_sprintf("0x%0*llx", digits, (unsigned long long)value);
}

static json_t *port_json(uint16_t port)
{
	return port ? json_integer(port) : json_string("any");
}

/* ------------------------------------------------------------------- views */

static json_t *ifaces_json(const struct view_status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; i < status->iface_count; i++) {
		const struct view_iface *iface = &status->ifaces[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:i, "
				  "s:i, s:b}",
				  "name", iface->name, "state", iface->state, "xdp",
				  text_json(iface->xdp), "dispatcher", iface->dispatcher, "in",
				  text_json(iface->in), "out", text_json(iface->out), "why",
				  text_json(iface->why), "worker", text_json(iface->worker),
				  "rx_queues", (int)iface->rx_queues, "queues", (int)iface->queues,
				  "zero_copy", iface->zero_copy));
	}
	return list;
}

static json_t *roles_json(const struct view_status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; i < status->role_count; i++) {
		const struct view_role *role = &status->roles[i];

		json_array_append_new(
			list, json_pack("{s:s, s:o, s:o, s:b, s:b, s:i}", "role", role->name,
					"interface", text_json(role->iface), "pid",
					role->pid ? json_integer(role->pid) : json_null(), "wanted",
					role->wanted, "ready", role->ready, "restarts",
					(int)role->restarts));
	}
	return list;
}

json_t *view_status(const struct view_status *status, const struct view_clock *clock)
{
	return json_pack("{s:s, s:s, s:i, s:o, s:I, s:o, s:o, s:I, s:s, s:I, s:I, s:I, s:o, s:o, "
			 "s:I, s:I, s:{s:b, s:b}}",
			 "instance", status->instance, "version", status->version, "pid",
			 status->pid, "started", time_json(status->started_ms, clock), "uptime",
			 (json_int_t)(clock->mono_ms - status->started_ms) / 1000, "policy",
			 text_json(status->policy), "file", text_json(status->file), "generation",
			 (json_int_t)status->generation, "backend", status->backend, "filters",
			 (json_int_t)status->filters, "main_modes", (json_int_t)status->main_modes,
			 "quick_modes", (json_int_t)status->sas, "interfaces", ifaces_json(status),
			 "roles", roles_json(status), "interfaces_beyond",
			 (json_int_t)status->beyond, "interfaces_max",
			 (json_int_t)status->ifaces_max, "reassembly", "ipv4", status->reassembly4,
			 "ipv6", status->reassembly6);
}

json_t *view_mm(const struct ike_mm_info *info, const struct view_clock *clock)
{
	/* Every main mode has a group: without one, nothing was chosen yet. */
	bool chosen = info->method.group != XI_GROUP_NONE;
	char state[sizeof(info->state)];

	for (size_t i = 0; i < sizeof(state); i++)
		state[i] = tolower((unsigned char)info->state[i]);
	state[sizeof(state) - 1] = '\0';
	return json_pack(
		"{s:o, s:o, s:s, s:b, s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o,"
		" s:I, s:o, s:o}",
		"peer", addr_json(&info->path.remote), "local", addr_json(&info->path.local),
		"state", state, "established", info->established, "version", info->version, "role",
		info->initiator ? "initiator" : "responder", "rule", info->rule, "auth", info->auth,
		"peer_id", info->peer_id, "cipher",
		text_json(chosen ? xi_cipher_info(info->method.cipher)->name : NULL), "integrity",
		text_json(chosen ? xi_integ_info(info->method.hash)->name : NULL), "group",
		text_json(chosen ? xi_group_info(info->method.group)->name : NULL), "initiator_spi",
		hex_json(info->spi_i, 16), "responder_spi", hex_json(info->spi_r, 16),
		"quick_modes", (json_int_t)info->quick_modes, "created",
		time_json(info->created_ms, clock), "rekey_at",
		time_json(info->rekey_at_ms, clock));
}

static json_t *selector_json(const struct xi_selector *sel)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "local", prefix_json(&sel->local), "remote",
			 prefix_json(&sel->remote), "proto",
			 sel->proto ? json_integer(sel->proto) : json_string("any"), "local_port",
			 port_json(sel->local_port), "remote_port", port_json(sel->remote_port));
}

json_t *view_qm(const struct sad_entry *entry, const char *backend, const char *rule,
		uint64_t idle_at_ms, const struct view_clock *clock)
{
	const struct xi_sa_params *sa = &entry->params;
	const struct xi_sa_stats *stats = &entry->stats;
	json_t *view, *counts;

	view = json_pack("{s:I, s:o, s:o, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:s, s:s, s:s, s:o,"
			 " s:o, s:o, s:o}",
			 "id", (json_int_t)sa->id, "peer", addr_json(&sa->remote), "local",
			 addr_json(&sa->local), "state", sa_state_name(entry->state), "protocol",
			 sa->protocol == 51 ? "ah" : "esp", "mode",
			 sa->mode == XI_MODE_TUNNEL ? "tunnel" : "transport", "rule",
			 text_json(rule), "role", sa->initiator ? "initiator" : "responder",
			 "spi_in", hex_json(sa->in.spi, 8), "spi_out", hex_json(sa->out.spi, 8),
			 "cipher", xi_cipher_info(sa->cipher)->name, "integrity",
			 xi_integ_info(sa->integ)->name, "backend", backend, "selectors",
			 selector_json(&sa->sel), "created", time_json(entry->created_ms, clock),
			 "rekey_at", time_json(entry->soft_ms, clock), "idle_at",
			 time_json(idle_at_ms, clock));
	counts = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "bytes_in", (json_int_t)stats->in_bytes,
		"packets_in", (json_int_t)stats->in_packets, "bytes_out",
		(json_int_t)stats->out_bytes, "packets_out", (json_int_t)stats->out_packets,
		"replay_drops", (json_int_t)stats->in_replay, "integrity_drops",
		(json_int_t)stats->in_icv, "selector_drops", (json_int_t)stats->in_selector,
		"other_drops", (json_int_t)stats->in_other);
	if (view && counts)
		json_object_update(view, counts);
	json_decref(counts);
	return view;
}

static json_t *count_json(const struct xi_count *count)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)count->packets, "bytes",
			 (json_int_t)count->bytes);
}

static json_t *reasons_json(const struct view_stats *stats)
{
	static const struct {
		const char *label;
	} reasons[] = {
#define XI_REASON(NAME, label, text) {label},
#include <xipsec/reasons.def>
#undef XI_REASON
	};
	const struct xi_count *bpf = (const struct xi_count *)stats->reasons;
	json_t *view = json_object();

	for (int i = XI_REASON_NONE + 1; i < XI_REASON_MAX; i++) {
		struct xi_count sum = {bpf[i].packets + stats->worker[i].packets,
				       bpf[i].bytes + stats->worker[i].bytes};

		json_object_set_new(view, reasons[i].label, count_json(&sum));
	}
	return view;
}

static json_t *totals_json(const struct xi_totals *t)
{
	return json_pack("{s:{s:o, s:o, s:o, s:o}, s:{s:o, s:o, s:o, s:o}}", "in", "permit",
			 count_json(&t->in_permit), "block", count_json(&t->in_block), "secure",
			 count_json(&t->in_secure), "none", count_json(&t->in_none), "out",
			 "permit", count_json(&t->out_permit), "block", count_json(&t->out_block),
			 "secure", count_json(&t->out_secure), "none", count_json(&t->out_none));
}

static json_t *ike_json(const struct ike_counters *counters, uint64_t acquires_dropped)
{
	json_t *view = json_object();

#define IKE_X(name) json_object_set_new(view, #name, json_integer(counters->name));
	IKE_COUNTERS(IKE_X)
#undef IKE_X
	json_object_set_new(view, "acquires_dropped", json_integer(acquires_dropped));
	return view;
}

json_t *view_stats(const struct view_stats *stats)
{
	return json_pack("{s:o, s:o, s:o}", "totals", totals_json(stats->totals), "reasons",
			 reasons_json(stats), "ike", ike_json(stats->ike, stats->acquires_dropped));
}

static json_t *peer_entry(json_t *peers, const char *name)
{
	json_t *peer = json_object_get(peers, name);

	if (peer)
		return peer;
	peer = json_pack("{s:s, s:i, s:i, s:b, s:I, s:I}", "peer", name, "main_modes", 0,
			 "quick_modes", 0, "up", 0, "bytes_in", (json_int_t)0, "bytes_out",
			 (json_int_t)0);
	json_object_set_new(peers, name, peer);
	return peer;
}

static void add_to(json_t *peer, const char *key, json_int_t more)
{
	json_object_set_new(peer, key,
			    json_integer(json_integer_value(json_object_get(peer, key)) + more));
}

json_t *view_peers(const json_t *mm, const json_t *qm)
{
	json_t *peers = json_object(), *list = json_array(), *entry, *peer;
	const char *name;
	size_t i;

	json_array_foreach(mm, i, entry) {
		peer = peer_entry(peers, json_string_value(json_object_get(entry, "peer")));
		add_to(peer, "main_modes", 1);
	}
	json_array_foreach(qm, i, entry) {
		peer = peer_entry(peers, json_string_value(json_object_get(entry, "peer")));
		add_to(peer, "quick_modes", 1);
		add_to(peer, "bytes_in", json_integer_value(json_object_get(entry, "bytes_in")));
		add_to(peer, "bytes_out", json_integer_value(json_object_get(entry, "bytes_out")));
		json_object_set_new(peer, "up", json_true());
	}
	json_object_foreach(peers, name, peer)
		json_array_append(list, peer);
	json_decref(peers);
	return list;
}
