/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean": the nearest name by edit distance. */
#include <stdint.h>
#include <string.h>

#include "util/suggest.h"

#define WORD_MAX 40

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Insertions, deletions, substitutions and swaps of neighbours cost one each. */
static unsigned edit_distance(const char *a, size_t alen, const char *b, size_t blen)
{
	unsigned row[3][WORD_MAX + 1];
	unsigned *before = row[0], *last = row[1], *now = row[2], *spare;

	for (size_t j = 0; j <= blen; j++)
		last[j] = j;
	for (size_t i = 1; i <= alen; i++) {
		now[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			now[j] = min3(last[j] + 1, now[j - 1] + 1,
				      last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[blen];
}

const char *suggest(const char *word, const char *const *names, size_t count)
{
	size_t len = strlen(word);
	unsigned best, limit = len < 4 ? 1 : len < 8 ? 2 : 3;
	const char *found = NULL;

	if (len > WORD_MAX)
		return NULL;
	best = limit + 1;
	for (size_t i = 0; i < count; i++) {
		size_t nlen = names[i] ? strlen(names[i]) : WORD_MAX + 1;
		unsigned distance;

		if (nlen > WORD_MAX)
			continue;
		distance = edit_distance(word, len, names[i], nlen);
		if (distance < best) {
			best = distance;
			found = names[i];
		} else if (distance == best && best <= limit) {
			found = NULL;
		}
	}
	return found;
}
