/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs read out of a frame, at both hooks: the fields that filters
 * look at, and which frames are certainly malformed. An empty filter list, so
 * that nothing but the parser decides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/verdict.h"

/* The two ends, where it does not matter who they are; for frame_spec. */
#define V4 .src = "192.0.2.1", .dst = "192.0.2.2"
#define V6 .src = "2001:db8::1", .dst = "2001:db8::2"

static struct testrun *run;
static struct frame frame;

static int open_run(void **state)
{
	struct image *image = filters_compile(NULL, 0);

	run = verdict_open(image, NULL);
	image_free(image);
	return 0;
}

static int close_run(void **state)
{
	testrun_close(run);
	return 0;
}

/* Reads one frame as it comes in; what goes out must read the same, turned around. */
static struct xi_pkt parsed(const struct frame_spec *spec)
{
	struct testrun_result in = verdict_of(run, XI_HOOK_XDP_INGRESS, spec);
	struct testrun_result out = verdict_of(run, XI_HOOK_TC_EGRESS, spec);

	expect_fate(in, PASS, NONE);
	expect_fate(out, PASS, NONE);
	assert_true(in.ip && out.ip);
	assert_memory_equal(in.pkt.remote, out.pkt.local, 16);
	assert_memory_equal(in.pkt.local, out.pkt.remote, 16);
	assert_int_equal(in.pkt.remote_port, out.pkt.local_port);
	assert_int_equal(in.pkt.local_port, out.pkt.remote_port);
	assert_int_equal(in.pkt.dir, XI_DIR_IN);
	assert_int_equal(out.pkt.dir, XI_DIR_OUT);
	assert_memory_equal(&in.pkt.icmp_type, &out.pkt.icmp_type, 2);
	assert_int_equal(in.pkt.proto, out.pkt.proto);
	assert_int_equal(in.pkt.flags, out.pkt.flags);
	assert_int_equal(in.pkt.len, out.pkt.len);
	return in.pkt;
}

/* The kernel makes no skb of less for a test run. */
static size_t skb_least(void)
{
	uint16_t type = frame.data[12] << 8 | frame.data[13];

	return 14 + (type == 0x0800 ? 20 : type == 0x86dd ? 40 : 0);
}

/* Returns how many hooks saw it. */
static unsigned expect_malformed(void)
{
	struct testrun_result result = verdict_of_frame(run, XI_HOOK_XDP_INGRESS, &frame);

	expect_fate(result, DROP, MALFORMED);
	if (frame.len < skb_least())
		return 1;
	result = verdict_of_frame(run, XI_HOOK_TC_EGRESS, &frame);
	expect_fate(result, DROP, MALFORMED);
	result = verdict_of_frame(run, XI_HOOK_TC_INJECT, &frame);
	expect_fate(result, DROP, MALFORMED);
	return 3;
}

static void expect_well_formed(void)
{
	struct testrun_result in = verdict_of_frame(run, XI_HOOK_XDP_INGRESS, &frame);
	struct testrun_result out = verdict_of_frame(run, XI_HOOK_TC_EGRESS, &frame);

	expect_fate(in, PASS, NONE);
	expect_fate(out, PASS, NONE);
	assert_true(in.ip && out.ip);
}

static void source_is_remote_on_ingress(void **state)
{
	struct xi_pkt pkt = parsed(&(struct frame_spec){.src = "192.0.2.1",
							.dst = "198.51.100.7",
							.proto = PROTO_TCP,
							.sport = 40000,
							.dport = 443,
							.payload = 100});

	assert_memory_equal(pkt.remote, "\xc0\x00\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(pkt.local, "\xc6\x33\x64\x07\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(pkt.remote_port, 40000);
	assert_int_equal(pkt.local_port, 443);
	assert_int_equal(pkt.proto, PROTO_TCP);
	assert_int_equal(pkt.family, 4);
	assert_int_equal(pkt.flags, 0);
	assert_int_equal(pkt.len, 20 + 20 + 100);
}

static void ipv6_addresses_are_whole(void **state)
{
	struct xi_pkt pkt = parsed(&(struct frame_spec){.src = "2001:db8::1",
							.dst = "2001:db8:ffff::abcd",
							.proto = PROTO_UDP,
							.sport = 53,
							.dport = 5353,
							.payload = 12});

	assert_memory_equal(pkt.remote, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	assert_memory_equal(pkt.local, "\x20\x01\x0d\xb8\xff\xff\0\0\0\0\0\0\0\0\xab\xcd", 16);
	assert_int_equal(pkt.remote_port, 53);
	assert_int_equal(pkt.local_port, 5353);
	assert_int_equal(pkt.family, 6);
	assert_int_equal(pkt.len, 40 + 8 + 12);
}

static void protocols_with_ports(void **state)
{
	static const uint8_t with[] = {PROTO_TCP, PROTO_UDP, 33, 132, 136};
	static const uint8_t without[] = {2, 4, 41, 46, 47, 89, 103, 112, 253, 255};

	for (size_t i = 0; i < sizeof(with); i++) {
		struct xi_pkt pkt = parsed(&(struct frame_spec){
			V4, .proto = with[i], .sport = 1000 + i, .dport = 2000 + i});

		assert_int_equal(pkt.proto, with[i]);
		assert_int_equal(pkt.remote_port, 1000 + i);
		assert_int_equal(pkt.local_port, 2000 + i);
	}
	for (size_t i = 0; i < sizeof(without); i++) {
		struct xi_pkt pkt = parsed(&(struct frame_spec){V4, .proto = without[i]});

		assert_int_equal(pkt.proto, without[i]);
		assert_int_equal(pkt.remote_port, 0);
		assert_int_equal(pkt.local_port, 0);
	}
}

static void icmp_type_and_code(void **state)
{
	struct xi_pkt pkt =
		parsed(&(struct frame_spec){V4, .proto = 1, .icmp_type = 3, .icmp_code = 4});

	assert_int_equal(pkt.icmp_type, 3);
	assert_int_equal(pkt.icmp_code, 4);
	assert_int_equal(pkt.remote_port, 0);
	pkt = parsed(&(struct frame_spec){V6, .proto = PROTO_ICMP6, .icmp_type = 128});
	assert_int_equal(pkt.icmp_type, 128);
	assert_int_equal(pkt.flags & XI_PKT_ND, 0);
}

/* RFC 4861 6.1: a hop limit below 255 came through a router and is not discovery. */
static void neighbour_discovery_has_hop_limit_255(void **state)
{
	struct frame_spec spec = {
		.src = "fe80::1", .dst = "fe80::2", .proto = PROTO_ICMP6, .hops = 255};

	for (unsigned type = 132; type <= 138; type++) {
		spec.icmp_type = type;
		assert_int_equal(!!(parsed(&spec).flags & XI_PKT_ND), type >= 133 && type <= 137);
	}
	spec.icmp_type = 135;
	spec.hops = 254;
	assert_int_equal(parsed(&spec).flags & XI_PKT_ND, 0);
	/* The same numbers in IPv4 mean nothing. */
	assert_int_equal(parsed(&(struct frame_spec){V4, .proto = PROTO_ICMP6, .icmp_type = 135,
						     .hops = 255})
					 .flags &
				 XI_PKT_ND,
			 0);
}

static void group_destinations(void **state)
{
	static const struct {
		const char *src, *dst;
		bool group;
	} cases[] = {
		{"192.0.2.1", "224.0.0.1", true},	{"192.0.2.1", "239.255.255.255", true},
		{"192.0.2.1", "255.255.255.255", true}, {"192.0.2.1", "223.255.255.255", false},
		{"192.0.2.1", "240.0.0.1", false},	{"192.0.2.1", "255.255.255.254", false},
		{"2001:db8::1", "ff02::1", true},	{"2001:db8::1", "fe80::1", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct frame_spec spec = {.src = cases[i].src,
					  .dst = cases[i].dst,
					  .proto = PROTO_UDP,
					  .sport = 1,
					  .dport = 2};

		assert_int_equal(!!(parsed(&spec).flags & XI_PKT_GROUP), cases[i].group);
	}
}

static void vlan_tags(void **state)
{
	struct frame_spec spec = {V4, .proto = PROTO_TCP, .sport = 1024, .dport = 80};
	struct testrun_result result;

	for (spec.vlans = 1; spec.vlans <= 2; spec.vlans++) {
		spec.tpid = 0x8100;
		assert_int_equal(parsed(&spec).local_port, 80);
		spec.tpid = 0x88a8;
		assert_int_equal(parsed(&spec).local_port, 80);
	}
	/* A third one is beyond us: not IP as far as we can see. */
	result = verdict_of(run, XI_HOOK_XDP_INGRESS, &spec);
	expect_fate(result, PASS, NONE);
	assert_false(result.ip);
}

static void ipv4_options_are_skipped(void **state)
{
	struct frame_spec spec = {V4, .proto = PROTO_UDP, .sport = 4500, .dport = 500};

	for (spec.options = 0; spec.options <= 10; spec.options++) {
		struct xi_pkt pkt = parsed(&spec);

		assert_int_equal(pkt.remote_port, 4500);
		assert_int_equal(pkt.local_port, 500);
		assert_int_equal(pkt.len, 20 + spec.options * 4 + 8);
	}
}

static void ipv6_extension_headers_are_walked(void **state)
{
	static const uint8_t kinds[] = {0, 43, 60};
	struct frame_spec spec = {V6, .proto = PROTO_TCP, .sport = 7, .dport = 9};

	for (size_t i = 0; i < sizeof(kinds); i++)
		for (spec.ext_len = 0; spec.ext_len <= 64; spec.ext_len += 8) {
			spec.exts = 1;
			spec.ext[0] = kinds[i];
			assert_int_equal(parsed(&spec).remote_port, 7);
			assert_int_equal(parsed(&spec).proto, PROTO_TCP);
		}
	spec.ext_len = 0;
	memset(spec.ext, 60, sizeof(spec.ext));
	spec.exts = 8;
	assert_int_equal(parsed(&spec).local_port, 9);
	spec.exts = 9;
	frame_build(&frame, &spec);
	expect_malformed();
}

/* What follows AH or ESP belongs to their SA: they are the protocol. */
static void ah_and_esp_end_the_walk(void **state)
{
	struct frame_spec spec = {V6, .proto = PROTO_AH, .spi = 0x1234};

	assert_int_equal(parsed(&spec).proto, PROTO_AH);
	assert_int_equal(parsed(&spec).remote_port, 0);
	spec.exts = 1;
	spec.ext[0] = 60;
	spec.proto = PROTO_ESP;
	assert_int_equal(parsed(&spec).proto, PROTO_ESP);
}

static void ipv4_fragments(void **state)
{
	struct frame_spec spec = {
		V4,	     .proto = PROTO_UDP, .sport = 1111, .dport = 2222, .payload = 64,
		.ident = 77, .frag_more = 1,
	};
	struct xi_pkt pkt = parsed(&spec);

	assert_int_equal(pkt.flags, XI_PKT_FIRST_FRAG);
	assert_int_equal(pkt.remote_port, 1111);
	spec.frag_off = 9;
	pkt = parsed(&spec);
	assert_int_equal(pkt.flags, XI_PKT_LATER_FRAG);
	assert_int_equal(pkt.proto, PROTO_UDP);
	assert_int_equal(pkt.remote_port, 0);
	assert_int_equal(pkt.local_port, 0);
	spec.frag_more = 0;
	assert_int_equal(parsed(&spec).flags, XI_PKT_LATER_FRAG);
}

static void ipv6_fragments(void **state)
{
	struct frame_spec spec = {
		V6,	   .proto = PROTO_UDP, .sport = 1111,  .dport = 2222, .payload = 64,
		.exts = 2, .ext = {44, 60},    .frag_more = 1,
	};
	struct xi_pkt pkt = parsed(&spec);

	assert_int_equal(pkt.flags, XI_PKT_FIRST_FRAG);
	assert_int_equal(pkt.remote_port, 1111);
	/* Its body may look like anything: nothing behind the fragment header is read. */
	spec.frag_off = 9;
	pkt = parsed(&spec);
	assert_int_equal(pkt.flags, XI_PKT_LATER_FRAG);
	assert_int_equal(pkt.proto, 60);
	assert_int_equal(pkt.remote_port, 0);
	/* RFC 6946: an atomic fragment is a whole packet. */
	spec.frag_off = spec.frag_more = 0;
	pkt = parsed(&spec);
	assert_int_equal(pkt.flags, 0);
	assert_int_equal(pkt.local_port, 2222);
}

/* RFC 7112: the first fragment has the whole chain. */
static void ipv6_first_fragment_without_upper_header(void **state)
{
	struct frame_spec spec = {V6, .proto = 60, .exts = 1, .ext = {44}, .frag_more = 1};

	frame_build(&frame, &spec);
	expect_malformed();
}

static void other_protocols_pass_unread(void **state)
{
	static const uint16_t types[] = {0x0806, 0x88cc, 0x8847, 0x8863, 0x0026, 0x0000};
	static const enum xi_hook hooks[] = {XI_HOOK_XDP_INGRESS, XI_HOOK_TC_EGRESS,
					     XI_HOOK_TC_INGRESS};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		for (size_t k = 0; k < 3; k++) {
			struct testrun_result result;

			memset(&frame, 0, sizeof(frame));
			frame.data[12] = types[i] >> 8;
			frame.data[13] = types[i];
			frame.len = 60;
			result = verdict_of_frame(run, hooks[k], &frame);
			expect_fate(result, PASS, NONE);
			assert_false(result.ip);
			assert_int_equal(result.action, XI_ACT_NONE);
		}
}

/* Every frame is whole at its full length and malformed at every shorter one. */
static void truncated_at_every_byte(void **state)
{
	static const struct frame_spec specs[] = {
		{V4, .proto = PROTO_TCP, .options = 3},
		{V4, .proto = PROTO_UDP, .vlans = 2},
		{V4, .proto = 1, .payload = 4},
		{V4, .proto = PROTO_ESP, .spi = 256},
		{V4, .proto = PROTO_AH, .spi = 256},
		{V4, .proto = 132},
		{V4, .proto = 47, .payload = 8},
		{V4, .proto = PROTO_UDP, .frag_more = 1},
		{V4, .proto = 17, .frag_off = 3, .payload = 16},
		{V6, .proto = PROTO_TCP, .exts = 3, .ext = {0, 43, 60}, .ext_len = 8},
		{V6, .proto = PROTO_UDP, .exts = 1, .ext = {44}, .frag_more = 1, .payload = 8},
		{V6, .proto = PROTO_ICMP6, .vlans = 1},
		{V6, .proto = 59, .payload = 3},
	};
	uint64_t before = verdict_reason(run, XI_REASON_MALFORMED);
	unsigned drops = 0;

	for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
		size_t whole;

		frame_build(&frame, &specs[i]);
		whole = frame.len;
		expect_well_formed();
		for (frame.len = 14; frame.len < whole; frame.len++)
			drops += expect_malformed();
	}
	assert_int_equal(verdict_reason(run, XI_REASON_MALFORMED) - before, drops);
}

/* Bytes behind the packet are not part of it, whatever they contain. */
static void ethernet_padding_is_not_read(void **state)
{
	struct frame_spec spec = {V4, .proto = PROTO_UDP, .sport = 1, .dport = 2, .trailer = 18};

	frame_build(&frame, &spec);
	expect_well_formed();
	/* The header of UDP ends up in the padding when the packet says it is over. */
	frame.data[frame.l3 + 3] = 20 + 7;
	expect_malformed();
	frame.data[frame.l3 + 3] = 20;
	expect_malformed();
	spec = (struct frame_spec){V6, .proto = PROTO_TCP, .trailer = 30};
	frame_build(&frame, &spec);
	expect_well_formed();
	frame.data[frame.l3 + 5] = 19;
	expect_malformed();
	frame.data[frame.l3 + 5] = 0;
	expect_malformed();
	/* An extension header that begins in the packet and ends in the padding. */
	spec = (struct frame_spec){V6, .proto = 59, .exts = 1, .ext = {60}, .trailer = 30};
	frame_build(&frame, &spec);
	expect_well_formed();
	frame.data[frame.l3 + 5] = 4;
	expect_malformed();
	/* A first fragment too short for its ports: the padding would lend them. */
	spec = (struct frame_spec){V4, .proto = PROTO_UDP, .frag_more = 1, .payload = 8,
				   .trailer = 20};
	frame_build(&frame, &spec);
	expect_well_formed();
	frame.data[frame.l3 + 3] = 20 + 8;
	expect_well_formed();
	frame.data[frame.l3 + 3] = 20;
	expect_malformed();
}

static void lying_headers(void **state)
{
	struct frame_spec v4 = {V4, .proto = PROTO_TCP};
	struct frame_spec v6 = {V6, .proto = PROTO_TCP, .exts = 1, .ext = {60}};

	for (unsigned ihl = 0; ihl < 5; ihl++) {
		frame_build(&frame, &v4);
		frame.data[frame.l3] = 0x40 | ihl;
		expect_malformed();
	}
	for (unsigned version = 0; version < 16; version++) {
		frame_build(&frame, &v4);
		frame.data[frame.l3] = version << 4 | 5;
		if (version == 4)
			expect_well_formed();
		else
			expect_malformed();
		frame_build(&frame, &v6);
		frame.data[frame.l3] = version << 4;
		if (version == 6)
			expect_well_formed();
		else
			expect_malformed();
	}
	frame_build(&frame, &v4);
	frame.data[frame.l3 + 3] = 41; /* one more than there is */
	expect_malformed();
	frame.data[frame.l3 + 3] = 19; /* less than its header */
	expect_malformed();
	frame.data[frame.l3 + 3] = 0;
	expect_malformed();
	frame_build(&frame, &v4);
	frame.data[frame.l3] = 0x4f; /* options over the end */
	expect_malformed();
	frame_build(&frame, &v6);
	frame.data[frame.l3 + 5]++;
	expect_malformed();
	frame_build(&frame, &v6);
	frame.data[frame.l4 - 8 + 1] = 255; /* an extension header over the end */
	expect_malformed();
}

/* Strange is not malformed: the stack decides about these. */
static void oddities_pass(void **state)
{
	struct frame_spec v4 = {.src = "0.0.0.0", .dst = "255.255.255.255", .proto = 255};
	struct frame_spec v6 = {.src = "::", .dst = "::", .proto = 59};

	frame_build(&frame, &v4);
	expect_well_formed();		 /* no payload at all */
	frame.data[frame.l3 + 1] = 0xff; /* every TOS bit */
	frame.data[frame.l3 + 6] = 0xc0; /* reserved and DF */
	frame.data[frame.l3 + 8] = 0;	 /* TTL */
	expect_well_formed();
	frame_build(&frame, &v6);
	expect_well_formed(); /* no next header, no payload */
	v4.proto = PROTO_TCP;
	frame_build(&frame, &v4);
	memset(frame.data + frame.l4 + 12, 0xff, 2); /* every TCP flag, data offset 60 */
	expect_well_formed();
}

static void frames_of_several_buffers(void **state)
{
	struct frame_spec spec = {V4, .proto = PROTO_TCP, .sport = 1, .dport = 2, .payload = 8900};
	struct testrun_result result = verdict_of(run, XI_HOOK_XDP_INGRESS, &spec);

	expect_fate(result, PASS, NONE);
	assert_int_equal(result.pkt.len, 8940);
	assert_int_equal(result.pkt.local_port, 2);
}

/* Garbage behind a good start: the two hooks always see the same thing. */
static void hooks_agree_on_garbage(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15;
	unsigned whole = 0, bad = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct frame_spec spec = {.src = i & 1 ? "2001:db8::1" : "192.0.2.1",
					  .dst = i & 1 ? "2001:db8::2" : "192.0.2.2",
					  .proto = i & 2 ? PROTO_TCP : PROTO_UDP,
					  .vlans = i % 3,
					  .exts = i % 4,
					  .ext = {0, 60, 44},
					  .payload = 8};
		struct testrun_result in, out;

		frame_build(&frame, &spec);
		for (unsigned k = 0; k < 3; k++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			frame.data[12 + seed % (frame.len - 12)] = seed >> 32;
		}
		in = verdict_of_frame(run, XI_HOOK_XDP_INGRESS, &frame);
		out = verdict_of_frame(run, XI_HOOK_TC_EGRESS, &frame);
		assert_int_equal(in.fate, out.fate);
		assert_int_equal(in.reason, out.reason);
		assert_int_equal(in.ip, out.ip);
		assert_int_equal(in.pkt.len, out.pkt.len);
		if (!in.ip) {
			bad += in.reason == XI_REASON_MALFORMED;
			continue;
		}
		whole++;
		assert_memory_equal(in.pkt.remote, out.pkt.local, 16);
		assert_int_equal(in.pkt.remote_port, out.pkt.local_port);
		assert_int_equal(in.pkt.proto, out.pkt.proto);
		assert_int_equal(in.pkt.flags, out.pkt.flags);
	}
	/* Else the loop above would have shown nothing. */
	assert_in_range(whole, 1000, 19000);
	assert_in_range(bad, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_is_remote_on_ingress),
		cmocka_unit_test(ipv6_addresses_are_whole),
		cmocka_unit_test(protocols_with_ports),
		cmocka_unit_test(icmp_type_and_code),
		cmocka_unit_test(neighbour_discovery_has_hop_limit_255),
		cmocka_unit_test(group_destinations),
		cmocka_unit_test(vlan_tags),
		cmocka_unit_test(ipv4_options_are_skipped),
		cmocka_unit_test(ipv6_extension_headers_are_walked),
		cmocka_unit_test(ah_and_esp_end_the_walk),
		cmocka_unit_test(ipv4_fragments),
		cmocka_unit_test(ipv6_fragments),
		cmocka_unit_test(ipv6_first_fragment_without_upper_header),
		cmocka_unit_test(other_protocols_pass_unread),
		cmocka_unit_test(truncated_at_every_byte),
		cmocka_unit_test(ethernet_padding_is_not_read),
		cmocka_unit_test(lying_headers),
		cmocka_unit_test(oddities_pass),
		cmocka_unit_test(frames_of_several_buffers),
		cmocka_unit_test(hooks_agree_on_garbage),
	};

	return cmocka_run_group_tests(tests, open_run, close_run);
}
