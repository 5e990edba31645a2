/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reference classifier: the definition of what a filter list means, kept so
 * plain that it can be believed. Every other classifier is tested against it.
 *
 * Fragments: a later fragment shows no ports. A filter that asks for ports (or
 * an ICMP type) covers it all the same when it blocks or protects, and does not
 * when it permits. So a fragment can neither ride in on a permitted port nor
 * slip around a blocked one. The datapath asks only for fragments whose first
 * one it has not seen; the others follow their first fragment.
 */
#include <string.h>

#include "compile/image.h"
#include "policy/scalar.h"
#include "util/addr.h"

static bool within(uint16_t port, uint16_t lo, uint16_t hi)
{
	return port >= lo && port <= hi;
}

bool filter_portless(const struct filter *f)
{
	return f->remote_port_lo == 0 && f->remote_port_hi == 65535 && f->local_port_lo == 0 &&
	       f->local_port_hi == 65535 && f->icmp_type < 0 && f->icmp_code < 0;
}

/* ICMP has no ports: they count as 0, whatever the packet struct holds. */
static bool matches_ports(const struct filter *f, const struct xi_pkt *pkt)
{
	bool icmp = proto_is_icmp(pkt->proto);

	if (pkt->flags & XI_PKT_LATER_FRAG)
		return filter_portless(f) || f->action != XI_ACT_PERMIT;
	if (f->icmp_type >= 0 && (!icmp || pkt->icmp_type != f->icmp_type))
		return false;
	if (f->icmp_code >= 0 && (!icmp || pkt->icmp_code != f->icmp_code))
		return false;
	return within(icmp ? 0 : pkt->remote_port, f->remote_port_lo, f->remote_port_hi) &&
	       within(icmp ? 0 : pkt->local_port, f->local_port_lo, f->local_port_hi);
}

bool filter_matches(const struct filter *f, const struct xi_pkt *pkt)
{
	struct xi_addr remote = {.family = pkt->family}, local = {.family = pkt->family};

	if (f->dir != pkt->dir || f->family != pkt->family)
		return false;
	if (f->iface_class >= 0 && f->iface_class != pkt->iface_class)
		return false;
	if (f->proto_given && f->proto != pkt->proto)
		return false;
	memcpy(remote.b, pkt->remote, sizeof(remote.b));
	memcpy(local.b, pkt->local, sizeof(local.b));
	if (!xi_prefix_covers(&f->remote, &remote))
		return false;
	if (f->local_is_me ? !(pkt->flags & XI_PKT_LOCAL_IS_ME)
			   : !xi_prefix_covers(&f->local, &local))
		return false;
	return matches_ports(f, pkt);
}

struct xi_verdict model_classify(const struct image *image, const struct xi_pkt *pkt)
{
	for (size_t i = 0; i < image->count; i++) {
		if (filter_matches(&image->filters[i], pkt))
			return (struct xi_verdict){image->filters[i].action, i};
	}
	return (struct xi_verdict){XI_ACT_NONE, XI_NO_FILTER};
}
