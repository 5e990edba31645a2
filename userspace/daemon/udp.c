/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IKE's UDP sockets; see udp.h. Known limit: link-local IPv6 peers, whose
 * address means nothing without an interface, are not served.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/udp.h"

union udp_name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

union udp_control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static int set_on(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on));
}

/* A classic filter that takes nothing: the socket only holds its port. */
static int take_nothing(int fd)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = {1, &none};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static int open_port(uint8_t family, uint16_t port, bool reserve, int *ret_fd)
{
	union udp_name name = {0};
	socklen_t len;
	int fd, rc = 0;

	fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (family == 4) {
		name.v4.sin_family = AF_INET;
		name.v4.sin_port = htons(port);
		len = sizeof(name.v4);
		rc = set_on(fd, IPPROTO_IP, IP_PKTINFO);
	} else {
		name.v6.sin6_family = AF_INET6;
		name.v6.sin6_port = htons(port);
		len = sizeof(name.v6);
		rc = set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
		rc = rc ? rc : set_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	}
	if (!rc && reserve)
		rc = take_nothing(fd);
	if (rc || bind(fd, &name.any, len)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

int udp_open(uint8_t family, uint16_t port, int *ret_fd)
{
	return open_port(family, port, false, ret_fd);
}

int udp_reserve(uint8_t family, uint16_t port, int *ret_fd)
{
	return open_port(family, port, true, ret_fd);
}

static void name_to_addr(const union udp_name *name, struct xi_addr *ret, uint16_t *ret_port)
{
	memset(ret, 0, sizeof(*ret));
	if (name->any.sa_family == AF_INET) {
		ret->family = 4;
		memcpy(ret->b, &name->v4.sin_addr, 4);
		*ret_port = ntohs(name->v4.sin_port);
	} else {
		ret->family = 6;
		memcpy(ret->b, &name->v6.sin6_addr, 16);
		*ret_port = ntohs(name->v6.sin6_port);
	}
}

static bool is_group(const struct xi_addr *addr)
{
	static const uint8_t broadcast[4] = {255, 255, 255, 255};

	if (addr->family == 6)
		return addr->b[0] == 0xff;
	return addr->b[0] >> 4 == 0xe || !memcmp(addr->b, broadcast, 4);
}

/* The address that the datagram was sent to. */
static int local_of(struct msghdr *hdr, struct xi_addr *ret)
{
	struct cmsghdr *cmsg;
	struct in_pktinfo v4;
	struct in6_pktinfo v6;

	memset(ret, 0, sizeof(*ret));
	for (cmsg = CMSG_FIRSTHDR(hdr); cmsg; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
		if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
			memcpy(&v4, CMSG_DATA(cmsg), sizeof(v4));
			ret->family = 4;
			memcpy(ret->b, &v4.ipi_addr, 4);
			/* Subnet broadcast: sent to one address, taken by another. */
			if (v4.ipi_addr.s_addr != v4.ipi_spec_dst.s_addr)
				return -EADDRNOTAVAIL;
		} else if (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_PKTINFO) {
			memcpy(&v6, CMSG_DATA(cmsg), sizeof(v6));
			ret->family = 6;
			memcpy(ret->b, &v6.ipi6_addr, 16);
		}
	}
	return !ret->family || is_group(ret) ? -EADDRNOTAVAIL : 0;
}

int udp_recv(int fd, uint16_t port, void *buf, size_t size, struct ike_path *ret_path)
{
	struct iovec iov = {buf, size};
	union udp_control control;
	union udp_name name;
	struct msghdr hdr = {.msg_name = &name,
			     .msg_namelen = sizeof(name),
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	struct ike_path path = {.local_port = port};
	ssize_t got;
	int rc;

	got = recvmsg(fd, &hdr, MSG_DONTWAIT);
	if (got < 0)
		return -errno;
	name_to_addr(&name, &path.remote, &path.remote_port);
	rc = local_of(&hdr, &path.local);
	if (rc || path.local.family != path.remote.family)
		return -EADDRNOTAVAIL;
	*ret_path = path;
	return got;
}

static void put_info(struct msghdr *hdr, int level, int type, const void *info, size_t len)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(hdr);

	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), info, len);
	hdr->msg_controllen = CMSG_SPACE(len);
}

int udp_send(int fd, const struct ike_path *path, const void *msg, size_t len)
{
	struct iovec iov = {(void *)msg, len};
	union udp_control control = {0};
	union udp_name name = {0};
	struct msghdr hdr = {.msg_name = &name,
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	struct in_pktinfo v4 = {0};
	struct in6_pktinfo v6 = {0};

	if (path->remote.family == 4) {
		name.v4.sin_family = AF_INET;
		name.v4.sin_port = htons(path->remote_port);
		memcpy(&name.v4.sin_addr, path->remote.b, 4);
		hdr.msg_namelen = sizeof(name.v4);
		memcpy(&v4.ipi_spec_dst, path->local.b, 4);
		put_info(&hdr, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4));
	} else {
		name.v6.sin6_family = AF_INET6;
		name.v6.sin6_port = htons(path->remote_port);
		memcpy(&name.v6.sin6_addr, path->remote.b, 16);
		hdr.msg_namelen = sizeof(name.v6);
		memcpy(&v6.ipi6_addr, path->local.b, 16);
		put_info(&hdr, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6));
	}
	return sendmsg(fd, &hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
