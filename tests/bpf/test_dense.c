/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worst-case engine against the reference model: the same filter must decide,
 * for filters and packets of very few values, so that everything overlaps and
 * ties, and for lists written to make the engine work as hard as it can.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "compile/build.h"
#include "compile/dense.h"
#include "skel/dense_test.skel.h"
#include "util/addr.h"

#define TRACE_MAX (1 << 17)
#define PACKETS	  2000
#define LIMIT	  4096 /* the most that struct xi_dense_filter.limit can be */

/* What XI_FOUND and its kin in bpf/dense.bpf.h make. */
#define NOTHING 0xffffffffull
#define BLOCKED ((uint64_t)(XI_ACT_BLOCK | LIMIT << 8) << 32) /* filter 0 */
#define DAMAGED 0xffffffff00000000ull

static struct dense_test *skel;
static struct xi_pkt *trace;
static uint64_t *answers;
static uint64_t state;
static uint64_t compared, matched;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

#define PICK(a) ((a)[draw(sizeof(a) / sizeof((a)[0]))])

/* ------------------------------------------------------------------ loading */

static const char *const table_names[XI_TABLE_MAX] = {
#define XI_TABLE(NAME, name, type) name,
#include <xipsec/tables.def>
#undef XI_TABLE
};

static const size_t value_sizes[XI_TABLE_MAX] = {
#define XI_TABLE(NAME, name, type) sizeof(type),
#include <xipsec/tables.def>
#undef XI_TABLE
};

/* The most that one list of XI_DENSE_MAX filters can need. */
static const size_t capacities[XI_TABLE_MAX] = {
	[XI_TABLE_DENSE] = 2,
	[XI_TABLE_DSTEP] = XI_DENSE_FIELDS * (2 * XI_DENSE_MAX + 1),
	[XI_TABLE_DSTEP6] = 2 * (2 * XI_DENSE_MAX + 1),
	[XI_TABLE_DLINE] = XI_DENSE_FIELDS * (2 * XI_DENSE_MAX + 1) * XI_DENSE_LINES,
	[XI_TABLE_DFILTER] = XI_DENSE_MAX,
};
static void *memory[XI_TABLE_MAX];

static void *map_memory(struct bpf_map *map, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

static int open_engine(void **unused)
{
	skel = dense_test__open();
	if (!skel)
		return -1;
	for (int t = 0; t < XI_TABLE_MAX; t++) {
		struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, table_names[t]);

		if (capacities[t])
			bpf_map__set_max_entries(map, capacities[t]);
	}
	if (dense_test__load(skel))
		return -1;
	for (int t = 0; t < XI_TABLE_MAX; t++) {
		if (!capacities[t])
			continue;
		memory[t] = map_memory(bpf_object__find_map_by_name(skel->obj, table_names[t]),
				       capacities[t] * value_sizes[t]);
		if (!memory[t])
			return -1;
	}
	trace = map_memory(skel->maps.xi_trace, TRACE_MAX * sizeof(*trace));
	answers = map_memory(skel->maps.xi_answers, TRACE_MAX * sizeof(*answers));
	return trace && answers ? 0 : -1;
}

static int close_engine(void **unused)
{
	dense_test__destroy(skel);
	return 0;
}

/* Into the maps. */
static void place(struct build *build)
{
	for (int t = 0; t < XI_TABLE_MAX; t++) {
		assert_true(build->tab[t].count <= capacities[t]);
		if (build->tab[t].count)
			memcpy(memory[t], build->tab[t].data, build->tab[t].count * value_sizes[t]);
		free(build->tab[t].data);
	}
}

/* A dense list of the whole image, which is all of one space. */
static void load(const struct image *image, bool frag)
{
	struct build build = {0};
	struct entry *entries = calloc(image->count, sizeof(*entries));
	struct xi_rect rect;
	size_t count = 0;

	assert_non_null(entries);
	for (int t = 0; t < XI_TABLE_MAX; t++)
		build.tab[t].size = value_sizes[t];
	for (size_t i = 0; i < image->count; i++)
		if (filter_rect(&image->filters[i], i, frag, &rect))
			entries[count++] = make_entry(&image->filters[i], &rect);
	for (size_t i = 0; i < count; i++)
		entries[i].shape = LIMIT;
	if (count) {
		assert_int_equal(dense_build(&build, entries, count), 0);
	} else {
		/* Nothing to build: a list that is not there. */
		assert_int_equal(dense_build(&build, entries, count), -E2BIG);
		memset(memory[XI_TABLE_DENSE], 0, sizeof(struct xi_dense));
	}
	place(&build);
	free(entries);
}

static uint64_t run_program(struct bpf_program *prog, size_t count, uint32_t index)
{
	char frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);

	skel->bss->count = count;
	skel->bss->dense_index = index;
	memset(answers, 0xee, count * sizeof(*answers));
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	return opts.duration;
}

static uint64_t run(size_t count, uint32_t index)
{
	return run_program(skel->progs.dense_many, count, index);
}

static void compare(const char *what, const struct image *image, size_t count)
{
	run(count, 0);
	for (size_t i = 0; i < count; i++) {
		struct xi_verdict want = model_classify(image, &trace[i]);

		if ((uint32_t)answers[i] != want.filter_idx)
			print_error("%s, packet %zu: filter %u, the model says %u\n", what, i,
				    (uint32_t)answers[i], want.filter_idx);
		assert_int_equal((uint32_t)answers[i], want.filter_idx);
		assert_int_equal(answers[i] >> 32 & 0xff, want.action);
		/* Only there for the asker; load() gave all filters the same. */
		if (want.filter_idx != XI_NO_FILTER)
			assert_int_equal(answers[i] >> 40, LIMIT);
		compared++;
		matched += want.filter_idx != XI_NO_FILTER;
	}
}

/* ------------------------------------------------------------ random filters */

static const uint8_t protos[] = {6, 6, 17, 1, 58, 47, 0, 255};
static const uint16_t ports[] = {0, 1, 22, 80, 81, 443, 1023, 1024, 65534, 65535};

static struct xi_addr draw_addr(uint8_t family)
{
	struct xi_addr addr = {.family = family, .b = {0x20, 0x01, 0x0d, 0xb8, 0xa5, 0x5a}};
	unsigned bits = xi_family_bits(family), bit = draw(bits);

	if (draw(4))
		addr.b[bit / 8] ^= 0x80 >> bit % 8;
	if (!draw(20))
		memset(addr.b, draw(2) ? 0xff : 0, sizeof(addr.b));
	xi_addr_mask(&addr, bits);
	return addr;
}

static struct xi_prefix draw_prefix(uint8_t family)
{
	struct xi_prefix prefix = {.addr = draw_addr(family)};

	prefix.len = draw(3) ? draw(xi_family_bits(family) + 1) : 0;
	xi_addr_mask(&prefix.addr, prefix.len);
	return prefix;
}

static void draw_range(uint16_t *lo, uint16_t *hi)
{
	uint16_t a = PICK(ports), b = draw(2) ? PICK(ports) : draw(65536);

	*lo = a < b ? a : b;
	*hi = a < b ? b : a;
	if (!draw(3))
		*lo = 0, *hi = 65535;
}

static struct filter draw_filter(uint32_t id, uint8_t family)
{
	struct filter f = {.id = id,
			   .rule_name = "random",
			   .dir = XI_DIR_IN,
			   .band = draw(9) ? XI_BAND_RULES : XI_BAND_EXEMPTION,
			   .action = XI_ACT_PERMIT + draw(3),
			   .family = family,
			   .remote = draw_prefix(family),
			   .local = draw_prefix(family),
			   .local_is_me = !draw(4),
			   .proto_given = draw(10) < 7,
			   .icmp_type = -1,
			   .icmp_code = -1,
			   .iface_class = -1};

	if (f.local_is_me)
		f.local = (struct xi_prefix){.addr.family = family};
	f.proto = f.proto_given ? PICK(protos) : 0;
	draw_range(&f.remote_port_lo, &f.remote_port_hi);
	draw_range(&f.local_port_lo, &f.local_port_hi);
	if (f.proto_given && (f.proto == 1 || f.proto == 58) && draw(3)) {
		f.icmp_type = draw(2) ? 8 : draw(256);
		f.icmp_code = draw(2) ? (int)draw(3) : -1;
	}
	return f;
}

static struct xi_pkt draw_packet(const struct filter *f)
{
	struct xi_pkt pkt = {.family = f->family, .dir = f->dir};
	struct xi_addr remote = draw_addr(f->family), local = draw_addr(f->family);

	if (draw(3))
		memcpy(remote.b, f->remote.addr.b, (f->remote.len + 7) / 8);
	if (draw(3))
		memcpy(local.b, f->local.addr.b, (f->local.len + 7) / 8);
	memcpy(pkt.remote, remote.b, 16);
	memcpy(pkt.local, local.b, 16);
	pkt.proto = f->proto_given && draw(5) ? f->proto : PICK(protos);
	pkt.remote_port = draw(2) ? PICK(ports) : draw(2) ? f->remote_port_lo : f->remote_port_hi;
	pkt.local_port = draw(2) ? PICK(ports) : draw(2) ? f->local_port_lo : f->local_port_hi;
	pkt.remote_port += draw(5) ? 0 : draw(3) - 1;
	pkt.local_port += draw(5) ? 0 : draw(3) - 1;
	pkt.icmp_type = f->icmp_type >= 0 && draw(3) ? f->icmp_type : (int)draw(256);
	pkt.icmp_code = f->icmp_code >= 0 && draw(3) ? f->icmp_code : (int)draw(4);
	pkt.flags = draw(2) ? XI_PKT_LOCAL_IS_ME : 0;
	return pkt;
}

static struct image *image_of(const struct filter *filters, size_t count)
{
	struct compile_opts opts = {.no_tables = true};
	struct image *image = NULL;

	assert_int_equal(compile_filters(filters, count, NULL, &opts, &image, NULL), 0);
	return image;
}

static void random_list(uint64_t seed, size_t count, uint8_t family)
{
	struct filter *filters = calloc(count, sizeof(*filters));
	struct image *image;
	char what[64];

	assert_non_null(filters);
	state = seed * 0x9e3779b97f4a7c15ull | 1;
	for (size_t i = 0; i < count; i++)
		filters[i] = draw_filter(i + 1, family);
	image = image_of(filters, count);
	snprintf(what, sizeof(what), "list %lu of %zu filters", (unsigned long)seed, image->count);
	for (int frag = 0; frag < 2; frag++) {
		load(image, frag);
		for (size_t i = 0; i < PACKETS; i++) {
			trace[i] = draw_packet(&filters[draw(count)]);
			if (frag)
				trace[i].flags |= XI_PKT_LATER_FRAG;
		}
		compare(what, image, PACKETS);
	}
	image_free(image);
	free(filters);
}

static void report(void)
{
	print_message("           %lu packets compared, %lu of them matched a filter\n",
		      (unsigned long)compared, (unsigned long)matched);
	assert_true(matched * 4 > compared);
	compared = matched = 0;
}

/* --------------------------------------------------------------------- tests */

/* XI_FULL asks for the long run, XI_QUICK (an emulated CPU) for a short one. */
static uint64_t rounds(void)
{
	return getenv("XI_FULL") ? 4000 : getenv("XI_QUICK") ? 20 : 300;
}

static void random_lists_as_the_model_has_them(void **unused)
{
	for (uint64_t seed = 1; seed <= rounds(); seed++)
		random_list(seed, 1 + seed * 7 % 700, seed % 2 ? 4 : 6);
	report();
}

static void the_largest_lists_as_the_model_has_them(void **unused)
{
	random_list(1001, XI_DENSE_MAX, 4);
	random_list(1002, XI_DENSE_MAX, 6);
	random_list(1003, XI_DENSE_MAX - 63, 4);
	report();
}

/* Every pair of prefix lengths of one address: all cover it, and the longest wins. */
static void prefixes_in_prefixes(void **unused)
{
	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t family = v6 ? 6 : 4;
		unsigned lens = v6 ? 64 : 33, step = v6 ? 2 : 1;
		struct filter *filters = calloc(lens * lens, sizeof(*filters));
		struct image *image;
		size_t count = 0;

		assert_non_null(filters);
		state = 77;
		for (unsigned r = 0; r < lens; r++) {
			for (unsigned l = 0; l < lens; l++) {
				struct filter f = draw_filter(++count, family);

				f.band = XI_BAND_RULES;
				f.local_is_me = f.proto_given = false;
				f.proto = 0;
				f.icmp_type = f.icmp_code = -1;
				f.remote_port_lo = f.local_port_lo = 0;
				f.remote_port_hi = f.local_port_hi = 65535;
				f.remote.addr = f.local.addr = (struct xi_addr){.family = family};
				memset(f.remote.addr.b, 0xa5, family == 4 ? 4 : 16);
				memset(f.local.addr.b, 0x5a, family == 4 ? 4 : 16);
				f.remote.len = r * step;
				f.local.len = l * step;
				xi_addr_mask(&f.remote.addr, f.remote.len);
				xi_addr_mask(&f.local.addr, f.local.len);
				filters[count - 1] = f;
			}
		}
		image = image_of(filters, count);
		assert_int_equal(image->count, count);
		load(image, false);
		for (size_t i = 0; i < PACKETS; i++) {
			unsigned bits = xi_family_bits(family), bit = draw(bits + 1);

			trace[i] = (struct xi_pkt){.family = family, .proto = 6};
			memset(trace[i].remote, 0xa5, bits / 8);
			memset(trace[i].local, 0x5a, bits / 8);
			if (bit < bits)
				trace[i].remote[bit / 8] ^= 0x80 >> bit % 8;
			bit = draw(bits + 1);
			if (bit < bits)
				trace[i].local[bit / 8] ^= 0x80 >> bit % 8;
		}
		compare("nest", image, PACKETS);
		image_free(image);
		free(filters);
	}
	report();
}

/*
 * Filters that make every part of a lookup as long as it can be: as many steps in
 * every field as there can be, and bits in every word of every vector. A third of
 * the filters tell remote addresses apart, a third local ones, all of them ports.
 */
static struct filter hard_filter(uint32_t i, uint8_t family)
{
	struct filter f = {.id = i + 1,
			   .rule_name = "hard",
			   .band = XI_BAND_RULES,
			   .action = XI_ACT_BLOCK,
			   .family = family,
			   .proto_given = true,
			   .proto = 17,
			   .icmp_type = -1,
			   .icmp_code = -1,
			   .iface_class = -1};

	f.remote.addr.family = f.local.addr.family = family;
	if (i % 3 != 2) {
		struct xi_prefix *side = i % 3 ? &f.remote : &f.local;

		side->len = 14;
		side->addr.b[0] = i * 5 >> 6;
		side->addr.b[1] = i * 5 << 2;
	}
	f.remote_port_lo = i * 7;
	f.remote_port_hi = i * 7 + 32767;
	f.local_port_lo = 32767 - i * 7;
	f.local_port_hi = 65534 - i * 7;
	return f;
}

static void hard_list(uint8_t family)
{
	struct filter *filters = calloc(XI_DENSE_MAX, sizeof(*filters));
	const struct xi_dense *dense = memory[XI_TABLE_DENSE];
	struct image *image;
	uint64_t ns = ~0ull;

	assert_non_null(filters);
	for (uint32_t i = 0; i < XI_DENSE_MAX; i++)
		filters[i] = hard_filter(i, family);
	image = image_of(filters, XI_DENSE_MAX);
	assert_int_equal(image->count, XI_DENSE_MAX);
	load(image, false);
	for (int field = 0; field < XI_DENSE_FIELDS; field++) {
		assert_true(dense->field[field].count <= 2 * XI_DENSE_MAX + 1);
		assert_true(dense->field[field].count <= 1u << XI_DENSE_HALVINGS);
	}
	state = 99;
	for (size_t i = 0; i < PACKETS; i++) {
		trace[i] = (struct xi_pkt){.family = family,
					   .proto = 17,
					   .remote_port = draw(32768),
					   .local_port = draw(32768) & draw(32768)};
		for (int b = 0; b < 4; b++) {
			trace[i].remote[b] = draw(256);
			trace[i].local[b] = draw(256);
		}
	}
	compare("hard", image, PACKETS);
	for (int i = 0; i < 20; i++) {
		uint64_t took = run(PACKETS, 0);

		ns = took < ns ? took : ns;
	}
	print_message("           IPv%u: %lu ns a packet, %u %u %u %u steps\n", family,
		      (unsigned long)(ns / PACKETS), dense->field[0].count, dense->field[1].count,
		      dense->field[2].count, dense->field[3].count);
	image_free(image);
	free(filters);
}

static void the_hardest_lists_are_exact_and_bounded(void **unused)
{
	hard_list(4);
	hard_list(6);
	print_message("           %lu packets compared, %lu of them matched a filter\n",
		      (unsigned long)compared, (unsigned long)matched);
	assert_true(matched > 500 && matched < compared / 2);
	compared = matched = 0;
}

static void random_rects(size_t count, unsigned width)
{
	struct xi_rect *rects = calloc(count, sizeof(*rects));
	struct build build = {0};
	uint64_t ns = ~0ull;

	assert_non_null(rects);
	for (int t = 0; t < XI_TABLE_MAX; t++)
		build.tab[t].size = value_sizes[t];
	for (size_t i = 0; i < count; i++) {
		struct xi_rect *r = &rects[i];

		draw_range(&r->x_lo, &r->x_hi);
		draw_range(&r->y_lo, &r->y_hi);
		if (r->x_hi - r->x_lo > (int)width)
			r->x_hi = r->x_lo + width;
		if (r->y_hi - r->y_lo > (int)width)
			r->y_hi = r->y_lo + width;
		r->filter = 3 * i;
		r->action = XI_ACT_PERMIT + draw(3);
	}
	assert_int_equal(dense_build_rects(&build, rects, count), 0);
	place(&build);
	for (size_t i = 0; i < PACKETS; i++)
		trace[i] = (struct xi_pkt){.remote_port = draw(2) ? PICK(ports) : draw(65536),
					   .local_port = draw(2) ? PICK(ports) : draw(65536)};
	run_program(skel->progs.rects_many, PACKETS, 0);
	for (size_t i = 0; i < PACKETS; i++) {
		uint64_t want = NOTHING;

		for (size_t k = 0; k < count && want == NOTHING; k++)
			if (rects[k].x_lo <= trace[i].remote_port &&
			    rects[k].x_hi >= trace[i].remote_port &&
			    rects[k].y_lo <= trace[i].local_port &&
			    rects[k].y_hi >= trace[i].local_port)
				want = (uint64_t)rects[k].action << 32 | rects[k].filter;
		assert_int_equal(answers[i], want);
		compared++;
		matched += want != NOTHING;
	}
	for (size_t i = 0; i < PACKETS; i++)
		trace[i] = (struct xi_pkt){.remote_port = draw(65536), .local_port = draw(65536)};
	for (int i = 0; i < 10; i++) {
		uint64_t took = run_program(skel->progs.rects_many, PACKETS, 0);

		ns = took < ns ? took : ns;
	}
	print_message("           %zu rectangles: %lu ns a packet\n", count,
		      (unsigned long)(ns / PACKETS));
	free(rects);
}

static void rectangles_of_one_cell(void **unused)
{
	static const size_t counts[] = {1, 2, 18, 100, 511, 512, 513, 1000, XI_DENSE_MAX};

	state = 31;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		random_rects(counts[i], 65535);
		random_rects(counts[i], 2000);
	}
	report();
}

/* An index that leads nowhere is an error, never "no filter". */
static void damaged_tables_are_noticed(void **unused)
{
	struct filter f = hard_filter(2, 4);
	struct image *image = image_of(&f, 1);
	struct xi_dense *dense = memory[XI_TABLE_DENSE], whole;

	load(image, false);
	whole = *dense;
	trace[0] =
		(struct xi_pkt){.family = 4, .proto = 17, .remote_port = 99, .local_port = 40000};
	run(1, 0);
	assert_int_equal(answers[0], BLOCKED);
	run(1, 7);
	assert_int_equal(answers[0], DAMAGED);
	for (int field = 0; field < XI_DENSE_FIELDS; field++) {
		dense->field[field].first = 0x7fffffff;
		run(1, 0);
		assert_int_equal(answers[0], field == XI_DENSE_ICMP ? BLOCKED : DAMAGED);
		*dense = whole;
	}
	dense->first_filter = 0x7fffffff;
	run(1, 0);
	assert_int_equal(answers[0], DAMAGED);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_lists_as_the_model_has_them),
		cmocka_unit_test(the_largest_lists_as_the_model_has_them),
		cmocka_unit_test(prefixes_in_prefixes),
		cmocka_unit_test(the_hardest_lists_are_exact_and_bounded),
		cmocka_unit_test(rectangles_of_one_cell),
		cmocka_unit_test(damaged_tables_are_noticed),
	};

	if (geteuid()) {
		print_message("skipped: needs root to load BPF programs\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, open_engine, close_engine);
}
