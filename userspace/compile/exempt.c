/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The built-in filters, as rows that everybody can see and count.
 *
 * IKE: present only with a negotiate action. UDP between `me`, local port 500 or
 * 4500, and any address, both directions: our own daemon's ports. Not the remote
 * port, and not the ports of others whom this host forwards for: a stranger who
 * chooses port 500 must not get past a block filter
 * (docs/decisions/0014-whose-ike-is-exempt.md).
 *
 * Compatibility exemptions (Windows calls the number ipsecexempt):
 *   0: Kerberos, RSVP, multicast, broadcast   1: multicast, broadcast
 *   2: Kerberos, RSVP                         3: none
 * Kerberos is TCP or UDP port 88 on either side, which is why 0 and 2 are
 * dangerous: anybody may send from port 88. Multicast is the destination
 * 224.0.0.0/4 or ff00::/8, broadcast the destination 255.255.255.255. The
 * directed broadcast of a subnet is not among them: the compiler does not know
 * the subnets. (The datapath lets it pass where only a negotiate filter covers
 * it, since no group traffic can be protected; a block filter blocks it.)
 */
#include <string.h>

#include "compile/build.h"
#include "util/addr.h"

#define KERBEROS_PORT 88
#define PROTO_TCP     6
#define PROTO_UDP     17
#define PROTO_RSVP    46

struct adder {
	int (*add)(void *arg, struct filter *filter, const char *name);
	void *arg;
};

static struct filter open_filter(enum xi_band band, enum xi_dir dir, uint8_t family)
{
	struct filter f = {.rule = FILTER_BUILTIN,
			   .dir = dir,
			   .band = band,
			   .action = XI_ACT_PERMIT,
			   .family = family,
			   .remote_port_hi = 65535,
			   .local_port_hi = 65535,
			   .icmp_type = -1,
			   .icmp_code = -1,
			   .iface_class = -1};

	f.remote.addr.family = f.local.addr.family = family;
	return f;
}

static int add_ike(const struct adder *to, enum xi_dir dir, uint8_t family)
{
	static const uint16_t ports[] = {500, 4500};

	for (size_t i = 0; i < 2; i++) {
		struct filter f = open_filter(XI_BAND_IKE, dir, family);
		int err;

		f.proto_given = true;
		f.proto = PROTO_UDP;
		f.local_is_me = true;
		f.local_port_lo = f.local_port_hi = ports[i];
		err = to->add(to->arg, &f, "exempt:ike");
		if (err)
			return err;
	}
	return 0;
}

static int add_kerberos(const struct adder *to, enum xi_dir dir, uint8_t family)
{
	static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP};

	for (size_t i = 0; i < 4; i++) {
		struct filter f = open_filter(XI_BAND_EXEMPTION, dir, family);
		int err;

		f.proto_given = true;
		f.proto = protos[i / 2];
		if (i % 2)
			f.local_port_lo = f.local_port_hi = KERBEROS_PORT;
		else
			f.remote_port_lo = f.remote_port_hi = KERBEROS_PORT;
		err = to->add(to->arg, &f, "exempt:kerberos");
		if (err)
			return err;
	}
	return 0;
}

static int add_rsvp(const struct adder *to, enum xi_dir dir, uint8_t family)
{
	struct filter f = open_filter(XI_BAND_EXEMPTION, dir, family);

	f.proto_given = true;
	f.proto = PROTO_RSVP;
	return to->add(to->arg, &f, "exempt:rsvp");
}

/* The group is the destination: our side coming in, the other side going out. */
static int add_group(const struct adder *to, enum xi_dir dir, const char *prefix, const char *name)
{
	struct xi_prefix group = {0};
	struct filter f;

	xi_prefix_parse(prefix, &group);
	f = open_filter(XI_BAND_EXEMPTION, dir, group.addr.family);
	*(dir == XI_DIR_IN ? &f.local : &f.remote) = group;
	return to->add(to->arg, &f, name);
}

int exempt_rows(int exemptions, bool negotiate,
		int (*add)(void *arg, struct filter *filter, const char *name), void *arg)
{
	const struct adder to = {add, arg};
	bool services = exemptions == 0 || exemptions == 2;
	bool groups = exemptions == 0 || exemptions == 1;
	int err = 0;

	for (int dir = XI_DIR_IN; !err && dir < XI_DIR_MAX; dir++) {
		for (int family = 4; !err && family <= 6; family += 2) {
			if (negotiate)
				err = add_ike(&to, dir, family);
			if (!err && services)
				err = add_kerberos(&to, dir, family);
			if (!err && services)
				err = add_rsvp(&to, dir, family);
		}
		if (!err && groups)
			err = add_group(&to, dir, "224.0.0.0/4", "exempt:multicast");
		if (!err && groups)
			err = add_group(&to, dir, "ff00::/8", "exempt:multicast");
		if (!err && groups)
			err = add_group(&to, dir, "255.255.255.255", "exempt:broadcast");
	}
	return err;
}
