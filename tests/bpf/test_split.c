/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shapes that the compiler parted (compile/split.c) against the reference model:
 * beside `me`, which is equal in precedence to a full-length local prefix, so that
 * parts of both must all be tried, and beside filters for any protocol, which come
 * after those of one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "../lib/classify_load.h"
#include "compile/image.h"
#include "util/addr.h"

#define FILTERS 300
#define PACKETS 2000
#define ROUNDS	60

static struct box *box;
static uint64_t state = 20031205;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

static const uint8_t protos[] = {6, 17, 1, 47};

/* Remote /16s and hosts in them, local hosts or `me`: four pairs of lengths, with protocols eight.
 */
static struct filter draw_filter(uint32_t id)
{
	struct filter f = {.id = id,
			   .rule = id,
			   .rule_name = "split",
			   .dir = XI_DIR_IN,
			   .band = XI_BAND_RULES,
			   .action = XI_ACT_PERMIT + draw(3),
			   .family = 4,
			   .remote.addr = {.family = 4, .b = {10, draw(6)}},
			   .remote.len = 16,
			   .local.addr = {.family = 4, .b = {192, 0, 2, draw(8)}},
			   .local.len = 32,
			   .proto_given = draw(3),
			   .remote_port_hi = 65535,
			   .local_port_hi = 65535,
			   .icmp_type = -1,
			   .icmp_code = -1,
			   .iface_class = -1};

	if (draw(2)) {
		f.remote.addr.b[3] = draw(3);
		f.remote.len = 32;
	}
	if (!draw(3)) {
		f.local_is_me = true;
		f.local = (struct xi_prefix){.addr.family = 4};
	} else if (!draw(4)) {
		f.local.addr.b[3] = 0;
		f.local.len = 24;
	}
	if (f.proto_given)
		f.proto = protos[draw(4)];
	if (f.proto == 1 && draw(2))
		f.icmp_type = draw(3);
	if (f.proto != 1 && draw(2))
		f.remote_port_lo = f.remote_port_hi = draw(4);
	if (f.proto != 1 && draw(2))
		f.local_port_lo = f.local_port_hi = draw(4);
	return f;
}

static struct xi_pkt draw_packet(void)
{
	struct xi_pkt pkt = {.family = 4,
			     .dir = XI_DIR_IN,
			     .remote = {10, draw(6), 0, draw(4)},
			     .local = {192, 0, 2, draw(9)},
			     .proto = protos[draw(4)],
			     .flags = draw(2) ? XI_PKT_LOCAL_IS_ME : 0};

	if (pkt.proto == 1) {
		pkt.icmp_type = draw(4);
	} else if (pkt.proto != 47) {
		pkt.remote_port = draw(5);
		pkt.local_port = draw(5);
	}
	return pkt;
}

/* Parts stand beside each other: shapes of the same lengths with the same flags. */
static void count_parts(const struct image *image, uint32_t *ret_parts, uint32_t *ret_twins)
{
	const struct xi_space *spaces = image->tables[XI_TABLE_SPACE].data;
	const struct xi_space *space = &spaces[XI_SPACE_INDEX(XI_DIR_IN, 4, 0, 0)];
	const struct xi_shape *shapes = image->tables[XI_TABLE_SHAPE].data;

	for (uint32_t s = 1; s < space->shapes; s++) {
		const struct xi_shape *shape = &shapes[space->first_shape + s];

		if (shape->remote_len != shape[-1].remote_len || shape->band != shape[-1].band ||
		    shape->local_len != shape[-1].local_len || shape->flags != shape[-1].flags)
			continue;
		++*(shape->flags & XI_SHAPE_TWIN ? ret_twins : ret_parts);
	}
}

static void check(const struct filter filters[FILTERS], uint64_t seed, uint32_t *ret_parts,
		  uint32_t *ret_twins, uint32_t *ret_matches)
{
	struct compile_opts opts = {.seed = seed, .rows = COMPILE_ROWS_ALWAYS};
	struct xi_pkt pkts[PACKETS];
	const struct box_answer *answers;
	struct image *image;

	assert_int_equal(compile_filters(filters, FILTERS, NULL, &opts, &image, NULL), 0);
	count_parts(image, ret_parts, ret_twins);
	assert_int_equal(box_load(box, image), 0);
	for (size_t i = 0; i < PACKETS; i++)
		pkts[i] = draw_packet();
	assert_int_equal(box_run(box, pkts, PACKETS, &answers, NULL), 0);
	for (size_t i = 0; i < PACKETS; i++) {
		struct xi_verdict want = model_classify(image, &pkts[i]);

		assert_int_equal(answers[i].err, 0);
		assert_int_equal(answers[i].verdict.filter_idx, want.filter_idx);
		assert_int_equal(answers[i].verdict.action, want.action);
		*ret_matches += want.filter_idx != XI_NO_FILTER;
	}
	image_free(image);
}

static void parted_shapes_are_exact_beside_me_and_any_protocol(void **unused)
{
	uint32_t parts = 0, twins = 0, matches = 0;
	struct filter filters[FILTERS];

	for (uint64_t round = 1; round <= ROUNDS; round++) {
		for (uint32_t i = 0; i < FILTERS; i++)
			filters[i] = draw_filter(i + 1);
		check(filters, round, &parts, &twins, &matches);
	}
	print_message("           %u lists: %u parts, %u more of shapes beside `me`; %u of %u "
		      "packets matched\n",
		      ROUNDS, parts, twins, matches, ROUNDS * PACKETS);
	/* Without any parts this would show nothing. */
	assert_true(parts > 5 * ROUNDS && twins > 5 * ROUNDS);
	assert_true(matches > ROUNDS * PACKETS / 2);
}

static int open_box(void **unused)
{
	return box_open(&box, 0);
}

static int close_box(void **unused)
{
	box_close(box);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parted_shapes_are_exact_beside_me_and_any_protocol),
	};

	if (geteuid()) {
		print_message("skipped: needs root to load BPF programs\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, open_box, close_box);
}
