/* SPDX-License-Identifier: BSD-2-Clause */
/* Least significant byte first; bytes in which all keys agree cost nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/radix.h"

#define DIGITS 8
#define BINS   256
/* Up to here counting bytes takes longer than comparing neighbours. */
#define FEW 48

static void insertion_sort(struct keyed *v, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct keyed moved = v[i];
		size_t k = i;

		for (; k && v[k - 1].key > moved.key; k--)
			v[k] = v[k - 1];
		v[k] = moved;
	}
}

/* Moves everything from one array to the other, in order of one byte. */
static void one_pass(const struct keyed *from, struct keyed *to, size_t count, unsigned digit,
		     const size_t bins[BINS])
{
	size_t at[BINS], sum = 0;

	for (unsigned b = 0; b < BINS; b++) {
		at[b] = sum;
		sum += bins[b];
	}
	for (size_t i = 0; i < count; i++)
		to[at[from[i].key >> 8 * digit & 0xff]++] = from[i];
}

int radix_sort(struct keyed *v, size_t count)
{
	size_t(*bins)[BINS];
	struct keyed *spare, *from = v, *to;
	int err = -ENOMEM;

	if (count <= FEW) {
		insertion_sort(v, count);
		return 0;
	}
	bins = calloc(DIGITS, sizeof(*bins));
	spare = malloc(count * sizeof(*spare));
	if (!bins || !spare)
		goto out;
	for (size_t i = 0; i < count; i++)
		for (unsigned d = 0; d < DIGITS; d++)
			bins[d][v[i].key >> 8 * d & 0xff]++;
	to = spare;
	for (unsigned d = 0; d < DIGITS; d++) {
		struct keyed *sorted = to;

		if (bins[d][v[0].key >> 8 * d & 0xff] == count)
			continue;
		one_pass(from, to, count, d, bins[d]);
		to = from;
		from = sorted;
	}
	if (from != v)
		memcpy(v, from, count * sizeof(*v));
	err = 0;
out:
	free(bins);
	free(spare);
	return err;
}
