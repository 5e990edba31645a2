/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real TCP traffic with a payload that can be found again in a capture.
 *
 *   tcpflow serve  ADDRESS PORT TAG BYTES [SECONDS]   one connection, then ends
 *   tcpflow fetch  ADDRESS PORT TAG BYTES [SECONDS]
 *
 * The client sends BYTES of lines "TAG-c-0000000\n", the server checks every
 * byte and answers with as many of "TAG-s-0000000\n", which the client checks.
 * A line is shorter than any segment, so whatever part of the flow is seen in
 * clear shows TAG. `serve` prints "listening" once it can be reached.
 *
 * Exit status: 0 both directions byte-identical, 1 they were not or the
 * connection broke, 2 usage, 3 no connection came about in SECONDS (10).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <netdb.h>
#include <unistd.h>

enum { EXIT_BROKEN = 1, EXIT_USAGE = 2, EXIT_UNREACHED = 3 };

struct flow {
	const char *tag;
	size_t bytes;
	int timeout_ms;
};

/* The whole payload of one direction: malloc'ed, or NULL. */
static char *payload_make(const struct flow *flow, char direction)
{
	size_t tag_len = strlen(flow->tag), line_len = tag_len + 11, i;
	char *data = malloc(flow->bytes + line_len + 1);

	if (!data)
		return NULL;
	for (i = 0; i < flow->bytes; i += line_len)
		snprintf(data + i, line_len + 1, "%s-%c-%07zu\n", flow->tag, direction,
			 i / line_len % 10000000);
	return data;
}

static int send_all(int fd, const struct flow *flow, char direction)
{
	char *data = payload_make(flow, direction);
	size_t sent = 0;
	int rc = 0;

	if (!data)
		return -ENOMEM;
	while (sent < flow->bytes) {
		ssize_t n = send(fd, data + sent, flow->bytes - sent, MSG_NOSIGNAL);

		if (n < 0) {
			rc = -errno;
			fprintf(stderr, "send: %s after %zu bytes\n", strerror(errno), sent);
			break;
		}
		sent += (size_t)n;
	}
	free(data);
	return rc;
}

/* Reads exactly flow->bytes and compares each with what the peer must have sent. */
static int receive_all(int fd, const struct flow *flow, char direction)
{
	char buf[16384], *expected = payload_make(flow, direction);
	size_t got = 0;
	int rc = expected ? 0 : -ENOMEM;

	while (!rc && got < flow->bytes) {
		size_t want = flow->bytes - got < sizeof(buf) ? flow->bytes - got : sizeof(buf);
		ssize_t n = recv(fd, buf, want, 0);

		if (n <= 0) {
			rc = n ? -errno : -EPIPE;
			fprintf(stderr, "receive: %s after %zu bytes\n",
				n ? strerror(errno) : "connection closed", got);
		} else if (memcmp(buf, expected + got, (size_t)n)) {
			rc = -EBADMSG;
			fprintf(stderr, "receive: bytes %zu..%zu are not what was sent\n", got,
				got + (size_t)n - 1);
		} else {
			got += (size_t)n;
		}
	}
	free(expected);
	return rc;
}

static void set_timeout(int fd, int timeout_ms)
{
	struct timeval tv = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static int serve(const struct addrinfo *ai, const struct flow *flow)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, conn, rc;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, 8)) {
		fprintf(stderr, "listen: %s\n", strerror(errno));
		return EXIT_BROKEN;
	}
	printf("listening\n");
	fflush(stdout);
	if (poll(&pfd, 1, flow->timeout_ms) != 1) {
		printf("no connection\n");
		return EXIT_UNREACHED;
	}
	conn = accept(fd, NULL, NULL);
	if (conn < 0)
		return EXIT_BROKEN;
	set_timeout(conn, flow->timeout_ms);
	rc = receive_all(conn, flow, 'c');
	if (!rc)
		rc = send_all(conn, flow, 's');
	if (!rc)
		printf("%zu bytes each way, identical\n", flow->bytes);
	close(conn);
	close(fd);
	return rc ? EXIT_BROKEN : 0;
}

static int fetch(const struct addrinfo *ai, const struct flow *flow)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return EXIT_BROKEN;
	set_timeout(fd, flow->timeout_ms); /* bounds connect() as well */
	if (connect(fd, ai->ai_addr, ai->ai_addrlen)) {
		printf("connect: %s\n", errno == EINPROGRESS ? "timed out" : strerror(errno));
		close(fd);
		return EXIT_UNREACHED;
	}
	rc = send_all(fd, flow, 'c');
	if (!rc)
		rc = receive_all(fd, flow, 's');
	if (!rc)
		printf("%zu bytes each way, identical\n", flow->bytes);
	close(fd);
	return rc ? EXIT_BROKEN : 0;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	struct flow flow = {.timeout_ms = 10000};
	struct addrinfo *ai;
	int rc = EXIT_USAGE;

	if (argc < 6 || argc > 7 || getaddrinfo(argv[2], argv[3], &hints, &ai))
		goto usage;
	flow.tag = argv[4];
	flow.bytes = strtoul(argv[5], NULL, 10);
	if (argc == 7)
		flow.timeout_ms = atoi(argv[6]) * 1000;
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(argv[1], "serve"))
		rc = serve(ai, &flow);
	else if (!strcmp(argv[1], "fetch"))
		rc = fetch(ai, &flow);
	freeaddrinfo(ai);
	if (rc != EXIT_USAGE)
		return rc;
usage:
	fprintf(stderr, "usage: tcpflow serve|fetch ADDRESS PORT TAG BYTES [SECONDS]\n");
	return EXIT_USAGE;
}
