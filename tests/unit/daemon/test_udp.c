/* SPDX-License-Identifier: BSD-2-Clause */
/* IKE's sockets on the loopback interface: whom a datagram was sent to, and from. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/udp.h"
#include "util/addr.h"

#define PORT_A 45500
#define PORT_B 45501

static int a, b;
static uint8_t buf[2048];

static int open_pair(uint8_t family)
{
	int rc = udp_open(family, PORT_A, &a);

	if (rc)
		return rc;
	rc = udp_open(family, PORT_B, &b);
	if (rc)
		close(a);
	return rc;
}

static void close_pair(void)
{
	close(a);
	close(b);
}

static int receive(int fd, uint16_t port, struct ike_path *path)
{
	struct pollfd pfd = {fd, POLLIN, 0};

	assert_int_equal(poll(&pfd, 1, 5000), 1);
	return udp_recv(fd, port, buf, sizeof(buf), path);
}

static struct ike_path path_between(const char *local, const char *remote)
{
	struct ike_path path = {.local_port = PORT_A, .remote_port = PORT_B};

	xi_addr_parse(local, &path.local);
	xi_addr_parse(remote, &path.remote);
	return path;
}

static void both_ends_are_known(const char *local, const char *remote)
{
	struct ike_path path = path_between(local, remote), seen;

	assert_int_equal(udp_send(a, &path, "hello", 5), 0);
	assert_int_equal(receive(b, PORT_B, &seen), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_true(xi_addr_equal(&seen.local, &path.remote));
	assert_true(xi_addr_equal(&seen.remote, &path.local));
	assert_int_equal(seen.local_port, PORT_B);
	assert_int_equal(seen.remote_port, PORT_A);
}

/* The source is the address that was asked for, not the one the route prefers. */
static void ipv4_sends_from_the_address_that_was_asked_for(void **state)
{
	assert_int_equal(open_pair(4), 0);
	both_ends_are_known("127.0.0.1", "127.0.0.1");
	both_ends_are_known("127.0.0.7", "127.0.0.9");
	close_pair();
}

static void ipv6_sends_from_the_address_that_was_asked_for(void **state)
{
	if (open_pair(6)) {
		print_message("# no IPv6 here\n");
		skip();
	}
	both_ends_are_known("::1", "::1");
	close_pair();
}

static void nothing_there_is_no_error(void **state)
{
	struct ike_path path;

	assert_int_equal(open_pair(4), 0);
	assert_int_equal(udp_recv(a, PORT_A, buf, sizeof(buf), &path), -EAGAIN);
	close_pair();
}

static void a_broadcast_is_not_ours(void **state)
{
	struct ike_path path = path_between("127.0.0.1", "127.255.255.255"), seen;
	int on = 1;

	assert_int_equal(open_pair(4), 0);
	setsockopt(a, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	assert_int_equal(udp_send(a, &path, "hello", 5), 0);
	assert_int_equal(receive(b, PORT_B, &seen), -EADDRNOTAVAIL);
	close_pair();
}

static void a_port_in_use_is_an_error(void **state)
{
	int other = -1;

	assert_int_equal(open_pair(4), 0);
	assert_int_equal(udp_open(4, PORT_A, &other), -EADDRINUSE);
	assert_int_equal(other, -1);
	close_pair();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_sends_from_the_address_that_was_asked_for),
		cmocka_unit_test(ipv6_sends_from_the_address_that_was_asked_for),
		cmocka_unit_test(nothing_there_is_no_error),
		cmocka_unit_test(a_broadcast_is_not_ours),
		cmocka_unit_test(a_port_in_use_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
