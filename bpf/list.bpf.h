/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a program knows about the filter list that it was loaded for: which slot
 * it stands in, and the counters of its filters. Everything else about the list
 * is in xi_ctl.list[slot] and in the tables.
 */
#ifndef XI_LIST_BPF_H
#define XI_LIST_BPF_H

#include "classify_maps.bpf.h"

/* Written before the load, constant to the verifier. */
const volatile __u32 xi_list_slot;

/* BPF: see struct xi_filter_count and struct xi_hit_log. */
XI_LIST_TABLE(xi_counts, struct xi_filter_count);
XI_LIST_TABLE(xi_hit_log, struct xi_hit_log);

#endif
