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
#include <bpf/btf.h>

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

/*
 * What a dump may show as a number, whatever its width. All else is a struct, an enum, or bytes:
 * an address or a verdict that is added as an integer is none of these.
 */
static const char *const numbers[] = {
	/* counted */
	"packets", "bytes", "filters", "count", "lines", "shapes", "chunks", "buckets", "leaves",
	"rows", "queues", "sent", "suppressed", "lost", "held", "rounds", "len", "frame_len",
	"captured", "generation", "settled", "epoch", "skip", "axis_count",
	/* places in a table */
	"filter", "filter_idx", "rule", "id", "first", "first_shape", "first_bucket",
	"first_filter", "axis_first", "node_first", "group_end", "limit", "vector", "slot",
	"active", "line", "dense", "xsk_base", "value", "frag_bound", "cpu", "sa_id",
	/* as the packet has it, or a bound of that */
	"family", "proto", "remote_port", "local_port", "remote_port_lo", "remote_port_hi",
	"local_port_lo", "local_port_hi", "icmp_type", "icmp_code", "ident", "frag_ident", "x_lo",
	"x_hi", "y_lo", "y_hi", "from", "remote_len", "local_len", "depth",
	/* bits, yes or no */
	"flags", "list_flags", "ctl_flags", "fields", "out_forms", "listeners", "over", "summary",
	"of_local", "large", "swapped", "to_host", "ask", "loaded",
	/* clocks, hashes, and what the kernel counts from one */
	"last_ns", "time_ns", "ns", "second", "seed", "mult", "tag", "build", "abi", "netns",
	"ifindex", "tap_ifindex", "native_errno", "generic_errno", "result", "pad"};

static bool may_be_a_number(const char *name)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (!strcmp(name, numbers[i]))
			return true;
	return false;
}

struct reading {
	unsigned enums, bytes, bad;
};

/* Complains of each member of a type, and of those inside it, that does not tell what it is. */
static void read_members(const struct btf *btf, const char *map, uint32_t id, struct reading *seen)
{
	const struct btf_type *type = btf__type_by_id(btf, btf__resolve_type(btf, id));
	const struct btf_member *member;

	if (!btf_is_composite(type))
		return;
	member = btf_members(type);
	for (unsigned i = 0; i < btf_vlen(type); i++, member++) {
		const char *name = btf__name_by_offset(btf, member->name_off);
		uint32_t inner = btf__resolve_type(btf, member->type);
		const struct btf_type *what = btf__type_by_id(btf, inner);
		bool array = btf_is_array(what), number, fine;

		while (btf_is_array(what)) {
			inner = btf__resolve_type(btf, btf_array(what)->type);
			what = btf__type_by_id(btf, inner);
		}
		number = btf_is_int(what) && !(array && what->size == 1 && strcmp(name, "pad"));
		fine = *name && !btf_member_bitfield_size(type, i) &&
		       (!number || may_be_a_number(name));
		/* Two IPv6 words are no place in a port axis. */
		if (number && array && !strcmp(name, "from"))
			fine = false;
		if (!fine) {
			print_error("%s: struct %s.%s does not tell what it is\n", map,
				    btf__name_by_offset(btf, type->name_off), name);
			seen->bad++;
		}
		seen->enums += btf_is_any_enum(what);
		seen->bytes += btf_is_int(what) && !number;
		read_members(btf, map, inner, seen);
	}
}

static void read_map(int fd, struct reading *seen)
{
	struct bpf_map_info info = info_of(fd);
	struct btf *btf;

	if (!takes_types(info.type))
		return;
	btf = btf__load_from_kernel_by_id(info.btf_id);
	assert_non_null(btf);
	read_members(btf, info.name, info.btf_key_type_id, seen);
	read_members(btf, info.name, info.btf_value_type_id, seen);
	btf__free(btf);
}

static void a_dump_shows_names_and_addresses(void **state)
{
	static const struct filter_spec one = {XI_DIR_IN, XI_ACT_BLOCK};
	struct image *image = filters_compile(&one, 1);
	struct testrun *run = verdict_open(image, NULL);
	struct datapath *dp = testrun_datapath(run);
	struct reading seen = {0};

	for (unsigned i = 0; i < DP_MAP_MAX; i++)
		read_map(dp->map[i], &seen);
	for (unsigned i = 0; i < DP_TABLE_MAX; i++)
		read_map(dp->slot[dp->ctl->active].table[i].fd, &seen);
	assert_int_equal(seen.bad, 0);
	/* It did look: there are more of both. */
	assert_in_range(seen.enums, 20, 1000);
	assert_in_range(seen.bytes, 20, 1000);
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
		cmocka_unit_test(a_dump_shows_names_and_addresses),
		cmocka_unit_test(the_verifier_is_far_from_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
