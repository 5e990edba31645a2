/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XDP on an interface. One without a program is attached through libxdp, so that
 * its dispatcher can chain us with others; where the dispatcher does not load, or
 * the kernel lets no program that jumps to another into it, we are attached alone.
 * A program of ours that is already there is kept if it
 * uses our maps and replaced in one step if not. Someone else's program is never
 * replaced.
 *
 * Weak spot: in a dispatcher, a program of someone else with a smaller priority
 * number runs before us, and what it does not chain we never see. That is said.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <xdp/libxdp.h>

#include "datapath/internal.h"
#include "skel/xipsec.skel.h"

#define RUN_PRIORITY 20 /* before libxdp's default of 50: filter first */

/* ------------------------------------------------------------------- asking */

/* What IFLA_XDP says of one interface. */
struct answer {
	uint8_t attached; /* XDP_ATTACHED_* */
	uint32_t id, drv_id, skb_id;
};

static int read_xdp(const struct nlattr *attr, void *arg)
{
	struct answer *answer = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_XDP_ATTACHED:
		answer->attached = mnl_attr_get_u8(attr);
		break;
	case IFLA_XDP_PROG_ID:
		answer->id = mnl_attr_get_u32(attr);
		break;
	case IFLA_XDP_DRV_PROG_ID:
		answer->drv_id = mnl_attr_get_u32(attr);
		break;
	case IFLA_XDP_SKB_PROG_ID:
		answer->skb_id = mnl_attr_get_u32(attr);
		break;
	}
	return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *head, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, head, sizeof(struct ifinfomsg))
		if (mnl_attr_get_type(attr) == IFLA_XDP)
			mnl_attr_parse_nested(attr, read_xdp, arg);
	return MNL_CB_STOP;
}

/* Of this interface alone: libbpf's query reads them all each time. */
static int ask(int ifindex, struct answer *ret)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	_Alignas(8) char buf[32768];
	struct nlmsghdr *head = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *link;
	ssize_t got = -1;
	int err = 0;

	if (!nl)
		return -errno;
	head->nlmsg_type = RTM_GETLINK;
	head->nlmsg_flags = NLM_F_REQUEST;
	head->nlmsg_seq = 1;
	link = mnl_nlmsg_put_extra_header(head, sizeof(*link));
	link->ifi_index = ifindex;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0 &&
	    mnl_socket_sendto(nl, head, head->nlmsg_len) >= 0)
		got = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (got < 0 || mnl_cb_run(buf, got, 1, mnl_socket_get_portid(nl), read_link, ret) < 0)
		err = -errno;
	mnl_socket_close(nl);
	return err;
}

/* -------------------------------------------------------------------- state */

/* What libxdp's dispatcher carries: us, and whoever may keep packets from us. */
static void look_into(struct xdp_multiprog *multi, const char *instance, struct dp_xdp *state)
{
	struct xdp_program *prog = NULL;

	state->dispatcher = true;
	while ((prog = xdp_multiprog__next_prog(prog, multi))) {
		struct dp_identity who;

		if (dp_identify(xdp_program__id(prog), DP_PROG_XDP_INGRESS, &who)) {
			state->identity = who;
			if (!strcmp(who.instance, instance)) {
				state->who = DP_XDP_OURS;
				state->prog_id = xdp_program__id(prog);
				return;
			}
		}
		if (xdp_program__chain_call_enabled(prog, XDP_PASS) <= 0)
			state->ahead_id = xdp_program__id(prog);
	}
	/* Others in a dispatcher leave room for us. */
	state->who = DP_XDP_NOTHING;
}

int dp_xdp_look(const char *instance, int ifindex, struct dp_xdp *ret)
{
	struct answer answer = {0};
	struct dp_xdp state = {.who = DP_XDP_NOTHING};
	struct xdp_multiprog *multi;
	int err = ask(ifindex, &answer);

	if (err)
		return err;
	if (answer.attached == XDP_ATTACHED_NONE)
		goto out;
	state.top_id = answer.id ? answer.id : answer.drv_id ? answer.drv_id : answer.skb_id;
	state.generic = answer.attached == XDP_ATTACHED_SKB;
	state.who = DP_XDP_FOREIGN;
	if (dp_identify(state.top_id, DP_PROG_XDP_INGRESS, &state.identity)) {
		state.prog_id = state.top_id;
		if (!strcmp(state.identity.instance, instance))
			state.who = DP_XDP_OURS;
		goto out;
	}
	multi = xdp_multiprog__get_from_ifindex(ifindex);
	if (libxdp_get_error(multi))
		goto out;
	if (!xdp_multiprog__is_legacy(multi))
		look_into(multi, instance, &state);
	xdp_multiprog__close(multi);
out:
	*ret = state;
	return 0;
}

static enum xdp_attach_mode mode_of(const struct dp_xdp *state)
{
	return state->generic ? XDP_MODE_SKB : XDP_MODE_NATIVE;
}

static uint32_t mode_flags(bool generic)
{
	return generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

static uint32_t flags_of(const struct dp_xdp *state)
{
	return mode_flags(state->generic) | XDP_FLAGS_REPLACE;
}

/* ----------------------------------------------------------------- attaching */

/*
 * An object for libxdp to load in its own way, on our maps. In its dispatcher the
 * stub is of another kind than alone, so it finds its programs in an array of
 * their own: see maps.bpf.h.
 */
static struct xipsec *object_for_libxdp(struct datapath *dp)
{
	struct xipsec *skel = xipsec__open();
	struct bpf_program *prog;
	int err = 0;

	if (!skel)
		return NULL;
	for (unsigned i = 0; i < DP_MAP_MAX && !err; i++)
		err = bpf_map__reuse_fd(bpf_object__find_map_by_name(skel->obj, dp_map_name(i)),
					dp->map[i == DP_MAP_XDP_SLOTS ? DP_MAP_EXT_SLOTS : i]);
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == skel->progs.xi_xdp_ingress);
	bpf_program__set_expected_attach_type(skel->progs.xi_xdp_ingress, 0);
	if (err) {
		xipsec__destroy(skel);
		return NULL;
	}
	return skel;
}

static int attach_mode(struct datapath *dp, int ifindex, enum xdp_attach_mode mode)
{
	struct xipsec *skel = object_for_libxdp(dp);
	struct xdp_program *prog;
	int err;

	if (!skel)
		return -ENOMEM;
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = skel->obj,
			    .prog_name = dp_prog_name(DP_PROG_XDP_INGRESS));
	prog = xdp_program__create(&opts);
	err = libxdp_get_error(prog);
	if (err)
		goto out;
	xdp_program__set_run_prio(prog, RUN_PRIORITY);
	xdp_program__set_chain_call_enabled(prog, XDP_PASS, true);
	err = xdp_program__attach(prog, ifindex, mode, 0);
	xdp_program__close(prog);
out:
	xipsec__destroy(skel);
	/* Without libxdp: takes frames of any size, and nobody shares the interface. */
	if (err && err != -EBUSY && err != -EEXIST)
		err = bpf_xdp_attach(ifindex, dp->prog[DP_PROG_XDP_INGRESS],
				     mode_flags(mode == XDP_MODE_SKB) | XDP_FLAGS_UPDATE_IF_NOEXIST,
				     NULL);
	return err;
}

/*
 * Native, else generic. Why one of them is not to be had goes into iface: a
 * program that shares decides for all, so its mode is ours.
 */
static int attach_new(struct datapath *dp, int ifindex, const struct dp_xdp *now,
		      struct xi_iface *iface, struct diag *diag)
{
	bool shared_generic = now->dispatcher && now->generic;
	int err = shared_generic ? -EBUSY : -EOPNOTSUPP;
	char text[160];

	iface->native_errno = iface->generic_errno = 0;
	if (!shared_generic && dp->want.xdp != DP_WANT_XDP_GENERIC) {
		err = attach_mode(dp, ifindex, XDP_MODE_NATIVE);
		if (!err)
			return 0;
	}
	/* Not tried is not refused. */
	iface->native_errno = dp->want.xdp == DP_WANT_XDP_GENERIC && !shared_generic ? 0 : -err;
	if (dp->want.xdp == DP_WANT_XDP_NATIVE)
		return err;
	dp_log_kernel_said(text, sizeof(text));
	err = attach_mode(dp, ifindex, XDP_MODE_SKB);
	iface->generic_errno = -err;
	if (!err && dp->want.xdp != DP_WANT_XDP_GENERIC)
		diag_add(diag, DIAG_WARNING, NULL, NULL,
			 "the driver takes no native XDP program (%s%s%s): slower generic mode",
			 dp_errno_text(iface->native_errno), *text ? "; " : "", text);
	return err;
}

/* One step, without an instant in which no program is there. */
static int replace(struct datapath *dp, int ifindex, const struct dp_xdp *state)
{
	int old_fd = bpf_prog_get_fd_by_id(state->prog_id), err;
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = old_fd);

	if (old_fd < 0)
		return -errno;
	err = bpf_xdp_attach(ifindex, dp->prog[DP_PROG_XDP_INGRESS], flags_of(state), &opts);
	close(old_fd);
	return err;
}

/* In a dispatcher: leave it. The others in it stay. */
static int dispatcher_leave(int ifindex, const struct dp_xdp *state)
{
	struct xdp_program *prog = xdp_program__from_id(state->prog_id);
	int err = libxdp_get_error(prog);

	if (err)
		return err;
	err = xdp_program__detach(prog, ifindex, mode_of(state), 0);
	xdp_program__close(prog);
	return err;
}

int dp_xdp_attach(struct datapath *dp, int ifindex, const struct dp_xdp *now,
		  struct xi_iface *iface, struct diag *diag)
{
	struct dp_xdp alone;
	int err;

	if (now->who == DP_XDP_OURS && dp_is_mine(dp, &now->identity))
		return 0;
	if (now->who == DP_XDP_FOREIGN)
		return -EBUSY;
	if (now->who == DP_XDP_OURS && !now->dispatcher)
		return replace(dp, ifindex, now);
	err = attach_new(dp, ifindex, now, iface, diag);
	/* libxdp gave up its dispatcher: then as the program that is made for that. */
	if (!err && !dp_xdp_look(dp->instance, ifindex, &alone) && alone.who == DP_XDP_OURS &&
	    !alone.dispatcher)
		return replace(dp, ifindex, &alone);
	/* Both run for a moment: the stricter one wins. */
	if (!err && now->who == DP_XDP_OURS)
		err = dispatcher_leave(ifindex, now);
	return err;
}

int dp_xdp_detach(const char *instance, int ifindex)
{
	struct dp_xdp state;
	int err = dp_xdp_look(instance, ifindex, &state), old_fd;
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);

	if (err || state.who != DP_XDP_OURS)
		return err == -ENODEV ? 0 : err;
	if (state.dispatcher)
		return dispatcher_leave(ifindex, &state);
	old_fd = bpf_prog_get_fd_by_id(state.prog_id);
	if (old_fd < 0)
		return -errno;
	opts.old_prog_fd = old_fd;
	err = bpf_xdp_detach(ifindex, flags_of(&state), &opts);
	close(old_fd);
	return err;
}
