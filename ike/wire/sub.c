/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proposals, transforms and attributes as structure: the walk that both SA
 * payload versions share, and the validators built on it. Meaning is sa1.c's.
 */
#include <errno.h>

#include "ike/wire/sub.h"

#define PROPOSAL_LEN   8
#define TRANSFORM1_LEN 8
#define TRANSFORM2_LEN 8
#define ATTR_LEN       4
#define ATTR_BASIC     0x8000

int wire_sub_next(struct wire_slice *rest, uint8_t more, size_t min, struct wire_slice *ret,
		  struct wire_error *err)
{
	const uint8_t payload = IKE_PAYLOAD_SA;
	size_t len;

	if (!rest->len)
		return 0;
	if (rest->len < min)
		return wire_bad(err, payload, "a proposal or transform is cut short");
	len = get_be16(rest->p + 2);
	if (len < min)
		return wire_bad(err, payload, "a proposal or transform is shorter than its header");
	if (len > rest->len)
		return wire_bad(err, payload, "a proposal or transform runs past the end");
	if (rest->p[0] != more && rest->p[0] != 0)
		return wire_bad(err, payload, "a proposal or transform of an impossible type");
	if ((rest->p[0] == 0) != (len == rest->len))
		return wire_bad(err, payload, "the last proposal or transform is not marked so");
	*ret = (struct wire_slice){rest->p, len};
	rest->p += len;
	rest->len -= len;
	return 1;
}

int wire_proposal_next(struct wire_slice *rest, struct wire_proposal *ret,
		       struct wire_slice *ret_transforms, struct wire_error *err)
{
	struct wire_slice whole;
	size_t spi_len;
	int rc = wire_sub_next(rest, IKE_PAYLOAD_PROPOSAL, PROPOSAL_LEN, &whole, err);

	if (rc <= 0)
		return rc;
	spi_len = whole.p[6];
	if (spi_len > WIRE_SPI_MAX)
		return wire_bad(err, IKE_PAYLOAD_SA, "an SPI longer than 16 bytes");
	if (spi_len > whole.len - PROPOSAL_LEN)
		return wire_bad(err, IKE_PAYLOAD_SA, "the SPI runs past its proposal");
	ret->number = whole.p[4];
	ret->protocol = whole.p[5];
	ret->count = whole.p[7];
	ret->first = 0;
	ret->spi = (struct wire_slice){whole.p + PROPOSAL_LEN, spi_len};
	ret->whole = whole;
	*ret_transforms = (struct wire_slice){whole.p + PROPOSAL_LEN + spi_len,
					      whole.len - PROPOSAL_LEN - spi_len};
	return 1;
}

int wire_attr_next(struct wire_slice *attrs, struct wire_attr *ret, struct wire_error *err)
{
	uint16_t head, second;
	size_t len;

	if (!attrs->len)
		return 0;
	if (attrs->len < ATTR_LEN)
		return wire_bad(err, IKE_PAYLOAD_SA, "an attribute is cut short");
	head = get_be16(attrs->p);
	second = get_be16(attrs->p + 2);
	ret->type = head & ~ATTR_BASIC;
	ret->basic = head & ATTR_BASIC;
	if (ret->basic) {
		ret->value = (struct wire_slice){attrs->p + 2, 2};
		len = ATTR_LEN;
	} else {
		if (second > attrs->len - ATTR_LEN)
			return wire_bad(err, IKE_PAYLOAD_SA, "an attribute runs past the end");
		ret->value = (struct wire_slice){attrs->p + ATTR_LEN, second};
		len = ATTR_LEN + (size_t)second;
	}
	attrs->p += len;
	attrs->len -= len;
	return 1;
}

int wire_attr_number(const struct wire_attr *attr, uint32_t *ret)
{
	uint64_t value = 0;

	if (!attr->value.len || attr->value.len > sizeof(value))
		return -EINVAL;
	for (size_t i = 0; i < attr->value.len; i++)
		value = value << 8 | attr->value.p[i];
	*ret = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
	return 0;
}

int wire_attrs_check(struct wire_slice attrs, struct wire_error *err)
{
	struct wire_attr attr;
	unsigned count = 0;
	int rc;

	while ((rc = wire_attr_next(&attrs, &attr, err)) > 0)
		if (++count > WIRE_ATTRS_MAX)
			return wire_bad(err, IKE_PAYLOAD_SA, "too many attributes");
	return rc;
}

/* Transforms of one proposal: the count must be what the proposal says. */
static int transforms_check(const struct wire_proposal *proposal, struct wire_slice rest,
			    size_t header, unsigned *total, struct wire_error *err)
{
	struct wire_slice whole;
	unsigned count = 0;
	int rc;

	while ((rc = wire_sub_next(&rest, IKE_PAYLOAD_TRANSFORM, header, &whole, err)) > 0) {
		struct wire_slice attrs = {whole.p + header, whole.len - header};

		count++;
		if (++*total > WIRE_TRANSFORMS_MAX)
			return wire_bad(err, IKE_PAYLOAD_SA, "too many transforms");
		rc = wire_attrs_check(attrs, err);
		if (rc)
			return rc;
	}
	if (rc)
		return rc;
	if (count != proposal->count)
		return wire_bad(err, IKE_PAYLOAD_SA,
				"the number of transforms is not as announced");
	return 0;
}

static int proposals_check(struct wire_slice rest, size_t transform_header, bool empty_ok,
			   struct wire_error *err)
{
	struct wire_slice transforms;
	struct wire_proposal proposal;
	unsigned count = 0, total = 0;
	int rc;

	while ((rc = wire_proposal_next(&rest, &proposal, &transforms, err)) > 0) {
		if (++count > WIRE_PROPOSALS_MAX)
			return wire_bad(err, IKE_PAYLOAD_SA, "too many proposals");
		if (!proposal.count && !empty_ok)
			return wire_bad(err, IKE_PAYLOAD_SA, "a proposal without a transform");
		rc = transforms_check(&proposal, transforms, transform_header, &total, err);
		if (rc)
			return rc;
	}
	if (rc)
		return rc;
	return count ? 0 : wire_bad(err, IKE_PAYLOAD_SA, "no proposal");
}

int wire_sa1_check(struct wire_slice body, struct wire_error *err)
{
	if (body.len < 8)
		return wire_bad(err, IKE_PAYLOAD_SA, "no room for DOI and situation");
	/* Another DOI or a labelled situation lays out what follows in its own way. */
	if (get_be32(body.p) != IKE_DOI_IPSEC || get_be32(body.p + 4) != IKE_SIT_IDENTITY)
		return 0;
	return proposals_check((struct wire_slice){body.p + 8, body.len - 8}, TRANSFORM1_LEN, false,
			       err);
}

int wire_sa2_check(struct wire_slice body, struct wire_error *err)
{
	return proposals_check(body, TRANSFORM2_LEN, true, err);
}

unsigned wire_sa_outline(unsigned major, struct wire_slice body, uint8_t *ret, unsigned cap)
{
	size_t skip = major == 1 ? 8 : 0, header = major == 1 ? TRANSFORM1_LEN : TRANSFORM2_LEN;
	struct wire_slice transforms, whole;
	struct wire_proposal proposal;
	unsigned count = 0;

	if (body.len < skip)
		return 0;
	body.p += skip;
	body.len -= skip;
	while (count < cap && wire_proposal_next(&body, &proposal, &transforms, NULL) > 0) {
		ret[count++] = IKE_PAYLOAD_PROPOSAL;
		while (count < cap &&
		       wire_sub_next(&transforms, IKE_PAYLOAD_TRANSFORM, header, &whole, NULL) > 0)
			ret[count++] = IKE_PAYLOAD_TRANSFORM;
	}
	return count;
}
