/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The listeners; see monitor.h. Samples come from the kernel's ring in rounds of
 * bounded length, so that everything else of the daemon has its turn between
 * them; each is made a line once, for all who want it.
 *
 * Weak spot: a listener that stands still keeps sampling on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "compile/image.h"
#include "daemon/control.h"
#include "daemon/daemon.h"
#include "daemon/monitor.h"
#include "daemon/monitor_spec.h"
#include "datapath/datapath.h"
#include "policy/policy.h"
#include "util/log.h"
#include "view/live.h"

#define ROUND_SAMPLES 256
/* More than the ring holds: after a switch everything that is in it is read. */
#define RING_SAMPLES 16384
/* Digits of a time in microseconds. */
#define LINE_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(16))

struct listener {
	struct monitor *monitor;
	unsigned index; /* in monitor.listeners */
	struct control_stream *stream;
	struct monitor_spec spec;
	uint32_t skip; /* wanted packets to pass over until the next one is told */
	uint64_t lost; /* lines that it did not take, not told yet */
};

struct monitor {
	struct daemon *daemon;
	struct listener *listeners[XI_LISTENERS_MAX];
	struct event *readable, *timer;
	uint64_t ring_lost; /* of the kernel's count, told already */
	const struct image *fresh;
	uint32_t epoch; /* of the kernel's choice; 0: it leaves that to us */
	struct view_clock clock;
};

/* ------------------------------------------------------------------ lines */

static void put(struct listener *l, const char *line, size_t len)
{
	if (!control_stream_put(l->stream, line, len))
		l->lost++;
}

/* False: it does not take this either. */
static bool put_lost(struct listener *l, uint64_t samples, const char *because)
{
	struct view_clock now;
	json_t *object;
	char *line;
	bool told;

	view_clock_now(&now);
	object = json_pack("{s:s, s:f, s:I, s:s}", "type", "lost", "time", now.real_ms / 1000.0,
			   "samples", (json_int_t)samples, "because", because);
	line = object ? json_dumps(object, LINE_FLAGS) : NULL;
	told = line && control_stream_put(l->stream, line, strlen(line));
	free(line);
	json_decref(object);
	return told;
}

/* To every listener whose bit is set. Takes over the reference. */
static void tell(struct monitor *m, uint32_t who, json_t *object)
{
	char *line = object ? json_dumps(object, LINE_FLAGS) : NULL;
	size_t len = line ? strlen(line) : 0;

	for (unsigned i = 0; line && i < XI_LISTENERS_MAX; i++)
		if (who >> i & 1 && m->listeners[i])
			put(m->listeners[i], line, len);
	free(line);
	json_decref(object);
}

static const char *iface_name(struct daemon *d, uint32_t ifindex, char buf[IF_NAMESIZE])
{
	struct iface *iface = ifaces_find(d, ifindex);

	return iface ? iface->name : if_indextoname(ifindex, buf);
}

/* -------------------------------------------------------------- what happens */

/* The filter that decided. *ret_stale: it is of a list that is gone. */
static const struct filter *filter_of(const struct monitor *m, uint32_t generation, uint32_t index,
				      bool *ret_stale)
{
	const struct daemon *d = m->daemon;
	const struct image *image = generation == d->generation ? d->image : m->fresh;

	*ret_stale = index != XI_NO_FILTER && (!image || index >= image->count);
	return image && index < image->count ? &image->filters[index] : NULL;
}

/* Its turn, of those that it wants? */
static bool is_due(struct listener *l)
{
	if (l->skip) {
		l->skip--;
		return false;
	}
	l->skip = l->spec.every - 1;
	return true;
}

/* Is it for this listener? The kernel has chosen, if it chose for those that there are now. */
static bool is_for(const struct monitor *m, struct listener *l, const struct xi_sample *sample,
		   const char *rule)
{
	if (!m->epoch || !sample->listeners || sample->epoch != m->epoch)
		return monitor_spec_wants(&l->spec, sample, rule) && is_due(l);
	return sample->listeners >> l->index & 1;
}

static void on_sample(void *arg, const struct xi_sample *sample)
{
	struct monitor *m = arg;
	char buf[IF_NAMESIZE];
	const struct filter *filter;
	const char *rule;
	uint32_t who = 0;
	bool stale;

	filter = filter_of(m, sample->generation, sample->filter_idx, &stale);
	rule = filter ? filter->rule_name : NULL;
	for (unsigned i = 0; i < XI_LISTENERS_MAX; i++) {
		struct listener *l = m->listeners[i];

		if (l && is_for(m, l, sample, rule))
			who |= 1u << i;
	}
	if (who)
		tell(m, who,
		     view_sample(sample, filter, stale, iface_name(m->daemon, sample->ifindex, buf),
				 &m->clock));
}

static void read_samples(struct monitor *m, unsigned max)
{
	view_clock_now(&m->clock);
	datapath_samples(m->daemon->dp, on_sample, m, max);
}

static void on_readable(int fd, short what, void *arg)
{
	read_samples(arg, ROUND_SAMPLES);
}

/* Workers count; what they tell is how much more it was than when they told last. */
static void ask_workers(struct daemon *d)
{
	for (unsigned i = 0; i < d->iface_count; i++)
		if (d->ifaces[i]->esp.ready)
			ipc_send(d->ifaces[i]->esp.ipc, IPC_REASONS_QUERY, 0, NULL, NULL, 0);
}

/* Says what was lost, once a second. */
static void on_timer(int fd, short what, void *arg)
{
	struct monitor *m = arg;
	uint64_t lost = m->ring_lost;

	ask_workers(m->daemon);
	datapath_samples_lost(m->daemon->dp, &lost);
	for (unsigned i = 0; i < XI_LISTENERS_MAX; i++) {
		struct listener *l = m->listeners[i];

		if (l && l->spec.packets && lost > m->ring_lost &&
		    !put_lost(l, lost - m->ring_lost, "more than the daemon can read"))
			l->lost += lost - m->ring_lost;
		if (l && l->lost && put_lost(l, l->lost, "more than this listener takes"))
			l->lost = 0;
	}
	m->ring_lost = lost;
}

void monitor_event(struct daemon *d, const struct xi_event *event)
{
	struct monitor *m = d->monitor;
	char buf[IF_NAMESIZE];
	const struct filter *filter;
	uint32_t who = 0;
	bool stale;

	if (!m || event->kind == XI_EVENT_NONE)
		return;
	filter = filter_of(m, event->generation, event->filter_idx, &stale);
	for (unsigned i = 0; i < XI_LISTENERS_MAX; i++) {
		struct listener *l = m->listeners[i];

		/* Who sees packets sees the drops among them. */
		if (!l || (event->kind == XI_EVENT_DROP && l->spec.packets))
			continue;
		if (monitor_spec_wants_event(&l->spec, event, filter ? filter->rule_name : NULL))
			who |= 1u << i;
	}
	if (!who)
		return;
	view_clock_now(&m->clock);
	tell(m, who, view_event(event, filter, iface_name(d, event->ifindex, buf), &m->clock));
}

/* An SA's coming or going, or a new policy (NULL); the clock is set then. */
static uint32_t who_wants_change(struct monitor *m, const char *rule)
{
	uint32_t who = 0;

	for (unsigned i = 0; m && i < XI_LISTENERS_MAX; i++)
		if (m->listeners[i] && monitor_spec_wants_change(&m->listeners[i]->spec, rule))
			who |= 1u << i;
	if (who)
		view_clock_now(&m->clock);
	return who;
}

void monitor_sa(struct daemon *d, const struct sad_entry *entry, const char *ended)
{
	const struct xi_sa_params *sa = &entry->params;
	const char *rule = config_rule_name(d, sa->rule, sa->generation);
	uint32_t who = who_wants_change(d->monitor, rule);

	if (who)
		tell(d->monitor, who, view_sa_change(entry, rule, ended, &d->monitor->clock));
}

/* Counters of a worker that was started again begin anew. */
static struct xi_count since(const struct xi_count *before, const struct xi_count *now)
{
	if (now->packets < before->packets)
		return *now;
	return (struct xi_count){now->packets - before->packets, now->bytes - before->bytes};
}

static uint32_t who_wants_reason(const struct monitor *m, uint32_t reason)
{
	uint32_t who = 0;

	for (unsigned i = 0; i < XI_LISTENERS_MAX; i++)
		if (m->listeners[i] && monitor_spec_wants_worker(&m->listeners[i]->spec, reason))
			who |= 1u << i;
	return who;
}

void monitor_worker(struct daemon *d, struct iface *iface, const struct ipc_reasons *fresh)
{
	struct monitor *m = d->monitor;

	if (!m)
		return;
	/* What it counted before somebody listened is no news. */
	if (iface->watched != d->monitors) {
		iface->watched = d->monitors;
		return;
	}
	view_clock_now(&m->clock);
	for (uint32_t i = XI_REASON_NONE + 1; i < XI_REASON_MAX; i++) {
		struct xi_count more = since(&iface->reasons.count[i], &fresh->count[i]);
		uint32_t who = more.packets ? who_wants_reason(m, i) : 0;

		if (who)
			tell(m, who, view_worker_drop(iface->name, i, &more, &m->clock));
	}
}

void monitor_switched(struct daemon *d, const struct image *fresh)
{
	struct monitor *m = d->monitor;

	if (!m)
		return;
	m->fresh = fresh;
	read_samples(m, RING_SAMPLES);
	m->fresh = NULL;
}

void monitor_policy(struct daemon *d)
{
	uint32_t who = who_wants_change(d->monitor, NULL);

	if (who)
		tell(d->monitor, who,
		     json_pack("{s:s, s:f, s:s, s:I, s:I}", "type", "policy", "time",
			       d->monitor->clock.real_ms / 1000.0, "policy", d->policy->name,
			       "generation", (json_int_t)d->generation, "filters",
			       (json_int_t)d->image->count));
}

/* -------------------------------------------------------------- come and go */

/*
 * Has the kernel choose. A list that is about to be in force (or NULL) has numbers of its own for
 * rules: until the switch is done both are good.
 */
static void choose(struct monitor *m, const struct image *next)
{
	const struct datapath_listener *listeners[XI_LISTENERS_MAX] = {NULL};
	struct datapath_listener wishes[XI_LISTENERS_MAX];
	struct datapath_rules rules[XI_LISTENERS_MAX][2];
	const struct daemon *d = m->daemon;
	uint32_t coming = datapath_generation(d->dp) + 1;
	int rc = 0;

	for (unsigned i = 0; i < XI_LISTENERS_MAX && !rc; i++) {
		const struct listener *l = m->listeners[i];

		if (!l || !l->spec.packets)
			continue;
		wishes[i] = monitor_spec_listener(&l->spec);
		listeners[i] = &wishes[i];
		if (!l->spec.rule_count)
			continue;
		wishes[i].rules = rules[i];
		wishes[i].generations = next ? 2 : 1;
		rc = monitor_spec_rules(&l->spec, d->image, d->generation, &rules[i][0]);
		if (!rc && next)
			rc = monitor_spec_rules(&l->spec, next, coming ? coming : 1, &rules[i][1]);
	}
	if (rc)
		datapath_listen_end(d->dp);
	else
		rc = datapath_listen(d->dp, listeners, next && m->epoch, &m->epoch);
	if (rc) {
		log_warning("the kernel does not choose samples (%s), the daemon does",
			    strerror(-rc));
		m->epoch = 0;
	}
}

/* What the kernel has to tell is what the listeners together want. */
static int update(struct monitor *m)
{
	bool packets = false, drops = false;
	struct datapath *dp = m->daemon->dp;
	int rc;

	for (unsigned i = 0; i < XI_LISTENERS_MAX; i++) {
		const struct listener *l = m->listeners[i];

		drops = drops || (l && !l->spec.packets);
		packets = packets || (l && l->spec.packets);
	}
	datapath_drop_events(dp, drops);
	if (packets)
		choose(m, NULL);
	rc = datapath_sampling(dp, packets);
	if (rc || !packets || m->readable)
		return rc;
	m->readable = event_new(m->daemon->base, datapath_sample_fd(dp), EV_READ | EV_PERSIST,
				on_readable, m);
	return !m->readable || event_add(m->readable, NULL) ? -ENOMEM : 0;
}

void monitor_switching(struct daemon *d, const struct image *next)
{
	struct monitor *m = d->monitor;

	for (unsigned i = 0; m && i < XI_LISTENERS_MAX; i++)
		if (m->listeners[i] && m->listeners[i]->spec.packets &&
		    m->listeners[i]->spec.rule_count) {
			choose(m, next);
			return;
		}
}

static void monitor_end(struct daemon *d)
{
	struct monitor *m = d->monitor;

	d->monitor = NULL;
	if (m->readable)
		event_free(m->readable);
	if (m->timer)
		event_free(m->timer);
	free(m);
}

static struct monitor *monitor_of(struct daemon *d)
{
	static const struct timeval second = {1, 0};
	struct monitor *m = d->monitor;

	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->daemon = d;
	d->monitor = m;
	m->timer = event_new(d->base, -1, EV_PERSIST, on_timer, m);
	if (!m->timer || event_add(m->timer, &second)) {
		monitor_end(d);
		return NULL;
	}
	datapath_samples_lost(d->dp, &m->ring_lost);
	d->monitors++;
	ask_workers(d);
	return m;
}

static void listener_remove(struct listener *l)
{
	struct monitor *m = l->monitor;
	bool last = true;

	m->listeners[l->index] = NULL;
	for (unsigned i = 0; i < XI_LISTENERS_MAX; i++)
		last = last && !m->listeners[i];
	monitor_spec_free(&l->spec);
	free(l);
	update(m);
	if (last)
		monitor_end(m->daemon);
}

/* The client went, by itself or by a signal. */
static void on_closed(void *arg)
{
	listener_remove(arg);
}

static json_t *refusal(const char *why)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", why);
}

/* NULL, and why. */
static struct listener *listener_add(struct daemon *d, struct monitor_spec *spec,
				     const char **ret_why)
{
	struct monitor *m = monitor_of(d);
	struct listener *l = NULL;
	unsigned index = 0;

	*ret_why = "out of memory";
	if (!m)
		return NULL;
	while (index < XI_LISTENERS_MAX && m->listeners[index])
		index++;
	if (index == XI_LISTENERS_MAX) {
		*ret_why = "there are as many listeners as there may be";
		return NULL;
	}
	l = calloc(1, sizeof(*l));
	if (l) {
		*l = (struct listener){.monitor = m, .index = index, .spec = *spec};
		memset(spec, 0, sizeof(*spec));
		m->listeners[index] = l;
		if (!update(m))
			return l;
		*ret_why = "the kernel's samples cannot be read";
		listener_remove(l);
	}
	return NULL;
}

static bool has_rule(const struct daemon *d, const char *name)
{
	for (size_t i = 0; i < d->policy->rule_count; i++)
		if (!strcmp(d->policy->rules[i].name, name))
			return true;
	/* Those that are built in. */
	for (size_t i = 0; i < d->image->count; i++)
		if (!strcmp(d->image->filters[i].rule_name, name))
			return true;
	return false;
}

/* A listener may wait for a rule to come, or have mistyped one: it is told. */
static json_t *strange_rules(const struct daemon *d, const struct monitor_spec *spec)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < spec->rule_count; i++)
		if (!has_rule(d, spec->rules[i]))
			json_array_append_new(
				list, json_sprintf("warning: there is no rule '%s' in the policy "
						   "in force",
						   spec->rules[i]));
	return list;
}

void monitor_start(struct daemon *d, struct control_request *request, const json_t *question)
{
	struct monitor_spec spec;
	struct listener *l;
	const char *why;

	if (monitor_spec_parse(question, &spec, &why)) {
		control_reply(request, refusal(why));
		return;
	}
	l = d->stopping ? NULL : listener_add(d, &spec, &why);
	if (!l) {
		monitor_spec_free(&spec);
		control_reply(request, refusal(d->stopping ? "the daemon ends" : why));
		return;
	}
	l->stream = control_stream_begin(request,
					 json_pack("{s:b, s:{s:s, s:I}, s:o}", "ok", 1, "data",
						   "instance", d->opts.instance, "generation",
						   (json_int_t)d->generation, "messages",
						   strange_rules(d, &l->spec)),
					 on_closed, l);
	if (!l->stream)
		listener_remove(l);
}

void monitor_free(struct daemon *d)
{
	struct monitor *m;

	for (unsigned i = 0; i < XI_LISTENERS_MAX && (m = d->monitor); i++) {
		struct listener *l = m->listeners[i];

		if (!l)
			continue;
		control_stream_end(l->stream);
		listener_remove(l);
	}
}
