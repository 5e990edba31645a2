/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program that chooses samples in the kernel, made for those who listen now:
 * their pcap filters, translated from classic BPF, and what else can be told of
 * a packet. It finds the sample made up in xi_sampler (bpf/sample.bpf.h calls it
 * last), says in it who wants it, sends it if anybody does, and returns what the
 * packet's own program had decided. Pure: makes instructions, loads nothing.
 */
#ifndef DATAPATH_SAMPLER_H
#define DATAPATH_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>

#include <xipsec/abi.h>

#include "datapath/datapath.h"

struct sampler_opts {
	const struct datapath_listener *const *listeners; /* XI_LISTENERS_MAX; NULL: nobody */
	int sampler_fd, samples_fd;			  /* xi_sampler, xi_samples */
	bool xdp;	/* what results mean, and what is returned if all else fails: XDP or TC */
	uint32_t epoch; /* goes into the samples */
};

/* 0 and a malloc'ed program; -E2BIG: too long for its jumps; -ENOMEM. */
int sampler_make(const struct sampler_opts *opts, struct bpf_insn **ret, size_t *ret_count);

#endif
