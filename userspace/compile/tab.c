/* SPDX-License-Identifier: BSD-2-Clause */
/* The growing arrays that the compiler builds its tables in. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"

/* The kernel's limit for one array is about 4 GB; more is a policy gone wrong. */
#define TAB_BYTES_MAX (1ull << 31)

int64_t tab_add(struct tab *tab, size_t n)
{
	size_t first = tab->count, need = first + n, cap = tab->cap ? tab->cap : 16;
	void *data;

	if (need > TAB_BYTES_MAX / tab->size)
		return -E2BIG;
	if (need > tab->cap || !tab->data) {
		while (cap < need)
			cap *= 2;
		data = realloc(tab->data, cap * tab->size);
		if (!data)
			return -ENOMEM;
		tab->data = data;
		tab->cap = cap;
	}
	memset((char *)tab->data + first * tab->size, 0, n * tab->size);
	tab->count = need;
	return first;
}
