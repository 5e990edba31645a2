/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ISAKMP header (RFC 2408 3.1, RFC 7296 3.1) and the one payload iterator
 * of the program, used for version 1 and 2 chains, clear and decrypted alike.
 *
 * Reading:  wire_header_parse() on the datagram (without the non-ESP marker),
 *           then wire_chain_parse() on what follows the header, or, for an
 *           encrypted version 1 message, on the decrypted bytes with
 *           WIRE_PADDED. After it every stored payload has passed the validator
 *           of its type; the parsers of payload.h and sa1.h then interpret.
 * Writing:  wire_msg_begin(), for each payload wire_payload_begin() ... _end(),
 *           wire_msg_end().
 */
#ifndef IKE_WIRE_MSG_H
#define IKE_WIRE_MSG_H

#include "ike/wire/buf.h"
#include "ike/wire/names.h"

#define WIRE_HEADER_LEN	  28
#define WIRE_COOKIE_LEN	  8
#define WIRE_PAYLOADS_MAX 64  /* in one chain; more is refused */
#define WIRE_PADDING_MAX  255 /* trailing bytes allowed behind a decrypted chain */

struct ike_header {
	uint8_t cookie_i[WIRE_COOKIE_LEN], cookie_r[WIRE_COOKIE_LEN];
	uint8_t next_payload;
	uint8_t major, minor;
	uint8_t exchange;
	uint8_t flags;
	uint32_t message_id; /* host order */
	uint32_t length;     /* of the whole message, header included */
};

/*
 * The header of a message to act on: at least 28 bytes, a major version of 1 or 2, an initiator
 * cookie that is not zero, and a length field that is exactly len. -EBADMSG otherwise; for a major
 * version above 2 -EPROTONOSUPPORT, with *ret filled so that the caller can answer
 * INVALID-MAJOR-VERSION.
 */
int wire_header_parse(const void *msg, size_t len, struct ike_header *ret, struct wire_error *err);
/*
 * Only reads the fields: -EBADMSG below 28 bytes, nothing else is judged. For showing what came;
 * whoever acts on a message uses wire_header_parse().
 */
int wire_header_read(const void *msg, size_t len, struct ike_header *ret, struct wire_error *err);
/* A cookie as the big-endian number that the views print. */
uint64_t wire_cookie_number(const uint8_t cookie[WIRE_COOKIE_LEN]);

struct wire_payload {
	uint8_t type;		 /* of this payload */
	uint8_t next;		 /* next-payload field of its generic header */
	bool critical;		 /* version 2 only; ignored in version 1 */
	struct wire_slice body;	 /* behind the generic header; what RFC 2409 calls <P>_b */
	struct wire_slice whole; /* with the generic header */
};

/*
 * Goes over the generic headers and trusts nothing: a payload length below 4 or
 * beyond the end, a header cut short and more than WIRE_PAYLOADS_MAX payloads
 * end the walk with -EBADMSG. Reserved bits are not looked at: version 2 ignores
 * them (RFC 7296 2.5), and who acts on a version 1 message refuses them (RFC 2408
 * 5.3). A version 2 SK or SKF payload is the last one whatever its next-payload
 * field says (that field names the first payload inside).
 */
struct wire_iter {
	const uint8_t *p;
	size_t left; /* bytes not consumed: after the end, padding or garbage */
	uint8_t next;
	unsigned count;
};

void wire_iter_init(struct wire_iter *it, uint8_t first, const void *p, size_t len);
/* 1 and a payload, 0 at the end of the chain, -EBADMSG. */
int wire_iter_next(struct wire_iter *it, struct wire_payload *ret, struct wire_error *err);

enum wire_padding {
	WIRE_EXACT,  /* the chain must end where the bytes end */
	WIRE_PADDED, /* decrypted version 1: up to WIRE_PADDING_MAX bytes may follow */
};

struct wire_chain {
	unsigned count;
	struct wire_payload payload[WIRE_PAYLOADS_MAX];
	unsigned unknown;	  /* payloads of a type without a validator: counted, not stored */
	uint8_t critical_unknown; /* version 2: first unknown type marked critical, or 0 */
	struct wire_slice trailing;
};

/*
 * Walks the chain and runs the validator of each payload's type (`major` picks
 * which types exist). The payloads point into p. 0 or -EBADMSG.
 */
int wire_chain_parse(unsigned major, uint8_t first, const void *p, size_t len,
		     enum wire_padding padding, struct wire_chain *ret, struct wire_error *err);
/* The nth payload (from 0) of a type, or NULL. */
const struct wire_payload *wire_chain_find(const struct wire_chain *chain, uint8_t type,
					   unsigned nth);
unsigned wire_chain_count(const struct wire_chain *chain, uint8_t type);
/* "SA, VID, VID" as the log shows a chain; always terminated, cut if need be. */
const char *wire_chain_text(const struct wire_chain *chain, char *buf, size_t size);

/*
 * Starts a message: writes the header with next payload 0 and length 0 (the
 * next_payload and length members of hdr are not used).
 */
void wire_msg_begin(struct wire_buf *wb, const struct ike_header *hdr);
/* Patches the length field. 0, or -EMSGSIZE when anything did not fit. */
int wire_msg_end(struct wire_buf *wb);
/* Sets or clears header flags of a message under construction. */
void wire_msg_set_flags(struct wire_buf *wb, uint8_t flags);

/*
 * Starts a payload: names it in the header before it and writes its generic
 * header. The result goes to wire_payload_end(), which patches the length.
 */
size_t wire_payload_begin(struct wire_buf *wb, uint8_t type);
void wire_payload_end(struct wire_buf *wb, size_t mark);
/* A payload whose body is these bytes: KE (version 1), HASH, SIG, NONCE, VID, NAT-D, ... */
void wire_put_payload(struct wire_buf *wb, uint8_t type, const void *body, size_t len);
/* The same with len zero bytes to be patched later; returns the offset of the body. */
size_t wire_put_payload_zero(struct wire_buf *wb, uint8_t type, size_t len);

/*
 * Pads what follows offset `from` with zero bytes to a multiple of `block`
 * (RFC 2409 appendix B) and returns the length from `from` on, ready to encrypt.
 */
size_t wire_pad(struct wire_buf *wb, size_t from, size_t block);

#endif
