/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Headers drawn from the list's own filters. What is chosen by counting on them
 * makes lookups faster or slower, never wrong.
 */
#include <string.h>

#include "compile/sample.h"
#include "policy/scalar.h"

#define NESTED_TRIES 8

static uint32_t draw(uint64_t *random, uint32_t n)
{
	*random = xi_hash_step(*random + 0x9e3779b97f4a7c15ull, 1);
	return (*random >> 16) % n;
}

struct side side_of(const struct entry *e, enum field_of of)
{
	if (of == FIELD_REMOTE)
		return (struct side){e->remote, e->remote_len};
	return (struct side){e->local, e->me ? 0 : e->local_len};
}

void prefix_words(uint8_t len, __u64 ret[2])
{
	uint8_t bytes[16];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = len >= 8 * (i + 1) ? 0xff : len <= 8 * i ? 0 : 0xff << (8 - len % 8);
	memcpy(ret, bytes, sizeof(bytes));
}

static bool inside(struct side outer, struct side inner)
{
	unsigned bytes = outer.len / 8, bits = outer.len % 8;

	return inner.len > outer.len && !memcmp(outer.addr, inner.addr, bytes) &&
	       !((outer.addr[bytes] ^ inner.addr[bytes]) & ~(0xff >> bits));
}

/*
 * An address in a prefix, or in one inside of it, for that is where there are hosts: the first,
 * the last or any.
 */
static void draw_addr(uint64_t *random, const struct entry *entries, size_t count,
		      const struct entry *e, enum field_of of, uint8_t out[16])
{
	struct side side = side_of(e, of);
	unsigned bytes = e->family == 6 ? 16 : 4;
	uint32_t kind = draw(random, 4);
	int tries = draw(random, 2) ? NESTED_TRIES : 0;

	for (int i = 0; side.len && i < tries; i++) {
		struct side other = side_of(&entries[draw(random, count)], of);

		if (inside(side, other))
			side = other;
	}
	for (unsigned i = 0; i < bytes; i++) {
		unsigned fixed = side.len >= 8 * (i + 1) ? 8 : side.len <= 8 * i ? 0 : side.len % 8;
		uint8_t rest = kind == 0 ? 0 : kind == 1 ? 0xff : draw(random, 256);

		out[i] = side.addr[i] | (rest & 0xff >> fixed);
	}
}

void draw_headers(const struct entry *entries, size_t count, struct xi_pkt *ret, uint32_t *ret_from,
		  size_t n)
{
	uint64_t random = count;

	for (size_t i = 0; i < n; i++) {
		const struct entry *e;
		struct xi_pkt pkt = {0};

		ret_from[i] = draw(&random, count);
		e = &entries[ret_from[i]];
		pkt.flags = e->me ? XI_PKT_LOCAL_IS_ME : 0;
		draw_addr(&random, entries, count, e, FIELD_REMOTE, pkt.remote);
		draw_addr(&random, entries, count, e, FIELD_LOCAL, pkt.local);
		pkt.proto = e->proto_given ? e->proto : draw(&random, 2) ? 6 : 17;
		if (proto_is_icmp(pkt.proto)) {
			pkt.icmp_type = e->rect.y_lo >> 8;
			pkt.icmp_code = e->rect.y_lo;
		} else {
			pkt.remote_port = e->rect.x_lo +
					  draw(&random, e->rect.x_hi - e->rect.x_lo + 1u);
			pkt.local_port = e->rect.y_lo +
					 draw(&random, e->rect.y_hi - e->rect.y_lo + 1u);
		}
		ret[i] = pkt;
	}
}
