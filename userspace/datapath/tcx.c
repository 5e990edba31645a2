/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCX links (Linux 6.6) by the bpf(2) call itself: the libbpf that we build with
 * is older than they are. The structs are the parts of union bpf_attr that the
 * kernel reads for these commands; it takes shorter ones as filled with zeros.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "datapath/internal.h"
#include "datapath/tcx.h"

#define TCX_INGRESS   46 /* enum bpf_attach_type */
#define TCX_EGRESS    47
#define TCX_LINK_TYPE 11	/* enum bpf_link_type */
#define TCX_BEFORE    (1u << 3) /* BPF_F_BEFORE; before nobody in particular: first */

struct tcx_create {
	uint32_t prog_fd, ifindex, attach_type, flags;
	uint32_t relative_fd, pad;
	uint64_t revision;
};
_Static_assert(sizeof(struct tcx_create) == 32, "as in linux/bpf.h");

struct tcx_query {
	uint32_t ifindex, attach_type, query_flags, attach_flags;
	uint64_t prog_ids;
	uint32_t count, pad;
	uint64_t prog_attach_flags, link_ids, link_attach_flags, revision;
};
_Static_assert(sizeof(struct tcx_query) == 64, "as in linux/bpf.h");

struct tcx_info {
	uint32_t type, id, prog_id, pad;
	uint32_t ifindex, attach_type;
	uint8_t rest[64];
};

static int bpf_call(int cmd, void *attr, size_t size)
{
	int res = syscall(SYS_bpf, cmd, attr, size);

	return res < 0 ? -errno : res;
}

int tcx_create(int prog_fd, int ifindex, bool ingress)
{
	struct tcx_create attr = {
		.prog_fd = prog_fd,
		.ifindex = ifindex,
		.attach_type = ingress ? TCX_INGRESS : TCX_EGRESS,
		.flags = TCX_BEFORE,
	};

	return bpf_call(BPF_LINK_CREATE, &attr, sizeof(attr));
}

int tcx_programs(int ifindex, bool ingress, uint32_t *ret, unsigned max)
{
	struct tcx_query attr = {
		.ifindex = ifindex,
		.attach_type = ingress ? TCX_INGRESS : TCX_EGRESS,
		.prog_ids = (uintptr_t)ret,
		.count = max,
	};
	int err = bpf_call(BPF_PROG_QUERY, &attr, sizeof(attr));

	if (err == -ENOENT)
		return 0;
	/* -ENOSPC: more than fit, those that fit are filled in. */
	if (err && err != -ENOSPC)
		return err;
	return attr.count < max ? attr.count : max;
}

int tcx_of_link(int link_fd, int *ret_ifindex, bool *ret_ingress, uint32_t *ret_prog_id)
{
	struct tcx_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(link_fd, &info, &len))
		return -errno;
	if (info.type != TCX_LINK_TYPE)
		return -EINVAL;
	*ret_ifindex = info.ifindex;
	*ret_ingress = info.attach_type == TCX_INGRESS;
	*ret_prog_id = info.prog_id;
	return 0;
}
