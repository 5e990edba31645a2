/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets in pieces against the model of whole ones. Random filter lists, random
 * datagrams, cut at random, shuffled, doubled, overlapped: each piece goes through
 * the real ingress program, what passes to a receiver that puts pieces together
 * as Linux does, and, where the kernel reassembles before the verdict, the result
 * through the real netfilter program; there some pieces also come by without us.
 * Whatever is delivered must be a packet that the model lets pass.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/verdict_host.h"

#define PEER4	"192.0.2.9"
#define PEER6	"2001:db8::9"
#define FRIEND4 "203.0.113.5"
#define PIECES	48
#define L4_MAX	2048

/* ---------------------------------------------------------------- the host */

static struct verdict_host host;

static void frames_are_for_this_host(void)
{
	/* As frame_build() addresses them. */
	struct xi_iface iface = {.mac = {2, 0, 0, 0, 0, 1}};
	uint32_t ifindex = LO;

	assert_int_equal(bpf_map_update_elem(host.dp->map[DP_MAP_IFACE], &ifindex, &iface, 0), 0);
}

static void reassembly(bool on)
{
	if (on)
		host.dp->ctl->flags |= XI_CTL_DEFRAG4 | XI_CTL_DEFRAG6;
	else
		host.dp->ctl->flags &= ~(XI_CTL_DEFRAG4 | XI_CTL_DEFRAG6);
}

static const struct filter_spec one_filter[] = {{XI_DIR_IN, XI_ACT_BLOCK, NULL, "me"}};
static uint16_t next_ident = 1;

static int open_host(void **state)
{
	verdict_host_open(&host, one_filter, 1);
	frames_are_for_this_host();
	return 0;
}

static int close_host(void **state)
{
	return verdict_host_close(&host);
}

/* --------------------------------------------------------------- random packets */

static uint64_t seed;

static unsigned below(unsigned limit)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % limit;
}

static bool chance(unsigned percent)
{
	return below(100) < percent;
}

#define PICK(array) ((array)[below(sizeof(array) / sizeof(*(array)))])

static const uint16_t some_ports[] = {7, 8, 9};
static const uint8_t some_protos[] = {PROTO_UDP, PROTO_UDP, PROTO_TCP, 1, 200};

static struct filter_spec random_filter(bool six)
{
	static const char *const remote4[] = {NULL, NULL, "192.0.2.0/24", PEER4};
	static const char *const remote6[] = {"::/0", "::/0", "2001:db8::/32", PEER6};
	static const char *const local[] = {NULL, "me", "me"};
	struct filter_spec spec = {
		.dir = XI_DIR_IN,
		.action = XI_ACT_PERMIT + below(3),
		.remote = six ? PICK(remote6) : PICK(remote4),
		.local = PICK(local),
		.proto = chance(70) ? PICK(some_protos) : 0,
	};

	if (six && spec.proto == 1)
		spec.proto = PROTO_ICMP6;
	if (spec.proto == 1 || spec.proto == PROTO_ICMP6)
		spec.icmp_type = chance(50) ? 1 + PICK(some_ports) : 0;
	else if ((spec.proto == PROTO_UDP || spec.proto == PROTO_TCP) && chance(75))
		spec.local_port = PICK(some_ports);
	if (spec.local_port && chance(20))
		spec.remote_port = PICK(some_ports);
	spec.passthrough = spec.action == XI_ACT_NEGOTIATE && chance(20);
	return spec;
}

static bool same_selector(const struct filter_spec *a, const struct filter_spec *b)
{
	return a->remote == b->remote && a->local == b->local && a->proto == b->proto &&
	       a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       a->icmp_type == b->icmp_type;
}

static struct image *random_list(void)
{
	struct filter_spec list[24];
	size_t count = 0, want = below(24);

	for (size_t i = 0; i < want; i++) {
		struct filter_spec spec = random_filter(chance(50));
		bool known = false;

		for (size_t k = 0; k < count && !known; k++)
			known = same_selector(&list[k], &spec);
		if (!known)
			list[count++] = spec;
	}
	return filters_compile(list, count);
}

/* A whole packet, and what of it can be cut. */
struct whole {
	struct frame frame;
	struct xi_pkt pkt;
	bool six;
	uint32_t ident;
	size_t start, len; /* of that; IPv6: with the headers that go along */
	uint8_t proto;	   /* of what begins there */
};

static void random_packet(struct whole *ret)
{
	struct frame_spec spec = {
		.sport = PICK(some_ports),
		.dport = PICK(some_ports),
		.icmp_type = PICK(some_ports),
		.proto = PICK(some_protos),
		.payload = below(8) ? 30 + below(400) : 1200,
	};
	struct testrun_result parsed;

	ret->six = chance(50);
	if (ret->six && spec.proto == 1)
		spec.proto = PROTO_ICMP6;
	if (ret->six && chance(30)) {
		spec.exts = 1;
		spec.ext[0] = 60;
	}
	spec.src = ret->six ? (chance(50) ? PEER6 : "2001:db9::1") : chance(50) ? PEER4 : FRIEND4;
	spec.dst = ret->six ? ME6 : ME4;
	ret->ident = spec.ident = next_ident++;
	frame_build(&ret->frame, &spec);
	for (size_t i = ret->frame.l4 + 20; i < ret->frame.len; i++)
		ret->frame.data[i] = i;
	ret->start = ret->frame.l3 + (ret->six ? 40 : 20);
	ret->len = ret->frame.len - ret->start;
	ret->proto = ret->frame.data[ret->frame.l3 + (ret->six ? 6 : 9)];
	parsed = verdict_of_frame(host.run, XI_HOOK_XDP_INGRESS, &ret->frame);
	assert_true(parsed.ip);
	ret->pkt = parsed.pkt;
}

static bool model_lets_pass(const struct image *image, const struct xi_pkt *pkt)
{
	struct xi_verdict verdict = model_classify(image, pkt);

	if (verdict.action == XI_ACT_NEGOTIATE)
		return image->filters[verdict.filter_idx].passthrough;
	return verdict.action != XI_ACT_BLOCK;
}

/* ------------------------------------------------------------------- the pieces */

struct piece {
	size_t at, len;
	bool more;
	const uint8_t *data;
	uint8_t proto;
};

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void piece_frame(const struct whole *whole, const struct piece *piece, struct frame *ret)
{
	const struct frame *from = &whole->frame;
	uint8_t *ip = ret->data + from->l3, *data = ret->data + whole->start;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->data, from->data, whole->start);
	ret->l3 = from->l3;
	if (whole->six) {
		uint8_t *frag = data;

		data += 8;
		frag[0] = piece->proto;
		put16(frag + 2, piece->at | piece->more);
		put16(frag + 4, whole->ident >> 16);
		put16(frag + 6, whole->ident);
		ip[6] = 44;
		put16(ip + 4, 8 + piece->len);
	} else {
		put16(ip + 2, 20 + piece->len);
		put16(ip + 6, piece->at / 8 | (piece->more ? 0x2000 : 0));
	}
	memcpy(data, piece->data, piece->len);
	ret->len = data + piece->len - ret->data;
}

/* At eight-byte boundaries; clean: with all of the headers in the first piece. */
static unsigned cut(const struct whole *whole, bool clean, struct piece *p)
{
	unsigned n = 0;
	size_t at = 0;

	while (at < whole->len) {
		size_t left = whole->len - at, len = 8 * (1 + below(chance(50) ? 4 : 40));

		if (clean && !at && len < 32)
			len = 32;
		if (len > left || n == PIECES - 8)
			len = left;
		p[n++] = (struct piece){.at = at,
					.len = len,
					.more = len < left,
					.data = whole->frame.data + whole->start + at,
					.proto = whole->proto};
		at += len;
	}
	return n;
}

/* Adds what no decent sender sends. */
static unsigned spoil(const struct whole *whole, struct piece *p, unsigned n)
{
	static uint8_t evil[4][L4_MAX];

	for (unsigned i = 0; i < 4 && chance(70); i++) {
		unsigned k = below(n);
		struct piece more = p[k];

		memcpy(evil[i], more.data, more.len);
		more.data = evil[i];
		switch (below(5)) {
		case 0: /* other ports, over the same place */
			more = p[0];
			memcpy(evil[i], p[0].data, p[0].len);
			more.data = evil[i];
			put16(evil[i] + 2, PICK(some_ports));
			evil[i][0] = PICK(some_ports);
			break;
		case 1: /* over its neighbours, too */
			more.at = below(whole->len) & ~7u;
			more.more = true;
			more.len = 8 + 8 * below(6);
			memset(evil[i], 7 + below(3), more.len);
			break;
		case 2: /* says that the packet ends here */
			more.more = false;
			break;
		case 3: /* says that it is of another protocol */
			more.proto = PICK(some_protos);
			break;
		default: /* just once more */
			break;
		}
		p[n++] = more;
	}
	return n;
}

static void shuffle(struct piece *p, unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned k = below(i);
		struct piece tmp = p[k];

		p[k] = p[i - 1];
		p[i - 1] = tmp;
	}
}

/* ------------------------------------------------------------------ the receiver */

/*
 * As Linux puts packets together: a piece within what is there already is a copy and is
 * ignored, one that overlaps in another way ends the packet (RFC 5722; Linux holds
 * IPv4 to it too).
 */
struct queue {
	uint8_t data[L4_MAX], have[L4_MAX];
	size_t total;  /* 0: not known */
	uint8_t proto; /* of the first piece */
	bool dead;
};

static void queue_add(struct queue *q, const struct piece *piece)
{
	size_t end = piece->at + piece->len;
	unsigned held = 0;

	/* One that contradicts where the packet ends, too. */
	if (end > L4_MAX || (q->total && (end > q->total || (!piece->more && end < q->total))) ||
	    (!piece->more && memchr(q->have + end, 1, L4_MAX - end))) {
		q->dead = true;
		return;
	}
	for (size_t i = 0; i < piece->len; i++)
		held += q->have[piece->at + i];
	if (held == piece->len)
		return;
	if (held) {
		q->dead = true;
		return;
	}
	memcpy(q->data + piece->at, piece->data, piece->len);
	memset(q->have + piece->at, 1, piece->len);
	if (!piece->more)
		q->total = piece->at + piece->len;
	if (!piece->at)
		q->proto = piece->proto;
}

static bool queue_complete(const struct queue *q)
{
	size_t have = 0;

	if (q->dead || !q->total)
		return false;
	for (size_t i = 0; i < L4_MAX; i++)
		have += q->have[i];
	return have == q->total && q->have[q->total - 1];
}

/* What comes whole, or of IPv4 with another protocol, is no piece of this one. */
static bool another_packet(const struct whole *whole, const struct piece *piece)
{
	return (!piece->at && !piece->more) || (!whole->six && piece->proto != whole->proto);
}

/* The packet that the receiver has now, as a frame. */
static void queue_frame(const struct whole *whole, const struct queue *q, struct frame *ret)
{
	*ret = whole->frame;
	memcpy(ret->data + whole->start, q->data, q->total);
	ret->len = whole->start + q->total;
	if (whole->six) {
		ret->data[ret->l3 + 6] = q->proto;
		put16(ret->data + ret->l3 + 4, q->total);
	} else {
		ret->data[ret->l3 + 9] = q->proto;
		put16(ret->data + ret->l3 + 2, 20 + q->total);
	}
}

/* ------------------------------------------------------------- the netfilter program */

/* struct nf_hook_state, as a test run takes it: hook and family, the rest zero. */
struct hook_state {
	uint8_t hook, pf;
	uint8_t rest[46];
};

static bool netfilter_accepts(const struct frame *frame, bool six)
{
	struct hook_state hook = {.pf = six ? 10 : 2};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->data, .data_size_in = frame->len,
		    .ctx_in = &hook, .ctx_size_in = sizeof(hook), .repeat = 1);
	uint32_t index = XI_PROG_INDEX(XI_HOOK_NF_INGRESS, host.dp->ctl->active & 1), id;
	int fd, err;

	assert_int_equal(bpf_map_lookup_elem(host.dp->map[DP_MAP_NF_SLOTS], &index, &id), 0);
	fd = bpf_prog_get_fd_by_id(id);
	assert_true(fd >= 0);
	err = bpf_prog_test_run_opts(fd, &opts);
	close(fd);
	assert_int_equal(err, 0);
	return opts.retval;
}

/* -------------------------------------------------------------------- properties */

struct score {
	unsigned packets, delivered, pieces, up, sideways;
};

enum outcome { LOST, DELIVERED, NOT_OURS };

/*
 * Sends the pieces. Some may come sideways, over an interface that nobody filters:
 * a packet that comes by there whole is NOT_OURS.
 */
static enum outcome send_pieces(const struct whole *whole, const struct piece *p, unsigned n,
				bool up, bool literal, const struct image *image, struct frame *ret,
				struct score *score)
{
	bool sideways = up && chance(40), ours = false;
	static struct queue q;
	struct frame frame;

	memset(&q, 0, sizeof(q));
	for (unsigned i = 0; i < n; i++) {
		struct testrun_result result = {.reason = XI_REASON_REASSEMBLY};

		piece_frame(whole, &p[i], &frame);
		if (sideways && chance(60))
			score->sideways++;
		else
			result = verdict_of_frame(host.run, XI_HOOK_XDP_INGRESS, &frame);
		score->pieces++;
		if (result.fate != TESTRUN_PASS)
			continue;
		ours = ours || result.ip;
		if (result.reason == XI_REASON_REASSEMBLY)
			score->up += result.ip;
		else if (literal) /* no piece passes where its packet may not */
			assert_true(model_lets_pass(image, &whole->pkt));
		if (another_packet(whole, &p[i]))
			continue;
		queue_add(&q, &p[i]);
		if (!queue_complete(&q))
			continue;
		queue_frame(whole, &q, ret);
		if (up && !netfilter_accepts(ret, whole->six))
			return LOST;
		return ours ? DELIVERED : NOT_OURS;
	}
	return LOST;
}

/* What the ingress program reads in the whole frame, so the model judges the same. */
static struct xi_pkt parse(const struct frame *frame)
{
	return verdict_of_frame(host.run, XI_HOOK_XDP_INGRESS, frame).pkt;
}

static void pieces_against_the_model(bool up)
{
	unsigned lists = getenv("XI_FULL") ? 400 : getenv("XI_QUICK") ? 8 : 40;
	struct score score = {0};
	static struct whole whole;
	static struct frame frame;
	struct piece p[PIECES + 8];

	seed = getenv("XI_SEED") ? strtoull(getenv("XI_SEED"), NULL, 0) : 20261122;
	for (unsigned l = 0; l < lists; l++) {
		struct image *image = random_list();

		assert_int_equal(datapath_swap(host.dp, image, NULL), 0);
		for (unsigned k = 0; k < 90; k++) {
			bool clean = chance(40), in_order = chance(40), passes;
			enum outcome outcome;
			unsigned n;

			reassembly(false);
			random_packet(&whole);
			passes = model_lets_pass(image, &whole.pkt);
			reassembly(up);
			n = cut(&whole, clean, p);
			if (n < 2)
				continue;
			if (!clean)
				n = spoil(&whole, p, n);
			if (!in_order || !clean)
				shuffle(p, n);
			outcome = send_pieces(&whole, p, n, up, clean, image, &frame, &score);
			score.packets++;
			score.delivered += outcome == DELIVERED;
			reassembly(false);
			if (outcome == DELIVERED) {
				struct xi_pkt pkt = parse(&frame);

				assert_true(model_lets_pass(image, &pkt));
				assert_true(!clean || passes);
			}
			/* And what is permitted does arrive. */
			if (clean && passes && (up || in_order))
				assert_int_not_equal(outcome, LOST);
		}
		image_free(image);
	}
	print_message("%u packets in %u pieces, %u went up, %u came sideways: %u were delivered\n",
		      score.packets, score.pieces, score.up, score.sideways, score.delivered);
	assert_int_equal(datapath_swap(host.dp, host.image, NULL), 0);
}

static void alone_no_piece_passes_that_must_not(void **state)
{
	pieces_against_the_model(false);
}

static void put_together_nothing_passes_that_must_not(void **state)
{
	int err = host.dp->nf_prog < 0 ? dp_nf_load(host.dp) : 0;

	if (err) {
		print_message("this kernel does not load the netfilter program (%s)\n",
			      strerror(-err));
		skip();
	}
	pieces_against_the_model(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_no_piece_passes_that_must_not),
		cmocka_unit_test(put_together_nothing_passes_that_must_not),
	};

	return cmocka_run_group_tests(tests, open_host, close_host);
}
