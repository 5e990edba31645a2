/* SPDX-License-Identifier: BSD-2-Clause */
/* See sim_scenes.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ike/engine.h"
#include "tests/lib/sim_scenes.h"

struct sim *sim_up(void)
{
	struct sim *sim = sim_new();

	assert_int_equal(sim_acquire(sim, ALICE), 0);
	sim_run(sim, 100);
	assert_int_equal(sim->host[ALICE].sa_count, 1);
	assert_int_equal(sim->host[BOB].sa_count, 1);
	return sim;
}

enum sim_fate sim_drop_all(struct sim *sim, struct sim_packet *packet, void *arg)
{
	return DROP;
}

enum sim_fate sim_drop_one(struct sim *sim, struct sim_packet *packet, void *arg)
{
	return packet->number == *(unsigned *)arg ? DROP : DELIVER;
}

size_t sim_message1(struct sim *sim, uint8_t *mem, uint64_t cookie)
{
	const struct sim_packet *first = sim->kept[1];

	memcpy(mem, first->bytes, first->len);
	memcpy(mem, &cookie, 8);
	return first->len;
}

struct v1_mm *sim_mm(struct sim *sim, enum sim_who who)
{
	return LIST_FIRST(&sim->host[who].engine->v1.mms);
}

unsigned sim_count_logged(const struct sim_host *host, const char *text)
{
	unsigned count = 0;

	for (const char *at = host->log; (at = strstr(at, text)); at += strlen(text))
		count++;
	return count;
}

static uint32_t seed = 1;

uint32_t sim_rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}
