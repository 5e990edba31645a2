/* SPDX-License-Identifier: BSD-2-Clause */
/* The capture reader on small files made here, whole, cut short and damaged. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "util/pcap.h"

/* clang-format off */
/* Classic, big-endian: one Ethernet frame with a VLAN tag and the first bytes of IPv4. */
static const uint8_t classic[] = {
	0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 1,
	/* seconds, microseconds, captured, on the wire */
	0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 22, 0, 0, 0, 60,
	/* two addresses, tag, type, packet */
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x81, 0, 0, 5, 0x08, 0, 0x45, 0, 0, 20,
};

/* pcapng, little-endian: section, raw IP interface, one enhanced packet of 2 bytes. */
static const uint8_t ng[] = {
	0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 28, 0, 0, 0,
	1, 0, 0, 0, 20, 0, 0, 0, 101, 0, 0, 0, 0, 0, 4, 0, 20, 0, 0, 0,
	6, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0,
	0x60, 0x01, 0, 0, 36, 0, 0, 0,
};
/* clang-format on */

static void a_classic_frame_gives_its_ip_packet(void **state)
{
	struct capture_packet packet;
	struct capture *capture;
	const uint8_t *ip;
	size_t len;

	assert_int_equal(capture_open_mem(classic, sizeof(classic), &capture), 0);
	assert_int_equal(capture_next(capture, &packet), 1);
	assert_int_equal(packet.number, 1);
	assert_int_equal(packet.len, 22);
	assert_int_equal(packet.wire_len, 60);
	assert_int_equal(capture_ip(&packet, &ip, &len), 0);
	assert_int_equal(len, 4);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(capture_next(capture, &packet), 0);
	capture_close(capture);
}

static void a_pcapng_packet_has_its_interfaces_link_type(void **state)
{
	struct capture_packet packet;
	struct capture *capture;
	const uint8_t *ip;
	size_t len;

	assert_int_equal(capture_open_mem(ng, sizeof(ng), &capture), 0);
	assert_int_equal(capture_next(capture, &packet), 1);
	assert_int_equal(packet.link_type, 101);
	assert_int_equal(packet.wire_len, 9);
	assert_int_equal(capture_ip(&packet, &ip, &len), 0);
	assert_int_equal(len, 2);
	assert_int_equal(capture_next(capture, &packet), 0);
	capture_close(capture);
}

/* Reads what is there; returns packets read, or -errno. In its own block, for the sanitizer. */
static int read_through(const uint8_t *file, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct capture_packet packet;
	struct capture *capture;
	const uint8_t *ip;
	int rc, count = 0;
	size_t ip_len;

	memcpy(copy, file, len);
	assert_int_equal(capture_open_mem(copy, len, &capture), 0);
	while ((rc = capture_next(capture, &packet)) > 0) {
		assert_true(packet.p >= copy && packet.p + packet.len <= copy + len);
		capture_ip(&packet, &ip, &ip_len);
		count++;
	}
	capture_close(capture);
	free(copy);
	return rc < 0 ? rc : count;
}

static void a_capture_cut_short_is_an_error_or_has_fewer_packets(void **state)
{
	for (size_t len = 24; len < sizeof(classic); len++)
		assert_int_equal(read_through(classic, len), len == 24 ? 0 : -EBADMSG);
	for (size_t len = 28; len < sizeof(ng); len++)
		assert_int_equal(read_through(ng, len), len == 28 || len == 48 ? 0 : -EBADMSG);
}

static void damaged_bytes_never_lead_outside(void **state)
{
	uint8_t copy[sizeof(classic) + sizeof(ng)];

	for (size_t i = 4; i < sizeof(classic); i++) {
		memcpy(copy, classic, sizeof(classic));
		copy[i] ^= 0xff;
		read_through(copy, sizeof(classic));
	}
	for (size_t i = 12; i < sizeof(ng); i++) {
		memcpy(copy, ng, sizeof(ng));
		copy[i] ^= 0xff;
		read_through(copy, sizeof(ng));
	}
}

static void what_is_no_capture_is_refused(void **state)
{
	const uint8_t text[32] = "policy: branch-server";
	struct capture *capture = NULL;

	assert_int_equal(capture_open_mem(text, sizeof(text), &capture), -EBADMSG);
	assert_int_equal(capture_open_mem(classic, 23, &capture), -EBADMSG);
	assert_int_equal(capture_open("/nonexistent", &capture), -ENOENT);
	assert_null(capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_classic_frame_gives_its_ip_packet),
		cmocka_unit_test(a_pcapng_packet_has_its_interfaces_link_type),
		cmocka_unit_test(a_capture_cut_short_is_an_error_or_has_fewer_packets),
		cmocka_unit_test(damaged_bytes_never_lead_outside),
		cmocka_unit_test(what_is_no_capture_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
