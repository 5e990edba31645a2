/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line's side of the control socket; see ask.h and docs/control.md. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "util/instance.h"

#define ANSWER_S 30

/* -errno when nobody is there. */
static int dial(void)
{
	static const struct timeval patience = {ANSWER_S, 0};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd;

	_Static_assert(INSTANCE_PATH_MAX <= sizeof(name.sun_path), "the path does not fit");
	instance_socket(cli_instance(), name.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&name, sizeof(name))) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

int ask_reachable(void)
{
	int fd = dial();

	if (fd < 0)
		return 0;
	close(fd);
	return 1;
}

static int unreachable(int rc)
{
	char path[INSTANCE_PATH_MAX];

	instance_socket(cli_instance(), path);
	fprintf(stderr, "xipsec: no daemon answers for instance '%s' (%s: %s)\n", cli_instance(),
		path, strerror(-rc));
	if (rc == -EACCES)
		fprintf(stderr, "Only root may ask it.\n");
	return CLI_UNREACHABLE;
}

static bool say(FILE *stream, const json_t *question)
{
	return !json_dumpf(question, stream, JSON_COMPACT) && fputc('\n', stream) != EOF &&
	       !fflush(stream);
}

static json_t *exchange(FILE *stream, const json_t *question)
{
	json_error_t error;

	if (!say(stream, question))
		return NULL;
	return json_loadf(stream, JSON_DISABLE_EOF_CHECK, &error);
}

static int explain_failure(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	const char *code = json_string_value(json_object_get(answer, "code"));

	fprintf(stderr, "xipsec: %s\n", error ? error : "the daemon's answer makes no sense");
	if (code && !strcmp(code, "policy"))
		return CLI_USAGE;
	return code && !strcmp(code, "unsupported") ? CLI_UNSUPPORTED : CLI_FAILED;
}

int ask(json_t *question, json_t **ret_data)
{
	json_t *answer = NULL, *message;
	int fd, rc = CLI_FAILED;
	FILE *stream = NULL;
	size_t i;

	fd = dial();
	if (fd < 0) {
		json_decref(question);
		return unreachable(fd);
	}
	stream = fdopen(fd, "r+");
	if (!stream) {
		close(fd);
		goto out;
	}
	answer = exchange(stream, question);
	if (!answer) {
		fprintf(stderr, "xipsec: the daemon did not answer\n");
		rc = CLI_UNREACHABLE;
		goto out;
	}
	json_array_foreach(json_object_get(answer, "messages"), i, message)
		fprintf(stderr, "%s\n", json_string_value(message));
	if (json_is_true(json_object_get(answer, "incomplete")))
		fprintf(stderr, "xipsec: a part of the daemon did not answer, this is not all\n");
	if (!json_is_true(json_object_get(answer, "ok"))) {
		rc = explain_failure(answer);
		goto out;
	}
	if (ret_data)
		*ret_data = json_incref(json_object_get(answer, "data"));
	rc = CLI_OK;
out:
	if (stream)
		fclose(stream);
	json_decref(answer);
	json_decref(question);
	return rc;
}

/* The first line answers; 0 when there is a stream behind it. */
static int stream_begin(FILE *stream, const json_t *question, char **line, size_t *size)
{
	json_t *answer = NULL;
	json_error_t error;
	int rc = CLI_OK;

	if (say(stream, question) && getline(line, size, stream) > 0)
		answer = json_loads(*line, 0, &error);
	if (!answer) {
		fprintf(stderr, "xipsec: the daemon did not answer\n");
		rc = CLI_UNREACHABLE;
	} else if (!json_is_true(json_object_get(answer, "ok"))) {
		rc = explain_failure(answer);
	}
	json_decref(answer);
	return rc;
}

int ask_stream(json_t *question, bool (*fn)(void *arg, const char *line), void *arg)
{
	static const struct timeval forever = {0, 0};
	FILE *stream = NULL;
	char *line = NULL;
	size_t size = 0;
	bool more = true;
	int fd, rc;

	fd = dial();
	if (fd < 0) {
		json_decref(question);
		return unreachable(fd);
	}
	stream = fdopen(fd, "r+");
	if (!stream) {
		close(fd);
		json_decref(question);
		return CLI_FAILED;
	}
	rc = stream_begin(stream, question, &line, &size);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
	if (!rc)
		fprintf(stderr, "xipsec: listening\n");
	while (!rc && more) {
		errno = 0;
		if (getline(&line, &size, stream) > 0) {
			more = fn(arg, line);
		} else if (errno == EINTR) {
			clearerr(stream);
			more = fn(arg, NULL);
		} else {
			fprintf(stderr, "xipsec: the daemon has ended the connection\n");
			rc = CLI_UNREACHABLE;
		}
	}
	free(line);
	fclose(stream);
	json_decref(question);
	return rc;
}
