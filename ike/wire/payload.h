/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Payloads other than SA: a validator and a reader for each, and the writers
 * that are more than raw bytes. A reader validates by itself, so it may be
 * called on any slice; slices in the results point into the message.
 * All readers: 0, or -EBADMSG with a reason; *ret untouched on failure.
 * RFC 2408 section 3, RFC 2407 4.6, RFC 3947, RFC 7296 section 3.
 */
#ifndef IKE_WIRE_PAYLOAD_H
#define IKE_WIRE_PAYLOAD_H

#include <xipsec/addr.h>

#include "ike/wire/buf.h"
#include "ike/wire/names.h"

#define WIRE_NONCE_MIN	    8
#define WIRE_NONCE_MAX	    256
#define WIRE_DELETE_SPI_MAX 1024 /* SPIs in one Delete */
#define WIRE_TEXT	    256	 /* a buffer for the _text functions */

/* The validator of a payload type, by major version; 1 = no validator for this type. */
int wire_validate(unsigned major, uint8_t type, struct wire_slice body, struct wire_error *err);

/* Key exchange. Version 1 has no group field (ret->group is 0). */
struct wire_ke {
	uint16_t group;
	struct wire_slice data;
};
int wire_ke_parse(unsigned major, struct wire_slice body, struct wire_ke *ret,
		  struct wire_error *err);

/* Identification. In version 2 protocol and port are 0. */
struct wire_id {
	uint8_t type;	  /* enum ike_id_type, or a number we do not know */
	uint8_t protocol; /* 0 = any */
	uint16_t port;	  /* host order, 0 = any */
	struct wire_slice data;
};
int wire_id_parse(unsigned major, struct wire_slice body, struct wire_id *ret,
		  struct wire_error *err);
/*
 * An address, subnet, or range that is exactly one prefix. -EINVAL for other
 * kinds of identity, -ERANGE for a range or mask that is no prefix.
 */
int wire_id_prefix(const struct wire_id *id, struct xi_prefix *ret);
/* "192.0.2.1", "10.0.0.0/8", "west.example" (unprintable bytes as \xNN), with "tcp/443" style
 * "[proto 6 port 443]" behind when there is one. */
const char *wire_id_text(const struct wire_id *id, char buf[WIRE_TEXT]);
/* Writes a version 1 ID payload: a whole-length prefix as an address, else as a subnet. */
void wire_put_id1_prefix(struct wire_buf *wb, const struct xi_prefix *prefix, uint8_t protocol,
			 uint16_t port);
void wire_put_id1(struct wire_buf *wb, uint8_t type, uint8_t protocol, uint16_t port,
		  const void *data, size_t len);

/* CERT and CERTREQ have the same layout. */
struct wire_cert {
	uint8_t encoding; /* enum ike_cert_encoding */
	struct wire_slice data;
};
int wire_cert_parse(struct wire_slice body, struct wire_cert *ret, struct wire_error *err);

struct wire_notify {
	uint32_t doi; /* version 1 only */
	uint8_t protocol;
	uint16_t type;
	struct wire_slice spi, data;
};
int wire_notify_parse(unsigned major, struct wire_slice body, struct wire_notify *ret,
		      struct wire_error *err);
/* Version 1, DOI IPsec. spi may be NULL with spi_len 0. */
void wire_put_notify1(struct wire_buf *wb, uint8_t protocol, const void *spi, size_t spi_len,
		      uint16_t type, const void *data, size_t len);
/* "NO-PROPOSAL-CHOSEN for esp spi c0ffee01". */
const char *wire_notify_text(unsigned major, const struct wire_notify *notify, char buf[WIRE_TEXT]);

struct wire_delete {
	uint32_t doi; /* version 1 only */
	uint8_t protocol;
	uint8_t spi_size;	/* 16 for a version 1 IKE SA (both cookies), 4 for AH and ESP */
	uint16_t count;		/* at most WIRE_DELETE_SPI_MAX */
	struct wire_slice spis; /* count * spi_size bytes */
};
int wire_delete_parse(unsigned major, struct wire_slice body, struct wire_delete *ret,
		      struct wire_error *err);
/* The nth SPI, n < count. */
struct wire_slice wire_delete_spi(const struct wire_delete *del, unsigned n);
/* Version 1, DOI IPsec; spis is count * spi_size bytes in network order. */
void wire_put_delete1(struct wire_buf *wb, uint8_t protocol, uint8_t spi_size, const void *spis,
		      uint16_t count);

/* NAT original address, RFC 3947 5.2. */
int wire_natoa_parse(struct wire_slice body, struct xi_addr *ret, struct wire_error *err);
void wire_put_natoa(struct wire_buf *wb, uint8_t type, const struct xi_addr *addr);

/* The fragment payload of Microsoft and Cisco (type 132). */
struct wire_fragment {
	uint16_t id;
	uint8_t number; /* from 1 */
	bool last;
	struct wire_slice data;
};
int wire_fragment_parse(struct wire_slice body, struct wire_fragment *ret, struct wire_error *err);

#endif
