/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The compiler: policy -> expand -> order -> conflicts -> tables. Pure: no file
 * descriptor, no clock, no random number; the same input gives the same bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/build.h"

static int by_precedence(const void *a, const void *b)
{
	return filter_compare(a, b);
}

static int finish(struct image *image, const struct policy *policy, const struct compile_opts *opts,
		  struct diag *diag)
{
	int err;

	if (image->count)
		qsort(image->filters, image->count, sizeof(*image->filters), by_precedence);
	err = conflicts_resolve(image->filters, &image->count, policy, opts, diag);
	if (!err && !opts->no_tables)
		err = build_tables(image, opts, diag);
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
