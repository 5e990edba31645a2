/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between roles, with a peer at the other end that plays by no rules. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <event2/event.h>

#include "daemon/ipc.h"
#include "util/addr.h"

static int pair[2];
static _Alignas(16) char buf[IPC_MESSAGE_MAX];

static int setup(void **state)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair);
}

static int teardown(void **state)
{
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static int received(struct ipc_msg *msg)
{
	return ipc_recv(pair[1], buf, msg);
}

static void raw(const void *data, size_t len)
{
	assert_int_equal(send(pair[0], data, len, 0), len);
}

static struct xi_sa_params good_sa(void)
{
	struct xi_sa_params sa = {.protocol = 50, .in.spi = 0x1234, .out.spi = 0x5678};

	xi_addr_parse("192.0.2.1", &sa.local);
	xi_addr_parse("192.0.2.2", &sa.remote);
	xi_prefix_parse("192.0.2.1", &sa.sel.local);
	xi_prefix_parse("192.0.2.2", &sa.sel.remote);
	return sa;
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	struct xi_sa_params sa = good_sa();
	struct ipc_msg msg;

	assert_int_equal(ipc_send_now(pair[0], IPC_SA_INSTALL, 77, &sa, NULL, 0), 0);
	assert_int_equal(received(&msg), 0);
	assert_int_equal(msg.type, IPC_SA_INSTALL);
	assert_int_equal(msg.id, 77);
	assert_memory_equal(msg.data, &sa, sizeof(sa));
}

static void an_fd_travels_and_still_works(void **state)
{
	struct ipc_u32 handle = {9};
	struct ipc_msg msg;
	int fd = open("/proc/self/cmdline", O_RDONLY);
	char first;

	assert_int_equal(ipc_send_now(pair[0], IPC_SECRET, 0, &handle, &fd, 1), 0);
	close(fd);
	assert_int_equal(received(&msg), 0);
	assert_int_equal(msg.fd_count, 1);
	assert_int_equal(read(msg.fds[0], &first, 1), 1);
	assert_true(fcntl(msg.fds[0], F_GETFD) & FD_CLOEXEC);
	fd = msg.fds[0];
	ipc_close_fds(&msg);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void every_type_survives_random_bytes(void **state)
{
	static _Alignas(16) uint8_t noise[IPC_MESSAGE_MAX];
	struct ipc_head head = {0};
	struct ipc_msg msg;

	srandom(1);
	for (int type = 0; type < IPC_TYPE_MAX; type++)
		for (int round = 0; round < 50; round++) {
			head.type = type;
			head.len = ipc_payload_size((enum ipc_type)type);
			for (size_t i = 0; i < sizeof(head) + head.len; i++)
				noise[i] = random();
			memcpy(noise, &head, sizeof(head));
			raw(noise, sizeof(head) + head.len);
			if (received(&msg))
				continue;
			assert_int_equal(msg.type, type);
		}
}

static void wrong_types_and_lengths_are_refused(void **state)
{
	struct {
		struct ipc_head head;
		uint32_t value[4];
	} m = {.head = {.type = IPC_TYPE_MAX, .len = 4}};
	struct ipc_msg msg;

	raw(&m, sizeof(m.head) + 4); /* no such type */
	assert_int_equal(received(&msg), -EBADMSG);
	m.head.type = IPC_SA_GONE;
	raw(&m, sizeof(m.head) + 8); /* longer than it says */
	assert_int_equal(received(&msg), -EBADMSG);
	m.head.len = 8; /* longer than the type is */
	raw(&m, sizeof(m.head) + 8);
	assert_int_equal(received(&msg), -EBADMSG);
	raw(&m, 7); /* not even a header */
	assert_int_equal(received(&msg), -EBADMSG);
	m.head.len = 4;
	raw(&m, sizeof(m.head) + 4);
	assert_int_equal(received(&msg), 0);
}

static void an_fd_where_none_belongs_is_closed_and_refused(void **state)
{
	struct ipc_u32 value = {1};
	struct ipc_msg msg;
	int fd = open("/dev/null", O_RDONLY), next;

	assert_int_equal(ipc_send_now(pair[0], IPC_SA_GONE, 0, &value, &fd, 1), 0);
	assert_int_equal(received(&msg), -EBADMSG);
	/* Nothing leaked: the next number is the one it would have had. */
	next = dup(fd);
	assert_int_equal(next, fd + 1);
	close(next);
	close(fd);
}

static void values_that_a_field_cannot_have_are_refused(void **state)
{
	static const uint8_t seven = 7;
	static const uint32_t huge = 0xffff;
	struct xi_sa_params sa = good_sa();
	struct ipc_log log = {.level = 0};
	struct ike_rule rule = {.mm_count = IKE_METHODS_MAX + 1};

	assert_int_equal(ipc_check(IPC_SA_INSTALL, &sa), 0);
	memcpy(&sa.cipher, &huge, sizeof(huge));
	assert_int_equal(ipc_check(IPC_SA_INSTALL, &sa), -EBADMSG);
	sa = good_sa();
	memcpy(&sa.initiator, &seven, 1);
	assert_int_equal(ipc_check(IPC_SA_INSTALL, &sa), -EBADMSG);
	sa = good_sa();
	sa.sel.remote.len = 33;
	assert_int_equal(ipc_check(IPC_SA_INSTALL, &sa), -EBADMSG);
	sa = good_sa();
	sa.in.spi = 255;
	assert_int_equal(ipc_check(IPC_SA_INSTALL, &sa), -EBADMSG);

	memset(log.line, 'x', sizeof(log.line)); /* no end */
	assert_int_equal(ipc_check(IPC_LOG, &log), -EBADMSG);
	assert_int_equal(ipc_check(IPC_RULE, &rule), -EBADMSG);
}

static void the_end_of_the_peer_is_seen(void **state)
{
	struct ipc_msg msg;

	assert_int_equal(received(&msg), -EAGAIN);
	close(pair[0]);
	pair[0] = -1;
	assert_int_equal(received(&msg), -EPIPE);
}

/* ------------------------------------------------------------- in a loop */

static struct loop {
	struct event_base *base;
	struct ipc *a, *b;
	unsigned got, expected;
	bool in_order;
	int closed;
} l;

static int count_message(void *arg, struct ipc_msg *msg)
{
	const struct ipc_u32 *value = msg->data;

	l.in_order &= value->value == l.got;
	if (++l.got == l.expected)
		event_base_loopbreak(l.base);
	return 0;
}

static int refuse_message(void *arg, struct ipc_msg *msg)
{
	return -EBADMSG;
}

static void note_closed(void *arg, int status)
{
	l.closed = status;
	ipc_free(l.b);
	l.b = NULL;
	event_base_loopbreak(l.base);
}

static void loop_new(int (*message)(void *arg, struct ipc_msg *msg))
{
	static struct ipc_handler handler;

	handler.message = message;
	handler.closed = note_closed;
	memset(&l, 0, sizeof(l));
	l.in_order = true;
	l.base = event_base_new();
	l.a = ipc_new(l.base, dup(pair[0]), &handler, NULL);
	l.b = ipc_new(l.base, dup(pair[1]), &handler, NULL);
	close(pair[0]);
	close(pair[1]);
	pair[0] = pair[1] = -1;
}

static void loop_free(void)
{
	ipc_free(l.a);
	ipc_free(l.b);
	event_base_free(l.base);
}

static void a_full_socket_queues_and_keeps_the_order(void **state)
{
	loop_new(count_message);
	l.expected = 5000;
	for (unsigned i = 0; i < l.expected; i++) {
		struct ipc_u32 value = {i};

		assert_int_equal(ipc_send(l.a, IPC_SA_GONE, 0, &value, NULL, 0), 0);
	}
	assert_true(ipc_queued(l.a) > 0);
	event_base_dispatch(l.base);
	assert_int_equal(l.got, l.expected);
	assert_true(l.in_order);
	assert_int_equal(ipc_queued(l.a), 0);
	loop_free();
}

static void a_refused_message_ends_the_channel(void **state)
{
	struct ipc_u32 value = {1};

	loop_new(refuse_message);
	ipc_send(l.a, IPC_SA_GONE, 0, &value, NULL, 0);
	event_base_dispatch(l.base);
	assert_int_equal(l.closed, -EBADMSG);
	loop_free();
}

static void no_channel_takes_messages_quietly(void **state)
{
	struct ipc_u32 value = {1};

	assert_int_equal(ipc_send(NULL, IPC_SA_GONE, 0, &value, NULL, 0), 0);
	assert_int_equal(ipc_queued(NULL), 0);
	ipc_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives_as_it_was_sent),
		TEST(an_fd_travels_and_still_works),
		TEST(every_type_survives_random_bytes),
		TEST(wrong_types_and_lengths_are_refused),
		TEST(an_fd_where_none_belongs_is_closed_and_refused),
		TEST(values_that_a_field_cannot_have_are_refused),
		TEST(the_end_of_the_peer_is_seen),
		TEST(a_full_socket_queues_and_keeps_the_order),
		TEST(a_refused_message_ends_the_channel),
		TEST(no_channel_takes_messages_quietly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
