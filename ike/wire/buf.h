/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes in and bytes out. A slice borrows from a message and never owns; a
 * wire_buf writes into the caller's memory and never past it.
 */
#ifndef IKE_WIRE_BUF_H
#define IKE_WIRE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/bytes.h"

struct wire_slice {
	const uint8_t *p;
	size_t len;
};

/*
 * Why a message was refused. `why` is a static sentence without a full stop,
 * fit for a log; `payload` is the payload type it is about (0 = the header).
 * Every parser takes one, and NULL is fine. It is written on failure only.
 */
struct wire_error {
	const char *why;
	uint8_t payload;
};

/* Fills err when there is one and returns -EBADMSG. */
int wire_bad(struct wire_error *err, uint8_t payload, const char *why);

/*
 * A writer. After the first write that does not fit, `overflow` is set and
 * nothing more is written; callers check once, at wire_msg_end().
 */
struct wire_buf {
	uint8_t *p;
	size_t cap, len;
	bool overflow;
	size_t next_at; /* offset of the next-payload byte that the next payload fills in */
};

void wire_buf_init(struct wire_buf *wb, void *mem, size_t cap);
void wire_put(struct wire_buf *wb, const void *data, size_t len);
void wire_put8(struct wire_buf *wb, uint8_t value);
void wire_put16(struct wire_buf *wb, uint16_t value);
void wire_put32(struct wire_buf *wb, uint32_t value);
/* Appends len zero bytes and returns their offset (0 after an overflow). */
size_t wire_put_zero(struct wire_buf *wb, size_t len);
/* Overwrites bytes already written; out of range sets overflow. */
void wire_patch(struct wire_buf *wb, size_t at, const void *data, size_t len);
void wire_patch16(struct wire_buf *wb, size_t at, uint16_t value);

#endif
