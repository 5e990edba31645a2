/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the kernel's events, IKE, the SAD and the workers: a packet without an
 * SA becomes an acquire, a negotiated pair becomes an SA, and each end of one is
 * told to the others. The parent trusts neither ike nor esp: what they ask for
 * is checked by the SAD (SPIs it gave out itself, ids it knows).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <event2/event.h>

#include "compile/image.h"
#include "daemon/daemon.h"
#include "daemon/links.h"
#include "daemon/monitor.h"
#include "daemon/revalidate.h"
#include "daemon/show.h"
#include "daemon/udp.h"
#include "datapath/datapath.h"
#include "util/addr.h"
#include "util/log.h"

/* Windows: a quick-mode SA that carries nothing for five minutes ends. */
#define IDLE_S 300
/* Acquires that wait for the ike role; more are dropped, the kernel asks again. */
#define ACQUIRES_MAX 1024
#define IKE_PORT     500
#define NATT_PORT    4500

/* ------------------------------------------------------ the SAD's surroundings */

static uint64_t sad_now(void *ctx)
{
	return daemon_now_ms();
}

static int sad_random(void *ctx, void *buf, size_t len)
{
	return daemon_random(buf, len);
}

static int in_add(void *ctx, const struct xi_sa_params *sa)
{
	return datapath_sa_in_add(((struct daemon *)ctx)->dp, sa, backend_worker_ops.path);
}

static int out_add(void *ctx, const struct xi_sa_params *sa)
{
	return datapath_sa_out_add(((struct daemon *)ctx)->dp, sa, backend_worker_ops.path);
}

static int in_del(void *ctx, const struct xi_sa_params *sa)
{
	return datapath_sa_in_del(((struct daemon *)ctx)->dp, sa);
}

static int out_del(void *ctx, const struct xi_sa_params *sa)
{
	return datapath_sa_out_del(((struct daemon *)ctx)->dp, sa);
}

static void rekey(void *ctx, uint32_t spi_in)
{
	struct ipc_u32 spi = {spi_in};

	ipc_send(((struct daemon *)ctx)->ike.ipc, IPC_SA_REKEY, 0, &spi, NULL, 0);
}

static void gone(void *ctx, uint32_t spi_in)
{
	struct ipc_u32 spi = {spi_in};

	ipc_send(((struct daemon *)ctx)->ike.ipc, IPC_SA_GONE, 0, &spi, NULL, 0);
}

static void note(void *ctx, const struct sad_entry *entry, const char *ended)
{
	struct ipc_u32 spi_in = {entry->params.in.spi};
	const struct xi_sa_params *sa = &entry->params;
	char peer[XI_ADDR_STRLEN], spis[32];
	const char *rule = config_rule_name(ctx, sa->rule, sa->generation);
	struct log_about about = {.peer = peer, .sa = spis, .rule = rule, .reason = ended};

	if (!ended)
		ipc_send(((struct daemon *)ctx)->ike.ipc, IPC_SA_UP, 0, &spi_in, NULL, 0);
	monitor_sa(ctx, entry, ended);
	xi_addr_text(&sa->remote, peer);
	snprintf(spis, sizeof(spis), "%08x/%08x", sa->in.spi, sa->out.spi);
	if (!ended)
		log_about(LVL_INFO, &about, "SA %s with %s is up (rule %s, %s%s%s)", spis, peer,
			  rule ? rule : "-", xi_cipher_info(sa->cipher)->name, sa->integ ? "-" : "",
			  sa->integ ? xi_integ_info(sa->integ)->name : "");
	else
		log_about(LVL_INFO, &about, "SA %s with %s ended: %s", spis, peer, ended);
}

static const struct sad_ops sad_operations = {
	.now_ms = sad_now,
	.random = sad_random,
	.in_add = in_add,
	.out_add = out_add,
	.in_del = in_del,
	.out_del = out_del,
	.rekey = rekey,
	.gone = gone,
	.note = note,
};

void traffic_set_timer(struct daemon *d)
{
	uint64_t now = daemon_now_ms(), next = sad_next_ms(d->sad);
	uint64_t wait = next > now ? next - now : 0;
	struct timeval tv = {wait / 1000, wait % 1000 * 1000};

	if (next == UINT64_MAX)
		event_del(d->sad_timer);
	else
		event_add(d->sad_timer, &tv);
}

static void on_sad_timer(int fd, short what, void *arg)
{
	struct daemon *d = arg;

	sad_tick(d->sad);
	traffic_set_timer(d);
}

/* ------------------------------------------------------------ kernel events */

static bool may_log(struct daemon *d, const struct xi_addr *about)
{
	return ratelimit_pass(&d->log_limit, about, daemon_now_ms(), NULL);
}

static void need_sa(struct daemon *d, const struct xi_event *event)
{
	struct ike_acquire acquire = {0};
	const struct filter *filter;

	/* Of a filter list that is no longer in force: the next packet says it again. */
	if (event->generation != d->generation || event->filter_idx >= d->image->count)
		return;
	filter = &d->image->filters[event->filter_idx];
	if (filter->action != XI_ACT_NEGOTIATE || filter->rule == FILTER_BUILTIN)
		return;
	if (ipc_queued(d->ike.ipc) >= ACQUIRES_MAX) {
		d->acquires_dropped++;
		return;
	}
	acquire.rule = filter->rule;
	acquire.local.family = event->pkt.family;
	acquire.remote.family = event->pkt.family;
	memcpy(acquire.local.b, event->pkt.local, 16);
	memcpy(acquire.remote.b, event->pkt.remote, 16);
	acquire.proto = event->pkt.proto;
	acquire.local_port = event->pkt.local_port;
	acquire.remote_port = event->pkt.remote_port;
	ipc_send(d->ike.ipc, IPC_ACQUIRE, 0, &acquire, NULL, 0);
}

static void on_event(void *arg, const struct xi_event *event)
{
	struct daemon *d = arg;
	struct xi_addr remote = {.family = event->pkt.family}, local = remote;
	char text[XI_ADDR_STRLEN];

	memcpy(remote.b, event->pkt.remote, sizeof(remote.b));
	memcpy(local.b, event->pkt.local, sizeof(local.b));
	monitor_event(d, event);
	switch ((enum xi_event_kind)event->kind) {
	case XI_EVENT_NEED_SA:
	case XI_EVENT_CLEAR_ACCEPTED:
		need_sa(d, event);
		return;
	case XI_EVENT_INVALID_SPI:
		if (!recover_peer(d, &local, &remote) && may_log(d, &remote))
			log_info("%s sends ESP with an SPI that is not in use here (%08x)",
				 xi_addr_text(&remote, text), event->spi);
		return;
	case XI_EVENT_DROP:
	case XI_EVENT_NONE:
	case XI_EVENT_MAX:
		return;
	}
}

static void on_events(int fd, short what, void *arg)
{
	struct daemon *d = arg;

	datapath_events(d->dp, on_event, d);
}

/* ------------------------------------------------------------------- from ike */

static int grant_spis(struct daemon *d, uint32_t wanted)
{
	struct ipc_spis spis = {0};
	int rc;

	if (wanted > IPC_SPIS_MAX)
		wanted = IPC_SPIS_MAX;
	while (spis.count < wanted) {
		rc = sad_spi_reserve(d->sad, &spis.spi[spis.count]);
		if (rc)
			break;
		spis.count++;
	}
	ipc_send(d->ike.ipc, IPC_SPIS, 0, &spis, NULL, 0);
	return 0;
}

static struct revalidation policy_of(const struct daemon *d, bool is_local_known)
{
	return (struct revalidation){.image = d->image,
				     .rules = d->rules,
				     .rule_count = d->rule_count,
				     .me = is_local_known ? d->addrs : NULL,
				     .me_count = d->addr_count};
}

static const char *judge(void *arg, const struct xi_sa_params *sa, uint32_t *ret_rule)
{
	return revalidate_sa(arg, sa, ret_rule);
}

void traffic_revalidate(struct daemon *d)
{
	struct revalidation policy = policy_of(d, true);

	if (!d->sad)
		return;
	sad_revalidate(d->sad, judge, &policy, d->generation);
	traffic_set_timer(d);
}

/*
 * It was negotiated under rules that have been replaced while it was on its way here. An address
 * that is new may be known to IKE before it is known here.
 */
static bool is_outdated(struct daemon *d, struct xi_sa_params *sa)
{
	struct revalidation policy = policy_of(d, false);
	char peer[XI_ADDR_STRLEN];
	const char *why;

	if (sa->generation == d->generation)
		return false;
	why = revalidate_sa(&policy, sa, &sa->rule);
	if (why)
		log_info("the SA with %s is not installed: %s", xi_addr_text(&sa->remote, peer),
			 why);
	sa->generation = d->generation;
	return why;
}

static int install(struct daemon *d, const struct xi_sa_params *wish)
{
	struct xi_sa_params sa = *wish;
	uint32_t spi = sa.in.spi;
	char peer[XI_ADDR_STRLEN];
	int rc;

	if (is_outdated(d, &sa)) {
		explicit_bzero(&sa, sizeof(sa));
		sad_delete(d->sad, spi, "not used");
		gone(d, spi);
		return 0;
	}
	sa.ifindex = links_route(&sa.local, &sa.remote);
	rc = sad_install(d->sad, &sa);
	explicit_bzero(&sa, sizeof(sa));
	if (rc) {
		log_error("the SA with %s cannot be installed: %s",
			  xi_addr_text(&wish->remote, peer),
			  rc == -ENETUNREACH ? "no ESP worker on the interface of its route"
					     : strerror(-rc));
		/* Only ours to end when it was not another SA's SPI. */
		if (rc != -EEXIST)
			gone(d, spi);
	}
	traffic_set_timer(d);
	return 0;
}

static int acquire_done(struct daemon *d, const struct ipc_acquire_done *done)
{
	const char *rule = config_rule_name(d, done->acquire.rule, d->generation);
	char peer[XI_ADDR_STRLEN], reason[IKE_REASON_MAX];
	struct log_about about = {.peer = peer, .rule = rule, .reason = reason};

	if (!done->status)
		return 0;
	xi_addr_text(&done->acquire.remote, peer);
	memcpy(reason, done->reason, sizeof(reason));
	log_clean(reason);
	backend_worker_ops.hold_fail(d, &done->acquire.local, &done->acquire.remote);
	if (may_log(d, &done->acquire.remote))
		log_about(LVL_WARNING, &about, "no SA with %s for rule %s: %s", peer,
			  rule ? rule : "-", reason[0] ? reason : strerror(-done->status));
	return 0;
}

int traffic_from_ike(struct proc *proc, struct ipc_msg *msg)
{
	struct daemon *d = proc->daemon;
	const struct ipc_u32 *number = msg->data;

	if (msg->type == IPC_SPIS_WANTED)
		return grant_spis(d, number->value);
	if (msg->type == IPC_SA_INSTALL)
		return install(d, msg->data);
	if (msg->type == IPC_SA_DELETE) {
		sad_delete(d->sad, number->value, "IKE ended it");
		traffic_set_timer(d);
		return 0;
	}
	if (msg->type == IPC_ACQUIRE_DONE)
		return acquire_done(d, msg->data);
	if (msg->type == IPC_MM_INFO) {
		show_mm(d, msg->id, msg->data);
		return 0;
	}
	if (msg->type == IPC_MM_END) {
		show_mm_end(d, msg->id, msg->data);
		return 0;
	}
	return -EBADMSG;
}

/* One socket a family; a host without IPv6 has one. Another IKE daemon may have the port. */
static void open_sockets(struct daemon *d)
{
	static const uint8_t families[] = {4, 6};
	struct ipc_sockets *info = &d->socket_info;
	int rc;

	/* Exempt in the filter list, not spoken on yet: no user of this host shall have it. */
	for (int i = 0; i < 2; i++) {
		if (d->reserved[i])
			continue;
		rc = udp_reserve(families[i], NATT_PORT, &d->reserved[i]);
		if (rc && rc != -EAFNOSUPPORT)
			log_warning("UDP port %d over IPv%d is not ours (%s): what is sent from "
				    "there passes the filters",
				    NATT_PORT, families[i], strerror(-rc));
	}
	for (int i = 0; i < 2; i++) {
		rc = udp_open(families[i], IKE_PORT, &d->sockets[info->count]);
		if (rc) {
			log_warning("IKE cannot use UDP port %d over IPv%d: %s", IKE_PORT,
				    families[i], strerror(-rc));
			continue;
		}
		info->family[info->count] = families[i];
		info->port[info->count++] = IKE_PORT;
	}
	if (!info->count)
		log_error("no IKE: what must be protected is dropped");
}

void traffic_ike_ready(struct daemon *d)
{
	/* They stay open when the role ends: what arrives meanwhile waits for the next one. */
	if (!d->socket_info.count)
		open_sockets(d);
	ipc_send(d->ike.ipc, IPC_SOCKETS, 0, &d->socket_info, d->sockets, d->socket_info.count);
	grant_spis(d, IPC_SPIS_MAX);
}

/* Its SAs live on to their end; SPIs it had in hand will never be used. */
void traffic_ike_lost(struct daemon *d)
{
	sad_spi_release_all(d->sad);
}

/* ------------------------------------------------------------------- from esp */

static int worker_up(struct daemon *d, struct iface *iface, struct ipc_msg *msg)
{
	const struct ipc_worker *worker = msg->data;
	int rc;

	if (iface->worker.tap_ifindex || !worker->tap_ifindex || worker->queues != msg->fd_count)
		return -EBADMSG;
	rc = datapath_set_worker(d->dp, iface->ifindex, worker->tap_ifindex, msg->fds,
				 worker->queues);
	if (rc) {
		log_error("%s: its ESP worker cannot be connected: %s", iface->name, strerror(-rc));
		return rc;
	}
	iface->worker = *worker;
	log_info("%s: ESP worker ready, %u queue%s, %s", iface->name, worker->queues,
		 worker->queues == 1 ? "" : "s", worker->zero_copy ? "zero copy" : "copy mode");
	daemon_check_ready(d);
	return 0;
}

int traffic_from_esp(struct proc *proc, struct ipc_msg *msg)
{
	struct daemon *d = proc->daemon;
	const struct ipc_status *done = msg->data;
	const struct sad_entry *entry = NULL;

	if (msg->type == IPC_WORKER)
		return worker_up(d, proc->iface, msg);
	if (msg->type == IPC_REASONS) {
		monitor_worker(d, proc->iface, msg->data);
		memcpy(&proc->iface->reasons, msg->data, sizeof(proc->iface->reasons));
		return 0;
	}
	/* The rest is about one SA, by id at the head of the payload; it must be this worker's. */
	if (msg->type != IPC_SA_INSTALLED && msg->type != IPC_SA_STATS && msg->type != IPC_SA_SOFT)
		return -EBADMSG;
	entry = sad_by_id(d->sad, done->what);
	if (!entry)
		return 0;
	if (entry->params.ifindex != (uint32_t)proc->iface->ifindex)
		return -EBADMSG;
	if (msg->type == IPC_SA_STATS) {
		/* Use only puts an end off: the timer is early then, which does no harm. */
		sad_stats(d->sad, msg->data);
		return 0;
	}
	if (msg->type == IPC_SA_INSTALLED)
		sad_installed(d->sad, done->what, done->status);
	else
		sad_soft(d->sad, done->what);
	traffic_set_timer(d);
	return 0;
}

static bool is_on(void *arg, const struct sad_entry *entry)
{
	const struct iface *iface = arg;

	return entry->params.ifindex == (uint32_t)iface->ifindex;
}

void traffic_worker_lost(struct iface *iface)
{
	struct daemon *d = iface->esp.daemon;

	if (iface->worker.tap_ifindex)
		datapath_set_worker(d->dp, iface->ifindex, 0, NULL, 0);
	memset(&iface->worker, 0, sizeof(iface->worker));
	if (d->sad) {
		sad_lost(d->sad, is_on, iface, "its ESP worker ended");
		traffic_set_timer(d);
	}
}

/* ---------------------------------------------------------------- set up */

int traffic_init(struct daemon *d)
{
	uint64_t seed = 0;
	int rc = daemon_random(&seed, sizeof(seed));

	if (rc)
		return rc;
	ratelimit_init(&d->log_limit, 1, 5, seed);
	ratelimit_init(&d->recover_limit, 1, 1, seed);
	d->sad = sad_new(&sad_operations, d, &backend_worker_ops, d, IDLE_S);
	d->sad_timer = event_new(d->base, -1, 0, on_sad_timer, d);
	d->dp_events = event_new(d->base, datapath_event_fd(d->dp), EV_READ | EV_PERSIST, on_events,
				 d);
	if (!d->sad || !d->sad_timer || !d->dp_events || event_add(d->dp_events, NULL))
		return -ENOMEM;
	return 0;
}

void traffic_free(struct daemon *d)
{
	if (d->dp_events)
		event_free(d->dp_events);
	if (d->sad_timer)
		event_free(d->sad_timer);
	sad_free(d->sad);
	d->sad = NULL;
	while (d->socket_info.count)
		close(d->sockets[--d->socket_info.count]);
	for (int i = 0; i < 2; i++)
		if (d->reserved[i])
			close(d->reserved[i]);
}
