/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header, chain and writer: what is written is read back, and a message cut or
 * bent anywhere is refused or read without leaving its bytes (each copy lives
 * in a block of its exact size, so that the sanitizers see a step outside).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ike/wire/payload.h"
#include "tests/lib/ike_samples.h"
#include "tests/lib/ike_walk.h"

static uint8_t msg[IKE_SAMPLE_MAX];
static size_t len;

static int walk_copy(const uint8_t *p, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, p, size);
	rc = ike_walk(copy, size, NULL);
	free(copy);
	return rc;
}

static int walk_chain_copy(uint8_t first, const uint8_t *p, size_t size, enum wire_padding padding)
{
	uint8_t *copy = malloc(size ? size : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, p, size);
	rc = ike_walk_chain(1, first, copy, size, padding, NULL);
	free(copy);
	return rc;
}

static void every_sample_is_well_formed(void **state)
{
	struct wire_error err = {"", 0};
	const char *name;

	for (unsigned n = 0; (name = ike_sample(n, msg, &len)); n++)
		if (ike_walk(msg, len, &err))
			fail_msg("%s: %s (payload %u)", name, err.why, err.payload);
}

static void every_truncation_is_refused(void **state)
{
	for (unsigned n = 0; ike_sample(n, msg, &len); n++) {
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(walk_copy(msg, cut), -EBADMSG);
		/* The same behind the header, where no length field warns. */
		for (size_t cut = WIRE_HEADER_LEN; cut < len; cut++)
			assert_int_equal(walk_chain_copy(msg[16], msg + WIRE_HEADER_LEN,
							 cut - WIRE_HEADER_LEN, WIRE_PADDED),
					 -EBADMSG);
	}
}

static void no_flipped_bit_leads_outside(void **state)
{
	unsigned refused = 0, read = 0;

	for (unsigned n = 0; ike_sample(n, msg, &len); n++) {
		for (size_t bit = 0; bit < len * 8; bit++) {
			msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
			walk_copy(msg, len) ? refused++ : read++;
			msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	print_message("flipped bits: %u refused, %u still read\n", refused, read);
	assert_true(refused > 0 && read > 0);
}

static void the_header_is_read_as_written(void **state)
{
	struct ike_header hdr;

	assert_non_null(ike_sample(5, msg, &len));
	assert_int_equal(wire_header_parse(msg, len, &hdr, NULL), 0);
	assert_int_equal(wire_cookie_number(hdr.cookie_i), 0x1111111111111111);
	assert_int_equal(hdr.major, 1);
	assert_int_equal(hdr.minor, 0);
	assert_int_equal(hdr.next_payload, IKE_PAYLOAD_HASH);
	assert_int_equal(hdr.exchange, IKE_EXCHANGE_QUICK);
	assert_int_equal(hdr.flags, 0);
	assert_int_equal(hdr.message_id, 0x01020304);
	assert_int_equal(hdr.length, len);
}

static const char *why_refused(const uint8_t *p, size_t size)
{
	struct wire_error err = {NULL, 0xff};
	struct ike_header hdr = {.major = 0xee};

	assert_int_equal(wire_header_parse(p, size, &hdr, &err), -EBADMSG);
	assert_int_equal(hdr.major, 0xee); /* untouched */
	assert_int_equal(err.payload, 0);
	return err.why;
}

static void impossible_headers_are_refused_with_a_reason(void **state)
{
	struct ike_header hdr;

	ike_sample(0, msg, &len);
	assert_string_equal(why_refused(msg, 27), "shorter than an ISAKMP header");
	msg[27]--;
	assert_string_equal(why_refused(msg, len), "the datagram is longer than the length field");
	msg[27] += 2;
	assert_string_equal(why_refused(msg, len), "the length field is longer than the datagram");
	memset(msg + 24, 0, 4);
	msg[27] = 27;
	assert_string_equal(why_refused(msg, len), "the length field is shorter than the header");
	ike_sample(0, msg, &len);
	memset(msg, 0, 8);
	assert_string_equal(why_refused(msg, len), "the initiator cookie is zero");
	ike_sample(0, msg, &len);
	msg[17] = 0x05;
	assert_string_equal(why_refused(msg, len), "major version 0");
	/* A later version can be answered, so its header is handed out. */
	msg[17] = 0x30;
	assert_int_equal(wire_header_parse(msg, len, &hdr, NULL), -EPROTONOSUPPORT);
	assert_int_equal(hdr.major, 3);
}

static void the_chain_is_found_by_type_and_order(void **state)
{
	struct wire_chain chain;
	char text[64];

	ike_sample(0, msg, &len);
	assert_int_equal(wire_chain_parse(1, msg[16], msg + 28, len - 28, WIRE_EXACT, &chain, NULL),
			 0);
	assert_int_equal(chain.count, 4);
	assert_int_equal(wire_chain_count(&chain, IKE_PAYLOAD_VID), 3);
	assert_ptr_equal(wire_chain_find(&chain, IKE_PAYLOAD_VID, 2), &chain.payload[3]);
	assert_null(wire_chain_find(&chain, IKE_PAYLOAD_VID, 3));
	assert_null(wire_chain_find(&chain, IKE_PAYLOAD_KE, 0));
	assert_string_equal(wire_chain_text(&chain, text, sizeof(text)), "SA, VID, VID, VID");
	assert_string_equal(wire_chain_text(&chain, text, 6), "SA, V");
}

static const char *why_chain_refused(uint8_t first, const uint8_t *p, size_t size)
{
	struct wire_error err = {"accepted", 0};
	struct wire_chain chain;

	wire_chain_parse(1, first, p, size, WIRE_PADDED, &chain, &err);
	return err.why;
}

static void a_payload_length_below_four_ends_the_walk(void **state)
{
	/* The message that made chain walkers spin: a HASH that follows itself. */
	uint8_t loop[] = {IKE_PAYLOAD_HASH, 0, 0, 0, 1, 1, 1, 1};

	for (loop[3] = 0; loop[3] < 4; loop[3]++)
		assert_string_equal(why_chain_refused(IKE_PAYLOAD_HASH, loop, sizeof(loop)),
				    "the payload length is below 4");
}

static void a_payload_must_end_inside_the_message(void **state)
{
	uint8_t hash[] = {0, 0, 0, 8, 1, 1, 1, 1};

	assert_string_equal(why_chain_refused(IKE_PAYLOAD_HASH, hash, 8), "accepted");
	assert_string_equal(why_chain_refused(IKE_PAYLOAD_HASH, hash, 7),
			    "the payload runs past the end");
	hash[3] = 9;
	assert_string_equal(why_chain_refused(IKE_PAYLOAD_HASH, hash, 8),
			    "the payload runs past the end");
	hash[2] = 0xff;
	assert_string_equal(why_chain_refused(IKE_PAYLOAD_HASH, hash, 8),
			    "the payload runs past the end");
	assert_string_equal(why_chain_refused(IKE_PAYLOAD_HASH, hash, 3),
			    "the payload header is cut short");
	assert_string_equal(why_chain_refused(IKE_PAYLOAD_HASH, hash, 0),
			    "the payload header is cut short");
}

static void more_payloads_than_the_cap_are_refused(void **state)
{
	uint8_t many[(WIRE_PAYLOADS_MAX + 1) * 4];
	struct wire_chain chain;

	for (unsigned i = 0; i <= WIRE_PAYLOADS_MAX; i++)
		memcpy(many + 4 * i, (const uint8_t[]){IKE_PAYLOAD_VID, 0, 0, 4}, 4);
	many[4 * WIRE_PAYLOADS_MAX] = 0;
	assert_int_equal(
		wire_chain_parse(1, IKE_PAYLOAD_VID, many, sizeof(many), WIRE_EXACT, &chain, NULL),
		-EBADMSG);
	many[4 * (WIRE_PAYLOADS_MAX - 1)] = 0;
	assert_int_equal(wire_chain_parse(1, IKE_PAYLOAD_VID, many, sizeof(many) - 4, WIRE_EXACT,
					  &chain, NULL),
			 0);
	assert_int_equal(chain.count, WIRE_PAYLOADS_MAX);
}

static void unknown_payloads_are_counted_and_not_stored(void **state)
{
	/* Type 15, then a HASH; the reserved byte of both is set, which RFC 2408 asks to ignore. */
	const uint8_t v1[] = {8, 0xff, 0, 6, 1, 2, 0, 0x80, 0, 5, 7};
	/* Version 2: a critical payload of type 60. */
	const uint8_t v2[] = {0, 0x80, 0, 4};
	struct wire_chain chain;

	assert_int_equal(wire_chain_parse(1, 15, v1, sizeof(v1), WIRE_EXACT, &chain, NULL), 0);
	assert_int_equal(chain.unknown, 1);
	assert_int_equal(chain.count, 1);
	assert_int_equal(chain.payload[0].type, IKE_PAYLOAD_HASH);
	assert_int_equal(chain.critical_unknown, 0);
	assert_int_equal(wire_chain_parse(2, 60, v2, sizeof(v2), WIRE_EXACT, &chain, NULL), 0);
	assert_int_equal(chain.critical_unknown, 60);
}

static void padding_is_allowed_only_behind_decrypted_chains(void **state)
{
	uint8_t hash[5 + 256] = {0, 0, 0, 5, 7};
	struct wire_chain chain;

	assert_int_equal(wire_chain_parse(1, IKE_PAYLOAD_HASH, hash, 16, WIRE_EXACT, &chain, NULL),
			 -EBADMSG);
	assert_int_equal(wire_chain_parse(1, IKE_PAYLOAD_HASH, hash, 16, WIRE_PADDED, &chain, NULL),
			 0);
	assert_int_equal(chain.trailing.len, 11);
	assert_int_equal(
		wire_chain_parse(1, IKE_PAYLOAD_HASH, hash, 5 + 255, WIRE_PADDED, &chain, NULL), 0);
	assert_int_equal(
		wire_chain_parse(1, IKE_PAYLOAD_HASH, hash, 5 + 256, WIRE_PADDED, &chain, NULL),
		-EBADMSG);
}

static void an_sk_payload_ends_a_version_2_chain(void **state)
{
	const uint8_t sk[] = {IKE_PAYLOAD_V2_IDI, 0, 0, 8, 1, 2, 3, 4};
	struct wire_chain chain;

	assert_int_equal(
		wire_chain_parse(2, IKE_PAYLOAD_V2_SK, sk, sizeof(sk), WIRE_EXACT, &chain, NULL),
		0);
	assert_int_equal(chain.count, 1);
	assert_int_equal(chain.payload[0].next, IKE_PAYLOAD_V2_IDI);
}

static void a_writer_never_passes_its_end(void **state)
{
	static uint8_t small[IKE_SAMPLE_MAX + 1];
	struct ike_header hdr = {.major = 1, .exchange = IKE_EXCHANGE_MAIN};
	struct wire_buf wb;

	memset(hdr.cookie_i, 1, 8);
	for (size_t cap = 0; cap < 28 + 4 + 20 + 4 + 9; cap++) {
		memset(small, 0xee, sizeof(small));
		wire_buf_init(&wb, small, cap);
		wire_msg_begin(&wb, &hdr);
		wire_put_payload(&wb, IKE_PAYLOAD_NONCE, msg, 20);
		wire_put_payload_zero(&wb, IKE_PAYLOAD_HASH, 9);
		assert_int_equal(wire_msg_end(&wb), -EMSGSIZE);
		assert_true(wb.len <= cap);
		assert_int_equal(small[cap], 0xee);
	}
	wire_buf_init(&wb, small, 28 + 4 + 20 + 4 + 9);
	wire_msg_begin(&wb, &hdr);
	wire_put_payload(&wb, IKE_PAYLOAD_NONCE, msg, 20);
	wire_put_payload_zero(&wb, IKE_PAYLOAD_HASH, 9);
	assert_int_equal(wire_msg_end(&wb), 0);
}

static void padding_fills_whole_blocks_with_zeros(void **state)
{
	uint8_t mem[128];
	struct ike_header hdr = {.major = 1, .exchange = IKE_EXCHANGE_QUICK};
	struct wire_buf wb;

	memset(mem, 0xee, sizeof(mem));
	memset(hdr.cookie_i, 1, 8);
	wire_buf_init(&wb, mem, sizeof(mem));
	wire_msg_begin(&wb, &hdr);
	wire_put_payload_zero(&wb, IKE_PAYLOAD_HASH, 20);
	assert_int_equal(wire_pad(&wb, WIRE_HEADER_LEN, 16), 32);
	assert_int_equal(mem[WIRE_HEADER_LEN + 24], 0);
	assert_int_equal(mem[WIRE_HEADER_LEN + 31], 0);
	assert_int_equal(wire_pad(&wb, WIRE_HEADER_LEN, 16), 32);
	assert_int_equal(wire_msg_end(&wb), 0);
	assert_int_equal(mem[27], 28 + 32);
}

/* XI_WRITE_SEEDS=folder makes the fuzz target's seeds again. */
static void write_seeds(const char *folder)
{
	const char *name;
	char path[512];
	FILE *file;

	for (unsigned n = 0; (name = ike_sample(n, msg, &len)); n++) {
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		file = fopen(path, "wb");
		if (!file || fwrite(msg, 1, len, file) != len || fclose(file))
			perror(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_is_well_formed),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(no_flipped_bit_leads_outside),
		cmocka_unit_test(the_header_is_read_as_written),
		cmocka_unit_test(impossible_headers_are_refused_with_a_reason),
		cmocka_unit_test(the_chain_is_found_by_type_and_order),
		cmocka_unit_test(a_payload_length_below_four_ends_the_walk),
		cmocka_unit_test(a_payload_must_end_inside_the_message),
		cmocka_unit_test(more_payloads_than_the_cap_are_refused),
		cmocka_unit_test(unknown_payloads_are_counted_and_not_stored),
		cmocka_unit_test(padding_is_allowed_only_behind_decrypted_chains),
		cmocka_unit_test(an_sk_payload_ends_a_version_2_chain),
		cmocka_unit_test(a_writer_never_passes_its_end),
		cmocka_unit_test(padding_fills_whole_blocks_with_zeros),
	};

	if (getenv("XI_WRITE_SEEDS"))
		write_seeds(getenv("XI_WRITE_SEEDS"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
