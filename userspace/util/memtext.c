/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "util/memtext.h"

#define ROOM_FIRST 4096

static ssize_t take(void *cookie, const char *bytes, size_t len)
{
	struct memtext *text = cookie;
	size_t room = text->room ? text->room : ROOM_FIRST;
	char *grown;

	while (room - text->len <= len)
		room *= 2;
	if (room != text->room) {
		grown = realloc(text->text, room);
		if (!grown)
			return 0; /* an error to stdio, which remembers it */
		text->text = grown;
		text->room = room;
	}
	memcpy(text->text + text->len, bytes, len);
	text->len += len;
	return len;
}

FILE *memtext_open(struct memtext *text)
{
	*text = (struct memtext){0};
	return fopencookie(text, "w", (cookie_io_functions_t){.write = take});
}

char *memtext_close(struct memtext *text, FILE *stream)
{
	bool failed = fflush(stream) || ferror(stream);

	if (fclose(stream) || failed || (!text->text && !(text->text = malloc(1)))) {
		free(text->text);
		return NULL;
	}
	text->text[text->len] = 0;
	return text->text;
}
