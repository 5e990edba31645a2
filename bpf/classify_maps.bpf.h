/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One outer map for each table of tables.def, two slots: the active filter list
 * and the spare one. The prototypes carry BPF_F_INNER_MAP, so that the inner
 * maps of two generations may differ in size, and BPF_F_MMAPABLE, which makes
 * loading a memcpy and starts the values on a page: a 64-byte value is then one
 * cache line. Whoever creates an inner map must give it the same flags.
 */
#ifndef XI_CLASSIFY_MAPS_BPF_H
#define XI_CLASSIFY_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <xipsec/classify.h>

#define XI_OUTER(name, value_type)                                                                 \
	struct name##_inner {                                                                      \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, 1);                                                            \
		__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);                               \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	};                                                                                         \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                          \
		__uint(max_entries, 2);                                                            \
		__type(key, __u32);                                                                \
		__array(values, struct name##_inner);                                              \
	} name##_of SEC(".maps");                                                                  \
	/* Without a use like this clang emits the value type as a forward declaration. */         \
	const value_type *const name##_btf = 0

XI_OUTER(xi_filter, struct xi_filter);
XI_OUTER(xi_space, struct xi_space);
XI_OUTER(xi_slot, struct xi_slot);
XI_OUTER(xi_row, struct xi_row);
XI_OUTER(xi_shape, struct xi_shape);
XI_OUTER(xi_bucket, struct xi_bucket);
XI_OUTER(xi_cell, struct xi_cell);
XI_OUTER(xi_rect, struct xi_rects);
XI_OUTER(xi_tree, struct xi_tree);
XI_OUTER(xi_node, struct xi_node);
XI_OUTER(xi_step, struct xi_step);

#endif
