/* SPDX-License-Identifier: BSD-2-Clause */
/* The capture reader, see pcap.h. Formats: draft-ietf-opsawg-pcap and -pcapng. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/pcap.h"

#define FILE_MAX       (1u << 30)
#define INTERFACES_MAX 256

#define BLOCK_SECTION	0x0a0d0d0a
#define BLOCK_INTERFACE 1
#define BLOCK_PACKET	2 /* obsolete, still met */
#define BLOCK_SIMPLE	3
#define BLOCK_ENHANCED	6

struct capture {
	uint8_t *owned; /* NULL for capture_open_mem() */
	const uint8_t *p;
	size_t len, at;
	unsigned number;
	bool ng, swapped;
	uint32_t link_type;  /* classic */
	unsigned interfaces; /* pcapng, of this section */
	uint16_t link_types[INTERFACES_MAX];
	uint32_t snap_lens[INTERFACES_MAX];
};

static uint32_t get32(const struct capture *c, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return c->swapped ? __builtin_bswap32(v) : v;
}

static uint16_t get16(const struct capture *c, const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return c->swapped ? __builtin_bswap16(v) : v;
}

/* Tells the formats apart by their first word. */
static int recognise(struct capture *c)
{
	uint32_t magic;

	if (c->len < 24)
		return -EBADMSG;
	magic = get32(c, c->p);
	if (magic == BLOCK_SECTION) {
		c->ng = true;
		return 0;
	}
	c->swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
	if (!c->swapped && magic != 0xa1b2c3d4 && magic != 0xa1b23c4d)
		return -EBADMSG;
	/* The upper bits hold the frame check sequence's length. */
	c->link_type = get32(c, c->p + 20) & 0x0fffffff;
	c->at = 24;
	return 0;
}

int capture_open_mem(const void *mem, size_t len, struct capture **ret)
{
	struct capture *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->p = mem;
	c->len = len;
	rc = recognise(c);
	if (rc)
		free(c);
	else
		*ret = c;
	return rc;
}

static int read_all(FILE *file, uint8_t **ret, size_t *ret_len)
{
	size_t len = 0, cap = 1u << 16, n;
	uint8_t *mem = malloc(cap), *more;

	while (mem && (n = fread(mem + len, 1, cap - len, file))) {
		len += n;
		if (len < cap)
			continue;
		more = cap < FILE_MAX ? realloc(mem, cap *= 2) : NULL;
		if (!more) {
			free(mem);
			return cap >= FILE_MAX ? -EFBIG : -ENOMEM;
		}
		mem = more;
	}
	if (!mem)
		return -ENOMEM;
	if (ferror(file)) {
		free(mem);
		return -EIO;
	}
	*ret = mem;
	*ret_len = len;
	return 0;
}

int capture_open(const char *path, struct capture **ret)
{
	FILE *file = fopen(path, "rb");
	struct capture *c;
	uint8_t *mem;
	size_t len;
	int rc;

	if (!file)
		return -errno;
	rc = read_all(file, &mem, &len);
	fclose(file);
	if (rc)
		return rc;
	rc = capture_open_mem(mem, len, &c);
	if (rc) {
		free(mem);
		return rc;
	}
	c->owned = mem;
	*ret = c;
	return 0;
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	free(capture->owned);
	free(capture);
}

static int next_classic(struct capture *c, struct capture_packet *ret)
{
	const uint8_t *head = c->p + c->at;
	size_t left = c->len - c->at, len;

	if (!left)
		return 0;
	if (left < 16)
		return -EBADMSG;
	len = get32(c, head + 8);
	if (len > left - 16)
		return -EBADMSG;
	ret->link_type = c->link_type;
	ret->p = head + 16;
	ret->len = len;
	ret->wire_len = get32(c, head + 12);
	c->at += 16 + len;
	return 1;
}

/* A section says which byte order follows, and its interfaces count from 0 again. */
static int section(struct capture *c, const uint8_t *block, size_t left)
{
	uint32_t order;

	if (left < 12)
		return -EBADMSG;
	memcpy(&order, block + 8, sizeof(order));
	if (order != 0x1a2b3c4d && order != 0x4d3c2b1a)
		return -EBADMSG;
	c->swapped = order == 0x4d3c2b1a;
	c->interfaces = 0;
	return 0;
}

static int interface(struct capture *c, const uint8_t *body, size_t len)
{
	if (len < 8 || c->interfaces == INTERFACES_MAX)
		return -EBADMSG;
	c->link_types[c->interfaces] = get16(c, body);
	c->snap_lens[c->interfaces++] = get32(c, body + 4);
	return 0;
}

static int ng_packet(struct capture *c, uint32_t type, const uint8_t *body, size_t len,
		     struct capture_packet *ret)
{
	size_t head = type == BLOCK_SIMPLE ? 4 : 20;
	uint32_t index = 0;

	if (len < head)
		return -EBADMSG;
	if (type == BLOCK_SIMPLE) {
		ret->wire_len = get32(c, body);
		ret->len = ret->wire_len;
	} else {
		index = type == BLOCK_ENHANCED ? get32(c, body) : get16(c, body);
		ret->len = get32(c, body + 12);
		ret->wire_len = get32(c, body + 16);
	}
	if (index >= c->interfaces)
		return -EBADMSG;
	if (type == BLOCK_SIMPLE && c->snap_lens[0] && ret->len > c->snap_lens[0])
		ret->len = c->snap_lens[0];
	if (ret->len > len - head)
		return -EBADMSG;
	ret->link_type = c->link_types[index];
	ret->p = body + head;
	return 1;
}

static int next_ng(struct capture *c, struct capture_packet *ret)
{
	while (c->at < c->len) {
		const uint8_t *block = c->p + c->at;
		size_t left = c->len - c->at, len;
		uint32_t type;
		int rc = 0;

		if (left < 12)
			return -EBADMSG;
		/* The section's type reads the same in both orders; its length does not. */
		type = get32(c, block);
		if (type == BLOCK_SECTION)
			rc = section(c, block, left);
		if (rc)
			return rc;
		len = get32(c, block + 4);
		if (len < 12 || len % 4 || len > left)
			return -EBADMSG;
		c->at += len;
		if (type == BLOCK_INTERFACE)
			rc = interface(c, block + 8, len - 12);
		else if (type == BLOCK_ENHANCED || type == BLOCK_SIMPLE || type == BLOCK_PACKET)
			rc = ng_packet(c, type, block + 8, len - 12, ret);
		if (rc)
			return rc;
	}
	return 0;
}

int capture_next(struct capture *capture, struct capture_packet *ret)
{
	struct capture_packet packet = {0};
	int rc = capture->ng ? next_ng(capture, &packet) : next_classic(capture, &packet);

	if (rc < 0)
		capture->at = capture->len; /* nothing behind a broken record can be trusted */
	if (rc <= 0)
		return rc;
	packet.number = ++capture->number;
	if (packet.wire_len < packet.len)
		packet.wire_len = packet.len;
	*ret = packet;
	return 1;
}

/* The bytes of the link header, or -errno. */
static int link_len(const struct capture_packet *packet)
{
	const uint8_t *p = packet->p;
	size_t at;
	uint16_t type;

	switch (packet->link_type) {
	case CAPTURE_ETHERNET:
		at = 12;
		break;
	case CAPTURE_SLL:
		at = 14;
		break;
	case CAPTURE_SLL2:
		if (packet->len < 20)
			return -EBADMSG;
		type = (uint16_t)(p[0] << 8 | p[1]);
		return type == 0x0800 || type == 0x86dd ? 20 : -ENOENT;
	case 0: /* BSD loopback */
	case 108:
		return 4;
	case 12: /* raw IP, by its several numbers */
	case 14:
	case 101:
	case 228:
	case 229:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
	for (;; at += 4) {
		if (packet->len < at + 2)
			return -EBADMSG;
		type = (uint16_t)(p[at] << 8 | p[at + 1]);
		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			break;
	}
	return type == 0x0800 || type == 0x86dd ? (int)at + 2 : -ENOENT;
}

int capture_ip(const struct capture_packet *packet, const uint8_t **ret, size_t *ret_len)
{
	int len = link_len(packet);

	if (len < 0)
		return len;
	if (packet->len <= (size_t)len)
		return -EBADMSG;
	*ret = packet->p + len;
	*ret_len = packet->len - (size_t)len;
	return (*ret)[0] >> 4 == 4 || (*ret)[0] >> 4 == 6 ? 0 : -ENOENT;
}
