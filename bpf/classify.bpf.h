/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The classifier: one packet's fields in, the filter that decides out. The
 * tables and the words used here are explained in xipsec/classify.h, the design
 * and its costs in docs/classifier.md; compile/model.c is the specification.
 *
 * Exactness: a row or a hash only ever says "perhaps". The answer comes from a
 * full comparison of the cell's key and of the rectangle's bounds. Shapes are
 * tried from the highest precedence down, so the first match ends the search,
 * except among shapes of equal precedence (a full local prefix and `me`): these
 * are all tried and the lower rank wins.
 *
 * Speed: IPv4 and IPv6 have copies of their own. The first shape that the rows
 * leave is tried in line; only what follows is a loop. Needs Linux 5.17.
 */
#ifndef XI_CLASSIFY_BPF_H
#define XI_CLASSIFY_BPF_H

#include "classify_cells.bpf.h"
#include "classify_rows.bpf.h"
#include "classify_walk.bpf.h"

/* The next shape of this chunk, or the next chunk. 1 ends the loop. */
static __always_inline int xi_walk_step(struct xi_walk *w, bool v6)
{
	__u32 s;

	if (!w->left.nonzero) {
		s = w->left.chunk + 1;
		if (s * XI_CHUNK_SHAPES >= w->best.limit)
			return 1;
		if (!xi_next_chunk(w->space, &w->left))
			return 0;
		w->best.error = -EIO;
		return 1;
	}
	s = xi_next_shape(&w->left);
	return s >= w->best.limit || xi_try_shape(&w->ask, w->space, &w->best, s, v6);
}

static int xi_walk_step4(__u32 i, struct xi_walk *w)
{
	return xi_walk_step(w, false);
}

static int xi_walk_step6(__u32 i, struct xi_walk *w)
{
	return xi_walk_step(w, true);
}

static __always_inline void xi_ask_set(struct xi_ask *ask, const struct xi_pkt *pkt, bool v6)
{
	ask->x = ask->y = ask->icmp = 0;
	if (!(pkt->flags & XI_PKT_LATER_FRAG)) {
		if (pkt->proto == XI_ICMP || pkt->proto == XI_ICMPV6) {
			ask->icmp = (__u32)pkt->icmp_type << 8 | pkt->icmp_code;
		} else {
			ask->x = pkt->remote_port;
			ask->y = pkt->local_port;
		}
	}
	ask->proto = (__u32)pkt->proto << 16;
	ask->flags = pkt->flags;
	ask->pad = 0;
	if (v6) {
		__builtin_memcpy(ask->key, pkt->remote, 16);
		__builtin_memcpy(ask->key + 2, pkt->local, 16);
	} else {
		ask->key[0] = *(const __u32 *)pkt->remote | (__u64) * (const __u32 *)pkt->local
								    << 32;
	}
}

/*
 * The dense list of a space, before all other shapes. What it finds is the best so far, and only
 * shapes before the limit can still win against it.
 */
static __always_inline void xi_walk_dense(struct xi_walk *w, bool v6)
{
	const struct xi_ask *ask = &w->ask;
	__u64 ports = ask->x | (__u64)ask->y << 16 | (__u64)ask->icmp << 32, found;
	__u32 who = ask->proto >> 16, list = w->space->dense - 1;

	w->left.word[0] &= ~1ull;
	if (!w->left.word[0])
		w->left.nonzero &= ~1;
	if (ask->flags & XI_PKT_LOCAL_IS_ME)
		who |= XI_DENSE_ME;
	if (v6)
		found = xi_dense_find6(list, (const struct xi_dense_addrs *)ask->key, ports, who);
	else
		found = xi_dense_find4(list, ask->key[0], ports, who);
	if (found == XI_DAMAGED) {
		w->best.error = -EIO;
	} else if ((__u32)found != XI_NO_FILTER) {
		w->best.filter = found;
		w->best.action = found >> 32 & 0xff;
		w->best.limit = found >> 40;
	}
}

static __always_inline int xi_walk(const struct xi_pkt *pkt, const struct xi_space *space,
				   struct xi_verdict *ret, bool v6)
{
	const struct xi_shape *shape = NULL;
	struct xi_walk w;
	__u64 found;
	bool dense;

	ret->filter_idx = XI_NO_FILTER;
	ret->action = XI_ACT_NONE;
	if (!space->shapes)
		return 0;
	/* What a global function is given must be written whole, up to Linux 6.2. */
	__builtin_memset(&w.left, 0, sizeof(w.left));
	if (!v6)
		w.ask.key[1] = w.ask.key[2] = w.ask.key[3] = 0;
	xi_ask_set(&w.ask, pkt, v6);
	if (v6 ? xi_first_chunk6(&w.ask, space, &w.left) : xi_first_chunk4(&w.ask, space, &w.left))
		return -EIO;
	dense = space->dense && (w.left.word[0] & 1);
	if (w.left.nonzero && !dense) {
		found = xi_probe_shape(&w.ask, space, xi_next_shape(&w.left), &shape, v6);
		if (found == XI_DAMAGED || !shape)
			return -EIO;
		if (found != XI_NOTHING) {
			if (!(shape->flags & XI_SHAPE_TWIN)) {
				ret->filter_idx = found;
				ret->action = found >> 32;
				return 0;
			}
			/* Once more, among all of its precedence. */
			w.left.nonzero = 0;
			w.left.chunk = -1;
		}
	}
	w.space = space;
	w.best.filter = XI_NO_FILTER;
	w.best.action = XI_ACT_NONE;
	w.best.limit = space->shapes;
	w.best.error = 0;
	if (dense)
		xi_walk_dense(&w, v6);
	bpf_loop(XI_SHAPES_MAX + XI_CHUNKS_MAX + 1, v6 ? xi_walk_step6 : xi_walk_step4, &w, 0);
	if (w.best.error)
		return w.best.error;
	ret->filter_idx = w.best.filter;
	ret->action = w.best.action;
	return 0;
}

static __always_inline const struct xi_space *xi_space_of(const struct xi_pkt *pkt, __u32 family)
{
	return xi_at(xi_space, XI_SPACE_INDEX(pkt->dir, family, pkt->iface_class,
					      !!(pkt->flags & XI_PKT_LATER_FRAG)));
}

__noinline int xi_classify4(const struct xi_pkt *pkt, struct xi_verdict *ret)
{
	const struct xi_space *space;

	if (!pkt || !ret)
		return -EINVAL;
	space = xi_space_of(pkt, 4);
	if (!space || space->loaded != XI_SPACE_LOADED)
		return -ENOENT;
	return xi_walk(pkt, space, ret, false);
}

__noinline int xi_classify6(const struct xi_pkt *pkt, struct xi_verdict *ret)
{
	const struct xi_space *space;

	if (!pkt || !ret)
		return -EINVAL;
	space = xi_space_of(pkt, 6);
	if (!space || space->loaded != XI_SPACE_LOADED)
		return -ENOENT;
	return xi_walk(pkt, space, ret, true);
}

/*
 * Which filter of this program's list decides about the packet. 0 and a verdict,
 * XI_ACT_NONE when nothing matches; or -errno when the tables are missing or
 * damaged: the caller must then drop.
 */
static __always_inline int xi_classify(const struct xi_pkt *pkt, struct xi_verdict *ret)
{
	return pkt->family == 6 ? xi_classify6(pkt, ret) : xi_classify4(pkt, ret);
}

#endif
