/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys that scripts hold on to, and text that says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "compile/image.h"
#include "sa/sad.h"
#include "util/addr.h"
#include "view/view.h"

static const struct view_clock clock_at = {.mono_ms = 50000, .real_ms = 1700000050000};

static void has_keys(const json_t *object, const char *const *keys)
{
	assert_non_null(object);
	for (; *keys; keys++)
		if (!json_object_get(object, *keys))
			fail_msg("no key '%s'", *keys);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static char *printed(const char *what, const json_t *data)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_true(view_print(out, what, data));
	fclose(out);
	return text;
}

static json_t *main_mode(void)
{
	struct ike_mm_info info = {
		.version = 1,
		.initiator = true,
		.established = true,
		.state = "ESTABLISHED",
		.rule = "database",
		.auth = "psk",
		.method = {XI_CIPHER_AES256_CBC, XI_INTEG_SHA256, XI_GROUP_MODP2048},
		.spi_i = 0x0123456789abcdef,
		.spi_r = 0xfedcba9876543210,
		.created_ms = 40000,
		.rekey_at_ms = 100000,
	};

	xi_addr_parse("192.0.2.1", &info.path.local);
	xi_addr_parse("192.0.2.2", &info.path.remote);
	return view_mm(&info, &clock_at);
}

static json_t *quick_mode(void)
{
	struct sad_entry entry = {
		.state = SA_ESTABLISHED,
		.created_ms = 40000,
		.params = {.id = 7,
			   .protocol = 50,
			   .cipher = XI_CIPHER_AES128_GCM16,
			   .in.spi = 0xc0ffee,
			   .out.spi = 0x12345678,
			   .sel.proto = 6,
			   .sel.remote_port = 5432},
		.stats = {.in_bytes = 100, .out_packets = 3, .in_replay = 1},
	};

	xi_addr_parse("192.0.2.1", &entry.params.local);
	xi_addr_parse("192.0.2.2", &entry.params.remote);
	xi_prefix_parse("192.0.2.1", &entry.params.sel.local);
	xi_prefix_parse("192.0.2.2", &entry.params.sel.remote);
	return view_qm(&entry, "afxdp", "database", 350000, &clock_at);
}

static void status_says_how_each_interface_is_filtered_and_why(void **state)
{
	static const char *const keys[] = {"name",	"state",  "in",		"out",
					   "why",	"xdp",	  "dispatcher", "worker",
					   "rx_queues", "queues", "zero_copy",	NULL};
	struct view_iface ifaces[] = {
		{.name = "eth0",
		 .state = "filtered",
		 .xdp = "native",
		 .dispatcher = true,
		 .in = "dispatcher",
		 .out = "tcx",
		 .rx_queues = 4},
		{.name = "wan0",
		 .state = "filtered",
		 .in = "tc",
		 .out = "clsact",
		 .why = "another XDP program (theirs, id 7) is attached and does not share"},
		{.name = "late0", .state = "not there"},
	};
	const struct view_status status = {.instance = "main",
					   .version = "1",
					   .policy = "p",
					   .file = "/p.yaml",
					   .backend = "afxdp",
					   .ifaces = ifaces,
					   .iface_count = 3};
	json_t *view = view_status(&status, &clock_at), *list, *late;
	char *text;

	list = json_object_get(view, "interfaces");
	assert_int_equal(json_array_size(list), 3);
	for (size_t i = 0; i < 3; i++)
		has_keys(json_array_get(list, i), keys);
	late = json_array_get(list, 2);
	assert_true(json_is_null(json_object_get(late, "in")));
	assert_true(json_is_null(json_object_get(late, "why")));
	text = printed("status", view);
	assert_non_null(strstr(text, "\nwan0: another XDP program (theirs, id 7) is attached"));
	/* Nothing to say of what could not be better. */
	assert_null(strstr(text, "\neth0: "));
	assert_non_null(strstr(text, "not there"));
	free(text);
	json_decref(view);
}

static void status_says_how_many_interfaces_had_no_room(void **state)
{
	struct view_status status = {.instance = "main",
				     .version = "1",
				     .policy = "p",
				     .file = "/p",
				     .backend = "afxdp"};
	json_t *view = view_status(&status, &clock_at);
	char *text = printed("status", view);

	assert_null(strstr(text, "NOT FILTERED"));
	free(text);
	json_decref(view);
	status.beyond = 72;
	status.ifaces_max = 128;
	view = view_status(&status, &clock_at);
	text = printed("status", view);
	assert_non_null(
		strstr(text, "\n72 more are wanted and NOT FILTERED: there is room for 128"));
	assert_int_equal(json_integer_value(json_object_get(view, "interfaces_beyond")), 72);
	free(text);
	json_decref(view);
}

static void a_role_that_nothing_asks_for_is_not_needed(void **state)
{
	struct view_role roles[] = {
		{.name = "parent", .pid = 7, .wanted = true, .ready = true},
		{.name = "keys"},
		{.name = "ike", .wanted = true},
	};
	const struct view_status status = {.instance = "main",
					   .version = "1",
					   .policy = "p",
					   .file = "/p.yaml",
					   .backend = "afxdp",
					   .roles = roles,
					   .role_count = 3};
	json_t *view = view_status(&status, &clock_at), *list = json_object_get(view, "roles");
	char *text = printed("status", view);

	assert_true(json_is_false(json_object_get(json_array_get(list, 1), "wanted")));
	assert_true(json_is_true(json_object_get(json_array_get(list, 2), "wanted")));
	assert_non_null(strstr(text, "\nkeys    -          -    not needed  0\n"));
	assert_non_null(strstr(text, "\nike     -          -    no          0\n"));
	free(text);
	json_decref(view);
}

static void doctor_says_yes_no_and_unknown(void **state)
{
	const struct view_feature features[] = {
		{"XDP", "XDP programs", "no ingress filtering", NULL, .have = true, .needed = true},
		{"TCX", "TCX links", "clsact", "Invalid argument"},
		{"ARENA", "arenas", "nothing", "Operation not permitted", .unknown = true},
	};
	const struct view_link link = {.name = "eth0",
				       .driver = "veth",
				       .advice = "would be filtered with native XDP",
				       .mtu = 1500,
				       .rx_queues = 1,
				       .native_unknown = true};
	json_t *list = json_array(), *links = json_array(), *data;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < 3; i++)
		json_array_append_new(list, view_feature(&features[i]));
	json_array_append_new(links, view_link(&link));
	assert_true(json_is_true(json_object_get(json_array_get(list, 0), "have")));
	assert_true(json_is_false(json_object_get(json_array_get(list, 1), "have")));
	assert_true(json_is_null(json_object_get(json_array_get(list, 2), "have")));
	assert_true(json_is_null(json_object_get(json_array_get(links, 0), "native_xdp")));
	assert_true(json_is_null(json_object_get(json_array_get(links, 0), "instance")));
	data = json_pack("{s:s, s:s, s:o, s:o, s:b, s:s}", "release", "6.1", "machine", "x86_64",
			 "features", list, "interfaces", links, "unknown", 1, "verdict",
			 "It works");
	view_print_doctor(out, data);
	fclose(out);
	assert_non_null(strstr(text, "  yes  XDP programs\n"));
	assert_non_null(strstr(text, "  no   TCX links (Invalid argument): without it, clsact\n"));
	assert_non_null(strstr(text, "  ?    arenas"));
	assert_non_null(strstr(text, "eth0            veth, 1 receive queue, MTU 1500: would be"));
	assert_non_null(strstr(text, "Some of this can only be found out by root.\nIt works.\n"));
	free(text);
	json_decref(data);
}

static void main_modes_have_the_promised_keys(void **state)
{
	static const char *const keys[] = {
		"peer",		 "local",   "state",	 "version", "role",
		"auth",		 "cipher",  "integrity", "group",   "initiator_spi",
		"responder_spi", "created", "rekey_at",	 NULL};
	json_t *mm = main_mode();

	has_keys(mm, keys);
	assert_string_equal(text_of(mm, "state"), "established");
	assert_string_equal(text_of(mm, "peer"), "192.0.2.2");
	assert_string_equal(text_of(mm, "initiator_spi"), "0x0123456789abcdef");
	/* Ten seconds ago, in fifty seconds. */
	assert_int_equal(json_integer_value(json_object_get(mm, "created")), 1700000040);
	assert_int_equal(json_integer_value(json_object_get(mm, "rekey_at")), 1700000100);
	json_decref(mm);
}

/* Nothing is negotiated yet: that is not the cipher "null". */
static void a_main_mode_on_its_way_has_no_cipher(void **state)
{
	struct ike_mm_info info = {.version = 1, .initiator = true, .state = "MM_I1_SENT"};
	json_t *mm, *list;
	char *text;

	xi_addr_parse("192.0.2.1", &info.path.local);
	xi_addr_parse("192.0.2.2", &info.path.remote);
	mm = view_mm(&info, &clock_at);
	assert_non_null(mm);
	assert_true(json_is_null(json_object_get(mm, "cipher")));
	assert_true(json_is_null(json_object_get(mm, "integrity")));
	assert_true(json_is_null(json_object_get(mm, "group")));
	list = json_pack("[o]", mm);
	text = printed("mm", list);
	assert_null(strstr(text, "null"));
	free(text);
	json_decref(list);
}

static void quick_modes_have_the_promised_keys(void **state)
{
	static const char *const keys[] = {"peer",	  "local",	  "protocol",	"mode",
					   "spi_in",	  "spi_out",	  "cipher",	"integrity",
					   "selectors",	  "bytes_in",	  "packets_in", "bytes_out",
					   "packets_out", "replay_drops", "backend",	"created",
					   "rekey_at",	  "idle_at",	  NULL};
	json_t *qm = quick_mode();

	has_keys(qm, keys);
	assert_string_equal(text_of(qm, "spi_in"), "0x00c0ffee");
	assert_string_equal(text_of(qm, "mode"), "transport");
	assert_true(json_is_null(json_object_get(qm, "rekey_at")));
	assert_int_equal(json_integer_value(json_object_get(qm, "bytes_in")), 100);
	assert_int_equal(json_integer_value(json_object_get(qm, "replay_drops")), 1);
	json_decref(qm);
}

static void filters_look_as_compile_prints_them(void **state)
{
	static const char *const keys[] = {
		"id",	      "rule",	"direction", "remote",	"local", "proto",    "remote_port",
		"local_port", "action", "band",	     "packets", "bytes", "last_hit", NULL};
	static const struct xi_hits hits = {5, 300, 40000000000};
	static const struct view_clock moment = {.mono_ms = 100000, .real_ms = 1700000060000};
	struct filter filter = {.id = 7,
				.rule_name = "web",
				.dir = XI_DIR_IN,
				.band = XI_BAND_RULES,
				.action = XI_ACT_PERMIT,
				.family = 4,
				.local_is_me = true,
				.proto_given = true,
				.proto = 6,
				.remote_port_hi = 65535,
				.local_port_lo = 443,
				.local_port_hi = 443,
				.icmp_type = -1,
				.icmp_code = -1};
	json_t *view;

	filter.remote.addr.family = 4;
	view = view_filter(&filter, &hits, &moment);
	has_keys(view, keys);
	assert_string_equal(text_of(view, "remote"), "0.0.0.0/0");
	assert_string_equal(text_of(view, "local"), "me");
	assert_string_equal(text_of(view, "remote_port"), "any");
	assert_string_equal(text_of(view, "local_port"), "443");
	assert_string_equal(text_of(view, "action"), "permit");
	assert_int_equal(json_integer_value(json_object_get(view, "packets")), 5);
	assert_int_equal(json_integer_value(json_object_get(view, "last_hit")), 1700000000);
	json_decref(view);
}

/* Two filters that differ in nothing but what they say of ICMP are not to look the same. */
static void filters_as_text_have_protocols_by_name_and_icmp_types(void **state)
{
	static const struct xi_hits hits;
	struct filter filter = {.rule_name = "r",
				.family = 4,
				.remote.addr.family = 4,
				.local.addr.family = 4,
				.action = XI_ACT_BLOCK,
				.remote_port_hi = 65535,
				.local_port_hi = 65535};
	static const struct {
		bool given;
		uint8_t proto;
		int16_t type, code;
		const char *text;
	} cases[] = {
		{false, 0, -1, -1, "  any       block "},
		{true, 6, -1, -1, "  tcp       block "},
		{true, 1, -1, -1, "  icmp      block "},
		{true, 1, 8, -1, "  icmp 8    block "},
		{true, 1, 3, 4, "  icmp 3/4  block "},
		{true, 132, -1, -1, "  sctp      block "},
		{true, 200, -1, -1, "  200       block "},
	};
	json_t *list = json_array();
	char *text;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		filter.proto_given = cases[i].given;
		filter.proto = cases[i].proto;
		filter.icmp_type = cases[i].type;
		filter.icmp_code = cases[i].code;
		json_array_append_new(list, view_filter(&filter, &hits, &clock_at));
	}
	text = printed("filters", list);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (!strstr(text, cases[i].text))
			fail_msg("no '%s' in\n%s", cases[i].text, text);
	free(text);
	json_decref(list);
}

static void stats_add_up_bpf_and_workers_by_reason(void **state)
{
	struct xi_reason_counts reasons = {.BLOCKED = {3, 180}, .TOO_BIG = {1, 10}};
	struct xi_count worker[XI_REASON_MAX] = {[XI_REASON_TOO_BIG] = {2, 20}};
	struct xi_totals totals = {.in_block = {3, 180}};
	struct ike_counters ike = {.mm_established = 4};
	const struct view_stats stats = {&reasons, worker, &totals, &ike, 0};
	json_t *view = view_stats(&stats), *list = json_object_get(view, "reasons"), *entry;
	char *text;

	entry = json_object_get(list, "blocked");
	assert_int_equal(json_integer_value(json_object_get(entry, "packets")), 3);
	entry = json_object_get(list, "too-big");
	assert_int_equal(json_integer_value(json_object_get(entry, "packets")), 3);
	assert_int_equal(json_integer_value(json_object_get(entry, "bytes")), 30);
	assert_int_equal(json_object_size(list), XI_REASON_MAX - 1);
	text = printed("stats", view);
	assert_non_null(strstr(text, "blocked"));
	/* What did not occur is not listed for people. */
	assert_null(strstr(text, "esp-replay"));
	free(text);
	json_decref(view);
}

static void peers_sum_up_their_sas(void **state)
{
	json_t *mm = json_pack("[o]", main_mode()),
	       *qm = json_pack("[o,o]", quick_mode(), quick_mode());
	json_t *peers = view_peers(mm, qm), *peer = json_array_get(peers, 0);

	assert_int_equal(json_array_size(peers), 1);
	assert_string_equal(text_of(peer, "peer"), "192.0.2.2");
	assert_int_equal(json_integer_value(json_object_get(peer, "main_modes")), 1);
	assert_int_equal(json_integer_value(json_object_get(peer, "quick_modes")), 2);
	assert_int_equal(json_integer_value(json_object_get(peer, "bytes_in")), 200);
	assert_true(json_is_true(json_object_get(peer, "up")));
	json_decref(peers);
	json_decref(mm);
	json_decref(qm);
}

static void text_tables_line_up_and_end_without_blanks(void **state)
{
	json_t *list = json_pack("[o]", main_mode());
	char *text = printed("mm", list), *line, *rest = text;
	size_t column = 0;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		assert_true(line[strlen(line) - 1] != ' ');
		if (!column)
			column = strstr(line, "state") - line;
		else
			assert_memory_equal(line + column, "established", 11);
	}
	assert_true(column > 0);
	free(text);
	json_decref(list);
}

static void lists_go_out_as_one_object_a_line(void **state)
{
	json_t *list = json_pack("[{s:i},{s:i}]", "a", 1, "a", 2);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	view_print_json(out, list);
	fclose(out);
	assert_string_equal(text, "{\"a\":1}\n{\"a\":2}\n");
	free(text);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(main_modes_have_the_promised_keys),
		cmocka_unit_test(a_main_mode_on_its_way_has_no_cipher),
		cmocka_unit_test(quick_modes_have_the_promised_keys),
		cmocka_unit_test(filters_look_as_compile_prints_them),
		cmocka_unit_test(filters_as_text_have_protocols_by_name_and_icmp_types),
		cmocka_unit_test(a_role_that_nothing_asks_for_is_not_needed),
		cmocka_unit_test(status_says_how_each_interface_is_filtered_and_why),
		cmocka_unit_test(status_says_how_many_interfaces_had_no_room),
		cmocka_unit_test(doctor_says_yes_no_and_unknown),
		cmocka_unit_test(stats_add_up_bpf_and_workers_by_reason),
		cmocka_unit_test(peers_sum_up_their_sas),
		cmocka_unit_test(text_tables_line_up_and_end_without_blanks),
		cmocka_unit_test(lists_go_out_as_one_object_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
