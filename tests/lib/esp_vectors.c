/* SPDX-License-Identifier: BSD-2-Clause */
/* See esp_vectors.h. */
#include "tests/lib/esp_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/data.h"
json_t *data_json(const char *path)
{
	json_error_t error;
	json_t *json;
	size_t len;
	char *text = data_read(path, &len);

	if (!text)
		return NULL;
	json = json_loadb(text, len, 0, &error);
	if (!json)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	free(text);
	return json;
}

size_t json_hex(const json_t *object, const char *key, uint8_t *out, size_t cap)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? data_hex(text, out, cap) : 0;
}

const char *json_str(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}
