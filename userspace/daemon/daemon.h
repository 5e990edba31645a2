/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parent role: what its files share. One process, one thread, one event
 * loop; this struct is everything it owns.
 *
 *   daemon.c    start, signals, stop             config.c   policy in force, reload
 *   procs.c     child processes                  traffic.c  messages about SAs and acquires
 *   ifaces.c, links.c  interfaces, local addresses      backend_worker.c  SAs to the esp roles
 *   recover.c   peers with SAs that are lost     show.c     the views
 *   control.c   the control socket               control_methods.c  what can be asked there
 *   monitor.c   who listens to what happens   monitor_spec.c  and to what of it
 *   ike_rules.c the policy as IKE wants it       revalidate.c  which SAs a new policy allows
 *
 * Not the parent: role.c and role_*.c are the children, with udp.c and outbox.c
 * for the ike role; priv.c and ipc*.c serve all of them. xipsecd.c chooses.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <xipsec/abi.h>

#include "daemon/ipc.h"
#include "daemon/role.h"
#include "datapath/datapath.h"
#include "sa/sad.h"
#include "util/ratelimit.h"

struct daemon;
struct control;
struct event;
struct event_base;
struct gather;
struct image;
struct monitor;
struct policy;

#define IFACES_MAX   128
#define PATTERNS_MAX 64

struct daemon_opts {
	const char *instance, *version;
	const char *policy;
	const char *ifaces[PATTERNS_MAX]; /* see links_wanted() */
	unsigned iface_count;
	struct datapath_want want;
};

/* One child process, also while it is down and waits to be started again. */
struct proc {
	struct daemon *daemon;
	enum role role;
	struct iface *iface; /* of an esp role */
	pid_t pid;	     /* 0 = none */
	struct ipc *ipc;
	bool ready, wanted;
	unsigned failures, restarts;
	uint64_t started_ms;
	struct event *restart;
};

struct iface {
	char name[IF_NAMESIZE];
	int ifindex; /* 0 = not there now */
	bool attached, up;
	unsigned failures; /* of attaching, since it last worked */
	uint64_t retry_ms;
	struct proc esp;
	struct ipc_worker worker;   /* tap_ifindex 0 = none */
	struct ipc_reasons reasons; /* as the worker said last */
	uint32_t watched;	    /* the monitor that has heard of them, by its number */
};

/* A peer that sends ESP under an SA that is lost here, and since when. */
#define STRAYS_MAX 64
struct stray {
	struct xi_addr peer;
	uint64_t first_ms;
};

struct daemon {
	struct daemon_opts opts;
	struct event_base *base;
	uint64_t started_ms;

	struct policy *policy;
	struct image *image;
	char *policy_path;
	uint32_t generation;   /* of the kernel's filter list */
	uint32_t policy_since; /* the first one that was made of this policy */
	struct ike_rule *rules;
	size_t rule_count;
	char **secret_paths; /* handle - 1 is the index; only grows */
	size_t secret_count;

	struct datapath *dp;
	struct event *dp_events;
	struct sad *sad;
	struct event *sad_timer;
	int sockets[2];
	struct ipc_sockets socket_info;
	int reserved[2]; /* UDP 4500 of each family, 0 = not ours */

	struct proc keys, ike;
	struct iface *ifaces[IFACES_MAX];
	unsigned iface_count;
	struct xi_addr *addrs; /* of this host, as of the last look */
	size_t addr_count;
	struct event *link_watch, *link_settle;
	uint64_t scanned_ms;	/* when all of this was last looked at */
	uint64_t next_scan_ms;	/* when it is next, 0 = not planned */
	uint64_t verified_ms;	/* when it was last seen that all programs are in place */
	unsigned ifaces_beyond; /* wanted, and more than there is room for */
	bool said_too_many_addrs;

	struct control *control;
	struct monitor *monitor; /* NULL while nobody listens */
	uint32_t monitors;	 /* how many there were */
	struct gather *gathers;
	struct event *signals[4];
	struct event *watchdog;
	struct event *ready_limit; /* READY is said then at the latest */
	bool stopping, said_ready;
	struct ratelimit log_limit; /* lines caused by traffic */
	struct ratelimit recover_limit;
	struct stray strays[STRAYS_MAX];
	uint64_t acquires_dropped;
};

/* Runs the parent role until it is told to stop; returns the exit code. */
int daemon_main(const struct daemon_opts *opts);

uint64_t daemon_now_ms(void);
int daemon_random(void *buf, size_t len);
/* Ends the event loop; filters stay in force. */
void daemon_stop(struct daemon *d);
/* Status line for the service manager. */
void daemon_notify(struct daemon *d, const char *state);
/* A child came up: if that was the last one missing, the daemon is ready. */
void daemon_check_ready(struct daemon *d);

/* ------------------------------------------------------------- config.c */

struct diag;

/*
 * Reads a policy, checks it, and puts it in force everywhere. On failure diag
 * says why and what was in force stays. 0, -EINVAL, -EOPNOTSUPP or -errno.
 */
int config_apply(struct daemon *d, const char *path, struct diag *diag);
/* Only whether config_apply() would do it, as far as that can be said beforehand. */
int config_check(struct daemon *d, const char *path, struct diag *diag);
/*
 * The local addresses changed: addresses written out in the policy may mean this
 * host now, or no longer. Filter ids stay the same.
 */
int config_recompile(struct daemon *d, struct diag *diag);
/* Is this address written out in the policy, so that its meaning depends on whose it is? */
bool config_names_address(const struct daemon *d, const struct xi_addr *addr);
/* Gives a child that has just started what it needs of the policy. */
void config_send_secrets(struct daemon *d);
void config_send_rules(struct daemon *d);
void config_free(struct daemon *d);
/* The name of a rule as numbered in that generation; NULL if it is of an older policy. */
const char *config_rule_name(const struct daemon *d, uint32_t rule, uint32_t generation);

/* -------------------------------------------------------------- procs.c */

void procs_init(struct daemon *d);
void proc_init(struct daemon *d, struct proc *proc, enum role role, struct iface *iface);
/* Starts what the policy needs and is not running. */
void procs_update(struct daemon *d);
void proc_start(struct proc *proc);
/* Ends a child for good (until the next start). */
void proc_stop(struct proc *proc);
/* All of them, in order; waits a moment for their last words. */
void procs_stop(struct daemon *d);
void procs_reap(struct daemon *d);
/* All children that the policy needs are up and connected. */
bool procs_ready(const struct daemon *d);

/* ------------------------------------------------------------- ifaces.c */

int ifaces_init(struct daemon *d, struct diag *diag);
/* Attaches what has appeared; refreshes the local addresses. */
void ifaces_scan(struct daemon *d);
/* More addresses than there is room for are no failure: it is said. */
int ifaces_set_local(struct daemon *d);
/* Reads the local addresses into d->addrs. */
void ifaces_read_local(struct daemon *d);
int ifaces_attach(struct daemon *d);
struct iface *ifaces_find(struct daemon *d, int ifindex);
void ifaces_free(struct daemon *d);

/* ------------------------------------------------------------ traffic.c */

int traffic_init(struct daemon *d);
void traffic_free(struct daemon *d);
void traffic_set_timer(struct daemon *d);
/* The policy in force is another one: ends the SAs that it does not allow. */
void traffic_revalidate(struct daemon *d);
/* Messages of the roles; 0 or -errno as for ipc_handler. */
int traffic_from_ike(struct proc *proc, struct ipc_msg *msg);
int traffic_from_esp(struct proc *proc, struct ipc_msg *msg);
void traffic_ike_ready(struct daemon *d);
void traffic_ike_lost(struct daemon *d);
void traffic_worker_lost(struct iface *iface);

extern const struct sa_backend_ops backend_worker_ops;

/* ------------------------------------------------------------ recover.c */

/* Negotiates with a peer that uses a lost SA, if it may and it is time. True if it did. */
bool recover_peer(struct daemon *d, const struct xi_addr *local, const struct xi_addr *remote);

/* ---------------------------------------------------- control_methods.c */

int methods_init(struct daemon *d, struct diag *diag);
void methods_free(struct daemon *d);

#endif
