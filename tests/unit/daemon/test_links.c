/* SPDX-License-Identifier: BSD-2-Clause */
/* Which interfaces are meant by names, globs and exclusions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/links.h"

static bool wanted_of(const struct link *link, const char *const *patterns)
{
	size_t count = 0;

	while (patterns[count])
		count++;
	return links_wanted(link, patterns, count);
}

#define WANTED(link, ...) wanted_of(link, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static const struct link eth0 = {"eth0", 2, .ethernet = true, .up = true};
static const struct link eth1 = {"eth1", 3, .ethernet = true};
static const struct link lo = {"lo", 1, .ethernet = false, .loopback = true, .up = true};
static const struct link dummy_lo = {"lo9", 9, .ethernet = true, .loopback = true};
static const struct link tun0 = {"tun0", 4, .up = true};
static const struct link tap = {"xi12", 5, .ethernet = true, .up = true};
static const struct link xi = {"xi", 6, .ethernet = true};
static const struct link xia = {"xi1a", 7, .ethernet = true};

static void without_patterns_every_ethernet_interface(void **state)
{
	assert_true(WANTED(&eth0));
	/* Also while it is down: it is filtered before its first packet. */
	assert_true(WANTED(&eth1));
	assert_false(WANTED(&lo));
	assert_false(WANTED(&dummy_lo));
	assert_false(WANTED(&tun0));
}

static void taps_of_workers_are_not_taken_for_interfaces(void **state)
{
	assert_false(WANTED(&tap));
	assert_false(WANTED(&tap, "xi*"));
	assert_true(WANTED(&tap, "xi12"));
	assert_true(WANTED(&xi));
	assert_true(WANTED(&xia));
}

static void a_name_is_that_interface_whatever_it_is(void **state)
{
	assert_true(WANTED(&eth0, "eth0"));
	assert_false(WANTED(&eth1, "eth0"));
	assert_true(WANTED(&tun0, "tun0"));
	assert_true(WANTED(&eth1, "eth0", "eth1"));
}

static void globs(void **state)
{
	assert_true(WANTED(&eth0, "eth*"));
	assert_true(WANTED(&eth1, "eth[1-9]"));
	assert_false(WANTED(&eth0, "eth[1-9]"));
	assert_false(WANTED(&eth0, "wan?", "lan*"));
	assert_true(WANTED(&eth0, "wan?", "et?0"));
	assert_false(WANTED(&tun0, "*"));
	assert_false(WANTED(&lo, "*"));
}

static void exclusion_wins(void **state)
{
	assert_false(WANTED(&eth1, "eth*", "!eth1"));
	assert_false(WANTED(&eth1, "!eth1", "eth*"));
	assert_true(WANTED(&eth0, "eth*", "!eth1"));
	assert_false(WANTED(&eth0, "eth0", "!e*"));
}

static void exclusions_alone_leave_the_rest(void **state)
{
	assert_true(WANTED(&eth0, "!eth1"));
	assert_false(WANTED(&eth1, "!eth1"));
	assert_false(WANTED(&tun0, "!eth1"));
}

static void names_and_patterns(void **state)
{
	assert_true(links_is_name("eth0"));
	assert_true(links_is_name("eth0.5"));
	assert_false(links_is_name("eth*"));
	assert_false(links_is_name("e?h"));
	assert_false(links_is_name("eth[0-3]"));
	assert_false(links_is_name("!eth0"));
}

static void loopback_is_there(void **state)
{
	struct link *links = NULL;
	size_t count = 0;
	bool found = false;

	assert_int_equal(links_list(&links, &count), 0);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(links[i].name, "lo"))
			found = links[i].loopback && !links[i].ethernet && links[i].ifindex == 1;
	assert_true(found);
	free(links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_patterns_every_ethernet_interface),
		cmocka_unit_test(taps_of_workers_are_not_taken_for_interfaces),
		cmocka_unit_test(a_name_is_that_interface_whatever_it_is),
		cmocka_unit_test(globs),
		cmocka_unit_test(exclusion_wins),
		cmocka_unit_test(exclusions_alone_leave_the_rest),
		cmocka_unit_test(names_and_patterns),
		cmocka_unit_test(loopback_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
