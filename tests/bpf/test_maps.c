/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The maps as people meet them: names that fit, type information everywhere, the
 * inner maps of a filter list included; and what the verifier had to do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "datapath/internal.h"
#include "skel/xipsec.skel.h"
#include "tests/lib/verdict.h"

static char complaints[4096];

__attribute__((format(printf, 2, 0))) static int collect(enum libbpf_print_level level,
							 const char *fmt, va_list ap)
{
	size_t used = strlen(complaints);

	if (level == LIBBPF_WARN)
		vsnprintf(complaints + used, sizeof(complaints) - used, fmt, ap);
	return 0;
}

/* libbpf falls back to maps without types ("Retrying without BTF") and goes on. */
static void libbpf_has_nothing_to_complain_about(void **state)
{
	libbpf_print_fn_t before;
	struct xipsec *skel;

	if (geteuid())
		skip();
	before = libbpf_set_print(collect);
	skel = xipsec__open_and_load();
	libbpf_set_print(before);
	assert_non_null(skel);
	xipsec__destroy(skel);
	assert_string_equal(complaints, "");
}

static struct bpf_map_info info_of(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info;
}

static bool takes_types(uint32_t type)
{
	return type != BPF_MAP_TYPE_RINGBUF && type != BPF_MAP_TYPE_XSKMAP &&
	       type != BPF_MAP_TYPE_ARRAY_OF_MAPS;
}

static void every_map_has_its_name_and_types(void **state)
{
	struct image *image = filters_compile(NULL, 0);
	struct testrun *run = verdict_open(image, NULL);
	struct datapath *dp = testrun_datapath(run);

	for (unsigned i = 0; i < DP_MAP_MAX; i++) {
		struct bpf_map_info info = info_of(dp->map[i]);

		/* The kernel cuts names at 15 characters without a word. */
		assert_string_equal(info.name, dp_map_name(i));
		assert_memory_equal(info.name, "xi_", 3);
		if (takes_types(info.type))
			assert_int_not_equal(info.btf_value_type_id, 0);
	}
	testrun_close(run);
	image_free(image);
}

static void inner_maps_have_their_names_and_types(void **state)
{
	static const struct filter_spec one = {XI_DIR_IN, XI_ACT_BLOCK};
	struct image *image = filters_compile(&one, 1);
	struct testrun *run = verdict_open(image, NULL);
	struct datapath *dp = testrun_datapath(run);

	for (unsigned i = 0; i < DP_INNER_MAX; i++) {
		int outer = dp->map[i < XI_TABLE_MAX ? DP_MAP_TABLES + i : DP_MAP_COUNTS_OF], fd;
		struct bpf_map_info info;
		uint32_t id;

		assert_int_equal(bpf_map_lookup_elem(outer, &dp->ctl->active, &id), 0);
		fd = bpf_map_get_fd_by_id(id);
		assert_true(fd >= 0);
		info = info_of(fd);
		assert_string_equal(info.name, dp_table_name(i));
		assert_int_not_equal(info.btf_key_type_id, 0);
		assert_int_not_equal(info.btf_value_type_id, 0);
		close(fd);
	}
	testrun_close(run);
	image_free(image);
}

/* A figure to watch, and a limit with room for older kernels' less patient verifiers. */
static void the_verifier_is_far_from_its_limit(void **state)
{
	struct testrun *run = verdict_open(NULL, NULL);
	struct datapath *dp = testrun_datapath(run);

	for (unsigned i = 0; i < DP_PROG_MAX; i++) {
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);

		assert_int_equal(bpf_obj_get_info_by_fd(dp->prog[i], &info, &len), 0);
		print_message("%s: %u instructions verified, %u bytes\n", dp_prog_name(i),
			      info.verified_insns, info.xlated_prog_len);
		assert_in_range(info.verified_insns, 1, 700000);
	}
	testrun_close(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libbpf_has_nothing_to_complain_about),
		cmocka_unit_test(every_map_has_its_name_and_types),
		cmocka_unit_test(inner_maps_have_their_names_and_types),
		cmocka_unit_test(the_verifier_is_far_from_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
