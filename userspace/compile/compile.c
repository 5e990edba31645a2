/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The compiler: policy -> expand -> order -> conflicts -> tables. Pure: no file
 * descriptor, no clock, no random number; the same input gives the same bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"
#include "util/radix.h"

/* Puts filters[order[i].index] at place i, moving each filter once. Consumes order. */
static void permute(struct filter *filters, struct keyed *order, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct filter moved = filters[i];
		size_t at = i;

		while (order[at].index != i) {
			size_t from = order[at].index;

			filters[at] = filters[from];
			order[at].index = at;
			at = from;
		}
		filters[at] = moved;
		order[at].index = at;
	}
}

/* By precedence. Filters are large, so numbers that stand for them are sorted. */
static int order_filters(struct filter *filters, size_t count)
{
	struct keyed *order = malloc((count ? count : 1) * sizeof(*order));
	bool by_id = true;
	int err = 0;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		order[i] = (struct keyed){.key = filters[i].id, .index = i};
		by_id &= !i || filters[i - 1].id < filters[i].id;
	}
	/* The sort is stable: what is in order of id stays so among equals. */
	if (!by_id)
		err = radix_sort(order, count);
	for (size_t i = 0; !err && i < count; i++)
		order[i].key = filter_precedence(&filters[order[i].index]);
	if (!err)
		err = radix_sort(order, count);
	if (!err)
		permute(filters, order, count);
	free(order);
	return err;
}

/* The array grew by doubling, and filters that are needless have left it. */
static void give_back(struct image *image)
{
	size_t count = image->count + image->shadowed;
	struct filter *filters;

	if (!count)
		return;
	filters = realloc(image->filters, count * sizeof(*filters));
	if (filters)
		image->filters = filters;
}

static int finish(struct image *image, const struct policy *policy, const struct compile_opts *opts,
		  struct diag *diag)
{
	int err = order_filters(image->filters, image->count);

	if (err)
		return err;
	err = conflicts_resolve(image, policy, opts, diag);
	if (!err)
		give_back(image);
	if (!err && !opts->no_tables)
		err = build_tables(image, policy, opts, diag);
	return err;
}

int compile_policy(const struct policy *policy, const struct compile_opts *opts, struct image **ret,
		   struct diag *diag)
{
	struct image *image = calloc(1, sizeof(*image));
	int err = -ENOMEM;

	if (!image)
		return err;
	err = expand_policy(policy, opts, image, diag);
	if (!err)
		err = finish(image, policy, opts, diag);
	if (err) {
		image_free(image);
		return err;
	}
	*ret = image;
	return 0;
}

int compile_filters(const struct filter *filters, size_t count, const struct policy *policy,
		    const struct compile_opts *opts, struct image **ret, struct diag *diag)
{
	struct image *image = calloc(1, sizeof(*image));
	int err = -ENOMEM;

	if (!image)
		return err;
	image->filters = malloc((count ? count : 1) * sizeof(*filters));
	if (image->filters) {
		if (count)
			memcpy(image->filters, filters, count * sizeof(*filters));
		image->count = count;
		err = finish(image, policy, opts, diag);
	}
	if (err) {
		image_free(image);
		return err;
	}
	*ret = image;
	return 0;
}

void image_free(struct image *image)
{
	if (!image)
		return;
	free(image->filters);
	for (int t = 0; t < XI_TABLE_MAX; t++)
		free(image->tables[t].data);
	for (size_t i = 0; i < image->name_count; i++)
		free(image->names[i]);
	free(image->names);
	free(image);
}
