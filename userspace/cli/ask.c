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

#define ANSWER_S   30
#define APPLY_S	   600 /* a million filters on a busy machine */
#define ANSWER_BUF (256 * 1024)

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

/* The answer, or NULL. */
static char *exchange(FILE *stream, const json_t *question, size_t *ret_len)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (json_dumpf(question, stream, JSON_COMPACT) || fputc('\n', stream) == EOF ||
	    fflush(stream))
		return NULL;
	len = getline(&line, &size, stream);
	if (len <= 0) {
		free(line);
		return NULL;
	}
	*ret_len = len;
	return line;
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

static void print_messages(const json_t *answer)
{
	json_t *message;
	size_t i;

	json_array_foreach(json_object_get(answer, "messages"), i, message)
		fprintf(stderr, "%s\n", json_string_value(message));
}

static int unanswered(void)
{
	if (errno == EAGAIN)
		fprintf(stderr, "xipsec: the daemon did not answer in time; what it was asked may "
				"still be done: xipsec show tells\n");
	else
		fprintf(stderr, "xipsec: the daemon did not answer\n");
	return CLI_UNREACHABLE;
}

/* To put a policy in force takes longer than to look at it. */
static void be_patient(int fd, const json_t *question)
{
	static const struct timeval patience = {APPLY_S, 0};
	const char *method = json_string_value(json_object_get(question, "method"));

	if (method && (!strcmp(method, "apply") || !strcmp(method, "reload")))
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

int ask_text(json_t *question, char **ret_answer, size_t *ret_len)
{
	FILE *stream = NULL;
	char *answer;
	int fd, rc;

	fd = dial();
	if (fd < 0) {
		json_decref(question);
		return unreachable(fd);
	}
	be_patient(fd, question);
	stream = fdopen(fd, "r+");
	if (!stream) {
		close(fd);
		json_decref(question);
		return CLI_FAILED;
	}
	/* An answer may be long, and comes in pieces of some size. */
	setvbuf(stream, NULL, _IOFBF, ANSWER_BUF);
	errno = 0;
	answer = exchange(stream, question, ret_len);
	rc = answer ? CLI_OK : unanswered();
	if (answer)
		*ret_answer = answer;
	fclose(stream);
	json_decref(question);
	return rc;
}

int ask_understand(const char *text, size_t len, json_t **ret_data)
{
	json_error_t error;
	json_t *answer;
	int rc = CLI_OK;

	errno = 0;
	answer = json_loadb(text, len, 0, &error);
	if (!answer)
		return unanswered();
	print_messages(answer);
	if (json_is_true(json_object_get(answer, "incomplete")))
		fprintf(stderr, "xipsec: a part of the daemon did not answer, this is not all\n");
	if (!json_is_true(json_object_get(answer, "ok")))
		rc = explain_failure(answer);
	else if (ret_data)
		*ret_data = json_incref(json_object_get(answer, "data"));
	json_decref(answer);
	return rc;
}

int ask(json_t *question, json_t **ret_data)
{
	char *answer = NULL;
	size_t len;
	int rc = ask_text(question, &answer, &len);

	if (!rc)
		rc = ask_understand(answer, len, ret_data);
	free(answer);
	return rc;
}

/* Lines as they come; one that does not fit ends it. */
struct lines {
	int fd;
	size_t start, end;
	char buf[65536];
};

/* The next whole line without its end, if it is here already. */
static char *line_here(struct lines *lines)
{
	char *line = lines->buf + lines->start, *end;

	end = memchr(line, '\n', lines->end - lines->start);
	if (!end)
		return NULL;
	*end = '\0';
	lines->start = end + 1 - lines->buf;
	return line;
}

/* Waits for more. 0, or -errno: -EINTR a signal came, -EPIPE the end. */
static int lines_more(struct lines *lines)
{
	ssize_t got;

	memmove(lines->buf, lines->buf + lines->start, lines->end - lines->start);
	lines->end -= lines->start;
	lines->start = 0;
	if (lines->end == sizeof(lines->buf))
		return -EMSGSIZE;
	got = read(lines->fd, lines->buf + lines->end, sizeof(lines->buf) - lines->end);
	if (got <= 0)
		return got ? -errno : -EPIPE;
	lines->end += got;
	return 0;
}

static int say(int fd, const json_t *question)
{
	char *text = json_dumps(question, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0, sent = 0;
	ssize_t got = 0;

	if (text)
		text[len++] = '\n';
	for (; sent < len && got >= 0; sent += got)
		got = send(fd, text + sent, len - sent, MSG_NOSIGNAL);
	free(text);
	return len && got >= 0 ? 0 : -EPIPE;
}

/* The first line answers; CLI_OK when there is a stream behind it. */
static int stream_begin(struct lines *lines, const json_t *question)
{
	int err = say(lines->fd, question), rc = CLI_OK;
	json_t *answer = NULL;
	json_error_t error;
	char *line = NULL;

	while (!err && !(line = line_here(lines)))
		err = lines_more(lines);
	if (line)
		answer = json_loads(line, 0, &error);
	print_messages(answer);
	if (!answer) {
		fprintf(stderr, "xipsec: the daemon did not answer\n");
		rc = CLI_UNREACHABLE;
	} else if (!json_is_true(json_object_get(answer, "ok"))) {
		rc = explain_failure(answer);
	}
	json_decref(answer);
	return rc;
}

static int stream_follow(struct lines *lines, bool (*fn)(void *arg, const char *line), void *arg)
{
	bool more = true;
	char *line;
	int err = 0;

	while (more && (!err || err == -EINTR)) {
		while (more && (line = line_here(lines)))
			more = fn(arg, line);
		/* What came together goes out together. */
		fflush(stdout);
		if (!more)
			break;
		err = lines_more(lines);
		if (err == -EINTR)
			more = fn(arg, NULL);
	}
	if (!more)
		return CLI_OK;
	fprintf(stderr, "xipsec: the daemon has ended the connection\n");
	return CLI_UNREACHABLE;
}

int ask_stream(json_t *question, bool (*fn)(void *arg, const char *line), void *arg)
{
	static const struct timeval forever = {0, 0};
	struct lines *lines = calloc(1, sizeof(*lines));
	int rc = CLI_FAILED;

	if (!lines)
		goto out;
	lines->fd = dial();
	if (lines->fd < 0) {
		rc = unreachable(lines->fd);
		goto out;
	}
	rc = stream_begin(lines, question);
	if (!rc) {
		setsockopt(lines->fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
		fprintf(stderr, "xipsec: listening\n");
		rc = stream_follow(lines, fn, arg);
	}
	close(lines->fd);
out:
	free(lines);
	json_decref(question);
	return rc;
}
