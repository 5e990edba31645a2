/* SPDX-License-Identifier: BSD-2-Clause */
/* IKE's datagrams wait for the SA that they announce. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <event2/event.h>

#include "daemon/outbox.h"

static struct event_base *base;
static struct outbox *box;
static char sent[256];

static int note(const struct ike_path *path, const void *msg, size_t len)
{
	if (strlen(sent) + len < sizeof(sent))
		strncat(sent, msg, len);
	return 0;
}

static int setup(void **state)
{
	base = event_base_new();
	box = outbox_new(base, note);
	sent[0] = '\0';
	return !box;
}

static int teardown(void **state)
{
	outbox_free(box);
	event_base_free(base);
	return 0;
}

static void say(const char *word)
{
	static const struct ike_path path;

	assert_int_equal(outbox_send(box, &path, word, strlen(word)), 0);
}

static void without_an_sa_under_way_nothing_waits(void **state)
{
	say("1");
	assert_string_equal(sent, "1");
}

static void datagrams_wait_for_the_sa_and_keep_their_order(void **state)
{
	outbox_wait(box, 0x1000);
	say("1");
	say("2");
	assert_string_equal(sent, "");
	outbox_done(box, 0x1000);
	say("3");
	assert_string_equal(sent, "123");
}

static void all_sas_are_waited_for(void **state)
{
	outbox_wait(box, 0x1000);
	outbox_wait(box, 0x2000);
	say("1");
	outbox_done(box, 0x1000);
	outbox_done(box, 0x3000);
	assert_string_equal(sent, "");
	outbox_done(box, 0x2000);
	assert_string_equal(sent, "1");
}

static void an_sa_that_never_comes_does_not_silence_ike(void **state)
{
	outbox_wait(box, 0x1000);
	say("1");
	event_base_dispatch(base); /* until nothing is left to wait for */
	assert_string_equal(sent, "1");
	say("2");
	assert_string_equal(sent, "12");
}

static void a_full_box_lets_everything_go_in_order(void **state)
{
	outbox_wait(box, 0x1000);
	for (int i = 0; i < OUTBOX_MAX; i++)
		say("a");
	assert_string_equal(sent, "");
	say("b");
	assert_int_equal(strlen(sent), OUTBOX_MAX + 1);
	assert_int_equal(sent[OUTBOX_MAX], 'b');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_an_sa_under_way_nothing_waits),
		TEST(datagrams_wait_for_the_sa_and_keep_their_order),
		TEST(all_sas_are_waited_for),
		TEST(an_sa_that_never_comes_does_not_silence_ike),
		TEST(a_full_box_lets_everything_go_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
