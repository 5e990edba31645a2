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
#include "skel/xipsec_list.skel.h"
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
	struct xipsec_list *list;
	struct xipsec *skel;

	if (geteuid())
		skip();
	before = libbpf_set_print(collect);
	skel = xipsec__open_and_load();
	list = xipsec_list__open_and_load();
	libbpf_set_print(before);
	assert_non_null(skel);
	assert_non_null(list);
	xipsec__destroy(skel);
	xipsec_list__destroy(list);
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
	       type != BPF_MAP_TYPE_PROG_ARRAY;
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

static void tables_have_their_names_and_types(void **state)
{
	static const struct filter_spec one = {XI_DIR_IN, XI_ACT_BLOCK};
	struct image *image = filters_compile(&one, 1);
	struct testrun *run = verdict_open(image, NULL);
	struct datapath *dp = testrun_datapath(run);

	for (unsigned i = 0; i < DP_TABLE_MAX; i++) {
		struct bpf_map_info info = info_of(dp->slot[dp->ctl->active].table[i].fd);

		assert_string_equal(info.name, dp_table_name(i));
		assert_int_not_equal(info.btf_key_type_id, 0);
		assert_int_not_equal(info.btf_value_type_id, 0);
	}
	testrun_close(run);
	image_free(image);
}

/* A figure to watch, and a limit with room for older kernels' less patient verifiers. */
static void the_verifier_is_far_from_its_limit(void **state)
{
	struct xipsec_list *skel;
	struct bpf_program *prog;

	if (geteuid())
		skip();
	skel = xipsec_list__open_and_load();
	assert_non_null(skel);
	bpf_object__for_each_program(prog, skel->obj) {
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);

		assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len), 0);
		print_message("%s: %u instructions verified, %u bytes\n", bpf_program__name(prog),
			      info.verified_insns, info.xlated_prog_len);
		assert_in_range(info.verified_insns, 1, 700000);
	}
	xipsec_list__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libbpf_has_nothing_to_complain_about),
		cmocka_unit_test(every_map_has_its_name_and_types),
		cmocka_unit_test(tables_have_their_names_and_types),
		cmocka_unit_test(the_verifier_is_far_from_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
