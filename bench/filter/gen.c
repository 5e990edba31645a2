/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters and the traffic for them.
 *
 *   gen disjoint COUNT DIR        filters that every contestant can hold
 *   gen classbench SET DIR        traffic of a ClassBench set (path without .rules.xz)
 *
 * Writes into DIR:
 *   filters     a line each: source prefix, destination prefix, first and last port
 *   hosts       a source address for each filter, for filters of bare addresses
 *   match       flows drawn evenly over the filters; each matches exactly one of them
 *   match-host  the same from the addresses in `hosts`
 *   miss        flows that match no filter, most of them by one field only
 *   miss-src    flows whose source no filter has
 *   miss-port   flows that differ in source, port or protocol
 * ClassBench sets: match is their trace; miss is random headers that the reference
 * classifier gives to no filter, and is empty if the set leaves hardly any.
 *
 * The filters have distinct sources of 24 bits, destinations of 16 to 32 bits, UDP,
 * one port or a range of up to 64. All numbers are drawn from a fixed seed.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <linux/types.h>

#include "../../tests/lib/classbench.h"
#include "compile/image.h"
#include "flow.h"

#define UDP	   17
#define TCP	   6
#define PORT_FIRST 5000	 /* no built-in exemption of anybody is up here, */
#define PORT_LAST  32000 /* and source ports are above */

/* Of one filter of our own; host order. */
struct line {
	uint32_t src, dst; /* src: of 24 bits */
	unsigned dst_len;
	uint16_t lo, hi;
};

static uint64_t state = 0x9e3779b97f4a7c15ull;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 24) % n;
}

/* 0.0.0.0/8, loopback, multicast and above never leave a stack. */
static bool routable(uint32_t addr)
{
	unsigned first = addr >> 24;

	return first && first != 127 && first < 224;
}

/* The i-th of a fixed order of all networks of 24 bits, without those that no stack takes. */
static uint32_t network(uint32_t *next)
{
	uint32_t addr;

	do
		addr = (*next)++ * 0x9e3779b1u << 8;
	while (!routable(addr));
	return addr;
}

static uint32_t mask(unsigned len)
{
	return len ? ~0u << (32 - len) : 0;
}

static uint16_t check(const struct flow *flow)
{
	uint32_t sum = 0x4500 + IP_LEN + (64 << 8 | flow->proto);

	sum += (ntohl(flow->src) >> 16) + (ntohl(flow->src) & 0xffff);
	sum += (ntohl(flow->dst) >> 16) + (ntohl(flow->dst) & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return htons(~sum);
}

static void flow_set(struct flow *ret, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport,
		     uint8_t proto)
{
	*ret = (struct flow){.src = htonl(src),
			     .dst = htonl(dst),
			     .sport = sport,
			     .dport = dport,
			     .proto = proto};
	ret->check = check(ret);
}

static int write_file(const char *dir, const char *name, const void *data, size_t len)
{
	char path[600];
	FILE *file;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "wb");
	if (!file)
		return -errno;
	ok = fwrite(data, 1, len, file) == len;
	return fclose(file) || !ok ? -EIO : 0;
}

static const char *quad(uint32_t addr, char buf[INET_ADDRSTRLEN])
{
	struct in_addr in = {htonl(addr)};

	return inet_ntop(AF_INET, &in, buf, INET_ADDRSTRLEN);
}

static void line_draw(struct line *ret, uint32_t *next)
{
	ret->src = network(next);
	ret->dst_len = 16 + draw(17);
	do
		ret->dst = draw(1u << 31) << 1 | draw(2);
	while (!routable(ret->dst));
	ret->dst &= mask(ret->dst_len);
	ret->lo = PORT_FIRST + draw(PORT_LAST - PORT_FIRST);
	ret->hi = ret->lo + (draw(2) ? 1 + draw(63) : 0);
}

static int write_lines(const char *dir, const struct line *lines, size_t count)
{
	char path[600], a[INET_ADDRSTRLEN], b[INET_ADDRSTRLEN];
	FILE *filters, *hosts;
	bool bad;

	snprintf(path, sizeof(path), "%s/filters", dir);
	filters = fopen(path, "w");
	snprintf(path, sizeof(path), "%s/hosts", dir);
	hosts = fopen(path, "w");
	if (!filters || !hosts)
		return -errno;
	for (size_t i = 0; i < count; i++) {
		const struct line *l = &lines[i];

		fprintf(filters, "%s/24 %s/%u %u %u\n", quad(l->src, a), quad(l->dst, b),
			l->dst_len, l->lo, l->hi);
		fprintf(hosts, "%s\n", quad(l->src | 1, a));
	}
	bad = fclose(filters);
	return fclose(hosts) || bad ? -EIO : 0;
}

static void draw_match(const struct line *l, bool host, struct flow *ret)
{
	uint32_t free_bits = ~mask(l->dst_len);

	flow_set(ret, l->src | (host ? 1 : draw(256)), l->dst | (draw(1u << 16) & free_bits),
		 0x8000 | draw(0x8000), l->lo + draw(l->hi - l->lo + 1), UDP);
}

/* One field leaves the filter; the others still match. */
static void draw_miss(const struct line *l, unsigned field, uint32_t other, struct flow *ret)
{
	uint32_t src = l->src | draw(256), dst = l->dst | (draw(1u << 16) & ~mask(l->dst_len));
	uint16_t dport = l->lo + draw(l->hi - l->lo + 1);
	uint8_t proto = UDP;

	switch (field % 5) {
	case 0:
		src = other | draw(256);
		break;
	case 1: /* the last bit that the filter looks at, or one further up */
		dst ^= 1u << (32 - l->dst_len + (draw(2) ? 0 : draw(l->dst_len - 8)));
		break;
	case 2:
		dport = l->hi + 1;
		break;
	case 3:
		dport = l->lo - 1;
		break;
	case 4:
		proto = TCP;
		break;
	}
	flow_set(ret, src, dst, 0x8000 | draw(0x8000), dport, proto);
}

static int disjoint(size_t count, const char *dir)
{
	struct flow *flows = calloc(FLOWS, sizeof(*flows));
	struct line *lines = calloc(count, sizeof(*lines));
	size_t len = FLOWS * sizeof(*flows);
	uint32_t next = 0;
	int err = -ENOMEM;

	if (!flows || !lines)
		goto out;
	for (size_t i = 0; i < count; i++)
		line_draw(&lines[i], &next);
	err = write_lines(dir, lines, count);
	for (size_t i = 0; i < FLOWS; i++)
		draw_match(&lines[draw(count)], false, &flows[i]);
	if (!err)
		err = write_file(dir, "match", flows, len);
	for (size_t i = 0; i < FLOWS; i++)
		draw_match(&lines[draw(count)], true, &flows[i]);
	if (!err)
		err = write_file(dir, "match-host", flows, len);
	for (size_t i = 0; i < FLOWS; i++)
		draw_miss(&lines[draw(count)], i, network(&next), &flows[i]);
	if (!err)
		err = write_file(dir, "miss", flows, len);
	for (size_t i = 0; i < FLOWS; i++)
		draw_miss(&lines[draw(count)], 0, network(&next), &flows[i]);
	if (!err)
		err = write_file(dir, "miss-src", flows, len);
	for (size_t i = 0; i < FLOWS; i++)
		draw_miss(&lines[draw(count)], i % 4 ? 1 + i % 4 : 0, network(&next), &flows[i]);
	if (!err)
		err = write_file(dir, "miss-port", flows, len);
out:
	free(flows);
	free(lines);
	return err;
}

static uint32_t address(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

static void from_packet(const struct xi_pkt *pkt, struct flow *ret)
{
	flow_set(ret, address(pkt->remote), address(pkt->local), pkt->remote_port, pkt->local_port,
		 pkt->proto);
}

/* Headers that no filter has: half of them a trace's header with one field drawn anew. */
static int set_misses(const struct classbench *set, struct flow *flows, bool *ret_found)
{
	enum { WANTED = 256, TRIES = 16384 };
	struct compile_opts opts = {.no_tables = true};
	struct image *image = NULL;
	size_t found = 0;
	int err = compile_filters(set->filters, set->count, NULL, &opts, &image, NULL);

	if (err)
		return err;
	for (int i = 0; i < TRIES && found < WANTED; i++) {
		struct xi_pkt pkt = set->trace[draw(set->trace_count)];
		uint32_t bits = draw(1u << 31);

		if (i % 2 || i % 8 == 0)
			memcpy(pkt.remote, &bits, 4);
		if (i % 2 || i % 8 == 2)
			memcpy(pkt.local, &bits, 4);
		if (i % 8 == 4)
			pkt.local_port = draw(65536);
		if (i % 8 == 6)
			pkt.remote_port = draw(65536);
		if ((pkt.proto == TCP || pkt.proto == UDP) &&
		    model_classify(image, &pkt).action == XI_ACT_NONE)
			from_packet(&pkt, &flows[found++]);
	}
	for (size_t i = found; found && i < FLOWS; i++)
		flows[i] = flows[i % found];
	*ret_found = found >= WANTED / 8;
	image_free(image);
	return 0;
}

static int classbench(const char *path, const char *dir)
{
	struct flow *flows = calloc(FLOWS, sizeof(*flows));
	struct classbench set = {0};
	bool found = false;
	int err = -ENOMEM;

	if (!flows)
		return err;
	err = classbench_load(path, &set);
	if (err)
		goto out;
	for (size_t i = 0; i < FLOWS; i++)
		from_packet(&set.trace[draw(set.trace_count)], &flows[i]);
	err = write_file(dir, "match", flows, FLOWS * sizeof(*flows));
	if (!err)
		err = set_misses(&set, flows, &found);
	if (!err)
		err = write_file(dir, "miss", flows, found ? FLOWS * sizeof(*flows) : 0);
out:
	classbench_free(&set);
	free(flows);
	return err;
}

int main(int argc, char **argv)
{
	int err = -EINVAL;

	if (argc == 4 && !strcmp(argv[1], "disjoint") && strtoul(argv[2], NULL, 10))
		err = disjoint(strtoul(argv[2], NULL, 10), argv[3]);
	else if (argc == 4 && !strcmp(argv[1], "classbench"))
		err = classbench(argv[2], argv[3]);
	else
		fprintf(stderr, "usage: gen disjoint COUNT DIR | gen classbench SET DIR\n");
	if (err)
		fprintf(stderr, "gen: %s: %s\n", argc > 2 ? argv[2] : "", strerror(-err));
	return err ? 1 : 0;
}
