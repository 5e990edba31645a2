/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real captures of the XI_DATA folder against what an independent dissector
 * says about each message: header fields, payload chains (also decrypted, with
 * the published keys) and the decrypted bytes. Malformed captures must be
 * reported as such.
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

#include <jansson.h>

#include "decode/decode.h"
#include "tests/lib/data.h"

#define COLUMNS_MAX 64

/* Captures whose messages crashed other programs. */
static const char *const broken[] = {
	"isakmp-delete-segfault",
	"isakmp-identification-segfault",
	"isakmp-pointer-loop",
	"isakmp-ikev1_n_print-oobr",
	"ikev2pI2-segfault",
	"payload-bad-length",
	"zero-length",
};

static struct decode_keys keys;

static char *full_path(const char *path)
{
	char *full = NULL;

	assert_true(asprintf(&full, "%s/%s", data_root(), path) > 0);
	return full;
}

static int load_keys(void **state)
{
	static const char *const tables[] = {"captures/wireshark/ikev1_decryption_table",
					     "captures/wireshark/ikev2_decryption_table"};
	struct diag diag = {0};

	for (size_t i = 0; i < 2; i++) {
		char *path = full_path(tables[i]);
		int rc = decode_keys_load(path, &keys, &diag);

		free(path);
		assert_true(rc == 0 || rc == -ENOENT);
	}
	diag_free(&diag);
	return 0;
}

static int free_keys(void **state)
{
	decode_keys_free(&keys);
	return 0;
}

/* "captures/expected/wireshark--ikev1-certs.pcap.tsv" -> "captures/wireshark/ikev1-certs.pcap" */
static char *capture_of(const char *tsv)
{
	const char *name = strrchr(tsv, '/') + 1, *dashes = strstr(name, "--");
	char *path = NULL;

	assert_non_null(dashes);
	assert_true(asprintf(&path, "captures/%.*s/%.*s", (int)(dashes - name), name,
			     (int)(strlen(dashes) - 2 - 4), dashes + 2) > 0);
	return path;
}

/* One line of the expectation, cut at its tabs. */
struct row {
	unsigned count;
	char *field[COLUMNS_MAX];
};

static void cut_row(char *line, struct row *row)
{
	row->count = 0;
	for (char *field; row->count < COLUMNS_MAX && (field = strsep(&line, "\t"));)
		row->field[row->count++] = field;
}

static const char *get(const struct row *head, const struct row *row, const char *name)
{
	for (unsigned i = 0; i < head->count; i++)
		if (!strcmp(head->field[i], name))
			return i < row->count ? row->field[i] : "";
	fail_msg("no column %s", name);
	return NULL;
}

/* Moves to the message of this frame; false when the capture has none. */
static bool find_frame(struct decode *decode, struct capture *capture, unsigned frame,
		       struct decoded *ret)
{
	struct capture_packet packet;

	while (capture_next(capture, &packet) > 0) {
		int rc = decode_packet(decode, &packet, ret);

		if (packet.number == frame)
			return rc;
		assert_true(packet.number < frame);
	}
	return false;
}

static void types_text(const struct decoded *msg, char *buf, size_t size)
{
	size_t at = 0;

	*buf = '\0';
	for (unsigned i = 0; i < msg->type_count && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%u", i ? "," : "", msg->types[i]);
}

static bool is_broken(const char *path)
{
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		if (strstr(path, broken[i]))
			return true;
	return false;
}

struct totals {
	unsigned captures, messages, chains, decrypted, unread;
};

static void compare(const char *where, const struct row *head, const struct row *row,
		    const struct decoded *msg, struct totals *totals)
{
	const char *types = get(head, row, "isakmp.typepayload");
	char text[2048], spi[32];

	snprintf(spi, sizeof(spi), "%016llx",
		 (unsigned long long)wire_cookie_number(msg->hdr.cookie_i));
	assert_string_equal(spi, get(head, row, "isakmp.ispi"));
	snprintf(spi, sizeof(spi), "%016llx",
		 (unsigned long long)wire_cookie_number(msg->hdr.cookie_r));
	assert_string_equal(spi, get(head, row, "isakmp.rspi"));
	assert_int_equal(msg->hdr.major << 4 | msg->hdr.minor,
			 strtoul(get(head, row, "isakmp.version"), NULL, 0));
	totals->messages++;
	/* Where the dissector gave up there is nothing to compare the rest with. */
	if (strstr(get(head, row, "_ws.expert.message"), "Malformed") ||
	    !*get(head, row, "isakmp.length") || msg->hdr.major > 2) {
		totals->unread++;
		return;
	}
	assert_int_equal(msg->hdr.exchange, atoi(get(head, row, "isakmp.exchangetype")));
	assert_int_equal(msg->hdr.flags, strtoul(get(head, row, "isakmp.flags"), NULL, 0));
	assert_int_equal(msg->hdr.message_id, strtoul(get(head, row, "isakmp.messageid"), NULL, 0));
	assert_int_equal(msg->hdr.length, strtoul(get(head, row, "isakmp.length"), NULL, 0));
	types_text(msg, text, sizeof(text));
	if (strcmp(text, types))
		fail_msg("%s frame %u: payloads %s, expected %s (%s)", where, msg->frame, text,
			 types, msg->problem ? msg->problem : "no problem");
	totals->chains++;
	totals->decrypted += msg->decrypted;
}

static void check_capture(const char *tsv, struct totals *totals)
{
	struct row head = {0}, row;
	char *text = data_read(tsv, NULL), *rest = text, *path = capture_of(tsv), *line;
	char *full = full_path(path);
	struct decode *decode = decode_new(&keys);
	struct capture *capture;
	struct decoded msg;

	assert_non_null(text);
	assert_non_null(decode);
	assert_int_equal(capture_open(full, &capture), 0);
	cut_row(strsep(&rest, "\n"), &head);
	while ((line = strsep(&rest, "\n")) && *line) {
		cut_row(line, &row);
		if (!*get(&head, &row, "isakmp.ispi"))
			continue;
		if (!find_frame(decode, capture, (unsigned)atoi(get(&head, &row, "frame.number")),
				&msg)) {
			/* A first fragment whose rest never comes: the dissector shows it, we wait.
			 */
			if (!is_broken(path))
				fail_msg("%s: no message in frame %s", path,
					 get(&head, &row, "frame.number"));
			totals->unread++;
			continue;
		}
		compare(path, &head, &row, &msg, totals);
	}
	totals->captures++;
	capture_close(capture);
	decode_free(decode);
	free(full);
	free(path);
	free(text);
}

static void chains_are_as_the_dissector_sees_them(void **state)
{
	struct totals totals = {0};
	char **list;
	size_t count = data_list("captures/expected", ".tsv", &list);

	if (!count)
		data_skip("captures/expected");
	for (size_t i = 0; i < count; i++)
		check_capture(list[i], &totals);
	data_list_free(list, count);
	print_message("captures: %u, IKE messages %u, chains equal %u (decrypted %u), where the "
		      "dissector gave up %u\n",
		      totals.captures, totals.messages, totals.chains, totals.decrypted,
		      totals.unread);
	assert_true(totals.chains > 0);
}

static void malformed_captures_are_reported(void **state)
{
	unsigned captures = 0, messages = 0, refused = 0;
	char **list;
	size_t count = data_list("captures/expected", ".tsv", &list);

	for (size_t i = 0; i < count; i++) {
		struct capture_packet packet;
		struct capture *capture;
		struct decode *decode;
		struct decoded msg;
		char *path = capture_of(list[i]), *full = full_path(path);

		if (is_broken(path)) {
			decode = decode_new(NULL);
			assert_int_equal(capture_open(full, &capture), 0);
			while (capture_next(capture, &packet) > 0) {
				if (!decode_packet(decode, &packet, &msg))
					continue;
				messages++;
				refused += msg.problem != NULL;
			}
			if (messages != refused)
				fail_msg("%s: a message was accepted", path);
			captures++;
			capture_close(capture);
			decode_free(decode);
		}
		free(full);
		free(path);
	}
	data_list_free(list, count);
	if (!captures)
		data_skip("captures/expected");
	print_message("malformed captures: %u, messages %u, refused %u\n", captures, messages,
		      refused);
	assert_true(messages > 0);
}

/* Compares the decrypted bytes of every listed frame with `field` of the file. */
static void check_plaintext(const char *file, const char *field)
{
	char *text = data_read(file, NULL);
	json_t *json, *entry;
	unsigned run = 0;
	size_t i;

	if (!text)
		data_skip(file);
	json = json_loads(text, 0, NULL);
	assert_non_null(json);
	json_array_foreach(json_object_get(json, "messages"), i, entry) {
		const char *name = json_string_value(json_object_get(entry, "capture"));
		const char *want = json_string_value(json_object_get(entry, field));
		unsigned frame = (unsigned)json_integer_value(json_object_get(entry, "frame"));
		static uint8_t bytes[DECODE_MESSAGE_MAX];
		struct decode *decode = decode_new(&keys);
		struct capture *capture;
		struct decoded msg;
		char *path, *full;
		size_t len;

		assert_true(asprintf(&path, "captures/%s", name) > 0);
		full = full_path(path);
		assert_int_equal(capture_open(full, &capture), 0);
		assert_true(find_frame(decode, capture, frame, &msg));
		if (!msg.decrypted)
			fail_msg("%s frame %u is not decrypted", name, frame);
		assert_null(msg.problem);
		len = data_hex(want ? want : "", bytes, sizeof(bytes));
		assert_int_equal(msg.plain.len, len);
		assert_memory_equal(msg.plain.p, bytes, len);
		run++;
		capture_close(capture);
		decode_free(decode);
		free(full);
		free(path);
	}
	json_decref(json);
	free(text);
	print_message("%s: %u messages decrypted to the same bytes\n", file, run);
	assert_true(run > 0);
}

static void version_1_messages_decrypt_to_the_published_bytes(void **state)
{
	check_plaintext("captures/expected/ikev1-plaintext.json", "plaintext");
}

static void version_2_messages_decrypt_to_the_published_bytes(void **state)
{
	check_plaintext("captures/expected/ike-plaintext.json", "contained");
}

/* Frame 8 is frame 7 again. Taking it for the next message would spoil the IV of frame 9. */
static void a_retransmission_decrypts_like_the_first_copy(void **state)
{
	char *path = full_path("captures/wireshark/ikev1-certs.pcap");
	static uint8_t first[DECODE_MESSAGE_MAX];
	struct capture *capture;
	struct decode *decode;
	struct decoded msg;
	size_t len;
	int rc = capture_open(path, &capture);

	free(path);
	if (rc)
		data_skip("captures/wireshark");
	decode = decode_new(&keys);
	assert_true(find_frame(decode, capture, 7, &msg));
	assert_true(msg.decrypted);
	assert_false(msg.repeated);
	len = msg.plain.len;
	memcpy(first, msg.plain.p, len);
	assert_true(find_frame(decode, capture, 8, &msg));
	assert_true(msg.repeated);
	assert_null(msg.problem);
	assert_int_equal(msg.plain.len, len);
	assert_memory_equal(msg.plain.p, first, len);
	capture_close(capture);
	decode_free(decode);
}

static void a_wrong_key_shows_no_plaintext_of_version_2(void **state)
{
	struct decode_keys wrong = {0};
	struct diag diag = {0};
	struct capture_packet packet;
	struct capture *capture;
	struct decode *decode;
	struct decoded msg;
	unsigned refused = 0;
	char *table = full_path("captures/wireshark/ikev2_decryption_table");
	char *path = full_path("captures/wireshark/ikev2-decrypt-aes256gcm16.pcap");

	if (decode_keys_load(table, &wrong, &diag) || capture_open(path, &capture)) {
		free(table);
		free(path);
		data_skip("captures/wireshark");
	}
	for (size_t i = 0; i < wrong.count; i++) {
		wrong.key[i].ei[0] ^= 1;
		wrong.key[i].er[0] ^= 1;
	}
	decode = decode_new(&wrong);
	while (capture_next(capture, &packet) > 0) {
		if (!decode_packet(decode, &packet, &msg) || !msg.encrypted)
			continue;
		assert_false(msg.decrypted);
		assert_string_equal(msg.problem, "the integrity check fails with this key");
		refused++;
	}
	assert_int_equal(refused, 4);
	capture_close(capture);
	decode_free(decode);
	decode_keys_free(&wrong);
	free(table);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_as_the_dissector_sees_them),
		cmocka_unit_test(malformed_captures_are_reported),
		cmocka_unit_test(version_1_messages_decrypt_to_the_published_bytes),
		cmocka_unit_test(version_2_messages_decrypt_to_the_published_bytes),
		cmocka_unit_test(a_retransmission_decrypts_like_the_first_copy),
		cmocka_unit_test(a_wrong_key_shows_no_plaintext_of_version_2),
	};

	print_message("data folder: %s (XI_DATA)\n", data_root());
	return cmocka_run_group_tests(tests, load_keys, free_keys);
}
