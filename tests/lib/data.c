/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding and reading vectors and captures; see data.h. */
#include <dirent.h>
#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/lib/data.h"

const char *data_root(void)
{
	const char *root = getenv("XI_DATA");

	return root && *root ? root : "../shared/data";
}

static void __attribute__((noreturn)) give_up(const char *what, const char *about)
{
	fprintf(stderr, "test data: %s: %s\n", about, what);
	exit(99);
}

static bool ends_in(const char *text, const char *suffix)
{
	size_t len = strlen(text), tail = strlen(suffix);

	return len >= tail && !strcmp(text + len - tail, suffix);
}

static char *slurp(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	size_t len = 0, cap = 0, n;

	if (!file)
		return NULL;
	do {
		if (cap - len < 65536) {
			cap = cap ? cap * 2 : 131072;
			text = realloc(text, cap);
			if (!text)
				give_up("out of memory", path);
		}
		n = fread(text + len, 1, cap - len - 1, file);
		len += n;
	} while (n);
	if (ferror(file))
		give_up(strerror(errno), path);
	fclose(file);
	text[len] = '\0';
	*ret_len = len;
	return text;
}

static char *unxz(const char *path, char *packed, size_t packed_len, size_t *ret_len)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	size_t cap = packed_len * 4 + 4096;
	char *text = NULL;
	lzma_ret rc;

	if (lzma_stream_decoder(&xz, 1u << 30, 0) != LZMA_OK)
		give_up("no decoder", path);
	xz.next_in = (const uint8_t *)packed;
	xz.avail_in = packed_len;
	do {
		cap *= 2;
		text = realloc(text, cap);
		if (!text)
			give_up("out of memory", path);
		xz.next_out = (uint8_t *)text + xz.total_out;
		xz.avail_out = cap - 1 - xz.total_out;
		rc = lzma_code(&xz, LZMA_FINISH);
	} while (rc == LZMA_OK || (rc == LZMA_BUF_ERROR && !xz.avail_out));
	if (rc != LZMA_STREAM_END)
		give_up("broken .xz", path);
	*ret_len = xz.total_out;
	text[xz.total_out] = '\0';
	lzma_end(&xz);
	free(packed);
	return text;
}

char *data_read(const char *path, size_t *ret_len)
{
	size_t len = 0;
	char *full, *text;

	if (asprintf(&full, "%s/%s", data_root(), path) < 0)
		give_up("out of memory", path);
	text = slurp(full, &len);
	free(full);
	if (text && ends_in(path, ".xz"))
		text = unxz(path, text, len, &len);
	if (text && ret_len)
		*ret_len = len;
	return text;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t data_list(const char *folder, const char *suffix, char ***ret)
{
	struct dirent *entry;
	char *full, **list = NULL;
	size_t count = 0;
	DIR *dir;

	if (asprintf(&full, "%s/%s", data_root(), folder) < 0)
		give_up("out of memory", folder);
	dir = opendir(full);
	free(full);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !ends_in(entry->d_name, suffix))
			continue;
		list = realloc(list, (count + 1) * sizeof(*list));
		if (!list || asprintf(&list[count], "%s/%s", folder, entry->d_name) < 0)
			give_up("out of memory", folder);
		count++;
	}
	if (dir)
		closedir(dir);
	if (count)
		qsort(list, count, sizeof(*list), by_name);
	*ret = list;
	return count;
}

void data_list_free(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

size_t data_hex(const char *hex, void *ret, size_t cap)
{
	size_t len = strlen(hex) / 2;
	uint8_t *p = ret;

	if (strlen(hex) % 2)
		give_up("an odd number of hex digits", hex);
	if (len > cap)
		give_up("does not fit", hex);
	for (size_t i = 0; i < len; i++) {
		unsigned byte;
		char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		if (strspn(pair, "0123456789abcdefABCDEF") != 2 || sscanf(pair, "%2x", &byte) != 1)
			give_up("not hex", hex);
		p[i] = (uint8_t)byte;
	}
	return len;
}

bool cavs_open(struct cavs *cavs, const char *path)
{
	memset(cavs, 0, sizeof(*cavs));
	cavs->text = data_read(path, NULL);
	cavs->next = cavs->text;
	return cavs->text;
}

void cavs_close(struct cavs *cavs)
{
	free(cavs->text);
	memset(cavs, 0, sizeof(*cavs));
}

/* Cuts the line at the cursor out, without white space at its end; NULL at the end. */
static char *take_line(struct cavs *cavs)
{
	char *line = cavs->next;
	size_t len;

	if (!line || !*line)
		return NULL;
	len = strcspn(line, "\n");
	cavs->next = line + len + (line[len] == '\n');
	line[len] = '\0';
	while (len && strchr(" \t\r", line[len - 1]))
		line[--len] = '\0';
	return line;
}

bool cavs_next(struct cavs *cavs)
{
	bool in_sections = false;

	cavs->fields = 0;
	while (cavs->next) {
		char *line, *equals;

		/* The COUNT of the block after this one stays where it is. */
		if (cavs->fields && (*cavs->next == '[' || !strncasecmp(cavs->next, "COUNT", 5)))
			return true;
		line = take_line(cavs);
		if (!line)
			break;
		if (*line == '[') {
			if (!in_sections)
				cavs->sections = 0;
			in_sections = true;
			line[strcspn(line, "]")] = '\0';
			if (cavs->sections < CAVS_FIELDS)
				cavs->section[cavs->sections++] = line + 1;
			continue;
		}
		equals = strstr(line, " =");
		if (*line == '#' || !equals || cavs->fields == CAVS_FIELDS)
			continue;
		*equals = '\0';
		equals += 2;
		cavs->name[cavs->fields] = line;
		cavs->value[cavs->fields++] = equals + strspn(equals, " ");
	}
	return cavs->fields;
}

bool cavs_in_section(const struct cavs *cavs, const char *section)
{
	for (unsigned i = 0; i < cavs->sections; i++)
		if (!strcmp(cavs->section[i], section))
			return true;
	return false;
}

const char *cavs_get(const struct cavs *cavs, const char *name)
{
	for (unsigned i = 0; i < cavs->fields; i++)
		if (!strcmp(cavs->name[i], name))
			return cavs->value[i];
	return NULL;
}
