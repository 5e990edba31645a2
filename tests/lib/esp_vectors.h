/* SPDX-License-Identifier: BSD-2-Clause */
/* Test data for ESP: files under $XI_DATA, hex in JSON. */
#ifndef TESTS_ESP_VECTORS_H
#define TESTS_ESP_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* A whole file under $XI_DATA (default ../shared/data), unpacked if it ends in .xz; NULL if absent.
 */
char *data_text(const char *path, size_t *ret_len);
json_t *data_json(const char *path);

/* Bytes from hex text; fails the test on anything else. NULL text gives 0 bytes. */
size_t unhex(const char *text, uint8_t *out, size_t cap);
/* The same for a member of an object; an absent one gives 0 bytes. */
size_t json_hex(const json_t *object, const char *key, uint8_t *out, size_t cap);
const char *json_str(const json_t *object, const char *key); /* "" when absent */

#endif
