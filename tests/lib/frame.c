/* SPDX-License-Identifier: BSD-2-Clause */
/* See frame.h. Checksums are not filled in: nothing under test reads them. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/lib/frame.h"

static void put16(struct frame *f, size_t at, uint16_t value)
{
	f->data[at] = value >> 8;
	f->data[at + 1] = value;
}

static void put32(struct frame *f, size_t at, uint32_t value)
{
	put16(f, at, value >> 16);
	put16(f, at + 2, value);
}

static void put_ethernet(struct frame *f, const struct frame_spec *spec, uint16_t type)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	memcpy(f->data, macs, sizeof(macs));
	f->len = 12;
	for (unsigned i = 0; i < spec->vlans; i++) {
		put16(f, f->len, spec->tpid ? spec->tpid : 0x8100);
		put16(f, f->len + 2, 100 + i);
		f->len += 4;
	}
	put16(f, f->len, type);
	f->len += 2;
	f->l3 = f->len;
}

/* The upper-layer header; its length is what the protocol needs at least. */
static void put_upper(struct frame *f, const struct frame_spec *spec)
{
	size_t at = f->l4 = f->len;

	if (spec->frag_off) {
		f->len += spec->payload;
		return;
	}
	switch (spec->proto) {
	case PROTO_TCP:
		f->data[at + 12] = 5 << 4;
		f->len += 20;
		break;
	case PROTO_UDP:
	case 136: /* UDP-Lite */
		f->len += 8;
		put16(f, at + 4, 8 + spec->payload);
		break;
	case 33:  /* DCCP */
	case 132: /* SCTP */
		f->len += 12;
		break;
	case 1:
	case PROTO_ICMP6:
		f->data[at] = spec->icmp_type;
		f->data[at + 1] = spec->icmp_code;
		f->len += 8 + spec->payload;
		return;
	case PROTO_ESP:
		put32(f, at, spec->spi);
		f->len += 32 + spec->payload;
		return;
	case PROTO_AH:
		f->data[at] = PROTO_TCP;
		f->data[at + 1] = 4;
		put32(f, at + 4, spec->spi);
		f->len += 24 + spec->payload;
		return;
	default:
		f->len += spec->payload;
		return;
	}
	put16(f, at, spec->sport);
	put16(f, at + 2, spec->dport);
	f->len += spec->payload;
}

static void build4(struct frame *f, const struct frame_spec *spec)
{
	size_t ip;

	put_ethernet(f, spec, 0x0800);
	ip = f->l3;
	f->data[ip] = 0x40 | (5 + spec->options);
	put16(f, ip + 4, spec->ident);
	put16(f, ip + 6, spec->frag_off | (spec->frag_more ? 0x2000 : 0));
	f->data[ip + 8] = spec->hops ? spec->hops : 64;
	f->data[ip + 9] = spec->proto;
	inet_pton(AF_INET, spec->src, f->data + ip + 12);
	inet_pton(AF_INET, spec->dst, f->data + ip + 16);
	memset(f->data + ip + 20, 1, spec->options * 4); /* no operation */
	f->len += 20 + spec->options * 4;
	put_upper(f, spec);
	put16(f, ip + 2, f->len - ip);
}

static void build6(struct frame *f, const struct frame_spec *spec)
{
	size_t ip, next;

	put_ethernet(f, spec, 0x86dd);
	ip = f->l3;
	f->data[ip] = 0x60;
	next = ip + 6;
	f->data[ip + 7] = spec->hops ? spec->hops : 64;
	inet_pton(AF_INET6, spec->src, f->data + ip + 8);
	inet_pton(AF_INET6, spec->dst, f->data + ip + 24);
	f->len += 40;
	for (unsigned i = 0; i < spec->exts; i++) {
		size_t at = f->len;

		f->data[next] = spec->ext[i];
		next = at;
		f->len += 8;
		if (spec->ext[i] == 44) {
			put16(f, at + 2, spec->frag_off << 3 | !!spec->frag_more);
			put32(f, at + 4, spec->ident);
		} else {
			f->data[at + 1] = spec->ext_len / 8;
			f->len += spec->ext_len;
		}
	}
	f->data[next] = spec->proto;
	put_upper(f, spec);
	put16(f, ip + 4, f->len - ip - 40);
}

void frame_build(struct frame *ret, const struct frame_spec *spec)
{
	memset(ret, 0, sizeof(*ret));
	if (strchr(spec->src, ':'))
		build6(ret, spec);
	else
		build4(ret, spec);
	ret->len += spec->trailer;
}
