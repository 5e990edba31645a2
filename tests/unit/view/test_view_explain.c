/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet that explain --live asks about: what is written is read back, and nonsense is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "view/explain.h"

static uint32_t random_state = 1;

static uint32_t draw(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % limit;
}

static struct explain_question random_question(void)
{
	static const uint8_t protos[] = {1, 6, 17, 47, 58, 132};
	struct explain_question q = {.pkt = {.family = draw(2) ? 4 : 6,
					     .dir = draw(2),
					     .proto = protos[draw(sizeof(protos))],
					     .iface_class = draw(2),
					     .flags = draw(2) ? XI_PKT_LOCAL_IS_ME : 0}};
	bool icmp = q.pkt.proto == 1 || q.pkt.proto == 58, ports = !icmp && q.pkt.proto != 47;

	for (int i = 0; i < (q.pkt.family == 4 ? 4 : 16); i++) {
		q.pkt.local[i] = draw(256);
		q.pkt.remote[i] = draw(256);
	}
	if (!draw(5))
		q.pkt.flags |= XI_PKT_LATER_FRAG;
	if (!draw(3)) {
		q.unknown |= EXPLAIN_IFACE;
		q.pkt.iface_class = XI_IFACE_LAN;
	}
	if (q.pkt.flags & XI_PKT_LATER_FRAG)
		return q;
	if (ports && draw(3))
		q.pkt.local_port = draw(65536);
	else if (ports)
		q.unknown |= EXPLAIN_LOCAL_PORT;
	if (ports && draw(3))
		q.pkt.remote_port = draw(65536);
	else if (ports)
		q.unknown |= EXPLAIN_REMOTE_PORT;
	if (icmp && draw(3))
		q.pkt.icmp_type = draw(256);
	else if (icmp)
		q.unknown |= EXPLAIN_ICMP_TYPE;
	if (icmp && draw(3))
		q.pkt.icmp_code = draw(256);
	else if (icmp)
		q.unknown |= EXPLAIN_ICMP_CODE;
	return q;
}

static void a_packet_is_read_back_as_it_was_written(void **unused)
{
	for (int i = 0; i < 5000; i++) {
		struct explain_question q = random_question(), back;
		json_t *packet = view_packet(&q);

		assert_non_null(packet);
		memset(&back, 0xa5, sizeof(back));
		assert_int_equal(view_packet_parse(packet, &back), 0);
		assert_int_equal(back.unknown, q.unknown);
		assert_memory_equal(&back.pkt, &q.pkt, sizeof(q.pkt));
		json_decref(packet);
	}
}

static void expect(int want, const char *text)
{
	struct explain_question q = {.unknown = 0x5555}, before = q;
	json_t *packet = json_loads(text, 0, NULL);

	assert_non_null(packet);
	if (view_packet_parse(packet, &q) != want)
		print_error("%s\n", text);
	assert_int_equal(view_packet_parse(packet, &q), want);
	if (want)
		assert_memory_equal(&q, &before, sizeof(q));
	json_decref(packet);
}

#define PACKET(rest)                                                                               \
	"{\"direction\":\"in\",\"local\":\"192.0.2.1\",\"remote\":\"192.0.2.2\"" rest "}"

static void what_is_no_packet_is_refused_whole(void **unused)
{
	expect(0, PACKET(",\"proto\":6"));
	expect(0, PACKET(",\"proto\":6,\"local_port\":null,\"remote_port\":65535"));
	expect(-EINVAL, "[]");
	expect(-EINVAL, "{}");
	expect(-EINVAL, PACKET(""));
	expect(-EINVAL, PACKET(",\"proto\":256"));
	expect(-EINVAL, PACKET(",\"proto\":-1"));
	expect(-EINVAL, PACKET(",\"proto\":\"tcp\""));
	expect(-EINVAL, PACKET(",\"proto\":null"));
	expect(-EINVAL, PACKET(",\"proto\":6,\"local_port\":65536"));
	expect(-EINVAL, PACKET(",\"proto\":6,\"remote_port\":\"80\""));
	expect(-EINVAL, PACKET(",\"proto\":1,\"icmp_type\":256"));
	expect(-EINVAL, PACKET(",\"proto\":6,\"interface\":\"wan\""));
	expect(-EINVAL, "{\"direction\":\"up\",\"local\":\"192.0.2.1\",\"remote\":\"192.0.2.2\","
			"\"proto\":6}");
	expect(-EINVAL, "{\"direction\":\"in\",\"local\":\"192.0.2.1\",\"remote\":\"2001:db8::1\","
			"\"proto\":6}");
	expect(-EINVAL, "{\"direction\":\"in\",\"local\":\"192.0.2.1/32\","
			"\"remote\":\"192.0.2.2\",\"proto\":6}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_is_read_back_as_it_was_written),
		cmocka_unit_test(what_is_no_packet_is_refused_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
