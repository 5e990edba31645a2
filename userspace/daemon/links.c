/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel says about interfaces, and what the command line makes of it. */
#include <errno.h>
#include <fnmatch.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/ethtool.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>

#include "daemon/links.h"
#include "esp/tap.h"

/* ------------------------------------------------------------------ wishes */

bool links_is_name(const char *pattern)
{
	return *pattern != '!' && !pattern[strcspn(pattern, "*?[\\")];
}

bool links_wanted(const struct link *link, const char *const *patterns, size_t count)
{
	bool some = false, glob = false, named = false;

	for (size_t i = 0; i < count; i++) {
		const char *pattern = patterns[i];

		if (*pattern == '!') {
			if (!fnmatch(pattern + 1, link->name, 0))
				return false;
			continue;
		}
		some = true;
		named |= !strcmp(pattern, link->name);
		glob |= !fnmatch(pattern, link->name, 0);
	}
	if (named)
		return true;
	return (glob || !some) && link->ethernet && !link->loopback && !tap_is_name(link->name);
}

/* ----------------------------------------------------------------- listing */

static bool fill(const struct ifaddrs *ifa, struct link *ret)
{
	const struct sockaddr_ll *about = (const struct sockaddr_ll *)ifa->ifa_addr;

	if (!about || about->sll_family != AF_PACKET)
		return false;
	memset(ret, 0, sizeof(*ret));
	strncpy(ret->name, ifa->ifa_name, sizeof(ret->name) - 1);
	ret->ifindex = about->sll_ifindex;
	ret->ethernet = about->sll_hatype == ARPHRD_ETHER;
	ret->loopback = ifa->ifa_flags & IFF_LOOPBACK;
	ret->up = ifa->ifa_flags & IFF_UP;
	return true;
}

int links_list(struct link **ret, size_t *ret_count)
{
	struct ifaddrs *list;
	struct link *links;
	size_t count = 0;

	if (getifaddrs(&list))
		return -errno;
	for (struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next)
		count++;
	links = calloc(count + 1, sizeof(*links));
	if (!links) {
		freeifaddrs(list);
		return -ENOMEM;
	}
	count = 0;
	for (struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next)
		count += fill(ifa, &links[count]);
	freeifaddrs(list);
	*ret = links;
	*ret_count = count;
	return 0;
}

unsigned links_queues(const char *name)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq req = {.ifr_data = (char *)&channels};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return 0;
	strncpy(req.ifr_name, name, sizeof(req.ifr_name) - 1);
	err = ioctl(fd, SIOCETHTOOL, &req);
	close(fd);
	/* A driver that has no such question has one queue. */
	if (err)
		return errno == EOPNOTSUPP ? 1 : 0;
	return channels.combined_count + channels.rx_count;
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

int links_route(const struct xi_addr *local, const struct xi_addr *remote)
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
