/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of an interface without touching it: driver, queues, what its
 * driver says of XDP (Linux 6.3, netlink family "netdev"), and what is attached.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>

#include "datapath/internal.h"
#include "datapath/probe.h"
#include "datapath/tcx.h"

/* linux/netdev.h of 6.3; Debian 12 has none. */
#define NETDEV_CMD_DEV_GET	  1
#define NETDEV_A_DEV_IFINDEX	  1
#define NETDEV_A_DEV_XDP_FEATURES 3
#define NETDEV_XDP_ACT_BASIC	  1
#define NETDEV_XDP_ACT_XSK_ZC	  8

struct answer {
	uint16_t family;
	uint64_t features;
	bool found;
};

static int read_answer(const struct nlmsghdr *head, void *arg)
{
	struct answer *answer = arg;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, head, sizeof(struct genlmsghdr)) {
		uint16_t type = mnl_attr_get_type(attr);

		if (head->nlmsg_type == GENL_ID_CTRL && type == CTRL_ATTR_FAMILY_ID &&
		    mnl_attr_validate(attr, MNL_TYPE_U16) >= 0)
			answer->family = mnl_attr_get_u16(attr);
		if (head->nlmsg_type != GENL_ID_CTRL && type == NETDEV_A_DEV_XDP_FEATURES &&
		    mnl_attr_validate(attr, MNL_TYPE_U64) >= 0) {
			answer->features = mnl_attr_get_u64(attr);
			answer->found = true;
		}
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *request(char *buf, uint16_t family, uint8_t cmd)
{
	struct nlmsghdr *head = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	head->nlmsg_type = family;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	head->nlmsg_seq = 1;
	genl = mnl_nlmsg_put_extra_header(head, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = 1;
	return head;
}

static int ask(struct mnl_socket *nl, const struct nlmsghdr *head, struct answer *answer)
{
	_Alignas(8) char buf[8192];
	ssize_t got;
	int rc = MNL_CB_OK;

	if (mnl_socket_sendto(nl, head, head->nlmsg_len) < 0)
		return -errno;
	while (rc == MNL_CB_OK) {
		got = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (got < 0)
			return -errno;
		rc = mnl_cb_run(buf, got, 1, mnl_socket_get_portid(nl), read_answer, answer);
	}
	return rc < 0 ? -errno : 0;
}

/* NETDEV_XDP_ACT_* of its driver; -EOPNOTSUPP where the kernel does not tell. */
static int xdp_features(int ifindex, uint64_t *ret)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	struct answer answer = {0};
	_Alignas(8) char buf[256];
	struct nlmsghdr *head;
	int err = -EOPNOTSUPP;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		goto out;
	head = request(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(head, CTRL_ATTR_FAMILY_NAME, "netdev");
	if (ask(nl, head, &answer) || !answer.family)
		goto out;
	head = request(buf, answer.family, NETDEV_CMD_DEV_GET);
	mnl_attr_put_u32(head, NETDEV_A_DEV_IFINDEX, ifindex);
	if (!ask(nl, head, &answer) && answer.found) {
		*ret = answer.features;
		err = 0;
	}
out:
	mnl_socket_close(nl);
	return err;
}

static void ask_driver(struct ifreq *req, struct datapath_survey *survey)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (!ioctl(fd, SIOCGIFHWADDR, req))
		survey->ethernet = req->ifr_hwaddr.sa_family == ARPHRD_ETHER;
	if (!ioctl(fd, SIOCGIFMTU, req))
		survey->mtu = req->ifr_mtu;
	req->ifr_data = (char *)&driver;
	if (!ioctl(fd, SIOCETHTOOL, req))
		snprintf(survey->driver, sizeof(survey->driver), "%s", driver.driver);
	req->ifr_data = (char *)&channels;
	/* A driver that has no such question has one queue. */
	survey->rx_queues = 1;
	if (!ioctl(fd, SIOCETHTOOL, req))
		survey->rx_queues = channels.combined_count + channels.rx_count;
	close(fd);
}

static unsigned tcx_count(int ifindex, bool ingress)
{
	uint32_t ids[64];
	int count = tcx_programs(ifindex, ingress, ids, 64);

	return count > 0 ? count : 0;
}

int datapath_survey(int ifindex, struct datapath_survey *ret)
{
	struct datapath_survey survey = {.native = DP_NATIVE_UNKNOWN};
	struct ifreq req = {0};
	uint64_t features = 0;
	struct dp_xdp xdp;
	int err;

	if (!if_indextoname(ifindex, req.ifr_name))
		return -errno;
	dp_log_begin();
	memcpy(survey.name, req.ifr_name, sizeof(survey.name));
	ask_driver(&req, &survey);
	if (!xdp_features(ifindex, &features)) {
		survey.native = features & NETDEV_XDP_ACT_BASIC ? DP_NATIVE_YES : DP_NATIVE_NO;
		survey.zero_copy = features & NETDEV_XDP_ACT_XSK_ZC;
	}
	err = dp_xdp_look("", ifindex, &xdp);
	if (!err) {
		survey.xdp_generic = xdp.generic;
		survey.xdp_shares = xdp.top_id && xdp.who == DP_XDP_NOTHING;
		if (xdp.top_id)
			dp_prog_text(xdp.top_id, survey.xdp, sizeof(survey.xdp));
		/* Ours are found as someone else's, because no instance has no name. */
		snprintf(survey.instance, sizeof(survey.instance), "%s", xdp.identity.instance);
	}
	survey.tcx_in = tcx_count(ifindex, true);
	survey.tcx_out = tcx_count(ifindex, false);
	dp_log_end(0, NULL);
	*ret = survey;
	return 0;
}
