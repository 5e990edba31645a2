/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BPF object that is built in: reading what its maps look like, loading it,
 * and letting go of a set of maps and programs, loaded or adopted alike.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datapath/internal.h"
#include "skel/xipsec.skel.h"

/* FNV-1a over the embedded object: another build is another datapath. */
static uint32_t build_hash(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash ? hash : 1;
}

/* Opens the embedded object and notes what loading will forget. */
int dp_object_open(struct datapath *dp, struct diag *diag)
{
	size_t size;
	const void *elf = xipsec__elf_bytes(&size);

	dp->build = build_hash(elf, size);
	dp->skel = xipsec__open();
	if (!dp->skel) {
		int err = -errno;

		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot read the built-in BPF object: %s",
			 strerror(-err));
		return err;
	}
	for (unsigned i = 0; i < DP_INNER_MAX; i++) {
		const char *name = i < XI_TABLE_MAX ? dp_map_name(DP_MAP_TABLES + i)
						    : dp_map_name(DP_MAP_COUNTS_OF);
		struct bpf_map *outer = bpf_object__find_map_by_name(dp->skel->obj, name);
		struct bpf_map *inner = outer ? bpf_map__inner_map(outer) : NULL;

		if (!inner) {
			diag_add(diag, DIAG_ERROR, NULL, NULL,
				 "the built-in BPF object has no map %s", name);
			return -EINVAL;
		}
		dp->inner[i] = (struct dp_inner){
			.value_size = bpf_map__value_size(inner),
			.flags = bpf_map__map_flags(inner),
			.key_btf = bpf_map__btf_key_type_id(inner),
			.value_btf = bpf_map__btf_value_type_id(inner),
		};
	}
	return 0;
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

static int btf_of_map(int map_fd)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd;

	if (bpf_obj_get_info_by_fd(map_fd, &info, &len))
		return -errno;
	fd = bpf_btf_get_fd_by_id(info.btf_id);
	return fd < 0 ? -errno : fd;
}

/* Loads programs and maps; afterwards the fds here are the ones that count. */
int dp_object_load(struct datapath *dp, struct diag *diag)
{
	int err = xipsec__load(dp->skel), fd;

	if (err) {
		diag_add(diag, DIAG_ERROR, NULL,
			 err == -EPERM ? "CAP_BPF and CAP_NET_ADMIN are needed" : NULL,
			 "the kernel does not take the BPF programs: %s", strerror(-err));
		return err;
	}
	/* Own copies, so that adopted and loaded sets are closed alike. */
	for (unsigned i = 0; i < DP_MAP_MAX; i++) {
		fd = bpf_object__find_map_fd_by_name(dp->skel->obj, dp_map_name(i));
		dp->map[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (dp->map[i] < 0)
			return fd < 0 ? fd : -errno;
	}
	for (unsigned i = 0; i < DP_PROG_MAX; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(dp->skel->obj,
									    dp_prog_name(i));

		dp->prog[i] = prog ? fcntl(bpf_program__fd(prog), F_DUPFD_CLOEXEC, 3) : -1;
		if (dp->prog[i] < 0)
			return prog ? -errno : -ENOENT;
	}
	dp->btf_fd = btf_of_map(dp->map[DP_MAP_CTL]);
	if (dp->btf_fd < 0)
		return dp->btf_fd;
	err = dp_ctl_map(dp, diag);
	if (err)
		return err;
	dp->ctl->abi = XI_ABI_VERSION;
	dp->ctl->build = dp->build;
	memcpy(dp->ctl->instance, dp->instance, sizeof(dp->ctl->instance));
	return 0;
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
	dp_close_fds(dp);
	if (dp->btf_fd >= 0)
		close(dp->btf_fd);
	dp->btf_fd = -1;
	xipsec__destroy(dp->skel);
	dp->skel = NULL;
}
