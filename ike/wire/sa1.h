/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SA payload of IKEv1: proposals, transforms and their attributes, read
 * and written for phase 1 (RFC 2409 appendix A) and phase 2 (RFC 2407 4.5).
 *
 * A list that is broken as bytes is -EBADMSG. A transform that is well formed
 * but says something we cannot follow (unknown attribute, the same attribute
 * twice, a life duration without a type, a cipher that is not ours) is kept and
 * marked: `problem` is a static sentence. Only transforms with problem == NULL
 * may be chosen; the others are for the report to the operator.
 */
#ifndef IKE_WIRE_SA1_H
#define IKE_WIRE_SA1_H

#include <xipsec/algs.h>

#include "ike/wire/buf.h"
#include "ike/wire/names.h"

#define WIRE_TRANSFORMS_MAX 128 /* in one SA payload, all proposals; more is refused */
#define WIRE_PROPOSALS_MAX  64
#define WIRE_ATTRS_MAX	    32 /* in one transform; more is refused */
#define WIRE_SPI_MAX	    16

/* One data attribute (RFC 2408 3.3). */
struct wire_attr {
	uint16_t type; /* without the AF bit */
	bool basic;    /* two-byte value inside the header (TV) */
	struct wire_slice value;
};

/* 1 and an attribute, 0 at the end, -EBADMSG. *attrs moves forward. */
int wire_attr_next(struct wire_slice *attrs, struct wire_attr *ret, struct wire_error *err);
/*
 * The value as a number, TV or TLV of up to 8 bytes. Values above UINT32_MAX
 * give UINT32_MAX (a lifetime that long is as good as none). -EINVAL when empty or longer.
 */
int wire_attr_number(const struct wire_attr *attr, uint32_t *ret);

/*
 * The proposals (2) and transforms (3) inside an SA payload of either version, in order, as the
 * payload types they are in version 1. Stops at the first fault. Returns how many, at most cap.
 */
unsigned wire_sa_outline(unsigned major, struct wire_slice body, uint8_t *ret, unsigned cap);

struct wire_proposal {
	uint8_t number;	  /* equal numbers are AND, different ones OR */
	uint8_t protocol; /* enum ike_protocol1 */
	struct wire_slice spi;
	unsigned first, count; /* its transforms in the list of the SA */
	struct wire_slice whole;
};

/* ------------------------------------------------------------------ phase 1 */

struct wire_transform1 {
	uint8_t proposal; /* number of the proposal it stands in */
	uint8_t number;	  /* its own number */
	uint8_t id;	  /* KEY_IKE = 1 */
	/* Attribute values as sent; 0 = absent. */
	uint16_t cipher, key_bits, hash, auth, group, prf;
	uint32_t life_s, life_kb;
	struct wire_slice gss_id; /* attribute 16384 */
	unsigned unknown;	  /* attributes not understood */
	uint16_t first_unknown;
	/* What it means to us. Valid only when problem is NULL. */
	const char *problem;
	enum xi_cipher xi_cipher;
	enum xi_integ xi_hash;
	enum xi_group xi_group;
	struct wire_slice whole; /* with its header: what the responder sends back unchanged */
};

struct wire_sa_p1 {
	uint32_t doi, situation;
	unsigned proposals, count;
	struct wire_transform1 transform[WIRE_TRANSFORMS_MAX]; /* in the order of preference sent */
};

/*
 * body is the SA payload's. Proposals that are not for ISAKMP are -EBADMSG (RFC 2409 section 5:
 * phase 1 negotiates nothing else). doi and situation are reported, not judged.
 */
int wire_sa_p1_parse(struct wire_slice body, struct wire_sa_p1 *ret, struct wire_error *err);

/* Fills the numbers from our enums; key_bits for AES. auth is enum ike_auth1. */
void wire_transform1_set(struct wire_transform1 *t, enum xi_cipher cipher, enum xi_integ hash,
			 enum xi_group group, uint16_t auth, uint32_t life_s);
/*
 * Writes a whole SA payload: one proposal with these transforms, numbered from
 * 1 in order. Life durations that need it are sent as 4-byte TLV.
 */
void wire_put_sa_p1(struct wire_buf *wb, const struct wire_transform1 *t, unsigned count);
/* The responder's SA payload: the chosen transform as it was received, with its attributes. */
void wire_put_sa_p1_chosen(struct wire_buf *wb, const struct wire_transform1 *chosen);
/* "aes256-sha256-modp2048, psk, 28800 s" */
const char *wire_transform1_text(const struct wire_transform1 *t, char *buf, size_t size);
/*
 * Same cipher, key length, hash, auth, group and prf? Lifetimes do not count: this is how an
 * initiator checks that the answer is one of its offers (RFC 2409 section 5).
 */
bool wire_transform1_same(const struct wire_transform1 *a, const struct wire_transform1 *b);

/* ------------------------------------------------------------------ phase 2 */

struct wire_transform2 {
	uint8_t number;
	uint8_t id;			       /* ESP: enum ike_esp_id; AH: an AH transform */
	uint8_t protocol;		       /* of its proposal, enum ike_protocol1 */
	uint16_t encap, auth, key_bits, group; /* attribute values; 0 = absent */
	bool auth_present;		       /* so that NONE (0) and absent can be told apart */
	bool esn;			       /* 64-bit sequence numbers, RFC 4304 */
	uint32_t life_s, life_kb;	       /* 0 = absent: 28800 s and no limit (RFC 2407 4.5) */
	unsigned unknown;
	uint16_t first_unknown;
	const char *problem;	  /* as above */
	enum xi_cipher xi_cipher; /* NULL for AH */
	enum xi_integ xi_integ;	  /* NONE for AEAD */
	enum xi_group xi_group;	  /* NONE = no PFS */
	struct wire_slice whole;
};

struct wire_sa_p2 {
	uint32_t doi, situation;
	unsigned proposals, count;
	struct wire_proposal proposal[WIRE_PROPOSALS_MAX];
	struct wire_transform2 transform[WIRE_TRANSFORMS_MAX];
};

int wire_sa_p2_parse(struct wire_slice body, struct wire_sa_p2 *ret, struct wire_error *err);
/* The number of proposals that share the number of proposal `at` and stand from it on (>= 1). */
unsigned wire_sa_p2_bundle(const struct wire_sa_p2 *sa, unsigned at);

/* ESP from our enums (integ NONE for AEAD). encap is enum ike_encap, lifetimes 0 = leave out. */
void wire_transform2_set(struct wire_transform2 *t, enum xi_cipher cipher, enum xi_integ integ,
			 enum xi_group group, uint16_t encap, uint32_t life_s, uint32_t life_kb);
/*
 * Writes a whole SA payload: one ESP proposal, number 1, with the SPI (host order), its
 * transforms numbered from 1.
 */
void wire_put_sa_p2(struct wire_buf *wb, uint32_t spi, const struct wire_transform2 *t,
		    unsigned count);
/* The responder's: the proposal's number and protocol, our SPI, the chosen transform unchanged. */
void wire_put_sa_p2_chosen(struct wire_buf *wb, const struct wire_proposal *proposal, uint32_t spi,
			   const struct wire_transform2 *chosen);
/* "esp aes256-sha256, transport, pfs modp2048, 3600 s, 100000 kB" */
const char *wire_transform2_text(const struct wire_transform2 *t, char *buf, size_t size);
/* Same protocol, transform, key length, auth, encapsulation mode, group and ESN? */
bool wire_transform2_same(const struct wire_transform2 *a, const struct wire_transform2 *b);

#endif
