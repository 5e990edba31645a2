/* SPDX-License-Identifier: BSD-2-Clause */
/* The SA pairs of one worker: found by id, by inbound SPI, and by the hosts of a packet. */
#ifndef ESP_SATAB_H
#define ESP_SATAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/sa.h>

#include "esp/ip.h"
#include "esp/packet.h"
#include "esp/replay.h"

struct esp_sa {
	struct esp_sa *next_id, *next_spi, *next_hosts;
	struct xi_sa_params params; /* without keys: those are in the contexts below */
	struct esp_half in, out;
	struct replay replay;
	uint64_t out_seq;   /* sent last */
	uint32_t successor; /* id of the SA that rekeyed this one, or 0 */
	uint64_t installed_ms;
	uint32_t path_mtu;    /* learned, 0 = none */
	uint64_t path_mtu_ms; /* when */
	bool soft_told;
	struct xi_sa_stats stats;
};

/*
 * Makes a pair from what IKE negotiated. Returns 0, -EINVAL for parameters no
 * SA may have, -EOPNOTSUPP for what this backend does not carry, -ENOMEM, -EIO.
 */
int esp_sa_new(const struct xi_sa_params *params, uint64_t now_ms, struct esp_sa **ret);
void esp_sa_free(struct esp_sa *sa); /* zeroes keys */

struct satab;

struct satab *satab_new(void);
void satab_free(struct satab *tab); /* with the SAs in it */
/* Takes the SA over; -EEXIST when its id, or its SPI at its address, is taken. */
int satab_add(struct satab *tab, struct esp_sa *sa);
/* Takes it out and gives it back, or NULL. */
struct esp_sa *satab_remove(struct satab *tab, uint32_t id);

struct esp_sa *satab_by_id(const struct satab *tab, uint32_t id);
/* RFC 4301 4.1: by SPI and destination address. */
struct esp_sa *satab_by_spi(const struct satab *tab, uint32_t spi, const struct xi_addr *dst);
/* For an outbound packet: the SA whose selector fits most exactly, the newest of equals. */
struct esp_sa *satab_by_packet(const struct satab *tab, const struct ip_info *info);
/* The SA that we send under with this SPI to this host. */
struct esp_sa *satab_by_out_spi(const struct satab *tab, uint32_t spi, const struct xi_addr *dst);
/* The SA that sends for this one now: itself, or what it was rekeyed to. */
struct esp_sa *satab_sender(const struct satab *tab, struct esp_sa *sa);

#endif
