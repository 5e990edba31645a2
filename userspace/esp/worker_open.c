// SPDX-License-Identifier: BSD-2-Clause
/*
 * Making and ending a worker with real edges. Everything here that needs
 * privilege happens in worker_open(); the refresh only asks.
 */
#include "esp/worker_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <openssl/crypto.h>

#include "esp/rawesp.h"
#include "esp/tap.h"
#include "esp/xsk.h"

#define ETH_HEAD_MAX 22 /* with two VLAN tags */

static int name_of(int ctl, int ifindex, struct ifreq *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ifr_ifindex = ifindex;
	return ioctl(ctl, SIOCGIFNAME, ret) ? -errno : 0;
}

/* MTU and address can change while we run. */
static int refresh(struct worker *worker)
{
	struct ifreq req;
	int err = name_of(worker->ctl_fd, worker->info.ifindex, &req);

	if (err)
		return err;
	if (ioctl(worker->ctl_fd, SIOCGIFMTU, &req))
		return -errno;
	worker->edges.mtu = (uint32_t)req.ifr_mtu;
	/* A frame of an AF_XDP socket is one piece of memory: no jumbo frames yet. */
	if (worker->edges.mtu > XSK_FRAME_MAX - ETH_HEAD_MAX)
		worker->edges.mtu = XSK_FRAME_MAX - ETH_HEAD_MAX;
	if (ioctl(worker->ctl_fd, SIOCGIFHWADDR, &req))
		return -errno;
	memcpy(worker->edges.mac, req.ifr_hwaddr.sa_data, sizeof(worker->edges.mac));
	return 0;
}

/* Receive queues, as the driver tells; drivers that do not tell have one. */
static unsigned count_queues(int ctl, const char *name)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq req = {.ifr_data = (void *)&channels};
	unsigned count;

	memcpy(req.ifr_name, name, IFNAMSIZ);
	if (ioctl(ctl, SIOCETHTOOL, &req))
		return 1;
	count = channels.combined_count + channels.rx_count;
	return count ? count : 1;
}

static int open_edges(struct worker *worker, const char *name, bool force_copy, struct diag *diag)
{
	struct worker_info *info = &worker->info;
	struct edges *edges = &worker->edges;
	struct xsk_port *port;
	struct rawesp *raw;
	struct tap *tap;
	int err;

	info->queues = count_queues(worker->ctl_fd, name);
	if (info->queues > WORKER_QUEUES_MAX) {
		diag_add(diag, DIAG_WARNING, NULL, "reduce them with ethtool -L",
			 "%s has %u receive queues, of which only %d are served", name,
			 info->queues, WORKER_QUEUES_MAX);
		info->queues = WORKER_QUEUES_MAX;
	}
	err = tap_open(&tap, diag);
	if (err)
		return err;
	edges->stack = &tap_ops;
	edges->stack_ctx = tap;
	memcpy(edges->stack_mac, tap_mac(tap), sizeof(edges->stack_mac));
	info->tap_ifindex = tap_ifindex(tap);
	strncpy(info->tap_name, tap_name(tap), sizeof(info->tap_name) - 1);

	err = rawesp_open(name, &raw);
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot open a raw ESP socket: %s",
			 strerror(-err));
		return err;
	}
	edges->slow = &rawesp_ops;
	edges->slow_ctx = raw;

	err = xsk_port_open(name, info->queues, force_copy, &port, diag);
	if (err)
		return err;
	edges->wire = &xsk_ops;
	edges->wire_ctx = port;
	edges->queues = info->queues;
	for (unsigned i = 0; i < info->queues; i++)
		info->xsk_fds[i] = xsk_port_fd(port, i);
	info->zero_copy = xsk_port_zero_copy(port);
	return 0;
}

int worker_open(const struct worker_opts *opts, struct worker **ret, struct diag *diag)
{
	static const struct edges none;
	struct worker *worker;
	struct ifreq req;
	int err = esp_crypto_selftest();

	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, NULL,
			 "the self-test of the ESP algorithms failed: this OpenSSL is not usable");
		return err;
	}
	err = worker_new(&none, &worker);
	if (err)
		return err;
	worker->info.ifindex = opts->ifindex;
	worker->ctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (worker->ctl_fd < 0) {
		err = -errno;
		goto fail;
	}
	err = name_of(worker->ctl_fd, opts->ifindex, &req);
	if (!err)
		err = refresh(worker);
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot read interface %d: %s",
			 opts->ifindex, strerror(-err));
		goto fail;
	}
	err = open_edges(worker, req.ifr_name, opts->force_copy, diag);
	if (err)
		goto fail;
	worker->refresh = refresh;
	*ret = worker;
	return 0;
fail:
	worker_close(worker);
	return err;
}

void worker_close(struct worker *worker)
{
	if (!worker)
		return;
	if (worker->edges.wire)
		worker->edges.wire->close(worker->edges.wire_ctx);
	if (worker->edges.stack)
		worker->edges.stack->close(worker->edges.stack_ctx);
	if (worker->edges.slow)
		worker->edges.slow->close(worker->edges.slow_ctx);
	if (worker->ctl_fd >= 0)
		close(worker->ctl_fd);
	satab_free(worker->sas);
	hold_free(worker->hold);
	gro_free(worker->gro);
	OPENSSL_cleanse(worker, sizeof(*worker));
	free(worker);
}

size_t worker_fds(const struct worker *worker, int *ret, size_t max)
{
	int slow[2];
	int slow_count = worker->edges.slow == &rawesp_ops
				 ? rawesp_fds(worker->edges.slow_ctx, slow)
				 : 0;
	size_t count = 0;

	if (worker->edges.stack == &tap_ops && count < max)
		ret[count++] = tap_fd(worker->edges.stack_ctx);
	for (int i = 0; i < slow_count && count < max; i++)
		ret[count++] = slow[i];
	for (unsigned i = 0; i < worker->info.queues && count < max; i++)
		ret[count++] = worker->info.xsk_fds[i];
	return count;
}
