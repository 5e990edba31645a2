/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pairs of datagrams, one for each of two ports, as fast as they go. Under a policy
 * that lets exactly one port through, one of each pair arrives.
 *
 *   udppairs send ADDRESS MS   sends for so long; prints "sent DATAGRAMS"
 *   udppairs recv ADDRESS MS   prints "listening"; ends MS after the last one;
 *                              prints "received DATAGRAMS both PAIRS overflow DATAGRAMS"
 *
 * "both": pairs of which both arrived. Ports 7001 and 7002, IPv4.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT  7001
#define BURST 16
#define PAIRS (1u << 24)

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static struct sockaddr_in name_of(const char *address, unsigned which)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(PORT + which)};

	if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
		fprintf(stderr, "%s: not an IPv4 address\n", address);
		exit(2);
	}
	return name;
}

static int send_pairs(const char *address, uint64_t ms)
{
	struct sockaddr_in to[2] = {name_of(address, 0), name_of(address, 1)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t end = now_ms() + ms, sent = 0;

	if (fd < 0)
		return 1;
	for (uint32_t pair = 0; pair < PAIRS && now_ms() < end; pair++) {
		for (unsigned which = 0; which < 2; which++)
			sent += sendto(fd, &pair, sizeof(pair), 0, (struct sockaddr *)&to[which],
				       sizeof(to[which])) == sizeof(pair);
		/* The link's ring is short, and nobody repeats what it drops. */
		if (pair % BURST == 0)
			usleep(100);
	}
	printf("sent %llu\n", (unsigned long long)sent);
	return 0;
}

/* What the kernel says it had no room for, since the socket was made. */
static uint32_t receive(int fd, uint8_t *seen, unsigned which, uint64_t *received, uint64_t *both)
{
	uint32_t pair, overflow = 0;
	char control[64];
	struct iovec data = {&pair, sizeof(pair)};
	struct msghdr msg = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	if (recvmsg(fd, &msg, MSG_DONTWAIT) != sizeof(pair) || pair >= PAIRS)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			memcpy(&overflow, CMSG_DATA(c), sizeof(overflow));
	(*received)++;
	seen[pair] |= 1 << which;
	*both += seen[pair] == 3;
	return overflow;
}

static int receive_pairs(const char *address, int ms)
{
	uint8_t *seen = calloc(PAIRS, 1);
	uint64_t received = 0, both = 0;
	struct pollfd fds[2];
	uint32_t overflow[2] = {0};
	int size = 64 << 20, one = 1;

	if (!seen)
		return 1;
	for (unsigned i = 0; i < 2; i++) {
		struct sockaddr_in name = name_of(address, i);

		fds[i] = (struct pollfd){.fd = socket(AF_INET, SOCK_DGRAM, 0), .events = POLLIN};
		setsockopt(fds[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
		setsockopt(fds[i].fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
		if (bind(fds[i].fd, (struct sockaddr *)&name, sizeof(name)))
			return 1;
	}
	printf("listening\n");
	fflush(stdout);
	while (poll(fds, 2, received ? ms : 30000) > 0)
		for (unsigned i = 0; i < 2; i++)
			if (fds[i].revents) {
				uint32_t lost = receive(fds[i].fd, seen, i, &received, &both);

				if (lost)
					overflow[i] = lost;
			}
	printf("received %llu both %llu overflow %u\n", (unsigned long long)received,
	       (unsigned long long)both, overflow[0] + overflow[1]);
	free(seen);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "send"))
		return send_pairs(argv[2], strtoul(argv[3], NULL, 10));
	if (argc == 4 && !strcmp(argv[1], "recv"))
		return receive_pairs(argv[2], atoi(argv[3]));
	fprintf(stderr, "usage: udppairs send|recv ADDRESS MS\n");
	return 2;
}
