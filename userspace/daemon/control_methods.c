/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be asked at the control socket: one row in a table for each method.
 * Documented in docs/control.md.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "daemon/control.h"
#include "daemon/control_explain.h"
#include "daemon/daemon.h"
#include "daemon/monitor.h"
#include "daemon/show.h"
#include "policy/policy.h"
#include "util/addr.h"
#include "util/instance.h"
#include "util/log.h"

/* For the answer to "stop" to leave before the socket closes. */
#define STOP_DELAY_MS 100

static json_t *failed(const char *why)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", why);
}

static json_t *done(json_t *data)
{
	return json_pack("{s:b, s:o}", "ok", 1, "data", data ? data : json_null());
}

/* Messages of a struct diag, as an array of lines. */
static json_t *messages(const struct diag *diag)
{
	char *text = diag_text(diag), *line, *rest = text;
	json_t *list = json_array();

	while ((line = strsep(&rest, "\n")))
		if (*line)
			json_array_append_new(list, json_string(line));
	free(text);
	return list;
}

static json_t *apply(struct daemon *d, const char *path)
{
	struct datapath_change change;
	struct diag diag = {0};
	json_t *answer;
	int rc;

	rc = config_apply(d, path, &diag);
	log_diag(&diag);
	if (!rc) {
		procs_update(d);
		daemon_notify(d, "");
		datapath_last_change(d->dp, &change);
		answer = json_pack("{s:b, s:{s:s, s:I, s:I, s:I, s:I}, s:o}", "ok", 1, "data",
				   "policy", d->policy->name, "generation",
				   (json_int_t)d->generation, "added", (json_int_t)change.added,
				   "removed", (json_int_t)change.removed, "kept",
				   (json_int_t)change.kept, "messages", messages(&diag));
	} else {
		answer = json_pack("{s:b, s:s, s:s, s:o}", "ok", 0, "error",
				   "the policy was refused, the running one stays in force", "code",
				   rc == -EOPNOTSUPP ? "unsupported"
				   : rc == -EINVAL   ? "policy"
						     : "system",
				   "messages", messages(&diag));
	}
	diag_free(&diag);
	return answer;
}

/* --------------------------------------------------------------- methods */

static json_t *method_reload(struct daemon *d, const json_t *question)
{
	char *path = strdup(d->policy_path);
	json_t *answer = path ? apply(d, path) : NULL;

	free(path);
	return answer;
}

static json_t *method_apply(struct daemon *d, const json_t *question)
{
	const char *path = json_string_value(json_object_get(question, "policy"));

	if (!path || path[0] != '/')
		return failed("\"policy\" must be the absolute path of a policy file");
	if (json_object_get(question, "confirm"))
		return json_pack("{s:b, s:s, s:s}", "ok", 0, "error",
				 "confirmation is not available in this version", "code",
				 "unsupported");
	return apply(d, path);
}

static json_t *method_dump(struct daemon *d, const json_t *question)
{
	char *text = policy_print_absolute(d->policy);
	json_t *data = text ? json_string(text) : NULL;

	free(text);
	return data ? done(data) : failed("out of memory");
}

static void on_stop_timer(int fd, short what, void *arg)
{
	daemon_stop(arg);
}

static json_t *method_stop(struct daemon *d, const json_t *question)
{
	static const struct timeval delay = {0, STOP_DELAY_MS * 1000};

	if (event_base_once(d->base, -1, EV_TIMEOUT, on_stop_timer, d, &delay))
		return failed("out of memory");
	return done(NULL);
}

static int take_addr(const json_t *question, const char *key, struct xi_addr *ret)
{
	const char *text = json_string_value(json_object_get(question, key));

	return text ? xi_addr_parse(text, ret) : -EINVAL;
}

static bool take_number(const json_t *question, const char *key, json_int_t max, json_int_t *ret)
{
	*ret = json_integer_value(json_object_get(question, key));
	return *ret >= 0 && *ret <= max;
}

/* Asks for an SA as a packet would: for tests, and to warm up a peer. */
static json_t *method_acquire(struct daemon *d, const json_t *question)
{
	const char *rule = json_string_value(json_object_get(question, "rule"));
	struct ike_acquire acquire = {0};
	json_int_t proto, local_port, remote_port;

	if (!rule || take_addr(question, "local", &acquire.local) ||
	    take_addr(question, "remote", &acquire.remote) ||
	    acquire.local.family != acquire.remote.family)
		return failed("\"rule\", \"local\" and \"remote\" are needed");
	if (!take_number(question, "proto", 255, &proto) ||
	    !take_number(question, "local_port", 65535, &local_port) ||
	    !take_number(question, "remote_port", 65535, &remote_port))
		return failed("\"proto\", \"local_port\" or \"remote_port\" is out of range");
	for (acquire.rule = 0; acquire.rule < d->policy->rule_count; acquire.rule++)
		if (!strcmp(d->policy->rules[acquire.rule].name, rule))
			break;
	if (acquire.rule == d->policy->rule_count)
		return failed("there is no such rule in the policy");
	if (!d->ike.ready)
		return failed("the ike role is not running");
	acquire.proto = proto;
	acquire.local_port = local_port;
	acquire.remote_port = remote_port;
	ipc_send(d->ike.ipc, IPC_ACQUIRE, 0, &acquire, NULL, 0);
	return done(NULL);
}

static const struct {
	const char *name;
	json_t *(*fn)(struct daemon *d, const json_t *question);
} methods[] = {
	{"reload", method_reload}, {"apply", method_apply},	{"dump", method_dump},
	{"stop", method_stop},	   {"acquire", method_acquire}, {"explain", method_explain},
};

static void on_question(void *arg, struct control_request *request, const json_t *question)
{
	struct daemon *d = arg;
	const char *method = json_string_value(json_object_get(question, "method"));

	if (!method) {
		control_reply(request, failed("\"method\" is needed"));
		return;
	}
	/* The only one that has to wait for the children. */
	if (!strcmp(method, "show")) {
		show_start(d, request, json_string_value(json_object_get(question, "what")));
		return;
	}
	/* And the one that keeps the connection. */
	if (!strcmp(method, "monitor")) {
		monitor_start(d, request, question);
		return;
	}
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (!strcmp(methods[i].name, method)) {
			control_reply(request, methods[i].fn(d, question));
			return;
		}
	control_reply(request, failed("there is no such method"));
}

int methods_init(struct daemon *d, struct diag *diag)
{
	char path[INSTANCE_PATH_MAX];
	int rc;

	instance_socket(d->opts.instance, path);
	rc = control_open(d->base, path, on_question, d, &d->control);
	if (rc)
		diag_add(diag, DIAG_ERROR, NULL, NULL, "%s: %s", path,
			 rc == -EADDRINUSE ? "another daemon answers there" : strerror(-rc));
	return rc;
}

void methods_free(struct daemon *d)
{
	control_close(d->control);
	d->control = NULL;
}
