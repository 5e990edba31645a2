/* SPDX-License-Identifier: BSD-2-Clause */
/* Beginnings, wires and forged packets that several tests with two engines share. */
#ifndef TESTS_LIB_SIM_SCENES_H
#define TESTS_LIB_SIM_SCENES_H

#include "tests/lib/sim.h"

/* Two hosts with one SA pair, asked for by alice. */
struct sim *sim_up(void);

/* Wires: nothing arrives; all but the packet whose number *(unsigned *)arg is. */
enum sim_fate sim_drop_all(struct sim *sim, struct sim_packet *packet, void *arg);
enum sim_fate sim_drop_one(struct sim *sim, struct sim_packet *packet, void *arg);

/* Alice's first message under another initiator cookie; returns its length. */
size_t sim_message1(struct sim *sim, uint8_t *mem, uint64_t cookie);

/* The newest main mode of a host. */
struct v1_mm *sim_mm(struct sim *sim, enum sim_who who);

/* How often the host's log says this. */
unsigned sim_count_logged(const struct sim_host *host, const char *text);

/* 24 bits that are the same in every run. */
uint32_t sim_rnd(void);

#endif
