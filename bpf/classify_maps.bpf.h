/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of one filter list, those of tables.def: plain arrays, which the
 * JIT turns into an address and a bounds check. Programs and tables are loaded
 * once for each of the two slots, so a program knows no table but its own
 * slot's. The sizes here are a place holder: datapath/slot.c sets them before a
 * load. BPF_F_MMAPABLE makes filling a memcpy and starts the values on a page: a
 * 64-byte value is then one cache line.
 */
#ifndef XI_CLASSIFY_MAPS_BPF_H
#define XI_CLASSIFY_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <xipsec/classify.h>

#define XI_LIST_TABLE(name, value_type)                                                            \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, 1);                                                            \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

XI_LIST_TABLE(xi_filter, struct xi_filter);
XI_LIST_TABLE(xi_space, struct xi_space);
XI_LIST_TABLE(xi_rows, struct xi_rows);
XI_LIST_TABLE(xi_rows_big, struct xi_rows_big);
XI_LIST_TABLE(xi_shape, struct xi_shape);
XI_LIST_TABLE(xi_cells4, struct xi_cells4);
XI_LIST_TABLE(xi_cells6, struct xi_cells6);
XI_LIST_TABLE(xi_rect, struct xi_rects);
XI_LIST_TABLE(xi_tree, struct xi_tree);
XI_LIST_TABLE(xi_node, struct xi_node);
XI_LIST_TABLE(xi_step, struct xi_step);
XI_LIST_TABLE(xi_dense, struct xi_dense);
XI_LIST_TABLE(xi_dstep, struct xi_dense_step);
XI_LIST_TABLE(xi_dstep6, struct xi_dense_step6);
XI_LIST_TABLE(xi_dline, struct xi_dense_line);
XI_LIST_TABLE(xi_dfilter, struct xi_dense_filter);

/* The value at `index`, NULL when the table is shorter. An inlined lookup. */
#define xi_at(table, index)                                                                        \
	({                                                                                         \
		__u32 __index = (index);                                                           \
		bpf_map_lookup_elem(&table, &__index);                                             \
	})

#endif
