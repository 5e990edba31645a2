/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BPF classifier against the reference model, packet by packet: the same
 * filter must decide, not only the same action. Random filter lists are drawn
 * from very few values, so that filters overlap, tie and hide each other all the
 * time; ClassBench sets bring realistic shapes and sizes. XI_FULL=1 takes more
 * of everything.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/classbench.h"
#include "../lib/data.h"
#include "../lib/classify_load.h"
#include "compile/image.h"
#include "util/addr.h"

static struct box *box;
static uint64_t state;
static uint64_t packets_compared, packets_matched;

/* An emulated CPU: the same tests, less often. */
static bool quick(void)
{
	return getenv("XI_QUICK") != NULL;
}

/* How often: XI_FULL asks for the long run, XI_QUICK for a tenth. */
static uint64_t rounds(uint64_t usual, uint64_t thorough)
{
	if (quick())
		return (usual + 9) / 10;
	return getenv("XI_FULL") ? thorough : usual;
}

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

static bool chance(unsigned percent)
{
	return draw(100) < percent;
}

/* ---------------------------------------------------------------- printing */

static void print_filter(const char *what, const struct filter *f)
{
	char remote[XI_PREFIX_STRLEN], local[XI_PREFIX_STRLEN];

	print_error("%s id %u %s v%u band %s %s remote %s %u-%u local %s %u-%u proto %d icmp %d/%d "
		    "iface %d\n",
		    what, f->id, f->dir == XI_DIR_IN ? "in" : "out", f->family, band_name(f->band),
		    action_name(f->action), xi_prefix_text(&f->remote, remote), f->remote_port_lo,
		    f->remote_port_hi, f->local_is_me ? "me" : xi_prefix_text(&f->local, local),
		    f->local_port_lo, f->local_port_hi, f->proto_given ? f->proto : -1,
		    f->icmp_type, f->icmp_code, f->iface_class);
}

static void print_packet(const struct xi_pkt *pkt)
{
	struct xi_addr remote = {.family = pkt->family}, local = {.family = pkt->family};
	char r[XI_ADDR_STRLEN], l[XI_ADDR_STRLEN];

	memcpy(remote.b, pkt->remote, 16);
	memcpy(local.b, pkt->local, 16);
	print_error("packet %s %s:%u %s:%u proto %u icmp %u/%u flags %#x iface %u\n",
		    pkt->dir == XI_DIR_IN ? "in" : "out", xi_addr_text(&remote, r),
		    pkt->remote_port, xi_addr_text(&local, l), pkt->local_port, pkt->proto,
		    pkt->icmp_type, pkt->icmp_code, pkt->flags, pkt->iface_class);
}

/* ----------------------------------------------------------------- comparing */

/* Every packet through both. Fails the test at the first difference. */
static void compare(const char *what, const struct image *image, const struct xi_pkt *pkts,
		    size_t count)
{
	const struct box_answer *answers;

	assert_int_equal(box_run(box, pkts, count, &answers, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		struct xi_verdict want = model_classify(image, &pkts[i]);
		const struct box_answer *got = &answers[i];

		packets_compared++;
		packets_matched += want.action != XI_ACT_NONE;
		if (!got->err && got->verdict.action == want.action &&
		    got->verdict.filter_idx == want.filter_idx)
			continue;
		print_error(
			"%s: packet %zu: error %d, got filter %d action %u, want %d action %u\n",
			what, i, got->err, (int)got->verdict.filter_idx, got->verdict.action,
			(int)want.filter_idx, want.action);
		print_packet(&pkts[i]);
		if (want.filter_idx < image->count)
			print_filter("want", &image->filters[want.filter_idx]);
		if (!got->err && got->verdict.filter_idx < image->count)
			print_filter("got", &image->filters[got->verdict.filter_idx]);
		fail();
	}
}

/* ------------------------------------------------------------------- drawing */

static const uint16_t ports[] = {0, 1, 22, 53, 79, 80, 81, 443, 500, 1023, 1024, 65534, 65535};
static const uint8_t protos[] = {6, 17, 1, 58, 47, 0};
#define PICK(a) ((a)[draw(sizeof(a) / sizeof((a)[0]))])

/* One of few addresses, which share long beginnings. */
static struct xi_addr draw_addr(uint8_t family)
{
	static const uint8_t v4_len[] = {0, 1, 7, 8, 9, 15, 16, 17, 24, 31, 32};
	static const uint8_t v6_len[] = {0, 1, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128};
	struct xi_addr addr = {.family = family,
			       .b = {0x20, 0x01, 0x0d, 0xb8, 0xa5, 0x5a, 0x00, 0xff, 0x11, 0x22,
				     0x33, 0x44, 0x55, 0x66, 0x77, 0x88}};
	uint8_t bit = family == 4 ? PICK(v4_len) : PICK(v6_len);

	if (bit && chance(60))
		addr.b[(bit - 1) / 8] ^= 0x80 >> (bit - 1) % 8;
	if (chance(30))
		addr.b[draw(family == 4 ? 4 : 16)] ^= 1u << draw(8);
	xi_addr_mask(&addr, xi_family_bits(family));
	return addr;
}

static struct xi_prefix draw_prefix(uint8_t family)
{
	static const uint8_t v4_len[] = {0, 0, 1, 8, 15, 16, 17, 24, 31, 32, 32};
	static const uint8_t v6_len[] = {0, 0, 1, 32, 47, 48, 49, 64, 65, 127, 128, 128};
	struct xi_prefix prefix = {.addr = draw_addr(family)};

	prefix.len = family == 4 ? PICK(v4_len) : PICK(v6_len);
	xi_addr_mask(&prefix.addr, prefix.len);
	return prefix;
}

static void draw_range(uint16_t *lo, uint16_t *hi)
{
	uint16_t a = PICK(ports), b = PICK(ports);

	switch (draw(4)) {
	case 0:
		a = 0;
		b = 65535;
		break;
	case 1:
		b = a;
		break;
	case 2:
		break;
	case 3:
		a = draw(65536);
		b = draw(65536);
		break;
	}
	*lo = a < b ? a : b;
	*hi = a < b ? b : a;
}

struct taste {
	unsigned me, iface, exempt, v6, out, icmp; /* percent */
	bool one_cell;				   /* everything behind one pair of addresses */
	bool twins; /* full-length local addresses beside `me`: equal in precedence */
};

static struct filter draw_filter(uint32_t id, const struct taste *taste)
{
	struct filter f = {.id = id,
			   .rule = id,
			   .rule_name = "random",
			   .dir = chance(taste->out) ? XI_DIR_OUT : XI_DIR_IN,
			   .band = XI_BAND_RULES,
			   .action = XI_ACT_PERMIT + draw(3),
			   .family = chance(taste->v6) ? 6 : 4,
			   .icmp_type = -1,
			   .icmp_code = -1,
			   .iface_class = chance(taste->iface) ? (int)draw(2) : -1};

	if (chance(taste->exempt))
		f.band = chance(50) ? XI_BAND_EXEMPTION : XI_BAND_IKE;
	f.remote = draw_prefix(f.family);
	f.local = draw_prefix(f.family);
	if (taste->one_cell) {
		f.remote.len = f.local.len = 8;
		f.remote.addr = f.local.addr = (struct xi_addr){.family = f.family, .b = {0x20}};
	} else if (chance(taste->me)) {
		f.local_is_me = true;
		f.local = (struct xi_prefix){.addr.family = f.family};
	}
	if (taste->twins) {
		f.remote.len = 0;
		f.remote.addr = (struct xi_addr){.family = f.family};
		f.local.len = xi_family_bits(f.family);
		f.local.addr = (struct xi_addr){.family = f.family, .b = {10, 0, 0, draw(3)}};
		if (f.local_is_me)
			f.local = (struct xi_prefix){.addr.family = f.family};
	}
	f.proto_given = taste->one_cell || chance(70);
	f.proto = !f.proto_given ? 0 : taste->one_cell ? 6 : PICK(protos);
	draw_range(&f.remote_port_lo, &f.remote_port_hi);
	draw_range(&f.local_port_lo, &f.local_port_hi);
	if (taste->twins && chance(70)) {
		f.remote_port_lo = f.local_port_lo = 0;
		f.remote_port_hi = f.local_port_hi = 65535;
	}
	if (f.proto_given && (f.proto == 1 || f.proto == 58) && chance(taste->icmp)) {
		f.icmp_type = chance(50) ? 8 : (int)draw(256);
		f.icmp_code = chance(50) ? (int)draw(3) : -1;
	}
	return f;
}

/* A packet that has a fair chance to sit on an edge of some filter. */
static struct xi_pkt draw_packet(const struct filter *filters, size_t count)
{
	const struct filter *f = &filters[draw(count)];
	struct xi_pkt pkt = {.family = f->family, .dir = f->dir, .len = 100};
	struct xi_addr remote = draw_addr(f->family), local = draw_addr(f->family);

	if (chance(60))
		memcpy(remote.b, f->remote.addr.b, (f->remote.len + 7) / 8);
	if (chance(60))
		memcpy(local.b, f->local.addr.b, (f->local.len + 7) / 8);
	memcpy(pkt.remote, remote.b, 16);
	memcpy(pkt.local, local.b, 16);
	pkt.proto = f->proto_given && chance(80) ? f->proto : PICK(protos);
	pkt.remote_port = chance(50) ? PICK(ports)
				     : (chance(50) ? f->remote_port_lo : f->remote_port_hi);
	pkt.local_port = chance(50) ? PICK(ports)
				    : (chance(50) ? f->local_port_lo : f->local_port_hi);
	if (chance(20))
		pkt.remote_port += draw(3) - 1;
	if (chance(20))
		pkt.local_port += draw(3) - 1;
	pkt.icmp_type = f->icmp_type >= 0 && chance(70) ? f->icmp_type : (int)draw(256);
	pkt.icmp_code = f->icmp_code >= 0 && chance(70) ? f->icmp_code : (int)draw(4);
	pkt.iface_class = draw(2);
	pkt.flags = (chance(50) ? XI_PKT_LOCAL_IS_ME : 0) | (chance(15) ? XI_PKT_LATER_FRAG : 0) |
		    (chance(10) ? XI_PKT_GROUP : 0);
	return pkt;
}

#define RANDOM_PACKETS 400

static uint32_t alive_max; /* 0: as compiled usually */

static void random_policy(uint64_t seed, size_t count, const struct taste *taste,
			  enum compile_rows rows)
{
	struct filter *filters = calloc(count, sizeof(*filters));
	struct xi_pkt *pkts = calloc(RANDOM_PACKETS, sizeof(*pkts));
	struct compile_opts opts = {.seed = seed, .rows = rows, .alive_max = alive_max};
	struct image *image;
	char what[64];

	state = seed * 0x9e3779b97f4a7c15ull | 1;
	assert_non_null(filters);
	assert_non_null(pkts);
	for (size_t i = 0; i < count; i++)
		filters[i] = draw_filter(i + 1, taste);
	assert_int_equal(compile_filters(filters, count, NULL, &opts, &image, NULL), 0);
	assert_int_equal(box_load(box, image), 0);
	for (size_t i = 0; i < RANDOM_PACKETS; i++)
		pkts[i] = draw_packet(filters, count);
	snprintf(what, sizeof(what), "policy %lu of %zu filters", (unsigned long)seed, count);
	compare(what, image, pkts, RANDOM_PACKETS);
	image_free(image);
	free(filters);
	free(pkts);
}

static void report(const char *what)
{
	print_message("           %s: %lu packets compared, %lu of them matched a filter\n", what,
		      (unsigned long)packets_compared, (unsigned long)packets_matched);
	/* A generator that never hits would prove nothing. */
	assert_true(packets_matched * 4 > packets_compared);
	packets_compared = packets_matched = 0;
}

/* --------------------------------------------------------------------- tests */

static void random_policies_without_rows(void **unused)
{
	const struct taste taste = {20, 10, 10, 40, 40, 70, false, false};

	for (uint64_t seed = 1; seed <= rounds(1500, 20000); seed++)
		random_policy(seed, 1 + seed % 90, &taste, COMPILE_ROWS_NEVER);
	report("without rows");
}

static void random_policies_with_rows(void **unused)
{
	const struct taste taste = {20, 5, 10, 40, 40, 70, false, false};

	for (uint64_t seed = 1; seed <= rounds(150, 2000); seed++)
		random_policy(seed, 1 + seed % 300, &taste, COMPILE_ROWS_ALWAYS);
	report("with rows");
}

/* Only few shapes may be alive at once, so most filters are in dense lists. */
static void random_policies_with_dense_lists(void **unused)
{
	const struct taste taste = {20, 5, 10, 40, 40, 70, false, false};
	const struct taste twins = {50, 0, 0, 40, 0, 0, false, true};

	for (uint64_t seed = 1; seed <= rounds(150, 2000); seed++) {
		alive_max = 1 + seed % 9;
		random_policy(seed, 1 + seed % 300, &taste, COMPILE_ROWS_AUTO);
		random_policy(seed, 1 + seed % 300, &twins, COMPILE_ROWS_AUTO);
	}
	alive_max = 0;
	report("dense lists");
}

/* More than 512 shapes: a lookup reads several lines of each row. */
static void random_policies_of_many_shapes(void **unused)
{
	const struct taste taste = {20, 0, 20, 100, 0, 70, false, false};

	for (uint64_t seed = 1; seed <= rounds(20, 200); seed++)
		random_policy(seed, 3000, &taste, COMPILE_ROWS_AUTO);
	report("many shapes");
}

/* Up to hundreds of overlapping ranges on both ports of one pair of prefixes. */
static void random_port_ranges_in_one_cell(void **unused)
{
	const struct taste taste = {0, 0, 0, 30, 30, 0, true, false};

	for (uint64_t seed = 1; seed <= rounds(500, 5000); seed++)
		random_policy(seed, 1 + seed * 7 % 600, &taste, COMPILE_ROWS_NEVER);
	report("one cell");
}

/* Two shapes of equal precedence: a match in the first must not hide the second. */
static void random_policies_of_me_beside_addresses(void **unused)
{
	const struct taste taste = {50, 0, 0, 30, 30, 0, false, true};

	for (uint64_t seed = 1; seed <= rounds(500, 5000); seed++)
		random_policy(seed, 1 + seed % 30, &taste, COMPILE_ROWS_NEVER);
	report("me beside addresses");
}

/* So many cells that some must go to their second bucket. */
static void every_one_of_131072_filters_is_found(void **unused)
{
	struct filter *filters = calloc(BOX_TRACE_MAX, sizeof(*filters));
	struct xi_pkt *pkts = calloc(BOX_TRACE_MAX, sizeof(*pkts));
	struct compile_opts opts = {0};
	const struct box_answer *answers;
	const struct xi_cells4 *buckets;
	struct image *image;
	size_t spilled = 0;

	assert_non_null(filters);
	assert_non_null(pkts);
	for (uint32_t i = 0; i < BOX_TRACE_MAX; i++) {
		filters[i] =
			(struct filter){.id = i + 1,
					.rule_name = "host",
					.dir = XI_DIR_IN,
					.band = XI_BAND_RULES,
					.action = XI_ACT_BLOCK,
					.family = 4,
					.remote.addr = {.family = 4, .b = {10, i >> 16, i >> 8, i}},
					.remote.len = 32,
					.local.addr.family = 4,
					.remote_port_hi = 65535,
					.local_port_hi = 65535,
					.icmp_type = -1,
					.icmp_code = -1,
					.iface_class = -1};
		pkts[i] = (struct xi_pkt){.family = 4, .remote = {10, i >> 16, i >> 8, i}};
	}
	assert_int_equal(compile_filters(filters, BOX_TRACE_MAX, NULL, &opts, &image, NULL), 0);
	buckets = image->tables[XI_TABLE_CELLS4].data;
	for (size_t i = 0; i < image->tables[XI_TABLE_CELLS4].count; i++)
		spilled += buckets[i].cell[0].in.over != 0;
	assert_true(spilled > 0);
	assert_int_equal(box_load(box, image), 0);
	assert_int_equal(box_run(box, pkts, BOX_TRACE_MAX, &answers, NULL), 0);
	for (uint32_t i = 0; i < BOX_TRACE_MAX; i++) {
		assert_int_equal(answers[i].err, 0);
		assert_int_equal(answers[i].verdict.action, XI_ACT_BLOCK);
		assert_int_equal(image->filters[answers[i].verdict.filter_idx].id, i + 1);
	}
	print_message("           %zu buckets sent cells to another\n", spilled);
	image_free(image);
	free(filters);
	free(pkts);
}

static void empty_list_matches_nothing(void **unused)
{
	struct compile_opts opts = {0};
	struct xi_pkt pkt = {.family = 4};
	const struct box_answer *answers;
	struct image *image;

	assert_int_equal(compile_filters(NULL, 0, NULL, &opts, &image, NULL), 0);
	assert_int_equal(box_load(box, image), 0);
	assert_int_equal(box_run(box, &pkt, 1, &answers, NULL), 0);
	assert_int_equal(answers[0].err, 0);
	assert_int_equal(answers[0].verdict.action, XI_ACT_NONE);
	assert_int_equal(answers[0].verdict.filter_idx, XI_NO_FILTER);
	image_free(image);
}

/* Tables that lead nowhere are an error, not "no match": the caller must drop. */
static void damaged_list_is_an_error(void **unused)
{
	struct compile_opts opts = {0};
	struct xi_pkt pkt = {.family = 4};
	const struct box_answer *answers;
	struct image_table *spaces;
	struct image *image;

	assert_int_equal(compile_filters(NULL, 0, NULL, &opts, &image, NULL), 0);
	spaces = &image->tables[XI_TABLE_SPACE];
	memset(spaces->data, 0xff, (size_t)spaces->count * spaces->value_size);
	assert_int_equal(box_load(box, image), 0);
	assert_int_equal(box_run(box, &pkt, 1, &answers, NULL), 0);
	assert_in_range(-answers[0].err, 1, 4095);
	image_free(image);
}

/* ---------------------------------------------------------------- ClassBench */

/* Headers on the corners of filters: the ends of prefixes and ranges, and one beyond. */
static struct xi_pkt corner(const struct classbench *set)
{
	const struct filter *f = &set->filters[draw(set->count)];
	struct xi_pkt pkt = {.dir = XI_DIR_IN, .family = f->family, .len = 64};
	unsigned bytes = f->family == 4 ? 4 : 16;

	memcpy(pkt.remote, f->remote.addr.b, 16);
	memcpy(pkt.local, f->local.addr.b, 16);
	for (unsigned bit = f->remote.len; chance(50) && bit < 8 * bytes; bit++)
		pkt.remote[bit / 8] |= 0x80 >> bit % 8;
	for (unsigned bit = f->local.len; chance(50) && bit < 8 * bytes; bit++)
		pkt.local[bit / 8] |= 0x80 >> bit % 8;
	pkt.remote_port = (chance(50) ? f->remote_port_lo : f->remote_port_hi) + draw(3) - 1;
	pkt.local_port = (chance(50) ? f->local_port_lo : f->local_port_hi) + draw(3) - 1;
	pkt.proto = f->proto_given ? f->proto : draw(256);
	pkt.flags = chance(5) ? XI_PKT_LATER_FRAG : 0;
	return pkt;
}

static struct xi_pkt any_header(uint8_t family)
{
	struct xi_pkt pkt = {.dir = XI_DIR_IN, .family = family, .len = 64};

	for (unsigned i = 0; i < (family == 4 ? 4 : 16); i++) {
		pkt.remote[i] = draw(256);
		pkt.local[i] = draw(256);
	}
	pkt.remote_port = draw(65536);
	pkt.local_port = draw(65536);
	pkt.proto = draw(256);
	return pkt;
}

/* Packets of its trace, on its corners and from anywhere. */
static void check_set(const char *name, const struct classbench *set)
{
	struct compile_opts opts = {0};
	struct image *image;
	struct xi_pkt *pkts;
	size_t want, n = 0;

	assert_int_equal(compile_filters(set->filters, set->count, NULL, &opts, &image, NULL), 0);
	assert_int_equal(box_load(box, image), 0);
	/* The model's work is packets x filters: a fixed budget for each set. */
	want = 30000000 / set->count;
	want = want < 200 ? 200 : want;
	want = rounds(want > 40000 ? 40000 : want, 60000);
	pkts = calloc(want, sizeof(*pkts));
	assert_non_null(pkts);
	state = 12345;
	for (; n < want; n++) {
		unsigned kind = draw(8);

		if (kind < 4)
			pkts[n] = set->trace[draw(set->trace_count)];
		else if (kind < 7)
			pkts[n] = corner(set);
		else
			pkts[n] = any_header(set->filters->family);
	}
	for (size_t at = 0; at < n; at += BOX_TRACE_MAX) {
		compare(name, image, pkts + at, n - at < BOX_TRACE_MAX ? n - at : BOX_TRACE_MAX);
	}
	print_message("           %s: %zu filters, %zu effective, %zu packets\n", name, set->count,
		      image->count, n);
	packets_compared = packets_matched = 0;
	free(pkts);
	image_free(image);
}

static void load_set(const char *name, struct classbench *set)
{
	char path[512];
	int err;

	snprintf(path, sizeof(path), "%s/%s", data_root(), name);
	err = classbench_load(path, set);
	if (err == -ENOENT) {
		print_message("           %s is not there: skipped\n", path);
		skip();
	}
	assert_int_equal(err, 0);
}

static void classbench_set(const char *name)
{
	struct classbench set;

	load_set(name, &set);
	check_set(name, &set);
	classbench_free(&set);
}

/* The number behind the last '_' of a set's name; 0 when there is none. */
static unsigned long promised(const char *name)
{
	const char *underline = strrchr(name, '_');

	return underline ? strtoul(underline + 1, NULL, 10) : 0;
}

/* The sets of a folder whose names promise more than `above` and at most `most` filters. */
static void classbench_folder(const char *folder, unsigned long above, unsigned long most)
{
	static const char suffix[] = ".rules.xz";
	char **list;
	size_t done = 0, count = data_list(folder, suffix, &list);

	for (size_t i = 0; i < count; i++) {
		unsigned long size = promised(list[i]);

		if (size > most || (above && size <= above))
			continue;
		list[i][strlen(list[i]) - strlen(suffix)] = '\0';
		classbench_set(list[i]);
		done++;
	}
	data_list_free(list, count);
	if (!done)
		data_skip(folder);
}

static void classbench_sets_of_1000(void **unused)
{
	classbench_folder("classbench", 0, 1000);
}

static void classbench_sets_of_10000(void **unused)
{
	classbench_folder("classbench", 1000, 10000);
}

static void classbench_sets_of_100000(void **unused)
{
	if (quick()) {
		print_message("skipped: too long for XI_QUICK\n");
		skip();
	}
	classbench_folder("classbench", 10000, 100000);
}

static void classbench_ipv6(void **unused)
{
	classbench_folder("classbench/v6", 0, quick() ? 10000 : 100000);
}

static void a_million_filters(void **unused)
{
	if (quick()) {
		print_message("skipped: too long for XI_QUICK\n");
		skip();
	}
	classbench_folder("classbench/million", 100000, 1000000);
}

/* More than 200,000: a set three times, under other networks each time. */
static void two_hundred_thousand_ipv6_filters(void **unused)
{
	struct classbench set;
	size_t count, copies;

	if (quick()) {
		print_message("skipped: too long for XI_QUICK\n");
		skip();
	}
	load_set("classbench/v6/fw1_v6_100000", &set);
	count = set.count;
	copies = 200000 / count + 1;
	set.filters = realloc(set.filters, copies * count * sizeof(*set.filters));
	assert_non_null(set.filters);
	for (size_t i = count; i < copies * count; i++) {
		set.filters[i] = set.filters[i % count];
		set.filters[i].id = i + 1;
		if (set.filters[i].remote.len >= 16)
			set.filters[i].remote.addr.b[1] ^= i / count;
		else if (set.filters[i].local.len >= 16)
			set.filters[i].local.addr.b[1] ^= i / count;
	}
	set.count = copies * count;
	for (size_t i = 0; i < set.trace_count; i += 2)
		set.trace[i].remote[1] ^= i / 2 % copies;
	check_set("v6/fw1_v6_100000, three times", &set);
	classbench_free(&set);
}

/* Many shapes alive for one packet; many ranges behind one key, on one and on both ports. */
static void adversarial_sets(void **unused)
{
	classbench_folder("classbench/adversarial", 0, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_list_is_an_error),
		cmocka_unit_test(empty_list_matches_nothing),
		cmocka_unit_test(random_policies_without_rows),
		cmocka_unit_test(random_policies_with_rows),
		cmocka_unit_test(random_policies_with_dense_lists),
		cmocka_unit_test(random_policies_of_many_shapes),
		cmocka_unit_test(random_port_ranges_in_one_cell),
		cmocka_unit_test(random_policies_of_me_beside_addresses),
		cmocka_unit_test(every_one_of_131072_filters_is_found),
		cmocka_unit_test(classbench_sets_of_1000),
		cmocka_unit_test(classbench_sets_of_10000),
		cmocka_unit_test(classbench_sets_of_100000),
		cmocka_unit_test(a_million_filters),
		cmocka_unit_test(classbench_ipv6),
		cmocka_unit_test(two_hundred_thousand_ipv6_filters),
		cmocka_unit_test(adversarial_sets),
	};
	int rc, err = box_open(&box, 0);

	if (err) {
		fprintf(stderr, "test_classify: the program does not load: %s (are you root?)\n",
			strerror(-err));
		return 1;
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	box_close(box);
	return rc;
}
