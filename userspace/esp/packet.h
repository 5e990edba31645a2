/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ESP packets (RFC 4303): pure functions on bytes. They keep no numbers: the
 * caller gives out sequence numbers, and checks and slides the replay window.
 */
#ifndef ESP_PACKET_H
#define ESP_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include <xipsec/abi.h>

#include "esp/crypto.h"
#include "esp/ip.h"

#define ESP_HDR_LEN 8u /* SPI and sequence number */

/* One direction of an SA, as far as the bytes depend on it. */
struct esp_half {
	struct esp_crypto *crypto;
	uint32_t spi; /* host order */
	bool esn;
};

/* Length from SPI to ICV for that many bytes of payload. */
size_t esp_len(const struct esp_shape *shape, size_t payload);
/* Most payload that fits in `room` bytes from SPI to ICV; 0 when nothing does. */
size_t esp_max_payload(const struct esp_shape *shape, size_t room);

/* The plaintext in two pieces, so that a segment need not be put together first. */
struct esp_plain {
	const uint8_t *head;
	size_t head_len;
	const uint8_t *rest;
	size_t rest_len;
};

/*
 * Writes SPI..ICV to out. iv NULL makes one; vectors bring their own.
 * Returns 0, -EMSGSIZE when cap is too small, -EIO.
 */
int esp_seal(const struct esp_half *half, uint64_t seq, uint8_t next, const uint8_t *iv,
	     const struct esp_plain *plain, uint8_t *out, size_t cap, size_t *ret_len);

/*
 * Transport mode: puts ESP behind the headers that stay in front (info->esp_off
 * bytes of plain->head, which must lie in head). out gets a whole IP packet.
 */
int esp_wrap_transport(const struct esp_half *half, uint64_t seq, const uint8_t *iv,
		       const struct ip_info *info, const struct esp_plain *packet, uint8_t *out,
		       size_t cap, size_t *ret_len);
/*
 * Tunnel mode: `outer` is a ready IPv4 (20 bytes) or IPv6 (40 bytes) header
 * whose length, protocol and checksum are filled in.
 */
int esp_wrap_tunnel(const struct esp_half *half, uint64_t seq, const uint8_t *iv,
		    const uint8_t *outer, const struct esp_plain *packet, uint8_t *out, size_t cap,
		    size_t *ret_len);

/* What came out of ESP: points into the packet it was in. */
struct esp_opened {
	uint8_t *data;
	size_t len;   /* without padding and trailer */
	uint8_t next; /* next header */
};

/* Checks and decrypts SPI..ICV in place. Returns XI_REASON_NONE or why not. */
enum xi_reason esp_open(const struct esp_half *half, uint64_t seq, uint8_t *esp, size_t len,
			struct esp_opened *ret);

/*
 * Moves the headers of an ESP packet in front of its opened payload and mends
 * them, so that it is the IP packet that went in. Returns where it starts; the
 * result is info->l4_off + opened->len bytes long.
 */
uint8_t *esp_unwrap_transport(uint8_t *ip, const struct ip_info *info,
			      const struct esp_opened *opened);

#endif
