/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address files: one address or prefix a line, comments after '#' or ';' (as
 * published block lists write them). A list may have hundreds of thousands of
 * lines, so a line costs no allocation.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/schema.h"
#include "policy/textfile.h"

#define FILE_BYTES_MAX	 (64u << 20)
#define FILE_LINES_MAX	 2000000
#define FILE_ERRORS_MAX	 8
#define LINE_ADDRESS_MAX 64

struct reader {
	struct loader *load;
	struct pol_side *side;
	size_t size; /* of side->addrs */
	const char *path;
	unsigned line, errors;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void refuse(struct reader *reader, unsigned col, const struct complaint *why)
{
	struct diag_loc loc = {reader->path, reader->line, col};

	if (reader->errors++ < FILE_ERRORS_MAX)
		load_error_at(reader->load, &loc, *why->hint ? why->hint : NULL, "%s", why->text);
}

static bool keep(struct reader *reader, const struct xi_prefix *prefix)
{
	struct pol_side *side = reader->side;

	if (side->count == reader->size) {
		size_t size = reader->size ? reader->size * 2 : 256;
		struct pol_addr *addrs = realloc(side->addrs, size * sizeof(*addrs));

		if (!addrs) {
			reader->load->no_memory = true;
			return false;
		}
		side->addrs = addrs;
		reader->size = size;
	}
	_Static_assert(FILE_LINES_MAX < 1 << 24, "pol_addr.line holds it");
	side->addrs[side->count] =
		(struct pol_addr){.kind = POL_ADDR_PREFIX, .line = reader->line, .prefix = *prefix};
	side->count++;
	return true;
}

/* text..end is one line without its line feed. False only when memory ran out. */
static bool read_line(struct reader *reader, const char *text, const char *end)
{
	const char *begin = text, *at;
	char word[LINE_ADDRESS_MAX];
	struct xi_prefix prefix;
	struct complaint why;
	size_t len;

	while (begin < end && is_blank(*begin))
		begin++;
	for (at = begin; at < end && *at != '#' && *at != ';'; at++)
		if (!is_blank(*at) && (*at < ' ' || *at > '~'))
			goto strange;
	while (at > begin && is_blank(at[-1]))
		at--;
	len = (size_t)(at - begin);
	if (!len)
		return true;
	if (len >= sizeof(word) || memchr(begin, ' ', len) || memchr(begin, '\t', len)) {
		complain(&why, NULL, "one address or prefix a line is expected");
		refuse(reader, (unsigned)(begin - text) + 1, &why);
		return true;
	}
	memcpy(word, begin, len);
	word[len] = '\0';
	if (!parse_prefix(word, &prefix, &why))
		return keep(reader, &prefix);
	refuse(reader, (unsigned)(begin - text) + 1, &why);
	return true;
strange:
	complain(&why, NULL, "this is not plain text");
	refuse(reader, (unsigned)(at - text) + 1, &why);
	return true;
}

static void read_lines(struct reader *reader, const char *text, size_t len)
{
	const char *end = text + len, *eol;
	struct complaint why;

	/* A byte order mark, as in the policy itself: lists are edited on any system. */
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	for (; text < end; text = eol + 1) {
		eol = memchr(text, '\n', (size_t)(end - text));
		if (!eol)
			eol = end;
		if (++reader->line > FILE_LINES_MAX) {
			complain(&why, NULL, "more than %d lines", FILE_LINES_MAX);
			refuse(reader, 1, &why);
			return;
		}
		if (!read_line(reader, text, eol))
			return;
	}
}

void load_address_file(struct loader *load, const struct node *node, struct pol_side *side)
{
	struct reader reader = {.load = load, .side = side};
	char *path = textfile_resolve(load->policy->file, side->file), *text = NULL;
	struct complaint why;
	size_t len;
	int err;

	if (!path) {
		load->no_memory = true;
		return;
	}
	reader.path = path;
	err = textfile_read(path, FILE_BYTES_MAX, TEXTFILE_REGULAR, &text, &len, &why);
	if (err == -ENOMEM)
		load->no_memory = true;
	else if (err)
		load_error(load, node, NULL, "%s %s", path, why.text);
	if (err)
		goto out;
	read_lines(&reader, text, len);
	if (reader.errors > FILE_ERRORS_MAX)
		load_error(load, node, NULL, "%u errors in %s, the first %d are shown",
			   reader.errors, path, FILE_ERRORS_MAX);
	else if (!side->count && !reader.errors)
		load_warning(load, node, NULL, "%s holds no address: the filter matches nothing",
			     path);
out:
	free(text);
	side->path = path;
}
