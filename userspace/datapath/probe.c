/* SPDX-License-Identifier: BSD-2-Clause */
/* See probe.h. Every answer comes from an attempt, none from a version number. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <libmnl/libmnl.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>

#include "datapath/internal.h"
#include "datapath/probe.h"

#define DP_X(NAME, needed, what, without) {#NAME, needed, what, without},
static const struct dp_feature_info infos[] = {DP_FEATURES(DP_X)};
#undef DP_X

const struct dp_feature_info *datapath_feature_info(enum dp_feature feature)
{
	return &infos[feature];
}

static int closed(int fd)
{
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* The smallest XDP program. */
static int load_xdp(uint32_t flags)
{
	const struct bpf_insn insns[] = {
		{.code = 0xb7, .dst_reg = 0, .imm = XDP_PASS}, /* r0 = XDP_PASS */
		{.code = 0x95},				       /* exit */
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = flags);

	return closed(bpf_prog_load(BPF_PROG_TYPE_XDP, "xi_probe", "GPL", insns, 2, &opts));
}

/*
 * libbpf: 1 yes, 0 no, negative errno. To whom the kernel refuses every program it
 * says either, so ask first whether it is one of those.
 */
static int positive(int probed)
{
	int err = load_xdp(0);

	if (err == -EPERM || err == -EACCES)
		return err;
	return probed > 0 ? 0 : probed ? probed : -EOPNOTSUPP;
}

#define MAP_TYPE_ARENA 33 /* linux/bpf.h of 6.9 */

static int probe_arena(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	return closed(bpf_map_create(MAP_TYPE_ARENA, "xi_probe", 0, 0, 1, &opts));
}

/* Mounted, or to be had: datapath_open() mounts it. */
static int probe_bpffs(void)
{
	struct statfs fs;
	char line[64];
	int err = -ENODEV;
	FILE *list;

	if (!statfs(DP_BPFFS, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC)
		return 0;
	list = fopen("/proc/filesystems", "re");
	if (!list)
		return -errno;
	while (err && fgets(line, sizeof(line), list))
		if (!strcmp(line, "nodev\tbpf\n"))
			err = 0;
	fclose(list);
	return err;
}

static int xfrm_ask(int fd, const void *msg, size_t len)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr err;
		uint8_t rest[1024];
	} answer;

	if (sendto(fd, msg, len, 0, (void *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	if (recv(fd, &answer, sizeof(answer), 0) < (ssize_t)offsetof(typeof(answer), rest))
		return -EPROTO;
	return answer.err.error;
}

static void put_algo(struct nlmsghdr *nlh, uint16_t type, const char *name, const void *key,
		     size_t key_len)
{
	uint8_t buf[sizeof(struct xfrm_algo) + 32] = {0};
	struct xfrm_algo *algo = (void *)buf;

	strncpy(algo->alg_name, name, sizeof(algo->alg_name) - 1);
	algo->alg_key_len = key_len * 8;
	memcpy(buf + sizeof(*algo), key, key_len);
	mnl_attr_put(nlh, type, sizeof(*algo) + key_len, buf);
}

/*
 * Adds an SA for 192.0.2.1 (RFC 5737: nobody) and takes it away again. A kernel
 * without ESP answers EPROTONOSUPPORT.
 */
static int probe_xfrm_esp(void)
{
	static const uint8_t key[20] = {1};
	struct xfrm_usersa_info *sa;
	struct xfrm_usersa_id *id;
	struct nlmsghdr *nlh;
	uint8_t buf[1024];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM), err;

	if (fd < 0)
		return -errno;
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = XFRM_MSG_NEWSA;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	sa = mnl_nlmsg_put_extra_header(nlh, sizeof(*sa));
	*sa = (struct xfrm_usersa_info){
		.family = AF_INET,
		.mode = XFRM_MODE_TRANSPORT,
		.id = {.daddr.a4 = htonl(0xc0000201),
		       .spi = htonl(0x78695072),
		       .proto = IPPROTO_ESP},
		.saddr.a4 = htonl(0xc0000202),
		.lft = {XFRM_INF, XFRM_INF, XFRM_INF, XFRM_INF},
	};
	put_algo(nlh, XFRMA_ALG_AUTH, "hmac(sha1)", key, sizeof(key));
	put_algo(nlh, XFRMA_ALG_CRYPT, "ecb(cipher_null)", key, 0);
	err = xfrm_ask(fd, nlh, nlh->nlmsg_len);
	if (!err) {
		struct xfrm_id made = sa->id;

		nlh = mnl_nlmsg_put_header(buf);
		nlh->nlmsg_type = XFRM_MSG_DELSA;
		nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
		id = mnl_nlmsg_put_extra_header(nlh, sizeof(*id));
		*id = (struct xfrm_usersa_id){.daddr = made.daddr,
					      .spi = made.spi,
					      .family = AF_INET,
					      .proto = made.proto};
		err = xfrm_ask(fd, nlh, nlh->nlmsg_len);
	}
	close(fd);
	return err;
}

static int probe_one(enum dp_feature feature)
{
	switch (feature) {
	case DP_FEATURE_BPF:
		return positive(libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SOCKET_FILTER, NULL));
	case DP_FEATURE_BTF:
		return access("/sys/kernel/btf/vmlinux", R_OK) ? -errno : 0;
	case DP_FEATURE_BPF_LOOP:
		return positive(libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_loop, NULL));
	case DP_FEATURE_RINGBUF:
		return positive(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL));
	case DP_FEATURE_XDP:
		return positive(libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL));
	case DP_FEATURE_XDP_FRAGS:
		return load_xdp(BPF_F_XDP_HAS_FRAGS);
	case DP_FEATURE_XSKMAP:
		return positive(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_XSKMAP, NULL));
	case DP_FEATURE_DISPATCHER:
		return dp_probe_dispatcher();
	case DP_FEATURE_TCX:
		return dp_probe_tcx();
	case DP_FEATURE_DEFRAG:
		return access("/sys/kernel/btf/vmlinux", R_OK) ? -errno : dp_probe_defrag();
	case DP_FEATURE_ARENA:
		return probe_arena();
	case DP_FEATURE_TC:
		return positive(libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL));
	case DP_FEATURE_BPFFS:
		return probe_bpffs();
	case DP_FEATURE_TUN:
		return closed(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
	case DP_FEATURE_XFRM_ESP:
		return probe_xfrm_esp();
	case DP_FEATURE_MAX:
		break;
	}
	return -EINVAL;
}

void datapath_probe(struct datapath_features *ret)
{
	dp_log_begin();
	for (unsigned i = 0; i < DP_FEATURE_MAX; i++) {
		ret->err[i] = probe_one(i);
		ret->have[i] = !ret->err[i];
	}
	dp_log_end(0, NULL);
}

bool datapath_usable(const struct datapath_features *features)
{
	for (unsigned i = 0; i < DP_FEATURE_MAX; i++)
		if (infos[i].needed && !features->have[i])
			return false;
	return true;
}
