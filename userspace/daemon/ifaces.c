/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces and local addresses. Interfaces come, go and change their names, so
 * those that are wanted (links.h) are attached when they appear, whether up or
 * not, and what `me` means follows the addresses. The kernel's notices only wake
 * us up; then everything is read anew.
 *
 * Weak spot: between the birth of an interface and its attachment lie some
 * milliseconds, and an address is not `me` until its notice has been dealt with.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "daemon/daemon.h"
#include "daemon/links.h"
#include "datapath/datapath.h"
#include "util/addr.h"
#include "util/log.h"

/* Notices come in bursts: they are dealt with at once, but not more often than this. */
#define SETTLE_MS 50
/* What cannot be attached is tried again, less and less often. */
#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS   60000
/* How often at most it is looked whether what is attached still is. */
#define VERIFY_MS 1000
#define BUDGET_MS 200 /* of attaching, before others have their turn */

struct iface *ifaces_find(struct daemon *d, int ifindex)
{
	for (unsigned i = 0; i < d->iface_count; i++)
		if (d->ifaces[i]->ifindex == ifindex && ifindex)
			return d->ifaces[i];
	return NULL;
}

static struct iface *find_name(struct daemon *d, const char *name)
{
	for (unsigned i = 0; i < d->iface_count; i++)
		if (!strcmp(d->ifaces[i]->name, name))
			return d->ifaces[i];
	return NULL;
}

static struct iface *add(struct daemon *d, const char *name)
{
	struct iface *iface;

	if (d->iface_count == IFACES_MAX)
		return NULL;
	iface = calloc(1, sizeof(*iface));
	if (!iface)
		return NULL;
	strncpy(iface->name, name, sizeof(iface->name) - 1);
	proc_init(d, &iface->esp, ROLE_ESP, iface);
	d->ifaces[d->iface_count++] = iface;
	return iface;
}

static bool wanted(const struct daemon *d, const struct link *link)
{
	return links_wanted(link, d->opts.ifaces, d->opts.iface_count);
}

/* Named in full: expected to be there, and shown while it is not. */
static bool is_named(const struct daemon *d, const char *name)
{
	for (unsigned i = 0; i < d->opts.iface_count; i++)
		if (!strcmp(d->opts.ifaces[i], name))
			return true;
	return false;
}

/* What an earlier daemon attached and is not wanted any more. */
static void let_go_of_others(struct daemon *d)
{
	int found[IFACES_MAX];
	size_t count = datapath_interfaces(d->dp, found, IFACES_MAX), link_count = 0;
	struct link *links = NULL;

	if (links_list(&links, &link_count))
		return;
	for (size_t i = 0; i < count && i < IFACES_MAX; i++)
		for (size_t k = 0; k < link_count; k++) {
			if (links[k].ifindex != found[i] || wanted(d, &links[k]))
				continue;
			log_info("%s is not named any more, its filters are taken away",
				 links[k].name);
			datapath_detach(d->dp, found[i]);
		}
	free(links);
}

static int expect_named(struct daemon *d)
{
	for (unsigned i = 0; i < d->opts.iface_count; i++) {
		const char *name = d->opts.ifaces[i];

		if (links_is_name(name) && !find_name(d, name) && !add(d, name))
			return -ENOMEM;
	}
	return 0;
}

static void address_of(const struct sockaddr *name, struct xi_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (name->sa_family == AF_INET) {
		ret->family = 4;
		memcpy(ret->b, &((const struct sockaddr_in *)name)->sin_addr, 4);
	} else if (name->sa_family == AF_INET6) {
		ret->family = 6;
		memcpy(ret->b, &((const struct sockaddr_in6 *)name)->sin6_addr, 16);
	}
}

/* Every unicast address of this namespace, loopback included. */
static int list_addresses(struct xi_addr **ret, size_t *ret_count)
{
	struct xi_addr *addrs = NULL, *grown, addr;
	struct ifaddrs *list;
	size_t count = 0;
	int rc = 0;

	if (getifaddrs(&list))
		return -errno;
	for (struct ifaddrs *ifa = list; ifa && !rc; ifa = ifa->ifa_next) {
		if (!ifa->ifa_addr)
			continue;
		address_of(ifa->ifa_addr, &addr);
		if (!addr.family)
			continue;
		grown = realloc(addrs, (count + 1) * sizeof(*grown));
		if (!grown) {
			rc = -ENOMEM;
			break;
		}
		addrs = grown;
		addrs[count++] = addr;
	}
	freeifaddrs(list);
	if (rc) {
		free(addrs);
		return rc;
	}
	*ret = addrs;
	*ret_count = count;
	return 0;
}

void ifaces_read_local(struct daemon *d)
{
	struct xi_addr *addrs = NULL;
	size_t count = 0;
	int rc = list_addresses(&addrs, &count);

	if (rc) {
		log_error("the local addresses cannot be read: %s", strerror(-rc));
		return;
	}
	free(d->addrs);
	d->addrs = addrs;
	d->addr_count = count;
}

int ifaces_set_local(struct daemon *d)
{
	int rc = datapath_set_local(d->dp, d->addrs, d->addr_count);
	bool too_many = rc == -E2BIG;

	if (too_many && !d->said_too_many_addrs)
		log_error("this host has %zu addresses, more than the %d that `me` can stand for: "
			  "no filter of `me` covers those beyond",
			  d->addr_count, DATAPATH_LOCAL_MAX);
	if (!too_many && d->said_too_many_addrs)
		log_info("`me` stands for all addresses of this host again");
	d->said_too_many_addrs = too_many;
	return too_many ? 0 : rc;
}

/* ------------------------------------------------------------- attaching */

static void forget(struct daemon *d, struct iface *iface)
{
	proc_stop(&iface->esp);
	if (iface->attached)
		datapath_detach(d->dp, iface->ifindex);
	iface->attached = iface->up = false;
	iface->ifindex = 0;
	iface->failures = 0;
}

static void remove_iface(struct daemon *d, unsigned at)
{
	struct iface *iface = d->ifaces[at];

	d->ifaces[at] = d->ifaces[--d->iface_count];
	event_free(iface->esp.restart);
	free(iface);
}

static void say_attached(struct daemon *d, struct iface *iface)
{
	struct datapath_iface state;

	if (datapath_iface_state(d->dp, iface->ifindex, &state))
		return;
	log_info("%s: filters attached, in %s, out %s%s%s", iface->name,
		 datapath_ingress_text(state.ingress), datapath_tc_text(state.egress),
		 *state.why ? "; " : "", state.why);
}

static int attach(struct daemon *d, struct iface *iface)
{
	uint64_t pause = RETRY_FIRST_MS;
	struct diag diag = {0};
	int rc;

	rc = datapath_attach(d->dp, iface->ifindex, XI_IFACE_LAN, &diag);
	log_diag(&diag);
	diag_free(&diag);
	if (rc) {
		for (unsigned i = 0; i < iface->failures && pause < RETRY_MAX_MS; i++)
			pause *= 2;
		iface->failures++;
		iface->retry_ms = daemon_now_ms() + pause;
		log_error("%s: cannot attach the filters: %s", iface->name, strerror(-rc));
		return rc;
	}
	iface->failures = 0;
	if (!iface->attached)
		/* A worker that an earlier daemon connected is gone; its TAP's number may be
		 * reused. */
		datapath_set_worker(d->dp, iface->ifindex, 0, NULL, 0);
	iface->attached = true;
	say_attached(d, iface);
	return 0;
}

static const struct link *link_of(const struct link *links, size_t count, int ifindex)
{
	for (size_t i = 0; i < count; i++)
		if (links[i].ifindex == ifindex)
			return &links[i];
	return NULL;
}

/* What became of it: it is gone, or has another name now. False: nothing of it stays. */
static bool follow_one(struct daemon *d, struct iface *iface, const struct link *link)
{
	if (link && strcmp(link->name, iface->name) && wanted(d, link) &&
	    !find_name(d, link->name)) {
		log_info("%s is called %s now", iface->name, link->name);
		memcpy(iface->name, link->name, sizeof(iface->name));
	}
	if (iface->ifindex && (!link || strcmp(link->name, iface->name))) {
		if (link)
			log_info("%s is called %s now, its filters are taken away", iface->name,
				 link->name);
		else
			log_info("%s is gone", iface->name);
		forget(d, iface);
	}
	return iface->ifindex || is_named(d, iface->name);
}

static void follow(struct daemon *d, const struct link *links, size_t count)
{
	for (unsigned i = 0; i < d->iface_count;)
		if (follow_one(d, d->ifaces[i], link_of(links, count, d->ifaces[i]->ifindex)))
			i++;
		else
			remove_iface(d, i);
	expect_named(d);
}

static struct iface *place_for(struct daemon *d, const struct link *link)
{
	struct iface *iface = ifaces_find(d, link->ifindex);

	if (!iface)
		iface = find_name(d, link->name);
	if (!iface)
		iface = add(d, link->name);
	d->ifaces_beyond += !iface;
	return iface;
}

/* An operator who looks into the log later finds it there, and who looks now in the status. */
static void say_beyond(struct daemon *d, unsigned before)
{
	if (d->ifaces_beyond && !before)
		log_error("more than %d interfaces: %u are not filtered", IFACES_MAX,
			  d->ifaces_beyond);
	else if (before && !d->ifaces_beyond)
		log_info("there is room for all interfaces again");
}

/* Somebody may have taken our programs away, or the kind of filtering changed. */
static bool still_attached(struct daemon *d, struct iface *iface)
{
	struct datapath_iface state;

	if (datapath_iface_state(d->dp, iface->ifindex, &state) ||
	    (state.ingress != DP_INGRESS_NONE && state.egress != DP_TC_NONE))
		return true;
	log_warning("%s: somebody took our program away (%s); attaching it again", iface->name,
		    state.why);
	return false;
}

static bool needs_attaching(struct daemon *d, struct iface *iface, uint64_t now, bool verify)
{
	if (iface->failures && now < iface->retry_ms)
		return false;
	return !iface->attached || (verify && !still_attached(d, iface));
}

static void scan_at(struct daemon *d, uint64_t when)
{
	uint64_t now = daemon_now_ms(), wait = when > now ? when - now : 0;
	const struct timeval tv = {wait / 1000, wait % 1000 * 1000};

	if (d->next_scan_ms && d->next_scan_ms <= when)
		return;
	d->next_scan_ms = when;
	event_add(d->link_settle, &tv);
}

/* What failed is tried again although the kernel says nothing. */
static void plan_retry(struct daemon *d)
{
	for (unsigned i = 0; i < d->iface_count; i++)
		if (d->ifaces[i]->ifindex && d->ifaces[i]->failures)
			scan_at(d, d->ifaces[i]->retry_ms);
}

/*
 * Attaching takes the kernel some ten milliseconds each, so when a hundred come
 * at once there are pauses between them, in which addresses and peers are heard.
 */
static int attach_wanted(struct daemon *d, uint64_t budget_ms)
{
	uint64_t now = daemon_now_ms();
	bool verify = now - d->verified_ms >= VERIFY_MS;
	unsigned beyond = d->ifaces_beyond;
	struct link *links = NULL;
	size_t count = 0;
	int rc = links_list(&links, &count), first = 0;

	if (rc)
		return rc;
	follow(d, links, count);
	d->ifaces_beyond = 0;
	for (size_t i = 0; i < count; i++) {
		struct iface *iface = wanted(d, &links[i]) ? place_for(d, &links[i]) : NULL;

		if (!iface)
			continue;
		iface->ifindex = links[i].ifindex;
		iface->up = links[i].up;
		if (!needs_attaching(d, iface, now, verify))
			continue;
		if (daemon_now_ms() - now > budget_ms) {
			scan_at(d, daemon_now_ms() + 1);
			verify = false;
			continue;
		}
		rc = attach(d, iface);
		/* One that a pattern took in must not keep the daemon from starting. */
		if (rc && is_named(d, iface->name))
			first = first ? first : rc;
	}
	free(links);
	say_beyond(d, beyond);
	if (verify)
		d->verified_ms = now;
	else
		scan_at(d, d->verified_ms + VERIFY_MS);
	plan_retry(d);
	return first;
}

int ifaces_attach(struct daemon *d)
{
	return attach_wanted(d, UINT64_MAX);
}

/* ---------------------------------------------------------------- addresses */

static bool has_address(const struct xi_addr *addrs, size_t count, const struct xi_addr *addr)
{
	for (size_t i = 0; i < count; i++)
		if (xi_addr_equal(&addrs[i], addr))
			return true;
	return false;
}

struct change {
	bool any, concerns_policy;
};

/* What is in one list and not in the other. */
static void compare(struct daemon *d, const struct xi_addr *a, size_t a_count,
		    const struct xi_addr *b, size_t b_count, struct change *ret)
{
	for (size_t i = 0; i < a_count; i++) {
		if (has_address(b, b_count, &a[i]))
			continue;
		ret->any = true;
		ret->concerns_policy |= config_names_address(d, &a[i]);
	}
}

/* `me` follows at once, by the map; addresses that are written out by a new filter list. */
static void follow_addresses(struct daemon *d)
{
	struct xi_addr *before = d->addrs, *addrs = NULL;
	size_t before_count = d->addr_count, count = 0;
	struct change change = {0};
	struct diag diag = {0};
	int rc = list_addresses(&addrs, &count);

	if (rc) {
		log_error("the local addresses cannot be read: %s", strerror(-rc));
		return;
	}
	d->addrs = addrs;
	d->addr_count = count;
	/* Also when the same as before: it has the broadcast addresses too. */
	rc = ifaces_set_local(d);
	if (rc)
		log_error("the local addresses cannot be refreshed: %s", strerror(-rc));
	compare(d, before, before_count, d->addrs, d->addr_count, &change);
	compare(d, d->addrs, d->addr_count, before, before_count, &change);
	free(before);
	/* Its warnings were said when the policy was applied. */
	if (change.concerns_policy && config_recompile(d, &diag))
		log_diag(&diag);
	else if (change.any)
		traffic_revalidate(d);
	diag_free(&diag);
}

void ifaces_scan(struct daemon *d)
{
	d->scanned_ms = daemon_now_ms();
	follow_addresses(d);
	attach_wanted(d, BUDGET_MS);
	procs_update(d);
}

/* ------------------------------------------------------------- notices */

static void on_settled(int fd, short what, void *arg)
{
	struct daemon *d = arg;

	d->next_scan_ms = 0;
	ifaces_scan(d);
}

static void on_notice(int fd, short what, void *arg)
{
	struct daemon *d = arg;
	char buf[8192];

	/* What it says does not matter, nor that notices were lost (ENOBUFS). */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		errno = 0;
	scan_at(d, d->scanned_ms + SETTLE_MS);
}

static int watch(struct daemon *d)
{
	struct sockaddr_nl name = {
		.nl_family = AF_NETLINK,
		/* TC: a filter of ours may be taken away with its clsact. */
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_TC,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&name, sizeof(name))) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	d->link_watch = event_new(d->base, fd, EV_READ | EV_PERSIST, on_notice, d);
	d->link_settle = event_new(d->base, -1, 0, on_settled, d);
	return !d->link_watch || !d->link_settle || event_add(d->link_watch, NULL) ? -ENOMEM : 0;
}

int ifaces_init(struct daemon *d, struct diag *diag)
{
	int rc = expect_named(d);

	if (rc)
		return rc;
	for (unsigned i = 0; i < d->iface_count; i++)
		if (!if_nametoindex(d->ifaces[i]->name))
			diag_add(diag, DIAG_WARNING, NULL, NULL,
				 "there is no interface '%s' yet, it is filtered when it appears",
				 d->ifaces[i]->name);
	let_go_of_others(d);
	/* First the watch, then the first look: nothing falls between them. */
	rc = watch(d);
	if (rc)
		diag_add(diag, DIAG_ERROR, NULL, NULL, "interfaces cannot be watched: %s",
			 strerror(-rc));
	return rc;
}

void ifaces_free(struct daemon *d)
{
	if (d->link_watch) {
		close(event_get_fd(d->link_watch));
		event_free(d->link_watch);
	}
	if (d->link_settle)
		event_free(d->link_settle);
	free(d->addrs);
	d->addrs = NULL;
	d->addr_count = 0;
	while (d->iface_count) {
		struct iface *iface = d->ifaces[--d->iface_count];

		proc_stop(&iface->esp);
		event_free(iface->esp.restart);
		free(iface);
	}
}
