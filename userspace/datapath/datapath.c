/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An instance of the datapath from open to teardown. The pinned set of maps and
 * stubs is adopted whole when this binary's BPF object made it, else a fresh set
 * is loaded and takes over the pins. In the second case the old stubs stay
 * attached, and so in force with all behind them, until datapath_attach() replaces
 * them interface by interface. Only another build of the lists' programs changes
 * nothing: the next list comes with them.
 *
 * See object.c for loading, pins.c for the folder in bpffs, slot.c and swap.c for
 * filter lists, attach.c for devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datapath/internal.h"
#include "util/instance.h"

static struct datapath *datapath_new(const char *instance)
{
	struct datapath *dp = calloc(1, sizeof(*dp));

	if (!dp)
		return NULL;
	for (unsigned i = 0; i < DP_MAP_MAX; i++)
		dp->map[i] = -1;
	for (unsigned i = 0; i < DP_PROG_MAX; i++)
		dp->prog[i] = -1;
	for (unsigned i = 0; i < 2 * DP_TABLE_MAX; i++)
		dp->slot[i % 2].table[i / 2].fd = -1;
	for (unsigned i = 0; i < DP_HELD_MAX; i++)
		dp->held_fd[i] = -1;
	for (unsigned i = 0; i < DP_NF_MAX; i++)
		dp->nf_link[i] = dp->nf_old[i] = -1;
	dp->nf_prog = -1;
	dp->dir_fd = dp->grace_fd[0] = dp->grace_fd[1] = -1;
	dp->build = dp_stub_build();
	dp->list_build = dp_list_build();
	strncpy(dp->instance, instance, sizeof(dp->instance) - 1);
	return dp;
}

static int pin_get(const struct datapath *dp, const char *name)
{
	char path[128];

	dp_pin_path(path, sizeof(path), dp->instance, name);
	return bpf_obj_get(path);
}

/* 0: the whole pinned set is ours now. -ENOENT: there is none, or of another build. */
static int adopt(struct datapath *dp, struct diag *diag)
{
	struct xi_ctl ctl;
	uint32_t zero = 0;
	int err;

	for (unsigned i = 0; i < DP_MAP_MAX; i++) {
		dp->map[i] = pin_get(dp, dp_map_name(i));
		if (dp->map[i] < 0)
			return -ENOENT;
	}
	for (unsigned i = 0; i < DP_PROG_MAX; i++) {
		dp->prog[i] = pin_get(dp, dp_prog_name(i));
		if (dp->prog[i] < 0)
			return -ENOENT;
	}
	if (bpf_map_lookup_elem(dp->map[DP_MAP_CTL], &zero, &ctl))
		return -ENOENT;
	if (ctl.abi != XI_ABI_VERSION || ctl.build != dp->build)
		return -ENOENT;
	err = dp_ctl_map(dp, diag);
	if (err)
		return err;
	/* What was loaded by another build stays in force until the next swap. */
	for (uint32_t slot = 0; slot < 2; slot++)
		dp_slot_adopt(dp, slot);
	dp->unsettled = ctl.generation && ctl.settled != ctl.generation;
	if (ctl.generation)
		dp_pin_active(dp, ctl.active & 1);
	return 0;
}

/*
 * A program array is emptied when nobody holds it any more. The set that goes is
 * still attached, so its arrays are held until we close.
 */
static void hold_old_arrays(struct datapath *dp)
{
	dp->held_fd[0] = pin_get(dp, dp_map_name(DP_MAP_XDP_SLOTS));
	dp->held_fd[1] = pin_get(dp, dp_map_name(DP_MAP_EXT_SLOTS));
	dp->held_fd[2] = pin_get(dp, dp_map_name(DP_MAP_TC_SLOTS));
	dp->held_fd[3] = pin_get(dp, dp_map_name(DP_MAP_NF_SLOTS));
}

/* The interfaces of the set that goes stay known, so that they can be taken over. */
static void inherit_interfaces(struct datapath *dp)
{
	int old = pin_get(dp, dp_map_name(DP_MAP_IFACE));
	uint32_t key, *prev = NULL;
	struct xi_iface iface;

	if (old < 0)
		return;
	while (!bpf_map_get_next_key(old, prev, &key)) {
		prev = &key;
		if (bpf_map_lookup_elem(old, &key, &iface))
			continue;
		if (!iface.mac[0] && !iface.mac[1] && !iface.mac[2]) /* a TAP of a worker */
			continue;
		iface.tap_ifindex = iface.queues = 0;
		bpf_map_update_elem(dp->map[DP_MAP_IFACE], &key, &iface, BPF_ANY);
	}
	close(old);
}

/* Interfaces and TAPs that went while nobody looked: what points there ends in a counted drop. */
static void forget_gone_interfaces(struct datapath *dp)
{
	uint32_t key, next, *prev = NULL;
	char name[IF_NAMESIZE];
	struct xi_iface iface;

	while (!bpf_map_get_next_key(dp->map[DP_MAP_IFACE], prev, &next)) {
		key = next;
		prev = &key;
		if (bpf_map_lookup_elem(dp->map[DP_MAP_IFACE], &key, &iface))
			continue;
		if (!if_indextoname(key, name)) {
			bpf_map_delete_elem(dp->map[DP_MAP_IFACE], &key);
			prev = NULL;
		} else if (iface.tap_ifindex && !if_indextoname(iface.tap_ifindex, name)) {
			iface.tap_ifindex = iface.queues = 0;
			bpf_map_update_elem(dp->map[DP_MAP_IFACE], &key, &iface, BPF_EXIST);
		}
	}
}

/*
 * Numbers of interfaces mean nothing in another namespace, and what reassembled there
 * would keep it from going away.
 */
static void forget_other_netns(struct datapath *dp)
{
	uint32_t key;

	while (!bpf_map_get_next_key(dp->map[DP_MAP_IFACE], NULL, &key))
		if (bpf_map_delete_elem(dp->map[DP_MAP_IFACE], &key))
			break;
	dp_nf_detach(dp);
}

static int pin_all(struct datapath *dp, struct diag *diag)
{
	char path[128];
	int err = 0;

	/* Without xi_ctl the folder counts as half made until we are through. */
	dp_pin_path(path, sizeof(path), dp->instance, dp_map_name(DP_MAP_CTL));
	unlink(path);
	for (unsigned i = 0; i < DP_PROG_MAX && !err; i++)
		err = dp_pin(dp->instance, dp_prog_name(i), dp->prog[i]);
	for (unsigned i = 0; i < DP_MAP_MAX && !err; i++)
		if (i != DP_MAP_CTL)
			err = dp_pin(dp->instance, dp_map_name(i), dp->map[i]);
	if (!err)
		err = dp_pin(dp->instance, dp_map_name(DP_MAP_CTL), dp->map[DP_MAP_CTL]);
	if (err)
		diag_add(diag, DIAG_ERROR, NULL, NULL,
			 "cannot pin under " DP_BPFFS "/xipsec/%s: %s", dp->instance,
			 strerror(-err));
	return err;
}

/* A folder that we made for nothing. */
static void forget_empty_dir(const struct datapath *dp)
{
	char path[128];

	dp_pin_path(path, sizeof(path), dp->instance, NULL);
	rmdir(path);
}

int datapath_open(const struct datapath_opts *opts, struct datapath **ret, struct diag *diag)
{
	struct datapath *dp;
	bool moved = false;
	int err;

	if (!instance_name_ok(opts->instance)) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "an instance name has " INSTANCE_NAME_RULE);
		return -EINVAL;
	}
	dp = datapath_new(opts->instance);
	if (!dp)
		return -ENOMEM;
	dp_log_begin();
	dp->pinned = true;
	dp->want = opts->want;
	err = dp_bpffs_ready(diag);
	if (!err)
		err = dp_dir_open(dp->instance, true, &dp->dir_fd, diag);
	if (err)
		goto out;
	err = dp_netns_check(dp->instance, &moved, diag);
	if (err)
		goto out;
	err = adopt(dp, diag);
	if (err == -ENOENT) {
		dp_close_fds(dp);
		err = dp_object_load(dp, diag);
		if (!err) {
			hold_old_arrays(dp);
			inherit_interfaces(dp);
			err = pin_all(dp, diag);
		}
	}
	if (!err)
		err = dp_ring_open(dp);
	if (err)
		goto out;
	if (moved)
		forget_other_netns(dp);
	forget_gone_interfaces(dp);
	dp_tc_forget_gone(dp->instance);
	/* Whoever ran before may have left his choice and his dead workers' SAs. */
	dp->nf_tried = opts->no_reassembly;
	dp->ctl->flags = opts->owns_esp ? XI_CTL_OWNS_ESP : 0;
	dp->ctl->netns = dp_netns();
	*ret = dp;
	dp = NULL;
out:
	dp_log_end(err, diag);
	if (dp && dp->dir_fd >= 0)
		forget_empty_dir(dp);
	datapath_close(dp);
	return err;
}

int dp_open_private(struct datapath **ret, struct diag *diag)
{
	struct datapath *dp = datapath_new("test-run");
	int err;

	if (!dp)
		return -ENOMEM;
	dp_log_begin();
	err = dp_object_load(dp, diag);
	if (!err)
		err = dp_ring_open(dp);
	dp_log_end(err, diag);
	if (err) {
		datapath_close(dp);
		return err;
	}
	*ret = dp;
	return 0;
}

void datapath_close(struct datapath *dp)
{
	if (!dp)
		return;
	dp_object_free(dp);
	if (dp->dir_fd >= 0)
		close(dp->dir_fd);
	free(dp);
}

/* From every interface of the namespace that we are in. */
static int detach_all(const char *instance, struct diag *diag)
{
	struct if_nameindex *ifs = if_nameindex();
	int err = 0, res;

	for (struct if_nameindex *i = ifs; i && i->if_index; i++) {
		res = dp_iface_detach(instance, i->if_index);
		if (!res)
			res = dp_tc_detach(instance, i->if_index, DP_PROG_TC_INJECT);
		if (res) {
			diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot detach from %s: %s",
				 i->if_name, strerror(-res));
			err = res;
		}
	}
	if_freenameindex(ifs);
	return err;
}

int datapath_teardown(const char *instance, struct diag *diag)
{
	char path[128];
	int dir_fd = -1, back = -1, err;

	if (!instance_name_ok(instance))
		return -EINVAL;
	err = dp_bpffs_ready(diag);
	if (err)
		return err;
	err = dp_dir_open(instance, false, &dir_fd, diag);
	if (err && err != -ENOENT)
		return err;
	dp_log_begin();
	err = dp_netns_enter(dp_netns_of(instance), &back);
	if (err)
		diag_add(
			diag, DIAG_ERROR, NULL, NULL,
			"instance '%s' filters another network namespace, which cannot be entered: "
			"%s",
			instance, strerror(-err));
	else
		err = detach_all(instance, diag);
	if (dp_netns_leave(back) && !err)
		err = -EIO;
	dp_log_end(err, diag);
	if (!err && dir_fd >= 0) {
		err = dp_unpin_all(instance);
		dp_pin_path(path, sizeof(path), instance, NULL);
		if (!err && rmdir(path))
			err = -errno;
		if (err)
			diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot remove %s: %s", path,
				 strerror(-err));
	}
	if (dir_fd >= 0)
		close(dir_fd);
	return err;
}

uint32_t datapath_generation(const struct datapath *dp)
{
	return dp->ctl->generation;
}
