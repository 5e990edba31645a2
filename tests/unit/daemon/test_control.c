/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket with polite and impolite clients, in one event loop. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <event2/event.h>

#include "daemon/control.h"

static char dir[] = "/tmp/xipsec-test-XXXXXX";
static char path[64];

static struct world {
	struct event_base *base;
	struct control *control;
	struct control_request *late; /* kept to be answered later */
	struct control_stream *stream;
	unsigned closed;
	unsigned asked;
} w;

/* The clock of this program, libevent included. */
static time_t ahead;

int clock_gettime(clockid_t id, struct timespec *now)
{
	int rc = syscall(SYS_clock_gettime, id, now);

	now->tv_sec += ahead;
	return rc;
}

static void on_closed(void *arg)
{
	w.stream = NULL;
	w.closed++;
}

/* "echo" answers at once, "slow" after 45 seconds, "late" when told to, "big" with two megabytes.
 */
static void answer(void *arg, struct control_request *request, const json_t *question)
{
	const char *method = json_string_value(json_object_get(question, "method"));
	char *big;

	w.asked++;
	if (!strcmp(method, "late")) {
		w.late = request;
		return;
	}
	if (!strcmp(method, "slow"))
		ahead += 45;
	if (!strcmp(method, "listen")) {
		w.stream = control_stream_begin(request, json_object(), on_closed, NULL);
		return;
	}
	if (!strcmp(method, "big")) {
		big = calloc(1, 2 << 20);
		memset(big, 'x', (2 << 20) - 1);
		control_reply(request, json_pack("{s:s}", "data", big));
		free(big);
		return;
	}
	control_reply(request, json_pack("{s:s}", "you", method));
}

static int make_dir(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	return 0;
}

static int remove_dir(void **state)
{
	return rmdir(dir);
}

static int setup(void **state)
{
	memset(&w, 0, sizeof(w));
	w.base = event_base_new();
	return control_open(w.base, path, answer, NULL, &w.control);
}

static int teardown(void **state)
{
	control_close(w.control);
	event_base_free(w.base);
	return 0;
}

static int dial(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(name.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Turns the loop until the client has a line (or the end, ""), at most so often. */
static const char *hear(int fd)
{
	static char line[4096];
	size_t len = 0;
	ssize_t got;

	for (int i = 0; i < 2000; i++) {
		event_base_loop(w.base, EVLOOP_NONBLOCK);
		got = read(fd, line + len, 1);
		if (!got)
			return "";
		if (got < 0) {
			usleep(100);
			continue;
		}
		if (line[len] == '\n') {
			line[len] = '\0';
			return line;
		}
		if (++len == sizeof(line))
			break;
	}
	return NULL;
}

/* The other end closed, with or without noticing what was still under way. */
static bool is_cut_off(int fd)
{
	char byte;
	ssize_t got;

	for (int i = 0; i < 1000; i++) {
		event_base_loop(w.base, EVLOOP_NONBLOCK);
		got = read(fd, &byte, 1);
		if (!got || (got < 0 && errno == ECONNRESET))
			return true;
	}
	return false;
}

static void a_question_gets_its_answer(void **state)
{
	int fd = dial();

	say(fd, "{\"method\":\"echo\"}\n");
	assert_string_equal(hear(fd), "{\"you\":\"echo\"}");
	say(fd, "{\"method\":\"again\"}\n");
	assert_string_equal(hear(fd), "{\"you\":\"again\"}");
	close(fd);
}

static void questions_in_one_write_are_answered_in_turn(void **state)
{
	int fd = dial();

	say(fd, "{\"method\":\"one\"}\n{\"method\":\"two\"}\n{\"meth");
	assert_string_equal(hear(fd), "{\"you\":\"one\"}");
	assert_string_equal(hear(fd), "{\"you\":\"two\"}");
	say(fd, "od\":\"three\"}\n");
	assert_string_equal(hear(fd), "{\"you\":\"three\"}");
	close(fd);
}

static void who_has_asked_all_gets_the_answers_and_the_end(void **state)
{
	int fd = dial();

	say(fd, "{\"method\":\"one\"}\nhello\n{\"method\":\"two\"}\n{\"half");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_string_equal(hear(fd), "{\"you\":\"one\"}");
	assert_non_null(strstr(hear(fd), "\"ok\":false"));
	assert_string_equal(hear(fd), "{\"you\":\"two\"}");
	assert_string_equal(hear(fd), "");
	close(fd);
}

static void a_late_answer_reaches_who_has_asked_all(void **state)
{
	int fd = dial();

	say(fd, "{\"method\":\"late\"}\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (int i = 0; i < 1000 && !w.late; i++)
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	assert_non_null(w.late);
	for (int i = 0; i < 50; i++)
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	control_reply(w.late, json_object());
	assert_string_equal(hear(fd), "{}");
	assert_string_equal(hear(fd), "");
	close(fd);
}

static void what_is_no_question_is_refused_and_the_client_may_go_on(void **state)
{
	static const char *const bad[] = {"hello\n", "[1]\n", "\n", "{\"a\":1,\"a\":2}\n",
					  "\xff\n"};
	int fd = dial();

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		say(fd, bad[i]);
		assert_non_null(strstr(hear(fd), "\"ok\":false"));
	}
	assert_int_equal(w.asked, 0);
	say(fd, "{\"method\":\"echo\"}\n");
	assert_string_equal(hear(fd), "{\"you\":\"echo\"}");
	close(fd);
}

static void a_line_without_end_ends_the_client(void **state)
{
	static char noise[100000];
	int fd = dial(), other = dial();

	memset(noise, 'x', sizeof(noise));
	for (int i = 0; i < 4; i++) {
		(void)!write(fd, noise, sizeof(noise));
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	}
	assert_true(is_cut_off(fd));
	/* Nobody else notices. */
	say(other, "{\"method\":\"echo\"}\n");
	assert_string_equal(hear(other), "{\"you\":\"echo\"}");
	close(fd);
	close(other);
}

static void a_client_that_does_not_read_stops_nobody(void **state)
{
	int slow = dial(), other = dial();

	for (int i = 0; i < 10; i++)
		say(slow, "{\"method\":\"big\"}\n");
	for (int i = 0; i < 50; i++)
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	/* One answer is made, the next question waits until it is taken. */
	assert_int_equal(w.asked, 1);
	say(other, "{\"method\":\"echo\"}\n");
	assert_string_equal(hear(other), "{\"you\":\"echo\"}");
	close(slow);
	close(other);
}

static void a_late_answer_for_somebody_who_left_is_dropped(void **state)
{
	int fd = dial();

	say(fd, "{\"method\":\"late\"}\n");
	for (int i = 0; i < 1000 && !w.late; i++)
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	assert_non_null(w.late);
	close(fd);
	for (int i = 0; i < 50; i++)
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	control_reply(w.late, json_object());
}

static void a_listener_gets_the_answer_and_then_lines(void **state)
{
	int fd = dial();

	say(fd, "{\"method\":\"listen\"}\n{\"method\":\"echo\"}\n");
	assert_string_equal(hear(fd), "{}");
	assert_non_null(w.stream);
	assert_true(control_stream_put(w.stream, "one", 3));
	assert_true(control_stream_put(w.stream, "two", 3));
	assert_string_equal(hear(fd), "one");
	assert_string_equal(hear(fd), "two");
	/* It has nothing more to ask. */
	assert_int_equal(w.asked, 1);
	control_stream_end(w.stream);
	assert_string_equal(hear(fd), "");
	assert_int_equal(w.closed, 0);
	close(fd);
}

static void a_listener_that_goes_is_told_of_once(void **state)
{
	int gone = dial(), half = dial();

	say(gone, "{\"method\":\"listen\"}\n");
	assert_string_equal(hear(gone), "{}");
	close(gone);
	for (int i = 0; i < 50; i++)
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	assert_int_equal(w.closed, 1);
	/* So is one that closes its side only. */
	say(half, "{\"method\":\"listen\"}\n");
	assert_string_equal(hear(half), "{}");
	assert_int_equal(shutdown(half, SHUT_WR), 0);
	assert_string_equal(hear(half), "");
	assert_int_equal(w.closed, 2);
	close(half);
}

static void the_end_of_the_socket_is_the_end_of_a_listener(void **state)
{
	int fd = dial();

	say(fd, "{\"method\":\"listen\"}\n");
	assert_string_equal(hear(fd), "{}");
	control_close(w.control);
	w.control = NULL;
	assert_int_equal(w.closed, 1);
	close(fd);
}

static void a_listener_that_does_not_read_loses_lines_and_nothing_else(void **state)
{
	static char line[1000];
	int slow = dial(), other = dial();
	unsigned taken = 0, heard = 0;

	memset(line, 'x', sizeof(line));
	say(slow, "{\"method\":\"listen\"}\n");
	assert_string_equal(hear(slow), "{}");
	for (int i = 0; i < 4000; i++) {
		taken += control_stream_put(w.stream, line, sizeof(line));
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	}
	/* What waits is bounded: half a megabyte, and what the sockets hold. */
	assert_in_range(taken, 500, 1500);
	say(other, "{\"method\":\"echo\"}\n");
	assert_string_equal(hear(other), "{\"you\":\"echo\"}");
	/* Everything that was taken arrives whole, and then there is room again. */
	for (; heard < taken; heard++)
		assert_int_equal(strlen(hear(slow)), sizeof(line));
	assert_true(control_stream_put(w.stream, "more", 4));
	assert_string_equal(hear(slow), "more");
	close(slow);
	close(other);
}

static void the_number_of_clients_is_bounded(void **state)
{
	int fds[40];

	for (int i = 0; i < 40; i++) {
		fds[i] = dial();
		for (int j = 0; j < 5; j++)
			event_base_loop(w.base, EVLOOP_NONBLOCK);
	}
	assert_string_equal(hear(fds[39]), "");
	say(fds[0], "{\"method\":\"echo\"}\n");
	assert_string_equal(hear(fds[0]), "{\"you\":\"echo\"}");
	for (int i = 0; i < 40; i++)
		close(fds[i]);
}

static void the_socket_is_for_its_owner_only(void **state)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_socket_in_use_is_not_taken_a_dead_one_is(void **state)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct control *second;
	int fd;

	assert_int_equal(control_open(w.base, path, answer, NULL, &second), -EADDRINUSE);
	control_close(w.control);
	w.control = NULL;
	/* As a daemon that was killed leaves it. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(name.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	close(fd);
	assert_int_equal(control_open(w.base, path, answer, NULL, &w.control), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A million filters take their time, in which nobody's deadline runs. */
static void an_answer_that_took_long_arrives(void **state)
{
	int fd = dial(), other = dial();

	assert_null(hear(other)); /* is there, and silent */
	say(fd, "{\"method\":\"slow\"}\n{\"method\":\"echo\"}\n");
	assert_string_equal(hear(fd), "{\"you\":\"slow\"}");
	assert_string_equal(hear(fd), "{\"you\":\"echo\"}");
	say(other, "{\"method\":\"echo\"}\n");
	assert_string_equal(hear(other), "{\"you\":\"echo\"}");
	close(fd);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_that_took_long_arrives),
		TEST(a_question_gets_its_answer),
		TEST(questions_in_one_write_are_answered_in_turn),
		TEST(who_has_asked_all_gets_the_answers_and_the_end),
		TEST(a_late_answer_reaches_who_has_asked_all),
		TEST(what_is_no_question_is_refused_and_the_client_may_go_on),
		TEST(a_line_without_end_ends_the_client),
		TEST(a_client_that_does_not_read_stops_nobody),
		TEST(a_late_answer_for_somebody_who_left_is_dropped),
		TEST(a_listener_gets_the_answer_and_then_lines),
		TEST(a_listener_that_goes_is_told_of_once),
		TEST(the_end_of_the_socket_is_the_end_of_a_listener),
		TEST(a_listener_that_does_not_read_loses_lines_and_nothing_else),
		TEST(the_number_of_clients_is_bounded),
		TEST(the_socket_is_for_its_owner_only),
		TEST(a_socket_in_use_is_not_taken_a_dead_one_is),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
