/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filter lists written to hurt: shapes and overlaps at their maximum, thousands
 * of port ranges behind one pair of addresses, keys that differ in one bit, and
 * traffic that sweeps. The compiler may refuse such a list in words. What it
 * takes, it must classify as the model does.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/classify_load.h"
#include "../lib/model_index.h"
#include "compile/image.h"
#include "util/addr.h"

#define PACKETS 8000
#define BUDGET	60000000 /* packets times filters: the model's work */

static struct box *box;
static uint64_t state;
static unsigned deep_percent = 60; /* of packets around deep_remote and deep_local */

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

struct list {
	struct filter *filters;
	size_t count;
};

static struct filter blank(uint8_t family)
{
	return (struct filter){.rule_name = "adversary",
			       .dir = XI_DIR_IN,
			       .band = XI_BAND_RULES,
			       .family = family,
			       .remote.addr.family = family,
			       .local.addr.family = family,
			       .proto_given = true,
			       .proto = 6,
			       .remote_port_hi = 65535,
			       .local_port_hi = 65535,
			       .icmp_type = -1,
			       .icmp_code = -1,
			       .iface_class = -1};
}

static void add(struct list *list, const struct filter *f)
{
	if (!(list->count & (list->count - 1))) {
		list->filters = realloc(list->filters,
					(list->count ? 2 * list->count : 1) * sizeof(*f));
		assert_non_null(list->filters);
	}
	list->filters[list->count] = *f;
	list->filters[list->count].id = list->count + 1;
	list->filters[list->count].rule = list->count;
	list->filters[list->count].action = XI_ACT_PERMIT + list->count % 3;
	list->count++;
}

static void set_prefix(struct xi_prefix *prefix, const uint8_t addr[16], uint8_t len)
{
	memcpy(prefix->addr.b, addr, 16);
	prefix->len = len;
	xi_addr_mask(&prefix->addr, len);
}

static const uint8_t deep_remote[16] = {10,   0x5a, 0xa5, 0x3c, 0xc3, 0x66, 0x99, 0x0f,
					0xf0, 1,    2,	  3,	4,    5,    6,	  7};
static const uint8_t deep_local[16] = {192, 0xa8, 0x77, 0x81, 0x18, 0xe7, 0x7e, 0xff,
				       0,   8,	  9,	10,   11,   12,	  13,	14};

/* The addresses of some filter, now and then with a bit turned anywhere. */
static void near_addr(uint8_t ret[16], const struct xi_prefix *prefix, const uint8_t deep[16],
		      unsigned bits)
{
	memcpy(ret, chance(deep_percent) ? deep : prefix->addr.b, 16);
	if (chance(60)) {
		unsigned bit = draw(bits);

		ret[bit / 8] ^= 0x80 >> bit % 8;
	}
	memset(ret + bits / 8, 0, 16 - bits / 8);
}

static struct xi_pkt near_packet(const struct list *list)
{
	const struct filter *f = &list->filters[draw(list->count)];
	struct xi_pkt pkt = {.dir = XI_DIR_IN, .family = f->family, .proto = f->proto, .len = 60};
	unsigned bits = xi_family_bits(f->family);

	near_addr(pkt.remote, &f->remote, deep_remote, bits);
	near_addr(pkt.local, &f->local, deep_local, bits);
	pkt.remote_port = chance(50) ? f->remote_port_lo + draw(3) - 1 : draw(65536);
	pkt.local_port = chance(50) ? f->local_port_hi + draw(3) - 1 : draw(65536);
	if (chance(10))
		pkt.flags |= XI_PKT_LATER_FRAG;
	return pkt;
}

/* Refused in words, or exact on traffic that aims at the list. */
static void refused_or_exact(const char *what, struct list *list, bool may_refuse)
{
	struct compile_opts opts = {.seed = 0x1234567};
	struct xi_pkt *pkts = calloc(PACKETS, sizeof(*pkts));
	const struct box_answer *answers;
	struct image *image = NULL;
	struct model_index *model;
	struct diag diag = {0};
	bool quick = getenv("XI_QUICK"); /* an emulated CPU */
	size_t matched = 0, count = (quick ? BUDGET / 20 : BUDGET) / list->count;
	int err = compile_filters(list->filters, list->count, NULL, &opts, &image, &diag);
	char *said = diag_text(&diag);

	if (count > (quick ? PACKETS / 8 : PACKETS))
		count = quick ? PACKETS / 8 : PACKETS;
	assert_non_null(pkts);
	if (err) {
		print_message("           %s: %zu filters refused: %s", what, list->count, said);
		assert_int_equal(err, -EINVAL);
		assert_true(may_refuse && strlen(said) > 20);
		goto out;
	}
	assert_int_equal(box_load(box, image), 0);
	model = model_index_make(image);
	assert_non_null(model);
	for (size_t i = 0; i < count; i++)
		pkts[i] = near_packet(list);
	assert_int_equal(box_run(box, pkts, count, &answers, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		struct xi_verdict want = model_index_classify(model, &pkts[i]);

		matched += want.action != XI_ACT_NONE;
		if (answers[i].err || answers[i].verdict.filter_idx != want.filter_idx ||
		    answers[i].verdict.action != want.action)
			fail_msg("%s: packet %zu: error %d, filter %d, want %d", what, i,
				 answers[i].err, (int)answers[i].verdict.filter_idx,
				 (int)want.filter_idx);
	}
	print_message("           %s: %zu filters, %zu packets, %zu matched\n", what, list->count,
		      count, matched);
	assert_true(matched > count / 20);
	model_index_free(model);
	image_free(image);
out:
	free(said);
	diag_free(&diag);
	free(pkts);
	free(list->filters);
	*list = (struct list){0};
}

/* ------------------------------------------------------------------- ranges */

static void draw_range(uint16_t *lo, uint16_t *hi)
{
	uint16_t a = draw(65536), b = chance(50) ? draw(65536) : a + draw(200);

	*lo = a < b ? a : b;
	*hi = a < b ? b : a;
}

static void ranges_behind_one_pair(void **unused)
{
	static const size_t sizes[] = {18, 300, 3000, 20000};
	struct list list = {0};

	for (unsigned axes = 1; axes <= 3; axes++) {
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			char what[64];

			state = 77 + s + axes;
			for (size_t i = 0; i < sizes[s]; i++) {
				struct filter f = blank(i % 2 ? 4 : 6);

				set_prefix(&f.remote, deep_remote, 16);
				set_prefix(&f.local, deep_local, 24);
				if (axes & 1)
					draw_range(&f.local_port_lo, &f.local_port_hi);
				if (axes & 2)
					draw_range(&f.remote_port_lo, &f.remote_port_hi);
				add(&list, &f);
			}
			snprintf(what, sizeof(what), "%s ranges",
				 axes == 3   ? "remote and local"
				 : axes == 2 ? "remote"
					     : "local");
			refused_or_exact(what, &list, sizes[s] > 3000);
		}
	}
}

/* Every port its own filter, and wide ones above all of them. */
static void every_port_of_a_host(void **unused)
{
	struct list list = {0};

	state = 5;
	for (uint32_t port = 0; port < 65536; port++) {
		struct filter f = blank(4);

		set_prefix(&f.remote, deep_remote, 0);
		set_prefix(&f.local, deep_local, 32);
		f.local_port_lo = f.local_port_hi = port;
		add(&list, &f);
	}
	refused_or_exact("65,536 ports", &list, false);
}

/* ------------------------------------------------------------------- shapes */

/* Every pair of lengths around one pair of addresses: all alive for one packet. */
static void nested(uint8_t family, unsigned step, const char *what)
{
	unsigned bits = xi_family_bits(family);
	struct list list = {0};

	state = 11;
	for (unsigned r = 0; r <= bits; r += step)
		for (unsigned l = 0; l <= bits; l += step)
			for (unsigned p = 0; p < 2; p++) {
				struct filter f = blank(family);

				set_prefix(&f.remote, deep_remote, r);
				set_prefix(&f.local, deep_local, l);
				f.proto_given = p;
				f.proto = p ? 6 : 0;
				if (p)
					f.local_port_lo = f.local_port_hi = draw(65536);
				add(&list, &f);
			}
	refused_or_exact(what, &list, true);
}

static void nested_prefixes(void **unused)
{
	nested(4, 4, "9 x 9 nested, IPv4");
	nested(4, 2, "17 x 17 nested, IPv4");
	nested(4, 1, "33 x 33 nested, IPv4");
	nested(6, 8, "17 x 17 nested, IPv6");
	nested(6, 4, "33 x 33 nested, IPv6");
	nested(6, 1, "129 x 129 nested, IPv6");
}

/* The same many shapes, but spread over many address pairs, and then mixed with hosts. */
static void many_shapes_far_apart(void **unused)
{
	struct list list = {0};

	state = 21;
	for (unsigned i = 0; i < 20000; i++) {
		struct filter f = blank(4);
		uint8_t remote[16] = {draw(256), draw(256), draw(256), draw(256)};
		uint8_t local[16] = {draw(256), draw(256), draw(256), draw(256)};

		set_prefix(&f.remote, remote, 8 + draw(25));
		set_prefix(&f.local, local, 8 + draw(25));
		f.proto_given = chance(70);
		f.proto = f.proto_given ? 6 : 0;
		if (f.proto_given)
			f.local_port_lo = f.local_port_hi = draw(1024);
		add(&list, &f);
	}
	deep_percent = 0;
	refused_or_exact("all shapes, far apart", &list, false);
	deep_percent = 60;
}

/* Each filter overlaps each other one, none covers another. */
static void staircase(void **unused)
{
	struct list list = {0};

	state = 31;
	for (unsigned r = 0; r <= 32; r++)
		for (unsigned k = 0; k < 60; k++) {
			struct filter f = blank(4);

			set_prefix(&f.remote, deep_remote, r);
			set_prefix(&f.local, deep_local, 32 - r);
			f.local_port_lo = k * 500;
			f.local_port_hi = k * 500 + 30000;
			add(&list, &f);
		}
	refused_or_exact("staircase", &list, false);
}

/* --------------------------------------------------------------------- keys */

/* Keys that differ in one or two bits each: what weak hashes confuse. */
static void keys_one_bit_apart(void **unused)
{
	struct list list = {0};

	state = 41;
	for (unsigned a = 0; a < 64; a++)
		for (unsigned b = a; b < 64; b++)
			for (unsigned proto = 0; proto < 16; proto++) {
				struct filter f = blank(4);
				uint64_t flip = 1ull << a | 1ull << b;
				uint8_t remote[16], local[16];

				memcpy(remote, deep_remote, 16);
				memcpy(local, deep_local, 16);
				for (unsigned i = 0; i < 4; i++) {
					remote[i] ^= flip >> 8 * i;
					local[i] ^= flip >> (32 + 8 * i);
				}
				set_prefix(&f.remote, remote, 32);
				set_prefix(&f.local, local, 32);
				f.proto = 6 + proto;
				add(&list, &f);
			}
	refused_or_exact("keys one bit apart", &list, false);
}

/* A long list of single hosts, all in few /16. */
static void hosts_of_few_networks(void **unused)
{
	struct list list = {0};

	state = 51;
	for (uint32_t i = 0; i < 120000; i++) {
		struct filter f = blank(4);
		uint8_t remote[16] = {10, draw(3), i >> 8, i};

		set_prefix(&f.remote, remote, 32);
		f.proto_given = false;
		f.proto = 0;
		add(&list, &f);
	}
	refused_or_exact("hosts of few networks", &list, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_behind_one_pair),
		cmocka_unit_test(every_port_of_a_host),
		cmocka_unit_test(nested_prefixes),
		cmocka_unit_test(many_shapes_far_apart),
		cmocka_unit_test(staircase),
		cmocka_unit_test(keys_one_bit_apart),
		cmocka_unit_test(hosts_of_few_networks),
	};
	int rc, err = box_open(&box, 0);

	if (err) {
		fprintf(stderr, "test_adversary: the program does not load: %s (are you root?)\n",
			strerror(-err));
		return 1;
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	box_close(box);
	return rc;
}
