/* SPDX-License-Identifier: BSD-2-Clause */
/* The message format between roles: sending and receiving one; see ipc.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/ipc.h"

static const struct {
	size_t size;
	unsigned fds;
} types[] = {
#define IPC_MSG(NAME, type, most) {sizeof(type), most},
#include "daemon/ipc.def"
#undef IPC_MSG
};

#define IPC_MSG(NAME, type, most)                                                                  \
	_Static_assert(sizeof(type) + sizeof(struct ipc_head) <= IPC_MESSAGE_MAX, #NAME);          \
	_Static_assert((most) <= IPC_FDS_MAX, #NAME);
#include "daemon/ipc.def"
#undef IPC_MSG

size_t ipc_payload_size(enum ipc_type type)
{
	return types[type].size;
}

int ipc_send_now(int fd, enum ipc_type type, uint32_t id, const void *data, const int *fds,
		 size_t fd_count)
{
	struct ipc_head head = {.type = type, .len = types[type].size, .id = id};
	struct iovec iov[2] = {{&head, sizeof(head)}, {(void *)data, head.len}};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} control = {0};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	struct cmsghdr *cmsg;
	ssize_t sent;

	if (fd_count) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
	}
	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

void ipc_close_fds(struct ipc_msg *msg)
{
	for (size_t i = 0; i < msg->fd_count; i++)
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
	msg->fd_count = 0;
}

static void take_fds(struct msghdr *hdr, struct ipc_msg *msg)
{
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(hdr); cmsg; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count && msg->fd_count < IPC_FDS_MAX; i++)
			memcpy(&msg->fds[msg->fd_count++], CMSG_DATA(cmsg) + i * sizeof(int),
			       sizeof(int));
	}
}

int ipc_recv(int fd, void *buf, struct ipc_msg *msg)
{
	struct iovec iov = {buf, IPC_MESSAGE_MAX};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} control;
	struct msghdr hdr = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	struct ipc_head head;
	ssize_t got;

	memset(msg, 0, sizeof(*msg));
	do
		got = recvmsg(fd, &hdr, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	take_fds(&hdr, msg);
	if (!got && !msg->fd_count)
		return -EPIPE;
	if ((size_t)got < sizeof(head) || hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		goto bad;
	memcpy(&head, buf, sizeof(head));
	if (head.type >= IPC_TYPE_MAX || head.len != types[head.type].size ||
	    head.len != got - sizeof(head) || msg->fd_count > types[head.type].fds)
		goto bad;
	msg->type = (enum ipc_type)head.type;
	msg->id = head.id;
	msg->data = (char *)buf + sizeof(head);
	if (ipc_check(msg->type, msg->data))
		goto bad;
	return 0;
bad:
	ipc_close_fds(msg);
	return -EBADMSG;
}
