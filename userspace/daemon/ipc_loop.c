/* SPDX-License-Identifier: BSD-2-Clause */
/* A channel in an event loop: queued output, checked input; see ipc.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <event2/event.h>

#include "daemon/ipc.h"

/* Room for the rules of a very large policy; an acquire flood stops earlier (ipc_queued). */
#define QUEUE_BYTES_MAX (256u << 20)
/* Messages dealt with before other fds get their turn. */
#define READ_BURST 64

struct ipc_out {
	struct ipc_out *next;
	enum ipc_type type;
	uint32_t id;
	int fds[IPC_FDS_MAX];
	size_t fd_count;
	char data[];
};

struct ipc {
	int fd;
	struct event *readable, *writable;
	const struct ipc_handler *handler;
	void *arg;
	struct ipc_out *head, **tail;
	size_t queued, queued_bytes;
	bool in_handler, freed;
};

static void out_free(struct ipc_out *out)
{
	for (size_t i = 0; i < out->fd_count; i++)
		close(out->fds[i]);
	/* It may have held keys. */
	explicit_bzero(out->data, ipc_payload_size(out->type));
	free(out);
}

static void ipc_destroy(struct ipc *ipc)
{
	struct ipc_out *out;

	while ((out = ipc->head)) {
		ipc->head = out->next;
		out_free(out);
	}
	if (ipc->readable)
		event_free(ipc->readable);
	if (ipc->writable)
		event_free(ipc->writable);
	close(ipc->fd);
	free(ipc);
}

void ipc_free(struct ipc *ipc)
{
	if (!ipc)
		return;
	ipc->freed = true;
	if (!ipc->in_handler)
		ipc_destroy(ipc);
}

/* Tells the owner once; it will free the channel. */
static void ipc_lost(struct ipc *ipc, int status)
{
	bool nested = ipc->in_handler;

	event_del(ipc->readable);
	event_del(ipc->writable);
	ipc->in_handler = true;
	ipc->handler->closed(ipc->arg, status);
	ipc->in_handler = nested;
	if (!nested && ipc->freed)
		ipc_destroy(ipc);
}

static int send_queued(struct ipc *ipc)
{
	struct ipc_out *out;
	int rc;

	while ((out = ipc->head)) {
		rc = ipc_send_now(ipc->fd, out->type, out->id, out->data, out->fds, out->fd_count);
		if (rc)
			return rc;
		ipc->head = out->next;
		if (!ipc->head)
			ipc->tail = &ipc->head;
		ipc->queued--;
		ipc->queued_bytes -= ipc_payload_size(out->type);
		out_free(out);
	}
	return 0;
}

static void on_writable(int fd, short what, void *arg)
{
	struct ipc *ipc = arg;
	int rc = send_queued(ipc);

	if (rc == -EAGAIN)
		return;
	if (rc)
		ipc_lost(ipc, rc);
	else
		event_del(ipc->writable);
}

static void on_readable(int fd, short what, void *arg)
{
	_Alignas(16) static char buf[IPC_MESSAGE_MAX];
	struct ipc *ipc = arg;
	struct ipc_msg msg;
	int rc = 0;

	for (int i = 0; i < READ_BURST && !rc; i++) {
		rc = ipc_recv(ipc->fd, buf, &msg);
		if (rc)
			break;
		ipc->in_handler = true;
		rc = ipc->handler->message(ipc->arg, &msg);
		ipc->in_handler = false;
		explicit_bzero(buf, sizeof(struct ipc_head) + ipc_payload_size(msg.type));
		ipc_close_fds(&msg);
		if (ipc->freed) {
			ipc_destroy(ipc);
			return;
		}
	}
	if (rc && rc != -EAGAIN)
		ipc_lost(ipc, rc);
}

struct ipc *ipc_new(struct event_base *base, int fd, const struct ipc_handler *handler, void *arg)
{
	struct ipc *ipc = calloc(1, sizeof(*ipc));

	if (!ipc)
		goto out_close;
	ipc->fd = fd;
	ipc->handler = handler;
	ipc->arg = arg;
	ipc->tail = &ipc->head;
	ipc->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, ipc);
	ipc->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, ipc);
	if (!ipc->readable || !ipc->writable || fcntl(fd, F_SETFL, O_NONBLOCK) ||
	    event_add(ipc->readable, NULL)) {
		ipc_destroy(ipc);
		return NULL;
	}
	return ipc;
out_close:
	close(fd);
	return NULL;
}

int ipc_send(struct ipc *ipc, enum ipc_type type, uint32_t id, const void *data, const int *fds,
	     size_t fd_count)
{
	static const struct ipc_none nothing;
	struct ipc_out *out;
	size_t size = ipc_payload_size(type);

	if (!ipc)
		return 0;
	if (ipc->queued_bytes + size > QUEUE_BYTES_MAX)
		return -ENOBUFS;
	out = calloc(1, sizeof(*out) + size);
	if (!out)
		return -ENOMEM;
	out->type = type;
	out->id = id;
	memcpy(out->data, data ? data : &nothing, data ? size : sizeof(nothing));
	for (size_t i = 0; i < fd_count; i++) {
		out->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (out->fds[i] < 0) {
			int rc = -errno;

			out_free(out);
			return rc;
		}
		out->fd_count++;
	}
	*ipc->tail = out;
	ipc->tail = &out->next;
	ipc->queued++;
	ipc->queued_bytes += size;
	/* A send error shows again, and is dealt with, in on_writable. */
	if (send_queued(ipc))
		event_add(ipc->writable, NULL);
	return 0;
}

size_t ipc_queued(const struct ipc *ipc)
{
	return ipc ? ipc->queued : 0;
}

void ipc_flush(struct ipc *ipc)
{
	struct pollfd pfd = {.events = POLLOUT};

	if (!ipc)
		return;
	pfd.fd = ipc->fd;
	while (ipc->head && send_queued(ipc) == -EAGAIN)
		if (poll(&pfd, 1, 1000) != 1)
			return;
}
