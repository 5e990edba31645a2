/* SPDX-License-Identifier: BSD-2-Clause */
/* Two workers in memory, wire to wire, for tests that look at what passes between them. */
#ifndef TESTS_WORKER_NET_H
#define TESTS_WORKER_NET_H

#include "tests/lib/esp_mock.h"

struct net {
	struct mock_host *a, *b;
	struct mock_pair sa; /* number 7, AES-GCM, IPv4; not installed yet */
	uint8_t payload[60000], packet[65536];
};

/* Setup and teardown of one test, whose state is a struct net. */
int net_up(void **state);
int net_down(void **state);
#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, net_up, net_down)

void net_install(struct net *net, const struct mock_pair *sa);
/* Packets that this host has dropped for one reason, or for any. */
uint64_t net_dropped(struct mock_host *host, enum xi_reason reason);
uint64_t net_dropped_in_all(struct mock_host *host);
/* The super-packet that a stack with TSO hands over. */
struct virtio_net_hdr net_tso(uint8_t family, uint16_t gso_size);
/* Sends one datagram from a and takes its frame off the wire; returns its length. */
size_t net_capture(struct net *net, uint8_t *frame);
/* Every frame sent is ESP, fits the MTU, and shows no eight bytes of the payload. */
void net_shows_only_esp(const struct mock_host *host, const uint8_t *payload, size_t len,
			bool encrypted);
/* Cuts what the stack was given as the stack would, checks it, collects the payload. */
size_t net_stack_received_tcp(const struct mock_host *host, uint8_t *payload);

#endif
