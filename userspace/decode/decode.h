/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IKE messages out of captured packets, for `xipsec decode`.
 *
 * ip.c takes the UDP datagram out of a packet and joins IP fragments, v1.c and
 * v2.c decrypt when the key file (keys.c) has the key, text.c says what is inside,
 * decode.c has the order of things. Nothing here is believed: a broken message is
 * shown as far as it goes, with the reason.
 */
#ifndef DECODE_DECODE_H
#define DECODE_DECODE_H

#include <xipsec/addr.h>
#include <xipsec/diag.h>

#include "ike/wire/msg.h"
#include "util/pcap.h"

#define DECODE_TYPES_MAX    512
#define DECODE_MESSAGE_MAX  65536
#define DECODE_SESSIONS_MAX 1024
#define DECODE_KEY_MAX	    64

/* ------------------------------------------------------------------ datagrams */

struct decode_udp {
	struct xi_addr src, dst;
	uint16_t sport, dport;
	const uint8_t *p; /* payload; lives until the next call on the same decode_ip */
	size_t len;
};

struct decode_ip;

struct decode_ip *decode_ip_new(void);
void decode_ip_free(struct decode_ip *ip);
/*
 * 1 and a datagram; 0 when there is none in this packet or it is a fragment
 * whose rest is still to come; -EBADMSG when a header does not fit its packet.
 */
int decode_ip_feed(struct decode_ip *ip, const struct capture_packet *packet,
		   struct decode_udp *ret);

/* ------------------------------------------------------------------ keys */

/* One line of a key file. */
struct decode_key {
	uint8_t spi_i[8], spi_r[8]; /* version 1: spi_r unused */
	unsigned major;
	/* Version 1: the encryption key, alone. Version 2: SK_ei, SK_er, SK_ai, SK_ar. */
	uint8_t ei[DECODE_KEY_MAX], er[DECODE_KEY_MAX], ai[DECODE_KEY_MAX], ar[DECODE_KEY_MAX];
	size_t e_len, a_len;
	char cipher[48], integ[48]; /* as the file names them */
};

struct decode_keys {
	struct decode_key *key;
	size_t count;
};

/*
 * Comma-separated lines: "initiator cookie,key" for version 1 or "SPIi,SPIr,SK_ei,SK_er,cipher,
 * SK_ai,SK_ar,integrity" for version 2, all hex but the two names. -EINVAL with what is wrong in
 * diag, -errno from reading.
 */
int decode_keys_load(const char *path, struct decode_keys *keys, struct diag *diag);
void decode_keys_free(struct decode_keys *keys); /* zeroes */
const struct decode_key *decode_keys_find(const struct decode_keys *keys, unsigned major,
					  const struct ike_header *hdr);

/* ------------------------------------------------------------------ messages */

struct decoded {
	unsigned frame;
	struct xi_addr src, dst;
	uint16_t sport, dport;
	bool marker; /* stood behind a non-ESP marker */
	struct ike_header hdr;
	const char *problem;		     /* NULL = well formed as far as it can be read */
	bool encrypted, decrypted, repeated; /* repeated: a retransmission (version 1, encrypted) */
	unsigned type_count;
	uint8_t types[DECODE_TYPES_MAX];   /* every payload in order, also inside SA and SK */
	unsigned clear_first, plain_first; /* types of the first payload of the two chains */
	struct wire_slice clear, plain;	   /* chains in clear; decrypted, with padding */
};

struct decode;

/* keys may be NULL and must outlive the result. NULL when there is no memory. */
struct decode *decode_new(const struct decode_keys *keys);
void decode_free(struct decode *decode);
/* 1 and a message; 0 when the packet holds none. Slices live until the next call. */
int decode_packet(struct decode *decode, const struct capture_packet *packet, struct decoded *ret);

/*
 * Version 1 keeps state between messages: the exchange's algorithms and public
 * values, from which the first IV comes, and the last block of each exchange.
 */
struct decode_v1;

void decode_v1_free(struct decode_v1 *session);
/* Learns from a message in clear. Creates the session at *session when it has none. */
void decode_v1_learn(struct decode_v1 **session, const struct decoded *msg,
		     const struct wire_chain *chain);
/*
 * Decrypts `in` (all behind the header) to out. 0, 1 when it repeats the message before it,
 * -ENOENT when the session does not know enough, -EBADMSG when it is not whole blocks.
 */
int decode_v1_decrypt(struct decode_v1 *session, const struct decode_key *key,
		      const struct ike_header *hdr, struct wire_slice in, uint8_t *out);
/* Decrypts the SK payload at the end of msg. 0 and the inner chain in out, -ENOENT for an unknown
 * algorithm, -EBADMSG when the integrity check fails. */
int decode_v2_decrypt(const struct decode_key *key, struct wire_slice msg, struct wire_slice sk,
		      bool from_initiator, uint8_t *out, size_t *ret_len);

#endif
