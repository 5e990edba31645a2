/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BPF object with the stubs and the shared maps: loading it, and letting go of
 * such a set, loaded or adopted alike. A filter list's own maps are in slot.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datapath/internal.h"
#include "skel/xipsec.skel.h"

/* FNV-1a over an embedded object: another build is another datapath. */
uint32_t dp_object_hash(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash ? hash : 1;
}

uint32_t dp_stub_build(void)
{
	size_t size;
	const void *elf = xipsec__elf_bytes(&size);

	return dp_object_hash(elf, size) ^ dp_nf_build();
}

/* The memory of xi_ctl itself: one store there switches lists. */
int dp_ctl_map(struct datapath *dp, struct diag *diag)
{
	void *mem = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
			 dp->map[DP_MAP_CTL], 0);
	int err;

	if (mem != MAP_FAILED) {
		dp->ctl = mem;
		return 0;
	}
	err = -errno;
	diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot map xi_ctl: %s", strerror(-err));
	return err;
}

/* Own copies of the fds, so that adopted and loaded sets are closed alike. */
static int take_fds(struct datapath *dp, const struct xipsec *skel)
{
	for (unsigned i = 0; i < DP_MAP_MAX; i++) {
		int fd = bpf_object__find_map_fd_by_name(skel->obj, dp_map_name(i));

		dp->map[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (dp->map[i] < 0)
			return fd < 0 ? fd : -errno;
	}
	for (unsigned i = 0; i < DP_PROG_MAX; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj,
									    dp_prog_name(i));

		dp->prog[i] = prog ? fcntl(bpf_program__fd(prog), F_DUPFD_CLOEXEC, 3) : -1;
		if (dp->prog[i] < 0)
			return prog ? -errno : -ENOENT;
	}
	return 0;
}

/* Loads stubs and shared maps; afterwards the fds here are the ones that count. */
int dp_object_load(struct datapath *dp, struct diag *diag)
{
	struct xipsec *skel = xipsec__open();
	int err = -errno;

	if (!skel) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot read the built-in BPF object: %s",
			 strerror(-err));
		return err;
	}
	bpf_program__set_flags(skel->progs.xi_xdp_ingress, BPF_F_XDP_HAS_FRAGS);
	bpf_program__set_expected_attach_type(skel->progs.xi_xdp_ingress, 0);
	err = xipsec__load(skel);
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL,
			 err == -EPERM ? "CAP_BPF and CAP_NET_ADMIN are needed" : NULL,
			 "the kernel does not take the BPF programs: %s", strerror(-err));
		goto out;
	}
	err = take_fds(dp, skel);
	if (!err)
		err = dp_ctl_map(dp, diag);
	if (err)
		goto out;
	dp->ctl->abi = XI_ABI_VERSION;
	dp->ctl->build = dp->build;
	memcpy(dp->ctl->instance, dp->instance, sizeof(dp->ctl->instance));
out:
	xipsec__destroy(skel);
	return err;
}

void dp_close_fds(struct datapath *dp)
{
	for (unsigned i = 0; i < DP_MAP_MAX; i++) {
		if (dp->map[i] >= 0)
			close(dp->map[i]);
		dp->map[i] = -1;
	}
	for (unsigned i = 0; i < DP_PROG_MAX; i++) {
		if (dp->prog[i] >= 0)
			close(dp->prog[i]);
		dp->prog[i] = -1;
	}
}

void dp_object_free(struct datapath *dp)
{
	ring_buffer__free(dp->ring);
	ring_buffer__free(dp->samples);
	dp->ring = dp->samples = NULL;
	if (dp->ctl)
		munmap(dp->ctl, sysconf(_SC_PAGESIZE));
	dp->ctl = NULL;
	free(dp->was);
	dp->was = NULL;
	dp_close_fds(dp);
	for (unsigned i = 0; i < DP_HELD_MAX; i++) {
		if (dp->held_fd[i] >= 0)
			close(dp->held_fd[i]);
		dp->held_fd[i] = -1;
	}
	dp_nf_close(dp);
	for (unsigned i = 0; i < 2; i++) {
		dp_slot_free(&dp->slot[i]);
		if (dp->grace_fd[i] >= 0)
			close(dp->grace_fd[i]);
		dp->grace_fd[i] = -1;
	}
}
