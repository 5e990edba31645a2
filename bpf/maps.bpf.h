/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps that belong to no filter list; a list's own are in classify_maps.bpf.h
 * and list.bpf.h. Both objects declare them, one makes them, and all programs
 * share them. All are written by userspace/datapath/ alone, except where a comment says
 * "BPF". docs/maps.md describes them for people who dump them.
 */
#ifndef XI_MAPS_BPF_H
#define XI_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <xipsec/abi.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct xi_ctl);
} xi_ctl SEC(".maps");

/*
 * The programs of both slots, by XI_PROG_INDEX(). The kernel keeps XDP programs
 * that take fragmented frames apart from others, so there are two arrays for
 * them: xi_ext_slots is for a stub that libxdp's dispatcher carries, which the
 * kernel takes for one that does not.
 */
#define XI_PROG_SLOTS(name)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                             \
		__uint(max_entries, XI_HOOK_MAX * 2);                                              \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	} name SEC(".maps")

XI_PROG_SLOTS(xi_xdp_slots);
XI_PROG_SLOTS(xi_ext_slots);
XI_PROG_SLOTS(xi_tc_slots);
XI_PROG_SLOTS(xi_nf_slots);

/* BPF */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xi_reason_counts);
} xi_reasons SEC(".maps");

/* BPF */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xi_totals);
} xi_totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct xi_addr_key);
	__type(value, struct xi_local);
} xi_local SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XI_LOCAL_SLOTS);
	__type(key, __u32);
	__type(value, struct xi_local_slot);
} xi_local_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32); /* ifindex */
	__type(value, struct xi_iface);
} xi_iface SEC(".maps");

/* By struct xi_iface.xsk_base + receive queue. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} xi_xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct xi_sa_in_key);
	__type(value, struct xi_sa_in);
} xi_sa_in SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct xi_sa_out_key);
	__type(value, struct xi_sa_out);
} xi_sa_out SEC(".maps");

/* BPF */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct xi_frag_key);
	__type(value, struct xi_frag);
} xi_frags SEC(".maps");

/* BPF: see enum xi_frag_came. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XI_FRAG_MARKS *XI_FRAG_CAME_MAX);
	__type(key, __u32);
	__type(value, __u64);
} xi_frag_marks SEC(".maps");

/* BPF */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct xi_acquire_key);
	__type(value, struct xi_acquire);
} xi_acquire SEC(".maps");

/* BPF: by enum xi_event_kind */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XI_EVENT_MAX);
	__type(key, __u32);
	__type(value, struct xi_limit);
} xi_limits SEC(".maps");

/* BPF: struct xi_event */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} xi_events SEC(".maps");

/* BPF: struct xi_sample */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 * 1024 * 1024);
} xi_samples SEC(".maps");

/* The programs that choose samples, made for those who listen (userspace/datapath/sampler.c). */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xi_sample_xdp SEC(".maps");

/* In the place of xi_sample_xdp for programs without BPF_F_XDP_HAS_FRAGS, as xi_ext_slots. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xi_sample_ext SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xi_sample_tc SEC(".maps");

/* BPF */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xi_sampler);
} xi_sampler SEC(".maps");

/* BPF: by enum xi_hook */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XI_HOOK_MAX);
	__type(key, __u32);
	__type(value, struct xi_run);
} xi_run SEC(".maps");

#endif
