/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet against all filters, as the reference model does it but field by
 * field. A packet that is not described completely stands for many; a filter may
 * cover some of them. It is listed if there is one that it would decide about:
 * whether better ones leave it any is asked of the search for unreachable filters.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/explain.h"
#include "compile/reach.h"
#include "policy/scalar.h"
#include "util/addr.h"

/* Steps for one filter; what is still open then is listed. */
#define REACH_STEPS 1000000
#define PROTO_UDP   17

const char *explain_field_name(enum explain_field field)
{
	switch (field) {
#define EXPLAIN_X(NAME, bit, words)                                                                \
	case EXPLAIN_##NAME:                                                                       \
		return words;
		EXPLAIN_FIELDS(EXPLAIN_X)
#undef EXPLAIN_X
	}
	return "?";
}

/* ---------------------------------------------------------------------- fit */

/* One field that a filter may restrict. */
static void judge(struct explain_fit *fit, const struct explain_question *q,
		  enum explain_field field, bool restricts, bool holds)
{
	if (restricts && q->unknown & field)
		fit->open |= field;
	else if (restricts && !holds)
		fit->wrong |= field;
}

static void judge_port(struct explain_fit *fit, const struct explain_question *q,
		       enum explain_field field, uint16_t port, uint16_t lo, uint16_t hi)
{
	judge(fit, q, field, lo != 0 || hi != 65535, port >= lo && port <= hi);
}

static void judge_upper(struct explain_fit *fit, const struct explain_question *q,
			const struct filter *f)
{
	const struct xi_pkt *pkt = &q->pkt;
	bool icmp = proto_is_icmp(pkt->proto);

	/* A later fragment shows nothing of this, see model.c. */
	if (pkt->flags & XI_PKT_LATER_FRAG) {
		if (!filter_portless(f) && f->action == XI_ACT_PERMIT)
			fit->wrong |= EXPLAIN_FRAGMENT;
		return;
	}
	if (icmp) {
		judge(fit, q, EXPLAIN_ICMP_TYPE, f->icmp_type >= 0, pkt->icmp_type == f->icmp_type);
		judge(fit, q, EXPLAIN_ICMP_CODE, f->icmp_code >= 0, pkt->icmp_code == f->icmp_code);
	} else if (f->icmp_type >= 0 || f->icmp_code >= 0) {
		fit->wrong |= EXPLAIN_ICMP_TYPE;
	}
	judge_port(fit, q, EXPLAIN_REMOTE_PORT, icmp ? 0 : pkt->remote_port, f->remote_port_lo,
		   f->remote_port_hi);
	judge_port(fit, q, EXPLAIN_LOCAL_PORT, icmp ? 0 : pkt->local_port, f->local_port_lo,
		   f->local_port_hi);
}

struct explain_fit explain_fit(const struct filter *f, const struct explain_question *q)
{
	const struct xi_pkt *pkt = &q->pkt;
	struct xi_addr remote = {.family = pkt->family}, local = {.family = pkt->family};
	struct explain_fit fit = {0};

	memcpy(remote.b, pkt->remote, sizeof(remote.b));
	memcpy(local.b, pkt->local, sizeof(local.b));
	judge(&fit, q, EXPLAIN_DIR, true, f->dir == pkt->dir);
	judge(&fit, q, EXPLAIN_FAMILY, true, f->family == pkt->family);
	judge(&fit, q, EXPLAIN_IFACE, f->iface_class >= 0, f->iface_class == pkt->iface_class);
	judge(&fit, q, EXPLAIN_PROTO, f->proto_given, f->proto == pkt->proto);
	judge(&fit, q, EXPLAIN_REMOTE, true, xi_prefix_covers(&f->remote, &remote));
	judge(&fit, q, EXPLAIN_LOCAL, true,
	      f->local_is_me ? !!(pkt->flags & XI_PKT_LOCAL_IS_ME)
			     : xi_prefix_covers(&f->local, &local));
	judge_upper(&fit, q, f);
	return fit;
}

/* Does it cover the packet, where unknown fields are taken as the header says? */
static bool assumed(const struct filter *f, struct explain_fit fit)
{
	return !fit.wrong && !(fit.open & ~EXPLAIN_IFACE) &&
	       (!(fit.open & EXPLAIN_IFACE) || f->iface_class == XI_IFACE_LAN);
}

/* --------------------------------------------------------------------- rows */

static int add_row(struct explain_rows *rows, uint32_t index, unsigned fields)
{
	if (rows->count == rows->cap) {
		size_t cap = rows->cap ? 2 * rows->cap : 16;
		struct explain_row *v = realloc(rows->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		rows->v = v;
		rows->cap = cap;
	}
	rows->v[rows->count++] = (struct explain_row){index, fields};
	return 0;
}

static bool one_bit(unsigned fields)
{
	return fields && !(fields & (fields - 1));
}

/* ------------------------------------------------------------------ depends */

/*
 * The filter as far as it covers packets that the question stands for: what is
 * known becomes its selector.
 */
static struct filter narrowed(const struct filter *f, const struct explain_question *q)
{
	const struct xi_pkt *pkt = &q->pkt;
	struct filter own = *f;

	own.remote.len = own.local.len = xi_family_bits(pkt->family);
	own.remote.addr.family = own.local.addr.family = own.family = pkt->family;
	memcpy(own.remote.addr.b, pkt->remote, sizeof(pkt->remote));
	memcpy(own.local.addr.b, pkt->local, sizeof(pkt->local));
	own.local_is_me = false;
	own.proto_given = true;
	own.proto = pkt->proto;
	/* A later fragment is judged by whether ports were asked for. */
	if (pkt->flags & XI_PKT_LATER_FRAG)
		return own;
	if (proto_is_icmp(pkt->proto)) {
		if (!(q->unknown & EXPLAIN_ICMP_TYPE))
			own.icmp_type = pkt->icmp_type;
		if (!(q->unknown & EXPLAIN_ICMP_CODE) && own.icmp_type >= 0)
			own.icmp_code = pkt->icmp_code;
		return own;
	}
	if (!(q->unknown & EXPLAIN_REMOTE_PORT))
		own.remote_port_lo = own.remote_port_hi = pkt->remote_port;
	if (!(q->unknown & EXPLAIN_LOCAL_PORT))
		own.local_port_lo = own.local_port_hi = pkt->local_port;
	return own;
}

/* The first `count` of `rows` may cover the packet: do they leave none of it to f? Or -ENOMEM. */
static int leave_none(const struct image *image, const struct explain_question *q,
		      const struct filter *f, const struct explain_row *rows, size_t count)
{
	struct filter own = narrowed(f, q);
	struct reach_walk w = {.filters = image->filters, .f = &own};
	bool covered = true;

	w.frag = q->pkt.flags & XI_PKT_LATER_FRAG;
	for (int iface_class = 0; iface_class < 2 && covered && !w.err; iface_class++) {
		if (q->unknown & EXPLAIN_IFACE
			    ? f->iface_class >= 0 && f->iface_class != iface_class
			    : q->pkt.iface_class != iface_class)
			continue;
		w.pool.count = 0;
		w.steps = REACH_STEPS;
		for (size_t i = 0; i < count && !w.err; i++) {
			const struct filter *other = &image->filters[rows[i].index];

			if (other->iface_class < 0 || other->iface_class == iface_class)
				w.err = reach_push(&w.pool, rows[i].index);
		}
		covered = reach_covered(&w, &own.remote, 0);
	}
	free(w.pool.v);
	return w.err == -ENOMEM ? -ENOMEM : covered && !w.err;
}

/*
 * `some` are the filters that may cover the packet, up to the first that surely
 * does; `sure` says that the last of them does.
 */
static int find_depends(const struct image *image, const struct explain_question *q,
			const struct explain_rows *some, bool sure, struct explain_answer *ret)
{
	static const struct filter all = {.action = XI_ACT_BLOCK,
					  .remote_port_hi = 65535,
					  .local_port_hi = 65535,
					  .icmp_type = -1,
					  .icmp_code = -1,
					  .iface_class = -1};
	int none, err = 0;

	for (size_t i = 0; i < some->count && !err; i++) {
		uint32_t index = some->v[i].index;

		none = leave_none(image, q, &image->filters[index], some->v, i);
		if (none < 0)
			return none;
		if (index == ret->deciding)
			ret->surely_other = none;
		else if (!none)
			err = add_row(&ret->depends, index, some->v[i].fields);
	}
	if (err || sure)
		return err;
	/* Behind the last filter there is none. */
	none = leave_none(image, q, &all, some->v, some->count);
	if (none < 0)
		return none;
	if (ret->deciding == XI_NO_FILTER)
		ret->surely_other = none;
	else
		ret->or_none = !none;
	return 0;
}

/*
 * As the programs settle it (bpf/frag.bpf.h): certain is what a filter without ports
 * says, if no permit for ports that could be meant stands above it. They keep one
 * bound for all UDP and one for the rest, so this is by list, not by packet.
 */
static void settle_lone(const struct image *image, const struct xi_pkt *pkt,
			struct explain_answer *ret)
{
	const struct filter *f = ret->deciding == XI_NO_FILTER ? NULL
							       : &image->filters[ret->deciding];
	uint32_t bound = XI_NO_FILTER;
	bool udp = pkt->proto == PROTO_UDP;

	for (uint32_t i = 0; i < image->count && bound == XI_NO_FILTER; i++) {
		const struct filter *other = &image->filters[i];

		if (other->family == 4 && other->dir == pkt->dir &&
		    other->action == XI_ACT_PERMIT && !filter_portless(other) &&
		    (!other->proto_given || (other->proto == PROTO_UDP) == udp))
			bound = i;
	}
	ret->lone_action = f ? f->action : XI_ACT_NONE;
	ret->lone = pkt->family == 4 && (!f || filter_portless(f)) && ret->deciding <= bound
			    ? EXPLAIN_LONE_DECIDED
			    : EXPLAIN_LONE_UNDECIDED;
	if (ret->lone == EXPLAIN_LONE_UNDECIDED &&
	    (pkt->family == 6 || ret->lone_action == XI_ACT_NEGOTIATE))
		ret->lone_action = XI_ACT_BLOCK;
}

/* An address that is not the one is the most common miss, and goes behind all others. */
static int add_near(struct explain_answer *ret, struct explain_rows *far, uint32_t index,
		    unsigned wrong)
{
	struct explain_rows *rows = wrong & (EXPLAIN_REMOTE | EXPLAIN_LOCAL) ? far : &ret->near;

	if (!one_bit(wrong) || wrong & (EXPLAIN_DIR | EXPLAIN_FAMILY))
		return 0;
	ret->near_count++;
	return rows->count < EXPLAIN_NEAR_MAX ? add_row(rows, index, wrong) : 0;
}

/* Shadowed filters cover the packet where those do that beat them, and lose. */
static int add_shadowed(const struct image *image, const struct explain_question *q,
			struct explain_rows *matches)
{
	int err = 0;

	for (size_t i = image->count; i < image->count + image->shadowed && !err; i++) {
		const struct filter *f = &image->filters[i];
		struct explain_fit fit = explain_fit(f, q);
		size_t at;

		if (!assumed(f, fit))
			continue;
		err = add_row(matches, i, fit.open);
		for (at = matches->count - 1; !err && at > 0; at--) {
			if (filter_compare(&image->filters[matches->v[at - 1].index], f) < 0)
				break;
			matches->v[at] = matches->v[at - 1];
			matches->v[at - 1] = (struct explain_row){i, fit.open};
		}
	}
	return err;
}

int explain(const struct image *image, const struct explain_question *q, bool near,
	    struct explain_answer *ret)
{
	struct explain_rows some = {0}, far = {0};
	bool sure = false, open = false;
	int err = 0;

	*ret = (struct explain_answer){.deciding = XI_NO_FILTER};
	for (uint32_t i = 0; i < image->count && !err; i++) {
		const struct filter *f = &image->filters[i];
		struct explain_fit fit = explain_fit(f, q);

		if (assumed(f, fit)) {
			if (ret->deciding == XI_NO_FILTER)
				ret->deciding = i;
			err = add_row(&ret->matches, i, fit.open);
		}
		if (!err && !fit.wrong && !sure)
			err = add_row(&some, i, fit.open);
		open |= !sure && !fit.wrong && fit.open;
		sure |= !fit.wrong && !fit.open;
		if (near && !err)
			err = add_near(ret, &far, i, fit.wrong);
	}
	if (!err)
		err = add_shadowed(image, q, &ret->matches);
	for (size_t i = 0; i < far.count && ret->near.count < EXPLAIN_NEAR_MAX && !err; i++)
		err = add_row(&ret->near, far.v[i].index, far.v[i].fields);
	if (q->pkt.flags & XI_PKT_LATER_FRAG)
		settle_lone(image, &q->pkt, ret);
	if (!err && open)
		err = find_depends(image, q, &some, sure, ret);
	free(some.v);
	free(far.v);
	return err;
}

void explain_free(struct explain_answer *answer)
{
	free(answer->matches.v);
	free(answer->depends.v);
	free(answer->near.v);
}
