/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket; see control.h. What is asked and answered: control_methods.c. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "daemon/control.h"
#include "util/log.h"

#define CLIENTS_MAX 16
#define LINE_MAX_IN 65536
/* Time to send a whole line, and to take what was answered. */
#define READ_S	60
#define WRITE_S 10
/* Lines of a stream that wait to be taken; what comes on top is lost. */
#define STREAM_BYTES_MAX (512 * 1024)

struct client {
	struct control *control;
	struct bufferevent *bev;
	struct control_request *request; /* being answered */
	struct control_stream *stream;	 /* or, after an answer, what it listens to */
	bool asked_all;			 /* closed its side for writing */
	struct client *next, **prev;
};

struct control_request {
	struct client *client; /* NULL: it went away */
};

struct control_stream {
	struct client *client;
	void (*closed)(void *arg);
	void *arg;
};

struct control {
	struct event_base *base;
	struct evconnlistener *listener;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	control_fn fn;
	void *arg;
	struct client *clients;
	unsigned count;
};

static void client_free(struct client *client)
{
	struct control_stream *stream = client->stream;

	if (client->request)
		client->request->client = NULL;
	if (stream) {
		client->stream = NULL;
		stream->closed(stream->arg);
		free(stream);
	}
	bufferevent_free(client->bev);
	*client->prev = client->next;
	if (client->next)
		client->next->prev = client->prev;
	client->control->count--;
	free(client);
}

static int put_line(const char *data, size_t len, void *arg)
{
	return evbuffer_add(arg, data, len);
}

static void send_answer(struct client *client, json_t *answer)
{
	struct evbuffer *out = bufferevent_get_output(client->bev);

	json_dump_callback(answer, put_line, out, JSON_COMPACT);
	evbuffer_add(out, "\n", 1);
}

static void refuse(struct client *client, const char *why)
{
	json_t *answer = json_pack("{s:b, s:s}", "ok", 0, "error", why);

	if (answer)
		send_answer(client, answer);
	json_decref(answer);
}

/* The next line, unless one is being answered. */
static void next_question(struct client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->bev);
	struct control *control = client->control;
	struct control_request *request;
	json_t *question;
	json_error_t error;
	size_t len;
	char *line;

	/* Pipelined questions wait until the answer before has been taken. */
	while (!client->request && !client->stream &&
	       !evbuffer_get_length(bufferevent_get_output(client->bev)) &&
	       (line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF))) {
		question = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
		free(line);
		if (!json_is_object(question)) {
			json_decref(question);
			refuse(client, "a question is one JSON object in one line");
			continue;
		}
		request = calloc(1, sizeof(*request));
		if (!request) {
			json_decref(question);
			refuse(client, "out of memory");
			continue;
		}
		request->client = client;
		client->request = request;
		/* It may be answered at once, and the client be gone after that. */
		control->fn(control->arg, request, question);
		json_decref(question);
		return;
	}
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	if (evbuffer_get_length(bufferevent_get_input(bev)) > LINE_MAX_IN) {
		client_free(client);
		return;
	}
	next_question(client);
}

/* A question to answer, an answer to send? */
static bool is_busy(const struct client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->bev);

	return client->request || evbuffer_get_length(bufferevent_get_output(client->bev)) ||
	       evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF).pos >= 0;
}

/* The answer is on its way: now the next question may come. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	if (client->asked_all && !is_busy(client))
		client_free(client);
	else
		next_question(client);
}

/* It may still take answers, as `printf ... | socat - UNIX:...` does, or be gone. */
static bool may_read(struct bufferevent *bev)
{
	struct pollfd fd = {.fd = bufferevent_getfd(bev)};

	return poll(&fd, 1, 0) == 0;
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	/* Who listens has nothing to say, and is gone when it closes its side. */
	if (client->stream) {
		client_free(client);
		return;
	}
	/* Waiting for an answer is not idleness of the client. */
	if (what & BEV_EVENT_TIMEOUT && what & BEV_EVENT_READING && is_busy(client)) {
		bufferevent_enable(bev, EV_READ);
		return;
	}
	if (what & BEV_EVENT_EOF && is_busy(client) && may_read(bev)) {
		client->asked_all = true;
		return;
	}
	client_free(client);
}

/*
 * The loop's clock stands while a question is answered, so after a long one the time
 * to take the answer would be over before it began.
 */
static void begin_answer(struct client *client)
{
	event_base_update_cache_time(bufferevent_get_base(client->bev));
	client->request = NULL;
}

void control_reply(struct control_request *request, json_t *answer)
{
	struct client *client = request->client;

	if (client) {
		begin_answer(client);
		if (answer)
			send_answer(client, answer);
		else
			refuse(client, "out of memory");
	}
	free(request);
	json_decref(answer);
}

static void free_text(const void *text, size_t len, void *arg)
{
	free((void *)text);
}

void control_reply_text(struct control_request *request, char *text, size_t len)
{
	struct client *client = request->client;
	struct evbuffer *out;

	if (!client || !text) {
		control_reply(request, NULL);
		free(text);
		return;
	}
	begin_answer(client);
	out = bufferevent_get_output(client->bev);
	if (evbuffer_add_reference(out, text, len, free_text, NULL))
		free(text);
	evbuffer_add(out, "\n", 1);
	free(request);
}

struct control_stream *control_stream_begin(struct control_request *request, json_t *answer,
					    void (*closed)(void *arg), void *arg)
{
	struct control_stream *stream = NULL;
	struct client *client = request->client;

	if (client && answer)
		stream = calloc(1, sizeof(*stream));
	if (!stream) {
		json_decref(answer);
		control_reply(request, NULL);
		return NULL;
	}
	*stream = (struct control_stream){.client = client, .closed = closed, .arg = arg};
	control_reply(request, answer);
	client->stream = stream;
	bufferevent_set_timeouts(client->bev, NULL, NULL);
	return stream;
}

bool control_stream_put(struct control_stream *stream, const char *line, size_t len)
{
	struct evbuffer *out = bufferevent_get_output(stream->client->bev);

	if (evbuffer_get_length(out) + len >= STREAM_BYTES_MAX || evbuffer_expand(out, len + 1))
		return false;
	evbuffer_add(out, line, len);
	evbuffer_add(out, "\n", 1);
	return true;
}

void control_stream_end(struct control_stream *stream)
{
	struct client *client = stream->client;

	client->stream = NULL;
	free(stream);
	bufferevent_flush(client->bev, EV_WRITE, BEV_FINISHED);
	client_free(client);
}

static bool is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *name,
		      int len, void *arg)
{
	static const struct timeval read_time = {READ_S, 0}, write_time = {WRITE_S, 0};
	struct control *control = arg;
	struct client *client;

	if (control->count >= CLIENTS_MAX || !is_allowed(fd)) {
		close(fd);
		return;
	}
	client = calloc(1, sizeof(*client));
	if (client)
		client->bev = bufferevent_socket_new(
			control->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!client || !client->bev) {
		free(client);
		close(fd);
		return;
	}
	client->control = control;
	client->next = control->clients;
	client->prev = &control->clients;
	if (client->next)
		client->next->prev = &client->next;
	control->clients = client;
	control->count++;
	bufferevent_setcb(client->bev, on_read, on_written, on_end, client);
	/* The input buffer is bounded: one line and a little more. */
	bufferevent_setwatermark(client->bev, EV_READ, 0, LINE_MAX_IN + 1);
	bufferevent_set_timeouts(client->bev, &read_time, &write_time);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

/* A socket nobody listens on is left over from a daemon that died. */
static int clear_path(const struct sockaddr_un *name)
{
	struct stat st;
	int fd, rc;

	if (lstat(name->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)name, sizeof(*name));
	close(fd);
	if (!rc)
		return -EADDRINUSE;
	return unlink(name->sun_path) ? -errno : 0;
}

static int bind_private(const struct sockaddr_un *name, int *ret_fd)
{
	mode_t old = umask(0177);
	int rc = 0, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		rc = -errno;
	else if (bind(fd, (const struct sockaddr *)name, sizeof(*name)))
		rc = -errno;
	umask(old);
	if (rc && fd >= 0)
		close(fd);
	if (!rc)
		*ret_fd = fd;
	return rc;
}

int control_open(struct event_base *base, const char *path, control_fn fn, void *arg,
		 struct control **ret)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct control *control;
	int rc, fd = -1;

	if (strlen(path) >= sizeof(name.sun_path))
		return -ENAMETOOLONG;
	strcpy(name.sun_path, path);
	rc = clear_path(&name);
	if (rc)
		return rc;
	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	rc = bind_private(&name, &fd);
	if (rc)
		goto out;
	control->base = base;
	control->fn = fn;
	control->arg = arg;
	strcpy(control->path, path);
	rc = -ENOMEM;
	control->listener = evconnlistener_new(
		base, on_accept, control, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, fd);
	if (!control->listener) {
		close(fd);
		unlink(path);
		goto out;
	}
	*ret = control;
	return 0;
out:
	free(control);
	return rc;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	while (control->clients) {
		bufferevent_flush(control->clients->bev, EV_WRITE, BEV_FINISHED);
		client_free(control->clients);
	}
	evconnlistener_free(control->listener);
	unlink(control->path);
	free(control);
}
