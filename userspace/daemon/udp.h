/* SPDX-License-Identifier: BSD-2-Clause */
/* IKE's UDP sockets: one for each family and port, local address by packet info. */
#ifndef DAEMON_UDP_H
#define DAEMON_UDP_H

#include <stddef.h>
#include <stdint.h>

#include <xipsec/ike.h>

#define UDP_MESSAGE_MAX 65536

/* A non-blocking socket on all addresses of a family (4 or 6). 0 and the fd, or -errno. */
int udp_open(uint8_t family, uint16_t port, int *ret_fd);
/*
 * Holds a port without using it: what arrives is discarded, and nobody else can
 * bind it. For a port that the filters exempt but IKE does not speak on yet.
 */
int udp_reserve(uint8_t family, uint16_t port, int *ret_fd);
/*
 * One datagram with both its ends; port is the socket's own. The length, or
 * -EAGAIN when there is none, -EADDRNOTAVAIL for one that was not sent to an
 * address of this host alone (multicast, broadcast), else -errno.
 */
int udp_recv(int fd, uint16_t port, void *buf, size_t size, struct ike_path *ret_path);
/* From path->local to path->remote. 0 or -errno. */
int udp_send(int fd, const struct ike_path *path, const void *msg, size_t len);

#endif
