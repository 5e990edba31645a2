// SPDX-License-Identifier: BSD-2-Clause
/*
 * Raw ESP sockets (raw(7), ipv6(7), RFC 3542), bound to the interface. XDP takes
 * whole ESP packets out before the stack, so that what arrives here was in
 * fragments; ICMP errors arrive on the error queue with the packet they quote.
 */
#include "esp/rawesp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>

#include "esp/ip.h"
#include "util/bytes.h"

#define IP6_HDR 40

struct rawesp {
	int fd4, fd6; /* -1: none */
};

static int open_one(int family, const char *ifname)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ESP);
	int on = 1, level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	int err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname)) ||
	    setsockopt(fd, level, family == AF_INET ? IP_RECVERR : IPV6_RECVERR, &on, sizeof(on)) ||
	    (family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void rawesp_close(void *ctx)
{
	struct rawesp *raw = ctx;

	if (!raw)
		return;
	if (raw->fd4 >= 0)
		close(raw->fd4);
	if (raw->fd6 >= 0)
		close(raw->fd6);
	free(raw);
}

int rawesp_open(const char *ifname, struct rawesp **ret)
{
	struct rawesp *raw = calloc(1, sizeof(*raw));
	int err;

	if (!raw)
		return -ENOMEM;
	raw->fd6 = open_one(AF_INET6, ifname);
	raw->fd4 = open_one(AF_INET, ifname);
	if (raw->fd4 < 0) {
		err = raw->fd4;
		rawesp_close(raw);
		return err;
	}
	*ret = raw;
	return 0;
}

int rawesp_fds(const struct rawesp *raw, int ret[2])
{
	int count = 0;

	if (raw->fd4 >= 0)
		ret[count++] = raw->fd4;
	if (raw->fd6 >= 0)
		ret[count++] = raw->fd6;
	return count;
}

/* A raw IPv6 socket gives no header: one is written in front of what it gives. */
static ssize_t recv6(int fd, uint8_t *buf, size_t cap)
{
	uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct iovec iov = {buf + IP6_HDR, cap - IP6_HDR};
	struct sockaddr_in6 from;
	struct msghdr msg = {.msg_name = &from,
			     .msg_namelen = sizeof(from),
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct ip_info info = {.family = 6};
	ssize_t len = recvmsg(fd, &msg, 0);

	if (len < 0)
		return -errno;
	if (msg.msg_flags & MSG_TRUNC || len > 65535)
		return -EMSGSIZE;
	memset(buf, 0, IP6_HDR);
	buf[0] = 6 << 4;
	buf[6] = IP_PROTO_ESP;
	memcpy(buf + 8, &from.sin6_addr, 16);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memcpy(buf + 24, CMSG_DATA(c), 16);
	}
	ip_set_len(buf, &info, IP6_HDR + (size_t)len);
	return IP6_HDR + len;
}

static ssize_t rawesp_recv(void *ctx, uint8_t *buf, size_t cap)
{
	struct rawesp *raw = ctx;
	ssize_t len = recv(raw->fd4, buf, cap, 0);

	if (len > 0)
		return len;
	return raw->fd6 >= 0 ? recv6(raw->fd6, buf, cap) : -EAGAIN;
}

static bool is_too_big(const struct sock_extended_err *err)
{
	if (err->ee_origin == SO_EE_ORIGIN_ICMP)
		return err->ee_type == ICMP_DEST_UNREACH && err->ee_code == ICMP_FRAG_NEEDED;
	return err->ee_origin == SO_EE_ORIGIN_ICMP6 && err->ee_type == ICMPV6_PKT_TOOBIG;
}

static void set_remote(struct too_big *report, const struct sockaddr_storage *to)
{
	memset(&report->remote, 0, sizeof(report->remote));
	if (to->ss_family == AF_INET) {
		report->remote.family = 4;
		memcpy(report->remote.b, &((const struct sockaddr_in *)to)->sin_addr, 4);
	} else {
		report->remote.family = 6;
		memcpy(report->remote.b, &((const struct sockaddr_in6 *)to)->sin6_addr, 16);
	}
}

/* 1 a report, 0 something else was read, -EAGAIN. */
static int read_error(int fd, struct too_big *ret)
{
	uint8_t control[512], quoted[64];
	struct iovec iov = {quoted, sizeof(quoted)};
	struct sockaddr_storage to = {0};
	struct msghdr msg = {.msg_name = &to,
			     .msg_namelen = sizeof(to),
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(fd, &msg, MSG_ERRQUEUE);

	if (len < 0)
		return -EAGAIN;
	if (len < 8)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		struct sock_extended_err err;

		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&err, CMSG_DATA(c), sizeof(err));
		if (!is_too_big(&err))
			return 0;
		set_remote(ret, &to);
		ret->spi = get_be32(quoted);
		ret->mtu = err.ee_info;
		return 1;
	}
	return 0;
}

static bool rawesp_too_big(void *ctx, struct too_big *ret)
{
	struct rawesp *raw = ctx;
	int fds[2], count = rawesp_fds(raw, fds), got;

	for (int i = 0; i < count; i++) {
		/* What else is reported (unreachable hosts) is passed over, a few at a time. */
		for (int tries = 0; tries < 16; tries++) {
			got = read_error(fds[i], ret);
			if (got > 0)
				return true;
			if (got < 0)
				break;
		}
	}
	return false;
}

const struct slow_ops rawesp_ops = {rawesp_recv, rawesp_too_big, rawesp_close};
