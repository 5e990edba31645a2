/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec monitor: what becomes of packets and what else happens, as it happens. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/pcapfilter.h"
#include "view/live.h"

struct monitor {
	bool json;
	unsigned long count, seen; /* count 0: no end */
	unsigned long long lost;
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	stopped = 1;
}

/* A read that waits is to be interrupted: no SA_RESTART. */
static void watch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Strings of a JSON text have no bare quotes, so this is a key and its value. */
static bool is_lost(const char *line)
{
	return strstr(line, "\"type\":\"lost\"");
}

static bool show(void *arg, const char *line)
{
	struct monitor *m = arg;
	bool lost = line && is_lost(line);
	json_t *object = NULL;
	json_error_t error;

	if (!line || stopped)
		return !stopped;
	if (!m->json || lost) {
		object = json_loads(line, 0, &error);
		if (!object)
			return true;
	}
	if (m->json)
		puts(line);
	else
		view_live_print(stdout, object);
	if (lost)
		m->lost += json_integer_value(json_object_get(object, "samples"));
	else
		m->seen++;
	json_decref(object);
	return !ferror(stdout) && (!m->count || m->seen < m->count);
}

/* Up to the next comma into name, which has room for all of text; what comes behind it. */
static const char *take_name(const char *text, char *name)
{
	while (*text && *text != ',') {
		/* Names of rules may have commas. */
		if (*text == '\\' && (text[1] == ',' || text[1] == '\\'))
			text++;
		*name++ = *text++;
	}
	*name = '\0';
	return *text ? text + 1 : text;
}

/* "a,b" into the array of that key. */
static void add_names(json_t *question, const char *key, const char *text)
{
	json_t *list = json_object_get(question, key);
	char *name = malloc(strlen(text) + 1);

	if (!list) {
		list = json_array();
		json_object_set_new(question, key, list);
	}
	while (name && *text) {
		text = take_name(text, name);
		if (*name)
			json_array_append_new(list, json_string(name));
	}
	free(name);
}

static int check_names(const json_t *question)
{
	static const struct {
		const char *key, *what;
		int (*find)(const char *name);
	} kinds[] = {
		{"verdicts", "verdict (permit, block, secure, none)", view_verdict_find},
		{"reasons", "reason; `xipsec show stats --json` has them all", view_reason_find},
	};
	json_t *name;
	size_t i;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		json_array_foreach(json_object_get(question, kinds[k].key), i, name)
			if (kinds[k].find(json_string_value(name)) < 0)
				return cli_usage("monitor", "'%s' is no %s",
						 json_string_value(name), kinds[k].what);
	return CLI_OK;
}

static bool number(const char *text, unsigned long max, unsigned long *ret)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || *text == '-' || end == text || !value || value > max)
		return false;
	*ret = value;
	return true;
}

/* An option with a value, at *i; CLI_OK when it was one of these. */
static int take_valued(int argc, char **argv, int *i, json_t *question, struct monitor *m)
{
	static const struct {
		const char *option, *key;
	} lists[] = {{"--verdict", "verdicts"}, {"--rule", "rules"}, {"--reason", "reasons"}};
	const char *option = argv[*i];
	unsigned long every;

	if (*i + 1 == argc)
		return cli_usage("monitor", "'%s' is unknown or needs a value", option);
	for (size_t k = 0; k < sizeof(lists) / sizeof(*lists); k++)
		if (!strcmp(option, lists[k].option)) {
			add_names(question, lists[k].key, argv[++*i]);
			return CLI_OK;
		}
	if (!strcmp(option, "--sample")) {
		if (!number(argv[++*i], 1000000000, &every))
			return cli_usage("monitor", "--sample needs a number from 1 to 1000000000");
		json_object_set_new(question, "sample", json_integer(every));
		return CLI_OK;
	}
	if (!strcmp(option, "--count")) {
		if (!number(argv[++*i], 1000000000, &m->count))
			return cli_usage("monitor", "--count needs a number from 1 to 1000000000");
		return CLI_OK;
	}
	return cli_usage("monitor", "unexpected '%s'", option);
}

/* What stands behind the options is one filter, as for tcpdump. */
static int take_filter(int argc, char **argv, json_t *question)
{
	json_t *program = NULL;
	size_t size = 1;
	char *text;
	int rc;

	for (int i = 0; i < argc; i++)
		size += strlen(argv[i]) + 1;
	text = calloc(1, size);
	if (!text)
		return CLI_FAILED;
	for (int i = 0; i < argc; i++) {
		strcat(text, i ? " " : "");
		strcat(text, argv[i]);
	}
	rc = pcapfilter_compile(text, &program);
	if (!rc)
		json_object_set_new(question, "filter", program);
	free(text);
	return rc;
}

static int take_options(int argc, char **argv, json_t *question, struct monitor *m)
{
	bool events = false;
	int i, rc = CLI_OK;

	for (i = 1; i < argc && !rc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (!strcmp(argv[i], "--json"))
			m->json = true;
		else if (!strcmp(argv[i], "--events"))
			events = true;
		else if (!strcmp(argv[i], "--dropped"))
			json_object_set_new(question, "dropped", json_true());
		else if (!strcmp(argv[i], "--in") || !strcmp(argv[i], "--out"))
			add_names(question, "directions", argv[i] + 2);
		else
			rc = take_valued(argc, argv, &i, question, m);
	}
	if (!rc && i < argc)
		rc = take_filter(argc - i, argv + i, question);
	if (rc)
		return rc;
	if (events &&
	    (json_object_get(question, "filter") || json_object_get(question, "verdicts") ||
	     json_object_get(question, "sample")))
		return cli_usage("monitor", "--events shows no packets: no pcap filter, --verdict "
					    "or --sample with it");
	/* Events have neither a frame nor a verdict to choose them by. */
	if (json_object_get(question, "filter") || json_object_get(question, "verdicts"))
		json_object_set_new(question, "events", json_false());
	if (events)
		json_object_set_new(question, "packets", json_false());
	return check_names(question);
}

int cmd_monitor(int argc, char **argv)
{
	json_t *question = json_pack("{s:s}", "method", "monitor");
	struct monitor m = {0};
	int rc;

	rc = take_options(argc, argv, question, &m);
	if (rc) {
		json_decref(question);
		return rc;
	}
	watch_signals();
	rc = ask_stream(question, show, &m);
	if (m.lost)
		fprintf(stderr, "xipsec monitor: %llu samples lost\n", m.lost);
	return rc;
}
