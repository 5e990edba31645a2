/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/esp_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lzma.h>

static char *read_all(FILE *file, size_t *ret_len)
{
	size_t len = 0, cap = 1 << 16;
	char *text = malloc(cap + 1);

	while (text) {
		len += fread(text + len, 1, cap - len, file);
		if (len < cap)
			break;
		cap *= 2;
		text = realloc(text, cap + 1);
	}
	assert_non_null(text);
	text[len] = 0;
	*ret_len = len;
	return text;
}

static char *unxz(char *packed, size_t packed_len, size_t *ret_len)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	size_t cap = packed_len * 8 + 65536;
	char *text = NULL;
	lzma_ret rc = LZMA_OK;

	assert_int_equal(lzma_stream_decoder(&stream, UINT64_MAX, LZMA_CONCATENATED), LZMA_OK);
	stream.next_in = (uint8_t *)packed;
	stream.avail_in = packed_len;
	while (rc == LZMA_OK) {
		cap *= 2;
		text = realloc(text, cap + 1);
		assert_non_null(text);
		stream.next_out = (uint8_t *)text + stream.total_out;
		stream.avail_out = cap - stream.total_out;
		rc = lzma_code(&stream, LZMA_FINISH);
	}
	assert_int_equal(rc, LZMA_STREAM_END);
	*ret_len = stream.total_out;
	text[*ret_len] = 0;
	lzma_end(&stream);
	free(packed);
	return text;
}

char *data_text(const char *path, size_t *ret_len)
{
	const char *dir = getenv("XI_DATA");
	char full[512];
	size_t len;
	FILE *file;
	char *text;

	snprintf(full, sizeof(full), "%s/%s", dir ? dir : "../shared/data", path);
	file = fopen(full, "rb");
	if (!file)
		return NULL;
	text = read_all(file, &len);
	fclose(file);
	if (strlen(path) > 3 && !strcmp(path + strlen(path) - 3, ".xz"))
		text = unxz(text, len, &len);
	*ret_len = len;
	return text;
}

json_t *data_json(const char *path)
{
	json_error_t error;
	json_t *json;
	size_t len;
	char *text = data_text(path, &len);

	if (!text)
		return NULL;
	json = json_loadb(text, len, 0, &error);
	if (!json)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	free(text);
	return json;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

size_t unhex(const char *text, uint8_t *out, size_t cap)
{
	size_t len = 0;

	for (; text && text[0]; text += 2) {
		int hi = nibble(text[0]), lo = hi < 0 ? -1 : nibble(text[1]);

		assert_true(lo >= 0 && len < cap);
		out[len++] = (uint8_t)(hi << 4 | lo);
	}
	return len;
}

size_t json_hex(const json_t *object, const char *key, uint8_t *out, size_t cap)
{
	return unhex(json_string_value(json_object_get(object, key)), out, cap);
}

const char *json_str(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}
