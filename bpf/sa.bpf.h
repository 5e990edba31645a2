/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The two SA tables as packets see them: inbound by SPI, outbound by selector. */
#ifndef XI_SA_BPF_H
#define XI_SA_BPF_H

#include "maps.bpf.h"
#include "run.bpf.h"

/* RFC 4301 4.1: SPI, destination and protocol. */
static __noinline struct xi_sa_in *xi_sa_in_find(const struct xi_run *run)
{
	struct xi_sa_in_key key = {};

	__builtin_memcpy(key.daddr, run->pkt.local, 16);
	__builtin_memcpy(key.spi, run->spi, 4);
	key.family = run->pkt.family;
	key.proto = run->pkt.proto;
	return bpf_map_lookup_elem(&xi_sa_in, &key);
}

/*
 * The most exact SA for this packet; only the forms that exist are tried. Round i
 * is the form of bit i of XI_FORM_*: 0 both ports, 1 the local one, 2 the remote
 * one, 3 the protocol alone, 4 neither.
 */
static __noinline __attribute__((unused)) struct xi_sa_out *xi_sa_out_find(const struct xi_run *run)
{
	struct xi_sa_out_key key = {};
	struct xi_sa_out *sa = NULL;

	__builtin_memcpy(key.remote, run->pkt.remote, 16);
	__builtin_memcpy(key.local, run->pkt.local, 16);
	key.family = run->pkt.family;
	key.proto = run->pkt.proto;
#pragma unroll
	for (int i = 0; i < 5; i++) {
		if (!(run->out_forms & 1u << i))
			continue;
		key.local_port = i < 2 ? run->pkt.local_port : 0;
		key.remote_port = i == 0 || i == 2 ? run->pkt.remote_port : 0;
		key.proto = i < 4 ? run->pkt.proto : 0;
		sa = bpf_map_lookup_elem(&xi_sa_out, &key);
		if (sa)
			break;
	}
	return sa;
}

#endif
