/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two IKE engines in one process, with a network, a clock, a random source and
 * an SA backend that the test holds in its hands. Time passes only in
 * sim_run(); nothing depends on the real clock, so every run is the same.
 */
#ifndef TESTS_LIB_SIM_H
#define TESTS_LIB_SIM_H

#include <xipsec/ike.h>

#define SIM_PACKET_MAX 8192
#define SIM_QUEUE      256
#define SIM_SAS	       256
#define SIM_DONE       64
#define SIM_LOG	       (256 * 1024)

struct sim;

enum sim_who { ALICE, BOB, SIM_HOSTS };

struct sim_packet {
	enum sim_who from;
	uint64_t due_ms;
	unsigned number;      /* counts all packets sent, from 1 */
	struct ike_path path; /* as the receiver sees it */
	size_t len;
	uint8_t bytes[SIM_PACKET_MAX];
};

struct sim_done {
	struct ike_acquire acquire;
	int status;
	char reason[512];
};

struct sim_host {
	struct sim *sim;
	enum sim_who who;
	struct ike_engine *engine;
	struct xi_addr addr;
	uint64_t random;
	const char *psk; /* NULL: the keys role has none */
	uint32_t next_spi;
	int install_error;		 /* what install_sa returns */
	unsigned spi_droughts;		 /* so many times get_spi has none at hand */
	unsigned spis_taken, spis_back;	 /* by get_spi; by delete_sa without ever having an SA */
	struct xi_sa_params sa[SIM_SAS]; /* installed now */
	unsigned sa_count, installs, deletes;
	struct sim_done done[SIM_DONE];
	unsigned done_count;
	char *log;
	size_t log_len;
	struct ike_rule rule[4];
	unsigned rule_count;
	uint32_t generation;
};

enum sim_fate { DELIVER, DROP, TWICE, DELAY }; /* DELAY: one second late, so behind others */

struct sim {
	uint64_t now_ms;
	struct sim_host host[SIM_HOSTS];
	struct sim_packet *queue[SIM_QUEUE];
	unsigned queued, sent;
	/* Decides about each packet as it is sent; may change its bytes. NULL: deliver. */
	enum sim_fate (*wire)(struct sim *sim, struct sim_packet *packet, void *arg);
	void *wire_arg;
	/* The nth packet (from 1), for tests that meddle with one message. */
	struct sim_packet *kept[64]; /* copies of the first packets, to be replayed */
};

struct sim *sim_new(void);
void sim_free(struct sim *sim);
/* A fresh engine for this host: it restarts and remembers nothing. SAs of the backend go too. */
void sim_restart(struct sim *sim, enum sim_who who);
/* Hands the host's rules to its engine. */
void sim_set_rules(struct sim *sim, enum sim_who who);
/* The default rule: all TCP to port 5432 of bob, aes256-sha256-modp1024, aes128-sha1, no PFS. */
void sim_default_rules(struct sim *sim);
/* Alice has a packet for bob's database (or bob one back to alice). */
int sim_acquire(struct sim *sim, enum sim_who who);
/* Delivers what is due and runs timers until this much time has passed. */
void sim_run(struct sim *sim, uint64_t ms);
/* Sends bytes to a host as if they came from the other one. */
void sim_inject(struct sim *sim, enum sim_who to, const void *bytes, size_t len);

unsigned sim_established(const struct sim *sim, enum sim_who who);
unsigned sim_mms(const struct sim *sim, enum sim_who who);
const char *sim_mm_state(const struct sim *sim, enum sim_who who); /* of the newest, "none" */
struct ike_counters sim_counters(const struct sim *sim, enum sim_who who);
bool sim_logged(const struct sim *sim, enum sim_who who, const char *text);
/* Same keys and SPIs crosswise, same selectors mirrored, for the nth SA of both. */
bool sim_pairs_match(const struct xi_sa_params *a, const struct xi_sa_params *b);

#endif
