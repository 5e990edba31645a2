/* SPDX-License-Identifier: BSD-2-Clause */
/* See oracle.h. */
#include <string.h>

#include "tests/lib/oracle.h"

/* How well a filter fits, in the order in which the levels count; larger wins. */
enum {
	FIT_REMOTE,
	FIT_LOCAL,
	FIT_PROTO,
	FIT_RPORT,
	FIT_LPORT,
	FIT_TYPE,
	FIT_CODE,
	FIT_ACTION,
	FITS
};

struct fit {
	int level[FITS];
};

static unsigned bits_of(uint8_t family)
{
	return family == 4 ? 32 : 128;
}

static bool bit_at(const uint8_t addr[16], unsigned bit)
{
	return addr[bit / 8] >> (7 - bit % 8) & 1;
}

/* The address with everything behind the first `len` bits set to 0 or to 1. */
static void edge(const uint8_t addr[16], unsigned len, uint8_t family, bool ones, uint8_t ret[16])
{
	memset(ret, 0, 16);
	for (unsigned bit = 0; bit < bits_of(family); bit++)
		if (bit < len ? bit_at(addr, bit) : ones)
			ret[bit / 8] |= 0x80 >> bit % 8;
}

/*
 * A range counts as the fewest prefixes that make it up. The one that holds an
 * address is the largest aligned block around it that stays within the range.
 */
static int block_len(const struct oracle_addr *range, const uint8_t addr[16])
{
	uint8_t first[16], last[16];

	for (unsigned len = 0; len <= bits_of(range->family); len++) {
		edge(addr, len, range->family, false, first);
		edge(addr, len, range->family, true, last);
		if (memcmp(first, range->lo, 16) >= 0 && memcmp(last, range->hi, 16) <= 0)
			return len;
	}
	return -1;
}

static bool is_ours(const struct oracle_host *host, uint8_t family, const uint8_t addr[16])
{
	for (size_t i = 0; i < host->count; i++)
		if (host->me_family[i] == family && !memcmp(host->me[i], addr, 16))
			return true;
	return false;
}

static bool means_us(const struct oracle_host *host, const struct oracle_addr *addr)
{
	if (addr->kind == ORACLE_ME)
		return true;
	return addr->kind == ORACLE_RANGE && host->fixed && !memcmp(addr->lo, addr->hi, 16) &&
	       is_ours(host, addr->family, addr->lo);
}

/* The length of the prefix that covers this address, or -1. */
static int covers(const struct oracle_host *host, const struct oracle_addr *spec, uint8_t family,
		  const uint8_t addr[16])
{
	switch (spec->kind) {
	case ORACLE_ANY:
		return 0;
	case ORACLE_ME:
		return is_ours(host, family, addr) ? (int)bits_of(family) : -1;
	case ORACLE_RANGE:
		break;
	}
	return spec->family == family ? block_len(spec, addr) : -1;
}

static bool in_ports(const struct oracle_side *side, uint16_t port)
{
	return port >= side->port_lo && port <= side->port_hi;
}

static int action_weight(enum xi_action action)
{
	return action == XI_ACT_BLOCK ? 3 : action == XI_ACT_NEGOTIATE ? 2 : 1;
}

static bool better(const struct fit *a, const struct fit *b)
{
	for (int i = 0; i < FITS; i++)
		if (a->level[i] != b->level[i])
			return a->level[i] > b->level[i];
	return false;
}

/* The filter read from `from` to `to`, one address of each. */
static bool fits(const struct oracle_filter *f, const struct oracle_side *from,
		 const struct oracle_addr *from_addr, const struct oracle_side *to,
		 const struct oracle_addr *to_addr, const struct oracle_host *host,
		 const struct xi_pkt *pkt, struct fit *ret)
{
	bool in = pkt->dir == XI_DIR_IN;
	const struct oracle_side *remote = in ? from : to, *local = in ? to : from;
	const struct oracle_addr *remote_addr = in ? from_addr : to_addr;
	const struct oracle_addr *local_addr = in ? to_addr : from_addr;
	int remote_len, local_len;

	/* An end that is ours must be the local one. */
	if (means_us(host, remote_addr))
		return false;
	remote_len = covers(host, remote_addr, pkt->family, pkt->remote);
	local_len = covers(host, local_addr, pkt->family, pkt->local);
	if (remote_len < 0 || local_len < 0)
		return false;
	if (f->proto >= 0 && f->proto != pkt->proto)
		return false;
	if (!in_ports(remote, pkt->remote_port) || !in_ports(local, pkt->local_port))
		return false;
	if (f->icmp_type >= 0 && f->icmp_type != pkt->icmp_type)
		return false;
	if (f->icmp_code >= 0 && f->icmp_code != pkt->icmp_code)
		return false;
	*ret = (struct fit){{
		[FIT_REMOTE] = remote_len,
		[FIT_LOCAL] = local_len,
		[FIT_PROTO] = f->proto >= 0,
		[FIT_RPORT] = -(remote->port_hi - remote->port_lo),
		[FIT_LPORT] = -(local->port_hi - local->port_lo),
		[FIT_TYPE] = f->icmp_type >= 0,
		[FIT_CODE] = f->icmp_code >= 0,
		[FIT_ACTION] = action_weight(f->action),
	}};
	return true;
}

int oracle_decide(const struct oracle_filter *filters, size_t count, const struct oracle_host *host,
		  const struct xi_pkt *pkt)
{
	struct fit best, fit;
	int winner = -1;

	for (size_t i = 0; i < count; i++) {
		const struct oracle_filter *f = &filters[i];

		for (int swapped = 0; swapped <= f->mirrored; swapped++) {
			const struct oracle_side *from = swapped ? &f->dst : &f->src;
			const struct oracle_side *to = swapped ? &f->src : &f->dst;

			for (unsigned a = 0; a < from->addrs; a++)
				for (unsigned b = 0; b < to->addrs; b++) {
					if (!fits(f, from, &from->addr[a], to, &to->addr[b], host,
						  pkt, &fit) ||
					    (winner >= 0 && !better(&fit, &best)))
						continue;
					best = fit;
					winner = i;
				}
		}
	}
	return winner;
}
