/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The views. Main modes and IKE counters live in the ike role, SA counters in
 * the esp roles: a question to them is under way (struct gather) until all have
 * answered, or for a second; then the view is made of what is known, and says
 * "incomplete" when a child owes its answer.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <event2/event.h>

#include "compile/image.h"
#include "daemon/control.h"
#include "daemon/daemon.h"
#include "daemon/links.h"
#include "daemon/show.h"
#include "datapath/datapath.h"
#include "policy/policy.h"
#include "view/view.h"

#define PATIENCE_S   1
#define MM_SHOWN_MAX 100000

struct gather {
	struct daemon *daemon;
	struct gather *next;
	struct control_request *request;
	const struct show_view *view;
	uint32_t id;
	unsigned pending; /* answers owed */
	json_t *mm;
	struct ike_counters ike;
	struct view_clock clock;
	struct event *timeout;
};

struct show_view {
	const char *name;
	bool ask_ike, ask_esp;
	json_t *(*make)(struct gather *gather);
	/* Instead, for long ones: the answer as text. NULL without memory. */
	char *(*write)(struct gather *gather, size_t *ret_len);
};

/* ------------------------------------------------------------------- views */

static void fill_role(struct view_role *ret, const struct proc *proc)
{
	ret->name = role_name(proc->role);
	ret->iface = proc->iface ? proc->iface->name : NULL;
	ret->pid = proc->pid;
	ret->wanted = proc->wanted;
	ret->ready = proc->ready;
	ret->restarts = proc->restarts;
}

static void fill_iface(struct daemon *d, struct iface *iface, struct view_iface *view,
		       struct datapath_iface *state)
{
	view->name = iface->name;
	view->state = iface->attached ? "filtered" : iface->ifindex ? "not filtered" : "not there";
	view->worker = iface->worker.tap_ifindex ? iface->worker.tap_name : NULL;
	view->queues = iface->worker.queues;
	view->zero_copy = iface->worker.zero_copy;
	if (!iface->ifindex || datapath_iface_state(d->dp, iface->ifindex, state))
		return;
	view->rx_queues = links_queues(iface->name);
	if (!iface->attached) {
		view->why = "the filters cannot be attached, the log says why";
		return;
	}
	if (state->ingress == DP_INGRESS_NONE || state->egress == DP_TC_NONE)
		view->state = "not filtered";
	view->in = datapath_ingress_name(state->ingress);
	view->out = datapath_tc_name(state->egress);
	view->why = *state->why ? state->why : NULL;
	if (state->ingress == DP_INGRESS_GENERIC)
		view->xdp = "generic";
	else if (state->ingress == DP_INGRESS_NATIVE || state->ingress == DP_INGRESS_DISPATCHER)
		view->xdp = "native";
	view->dispatcher = state->shared;
}

static json_t *make_status(struct gather *gather)
{
	struct daemon *d = gather->daemon;
	struct view_role roles[IFACES_MAX + 3] = {0};
	struct view_iface ifaces[IFACES_MAX] = {0};
	static struct datapath_iface states[IFACES_MAX]; /* too big for the stack */
	struct view_status status = {
		.instance = d->opts.instance,
		.version = d->opts.version,
		.policy = d->policy->name,
		.file = d->policy_path,
		.backend = sad_backend_name(d->sad),
		.pid = getpid(),
		.generation = d->generation,
		.started_ms = d->started_ms,
		.filters = d->image->count,
		.main_modes = json_array_size(gather->mm),
		.sas = sad_count(d->sad),
		.ifaces = ifaces,
		.beyond = d->ifaces_beyond,
		.ifaces_max = IFACES_MAX,
		.roles = roles,
		.reassembly4 = datapath_reassembles(d->dp, 4),
		.reassembly6 = datapath_reassembles(d->dp, 6),
	};

	roles[status.role_count++] = (struct view_role){
		.name = "parent", .pid = getpid(), .wanted = true, .ready = true};
	fill_role(&roles[status.role_count++], &d->keys);
	fill_role(&roles[status.role_count++], &d->ike);
	for (unsigned i = 0; i < d->iface_count; i++) {
		struct iface *iface = d->ifaces[i];
		struct view_iface *view = &ifaces[status.iface_count++];

		fill_iface(d, iface, view, &states[i]);
		fill_role(&roles[status.role_count++], &iface->esp);
	}
	return view_status(&status, &gather->clock);
}

static json_t *make_policy(struct gather *gather)
{
	struct daemon *d = gather->daemon;
	char *text = policy_print(d->policy);
	json_t *data;

	if (!text)
		return NULL;
	data = json_pack("{s:s, s:s, s:I, s:s}", "policy", d->policy->name, "file", d->policy_path,
			 "generation", (json_int_t)d->generation, "text", text);
	free(text);
	return data;
}

/* The whole answer as text; NULL without memory. */
static char *filters(struct gather *gather, bool exemptions_only, size_t *ret_len)
{
	static const char begin[] = "{\"ok\":true,\"data\":[", end[] = "]}";
	struct daemon *d = gather->daemon;
	struct xi_hits *counts = calloc(d->image->count + 1, sizeof(*counts));
	size_t room = sizeof(begin) + VIEW_FILTER_MAX + 256 * d->image->count, at;
	char *text = malloc(room), *more;
	bool counted, first = true;

	counted = counts && !datapath_filter_counts(d->dp, counts, d->image->count);
	at = text ? (size_t)sprintf(text, "%s", begin) : 0;
	for (size_t i = 0; text && i < d->image->count; i++) {
		const struct filter *filter = &d->image->filters[i];

		if (exemptions_only && filter->rule != FILTER_BUILTIN)
			continue;
		if (room - at < VIEW_FILTER_MAX + sizeof(end) + 1) {
			room += room / 2 + VIEW_FILTER_MAX;
			more = realloc(text, room);
			if (!more)
				free(text);
			text = more;
			if (!text)
				break;
		}
		if (!first)
			text[at++] = ',';
		first = false;
		at += view_filter_line(text + at, filter, counted ? &counts[i] : NULL,
				       &gather->clock);
	}
	if (text)
		at += sprintf(text + at, "%s", end);
	free(counts);
	*ret_len = at;
	return text;
}

static char *write_filters(struct gather *gather, size_t *ret_len)
{
	return filters(gather, false, ret_len);
}

static char *write_exemptions(struct gather *gather, size_t *ret_len)
{
	return filters(gather, true, ret_len);
}

static json_t *make_mm(struct gather *gather)
{
	return json_incref(gather->mm);
}

struct qm_list {
	struct gather *gather;
	json_t *list;
};

static void add_qm(void *arg, const struct sad_entry *entry)
{
	struct qm_list *out = arg;
	struct daemon *d = out->gather->daemon;
	const char *rule = config_rule_name(d, entry->params.rule, entry->params.generation);

	json_array_append_new(out->list, view_qm(entry, sad_backend_name(d->sad), rule,
						 sad_idle_at(d->sad, entry), &out->gather->clock));
}

static json_t *make_qm(struct gather *gather)
{
	struct qm_list out = {gather, json_array()};

	sad_each(gather->daemon->sad, add_qm, &out);
	return out.list;
}

static json_t *make_peers(struct gather *gather)
{
	json_t *qm = make_qm(gather), *peers = view_peers(gather->mm, qm);

	json_decref(qm);
	return peers;
}

static json_t *make_stats(struct gather *gather)
{
	struct daemon *d = gather->daemon;
	struct xi_reason_counts reasons = {0};
	struct xi_totals totals = {0};
	struct xi_count worker[XI_REASON_MAX] = {0};
	const struct view_stats stats = {
		.reasons = &reasons,
		.worker = worker,
		.totals = &totals,
		.ike = &gather->ike,
		.acquires_dropped = d->acquires_dropped,
	};

	datapath_reasons(d->dp, &reasons);
	datapath_totals(d->dp, &totals);
	for (unsigned i = 0; i < d->iface_count; i++)
		for (int j = 0; j < XI_REASON_MAX; j++) {
			worker[j].packets += d->ifaces[i]->reasons.count[j].packets;
			worker[j].bytes += d->ifaces[i]->reasons.count[j].bytes;
		}
	return view_stats(&stats);
}

static const struct show_view views[] = {
	{"status", true, false, make_status},
	{"policy", false, false, make_policy},
	{"filters", false, false, .write = write_filters},
	{"mm", true, false, make_mm},
	{"qm", false, true, make_qm},
	{"peers", true, true, make_peers},
	{"stats", true, true, make_stats},
	{"exemptions", false, false, .write = write_exemptions},
};

/* ----------------------------------------------------------------- gathering */

static void gather_free(struct gather *gather)
{
	struct gather **at = &gather->daemon->gathers;

	while (*at != gather)
		at = &(*at)->next;
	*at = gather->next;
	if (gather->timeout)
		event_free(gather->timeout);
	json_decref(gather->mm);
	free(gather);
}

static void finish(struct gather *gather)
{
	json_t *data, *answer;
	size_t len = 0;
	char *text;

	if (gather->view->write) {
		text = gather->view->write(gather, &len);
		control_reply_text(gather->request, text, len);
		gather_free(gather);
		return;
	}
	data = gather->view->make(gather);
	answer = data ? json_pack("{s:b, s:o}", "ok", 1, "data", data)
		      : json_pack("{s:b, s:s}", "ok", 0, "error", "out of memory");
	if (answer && gather->pending)
		json_object_set_new(answer, "incomplete", json_true());
	control_reply(gather->request, answer);
	gather_free(gather);
}

static void on_timeout(int fd, short what, void *arg)
{
	finish(arg);
}

static struct gather *find(struct daemon *d, uint32_t id)
{
	struct gather *gather = d->gathers;

	while (gather && gather->id != id)
		gather = gather->next;
	return gather;
}

static void answered(struct gather *gather)
{
	if (gather->pending && --gather->pending == 0)
		finish(gather);
}

void show_mm(struct daemon *d, uint32_t id, const struct ike_mm_info *info)
{
	struct gather *gather = find(d, id);

	if (gather && json_array_size(gather->mm) < MM_SHOWN_MAX)
		json_array_append_new(gather->mm, view_mm(info, &gather->clock));
}

void show_mm_end(struct daemon *d, uint32_t id, const struct ike_counters *counters)
{
	struct gather *gather = find(d, id);

	if (!gather)
		return;
	gather->ike = *counters;
	answered(gather);
}

void show_pong(struct daemon *d, uint32_t id)
{
	struct gather *gather = find(d, id);

	if (gather)
		answered(gather);
}

/* Channels keep the order: behind the PONG, all that was asked before is here. */
static void ask(struct gather *gather)
{
	struct daemon *d = gather->daemon;

	if (gather->view->ask_ike && d->ike.ready) {
		gather->pending++;
		ipc_send(d->ike.ipc, IPC_MM_QUERY, gather->id, NULL, NULL, 0);
	}
	if (!gather->view->ask_esp)
		return;
	sad_query_all(d->sad);
	for (unsigned i = 0; i < d->iface_count; i++) {
		struct proc *esp = &d->ifaces[i]->esp;

		if (!esp->ready)
			continue;
		gather->pending++;
		ipc_send(esp->ipc, IPC_REASONS_QUERY, gather->id, NULL, NULL, 0);
		ipc_send(esp->ipc, IPC_PING, gather->id, NULL, NULL, 0);
	}
}

static const struct show_view *find_view(const char *what)
{
	for (size_t i = 0; what && i < sizeof(views) / sizeof(*views); i++)
		if (!strcmp(views[i].name, what))
			return &views[i];
	return NULL;
}

void show_start(struct daemon *d, struct control_request *request, const char *what)
{
	static const struct timeval patience = {PATIENCE_S, 0};
	static uint32_t last_id;
	const struct show_view *view = find_view(what);
	struct gather *gather;

	if (!view) {
		control_reply(request,
			      json_pack("{s:b, s:s}", "ok", 0, "error", "there is no such view"));
		return;
	}
	gather = calloc(1, sizeof(*gather));
	if (!gather) {
		control_reply(request, NULL);
		return;
	}
	if (!++last_id)
		last_id++;
	gather->daemon = d;
	gather->request = request;
	gather->view = view;
	gather->id = last_id;
	gather->mm = json_array();
	view_clock_now(&gather->clock);
	gather->timeout = event_new(d->base, -1, 0, on_timeout, gather);
	gather->next = d->gathers;
	d->gathers = gather;
	ask(gather);
	if (!gather->pending || !gather->timeout)
		finish(gather);
	else
		event_add(gather->timeout, &patience);
}

void show_cancel(struct daemon *d)
{
	while (d->gathers) {
		control_reply(d->gathers->request,
			      json_pack("{s:b, s:s}", "ok", 0, "error", "the daemon is stopping"));
		gather_free(d->gathers);
	}
}
