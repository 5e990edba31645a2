// SPDX-License-Identifier: BSD-2-Clause
/*
 * The TAP: IFF_VNET_HDR carries GSO super-packets and begun checksums both ways
 * (Documentation/networking/tuntap.rst, virtio 1.x section 5.1.6).
 *
 * Decrypted packets enter the stack here and not on the interface they came
 * from, so a strict reverse path filter would drop them: it is switched off on
 * this device, and where the host forces it everywhere we can only say so.
 */
#include "esp/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_tun.h>

#define TAP_MTU 65521 /* what the driver allows: no limit of ours */

#define TAP_PREFIX "xi"

struct tap {
	int fd, ifindex;
	char name[IFNAMSIZ];
	uint8_t mac[6];
};

static ssize_t tap_read(void *ctx, uint8_t *buf, size_t cap)
{
	struct tap *tap = ctx;
	ssize_t len = read(tap->fd, buf, cap);

	return len < 0 ? -errno : len;
}

static int tap_write(void *ctx, const struct iovec *iov, int count)
{
	struct tap *tap = ctx;

	return writev(tap->fd, iov, count) < 0 ? -errno : 0;
}

static void tap_close(void *ctx)
{
	struct tap *tap = ctx;

	if (!tap)
		return;
	if (tap->fd >= 0)
		close(tap->fd);
	free(tap);
}

const struct stack_ops tap_ops = {tap_read, tap_write, tap_close};

static int sysctl_write(const char *family, const char *iface, const char *key, const char *value)
{
	char path[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, iface, key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int sysctl_read(const char *family, const char *iface, const char *key)
{
	char path[128], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, iface, key);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return atoi(text);
}

/* No traffic of its own, and no filter against what we inject. */
static void quieten(const struct tap *tap, struct diag *diag)
{
	static const char *const ipv6[][2] = {
		{"addr_gen_mode", "1"}, {"accept_ra", "0"},	   {"autoconf", "0"},
		{"dad_transmits", "0"}, {"accept_redirects", "0"},
	};

	for (size_t i = 0; i < sizeof(ipv6) / sizeof(*ipv6); i++)
		sysctl_write("ipv6", tap->name, ipv6[i][0], ipv6[i][1]);
	sysctl_write("ipv4", tap->name, "accept_redirects", "0");
	if (sysctl_write("ipv4", tap->name, "rp_filter", "0"))
		diag_add(diag, DIAG_WARNING, NULL, NULL, "cannot switch off rp_filter on %s",
			 tap->name);
	if (sysctl_read("ipv4", "all", "rp_filter") == 1)
		diag_add(diag, DIAG_WARNING, NULL, "set net.ipv4.conf.all.rp_filter to 0 or 2",
			 "net.ipv4.conf.all.rp_filter is strict: the kernel will drop IPv4 "
			 "packets that %s hands it after decryption",
			 tap->name);
}

static int configure(struct tap *tap, struct diag *diag)
{
	int ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	struct ifreq req = {0};

	if (ctl < 0)
		return -errno;
	memcpy(req.ifr_name, tap->name, sizeof(tap->name));
	if (ioctl(ctl, SIOCGIFINDEX, &req))
		goto fail;
	tap->ifindex = req.ifr_ifindex;
	if (ioctl(ctl, SIOCGIFHWADDR, &req))
		goto fail;
	memcpy(tap->mac, req.ifr_hwaddr.sa_data, sizeof(tap->mac));
	req.ifr_mtu = TAP_MTU;
	ioctl(ctl, SIOCSIFMTU, &req);
	quieten(tap, diag);
	if (ioctl(ctl, SIOCGIFFLAGS, &req))
		goto fail;
	req.ifr_flags |= IFF_UP | IFF_NOARP;
	req.ifr_flags &= ~IFF_MULTICAST;
	if (!ioctl(ctl, SIOCSIFFLAGS, &req))
		goto out;
fail:
	err = -errno;
out:
	close(ctl);
	return err;
}

int tap_open(struct tap **ret, struct diag *diag)
{
	struct ifreq req = {.ifr_name = TAP_PREFIX "%d",
			    .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	struct tap *tap = calloc(1, sizeof(*tap));
	int err;

	if (!tap)
		return -ENOMEM;
	tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap->fd < 0) {
		err = -errno;
		diag_add(diag, DIAG_ERROR, NULL, "load the kernel module tun",
			 "cannot open /dev/net/tun: %s", strerror(errno));
		goto fail;
	}
	if (ioctl(tap->fd, TUNSETIFF, &req) ||
	    ioctl(tap->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)) {
		err = -errno;
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot make a TAP device: %s",
			 strerror(errno));
		goto fail;
	}
	memcpy(tap->name, req.ifr_name, sizeof(tap->name));
	err = configure(tap, diag);
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, NULL, "cannot set up %s: %s", tap->name,
			 strerror(-err));
		goto fail;
	}
	*ret = tap;
	return 0;
fail:
	tap_close(tap);
	return err;
}

int tap_fd(const struct tap *tap)
{
	return tap->fd;
}

int tap_ifindex(const struct tap *tap)
{
	return tap->ifindex;
}

const char *tap_name(const struct tap *tap)
{
	return tap->name;
}

const uint8_t *tap_mac(const struct tap *tap)
{
	return tap->mac;
}

bool tap_is_name(const char *name)
{
	return !strncmp(name, TAP_PREFIX, strlen(TAP_PREFIX)) && name[strlen(TAP_PREFIX)] &&
	       !name[strlen(TAP_PREFIX) + strspn(name + strlen(TAP_PREFIX), "0123456789")];
}
