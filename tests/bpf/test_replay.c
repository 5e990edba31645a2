/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `xipsec replay` as a whole: policy text in, capture in, verdicts out. Frames
 * go through the real programs; what they must say comes from the reference
 * model, asked about the fields that the frames were made from.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "../lib/frame.h"
#include "compile/image.h"
#include "policy/policy.h"
#include "util/addr.h"

#define PACKETS 600

static const char policy_text[] =
	"policy: replay\n"
	"settings: {exemptions: 0}\n"
	"filter-lists:\n"
	"  web: [{src: any, dst: me, proto: tcp, dst-port: 80-443}]\n"
	"  odd: [{src: 10.0.0.0/8, dst: me, proto: tcp, dst-port: 100-200}]\n"
	"  names: [{src: [10.0.0.0/9, '2001:db8::/33'], dst: any, proto: udp, dst-port: 53}]\n"
	"  ping: [{src: any, dst: me, proto: icmp, icmp-type: 8, mirrored: false},\n"
	"         {src: any, dst: me, proto: icmpv6, icmp-type: 128, mirrored: false}]\n"
	"  near: [{src: 10.1.0.0-10.1.255.3, dst: me}, {src: '2001:db8:8000::/34', dst: me}]\n"
	"  host: [{src: 10.1.0.1, dst: 192.0.2.0/31, mirrored: false}]\n"
	"filter-actions: {protect: {negotiate: {methods: [{esp: aes128gcm16}]}}}\n"
	"rules:\n"
	"  - {name: web, filter-list: web, action: permit}\n"
	"  - {name: odd, filter-list: odd, action: block}\n"
	"  - {name: names, filter-list: names, action: permit}\n"
	"  - {name: ping, filter-list: ping, action: permit}\n"
	"  - {name: near, filter-list: near, action: protect, auth: [kerberos]}\n"
	"  - {name: host, filter-list: host, action: block}\n";

static char folder[] = "/tmp/replay-XXXXXX";
static char policy_path[64], capture_path[64];
static uint64_t state = 88172645463325252ull;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

#define PICK(a) ((a)[draw(sizeof(a) / sizeof((a)[0]))])

/* ----------------------------------------------------------------- captures */

static void put32(FILE *out, uint32_t value)
{
	assert_int_equal(fwrite(&value, sizeof(value), 1, out), 1);
}

static FILE *capture_begin(uint32_t link_type)
{
	FILE *out = fopen(capture_path, "wb");

	assert_non_null(out);
	put32(out, 0xa1b2c3d4);
	put32(out, 4 << 16 | 2);
	put32(out, 0);
	put32(out, 0);
	put32(out, 262144);
	put32(out, link_type);
	return out;
}

/* `kept` bytes of a packet that was `len` long. */
static void capture_add(FILE *out, const uint8_t *data, size_t kept, size_t len)
{
	put32(out, 0);
	put32(out, 0);
	put32(out, kept);
	put32(out, len);
	assert_int_equal(fwrite(data, 1, kept, out), kept);
}

/* ------------------------------------------------------------------ running */

/* The lines of `xipsec replay --json`, parsed; the last is the summary. */
static json_t *replay(const char *options)
{
	const char *output = getenv("O") ? getenv("O") : ".output";
	char command[512], line[1024];
	json_t *lines = json_array();
	FILE *pipe;

	snprintf(command, sizeof(command), "%s/xipsec replay %s %s %s --json 2>/dev/null", output,
		 policy_path, capture_path, options);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		json_t *object = json_loads(line, 0, NULL);

		assert_non_null(object);
		json_array_append_new(lines, object);
	}
	assert_int_equal(pclose(pipe), 0);
	assert_true(json_array_size(lines) >= 1);
	return lines;
}

static const char *text(const json_t *lines, size_t n, const char *key)
{
	return json_string_value(json_object_get(json_array_get(lines, n), key));
}

static struct image *compiled(void)
{
	struct compile_opts opts = {.no_tables = true};
	struct policy *policy = NULL;
	struct image *image = NULL;
	struct diag diag = {0};

	assert_int_equal(policy_load(policy_path, &policy, &diag), 0);
	assert_int_equal(compile_policy(policy, &opts, &image, &diag), 0);
	policy_free(policy);
	diag_free(&diag);
	return image;
}

/* ------------------------------------------------------------------ packets */

static struct frame_spec draw_spec(void)
{
	static const char *const v4[] = {"10.1.0.1",  "10.1.255.3", "10.1.255.4", "10.200.0.1",
					 "192.0.2.0", "192.0.2.1",  "203.0.113.9"};
	static const char *const v6[] = {"2001:db8::1", "2001:db8:8000::1", "2001:db8:c000::1",
					 "2001:db9::1", "fe80::1"};
	static const uint16_t ports[] = {53, 79, 80, 88, 99, 100, 200, 201, 443, 444, 500, 4500, 0};
	static const uint8_t protos[] = {6, 17, 1, 58, 46, 132};
	struct frame_spec spec = {.proto = PICK(protos), .payload = draw(64)};

	if (draw(3)) {
		spec.src = PICK(v4);
		spec.dst = PICK(v4);
		spec.options = draw(4) ? 0 : draw(11);
	} else {
		spec.src = PICK(v6);
		spec.dst = PICK(v6);
	}
	spec.vlans = draw(8) ? 0 : 1;
	if (spec.proto == 6 || spec.proto == 17 || spec.proto == 132) {
		spec.sport = PICK(ports);
		spec.dport = PICK(ports);
	} else if (spec.proto == 1 || spec.proto == 58) {
		spec.icmp_type = draw(2) ? (spec.proto == 1 ? 8 : 128) : draw(256);
		spec.icmp_code = draw(2);
	}
	return spec;
}

static struct xi_pkt packet_of(const struct frame_spec *spec, enum xi_dir dir)
{
	bool in = dir == XI_DIR_IN;
	struct xi_pkt pkt = {.dir = dir, .proto = spec->proto, .flags = XI_PKT_LOCAL_IS_ME};
	struct xi_addr remote, local;

	assert_int_equal(xi_addr_parse(in ? spec->src : spec->dst, &remote), 0);
	assert_int_equal(xi_addr_parse(in ? spec->dst : spec->src, &local), 0);
	memcpy(pkt.remote, remote.b, 16);
	memcpy(pkt.local, local.b, 16);
	pkt.family = remote.family;
	pkt.remote_port = in ? spec->sport : spec->dport;
	pkt.local_port = in ? spec->dport : spec->sport;
	pkt.icmp_type = spec->icmp_type;
	pkt.icmp_code = spec->icmp_code;
	return pkt;
}

static void expect_verdict(const json_t *lines, size_t n, const struct image *image,
			   const struct xi_pkt *pkt)
{
	struct xi_verdict want = model_classify(image, pkt);
	const struct filter *f = &image->filters[want.filter_idx];
	const json_t *line = json_array_get(lines, n);
	const char *word = want.action == XI_ACT_NEGOTIATE ? "secure" : action_name(want.action);

	assert_int_equal(json_integer_value(json_object_get(line, "n")), n);
	assert_string_equal(text(lines, n, "verdict"), word);
	if (want.filter_idx == XI_NO_FILTER) {
		assert_true(json_is_null(json_object_get(line, "filter")));
		assert_true(json_is_null(json_object_get(line, "rule")));
		return;
	}
	assert_int_equal(json_integer_value(json_object_get(line, "filter")), f->id);
	assert_string_equal(text(lines, n, "rule"), f->rule_name);
}

/* --------------------------------------------------------------------- tests */

/* link_type 101 is raw IP: the Ethernet header is cut off before it is written. */
static void compare_with_model(enum xi_dir dir, uint32_t link_type)
{
	static struct frame_spec specs[PACKETS];
	static struct frame frame;
	struct image *image = compiled();
	FILE *out = capture_begin(link_type);
	int64_t sums[4] = {0}, got[4];
	json_t *lines, *summary;

	for (size_t i = 0; i < PACKETS; i++) {
		size_t skip;

		specs[i] = draw_spec();
		frame_build(&frame, &specs[i]);
		skip = link_type == 101 ? frame.l3 : 0;
		capture_add(out, frame.data + skip, frame.len - skip, frame.len - skip);
	}
	fclose(out);
	lines = replay(dir == XI_DIR_IN ? "--in" : "--out");
	assert_int_equal(json_array_size(lines), PACKETS + 1);
	for (size_t i = 0; i < PACKETS; i++) {
		struct xi_pkt pkt = packet_of(&specs[i], dir);

		expect_verdict(lines, i, image, &pkt);
		sums[model_classify(image, &pkt).action]++;
	}
	summary = json_object_get(json_array_get(lines, PACKETS), "summary");
	assert_int_equal(json_unpack(summary, "{s:I, s:I, s:I, s:I}", "none", &got[XI_ACT_NONE],
				     "permit", &got[XI_ACT_PERMIT], "block", &got[XI_ACT_BLOCK],
				     "secure", &got[XI_ACT_NEGOTIATE]),
			 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(got[i], sums[i]);
		assert_true(sums[i] > 10); /* else the packets were badly chosen */
	}
	json_decref(lines);
	image_free(image);
}

static void ingress_says_what_the_model_says(void **unused)
{
	compare_with_model(XI_DIR_IN, 1);
}

static void egress_says_what_the_model_says(void **unused)
{
	compare_with_model(XI_DIR_OUT, 1);
}

static void raw_ip_captures_too(void **unused)
{
	compare_with_model(XI_DIR_IN, 101);
	compare_with_model(XI_DIR_OUT, 101);
}

static void what_is_not_ip_has_no_verdict(void **unused)
{
	static const uint8_t arp[42] = {[0] = 0xff, [6] = 2, [12] = 0x08, [13] = 0x06};
	static const uint8_t runt[5] = {0xff};
	FILE *out = capture_begin(1);
	json_t *lines;

	capture_add(out, arp, sizeof(arp), sizeof(arp));
	capture_add(out, runt, sizeof(runt), sizeof(runt));
	fclose(out);
	lines = replay("--in");
	assert_int_equal(json_array_size(lines), 3);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(text(lines, i, "verdict"), "none");
		assert_true(json_is_null(json_object_get(json_array_get(lines, i), "filter")));
	}
	json_decref(lines);
}

/* Only headers were kept, or the sender's super-packet is larger than any frame. */
static void cut_and_giant_packets_are_judged_by_their_headers(void **unused)
{
	struct frame_spec specs[] = {
		{.src = "10.9.9.9", .dst = "192.0.2.1", .proto = 6, .dport = 150, .payload = 1200},
		{.src = "10.9.9.9", .dst = "192.0.2.1", .proto = 6, .dport = 443, .payload = 9000},
		{.src = "2001:db8::5",
		 .dst = "2001:db9::1",
		 .proto = 6,
		 .dport = 80,
		 .payload = 40000},
	};
	static struct frame frame;
	struct image *image = compiled();
	FILE *out = capture_begin(1);
	json_t *lines;

	for (size_t i = 0; i < 3; i++) {
		frame_build(&frame, &specs[i]);
		capture_add(out, frame.data, i ? frame.len : 64, frame.len);
	}
	fclose(out);
	lines = replay("--in");
	for (size_t i = 0; i < 3; i++) {
		struct xi_pkt pkt = packet_of(&specs[i], XI_DIR_IN);

		expect_verdict(lines, i, image, &pkt);
		assert_string_not_equal(text(lines, i, "verdict"), "none");
	}
	json_decref(lines);
	image_free(image);
}

/* With --me only the named addresses are ours. */
static void me_may_be_named(void **unused)
{
	struct frame_spec spec = {
		.src = "203.0.113.9", .dst = "192.0.2.1", .proto = 6, .dport = 443};
	static struct frame frame;
	FILE *out = capture_begin(1);
	json_t *lines;

	frame_build(&frame, &spec);
	capture_add(out, frame.data, frame.len, frame.len);
	fclose(out);
	lines = replay("--in --me 192.0.2.1");
	assert_string_equal(text(lines, 0, "verdict"), "permit");
	json_decref(lines);
	lines = replay("--in --me 192.0.2.2 --me 2001:db8::1");
	assert_string_equal(text(lines, 0, "verdict"), "none");
	json_decref(lines);
}

static int set_up(void **unused)
{
	FILE *out;

	if (!mkdtemp(folder))
		return -1;
	snprintf(policy_path, sizeof(policy_path), "%s/policy.yaml", folder);
	snprintf(capture_path, sizeof(capture_path), "%s/t.pcap", folder);
	out = fopen(policy_path, "w");
	if (!out || fputs(policy_text, out) < 0 || fclose(out))
		return -1;
	return 0;
}

static int tear_down(void **unused)
{
	unlink(policy_path);
	unlink(capture_path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ingress_says_what_the_model_says),
		cmocka_unit_test(egress_says_what_the_model_says),
		cmocka_unit_test(raw_ip_captures_too),
		cmocka_unit_test(what_is_not_ip_has_no_verdict),
		cmocka_unit_test(cut_and_giant_packets_are_judged_by_their_headers),
		cmocka_unit_test(me_may_be_named),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
