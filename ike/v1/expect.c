/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The payloads of every message, in one table: how many at least, how many at
 * most, and which comes first. A message that breaks it is dropped before it
 * has any effect (RFC 2408 5; RFC 2409 5.1 and 5.5).
 */
#include <stdint.h>

#include "ike/v1/v1.h"

struct expected {
	uint8_t type, least, most;
};

#define EXPECTED_MAX 8
#define MANY	     WIRE_PAYLOADS_MAX

static const struct {
	uint8_t first; /* payload that must come first, 0 = any */
	uint8_t second;
	struct expected payload[EXPECTED_MAX];
} table[] = {
	[V1_MSG_MM1... V1_MSG_MM2] = {IKE_PAYLOAD_SA,
				      0,
				      {{IKE_PAYLOAD_SA, 1, 1},
				       {IKE_PAYLOAD_VID, 0, MANY},
				       {IKE_PAYLOAD_NOTIFY, 0, MANY}}},
	[V1_MSG_MM34] = {0,
			 0,
			 {{IKE_PAYLOAD_KE, 1, 1},
			  {IKE_PAYLOAD_NONCE, 1, 1},
			  {IKE_PAYLOAD_VID, 0, MANY},
			  {IKE_PAYLOAD_CERTREQ, 0, MANY},
			  {IKE_PAYLOAD_NATD, 0, MANY},
			  {IKE_PAYLOAD_NATD_DRAFT, 0, MANY}}},
	[V1_MSG_MM56] = {0,
			 0,
			 {{IKE_PAYLOAD_ID, 1, 1},
			  {IKE_PAYLOAD_HASH, 1, 1},
			  {IKE_PAYLOAD_NOTIFY, 0, MANY},
			  {IKE_PAYLOAD_VID, 0, MANY},
			  {IKE_PAYLOAD_CERTREQ, 0, MANY}}},
	[V1_MSG_QM1... V1_MSG_QM2] = {IKE_PAYLOAD_HASH,
				      IKE_PAYLOAD_SA,
				      {{IKE_PAYLOAD_HASH, 1, 1},
				       {IKE_PAYLOAD_SA, 1, 1},
				       {IKE_PAYLOAD_NONCE, 1, 1},
				       {IKE_PAYLOAD_KE, 0, 1},
				       {IKE_PAYLOAD_ID, 0, 2},
				       {IKE_PAYLOAD_NOTIFY, 0, MANY},
				       {IKE_PAYLOAD_VID, 0, MANY}}},
	[V1_MSG_QM3] = {IKE_PAYLOAD_HASH,
			0,
			{{IKE_PAYLOAD_HASH, 1, 1}, {IKE_PAYLOAD_NOTIFY, 0, MANY}}},
	[V1_MSG_INFO_HASHED] = {IKE_PAYLOAD_HASH,
				0,
				{{IKE_PAYLOAD_HASH, 1, 1},
				 {IKE_PAYLOAD_NONCE, 0, 1},
				 {IKE_PAYLOAD_NOTIFY, 0, MANY},
				 {IKE_PAYLOAD_DELETE, 0, MANY}}},
	[V1_MSG_INFO_PLAIN] = {0,
			       0,
			       {{IKE_PAYLOAD_NOTIFY, 0, MANY},
				{IKE_PAYLOAD_DELETE, 0, MANY},
				{IKE_PAYLOAD_VID, 0, MANY}}},
};

static bool has_place(const struct expected *payload, uint8_t type)
{
	for (unsigned i = 0; i < EXPECTED_MAX; i++) {
		if (payload[i].type && payload[i].type == type)
			return true;
	}
	return false;
}

int v1_expect(enum v1_message message, const struct wire_chain *chain, struct wire_error *err)
{
	const struct expected *payload = table[message].payload;
	uint8_t first = table[message].first, second = table[message].second;

	if (!chain->count || (first && chain->payload[0].type != first))
		return wire_bad(err, first, "the message does not begin with this payload");
	if (second && (chain->count < 2 || chain->payload[1].type != second))
		return wire_bad(err, second, "this payload does not follow HASH");
	if (chain->unknown)
		return wire_bad(err, 0, "a payload of an unknown type");
	for (unsigned i = 0; i < chain->count; i++) {
		if (chain->payload[i].whole.p[1]) /* RFC 2408 5.3 */
			return wire_bad(err, chain->payload[i].type,
					"the reserved field is not zero");
		if (!has_place(payload, chain->payload[i].type))
			return wire_bad(err, chain->payload[i].type,
					"does not belong into this message");
	}
	for (unsigned i = 0; i < EXPECTED_MAX && payload[i].type; i++) {
		unsigned count = wire_chain_count(chain, payload[i].type);

		if (count < payload[i].least)
			return wire_bad(err, payload[i].type, "this mandatory payload is missing");
		if (count > payload[i].most)
			return wire_bad(err, payload[i].type, "this payload comes too often");
	}
	if ((message == V1_MSG_QM1 || message == V1_MSG_QM2) &&
	    wire_chain_count(chain, IKE_PAYLOAD_ID) == 1)
		return wire_bad(err, IKE_PAYLOAD_ID, "one identity where two or none belong");
	return 0;
}
