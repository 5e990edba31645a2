/* SPDX-License-Identifier: BSD-2-Clause */
/* Network, clock and SAs of the two engines; see sim.h. */
#include "tests/lib/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/crypto/kdf1.h"
#include "util/addr.h"

/* ------------------------------------------------------------ the engine's ops */

static uint64_t op_now(void *ctx)
{
	return ((struct sim_host *)ctx)->sim->now_ms;
}

/* splitmix64: a fixed seed gives the same run every time. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static int op_random(void *ctx, void *buf, size_t len)
{
	struct sim_host *host = ctx;
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)next_random(&host->random);
	return 0;
}

static void enqueue(struct sim *sim, const struct sim_packet *packet, uint64_t due_ms)
{
	struct sim_packet *copy;

	if (sim->queued == SIM_QUEUE)
		abort();
	copy = malloc(sizeof(*copy));
	if (!copy)
		abort();
	*copy = *packet;
	copy->due_ms = due_ms;
	sim->queue[sim->queued++] = copy;
}

static void post(struct sim *sim, struct sim_packet *packet)
{
	enum sim_fate fate = DELIVER;

	packet->number = ++sim->sent;
	if (packet->number < 64) {
		sim->kept[packet->number] = malloc(sizeof(*packet));
		if (!sim->kept[packet->number])
			abort();
		*sim->kept[packet->number] = *packet;
	}
	if (sim->wire)
		fate = sim->wire(sim, packet, sim->wire_arg);
	switch (fate) {
	case DELIVER:
		enqueue(sim, packet, sim->now_ms + 1);
		break;
	case DROP:
		break;
	case TWICE:
		enqueue(sim, packet, sim->now_ms + 1);
		enqueue(sim, packet, sim->now_ms + 700);
		break;
	case DELAY:
		enqueue(sim, packet, sim->now_ms + 1001);
		break;
	}
}

static int op_send(void *ctx, const struct ike_path *path, const void *msg, size_t len)
{
	struct sim_host *host = ctx;
	struct sim_packet *packet = calloc(1, sizeof(*packet));

	if (!packet || len > SIM_PACKET_MAX)
		abort();
	packet->from = host->who;
	packet->path = (struct ike_path){path->remote, path->local, path->remote_port,
					 path->local_port};
	packet->len = len;
	memcpy(packet->bytes, msg, len);
	post(host->sim, packet);
	free(packet);
	return 0;
}

static int op_psk_skeyid(void *ctx, uint32_t secret, enum xi_integ prf, const void *ni,
			 size_t ni_len, const void *nr, size_t nr_len, uint8_t ret[IKE_SKEYID_MAX])
{
	struct sim_host *host = ctx;
	char psk[64];

	if (!host->psk)
		return -ENOKEY;
	snprintf(psk, sizeof(psk), "%s/%u", host->psk, secret);
	return ikev1_skeyid_psk(prf, psk, strlen(psk), ni, ni_len, nr, nr_len, ret);
}

static int op_get_spi(void *ctx, uint32_t *ret_spi)
{
	struct sim_host *host = ctx;

	if (host->spi_droughts) {
		host->spi_droughts--;
		return -EAGAIN;
	}
	*ret_spi = host->next_spi++;
	host->spis_taken++;
	return 0;
}

static int op_install_sa(void *ctx, const struct xi_sa_params *sa)
{
	struct sim_host *host = ctx;

	if (host->install_error)
		return host->install_error;
	if (host->sa_count == SIM_SAS)
		abort();
	host->sa[host->sa_count++] = *sa;
	host->installs++;
	return 0;
}

static void op_delete_sa(void *ctx, uint32_t spi_in)
{
	struct sim_host *host = ctx;

	for (unsigned i = 0; i < host->sa_count; i++) {
		if (host->sa[i].in.spi != spi_in)
			continue;
		memmove(&host->sa[i], &host->sa[i + 1],
			(host->sa_count - i - 1) * sizeof(host->sa[0]));
		host->sa_count--;
		host->deletes++;
		return;
	}
	host->spis_back++;
}

static void op_acquire_done(void *ctx, const struct ike_acquire *acquire, int status,
			    const char *reason)
{
	struct sim_host *host = ctx;
	struct sim_done *done;

	if (host->done_count == SIM_DONE)
		abort();
	done = &host->done[host->done_count++];
	done->acquire = *acquire;
	done->status = status;
	snprintf(done->reason, sizeof(done->reason), "%s", reason);
}

static void op_log(void *ctx, enum ike_log_level level, const char *line)
{
	static const char mark[] = "EWID";
	struct sim_host *host = ctx;

	if (getenv("SIM_VERBOSE"))
		fprintf(stderr, "%8llu %s %c %s\n", (unsigned long long)host->sim->now_ms,
			host->who == ALICE ? "alice" : "bob  ", mark[level], line);
	host->log_len += (size_t)snprintf(host->log + host->log_len, SIM_LOG - host->log_len,
					  "%s\n", line);
	if (host->log_len > SIM_LOG - 1024)
		host->log_len = 0; /* a flood test: the newest lines count */
}

static const struct ike_ops ops = {
	.now_ms = op_now,
	.random = op_random,
	.send = op_send,
	.psk_skeyid = op_psk_skeyid,
	.get_spi = op_get_spi,
	.install_sa = op_install_sa,
	.delete_sa = op_delete_sa,
	.acquire_done = op_acquire_done,
	.log = op_log,
};

/* ---------------------------------------------------------------- the scene */

static void new_engine(struct sim_host *host)
{
	host->engine = ike_engine_new(&ops, host);
	if (!host->engine)
		abort();
}

struct sim *sim_new(void)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		abort();
	sim->now_ms = 1000000;
	for (int i = 0; i < SIM_HOSTS; i++) {
		struct sim_host *host = &sim->host[i];

		host->sim = sim;
		host->who = (enum sim_who)i;
		host->random = 42 + (uint64_t)i;
		host->psk = "correct horse";
		host->next_spi = i ? 0xb0b00001 : 0xa11ce001;
		host->log = calloc(1, SIM_LOG);
		if (!host->log)
			abort();
		xi_addr_parse(i ? "192.0.2.2" : "192.0.2.1", &host->addr);
		new_engine(host);
	}
	sim_default_rules(sim);
	return sim;
}

void sim_free(struct sim *sim)
{
	for (int i = 0; i < SIM_HOSTS; i++) {
		ike_engine_free(sim->host[i].engine);
		free(sim->host[i].log);
	}
	for (unsigned i = 0; i < sim->queued; i++)
		free(sim->queue[i]);
	for (unsigned i = 0; i < 64; i++)
		free(sim->kept[i]);
	free(sim);
}

void sim_set_rules(struct sim *sim, enum sim_who who)
{
	struct sim_host *host = &sim->host[who];

	if (ike_engine_set_rules(host->engine, host->rule, host->rule_count, ++host->generation))
		abort();
}

void sim_restart(struct sim *sim, enum sim_who who)
{
	struct sim_host *host = &sim->host[who];

	ike_engine_free(host->engine);
	host->sa_count = 0;
	new_engine(host);
	sim_set_rules(sim, who);
}

static void default_rule(struct sim_host *host)
{
	struct ike_rule *rule = &host->rule[0];

	memset(rule, 0, sizeof(*rule));
	snprintf(rule->name, sizeof(rule->name), "database");
	rule->rule = 7;
	rule->local_is_me = true;
	xi_prefix_parse("192.0.2.0/24", &rule->remote);
	rule->proto = 6;
	rule->local_port_hi = rule->remote_port_hi = 65535;
	if (host->who == ALICE)
		rule->remote_port_lo = rule->remote_port_hi = 5432;
	else
		rule->local_port_lo = rule->local_port_hi = 5432;
	rule->mm_count = 1;
	rule->mm[0] = (struct ike_mm_method){XI_CIPHER_AES256_CBC, XI_INTEG_SHA256,
					     XI_GROUP_MODP1024};
	rule->qm_count = 1;
	rule->qm[0] = (struct ike_qm_method){50, XI_CIPHER_AES128_CBC, XI_INTEG_SHA1, 0, 0};
	rule->auth_count = 1;
	rule->auth[0] = (struct ike_auth){IKE_AUTH_PSK, 1};
	host->rule_count = 1;
}

void sim_default_rules(struct sim *sim)
{
	for (int i = 0; i < SIM_HOSTS; i++) {
		default_rule(&sim->host[i]);
		sim_set_rules(sim, (enum sim_who)i);
	}
}

int sim_acquire(struct sim *sim, enum sim_who who)
{
	struct ike_acquire acquire = {.rule = 7,
				      .local = sim->host[who].addr,
				      .remote = sim->host[!who].addr,
				      .proto = 6,
				      .local_port = who == ALICE ? 40000 : 5432,
				      .remote_port = who == ALICE ? 5432 : 40000};

	return ike_engine_acquire(sim->host[who].engine, &acquire);
}

/* ------------------------------------------------------------------- time */

static struct sim_packet *take_due(struct sim *sim)
{
	unsigned first = 0;
	struct sim_packet *packet;

	for (unsigned i = 1; i < sim->queued; i++) {
		if (sim->queue[i]->due_ms < sim->queue[first]->due_ms)
			first = i;
	}
	if (!sim->queued || sim->queue[first]->due_ms > sim->now_ms)
		return NULL;
	packet = sim->queue[first];
	memmove(&sim->queue[first], &sim->queue[first + 1],
		(sim->queued - first - 1) * sizeof(sim->queue[0]));
	sim->queued--;
	return packet;
}

static uint64_t next_event(const struct sim *sim)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < sim->queued; i++) {
		if (sim->queue[i]->due_ms < next)
			next = sim->queue[i]->due_ms;
	}
	for (int i = 0; i < SIM_HOSTS; i++) {
		uint64_t timer = ike_engine_next_ms(sim->host[i].engine);

		if (timer < next)
			next = timer;
	}
	return next;
}

void sim_run(struct sim *sim, uint64_t ms)
{
	uint64_t end = sim->now_ms + ms;
	struct sim_packet *packet;

	for (;;) {
		uint64_t next = next_event(sim);

		if (next > end)
			break;
		if (next > sim->now_ms)
			sim->now_ms = next;
		while ((packet = take_due(sim))) {
			ike_engine_feed(sim->host[!packet->from].engine, &packet->path,
					packet->bytes, packet->len);
			free(packet);
		}
		for (int i = 0; i < SIM_HOSTS; i++)
			ike_engine_tick(sim->host[i].engine);
	}
	sim->now_ms = end;
}

void sim_inject(struct sim *sim, enum sim_who to, const void *bytes, size_t len)
{
	struct ike_path path = {sim->host[to].addr, sim->host[!to].addr, 500, 500};

	ike_engine_feed(sim->host[to].engine, &path, bytes, len);
}

/* ------------------------------------------------------------------ questions */

struct survey {
	unsigned all, established;
	uint64_t newest;
	char state[24];
};

static void survey_one(void *arg, const struct ike_mm_info *info)
{
	struct survey *survey = arg;

	survey->all++;
	survey->established += info->established;
	if (info->created_ms >= survey->newest) {
		survey->newest = info->created_ms;
		memcpy(survey->state, info->state, sizeof(survey->state));
	}
}

static struct survey survey(const struct sim *sim, enum sim_who who)
{
	struct survey ret = {.state = "none"};

	ike_engine_each_mm(sim->host[who].engine, survey_one, &ret);
	return ret;
}

unsigned sim_established(const struct sim *sim, enum sim_who who)
{
	return survey(sim, who).established;
}

unsigned sim_mms(const struct sim *sim, enum sim_who who)
{
	return survey(sim, who).all;
}

const char *sim_mm_state(const struct sim *sim, enum sim_who who)
{
	static char state[24];
	struct survey now = survey(sim, who);

	memcpy(state, now.state, sizeof(state));
	return state;
}

struct ike_counters sim_counters(const struct sim *sim, enum sim_who who)
{
	struct ike_counters counters;

	ike_engine_counters(sim->host[who].engine, &counters);
	return counters;
}

bool sim_logged(const struct sim *sim, enum sim_who who, const char *text)
{
	return strstr(sim->host[who].log, text) != NULL;
}

bool sim_pairs_match(const struct xi_sa_params *a, const struct xi_sa_params *b)
{
	return !memcmp(&a->in, &b->out, sizeof(a->in)) && !memcmp(&a->out, &b->in, sizeof(a->in)) &&
	       a->cipher == b->cipher && a->integ == b->integ && a->pfs == b->pfs &&
	       a->initiator != b->initiator && a->lifetime_s == b->lifetime_s &&
	       a->lifetime_kb == b->lifetime_kb && a->protocol == b->protocol &&
	       a->mode == b->mode && a->sel.proto == b->sel.proto &&
	       a->sel.local_port == b->sel.remote_port && a->sel.remote_port == b->sel.local_port &&
	       !memcmp(&a->sel.local, &b->sel.remote, sizeof(a->sel.local)) &&
	       !memcmp(&a->sel.remote, &b->sel.local, sizeof(a->sel.local)) &&
	       a->ike_spi_i == b->ike_spi_i && a->ike_spi_r == b->ike_spi_r;
}
