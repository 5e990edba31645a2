/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reassembly before the verdict (docs/decisions/0004): one netfilter link for each
 * family at PRE_ROUTING, after the kernel's own defragmentation, which
 * BPF_F_NETFILTER_IP_DEFRAG asks for. Such links belong to the network namespace
 * they are made in and live as long as their pins.
 *
 * XI_CTL_DEFRAG4 and 6 tell the other programs that fragments may go up undecided.
 * They are set after a link is there and cleared before it goes; whatever fails
 * here leaves them clear, and fragments get conservative verdicts.
 *
 * libbpf 1.1 does not know these links, so the system call is spelled out.
 * Kernels: 6.6 for the flag; 6.4 has the links without it, which is not enough.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "datapath/internal.h"
#include "skel/nf_defrag.skel.h"

/* linux/bpf.h of 6.6; Debian 12's is older. */
#define NF_PROG_TYPE   32 /* BPF_PROG_TYPE_NETFILTER */
#define NF_ATTACH_TYPE 45 /* BPF_NETFILTER */
#define NF_IP_DEFRAG   1u /* BPF_F_NETFILTER_IP_DEFRAG */

/* What bpf(BPF_LINK_CREATE) reads for a netfilter link. */
struct nf_link_attr {
	uint32_t prog_fd, target, attach_type, flags;
	uint32_t pf, hooknum;
	int32_t priority;
	uint32_t nf_flags;
	uint8_t rest[96]; /* zero: of other links */
};

/* The kernel allows one BPF program a priority, and no defragmenting one at or before its own. */
#define NF_FIRST (NF_IP_PRI_CONNTRACK_DEFRAG + 10)
#define NF_LAST	 (NF_IP_PRI_RAW - 1)

static const struct {
	uint8_t pf;
	uint32_t flag;
	const char *pin, *name;
} families[DP_NF_MAX] = {
	{NFPROTO_IPV4, XI_CTL_DEFRAG4, "xi_nf_ipv4", "IPv4"},
	{NFPROTO_IPV6, XI_CTL_DEFRAG6, "xi_nf_ipv6", "IPv6"},
};

static int link_create(int prog_fd, uint8_t pf)
{
	struct nf_link_attr attr = {.prog_fd = prog_fd,
				    .attach_type = NF_ATTACH_TYPE,
				    .pf = pf,
				    .hooknum = NF_INET_PRE_ROUTING,
				    .nf_flags = NF_IP_DEFRAG};
	int fd = -1;

	for (attr.priority = NF_FIRST; attr.priority <= NF_LAST; attr.priority++) {
		fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
		if (fd >= 0 || errno != EBUSY)
			break;
	}
	return fd < 0 ? -errno : fd;
}

/* -------------------------------------------------------------- the programs */

/* One of the two programs of the object, on our maps and on these tables (NULL: none). */
static struct nf_defrag *nf_load(struct datapath *dp, const char *name, uint32_t slot,
				 const struct dp_table *tables, int *ret_err)
{
	struct nf_defrag *skel = nf_defrag__open();
	struct bpf_program *prog;
	int err = skel ? 0 : -ENOMEM;

	for (unsigned i = 0; i < DP_MAP_MAX && !err; i++)
		err = bpf_map__reuse_fd(bpf_object__find_map_by_name(skel->obj, dp_map_name(i)),
					dp->map[i]);
	for (unsigned i = 0; i < DP_TABLE_MAX && tables && !err; i++)
		err = bpf_map__reuse_fd(bpf_object__find_map_by_name(skel->obj, dp_table_name(i)),
					tables[i].fd);
	if (!err) {
		bpf_object__for_each_program(prog, skel->obj) {
			bpf_program__set_type(prog, NF_PROG_TYPE);
			bpf_program__set_expected_attach_type(prog, NF_ATTACH_TYPE);
			bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), name));
		}
		skel->rodata->xi_list_slot = slot;
		err = nf_defrag__load(skel);
	}
	if (err) {
		nf_defrag__destroy(skel);
		*ret_err = err;
		return NULL;
	}
	return skel;
}

uint32_t dp_nf_build(void)
{
	size_t size;
	const void *elf = nf_defrag__elf_bytes(&size);

	return dp_object_hash(elf, size);
}

static int load_hook(struct datapath *dp)
{
	struct nf_defrag *skel;
	int err = 0;

	skel = nf_load(dp, "xi_nf_ingress", 0, NULL, &err);
	if (!skel)
		return err;
	dp->nf_prog = fcntl(bpf_program__fd(skel->progs.xi_nf_ingress), F_DUPFD_CLOEXEC, 3);
	nf_defrag__destroy(skel);
	return dp->nf_prog < 0 ? -errno : 0;
}

int dp_nf_slot(struct datapath *dp, uint32_t slot, const struct dp_table *tables)
{
	uint32_t index = XI_PROG_INDEX(XI_HOOK_NF_INGRESS, slot);
	struct nf_defrag *skel;
	int err = 0, fd;

	if (dp->nf_prog < 0)
		return 0;
	skel = nf_load(dp, "xi_nf_list", slot, tables, &err);
	if (!skel)
		return err;
	fd = bpf_program__fd(skel->progs.xi_nf_list);
	if (bpf_map_update_elem(dp->map[DP_MAP_NF_SLOTS], &index, &fd, BPF_ANY))
		err = -errno;
	nf_defrag__destroy(skel);
	return err;
}

/* Slots that were adopted may come from a daemon that could not load these programs. */
static int slots_complete(struct datapath *dp)
{
	int err = 0;

	for (uint32_t slot = 0; slot < 2 && !err; slot++) {
		uint32_t index = XI_PROG_INDEX(XI_HOOK_NF_INGRESS, slot), id;

		if (dp->slot[slot].made &&
		    bpf_map_lookup_elem(dp->map[DP_MAP_NF_SLOTS], &index, &id))
			err = dp_nf_slot(dp, slot, dp->slot[slot].table);
	}
	return err;
}

int dp_nf_load(struct datapath *dp)
{
	int err = load_hook(dp);

	return err ? err : slots_complete(dp);
}

/* ------------------------------------------------------------------ the links */

static void nf_flag(struct datapath *dp, uint32_t flag, bool on)
{
	if (on)
		__atomic_or_fetch(&dp->ctl->flags, flag, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&dp->ctl->flags, ~flag, __ATOMIC_SEQ_CST);
}

/*
 * The link of whoever was here before stays until ours is there, and ends with its
 * pin; if its programs were of another build, with us: interfaces that still run
 * them rely on it.
 */
static int nf_attach_one(struct datapath *dp, unsigned family)
{
	int fd = link_create(dp->nf_prog, families[family].pf), err;
	char path[128];

	if (fd < 0)
		return fd;
	dp_pin_path(path, sizeof(path), dp->instance, families[family].pin);
	if (dp->pinned && dp->held_fd[0] >= 0)
		dp->nf_old[family] = bpf_obj_get(path);
	err = dp->pinned ? dp_pin(dp->instance, families[family].pin, fd) : 0;
	if (err) {
		close(fd);
		return err;
	}
	dp->nf_link[family] = fd;
	nf_flag(dp, families[family].flag, true);
	return 0;
}

void dp_nf_attach(struct datapath *dp, struct diag *diag)
{
	int err;

	if (dp->nf_tried)
		return;
	dp->nf_tried = true;
	err = dp_nf_load(dp);
	for (unsigned i = 0; i < DP_NF_MAX; i++) {
		int res = err;

		if (!res)
			res = nf_attach_one(dp, i);
		if (res)
			diag_add(diag, DIAG_NOTE, NULL, NULL,
				 "%s fragments are not put together before the verdict (%s): those "
				 "that overtake their first one are dropped where ports decide",
				 families[i].name, strerror(-res));
	}
}

void dp_nf_detach(struct datapath *dp)
{
	char path[128];

	for (unsigned i = 0; i < DP_NF_MAX; i++) {
		nf_flag(dp, families[i].flag, false);
		dp_pin_path(path, sizeof(path), dp->instance, families[i].pin);
		if (dp->pinned)
			unlink(path);
	}
	dp_nf_close(dp);
}

void dp_nf_close(struct datapath *dp)
{
	for (unsigned i = 0; i < DP_NF_MAX; i++) {
		if (dp->nf_link[i] >= 0)
			close(dp->nf_link[i]);
		if (dp->nf_old[i] >= 0)
			close(dp->nf_old[i]);
		dp->nf_link[i] = dp->nf_old[i] = -1;
	}
	if (dp->nf_prog >= 0)
		close(dp->nf_prog);
	dp->nf_prog = -1;
}

bool datapath_reassembles(const struct datapath *dp, unsigned family)
{
	return dp->ctl->flags & (family == 4 ? XI_CTL_DEFRAG4 : XI_CTL_DEFRAG6);
}

/* ------------------------------------------------------------------- probing */

int dp_nf_probe(void)
{
	const struct bpf_insn insns[] = {
		{.code = 0xb7, .dst_reg = 0, .imm = NF_ACCEPT}, /* r0 = NF_ACCEPT */
		{.code = 0x95},					/* exit */
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = NF_ATTACH_TYPE);
	int prog = bpf_prog_load(NF_PROG_TYPE, "xi_probe", "GPL", insns, 2, &opts), link;

	if (prog < 0)
		return -errno;
	link = link_create(prog, NFPROTO_IPV4);
	close(prog);
	if (link < 0)
		return link;
	close(link);
	return 0;
}
