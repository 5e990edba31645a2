/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pair of security associations as IKE negotiates it and a backend carries
 * it. Fixed size and without pointers: it crosses process borders as it is.
 * Whoever holds one zeroes it when done (it has the keys in it).
 */
#ifndef XIPSEC_SA_H
#define XIPSEC_SA_H

#include <stdbool.h>
#include <stdint.h>

#include <xipsec/addr.h>
#include <xipsec/algs.h>

enum xi_mode { XI_MODE_TRANSPORT, XI_MODE_TUNNEL };

#define XI_KEY_MAX 64 /* longest cipher key with salt, or integrity key */

/*
 * What a pair of SAs may carry (RFC 4301 4.4.1.1), seen from this host.
 * In transport mode the prefixes are the two hosts.
 */
struct xi_selector {
	struct xi_prefix local, remote;
	uint16_t local_port, remote_port; /* host order, 0 = any */
	uint8_t proto;			  /* 0 = any */
};

struct xi_sa_half {
	uint32_t spi;			/* host order, >= 256 */
	uint8_t cipher_key[XI_KEY_MAX]; /* key, then salt for AEAD */
	uint8_t integ_key[XI_KEY_MAX];
};

struct xi_sa_params {
	uint32_t id;   /* given by sa/, unique while the daemon lives; 0 = none yet */
	uint32_t rule; /* index of the rule in the policy generation below */
	uint32_t generation;
	uint32_t replaces;	      /* id of the SA pair that this one rekeys, or 0 */
	struct xi_addr local, remote; /* outer addresses */
	struct xi_selector sel;
	uint8_t protocol; /* 50 ESP, 51 AH */
	enum xi_mode mode;
	enum xi_cipher cipher;
	enum xi_integ integ; /* NONE for AEAD */
	enum xi_group pfs;
	struct xi_sa_half in, out;
	bool initiator; /* this host started the negotiation */
	bool esn;
	uint16_t replay_window;	       /* packets; 0 = no anti-replay */
	uint32_t lifetime_s;	       /* hard; 0 = none */
	uint32_t lifetime_kb;	       /* hard; 0 = none */
	uint64_t ike_spi_i, ike_spi_r; /* the IKE SA it was made under */
	uint32_t ifindex; /* where its packets leave, for per-interface workers; 0 = unknown */
	uint32_t pad;
};

/* What a backend counts; read by sa/ and shown by view/. */
struct xi_sa_stats {
	uint32_t id;
	uint64_t in_packets, in_bytes, out_packets, out_bytes;
	uint64_t in_replay, in_icv, in_selector, in_other;
	uint64_t out_seq;
	uint64_t last_used_ms; /* CLOCK_MONOTONIC, 0 = never */
};

#endif
