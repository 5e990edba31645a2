/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces and local addresses. Interfaces come and go, so those that are
 * named are attached when they appear, and what `me` means follows the
 * addresses. The kernel's notices only wake us up; then everything is read anew.
 *
 * Weak spot: an address is not `me` until its notice has been dealt with, some
 * milliseconds after it was added.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <net/if_arp.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "daemon/daemon.h"
#include "datapath/datapath.h"
#include "util/addr.h"
#include "util/log.h"

#define SETTLE_MS 50

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

/* Without --interface: Ethernet-like, up, and not the TAP of a worker. */
static bool is_default(const struct ifaddrs *ifa)
{
	const struct sockaddr_ll *link = (const struct sockaddr_ll *)ifa->ifa_addr;

	return link && link->sll_family == AF_PACKET && link->sll_hatype == ARPHRD_ETHER &&
	       ifa->ifa_flags & IFF_UP && !(ifa->ifa_flags & IFF_LOOPBACK) &&
	       (strncmp(ifa->ifa_name, "xi", 2) ||
		strspn(ifa->ifa_name + 2, "0123456789") != strlen(ifa->ifa_name + 2));
}

static void find_defaults(struct daemon *d)
{
	struct ifaddrs *list;

	if (d->opts.iface_count || getifaddrs(&list))
		return;
	for (struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next)
		if (is_default(ifa) && !find_name(d, ifa->ifa_name))
			add(d, ifa->ifa_name);
	freeifaddrs(list);
}

/* What an earlier daemon attached: ours as well, or to be let go when others are named. */
static void adopt(struct daemon *d)
{
	int found[IFACES_MAX];
	size_t count = datapath_interfaces(d->dp, found, IFACES_MAX);
	char name[IF_NAMESIZE];

	for (size_t i = 0; i < count && i < IFACES_MAX; i++) {
		if (!if_indextoname(found[i], name) || find_name(d, name))
			continue;
		if (!d->opts.iface_count) {
			add(d, name);
			continue;
		}
		log_info("%s is not named any more, its filters are taken away", name);
		datapath_detach(d->dp, found[i]);
	}
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

bool ifaces_read_local(struct daemon *d)
{
	struct xi_addr *addrs = NULL;
	size_t count = 0;
	int rc = list_addresses(&addrs, &count);

	if (rc) {
		log_error("the local addresses cannot be read: %s", strerror(-rc));
		return false;
	}
	if (count == d->addr_count && !memcmp(addrs, d->addrs, count * sizeof(*addrs))) {
		free(addrs);
		return false;
	}
	free(d->addrs);
	d->addrs = addrs;
	d->addr_count = count;
	return true;
}

int ifaces_set_local(struct daemon *d)
{
	return datapath_set_local(d->dp, d->addrs, d->addr_count);
}

static void forget(struct daemon *d, struct iface *iface)
{
	proc_stop(&iface->esp);
	if (iface->attached)
		datapath_detach(d->dp, iface->ifindex);
	iface->attached = false;
	iface->ifindex = 0;
}

static int attach(struct daemon *d, struct iface *iface)
{
	struct diag diag = {0};
	struct datapath_iface state = {0};
	int rc;

	rc = datapath_attach(d->dp, iface->ifindex, XI_IFACE_LAN, &diag);
	log_diag(&diag);
	diag_free(&diag);
	if (rc) {
		log_error("%s: cannot attach the filters: %s", iface->name, strerror(-rc));
		return rc;
	}
	iface->attached = true;
	/* A worker that an earlier daemon connected is gone; its TAP's number may be reused. */
	datapath_set_worker(d->dp, iface->ifindex, 0, NULL, 0);
	datapath_iface_state(d->dp, iface->ifindex, &state);
	log_info("%s: filters attached, in %s, out %s%s%s", iface->name,
		 datapath_ingress_text(state.ingress), datapath_tc_text(state.egress),
		 *state.why ? "; " : "", state.why);
	return 0;
}

int ifaces_attach(struct daemon *d)
{
	int rc, first = 0;

	find_defaults(d);
	for (unsigned i = 0; i < d->iface_count; i++) {
		struct iface *iface = d->ifaces[i];
		int now = if_nametoindex(iface->name);

		if (iface->ifindex && now != iface->ifindex) {
			log_info("%s is gone", iface->name);
			forget(d, iface);
		}
		if (!now || iface->attached)
			continue;
		iface->ifindex = now;
		rc = attach(d, iface);
		first = first ? first : rc;
	}
	return first;
}

/* `me` follows at once, by the map; addresses that are written out by a new filter list. */
static void addresses_changed(struct daemon *d)
{
	struct diag diag = {0};
	int rc = ifaces_set_local(d);

	if (rc)
		log_error("the local addresses cannot be refreshed: %s", strerror(-rc));
	/* Its warnings were said when the policy was applied. */
	if (config_recompile(d, &diag))
		log_diag(&diag);
	diag_free(&diag);
}

void ifaces_scan(struct daemon *d)
{
	if (ifaces_read_local(d))
		addresses_changed(d);
	ifaces_attach(d);
	procs_update(d);
}

/* ------------------------------------------------------------- notices */

static void on_settled(int fd, short what, void *arg)
{
	ifaces_scan(arg);
}

static void on_notice(int fd, short what, void *arg)
{
	static const struct timeval settle = {0, SETTLE_MS * 1000};
	struct daemon *d = arg;
	char buf[8192];

	/* What it says does not matter, nor that notices were lost (ENOBUFS). */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		errno = 0;
	if (!event_pending(d->link_settle, EV_TIMEOUT, NULL))
		event_add(d->link_settle, &settle);
}

static int watch(struct daemon *d)
{
	struct sockaddr_nl name = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
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
	int rc;

	for (unsigned i = 0; i < d->opts.iface_count; i++) {
		const char *name = d->opts.ifaces[i];

		if (find_name(d, name))
			continue;
		if (!add(d, name))
			return -ENOMEM;
		if (!if_nametoindex(name))
			diag_add(diag, DIAG_WARNING, NULL, NULL,
				 "there is no interface '%s' yet, it is filtered when it appears",
				 name);
	}
	adopt(d);
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

/* --------------------------------------------------------------- routes */

static int read_oif(const struct nlmsghdr *head, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, head, sizeof(struct rtmsg))
		if (mnl_attr_get_type(attr) == RTA_OIF &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			*(int *)arg = mnl_attr_get_u32(attr);
	return MNL_CB_STOP;
}

int ifaces_route(const struct xi_addr *local, const struct xi_addr *remote)
{
	_Alignas(8) char buf[4096];
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	size_t len = remote->family == 4 ? 4 : 16;
	struct nlmsghdr *head = mnl_nlmsg_put_header(buf);
	struct rtmsg *route;
	int ifindex = 0;
	ssize_t got;

	if (!nl)
		return 0;
	head->nlmsg_type = RTM_GETROUTE;
	head->nlmsg_flags = NLM_F_REQUEST;
	head->nlmsg_seq = 1;
	route = mnl_nlmsg_put_extra_header(head, sizeof(*route));
	route->rtm_family = remote->family == 4 ? AF_INET : AF_INET6;
	route->rtm_dst_len = len * 8;
	route->rtm_src_len = len * 8;
	mnl_attr_put(head, RTA_DST, len, remote->b);
	mnl_attr_put(head, RTA_SRC, len, local->b);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0 &&
	    mnl_socket_sendto(nl, head, head->nlmsg_len) >= 0) {
		got = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (got > 0)
			mnl_cb_run(buf, got, 1, mnl_socket_get_portid(nl), read_oif, &ifindex);
	}
	mnl_socket_close(nl);
	return ifindex;
}
