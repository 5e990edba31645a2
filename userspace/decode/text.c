/* SPDX-License-Identifier: BSD-2-Clause */
/* Payloads in words, see text.h. Only payloads that pass their validator are told. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "decode/text.h"
#include "ike/wire/payload.h"
#include "ike/wire/sa1.h"

#define LINE_SIZE 512

struct teller {
	const struct decoded *msg;
	unsigned major;
	void (*fn)(void *arg, const char *line);
	void *arg;
};

static void __attribute__((format(printf, 2, 3))) tell(const struct teller *t, const char *fmt, ...)
{
	char line[LINE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	t->fn(t->arg, line);
}

static const char *or_why(const char *problem)
{
	return problem ? problem : "";
}

static void tell_sa_p1(const struct teller *t, struct wire_slice body)
{
	struct wire_sa_p1 *sa = malloc(sizeof(*sa));
	char text[128];

	for (unsigned i = 0; sa && !wire_sa_p1_parse(body, sa, NULL) && i < sa->count; i++)
		tell(t, "transform %u: %s%s%s", sa->transform[i].number,
		     wire_transform1_text(&sa->transform[i], text, sizeof(text)),
		     sa->transform[i].problem ? " - " : "", or_why(sa->transform[i].problem));
	free(sa);
}

static void tell_sa_p2(const struct teller *t, struct wire_slice body)
{
	struct wire_sa_p2 *sa = malloc(sizeof(*sa));
	char text[128];

	if (!sa || wire_sa_p2_parse(body, sa, NULL))
		goto out;
	for (unsigned p = 0; p < sa->proposals; p++) {
		const struct wire_proposal *proposal = &sa->proposal[p];

		tell(t, "proposal %u: spi %08x", proposal->number,
		     proposal->spi.len == 4 ? get_be32(proposal->spi.p) : 0);
		for (unsigned i = proposal->first; i < proposal->first + proposal->count; i++)
			tell(t, "transform %u: %s%s%s", sa->transform[i].number,
			     wire_transform2_text(&sa->transform[i], text, sizeof(text)),
			     sa->transform[i].problem ? " - " : "",
			     or_why(sa->transform[i].problem));
	}
out:
	free(sa);
}

static void tell_delete(const struct teller *t, struct wire_slice body)
{
	char name[IKE_NUMBER_TEXT];
	struct wire_delete del;

	if (wire_delete_parse(t->major, body, &del, NULL))
		return;
	ike_name_or_number(ike_protocol1_name(del.protocol), del.protocol, name);
	if (!del.count)
		tell(t, "delete this %s SA", name);
	for (unsigned i = 0; i < del.count; i++)
		tell(t, "delete %s spi %0*llx", name, del.spi_size == 4 ? 8 : 16,
		     del.spi_size == 4	 ? (unsigned long long)get_be32(wire_delete_spi(&del, i).p)
		     : del.spi_size >= 8 ? (unsigned long long)get_be64(wire_delete_spi(&del, i).p)
					 : 0ull);
}

static void tell_vendor(const struct teller *t, struct wire_slice body)
{
	struct wire_slice rest;
	enum ike_vendor vendor;

	if (ike_vendor_match(body, &vendor, &rest))
		return;
	if (rest.len == 4)
		tell(t, "vendor: %s %u", ike_vendor_name(vendor), get_be32(rest.p));
	else
		tell(t, "vendor: %s", ike_vendor_name(vendor));
}

static void tell_payload(const struct teller *t, const struct wire_payload *payload)
{
	struct wire_notify notify;
	char text[WIRE_TEXT];
	struct wire_id id;

	if (wire_validate(t->major, payload->type, payload->body, NULL))
		return;
	switch (payload->type) {
	case IKE_PAYLOAD_SA:
		if (t->msg->hdr.exchange == IKE_EXCHANGE_QUICK)
			tell_sa_p2(t, payload->body);
		else
			tell_sa_p1(t, payload->body);
		break;
	case IKE_PAYLOAD_ID:
	case IKE_PAYLOAD_V2_IDI:
	case IKE_PAYLOAD_V2_IDR:
		if (!wire_id_parse(t->major, payload->body, &id, NULL))
			tell(t, "identity: %s", wire_id_text(&id, text));
		break;
	case IKE_PAYLOAD_NOTIFY:
	case IKE_PAYLOAD_V2_NOTIFY:
		if (!wire_notify_parse(t->major, payload->body, &notify, NULL))
			tell(t, "notify: %s", wire_notify_text(t->major, &notify, text));
		break;
	case IKE_PAYLOAD_DELETE:
	case IKE_PAYLOAD_V2_DELETE:
		tell_delete(t, payload->body);
		break;
	case IKE_PAYLOAD_VID:
	case IKE_PAYLOAD_V2_VID:
		tell_vendor(t, payload->body);
		break;
	}
}

static void tell_chain(const struct teller *t, unsigned first, struct wire_slice chain)
{
	struct wire_payload payload;
	struct wire_iter it;

	wire_iter_init(&it, (uint8_t)first, chain.p, chain.len);
	while (wire_iter_next(&it, &payload, NULL) > 0)
		tell_payload(t, &payload);
}

void decode_details(const struct decoded *msg, void (*fn)(void *arg, const char *line), void *arg)
{
	const struct teller t = {msg, msg->hdr.major, fn, arg};

	if (t.major != 1 && t.major != 2)
		return;
	tell_chain(&t, msg->clear_first, msg->clear);
	tell_chain(&t, msg->plain_first, msg->plain);
}
