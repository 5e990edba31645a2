/* SPDX-License-Identifier: BSD-2-Clause */
/* The bounded writer and the small helpers of slices. */
#include <errno.h>
#include <string.h>

#include "ike/wire/buf.h"

int wire_bad(struct wire_error *err, uint8_t payload, const char *why)
{
	if (err) {
		err->why = why;
		err->payload = payload;
	}
	return -EBADMSG;
}

void wire_buf_init(struct wire_buf *wb, void *mem, size_t cap)
{
	*wb = (struct wire_buf){.p = mem, .cap = cap};
}

/* Room for len more bytes, or overflow for good. */
static bool room(struct wire_buf *wb, size_t len)
{
	if (!wb->overflow && len > wb->cap - wb->len)
		wb->overflow = true;
	return !wb->overflow;
}

void wire_put(struct wire_buf *wb, const void *data, size_t len)
{
	if (!len || !room(wb, len))
		return;
	memcpy(wb->p + wb->len, data, len);
	wb->len += len;
}

void wire_put8(struct wire_buf *wb, uint8_t value)
{
	wire_put(wb, &value, 1);
}

void wire_put16(struct wire_buf *wb, uint16_t value)
{
	uint8_t b[2];

	put_be16(b, value);
	wire_put(wb, b, sizeof(b));
}

void wire_put32(struct wire_buf *wb, uint32_t value)
{
	uint8_t b[4];

	put_be32(b, value);
	wire_put(wb, b, sizeof(b));
}

size_t wire_put_zero(struct wire_buf *wb, size_t len)
{
	size_t at = wb->len;

	if (!room(wb, len))
		return 0;
	if (len)
		memset(wb->p + at, 0, len);
	wb->len += len;
	return at;
}

void wire_patch(struct wire_buf *wb, size_t at, const void *data, size_t len)
{
	if (wb->overflow)
		return;
	if (at > wb->len || len > wb->len - at) {
		wb->overflow = true;
		return;
	}
	if (len)
		memcpy(wb->p + at, data, len);
}

void wire_patch16(struct wire_buf *wb, size_t at, uint16_t value)
{
	uint8_t b[2];

	put_be16(b, value);
	wire_patch(wb, at, b, sizeof(b));
}
