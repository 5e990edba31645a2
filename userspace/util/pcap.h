/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading captures: classic pcap (both byte orders, micro- and nanoseconds)
 * and pcapng. A capture is input from strangers: every length is checked, a
 * broken file ends with an error and the packets before it stand.
 */
#ifndef UTIL_PCAP_H
#define UTIL_PCAP_H

#include <stddef.h>
#include <stdint.h>

/* Link types that capture_ip() understands. */
#define CAPTURE_ETHERNET 1
#define CAPTURE_SLL	 113
#define CAPTURE_SLL2	 276

struct capture;

struct capture_packet {
	unsigned number; /* from 1, as capture viewers count */
	uint32_t link_type;
	const uint8_t *p; /* what was captured; lives until capture_close() */
	size_t len;
	size_t wire_len; /* what was on the wire, >= len */
};

/*
 * Reads the whole file. 0, -errno from reading it, -EBADMSG when it is no
 * capture, -EFBIG above 1 GiB.
 */
int capture_open(const char *path, struct capture **ret);
/* The same on memory of the caller, which must outlive the result. */
int capture_open_mem(const void *mem, size_t len, struct capture **ret);
void capture_close(struct capture *capture); /* NULL is fine */

/* 1 and a packet, 0 at the end, -EBADMSG when the file is broken from here on. */
int capture_next(struct capture *capture, struct capture_packet *ret);

/*
 * The IP packet inside: behind Ethernet (with VLAN tags), Linux cooked or
 * loopback headers, or raw. 0, -ENOENT when there is none, -EBADMSG when cut short,
 * -EOPNOTSUPP when the link type is none of these.
 */
int capture_ip(const struct capture_packet *packet, const uint8_t **ret, size_t *ret_len);

#endif
