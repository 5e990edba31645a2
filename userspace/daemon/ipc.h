/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between the roles of xipsecd: fixed structs over SOCK_SEQPACKET
 * socket pairs, file descriptors beside them. The receiver trusts nothing: type,
 * length, number of fds, and every enum, bool and string in the payload are
 * checked before a handler sees it (ipc_check.c). A peer that breaks a rule
 * loses its channel; the parent then ends and restarts that role.
 */
#ifndef DAEMON_IPC_H
#define DAEMON_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/abi.h>
#include <xipsec/ike.h>
#include <xipsec/sa.h>

#define IPC_FDS_MAX   16
#define IPC_LINE_MAX  512
#define IPC_SPIS_MAX  64
#define IPC_NONCE_MAX 256 /* RFC 2409 section 5: 8 to 256 bytes */

struct ipc_none {
	uint32_t zero;
};

struct ipc_u32 {
	uint32_t value;
};

struct ipc_status {
	uint32_t what;
	int32_t status;
};

struct ipc_log {
	uint32_t level; /* enum log_level */
	char line[IPC_LINE_MAX];
};

struct ipc_skeyid {
	uint32_t secret;
	uint32_t prf; /* enum xi_integ */
	uint32_t ni_len, nr_len;
	uint8_t ni[IPC_NONCE_MAX], nr[IPC_NONCE_MAX];
};

struct ipc_skeyid_is {
	int32_t status;
	uint8_t skeyid[IKE_SKEYID_MAX];
};

struct ipc_sockets {
	uint32_t count;
	uint8_t family[2]; /* 4 or 6, in the order of the fds */
	uint8_t pad[2];
	uint16_t port[2];
};

struct ipc_rules {
	uint32_t count, generation;
};

struct ipc_spis {
	uint32_t count;
	uint32_t spi[IPC_SPIS_MAX];
};

struct ipc_acquire_done {
	struct ike_acquire acquire;
	int32_t status;
	char reason[IKE_REASON_MAX];
};

struct ipc_hosts {
	struct xi_addr local, remote;
};

struct ipc_worker {
	uint32_t tap_ifindex;
	uint32_t queues;
	uint32_t zero_copy;
	char tap_name[16];
};

struct ipc_reasons {
	struct xi_count count[XI_REASON_MAX];
};

enum ipc_type {
#define IPC_MSG(NAME, type, fds) IPC_##NAME,
#include "daemon/ipc.def"
#undef IPC_MSG
	IPC_TYPE_MAX
};

struct ipc_head {
	uint32_t type; /* enum ipc_type */
	uint32_t len;  /* of the payload */
	uint32_t id;   /* of the question, echoed in answers; else 0 */
	uint32_t pad;
};

struct ipc_msg {
	enum ipc_type type;
	uint32_t id;
	const void *data;     /* aligned; valid during the handler only */
	int fds[IPC_FDS_MAX]; /* a handler that keeps one puts -1 in its place */
	size_t fd_count;
};

size_t ipc_payload_size(enum ipc_type type);

/* 0, or -EBADMSG: the payload has a value that its type does not have. */
int ipc_check(enum ipc_type type, const void *data);

/*
 * Sends or receives one message, blocking as the fd does. ipc_recv fills buf
 * (IPC_MESSAGE_MAX bytes) and msg; 0, -EPIPE at the end, -EBADMSG for a message
 * that breaks the rules, else -errno.
 */
#define IPC_MESSAGE_MAX 8192
int ipc_send_now(int fd, enum ipc_type type, uint32_t id, const void *data, const int *fds,
		 size_t fd_count);
int ipc_recv(int fd, void *buf, struct ipc_msg *msg);
void ipc_close_fds(struct ipc_msg *msg);

/* ----------------------------------------------------- in an event loop */

struct event_base;
struct ipc;

struct ipc_handler {
	/* 0, or -errno: the channel is then closed as for a broken peer. */
	int (*message)(void *arg, struct ipc_msg *msg);
	/* The peer is gone (-EPIPE) or broken; the channel is dead, free it. */
	void (*closed)(void *arg, int status);
};

/* Takes the fd over. */
struct ipc *ipc_new(struct event_base *base, int fd, const struct ipc_handler *handler, void *arg);
void ipc_free(struct ipc *ipc); /* also from inside a handler; NULL is fine */
/*
 * Queues a copy (fds are duplicated) and sends as the peer takes them. -ENOBUFS
 * when the peer has not read for long. A NULL channel takes and forgets it.
 */
int ipc_send(struct ipc *ipc, enum ipc_type type, uint32_t id, const void *data, const int *fds,
	     size_t fd_count);
/* Messages that wait; a caller with news that can be repeated looks here first. */
size_t ipc_queued(const struct ipc *ipc);
/* Sends what is queued, blocking; for the last words of a process. */
void ipc_flush(struct ipc *ipc);

#endif
