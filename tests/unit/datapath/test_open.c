/* SPDX-License-Identifier: BSD-2-Clause */
/* What opening a datapath refuses before it asks the kernel for anything. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "datapath/internal.h"
#include "datapath/probe.h"

static void a_bad_name_is_told(void **state)
{
	struct datapath_opts opts = {.instance = "../main"};
	struct datapath *dp = (void *)0x1;
	struct diag diag = {0};

	assert_int_equal(datapath_open(&opts, &dp, &diag), -EINVAL);
	assert_int_equal(diag.errors, 1);
	assert_ptr_equal(dp, (void *)0x1); /* untouched on failure */
	diag_free(&diag);
	assert_int_equal(datapath_teardown("../main", &diag), -EINVAL);
	diag_free(&diag);
	datapath_close(NULL);
}

static void a_pin_lies_in_its_instance(void **state)
{
	char path[128];

	dp_pin_path(path, sizeof(path), "main", "xi_ctl");
	assert_string_equal(path, "/sys/fs/bpf/xipsec/main/xi_ctl");
	dp_pin_path(path, sizeof(path), "main", NULL);
	assert_string_equal(path, "/sys/fs/bpf/xipsec/main");
}

/* The kernel cuts names behind 15 characters: two maps could become one. */
static void names_fit_the_kernel(void **state)
{
	for (unsigned i = 0; i < DP_MAP_MAX; i++) {
		assert_in_range(strlen(dp_map_name(i)), 4, 15);
		assert_memory_equal(dp_map_name(i), "xi_", 3);
	}
	for (unsigned i = 0; i < DP_PROG_MAX; i++)
		assert_in_range(strlen(dp_prog_name(i)), 4, 15);
	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		assert_in_range(strlen(dp_table_name(i)), 4, 15);
}

static void usable_means_everything_needed(void **state)
{
	struct datapath_features features;

	memset(&features, 0, sizeof(features));
	for (unsigned i = 0; i < DP_FEATURE_MAX; i++)
		features.have[i] = datapath_feature_info(i)->needed;
	assert_true(datapath_usable(&features));
	features.have[DP_FEATURE_XDP] = false;
	assert_false(datapath_usable(&features));
}

/* ENOTSUPP, which drivers return for what they do not do. Its low byte is ENOMEM. */
static void an_error_of_the_kernels_own_is_kept_and_told(void **state)
{
	struct xi_iface iface = {.native_errno = 524, .generic_errno = 4095};

	assert_int_equal(iface.native_errno, 524);
	assert_int_equal(iface.generic_errno, 4095);
	assert_string_equal(dp_errno_text(iface.native_errno), strerror(EOPNOTSUPP));
	assert_string_equal(dp_errno_text(EBUSY), strerror(EBUSY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_name_is_told),
		cmocka_unit_test(a_pin_lies_in_its_instance),
		cmocka_unit_test(names_fit_the_kernel),
		cmocka_unit_test(an_error_of_the_kernels_own_is_kept_and_told),
		cmocka_unit_test(usable_means_everything_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
