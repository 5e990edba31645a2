/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the compiler: what its stages hand to each other. */
#ifndef COMPILE_BUILD_H
#define COMPILE_BUILD_H

#include "compile/image.h"

/* A growing array of one table's values. */
struct tab {
	void *data;
	size_t size; /* of a value */
	size_t count, cap;
};

/* Appends n zeroed values. Returns the index of the first, or -ENOMEM / -E2BIG. */
int64_t tab_add(struct tab *tab, size_t n);

/* One filter as one space sees it: the cell it belongs to and its rectangle. */
struct entry {
	uint8_t remote[16], local[16];
	uint8_t band, remote_len, local_len; /* local_len 0 in memory for `me` */
	uint8_t family;
	bool proto_given, me;
	uint8_t proto;
	uint16_t part;	/* of its shape, see split.h */
	uint32_t shape; /* counted from the space's first; 0 in a dense list */
	struct xi_rect rect;
};

/* A cell before it has a place; IPv4 uses the first word of the key alone. */
struct build_cell {
	__u64 key[4];
	uint32_t tag;
	struct xi_inside in;
};

struct build {
	struct image *image;
	const struct policy *policy; /* for places in messages; may be NULL */
	struct tab tab[XI_TABLE_MAX];
	struct tab cells; /* of the space at hand */
	uint64_t seed;
	enum compile_rows rows;
	uint32_t alive_max;
	struct diag *diag; /* may be NULL */
};

#define build_at(build, NAME, type, index) (&((type *)(build)->tab[XI_TABLE_##NAME].data)[index])

/* spaces.c: the rectangle of a filter in its cell, as packets or later fragments see it. */
bool filter_rect(const struct filter *f, uint32_t rank, bool frag, struct xi_rect *ret);
struct entry make_entry(const struct filter *f, const struct xi_rect *rect);
/* spaces.c: all tables from image->filters, which must be in order. policy may be NULL. */
int build_tables(struct image *image, const struct policy *policy, const struct compile_opts *opts,
		 struct diag *diag);
/*
 * whole.c: which addresses of a space (remote, local) can be told apart whole, for there is room
 * for their blocks, beside hashes for the other address. 0 or -ENOMEM.
 */
int whole_plan(const struct entry *entries, size_t count, uint32_t shapes, bool ret[2]);
/* rows.c: whether a space of so many shapes gets rows. */
bool rows_wanted(const struct build *build, uint32_t shapes);
/* rows.c: the rows of one space; entries in order of shape; `whole`: of whole_plan(). */
int build_rows(struct build *build, struct xi_space *space, const struct entry *entries,
	       size_t count, const bool whole[2]);
/* tree.c: a tree of these rectangles, best rank first. Returns its index or -errno. */
int64_t build_tree(struct build *build, const struct xi_rect *rects, size_t count);
/* cells.c: gives every cell of a space its place; leaves seed and buckets in the space. */
int build_buckets(struct build *build, struct xi_space *space, bool v6);

/*
 * conflicts.c: takes filters with the selectors of a better one out of the
 * ordered ones, and reports shadowed and ambiguous ones.
 */
int conflicts_resolve(struct image *image, const struct policy *policy,
		      const struct compile_opts *opts, struct diag *diag);

/* expand.c: the directional filters of a policy, unordered, owned by the image. */
int expand_policy(const struct policy *policy, const struct compile_opts *opts, struct image *image,
		  struct diag *diag);
/* exempt.c: the built-in rows. Calls add for each; id and names are left to it. */
int exempt_rows(int exemptions, bool negotiate,
		int (*add)(void *arg, struct filter *filter, const char *name), void *arg);

#endif
