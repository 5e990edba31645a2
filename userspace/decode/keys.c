/* SPDX-License-Identifier: BSD-2-Clause */
/* The key files of `xipsec decode`; see decode.h for their lines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "decode/decode.h"

#define FIELDS_MAX 8
#define LINE_SIZE  2048

/* Cuts a line at its commas. Names may be in quotes, which may hold commas. */
static unsigned split(char *line, char *field[FIELDS_MAX])
{
	unsigned count = 0;
	bool quoted = false;
	char *start = line;

	for (char *c = line;; c++) {
		bool end = !*c;

		if (*c == '"')
			quoted = !quoted;
		if (!end && (*c != ',' || quoted))
			continue;
		*c = '\0';
		if (*start == '"') {
			start++;
			start[strcspn(start, "\"")] = '\0';
		}
		if (count < FIELDS_MAX)
			field[count] = start;
		count++;
		start = c + 1;
		if (end)
			return count;
	}
}

/* Hex of at most cap bytes; the length, or -1. */
static int unhex(const char *text, uint8_t *ret, size_t cap)
{
	size_t len = strlen(text);

	if (len % 2 || len / 2 > cap || strspn(text, "0123456789abcdefABCDEF") != len)
		return -1;
	for (size_t i = 0; i < len / 2; i++) {
		char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};

		ret[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return (int)(len / 2);
}

static const char *parse_v1(char *const *field, struct decode_key *key)
{
	int len = unhex(field[1], key->ei, DECODE_KEY_MAX);

	key->major = 1;
	if (unhex(field[0], key->spi_i, 8) != 8)
		return "the initiator cookie must be 16 hex digits";
	if (len <= 0)
		return "the key must be hex digits";
	key->e_len = (size_t)len;
	return NULL;
}

static const char *parse_v2(char *const *field, struct decode_key *key)
{
	int ei = unhex(field[2], key->ei, DECODE_KEY_MAX);
	int er = unhex(field[3], key->er, DECODE_KEY_MAX);
	int ai = unhex(field[5], key->ai, DECODE_KEY_MAX);
	int ar = unhex(field[6], key->ar, DECODE_KEY_MAX);

	key->major = 2;
	if (unhex(field[0], key->spi_i, 8) != 8 || unhex(field[1], key->spi_r, 8) != 8)
		return "an SPI must be 16 hex digits";
	if (ei <= 0 || ei != er)
		return "SK_ei and SK_er must be hex digits of one length";
	if (ai < 0 || ai != ar)
		return "SK_ai and SK_ar must be hex digits of one length";
	if (strlen(field[4]) >= sizeof(key->cipher) || strlen(field[7]) >= sizeof(key->integ))
		return "the name of an algorithm is too long";
	key->e_len = (size_t)ei;
	key->a_len = (size_t)ai;
	strcpy(key->cipher, field[4]);
	strcpy(key->integ, field[7]);
	return NULL;
}

static int add(struct decode_keys *keys, const struct decode_key *key)
{
	/* Not realloc: the old block holds keys and must be zeroed. */
	struct decode_key *more = malloc((keys->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	if (keys->count)
		memcpy(more, keys->key, keys->count * sizeof(*more));
	more[keys->count] = *key;
	OPENSSL_clear_free(keys->key, keys->count * sizeof(*more));
	keys->key = more;
	keys->count++;
	return 0;
}

static int load_line(char *line, const struct diag_loc *loc, struct decode_keys *keys,
		     struct diag *diag)
{
	char *field[FIELDS_MAX];
	struct decode_key key = {0};
	const char *wrong;
	unsigned count;
	int rc = 0;

	line[strcspn(line, "\r\n")] = '\0';
	if (!*line || *line == '#')
		return 0;
	count = split(line, field);
	if (count == 2)
		wrong = parse_v1(field, &key);
	else if (count == FIELDS_MAX)
		wrong = parse_v2(field, &key);
	else
		wrong = "a line has 2 fields for IKEv1 or 8 for IKEv2";
	if (wrong) {
		diag_add(diag, DIAG_ERROR, loc, NULL, "%s", wrong);
		rc = -EINVAL;
	} else {
		rc = add(keys, &key);
	}
	OPENSSL_cleanse(&key, sizeof(key));
	return rc;
}

int decode_keys_load(const char *path, struct decode_keys *keys, struct diag *diag)
{
	struct diag_loc loc = {.file = path};
	FILE *file = fopen(path, "r");
	char line[LINE_SIZE];
	int rc = 0;

	if (!file)
		return -errno;
	while (!rc && fgets(line, sizeof(line), file)) {
		loc.line++;
		rc = load_line(line, &loc, keys, diag);
	}
	OPENSSL_cleanse(line, sizeof(line));
	fclose(file);
	return rc;
}

void decode_keys_free(struct decode_keys *keys)
{
	OPENSSL_clear_free(keys->key, keys->count * sizeof(*keys->key));
	memset(keys, 0, sizeof(*keys));
}

const struct decode_key *decode_keys_find(const struct decode_keys *keys, unsigned major,
					  const struct ike_header *hdr)
{
	for (size_t i = 0; keys && i < keys->count; i++) {
		const struct decode_key *key = &keys->key[i];

		if (key->major == major && !memcmp(key->spi_i, hdr->cookie_i, 8) &&
		    (major == 1 || !memcmp(key->spi_r, hdr->cookie_r, 8)))
			return key;
	}
	return NULL;
}
