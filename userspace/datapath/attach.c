/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole interface: egress at TC, ingress at the best place that there is (see
 * DP_INGRESS in datapath.h), and what is so and why, in words.
 *
 * A program of ours is known by the xi_ctl it uses; attach_xdp.c and attach_tc.c
 * know the ways in which programs are attached.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/internal.h"

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

/* ------------------------------------------------------------------ ingress */

void dp_prog_text(uint32_t id, char *buf, size_t size)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && *info.name)
		snprintf(buf, size, "%s, id %u", info.name, id);
	else
		snprintf(buf, size, "id %u", id);
	if (fd >= 0)
		close(fd);
}

const char *dp_errno_text(int err)
{
	/* Between the kernel and itself, but drivers let it out. The C library has no words for it.
	 */
	return strerror(err == 524 /* ENOTSUPP */ ? EOPNOTSUPP : err);
}

/* Why there is no XDP here, for a sentence that goes on after it. */
static void no_xdp_text(const struct datapath *dp, const struct dp_xdp *xdp,
			const struct xi_iface *iface, char *buf, size_t size)
{
	char prog[48], generic[64] = "";

	if (dp->want.xdp == DP_WANT_XDP_OFF) {
		snprintf(buf, size, "XDP is switched off by option");
	} else if (xdp->who == DP_XDP_FOREIGN) {
		dp_prog_text(xdp->top_id, prog, sizeof(prog));
		snprintf(buf, size, "another XDP program (%s) is attached and does not share",
			 prog);
	} else if (xdp->dispatcher) {
		snprintf(buf, size,
			 "libxdp's dispatcher has other programs and does not take ours (%s)",
			 dp_errno_text(iface->native_errno));
	} else if (iface->native_errno || iface->generic_errno) {
		if (iface->generic_errno)
			snprintf(generic, sizeof(generic), ", nor generic ones (%s)",
				 dp_errno_text(iface->generic_errno));
		snprintf(buf, size, "the driver takes no native XDP program (%s)%s",
			 dp_errno_text(iface->native_errno), generic);
	} else {
		snprintf(buf, size, "XDP was not to be had when the filters were attached");
	}
}

#define TC_INGRESS_MEANS "filtered at TC ingress, where ESP cannot be taken for a worker"

static int ingress_tc(struct datapath *dp, int ifindex, const struct dp_xdp *xdp,
		      const struct xi_iface *iface, struct diag *diag)
{
	int err = dp_tc_attach(dp, ifindex, DP_PROG_TC_INGRESS, diag);
	char why[200];

	if (err)
		return err;
	no_xdp_text(dp, xdp, iface, why, sizeof(why));
	diag_add(diag, DIAG_WARNING, NULL,
		 xdp->who == DP_XDP_FOREIGN ? "remove it, or load it through libxdp" : NULL,
		 "%s: " TC_INGRESS_MEANS, why);
	/* Ours, of an earlier choice: only now that the other one is in place. */
	return xdp->who == DP_XDP_OURS ? dp_xdp_detach(dp->instance, ifindex) : 0;
}

/*
 * XDP has it. TC ingress is needed beside it only when a program before us in the
 * dispatcher keeps packets from us.
 */
static int ingress_net(struct datapath *dp, int ifindex, struct diag *diag)
{
	struct dp_xdp xdp;
	char prog[48];
	int err = dp_xdp_look(dp->instance, ifindex, &xdp);

	if (err)
		return err;
	if (!xdp.ahead_id)
		return dp_tc_detach(dp->instance, ifindex, DP_PROG_TC_INGRESS);
	dp_prog_text(xdp.ahead_id, prog, sizeof(prog));
	diag_add(diag, DIAG_WARNING, NULL, "give it a priority above 20, or let it chain XDP_PASS",
		 "another XDP program (%s) runs before the filters and keeps packets from them: "
		 "those are filtered at TC ingress",
		 prog);
	return dp_tc_attach(dp, ifindex, DP_PROG_TC_INGRESS, diag);
}

/* Ours, but in the other mode than is wanted now; or native was never tried. */
static bool is_wrong_mode(const struct datapath *dp, const struct dp_xdp *xdp,
			  const struct xi_iface *iface)
{
	if (xdp->who != DP_XDP_OURS || xdp->dispatcher)
		return false;
	switch (dp->want.xdp) {
	case DP_WANT_XDP_AUTO:
		return xdp->generic && !iface->native_errno;
	case DP_WANT_XDP_NATIVE:
		return xdp->generic;
	case DP_WANT_XDP_GENERIC:
		return !xdp->generic;
	case DP_WANT_XDP_OFF:
		break;
	}
	return false;
}

/* The two modes exclude each other, so TC ingress filters while XDP is changed. */
static int make_room(struct datapath *dp, int ifindex, struct dp_xdp *xdp, struct diag *diag)
{
	int err = dp_tc_attach(dp, ifindex, DP_PROG_TC_INGRESS, diag);

	if (!err)
		err = dp_xdp_detach(dp->instance, ifindex);
	return err ? err : dp_xdp_look(dp->instance, ifindex, xdp);
}

/* ret_new: nothing of ours was there before. */
static int ingress_attach(struct datapath *dp, int ifindex, struct xi_iface *iface, bool *ret_new,
			  struct diag *diag)
{
	struct dp_xdp xdp;
	int err = dp_xdp_look(dp->instance, ifindex, &xdp);

	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot see which XDP program runs: %s",
			 strerror(-err));
		return err;
	}
	*ret_new = xdp.who != DP_XDP_OURS &&
		   dp_tc_look(dp->instance, ifindex, DP_PROG_TC_INGRESS).kind == DP_TC_NONE;
	if (is_wrong_mode(dp, &xdp, iface)) {
		err = make_room(dp, ifindex, &xdp, diag);
		if (err)
			return err;
	}
	err = -EOPNOTSUPP;
	if (dp->want.xdp != DP_WANT_XDP_OFF)
		err = dp_xdp_attach(dp, ifindex, &xdp, iface, diag);
	if (!err)
		err = ingress_net(dp, ifindex, diag);
	else
		err = ingress_tc(dp, ifindex, &xdp, iface, diag);
	if (err)
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot filter what arrives: %s",
			 strerror(-err));
	return err;
}

static int ingress_detach(const char *instance, int ifindex)
{
	int err = dp_xdp_detach(instance, ifindex);
	int err_tc = dp_tc_detach(instance, ifindex, DP_PROG_TC_INGRESS);

	return err ? err : err_tc;
}

/* -------------------------------------------------------------------- state */

__attribute__((format(printf, 3, 4))) static void also(char *buf, size_t size, const char *fmt, ...)
{
	size_t used = strlen(buf);
	va_list ap;

	if (used && used + 2 < size)
		used += snprintf(buf + used, size - used, "; ");
	if (used >= size)
		return;
	va_start(ap, fmt);
	vsnprintf(buf + used, size - used, fmt, ap);
	va_end(ap);
}

static void say_ahead(char *buf, size_t size, uint32_t id, const char *where)
{
	char prog[48];

	if (!id)
		return;
	dp_prog_text(id, prog, sizeof(prog));
	also(buf, size, "another program (%s) runs before the filters at %s", prog, where);
}

static void say_tc(char *buf, size_t size, const struct dp_tc_state *state, const char *where)
{
	if (state->err)
		also(buf, size, "the TCX link at %s cannot be looked into (%s)", where,
		     strerror(-state->err));
	say_ahead(buf, size, state->ahead_id, where);
}

/* In words what is not as good as it could be. */
static void explain(const struct datapath *dp, const struct dp_xdp *xdp,
		    const struct xi_iface *iface, struct datapath_iface *state)
{
	char *why = state->why;
	char text[200];

	switch (state->ingress) {
	case DP_INGRESS_NONE:
		also(why, sizeof(state->why), "what arrives is not filtered");
		break;
	case DP_INGRESS_DISPATCHER:
	case DP_INGRESS_NATIVE:
		break;
	case DP_INGRESS_GENERIC:
		if (dp->want.xdp == DP_WANT_XDP_GENERIC)
			also(why, sizeof(state->why), "generic XDP was chosen by option");
		else
			also(why, sizeof(state->why), "the driver takes no native XDP program (%s)",
			     dp_errno_text(iface->native_errno ? iface->native_errno : EOPNOTSUPP));
		break;
	case DP_INGRESS_TC:
		no_xdp_text(dp, xdp, iface, text, sizeof(text));
		also(why, sizeof(state->why), "%s: " TC_INGRESS_MEANS, text);
		break;
	case DP_INGRESS_MAX:
		break;
	}
	if ((state->ingress == DP_INGRESS_NATIVE || state->ingress == DP_INGRESS_GENERIC) &&
	    !xdp->dispatcher)
		also(why, sizeof(state->why),
		     "libxdp's dispatcher does not load in this kernel or does not take our "
		     "program, so other XDP programs cannot share");
	say_ahead(why, sizeof(state->why), xdp->ahead_id,
		  state->ingress_tc != DP_TC_NONE
			  ? "XDP and keeps packets from them, which TC ingress filters"
			  : "XDP and keeps packets from them");
	if (state->egress == DP_TC_NONE)
		also(why, sizeof(state->why), "what leaves is not filtered");
}

int datapath_iface_state(const struct datapath *dp, int ifindex, struct datapath_iface *ret)
{
	struct datapath_iface state = {.ingress = DP_INGRESS_NONE};
	struct dp_tc_state in, out;
	uint32_t key = ifindex;
	struct xi_iface iface = {0};
	struct dp_xdp xdp;
	int err;

	dp_log_begin();
	err = dp_xdp_look(dp->instance, ifindex, &xdp);
	if (!err) {
		bpf_map_lookup_elem(dp->map[DP_MAP_IFACE], &key, &iface);
		in = dp_tc_look(dp->instance, ifindex, DP_PROG_TC_INGRESS);
		out = dp_tc_look(dp->instance, ifindex, DP_PROG_TC_EGRESS);
		state.ingress_tc = in.kind;
		state.egress = out.kind;
		state.shared = xdp.dispatcher && xdp.who == DP_XDP_OURS;
		if (xdp.who == DP_XDP_OURS)
			state.ingress = xdp.generic	 ? DP_INGRESS_GENERIC
					: xdp.dispatcher ? DP_INGRESS_DISPATCHER
							 : DP_INGRESS_NATIVE;
		else if (state.ingress_tc != DP_TC_NONE)
			state.ingress = DP_INGRESS_TC;
		explain(dp, &xdp, &iface, &state);
		say_tc(state.why, sizeof(state.why), &in, "TC ingress");
		say_tc(state.why, sizeof(state.why), &out, "TC egress");
		*ret = state;
	}
	dp_log_end(0, NULL);
	return err;
}

#define DP_X(NAME, name, text) name,
static const char *const ingress_names[] = {DP_INGRESS(DP_X)};
static const char *const tc_names[] = {DP_TC(DP_X)};
#undef DP_X
#define DP_X(NAME, name, text) text,
static const char *const ingress_texts[] = {DP_INGRESS(DP_X)};
static const char *const tc_texts[] = {DP_TC(DP_X)};
#undef DP_X

const char *datapath_ingress_name(enum dp_ingress ingress)
{
	return ingress_names[ingress];
}

const char *datapath_ingress_text(enum dp_ingress ingress)
{
	return ingress_texts[ingress];
}

const char *datapath_tc_text(enum dp_tc tc)
{
	return tc_texts[tc];
}

const char *datapath_tc_name(enum dp_tc tc)
{
	return tc_names[tc];
}

/* ------------------------------------------------------- attach and detach */

/* What was said from `first` on was said of this interface. */
static void name_place(struct diag *diag, size_t first, int ifindex)
{
	char name[IF_NAMESIZE];

	if (!diag || !if_indextoname(ifindex, name))
		return;
	for (size_t i = first; i < diag->count; i++)
		if (!diag->entries[i].file)
			diag->entries[i].file = strdup(name);
}

int datapath_attach(struct datapath *dp, int ifindex, enum xi_iface_class klass, struct diag *diag)
{
	struct xi_iface before, iface = {0};
	bool known, ingress_new = false;
	uint32_t key = ifindex;
	size_t first = 0;
	int err;

	if (!dp->ctl->generation) {
		diag_add(diag, DIAG_ERROR, NULL, NULL,
			 "no filter list is loaded: nothing would pass the interface");
		return -EINVAL;
	}
	dp_log_begin();
	first = diag ? diag->count : 0;
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
	if (!err) {
		dp_nf_attach(dp, diag);
		err = ingress_attach(dp, ifindex, &iface, &ingress_new, diag);
	}
	if (!err && bpf_map_update_elem(dp->map[DP_MAP_IFACE], &key, &iface, BPF_ANY))
		err = -errno;
	if (err && !known) {
		if (ingress_new)
			ingress_detach(dp->instance, ifindex);
		dp_tc_detach(dp->instance, ifindex, DP_PROG_TC_EGRESS);
		bpf_map_delete_elem(dp->map[DP_MAP_IFACE], &key);
	}
out:
	dp_log_end(err, diag);
	name_place(diag, first, ifindex);
	return err;
}

int dp_iface_detach(const char *instance, int ifindex)
{
	int err = ingress_detach(instance, ifindex);
	int err_tc = dp_tc_detach(instance, ifindex, DP_PROG_TC_EGRESS);

	return err ? err : err_tc;
}

int datapath_detach(struct datapath *dp, int ifindex)
{
	uint32_t key = ifindex;
	int err;

	dp_log_begin();
	datapath_set_worker(dp, ifindex, 0, NULL, 0);
	err = dp_iface_detach(dp->instance, ifindex);
	dp_tc_forget_gone(dp->instance);
	bpf_map_delete_elem(dp->map[DP_MAP_IFACE], &key);
	dp_log_end(0, NULL);
	return err;
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
