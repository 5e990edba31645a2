/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of live objects that scripts hold on to, and text that says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <cmocka.h>
#include <linux/bpf.h>
#include <linux/netfilter.h>
#include <linux/pkt_cls.h>

#include "compile/image.h"
#include "sa/sad.h"
#include "util/addr.h"
#include "view/live.h"

static const struct view_clock clock_at = {.mono_ms = 50000, .real_ms = 1700000050000};
static const struct filter filter = {.id = 7, .rule_name = "web"};

static struct xi_sample sample(void)
{
	struct xi_sample s = {
		.time_ns = 49000500000ull,
		.hook = XI_HOOK_XDP_INGRESS,
		.result = XDP_DROP,
		.action = XI_ACT_NEGOTIATE,
		.reason = XI_REASON_CLEAR_INBOUND,
		.generation = 3,
		.frame_len = 74,
		.pkt = {.remote = {192, 0, 2, 1},
			.local = {192, 0, 2, 2},
			.remote_port = 4000,
			.local_port = 443,
			.proto = 6,
			.family = 4,
			.len = 60},
	};

	return s;
}

/* The line without its time, which depends on the zone. */
static const char *line(json_t *object)
{
	static char text[512];
	FILE *out = fmemopen(text, sizeof(text), "w");

	view_live_print(out, object);
	fclose(out);
	json_decref(object);
	return strchr(text, ' ') + 1;
}

static void a_packet_has_its_keys(void **state)
{
	struct xi_sample s = sample();
	json_t *object = view_sample(&s, &filter, false, "eth0", &clock_at);
	char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(16));

	assert_string_equal(
		text,
		"{\"type\":\"packet\",\"time\":1700000049.0005,\"verdict\":\"secure\",\"fate\":"
		"\"dropped\",\"reason\":\"clear-inbound\",\"filter\":7,\"rule\":\"web\",\"hook\":"
		"\"xdp-ingress\",\"direction\":\"in\",\"interface\":\"eth0\",\"length\":60,\"frame_"
		"length\":74,\"generation\":3,\"remote\":\"192.0.2.1\",\"local\":\"192.0.2.2\","
		"\"proto\":6,\"remote_port\":4000,\"local_port\":443}");
	free(text);
	json_decref(object);
}

static void a_packet_is_a_line(void **state)
{
	struct xi_sample s = sample();

	assert_string_equal(line(view_sample(&s, &filter, false, "eth0", &clock_at)),
			    "in  eth0     secure tcp 192.0.2.1:4000 > 192.0.2.2:443, 60 bytes; "
			    "rule web, filter 7; dropped: clear-inbound\n");
	s.pkt.dir = XI_DIR_OUT;
	s.hook = XI_HOOK_TC_EGRESS;
	s.result = TC_ACT_REDIRECT;
	s.reason = XI_REASON_NONE;
	assert_string_equal(line(view_sample(&s, &filter, false, "eth0", &clock_at)),
			    "out eth0     secure tcp 192.0.2.2:443 > 192.0.2.1:4000, 60 bytes; "
			    "rule web, filter 7; to the ESP worker\n");
	s.reason = XI_REASON_HELD;
	assert_string_equal(line(view_sample(&s, &filter, false, "eth0", &clock_at)),
			    "out eth0     secure tcp 192.0.2.2:443 > 192.0.2.1:4000, 60 bytes; "
			    "rule web, filter 7; held until there is an SA\n");
}

static void without_a_filter_a_packet_has_none(void **state)
{
	struct xi_sample s = sample();

	s.action = XI_ACT_NONE;
	s.reason = XI_REASON_NONE;
	s.result = XDP_PASS;
	s.pkt.proto = 1;
	s.pkt.icmp_type = 8;
	assert_string_equal(line(view_sample(&s, NULL, false, NULL, &clock_at)),
			    "in  -        none   icmp 192.0.2.1 > 192.0.2.2 type 8 code 0, 60 "
			    "bytes\n");
	s.pkt.proto = 17;
	s.pkt.flags = XI_PKT_LATER_FRAG;
	assert_string_equal(line(view_sample(&s, NULL, true, "eth0", &clock_at)),
			    "in  eth0     none   udp 192.0.2.1 > 192.0.2.2 (later fragment), 60 "
			    "bytes; a filter of the list before\n");
	memset(&s.pkt, 0, sizeof(s.pkt));
	s.result = XDP_DROP;
	s.reason = XI_REASON_MALFORMED;
	assert_string_equal(line(view_sample(&s, NULL, false, "eth0", &clock_at)),
			    "in  eth0     none   (headers do not parse), 0 bytes; dropped: "
			    "malformed\n");
}

/* Its first bytes are data: they say nothing of ports, nor of a type. */
static void a_later_fragment_shows_neither_ports_nor_a_type(void **state)
{
	static const struct {
		uint8_t proto;
		const char *text;
	} cases[] = {{6, "tcp"}, {1, "icmp"}, {58, "icmpv6"}, {132, "sctp"}, {200, "protocol 200"}};
	char text[120];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct xi_sample s = sample();

		s.action = XI_ACT_NONE;
		s.result = XDP_PASS;
		s.reason = XI_REASON_NONE;
		s.pkt.proto = cases[i].proto;
		s.pkt.flags = XI_PKT_LATER_FRAG;
		snprintf(
			text, sizeof(text),
			"in  eth0     none   %s 192.0.2.1 > 192.0.2.2 (later fragment), 60 bytes\n",
			cases[i].text);
		assert_string_equal(line(view_sample(&s, NULL, false, "eth0", &clock_at)), text);
	}
}

static void fates_follow_what_the_hook_returned(void **state)
{
	static const struct {
		uint32_t hook, result, reason;
		enum view_fate fate;
	} cases[] = {
		{XI_HOOK_XDP_INGRESS, XDP_PASS, 0, VIEW_PASSED},
		{XI_HOOK_XDP_INGRESS, XDP_DROP, 0, VIEW_DROPPED},
		{XI_HOOK_XDP_INGRESS, XDP_ABORTED, 0, VIEW_DROPPED},
		{XI_HOOK_XDP_INGRESS, XDP_REDIRECT, 0, VIEW_WORKER},
		{XI_HOOK_TC_EGRESS, TC_ACT_UNSPEC, 0, VIEW_PASSED},
		{XI_HOOK_TC_EGRESS, TC_ACT_OK, 0, VIEW_PASSED},
		{XI_HOOK_TC_EGRESS, TC_ACT_SHOT, 0, VIEW_DROPPED},
		{XI_HOOK_TC_EGRESS, TC_ACT_REDIRECT, 0, VIEW_WORKER},
		{XI_HOOK_TC_EGRESS, TC_ACT_REDIRECT, XI_REASON_HELD, VIEW_HELD},
		{XI_HOOK_TC_INGRESS, TC_ACT_SHOT, 0, VIEW_DROPPED},
		{XI_HOOK_TC_INJECT, TC_ACT_UNSPEC, 0, VIEW_PASSED},
		{XI_HOOK_NF_INGRESS, NF_ACCEPT, 0, VIEW_PASSED},
		{XI_HOOK_NF_INGRESS, NF_DROP, 0, VIEW_DROPPED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct xi_sample s = {.hook = cases[i].hook,
				      .result = cases[i].result,
				      .reason = cases[i].reason};

		assert_int_equal(view_fate_of(&s), cases[i].fate);
	}
}

static void every_name_is_found_again(void **state)
{
	for (unsigned i = 0; i < XI_REASON_MAX; i++)
		assert_int_equal(view_reason_find(view_reason_name(i)), i);
	for (unsigned i = 0; i <= XI_ACT_NEGOTIATE; i++)
		assert_int_equal(view_verdict_find(view_verdict_name(i)), i);
	assert_int_equal(view_reason_find("nothing"), -1);
	assert_int_equal(view_verdict_find("negotiate"), -1);
	assert_string_equal(view_reason_name(XI_REASON_MAX), "none");
}

static void an_event_is_a_line(void **state)
{
	struct xi_event event = {.kind = XI_EVENT_INVALID_SPI,
				 .reason = XI_REASON_INVALID_SPI,
				 .spi = 0xdeadbeef,
				 .filter_idx = XI_NO_FILTER};

	event.pkt = sample().pkt;
	event.pkt.proto = 50;
	assert_string_equal(line(view_event(&event, NULL, "eth0", &clock_at)),
			    "in  eth0     event invalid-spi: esp 192.0.2.1 > 192.0.2.2, 60 bytes; "
			    "SPI 0xdeadbeef\n");
	event.kind = XI_EVENT_NEED_SA;
	event.reason = XI_REASON_HELD;
	event.pkt = sample().pkt;
	event.pkt.dir = XI_DIR_OUT;
	assert_string_equal(line(view_event(&event, &filter, "eth0", &clock_at)),
			    "out eth0     event need-sa: tcp 192.0.2.2:443 > 192.0.2.1:4000, 60 "
			    "bytes; rule web, filter 7; held\n");
}

static void an_sa_comes_and_goes(void **state)
{
	struct sad_entry entry = {.params = {.in = {.spi = 0x1234}, .out = {.spi = 0xabcdef01}}};

	xi_addr_parse("192.0.2.1", &entry.params.local);
	xi_addr_parse("2001:db8::1", &entry.params.remote);
	assert_string_equal(line(view_sa_change(&entry, "web", NULL, &clock_at)),
			    "SA 0x00001234/0xabcdef01 with 2001:db8::1 is up; rule web\n");
	assert_string_equal(line(view_sa_change(&entry, NULL, "idle", &clock_at)),
			    "SA 0x00001234/0xabcdef01 with 2001:db8::1 is down; rule -; idle\n");
}

static void a_worker_says_what_it_dropped(void **state)
{
	const struct xi_count more = {.packets = 3, .bytes = 180};

	assert_string_equal(line(view_worker_drop("eth0", XI_REASON_ESP_REPLAY, &more, &clock_at)),
			    "    eth0     ESP worker: 3 packets dropped: esp-replay\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_has_its_keys),
		cmocka_unit_test(a_packet_is_a_line),
		cmocka_unit_test(without_a_filter_a_packet_has_none),
		cmocka_unit_test(a_later_fragment_shows_neither_ports_nor_a_type),
		cmocka_unit_test(fates_follow_what_the_hook_returned),
		cmocka_unit_test(every_name_is_found_again),
		cmocka_unit_test(an_event_is_a_line),
		cmocka_unit_test(an_sa_comes_and_goes),
		cmocka_unit_test(a_worker_says_what_it_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
