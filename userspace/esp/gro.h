/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts TCP segments that follow each other together into one super-packet, so
 * that the local stack is entered once for dozens of them. The reverse of
 * segment.h; nothing waits longer than one burst. Pure but for the write.
 */
#ifndef ESP_GRO_H
#define ESP_GRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_net.h>

#include "esp/ip.h"

struct gro;

/* Writes one IP packet, given in pieces; lengths and checksums are as vnet says. */
typedef void (*gro_write_fn)(void *arg, const struct virtio_net_hdr *vnet, const struct iovec *ip,
			     int count);

struct gro *gro_new(gro_write_fn write, void *arg);
void gro_free(struct gro *gro);
/*
 * Takes an IP packet whose bytes stay valid and writable until gro_flush().
 * Returns false when its TCP checksum is wrong: it is then not taken.
 */
bool gro_add(struct gro *gro, uint8_t *ip, const struct ip_info *info);
void gro_flush(struct gro *gro);

#endif
