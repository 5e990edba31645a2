/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single datagrams, which nobody repeats when they are lost.
 *
 *   udpflow serve ADDRESS PORT COUNT SECONDS   prints "listening", then "LENGTH TEXT" of each
 *   udpflow send  ADDRESS PORT TEXT...         one datagram for each TEXT
 *   udpflow stream ADDRESS PORT TAG COUNT MS   COUNT of them, one every MS milliseconds
 *   udpflow fill  ADDRESS PORT TAG LENGTH      one of that length, which may be fragmented
 *   udpflow fit   ADDRESS PORT TAG SECONDS     finds the largest datagram that the path takes
 *
 * `fit` starts with what the interface takes, forbids fragments, listens to what
 * comes back (ICMP), and prints "fits LENGTH" when the stack stops objecting.
 * UDPFLOW_FROM=PORT in the environment is the port that is sent from.
 * Exit status: 0, 1 failed or too few datagrams, 2 usage.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <linux/in6.h>

/* True also when nobody asks for a port. */
static bool bind_from(int fd, int family)
{
	const char *from = getenv("UDPFLOW_FROM");
	struct sockaddr_storage any = {.ss_family = family};

	if (!from)
		return true;
	/* The port is at the same place in both. */
	((struct sockaddr_in *)&any)->sin_port = htons(atoi(from));
	return !bind(fd, (struct sockaddr *)&any,
		     family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
}

static int open_socket(const char *address, const char *port, bool serve, int *ret_family)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found;
	int fd, err;

	if (getaddrinfo(address, port, &hints, &found))
		return -1;
	*ret_family = found->ai_family;
	fd = socket(found->ai_family, SOCK_DGRAM, 0);
	if (serve)
		err = bind(fd, found->ai_addr, found->ai_addrlen);
	else
		err = !bind_from(fd, found->ai_family) ||
		      connect(fd, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return err ? -1 : fd;
}

static int serve(int fd, int count, int seconds)
{
	static char buf[65536];
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int room = 8 << 20; /* on a busy machine it may be a while until we run */

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	puts("listening");
	fflush(stdout);
	for (; count > 0; count--) {
		ssize_t len;

		if (poll(&wait, 1, seconds * 1000) <= 0)
			return 1;
		len = recv(fd, buf, sizeof(buf) - 1, 0);
		if (len < 0)
			return 1;
		buf[len] = 0;
		printf("%zd %.40s\n", len, buf);
		fflush(stdout);
	}
	return 0;
}

static int path_mtu(int fd, int family)
{
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	if (family == AF_INET)
		getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len);
	else
		getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len);
	return mtu;
}

/*
 * Sends one datagram as long as the path is believed to take, and believes what
 * comes back. A pending ICMP error fails the next send, which then sent nothing.
 */
static int fit(int fd, int family, const char *tag, int seconds)
{
	int forbid = IP_PMTUDISC_DO, header = family == AF_INET ? 28 : 48;
	static char buf[65536];

	if (family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &forbid, sizeof(forbid));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &forbid, sizeof(forbid));
	memset(buf, 'x', sizeof(buf));
	memcpy(buf, tag, strlen(tag));
	for (int tries = 0; tries < seconds * 2; tries++) {
		struct pollfd wait = {.fd = fd};
		int mtu = path_mtu(fd, family);

		if (mtu <= header)
			return 1;
		if (send(fd, buf, (size_t)(mtu - header), 0) < 0) {
			/* An unreachable host can be a slow one: said, and tried again. */
			if (errno != EMSGSIZE) {
				perror("udpflow: fit");
				usleep(500000);
			}
			continue;
		}
		/* The error of an ICMP message wakes us; without one the size was right. */
		poll(&wait, 1, 500);
		if (path_mtu(fd, family) == mtu) {
			printf("fits %d\n", mtu - header);
			return 0;
		}
	}
	return 1;
}

/* A refused one (ICMP) counts as sent: whether it arrived is the other end's to say. */
static int stream(int fd, const char *tag, int count, int ms)
{
	char buf[128];

	for (int i = 0; i < count; i++) {
		int len = snprintf(buf, sizeof(buf), "%.40s-%07d", tag, i);

		if (send(fd, buf, (size_t)len, 0) < 0 && errno != ECONNREFUSED)
			return 1;
		usleep((useconds_t)ms * 1000);
	}
	return 0;
}

static int fill(int fd, int family, const char *tag, size_t len)
{
	static char buf[65536];
	int allow = IP_PMTUDISC_DONT;

	if (len > sizeof(buf) || len < strlen(tag))
		return 2;
	if (family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &allow, sizeof(allow));
	memset(buf, 'x', sizeof(buf));
	memcpy(buf, tag, strlen(tag));
	return send(fd, buf, len, 0) < 0;
}

int main(int argc, char **argv)
{
	int fd, family, rc = 0;

	if (argc < 5)
		return 2;
	fd = open_socket(argv[2], argv[3], !strcmp(argv[1], "serve"), &family);
	if (fd < 0) {
		perror("udpflow");
		return 1;
	}
	if (!strcmp(argv[1], "serve") && argc == 6)
		return serve(fd, atoi(argv[4]), atoi(argv[5]));
	if (!strcmp(argv[1], "fit") && argc == 6)
		return fit(fd, family, argv[4], atoi(argv[5]));
	if (!strcmp(argv[1], "fill") && argc == 6)
		return fill(fd, family, argv[4], (size_t)atol(argv[5]));
	if (!strcmp(argv[1], "stream") && argc == 7)
		return stream(fd, argv[4], atoi(argv[5]), atoi(argv[6]));
	if (strcmp(argv[1], "send"))
		return 2;
	for (int i = 4; i < argc && !rc; i++)
		rc = send(fd, argv[i], strlen(argv[i]), 0) < 0;
	return rc;
}
