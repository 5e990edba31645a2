/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of instances, which become folders under /run and in bpffs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <xipsec/abi.h>

#include "daemon/priv.h"
#include "util/instance.h"

static void names_are_plain(void **state)
{
	static const char *const good[] = {"main", "a", "alice-2_b", "_x"};
	/* bpffs knows no dots in names. */
	static const char *const bad[] = {"",	     ".",   "..",	"a.b", "a/b",
					  "../main", "a b", "\xc3\xa4", "-x"};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(instance_name_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(instance_name_ok(bad[i]));
	assert_false(instance_name_ok(NULL));
}

/* What the command line takes, the maps can hold. */
static void the_longest_name_fits_the_maps(void **state)
{
	char name[XI_INSTANCE_LEN + 1];

	memset(name, 'a', sizeof(name));
	name[XI_INSTANCE_LEN] = '\0';
	assert_false(instance_name_ok(name));
	name[XI_INSTANCE_LEN - 1] = '\0';
	assert_true(instance_name_ok(name));
}

static void the_socket_lies_in_the_folder(void **state)
{
	char dir[INSTANCE_PATH_MAX], path[INSTANCE_PATH_MAX];

	instance_run_dir("main", dir);
	instance_socket("main", path);
	assert_string_equal(dir, "/run/xipsec/main");
	assert_string_equal(path, "/run/xipsec/main/control.sock");
}

/* It stands beside the folders of the instances, and no socket may get into it. */
static void the_empty_root_is_nobodys_folder(void **state)
{
	assert_false(instance_name_ok(strrchr(PRIV_EMPTY_DIR, '/') + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_plain),
		cmocka_unit_test(the_longest_name_fits_the_maps),
		cmocka_unit_test(the_socket_lies_in_the_folder),
		cmocka_unit_test(the_empty_root_is_nobodys_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
