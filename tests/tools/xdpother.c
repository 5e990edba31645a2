/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Someone else's XDP program on an interface, loaded through libxdp.
 *
 *   xdpother INTERFACE load PRIORITY pass|end plain|frags|alone|instead
 *       pass: those behind it run when it passes a packet; end: they do not;
 *       alone: attached without libxdp, so that nobody can share;
 *       instead: alone, and in one step in the place of what is attached
 *   xdpother INTERFACE count     how many packets it has seen
 *   xdpother INTERFACE unload
 *   xdpother INTERFACE list      the programs in the order in which they run
 *
 * Exit status 0, or 1 with a message.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <xdp/libxdp.h>

#include "skel/other_test.skel.h"

static int fail(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	return 1;
}

static int load(int ifindex, char **argv)
{
	bool frags = !strcmp(argv[2], "frags"), instead = !strcmp(argv[2], "instead");
	bool alone = instead || !strcmp(argv[2], "alone");
	struct other_test *skel = other_test__open();
	struct bpf_program *chosen;
	struct xdp_program *prog;
	int err;

	if (!skel)
		return fail("open", -errno);
	chosen = frags ? skel->progs.other_frags : skel->progs.other_plain;
	bpf_program__set_autoload(skel->progs.other_frags, frags);
	bpf_program__set_autoload(skel->progs.other_plain, !frags);
	if (alone) {
		err = other_test__load(skel);
		if (!err)
			err = bpf_xdp_attach(ifindex, bpf_program__fd(chosen),
					     instead ? 0 : XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
		return err ? fail("attach", err) : 0;
	}
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = skel->obj,
			    .prog_name = bpf_program__name(chosen));
	prog = xdp_program__create(&opts);
	err = libxdp_get_error(prog);
	if (err)
		return fail("create", err);
	xdp_program__set_run_prio(prog, atoi(argv[0]));
	xdp_program__set_chain_call_enabled(prog, XDP_PASS, !strcmp(argv[1], "pass"));
	err = xdp_program__attach(prog, ifindex, XDP_MODE_NATIVE, 0);
	return err ? fail("attach", err) : 0;
}

static struct xdp_program *find(struct xdp_multiprog *multi)
{
	struct xdp_program *prog = NULL;

	if (xdp_multiprog__is_legacy(multi))
		prog = xdp_multiprog__main_prog(multi);
	else
		while ((prog = xdp_multiprog__next_prog(prog, multi)))
			if (!strncmp(xdp_program__name(prog), "other_", 6))
				break;
	return prog && !strncmp(xdp_program__name(prog), "other_", 6) ? prog : NULL;
}

static int count(struct xdp_program *prog)
{
	uint32_t ids[8], len, zero = 0;
	struct bpf_prog_info info = {.map_ids = (uintptr_t)ids, .nr_map_ids = 8};
	unsigned long long seen;
	int fd;

	len = sizeof(info);
	if (bpf_obj_get_info_by_fd(xdp_program__fd(prog), &info, &len) || !info.nr_map_ids)
		return fail("info", -errno);
	fd = bpf_map_get_fd_by_id(ids[0]);
	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, &seen))
		return fail("map", -errno);
	printf("%llu\n", seen);
	return 0;
}

static int list(struct xdp_multiprog *multi)
{
	struct xdp_program *prog = NULL;

	if (xdp_multiprog__is_legacy(multi)) {
		prog = xdp_multiprog__main_prog(multi);
		puts(xdp_program__name(prog));
		return 0;
	}
	while ((prog = xdp_multiprog__next_prog(prog, multi)))
		puts(xdp_program__name(prog));
	return 0;
}

int main(int argc, char **argv)
{
	struct xdp_multiprog *multi;
	struct xdp_program *prog;
	int ifindex, err;

	ifindex = argc > 2 ? if_nametoindex(argv[1]) : 0;
	if (!ifindex) {
		fprintf(stderr, "usage: xdpother INTERFACE load|count|unload|list ...\n");
		return 2;
	}
	if (!strcmp(argv[2], "load"))
		return argc == 6 ? load(ifindex, argv + 3) : 2;
	multi = xdp_multiprog__get_from_ifindex(ifindex);
	err = libxdp_get_error(multi);
	if (err)
		return err == -ENOENT && !strcmp(argv[2], "list") ? 0 : fail("query", err);
	if (!strcmp(argv[2], "list"))
		return list(multi);
	prog = find(multi);
	if (!prog)
		return fail("find", -ENOENT);
	if (!strcmp(argv[2], "count"))
		return count(prog);
	err = xdp_program__detach(prog, ifindex, xdp_multiprog__attach_mode(multi), 0);
	return err ? fail("detach", err) : 0;
}
