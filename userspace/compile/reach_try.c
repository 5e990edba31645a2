/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets at random out of those that a filter covers, and whether a better one
 * covers them too. Whoever could lies on the way up from the smallest prefix that
 * holds the address, so a packet costs little even in a long list. The numbers are
 * drawn the same way every time: the same policy gives the same answer.
 */
#include <string.h>

#include "compile/reach.h"
#include "util/addr.h"

#define TRIES 64

struct dice {
	uint64_t state;
};

static uint32_t throw(struct dice * dice)
{
	dice->state = dice->state * 6364136223846793005ull + 1442695040888963407ull;
	return dice->state >> 32;
}

static uint32_t between(struct dice *dice, uint32_t lo, uint32_t hi)
{
	return lo + throw(dice) % (hi - lo + 1);
}

/* ---------------------------------------------------------------- one packet */

static void draw_addr(struct dice *dice, const struct xi_prefix *prefix, uint8_t ret[16])
{
	unsigned bytes = xi_family_bits(prefix->addr.family) / 8;

	for (unsigned i = prefix->len / 8; i < bytes; i++) {
		uint8_t mask = i == prefix->len / 8 ? 0xff >> prefix->len % 8 : 0xff;

		ret[i] = (prefix->addr.b[i] & ~mask) | (throw(dice) & mask);
	}
	memcpy(ret, prefix->addr.b, prefix->len / 8);
}

/* Half of the time a bound, where others are likely to end or not to begin. */
static uint16_t draw_port(struct dice *dice, uint16_t lo, uint16_t hi)
{
	switch (throw(dice) % 4) {
	case 0:
		return lo;
	case 1:
		return hi;
	default:
		return between(dice, lo, hi);
	}
}

static bool is_listed(const struct compile_opts *opts, const struct xi_pkt *pkt)
{
	struct xi_addr addr = {.family = pkt->family};

	memcpy(addr.b, pkt->local, sizeof(addr.b));
	for (size_t i = 0; i < opts->me_count; i++) {
		if (xi_addr_equal(&opts->me[i], &addr))
			return true;
	}
	return false;
}

static struct xi_pkt draw_packet(struct dice *dice, const struct compile_opts *opts,
				 const struct filter *f)
{
	static const uint8_t protos[] = {253, 6, 17, 1, 58, 47};
	struct xi_pkt pkt = {.family = f->family, .dir = f->dir};

	draw_addr(dice, &f->remote, pkt.remote);
	draw_addr(dice, &f->local, pkt.local);
	if (f->local_is_me || is_listed(opts, &pkt) || throw(dice) % 4 == 0)
		pkt.flags = XI_PKT_LOCAL_IS_ME;
	pkt.proto = f->proto_given ? f->proto : protos[throw(dice) % sizeof(protos)];
	pkt.remote_port = draw_port(dice, f->remote_port_lo, f->remote_port_hi);
	pkt.local_port = draw_port(dice, f->local_port_lo, f->local_port_hi);
	pkt.icmp_type = f->icmp_type >= 0 ? f->icmp_type : (int)(throw(dice) & 0xff);
	pkt.icmp_code = f->icmp_code >= 0 ? f->icmp_code : (int)(throw(dice) & 0xff);
	pkt.iface_class = f->iface_class >= 0 ? f->iface_class : (int)(throw(dice) & 1);
	return pkt;
}

/* ------------------------------------------------------------------- lookup */

static int compare_addr(const struct reach_node *node, const struct xi_pkt *pkt)
{
	if (node->dir != pkt->dir)
		return node->dir - pkt->dir;
	if (node->remote.addr.family != pkt->family)
		return node->remote.addr.family - pkt->family;
	return memcmp(node->remote.addr.b, pkt->remote, sizeof(pkt->remote));
}

/* The last node that does not begin behind the address: it or one around it holds it. */
static uint32_t last_node(const struct reach_index *index, const struct xi_pkt *pkt)
{
	size_t lo = 0, hi = index->node_count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (compare_addr(&index->nodes[mid], pkt) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : REACH_NOWHERE;
}

static uint32_t last_cell(const struct reach_index *index, const struct reach_node *node,
			  const struct xi_pkt *pkt)
{
	size_t lo = node->first, hi = node->first + node->count;

	/* `me` is no address: it is looked at apart, and stands at the beginning. */
	lo += index->cells[lo].me;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (memcmp(index->cells[mid].local.addr.b, pkt->local, sizeof(pkt->local)) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > node->first ? lo - 1 : REACH_NOWHERE;
}

/* Filters before `filter` in this cell that cover the packet? */
static bool cell_beats(const struct reach_index *index, const struct reach_cell *cell,
		       const struct xi_pkt *pkt, uint32_t filter, uint64_t *steps)
{
	for (uint32_t i = cell->first; i < cell->first + cell->count; i++) {
		if (index->order[i] >= filter)
			return false;
		*steps -= *steps > 0;
		if (filter_matches(&index->sorted[i], pkt))
			return true;
	}
	return false;
}

static bool node_beats(const struct reach_index *index, const struct reach_node *node,
		       const struct xi_pkt *pkt, uint32_t filter, uint64_t *steps)
{
	const struct reach_cell *first = &index->cells[node->first];
	uint32_t at = last_cell(index, node, pkt);

	if (first->me && cell_beats(index, first, pkt, filter, steps))
		return true;
	for (; at != REACH_NOWHERE && !index->cells[at].me; at = index->cells[at].outer) {
		if (cell_beats(index, &index->cells[at], pkt, filter, steps))
			return true;
	}
	return false;
}

static bool is_beaten(const struct reach_index *index, const struct xi_pkt *pkt, uint32_t filter,
		      uint64_t *steps)
{
	uint32_t at = last_node(index, pkt);

	for (size_t i = 0; i < index->special_count; i++) {
		if (filter_matches(&index->filters[index->special[i]], pkt))
			return true;
	}
	for (; at != REACH_NOWHERE; at = index->nodes[at].outer) {
		*steps -= *steps > 0;
		if (node_beats(index, &index->nodes[at], pkt, filter, steps))
			return true;
	}
	return false;
}

bool reach_try(const struct reach_index *index, const struct compile_opts *opts, uint32_t filter,
	       uint64_t *steps)
{
	const struct filter *f = &index->filters[filter];
	struct dice dice = {filter + 1};

	for (int i = 0; i < TRIES && *steps; i++) {
		struct xi_pkt pkt = draw_packet(&dice, opts, f);

		/* What was drawn for a field that this protocol lacks may rule it out. */
		if (filter_matches(f, &pkt) && !is_beaten(index, &pkt, filter, steps))
			return true;
	}
	return false;
}
