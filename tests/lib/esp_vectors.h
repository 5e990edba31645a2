/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors in JSON, on top of tests/lib/data.h. */
#ifndef TESTS_ESP_VECTORS_H
#define TESTS_ESP_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* A file under $XI_DATA; NULL if it is not there. */
json_t *data_json(const char *path);

/* Bytes from a hex member of an object; an absent one gives 0 bytes. */
size_t json_hex(const json_t *object, const char *key, uint8_t *out, size_t cap);
const char *json_str(const json_t *object, const char *key); /* "" when absent */

#endif
