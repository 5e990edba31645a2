/* SPDX-License-Identifier: BSD-2-Clause */
/* See ike_walk.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/wire/payload.h"
#include "ike/wire/sa1.h"
#include "tests/lib/ike_walk.h"

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #cond);   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static bool inside(struct wire_slice part, struct wire_slice whole)
{
	return !part.len || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	CHECK(len < size);
	for (size_t i = 0; i < len; i++)
		CHECK(text[i] >= ' ' && text[i] < 0x7f);
}

/* A phase 1 and a phase 2 reading of any SA payload: one of them at least is wrong, both are safe.
 */
static void walk_sa1(struct wire_slice body)
{
	static struct wire_sa_p1 p1;
	static struct wire_sa_p2 p2;
	char text[64];

	if (!wire_sa_p1_parse(body, &p1, NULL)) {
		CHECK(p1.count <= WIRE_TRANSFORMS_MAX);
		for (unsigned i = 0; i < p1.count; i++) {
			CHECK(inside(p1.transform[i].whole, body));
			CHECK(inside(p1.transform[i].gss_id, body));
			check_text(wire_transform1_text(&p1.transform[i], text, sizeof(text)),
				   sizeof(text));
			CHECK(wire_transform1_same(&p1.transform[i], &p1.transform[i]));
		}
	}
	if (!wire_sa_p2_parse(body, &p2, NULL)) {
		CHECK(p2.proposals <= WIRE_PROPOSALS_MAX && p2.count <= WIRE_TRANSFORMS_MAX);
		for (unsigned i = 0; i < p2.proposals; i++) {
			CHECK(inside(p2.proposal[i].spi, body));
			CHECK(p2.proposal[i].first + p2.proposal[i].count <= p2.count);
			CHECK(i + wire_sa_p2_bundle(&p2, i) <= p2.proposals);
		}
		for (unsigned i = 0; i < p2.count; i++) {
			CHECK(inside(p2.transform[i].whole, body));
			check_text(wire_transform2_text(&p2.transform[i], text, sizeof(text)),
				   sizeof(text));
		}
	}
}

static void walk_id(unsigned major, struct wire_slice body)
{
	struct xi_prefix prefix;
	char text[WIRE_TEXT];
	struct wire_id id;

	CHECK(!wire_id_parse(major, body, &id, NULL));
	CHECK(inside(id.data, body));
	check_text(wire_id_text(&id, text), sizeof(text));
	if (!wire_id_prefix(&id, &prefix))
		CHECK(prefix.len <= (prefix.addr.family == 4 ? 32 : 128));
}

static void walk_notify(unsigned major, struct wire_slice body)
{
	struct wire_notify notify;
	char text[WIRE_TEXT];

	CHECK(!wire_notify_parse(major, body, &notify, NULL));
	CHECK(inside(notify.spi, body) && inside(notify.data, body));
	check_text(wire_notify_text(major, &notify, text), sizeof(text));
}

static void walk_delete(unsigned major, struct wire_slice body)
{
	struct wire_delete del;

	CHECK(!wire_delete_parse(major, body, &del, NULL));
	CHECK(del.count <= WIRE_DELETE_SPI_MAX);
	for (unsigned i = 0; i < del.count; i++)
		CHECK(inside(wire_delete_spi(&del, i), body));
}

/* The payload passed its validator, so its reader must accept it. */
static void walk_payload(unsigned major, const struct wire_payload *payload)
{
	struct wire_slice body = payload->body, rest;
	struct wire_fragment fragment;
	enum ike_vendor vendor;
	struct wire_cert cert;
	struct xi_addr addr;
	struct wire_ke ke;

	switch (payload->type) {
	case IKE_PAYLOAD_SA:
		walk_sa1(body);
		break;
	case IKE_PAYLOAD_KE:
	case IKE_PAYLOAD_V2_KE:
		CHECK(!wire_ke_parse(major, body, &ke, NULL) && inside(ke.data, body));
		break;
	case IKE_PAYLOAD_ID:
	case IKE_PAYLOAD_V2_IDI:
	case IKE_PAYLOAD_V2_IDR:
		walk_id(major, body);
		break;
	case IKE_PAYLOAD_CERT:
	case IKE_PAYLOAD_CERTREQ:
	case IKE_PAYLOAD_V2_CERT:
	case IKE_PAYLOAD_V2_CERTREQ:
		CHECK(!wire_cert_parse(body, &cert, NULL) && inside(cert.data, body));
		break;
	case IKE_PAYLOAD_NOTIFY:
	case IKE_PAYLOAD_V2_NOTIFY:
		walk_notify(major, body);
		break;
	case IKE_PAYLOAD_DELETE:
	case IKE_PAYLOAD_V2_DELETE:
		walk_delete(major, body);
		break;
	case IKE_PAYLOAD_VID:
	case IKE_PAYLOAD_V2_VID:
		if (!ike_vendor_match(body, &vendor, &rest))
			CHECK(ike_vendor_name(vendor) && inside(rest, body));
		break;
	case IKE_PAYLOAD_NATOA:
	case IKE_PAYLOAD_NATOA_DRAFT:
		CHECK(!wire_natoa_parse(body, &addr, NULL));
		break;
	case IKE_PAYLOAD_FRAGMENT:
		CHECK(!wire_fragment_parse(body, &fragment, NULL) && inside(fragment.data, body));
		break;
	}
}

int ike_walk_chain(unsigned major, uint8_t first, const uint8_t *p, size_t len,
		   enum wire_padding padding, struct wire_error *err)
{
	struct wire_slice all = {p, len};
	struct wire_chain chain;
	char text[80];
	int rc = wire_chain_parse(major, first, p, len, padding, &chain, err);

	if (rc)
		return rc;
	CHECK(chain.count + chain.unknown <= WIRE_PAYLOADS_MAX);
	CHECK(inside(chain.trailing, all) && (padding == WIRE_PADDED || !chain.trailing.len));
	for (unsigned i = 0; i < chain.count; i++) {
		CHECK(inside(chain.payload[i].whole, all));
		walk_payload(major, &chain.payload[i]);
	}
	check_text(wire_chain_text(&chain, text, sizeof(text)), sizeof(text));
	return 0;
}

int ike_walk(const uint8_t *msg, size_t len, struct wire_error *err)
{
	struct ike_header hdr;
	int rc = wire_header_parse(msg, len, &hdr, err);

	if (rc)
		return rc;
	/* Behind an encrypted version 1 header there is nothing to read without keys. */
	if (hdr.major == 1 && hdr.flags & IKE_FLAG1_ENCRYPTED)
		return 0;
	return ike_walk_chain(hdr.major, hdr.next_payload, msg + WIRE_HEADER_LEN,
			      len - WIRE_HEADER_LEN, WIRE_EXACT, err);
}
