/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XDP on an interface, and the order in which a whole interface is attached.
 *
 * An interface without a program is attached through libxdp, so that its
 * dispatcher can chain us with others; where the dispatcher does not load,
 * libxdp attaches us alone. A program of ours that is already there is kept if
 * it uses our maps and replaced in one step if not. Someone else's program is
 * never replaced.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_link.h>

#include <xdp/libxdp.h>

#include "datapath/internal.h"
#include "skel/xipsec.skel.h"

#define RUN_PRIORITY 20 /* before libxdp's default of 50: filter first */

/* ---------------------------------------------------------------- identity */

static bool ctl_of_map(uint32_t map_id, struct dp_identity *ret)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), zero = 0;
	struct xi_ctl ctl;
	bool found = false;
	int fd = bpf_map_get_fd_by_id(map_id);

	if (fd < 0)
		return false;
	/* Another ABI's xi_ctl may have another size: the name alone is no proof. */
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) &&
	    !strcmp(info.name, dp_map_name(DP_MAP_CTL)) && info.value_size == sizeof(ctl) &&
	    !bpf_map_lookup_elem(fd, &zero, &ctl)) {
		memcpy(ret->instance, ctl.instance, sizeof(ret->instance));
		ret->instance[sizeof(ret->instance) - 1] = '\0';
		ret->ctl_id = map_id;
		found = true;
	}
	close(fd);
	return found;
}

bool dp_identify(uint32_t prog_id, enum dp_prog prog, struct dp_identity *ret)
{
	uint32_t maps[64], len;
	struct bpf_prog_info info = {.map_ids = (uintptr_t)maps, .nr_map_ids = 64};
	bool found = false;
	int fd = bpf_prog_get_fd_by_id(prog_id);

	if (fd < 0)
		return false;
	len = sizeof(info);
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, dp_prog_name(prog)))
		for (uint32_t i = 0; i < info.nr_map_ids && i < 64 && !found; i++)
			found = ctl_of_map(maps[i], ret);
	close(fd);
	return found;
}

bool dp_is_mine(const struct datapath *dp, const struct dp_identity *who)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return !bpf_obj_get_info_by_fd(dp->map[DP_MAP_CTL], &info, &len) && info.id == who->ctl_id;
}

/* ---------------------------------------------------------------- XDP state */

/* What is attached: nothing, one program, or libxdp's dispatcher. */
struct xdp_state {
	enum { XDP_NOTHING, XDP_OURS, XDP_FOREIGN } who;
	struct dp_identity identity;
	bool dispatcher;
	uint32_t prog_id; /* of our program */
	uint32_t top_id;  /* of what the device runs */
	enum xdp_attach_mode mode;
};

static int xdp_look(const char *instance, int ifindex, struct xdp_state *ret)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct xdp_state state = {.who = XDP_NOTHING};
	struct xdp_program *prog = NULL;
	struct xdp_multiprog *multi;
	int err = bpf_xdp_query(ifindex, 0, &query);

	if (err)
		return err;
	if (query.attach_mode == XDP_ATTACHED_NONE)
		goto out;
	state.top_id = query.prog_id	   ? query.prog_id
		       : query.drv_prog_id ? query.drv_prog_id
					   : query.skb_prog_id;
	state.mode = query.attach_mode == XDP_ATTACHED_SKB ? XDP_MODE_SKB : XDP_MODE_NATIVE;
	state.who = XDP_FOREIGN;
	if (dp_identify(state.top_id, DP_PROG_XDP_INGRESS, &state.identity)) {
		state.prog_id = state.top_id;
		if (!strcmp(state.identity.instance, instance))
			state.who = XDP_OURS;
		goto out;
	}
	multi = xdp_multiprog__get_from_ifindex(ifindex);
	if (libxdp_get_error(multi))
		goto out;
	if (!xdp_multiprog__is_legacy(multi)) {
		state.dispatcher = true;
		while ((prog = xdp_multiprog__next_prog(prog, multi))) {
			struct dp_identity who;

			if (!dp_identify(xdp_program__id(prog), DP_PROG_XDP_INGRESS, &who) ||
			    strcmp(who.instance, instance))
				continue;
			state.who = XDP_OURS;
			state.identity = who;
			state.prog_id = xdp_program__id(prog);
		}
		/* Others in a dispatcher leave room for us. */
		if (state.who == XDP_FOREIGN)
			state.who = XDP_NOTHING;
	}
	xdp_multiprog__close(multi);
out:
	*ret = state;
	return 0;
}

/* ----------------------------------------------------------------- attaching */

/* An object for libxdp to load in its own way, on our maps. */
static struct xipsec *object_for_libxdp(struct datapath *dp)
{
	struct xipsec *skel = xipsec__open();
	struct bpf_program *prog;
	int err = 0;

	if (!skel)
		return NULL;
	for (unsigned i = 0; i < DP_MAP_MAX && !err; i++)
		err = bpf_map__reuse_fd(bpf_object__find_map_by_name(skel->obj, dp_map_name(i)),
					dp->map[i]);
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == skel->progs.xi_xdp_ingress);
	if (err) {
		xipsec__destroy(skel);
		return NULL;
	}
	return skel;
}

static int xdp_attach_mode(struct datapath *dp, int ifindex, enum xdp_attach_mode mode)
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
	return err;
}

/* Native, or generic with a warning. */
static int xdp_attach_new(struct datapath *dp, int ifindex, struct diag *diag)
{
	int native = xdp_attach_mode(dp, ifindex, XDP_MODE_NATIVE), err;

	if (!native || native == -EBUSY || native == -EEXIST)
		return native;
	err = xdp_attach_mode(dp, ifindex, XDP_MODE_SKB);
	if (!err)
		diag_add(diag, DIAG_WARNING, NULL, NULL,
			 "the driver takes no native XDP program (%s): slower generic mode",
			 strerror(-native));
	return err;
}

/* One step, without an instant in which no program is there. */
static int xdp_replace(struct datapath *dp, int ifindex, const struct xdp_state *state)
{
	int old_fd = bpf_prog_get_fd_by_id(state->prog_id), err;
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = old_fd);

	if (old_fd < 0)
		return -errno;
	err = bpf_xdp_attach(
		ifindex, dp->prog[DP_PROG_XDP_INGRESS],
		(state->mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE) |
			XDP_FLAGS_REPLACE,
		&opts);
	close(old_fd);
	return err;
}

/* In a dispatcher: leave it. The others in it stay. */
static int dispatcher_leave(int ifindex, uint32_t prog_id, enum xdp_attach_mode mode)
{
	struct xdp_program *prog = xdp_program__from_id(prog_id);
	int err = libxdp_get_error(prog);

	if (err)
		return err;
	err = xdp_program__detach(prog, ifindex, mode, 0);
	xdp_program__close(prog);
	return err;
}

int dp_xdp_attach(struct datapath *dp, int ifindex, bool *ret_new, struct diag *diag)
{
	struct xdp_state state;
	int err = xdp_look(dp->instance, ifindex, &state);

	*ret_new = false;
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot see which XDP program runs: %s",
			 strerror(-err));
		return err;
	}
	if (state.who == XDP_OURS && dp_is_mine(dp, &state.identity))
		return 0;
	if (state.who == XDP_FOREIGN) {
		diag_add(diag, DIAG_ERROR, NULL, "remove it, or load it through libxdp",
			 "another XDP program (id %u) is attached and does not share",
			 state.top_id);
		return -EBUSY;
	}
	if (state.who == XDP_OURS && !state.dispatcher) {
		err = xdp_replace(dp, ifindex, &state);
	} else {
		err = xdp_attach_new(dp, ifindex, diag);
		*ret_new = !err && state.who == XDP_NOTHING;
		/* Both run for a moment: the stricter one wins. */
		if (!err && state.who == XDP_OURS)
			err = dispatcher_leave(ifindex, state.prog_id, state.mode);
	}
	if (err)
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot attach the XDP program: %s",
			 strerror(-err));
	return err;
}

int dp_xdp_detach(const char *instance, int ifindex)
{
	struct xdp_state state;
	int err = xdp_look(instance, ifindex, &state), old_fd;
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);

	if (err || state.who != XDP_OURS)
		return err == -ENODEV ? 0 : err;
	if (state.dispatcher)
		return dispatcher_leave(ifindex, state.prog_id, state.mode);
	old_fd = bpf_prog_get_fd_by_id(state.prog_id);
	if (old_fd < 0)
		return -errno;
	opts.old_prog_fd = old_fd;
	err = bpf_xdp_detach(
		ifindex,
		(state.mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE) |
			XDP_FLAGS_REPLACE,
		&opts);
	close(old_fd);
	return err;
}

const char *datapath_xdp_mode(const struct datapath *dp, int ifindex, bool *ret_dispatcher)
{
	struct xdp_state state;
	int err;

	dp_log_begin();
	err = xdp_look(dp->instance, ifindex, &state);
	dp_log_end(0, NULL);
	if (err || state.who != XDP_OURS)
		return NULL;
	if (ret_dispatcher)
		*ret_dispatcher = state.dispatcher;
	return state.mode == XDP_MODE_SKB ? "generic" : "native";
}

/* ------------------------------------------------------- a whole interface */

static int iface_describe(int ifindex, struct xi_iface *iface, struct diag *diag)
{
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (!if_indextoname(ifindex, req.ifr_name) || ioctl(fd, SIOCGIFHWADDR, &req))
		err = -errno;
	else if (req.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		err = -EOPNOTSUPP;
	else
		memcpy(iface->mac, req.ifr_hwaddr.sa_data, sizeof(iface->mac));
	close(fd);
	if (err)
		diag_add(diag, DIAG_ERROR, NULL,
			 err == -EOPNOTSUPP ? "only Ethernet interfaces can be filtered" : NULL,
			 "cannot use interface %d (%s): %s", ifindex, req.ifr_name, strerror(-err));
	return err;
}

int datapath_attach(struct datapath *dp, int ifindex, enum xi_iface_class klass, struct diag *diag)
{
	struct xi_iface before, iface = {0};
	bool known, xdp_new = false;
	uint32_t key = ifindex;
	int err;

	if (!dp->ctl->generation) {
		diag_add(diag, DIAG_ERROR, NULL, NULL,
			 "no filter list is loaded: nothing would pass the interface");
		return -EINVAL;
	}
	dp_log_begin();
	known = !bpf_map_lookup_elem(dp->map[DP_MAP_IFACE], &key, &before);
	if (known)
		iface = before;
	iface.klass = klass;
	err = iface_describe(ifindex, &iface, diag);
	if (err)
		goto out;
	if (bpf_map_update_elem(dp->map[DP_MAP_IFACE], &key, &iface, BPF_ANY)) {
		err = -errno;
		goto out;
	}
	/* Egress first: without it something could leave in clear that we then refuse to hear. */
	err = dp_tc_attach(dp, ifindex, DP_PROG_TC_EGRESS, diag);
	if (!err)
		err = dp_xdp_attach(dp, ifindex, &xdp_new, diag);
	if (err && !known) {
		if (xdp_new)
			dp_xdp_detach(dp->instance, ifindex);
		dp_tc_detach(dp->instance, ifindex, DP_PROG_TC_EGRESS);
		bpf_map_delete_elem(dp->map[DP_MAP_IFACE], &key);
	}
out:
	dp_log_end(err, diag);
	return err;
}

int datapath_detach(struct datapath *dp, int ifindex)
{
	uint32_t key = ifindex;
	int err, err_tc;

	dp_log_begin();
	datapath_set_worker(dp, ifindex, 0, NULL, 0);
	err = dp_xdp_detach(dp->instance, ifindex);
	err_tc = dp_tc_detach(dp->instance, ifindex, DP_PROG_TC_EGRESS);
	bpf_map_delete_elem(dp->map[DP_MAP_IFACE], &key);
	dp_log_end(0, NULL);
	return err ? err : err_tc;
}

size_t datapath_interfaces(const struct datapath *dp, int *ret, size_t max)
{
	static const uint8_t none[6];
	uint32_t key, *prev = NULL;
	struct xi_iface iface;
	size_t count = 0;

	while (!bpf_map_get_next_key(dp->map[DP_MAP_IFACE], prev, &key)) {
		prev = &key;
		if (bpf_map_lookup_elem(dp->map[DP_MAP_IFACE], &key, &iface) ||
		    !memcmp(iface.mac, none, sizeof(none)))
			continue;
		if (count < max)
			ret[count] = key;
		count++;
	}
	return count;
}
