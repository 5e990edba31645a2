/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every filter set of the data folder, in both directions, through the real
 * programs: each header of a trace becomes a frame, with VLAN tags, IPv4 options
 * or IPv6 extension headers now and then, and goes through XDP ingress and TC
 * egress. The same filter must decide as in the reference model. Sets of any
 * name and size are taken as they are found.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/classbench.h"
#include "../lib/data.h"
#include "../lib/frame.h"
#include "../lib/model_index.h"
#include "compile/image.h"
#include "datapath/datapath.h"
#include "datapath/testrun.h"
#include "util/addr.h"

static struct testrun *run;
static uint64_t state = 88172645463325252ull;
static uint64_t frames, matched, cut;

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

/* What the parser reads as something else than an upper-layer protocol. */
static bool plain_protocol(const struct xi_pkt *pkt)
{
	static const uint8_t ext[] = {0, 43, 44, 51, 60, 135, 139, 140, 253, 254};

	return pkt->family == 4 || !memchr(ext, pkt->proto, sizeof(ext));
}

static bool has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 33 || proto == 132 || proto == 136;
}

/* As sent by the trace: from remote to local. */
static void build(const struct xi_pkt *pkt, struct frame *ret)
{
	static const uint8_t exts[] = {60, 43, 60};
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	int family = pkt->family == 4 ? AF_INET : AF_INET6;
	struct frame_spec spec = {.src = inet_ntop(family, pkt->remote, src, sizeof(src)),
				  .dst = inet_ntop(family, pkt->local, dst, sizeof(dst)),
				  .proto = pkt->proto,
				  .sport = pkt->remote_port,
				  .dport = pkt->local_port,
				  .icmp_type = pkt->icmp_type,
				  .icmp_code = pkt->icmp_code,
				  .vlans = chance(20) ? 1 + draw(2) : 0,
				  .payload = draw(20)};

	if (pkt->family == 4) {
		spec.options = chance(15) ? draw(11) : 0;
	} else if (chance(20)) {
		spec.exts = 1 + draw(3);
		memcpy(spec.ext, exts, sizeof(exts));
		spec.ext_len = 8 * draw(3);
	}
	frame_build(ret, &spec);
}

/* The frame as the parser should read it, in this direction. */
static struct xi_pkt turned(const struct xi_pkt *trace, enum xi_dir dir)
{
	struct xi_pkt pkt = *trace;

	pkt.dir = dir;
	if (!has_ports(pkt.proto))
		pkt.remote_port = pkt.local_port = 0;
	if (dir == XI_DIR_OUT) {
		memcpy(pkt.remote, trace->local, 16);
		memcpy(pkt.local, trace->remote, 16);
		pkt.remote_port = has_ports(pkt.proto) ? trace->local_port : 0;
		pkt.local_port = has_ports(pkt.proto) ? trace->remote_port : 0;
	}
	return pkt;
}

static struct testrun_result through(enum xi_dir dir, const struct frame *frame, size_t len)
{
	struct testrun_result result;

	assert_int_equal(testrun_frame(run,
				       dir == XI_DIR_IN ? XI_HOOK_XDP_INGRESS : XI_HOOK_TC_EGRESS,
				       frame->data, len, &result),
			 0);
	return result;
}

static void expect_same(const char *name, const struct image *image,
			const struct model_index *model, const struct xi_pkt *pkt,
			const struct frame *frame)
{
	struct xi_verdict want = model_index_classify(model, pkt);
	struct testrun_result got = through(pkt->dir, frame, frame->len);

	frames++;
	matched += want.action != XI_ACT_NONE;
	if (got.ip && got.filter_idx == want.filter_idx && got.action == want.action)
		return;
	fprintf(stderr, "%s, %s: got filter %d, want %d (%s); frame:", name,
		pkt->dir == XI_DIR_IN ? "in" : "out", (int)got.filter_idx, (int)want.filter_idx,
		want.filter_idx < image->count ? action_name(want.action) : "none");
	for (size_t i = 0; i < frame->len; i++)
		fprintf(stderr, " %02x", frame->data[i]);
	fputc('\n', stderr);
	fail();
}

/*
 * Cut anywhere behind the Ethernet header, a frame is dropped as malformed. The
 * kernel makes no skb for a test run of less than an IP header.
 */
static void expect_cut_is_dropped(const struct xi_pkt *pkt, const struct frame *frame)
{
	size_t header = pkt->family == 4 ? 20 : 40;

	for (size_t len = frame->l3 + (pkt->dir == XI_DIR_OUT ? header : 1); len < frame->len;
	     len++) {
		struct testrun_result got = through(pkt->dir, frame, len);

		assert_int_equal(got.fate, TESTRUN_DROP);
		assert_int_equal(got.reason, XI_REASON_MALFORMED);
		cut++;
	}
}

/* The set as it is for ingress, and with the ends exchanged for egress. */
static struct filter *both_ways(const struct classbench *set)
{
	struct filter *all = calloc(2 * set->count, sizeof(*all));

	for (size_t i = 0; all && i < set->count; i++) {
		const struct filter *f = &set->filters[i];

		all[i] = all[set->count + i] = *f;
		all[set->count + i].id = set->count + i + 1;
		all[set->count + i].dir = XI_DIR_OUT;
		all[set->count + i].remote = f->local;
		all[set->count + i].local = f->remote;
		all[set->count + i].remote_port_lo = f->local_port_lo;
		all[set->count + i].remote_port_hi = f->local_port_hi;
		all[set->count + i].local_port_lo = f->remote_port_lo;
		all[set->count + i].local_port_hi = f->remote_port_hi;
	}
	return all;
}

static void run_trace(const char *name, const struct classbench *set, const struct image *image,
		      const struct model_index *model, size_t count)
{
	static struct frame frame;

	for (size_t n = 0; n < count; n++) {
		struct xi_pkt trace = set->trace[draw(set->trace_count)];

		if (!plain_protocol(&trace))
			continue;
		if (trace.proto == 1 || trace.proto == 58) {
			trace.icmp_type = chance(50) ? 8 : draw(256);
			trace.icmp_code = draw(3);
		}
		build(&trace, &frame);
		for (enum xi_dir dir = XI_DIR_IN; dir < XI_DIR_MAX; dir++) {
			struct xi_pkt pkt = turned(&trace, dir);

			expect_same(name, image, model, &pkt, &frame);
			if (n < 20)
				expect_cut_is_dropped(&pkt, &frame);
		}
	}
}

static void one_set(const char *name)
{
	struct compile_opts opts = {0};
	struct model_index *model;
	struct classbench set;
	struct filter *all;
	struct image *image = NULL;
	struct diag diag = {0};
	char path[512], *said;
	int err;

	snprintf(path, sizeof(path), "%s/%s", data_root(), name);
	assert_int_equal(classbench_load(path, &set), 0);
	frames = matched = cut = 0;
	all = both_ways(&set);
	assert_non_null(all);
	err = compile_filters(all, 2 * set.count, NULL, &opts, &image, &diag);
	said = diag_text(&diag);
	if (err)
		fprintf(stderr, "%s: %s", name, said);
	free(said);
	assert_int_equal(err, 0);
	assert_int_equal(datapath_swap(testrun_datapath(run), image, &diag), 0);
	diag_free(&diag);
	model = model_index_make(image);
	assert_non_null(model);
	run_trace(name, &set, image, model, getenv("XI_FULL") ? 20000 : 2000);
	print_message("           %s: %zu filters each way, %lu frames, %lu matched, %lu cut\n",
		      name, set.count, (unsigned long)frames, (unsigned long)matched,
		      (unsigned long)cut);
	/* The adversarial sets have traffic that nothing matches. */
	assert_true(matched * 4 >= frames || strstr(name, "adversarial"));
	model_index_free(model);
	image_free(image);
	free(all);
	classbench_free(&set);
}

/* The number behind the last '_' of a set's name; 0 when there is none. */
static unsigned long promised(const char *name)
{
	const char *underline = strrchr(name, '_');

	return underline ? strtoul(underline + 1, NULL, 10) : 0;
}

/* In an emulated machine the large sets would take minutes. */
static unsigned long most(void)
{
	return getenv("XI_QUICK") ? 1000 : 1000000;
}

/* Returns how many sets the folder has. */
static size_t folder(const char *path)
{
	static const char suffix[] = ".rules.xz";
	char **list;
	size_t count = data_list(path, suffix, &list);

	for (size_t i = 0; i < count; i++) {
		if (promised(list[i]) > most())
			continue;
		list[i][strlen(list[i]) - strlen(suffix)] = '\0';
		one_set(list[i]);
	}
	data_list_free(list, count);
	return count;
}

static void sets_of_the_folder(void **unused)
{
	if (!folder("classbench"))
		data_skip("classbench");
}

/* IPv6, adversarial, a million: whatever lies in folders of its own. */
static void sets_of_the_folders_below(void **unused)
{
	size_t sets = 0, count;
	char **list;

	count = data_list("classbench", "", &list);
	for (size_t i = 0; i < count; i++)
		sets += folder(list[i]);
	data_list_free(list, count);
	if (!sets)
		data_skip("classbench/*");
}

static int set_up(void **unused)
{
	struct testrun_opts opts = {0};
	struct diag diag = {0};
	int err = testrun_open(NULL, &opts, &run, &diag);

	if (err)
		print_error("the programs do not load: %s (are you root?)\n", strerror(-err));
	diag_free(&diag);
	return err;
}

static int tear_down(void **unused)
{
	testrun_close(run);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_of_the_folder),
		cmocka_unit_test(sets_of_the_folders_below),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
