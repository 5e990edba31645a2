/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wiring an interface to its ESP worker: where inbound ESP goes (AF_XDP
 * sockets), where outbound clear text goes (the TAP), and the check of what
 * comes out of the TAP. Opened from the inside out, so that a packet never goes
 * where nobody reads, and closed the other way round.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "datapath/internal.h"

#define XSKS_PER_IFACE 16
#define XSK_BLOCKS     (1024 / XSKS_PER_IFACE)

/* A block of xi_xsks that no other interface uses. */
static int xsk_block(const struct datapath *dp, uint32_t self, uint32_t *ret)
{
	bool used[XSK_BLOCKS] = {false};
	uint32_t key, *prev = NULL;
	struct xi_iface iface;

	while (!bpf_map_get_next_key(dp->map[DP_MAP_IFACE], prev, &key)) {
		prev = &key;
		if (key != self && !bpf_map_lookup_elem(dp->map[DP_MAP_IFACE], &key, &iface) &&
		    iface.queues)
			used[iface.xsk_base / XSKS_PER_IFACE % XSK_BLOCKS] = true;
	}
	for (uint32_t i = 0; i < XSK_BLOCKS; i++)
		if (!used[i]) {
			*ret = i * XSKS_PER_IFACE;
			return 0;
		}
	return -ENOSPC;
}

static void unwire(struct datapath *dp, uint32_t ifindex, struct xi_iface *iface)
{
	uint32_t tap = iface->tap_ifindex, base = iface->xsk_base, queues = iface->queues;

	iface->tap_ifindex = iface->queues = 0;
	bpf_map_update_elem(dp->map[DP_MAP_IFACE], &ifindex, iface, BPF_ANY);
	for (uint32_t i = base; i < base + queues; i++)
		bpf_map_delete_elem(dp->map[DP_MAP_XSKS], &i);
	if (!tap)
		return;
	bpf_map_delete_elem(dp->map[DP_MAP_IFACE], &tap);
	dp_tc_detach(dp->instance, tap, DP_PROG_TC_INJECT);
}

static int wire(struct datapath *dp, uint32_t ifindex, struct xi_iface *iface, uint32_t tap,
		const int *xsk_fds, unsigned queues)
{
	struct xi_iface tap_iface = {.klass = iface->klass};
	int err = xsk_block(dp, ifindex, &iface->xsk_base);

	if (err)
		return err;
	for (uint32_t i = 0; i < queues; i++) {
		uint32_t index = iface->xsk_base + i;

		if (bpf_map_update_elem(dp->map[DP_MAP_XSKS], &index, &xsk_fds[i], BPF_ANY))
			return -errno;
	}
	if (bpf_map_update_elem(dp->map[DP_MAP_IFACE], &tap, &tap_iface, BPF_ANY))
		return -errno;
	err = dp_tc_attach(dp, tap, DP_PROG_TC_INJECT, NULL);
	if (err)
		return err;
	iface->tap_ifindex = tap;
	iface->queues = queues;
	return bpf_map_update_elem(dp->map[DP_MAP_IFACE], &ifindex, iface, BPF_ANY) ? -errno : 0;
}

int datapath_set_worker(struct datapath *dp, int ifindex, int tap_ifindex, const int *xsk_fds,
			unsigned queues)
{
	uint32_t key = ifindex;
	struct xi_iface iface;
	int err = 0;

	if (queues > XSKS_PER_IFACE)
		return -E2BIG;
	if (bpf_map_lookup_elem(dp->map[DP_MAP_IFACE], &key, &iface))
		return -errno;
	dp_log_begin();
	unwire(dp, key, &iface);
	if (tap_ifindex) {
		err = wire(dp, key, &iface, tap_ifindex, xsk_fds, queues);
		if (err) {
			iface.tap_ifindex = tap_ifindex;
			iface.queues = queues;
			unwire(dp, key, &iface);
		}
	}
	dp_log_end(0, NULL);
	return err;
}
