/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts the program that chooses samples (sampler.h) where the packet programs
 * call it. They go on without it: then every packet is a sample, and who reads
 * them chooses. A program that is replaced may run to its end meanwhile; the epoch
 * in each sample tells whose choice it is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datapath/internal.h"
#include "datapath/sampler.h"

static const struct {
	enum bpf_prog_type type;
	uint32_t flags;
	enum dp_map map;
	const char *name;
} kinds[] = {
	{BPF_PROG_TYPE_XDP, BPF_F_XDP_HAS_FRAGS, DP_MAP_SAMPLE_XDP, "xi_choose_xdp"},
	{BPF_PROG_TYPE_XDP, 0, DP_MAP_SAMPLE_EXT, "xi_choose_ext"},
	{BPF_PROG_TYPE_SCHED_CLS, 0, DP_MAP_SAMPLE_TC, "xi_choose_tc"},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static int load(const struct datapath *dp, unsigned kind,
		const struct datapath_listener *const *listeners, uint32_t epoch)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = kinds[kind].flags);
	const struct sampler_opts wish = {
		.listeners = listeners,
		.sampler_fd = dp->map[DP_MAP_SAMPLER],
		.samples_fd = dp->map[DP_MAP_SAMPLES],
		.xdp = kinds[kind].type == BPF_PROG_TYPE_XDP,
		.epoch = epoch,
	};
	struct bpf_insn *insns;
	size_t count;
	int err, fd;

	err = sampler_make(&wish, &insns, &count);
	if (err)
		return err;
	fd = bpf_prog_load(kinds[kind].type, kinds[kind].name, "Dual BSD/GPL", insns, count, &opts);
	err = fd < 0 ? -errno : fd;
	free(insns);
	return err;
}

void datapath_listen_end(const struct datapath *dp)
{
	uint32_t zero = 0;

	for (unsigned i = 0; i < KINDS; i++)
		bpf_map_delete_elem(dp->map[kinds[i].map], &zero);
}

int datapath_listen(struct datapath *dp, const struct datapath_listener *const *listeners,
		    bool same, uint32_t *ret_epoch)
{
	uint32_t epoch = dp->sample_epoch + !same, zero = 0;
	int fds[KINDS] = {-1, -1, -1}, err = 0;

	epoch = epoch ? epoch : 1;
	dp_log_begin();
	for (unsigned i = 0; i < KINDS && !err; i++) {
		fds[i] = load(dp, i, listeners, epoch);
		err = fds[i] < 0 ? fds[i] : 0;
	}
	for (unsigned i = 0; i < KINDS && !err; i++)
		if (bpf_map_update_elem(dp->map[kinds[i].map], &zero, &fds[i], BPF_ANY))
			err = -errno;
	/* The one that is there chooses for others. */
	if (err)
		datapath_listen_end(dp);
	for (unsigned i = 0; i < KINDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	dp_log_end(0, NULL);
	if (err)
		return err;
	dp->sample_epoch = epoch;
	*ret_epoch = epoch;
	return 0;
}
