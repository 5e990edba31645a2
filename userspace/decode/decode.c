/* SPDX-License-Identifier: BSD-2-Clause */
/* From a captured packet to an IKE message as far as it can be read; see decode.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode.h"
#include "ike/wire/sa1.h"

#define PORT_IKE  500
#define PORT_NATT 4500

struct session {
	uint8_t cookie_i[8];
	struct decode_v1 *v1;
};

struct decode {
	const struct decode_keys *keys;
	struct decode_ip *ip;
	size_t sessions;
	struct session session[DECODE_SESSIONS_MAX];
	struct wire_chain chain;
	uint8_t plain[DECODE_MESSAGE_MAX];
};

struct decode *decode_new(const struct decode_keys *keys)
{
	struct decode *decode = calloc(1, sizeof(*decode));

	if (!decode)
		return NULL;
	decode->keys = keys;
	decode->ip = decode_ip_new();
	if (!decode->ip) {
		free(decode);
		return NULL;
	}
	return decode;
}

void decode_free(struct decode *decode)
{
	if (!decode)
		return;
	for (size_t i = 0; i < decode->sessions; i++)
		decode_v1_free(decode->session[i].v1);
	decode_ip_free(decode->ip);
	free(decode);
}

/* The place of a session by its initiator cookie; NULL when the table is full. */
static struct session *find_session(struct decode *decode, const uint8_t *cookie_i)
{
	struct session *session;

	for (size_t i = 0; i < decode->sessions; i++)
		if (!memcmp(decode->session[i].cookie_i, cookie_i, 8))
			return &decode->session[i];
	if (decode->sessions == DECODE_SESSIONS_MAX)
		return NULL;
	session = &decode->session[decode->sessions++];
	memcpy(session->cookie_i, cookie_i, 8);
	return session;
}

/* Notes the types of a chain up to its first fault. */
static void add_types(struct decoded *msg, uint8_t first, struct wire_slice chain)
{
	struct wire_payload payload;
	struct wire_iter it;

	wire_iter_init(&it, first, chain.p, chain.len);
	while (msg->type_count < DECODE_TYPES_MAX && wire_iter_next(&it, &payload, NULL) > 0) {
		msg->types[msg->type_count++] = payload.type;
		if (payload.type == IKE_PAYLOAD_SA || payload.type == IKE_PAYLOAD_V2_SA)
			msg->type_count += wire_sa_outline(
				payload.type == IKE_PAYLOAD_SA ? 1 : 2, payload.body,
				msg->types + msg->type_count, DECODE_TYPES_MAX - msg->type_count);
	}
}

static void decrypt_v1(struct decode *decode, struct session *session, struct decoded *msg,
		       struct wire_slice body)
{
	const struct decode_key *key = decode_keys_find(decode->keys, 1, &msg->hdr);
	struct wire_error err;
	int rc;

	msg->encrypted = true;
	if (!key || !session || body.len > sizeof(decode->plain))
		return;
	rc = decode_v1_decrypt(session->v1, key, &msg->hdr, body, decode->plain);
	if (rc == -EBADMSG)
		msg->problem = "encrypted bytes that are not whole blocks";
	if (rc < 0)
		return;
	msg->decrypted = true;
	msg->repeated = rc;
	msg->plain_first = msg->hdr.next_payload;
	msg->plain = (struct wire_slice){decode->plain, body.len};
	add_types(msg, msg->hdr.next_payload, msg->plain);
	if (wire_chain_parse(1, msg->hdr.next_payload, msg->plain.p, msg->plain.len, WIRE_PADDED,
			     &decode->chain, &err))
		msg->problem = err.why;
}

static void decrypt_v2(struct decode *decode, struct decoded *msg, struct wire_slice whole)
{
	const struct decode_key *key = decode_keys_find(decode->keys, 2, &msg->hdr);
	const struct wire_payload *sk = wire_chain_find(&decode->chain, IKE_PAYLOAD_V2_SK, 0);
	bool initiator = msg->hdr.flags & IKE_FLAG2_INITIATOR;
	uint8_t first;
	struct wire_error err;
	size_t len;
	int rc;

	if (!sk)
		return;
	msg->encrypted = true;
	if (!key || sk->body.len > sizeof(decode->plain))
		return;
	first = sk->next;
	rc = decode_v2_decrypt(key, whole, sk->body, initiator, decode->plain, &len);
	if (rc == -EBADMSG)
		msg->problem = "the integrity check fails with this key";
	if (rc)
		return;
	msg->decrypted = true;
	msg->plain_first = first;
	msg->plain = (struct wire_slice){decode->plain, len};
	add_types(msg, first, msg->plain);
	if (wire_chain_parse(2, first, msg->plain.p, len, WIRE_EXACT, &decode->chain, &err))
		msg->problem = err.why;
}

static void read_message(struct decode *decode, struct wire_slice whole, struct decoded *msg)
{
	struct wire_slice body = {whole.p + WIRE_HEADER_LEN, whole.len - WIRE_HEADER_LEN};
	struct session *session;
	struct wire_error err;
	struct ike_header hdr;

	/* A faulty header is no reason not to show what follows it, but nothing is learnt. */
	if (wire_header_parse(whole.p, whole.len, &hdr, &err))
		msg->problem = err.why;
	session = msg->problem ? NULL : find_session(decode, msg->hdr.cookie_i);
	if (msg->hdr.major == 1 && msg->hdr.flags & IKE_FLAG1_ENCRYPTED) {
		decrypt_v1(decode, session, msg, body);
		return;
	}
	msg->clear_first = msg->hdr.next_payload;
	msg->clear = body;
	add_types(msg, msg->hdr.next_payload, body);
	if (msg->problem)
		return;
	if (wire_chain_parse(msg->hdr.major, msg->hdr.next_payload, body.p, body.len, WIRE_EXACT,
			     &decode->chain, &err)) {
		msg->problem = err.why;
		return;
	}
	if (msg->hdr.major == 2)
		decrypt_v2(decode, msg, whole);
	else if (session)
		decode_v1_learn(&session->v1, msg, &decode->chain);
}

/* Is this datagram IKE? Takes the non-ESP marker off (RFC 3948 2.2). */
static bool is_ike(struct decode_udp *udp, bool *ret_marker)
{
	static const uint8_t marker[4];
	bool natt = udp->sport == PORT_NATT || udp->dport == PORT_NATT;

	if (!natt && udp->sport != PORT_IKE && udp->dport != PORT_IKE)
		return false;
	*ret_marker = natt;
	if (!natt)
		return udp->len > 1; /* one byte is a NAT keepalive */
	if (udp->len < sizeof(marker) || memcmp(udp->p, marker, sizeof(marker)))
		return false;
	udp->p += sizeof(marker);
	udp->len -= sizeof(marker);
	return true;
}

int decode_packet(struct decode *decode, const struct capture_packet *packet, struct decoded *ret)
{
	struct decode_udp udp;
	struct wire_slice whole;
	struct wire_error err;
	bool marker;

	if (decode_ip_feed(decode->ip, packet, &udp) <= 0 || !is_ike(&udp, &marker))
		return 0;
	memset(ret, 0, sizeof(*ret));
	ret->frame = packet->number;
	ret->src = udp.src;
	ret->dst = udp.dst;
	ret->sport = udp.sport;
	ret->dport = udp.dport;
	ret->marker = marker;
	whole = (struct wire_slice){udp.p, udp.len};
	if (wire_header_read(whole.p, whole.len, &ret->hdr, &err))
		ret->problem = err.why;
	else
		read_message(decode, whole, ret);
	return 1;
}
