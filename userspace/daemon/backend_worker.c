/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The afxdp backend: SAs as messages to the esp role of the interface that the
 * route to the peer leaves by. ctx is the struct daemon. Kernel XFRM becomes a
 * second table like this one, in a file of its own.
 *
 * A pair lives in one worker only: two workers counting the sequence numbers of
 * one key would repeat IVs. Traffic that a changed route takes to another
 * interface is therefore held there and dropped, not sent with a wrong number.
 */
#include <errno.h>

#include "daemon/daemon.h"

static const char *unusable(void *ctx)
{
	return NULL;
}

static struct ipc *worker_of(struct daemon *d, uint32_t ifindex)
{
	struct iface *iface = ifaces_find(d, ifindex);

	return iface && iface->worker.tap_ifindex ? iface->esp.ipc : NULL;
}

static int install(void *ctx, const struct xi_sa_params *sa)
{
	struct ipc *ipc = worker_of(ctx, sa->ifindex);
	int rc;

	if (!ipc)
		return -ENETUNREACH;
	rc = ipc_send(ipc, IPC_SA_INSTALL, 0, sa, NULL, 0);
	return rc ? rc : -EINPROGRESS;
}

static int remove_sa(void *ctx, const struct xi_sa_params *sa)
{
	struct ipc_u32 id = {sa->id};

	return ipc_send(worker_of(ctx, sa->ifindex), IPC_SA_REMOVE, 0, &id, NULL, 0);
}

static int query(void *ctx, uint32_t sa_id)
{
	struct daemon *d = ctx;
	const struct sad_entry *entry = sad_by_id(d->sad, sa_id);
	struct ipc_u32 id = {sa_id};

	if (!entry)
		return -ENOENT;
	return ipc_send(worker_of(d, entry->params.ifindex), IPC_SA_QUERY, 0, &id, NULL, 0);
}

static void hold_fail(void *ctx, const struct xi_addr *local, const struct xi_addr *remote)
{
	struct daemon *d = ctx;
	struct ipc_hosts hosts = {*local, *remote};

	/* The route may have changed since: every worker forgets. */
	for (unsigned i = 0; i < d->iface_count; i++)
		if (d->ifaces[i]->worker.tap_ifindex)
			ipc_send(d->ifaces[i]->esp.ipc, IPC_HOLD_FAIL, 0, &hosts, NULL, 0);
}

const struct sa_backend_ops backend_worker_ops = {
	.name = "afxdp",
	.path = XI_PATH_WORKER,
	.unusable = unusable,
	.install = install,
	.remove = remove_sa,
	.query = query,
	.hold_fail = hold_fail,
};
