/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ike role: the only process that reads what strangers send. It ties the
 * engine (xipsec/ike.h) to the UDP sockets it was handed, to the clock, to the
 * keys role and to the parent. What the engine decides goes to the parent as
 * wishes; the parent checks them again.
 *
 * Owns: IKE SAs and their keys, and SA keys between negotiation and hand-over.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>
#include <openssl/crypto.h>

#include "daemon/outbox.h"
#include "daemon/role.h"
#include "daemon/udp.h"
#include "util/addr.h"
#include "util/ratelimit.h"

#define DATAGRAM_BURST	64
#define KEYS_TIMEOUT_MS 1000
/* SPIs kept in hand: more are asked for when the pool is down to this. */
#define SPIS_LOW 32
#define SPIS_MAX 256

static struct ike {
	struct ike_engine *engine;
	struct event *timer;
	struct event *socket_events[2];
	int sockets[2];
	uint16_t ports[2];
	uint8_t families[2];
	unsigned socket_count;
	int keys; /* socket to the keys role, or -1 */
	uint32_t keys_question;
	uint32_t spis[SPIS_MAX];
	unsigned spi_count;
	bool spis_asked;
	struct ike_rule *rules;
	uint32_t rule_count, rules_expected, generation;
	struct outbox *outbox;
	const struct xi_addr *source; /* of the datagram being dealt with */
	struct ratelimit log_limit;
} ike = {.keys = -1};

/* ------------------------------------------------------- the engine's ops */

static uint64_t op_now_ms(void *ctx)
{
	return child_now_ms();
}

static int op_random(void *ctx, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t got = getrandom((uint8_t *)buf + done, len - done, 0);

		if (got < 0 && errno != EINTR)
			return -errno;
		done += got > 0 ? got : 0;
	}
	return 0;
}

static int send_now(const struct ike_path *path, const void *msg, size_t len)
{
	for (unsigned i = 0; i < ike.socket_count; i++)
		if (ike.families[i] == path->remote.family && ike.ports[i] == path->local_port)
			return udp_send(ike.sockets[i], path, msg, len);
	return -EAFNOSUPPORT;
}

static int op_send(void *ctx, const struct ike_path *path, const void *msg, size_t len)
{
	return outbox_send(ike.outbox, path, msg, len);
}

/* Waits for the keys role, which answers in microseconds or is in trouble. */
static int ask_keys(const struct ipc_skeyid *ask, struct ipc_skeyid_is *ret)
{
	_Alignas(16) static char buf[IPC_MESSAGE_MAX];
	struct pollfd pfd = {.fd = ike.keys, .events = POLLIN};
	uint32_t question = ++ike.keys_question;
	struct ipc_msg msg;
	int rc;

	rc = ipc_send_now(ike.keys, IPC_SKEYID, question, ask, NULL, 0);
	while (!rc) {
		rc = poll(&pfd, 1, KEYS_TIMEOUT_MS);
		if (rc != 1)
			return rc ? -errno : -ETIMEDOUT;
		rc = ipc_recv(ike.keys, buf, &msg);
		if (rc)
			break;
		ipc_close_fds(&msg);
		if (msg.type != IPC_SKEYID_IS)
			return -EBADMSG;
		/* A late answer to a question that timed out is not ours. */
		if (msg.id == question) {
			memcpy(ret, msg.data, sizeof(*ret));
			OPENSSL_cleanse(buf, sizeof(buf));
			return 0;
		}
	}
	return rc;
}

static int op_psk_skeyid(void *ctx, uint32_t secret, enum xi_integ prf, const void *ni,
			 size_t ni_len, const void *nr, size_t nr_len, uint8_t ret[IKE_SKEYID_MAX])
{
	struct ipc_skeyid ask = {.secret = secret, .prf = prf, .ni_len = ni_len, .nr_len = nr_len};
	struct ipc_skeyid_is is;
	int rc;

	if (ike.keys < 0)
		return -ENOTCONN;
	if (ni_len > IPC_NONCE_MAX || nr_len > IPC_NONCE_MAX)
		return -EINVAL;
	memcpy(ask.ni, ni, ni_len);
	memcpy(ask.nr, nr, nr_len);
	rc = ask_keys(&ask, &is);
	if (rc)
		return rc;
	if (!is.status)
		memcpy(ret, is.skeyid, IKE_SKEYID_MAX);
	OPENSSL_cleanse(is.skeyid, sizeof(is.skeyid));
	return is.status;
}

static int op_get_spi(void *ctx, uint32_t *ret_spi)
{
	struct ipc_u32 room = {SPIS_MAX};

	if (ike.spi_count <= SPIS_LOW && !ike.spis_asked) {
		ike.spis_asked = true;
		room.value -= ike.spi_count;
		child_send(IPC_SPIS_WANTED, 0, &room, NULL, 0);
	}
	if (!ike.spi_count)
		return -EAGAIN;
	*ret_spi = ike.spis[--ike.spi_count];
	return 0;
}

static int op_install_sa(void *ctx, const struct xi_sa_params *sa)
{
	child_send(IPC_SA_INSTALL, 0, sa, NULL, 0);
	outbox_wait(ike.outbox, sa->in.spi);
	return 0;
}

static void op_delete_sa(void *ctx, uint32_t spi_in)
{
	struct ipc_u32 spi = {spi_in};

	child_send(IPC_SA_DELETE, 0, &spi, NULL, 0);
}

static void op_acquire_done(void *ctx, const struct ike_acquire *acquire, int status,
			    const char *reason)
{
	struct ipc_acquire_done done = {.acquire = *acquire, .status = status};

	strncpy(done.reason, reason ? reason : "", sizeof(done.reason) - 1);
	child_send(IPC_ACQUIRE_DONE, 0, &done, NULL, 0);
}

/* Lines that a stranger's packet caused are limited by where it came from. */
static void op_log(void *ctx, enum ike_log_level level, const char *line)
{
	static const enum log_level levels[] = {
		[IKE_LOG_ERROR] = LVL_ERROR,
		[IKE_LOG_WARN] = LVL_WARNING,
		[IKE_LOG_INFO] = LVL_INFO,
		[IKE_LOG_DEBUG] = LVL_DEBUG,
	};
	uint32_t suppressed = 0;

	if (ike.source && level != IKE_LOG_DEBUG &&
	    !ratelimit_pass(&ike.log_limit, ike.source, child_now_ms(), &suppressed))
		return;
	if (suppressed)
		child_log(levels[level], "%s (%u more lines about this peer were left out)", line,
			  suppressed);
	else
		child_log(levels[level], "%s", line);
}

static const struct ike_ops ops = {
	.now_ms = op_now_ms,
	.random = op_random,
	.send = op_send,
	.psk_skeyid = op_psk_skeyid,
	.get_spi = op_get_spi,
	.install_sa = op_install_sa,
	.delete_sa = op_delete_sa,
	.acquire_done = op_acquire_done,
	.log = op_log,
};

/* ------------------------------------------------------------------ timer */

static void set_timer(void)
{
	uint64_t now = child_now_ms(), next = ike_engine_next_ms(ike.engine);
	uint64_t wait = next > now ? next - now : 0;
	struct timeval tv;

	if (next == UINT64_MAX) {
		event_del(ike.timer);
		return;
	}
	tv.tv_sec = wait / 1000;
	tv.tv_usec = wait % 1000 * 1000;
	event_add(ike.timer, &tv);
}

static void on_timer(int fd, short what, void *arg)
{
	ike_engine_tick(ike.engine);
	set_timer();
}

/* ---------------------------------------------------------------- network */

static void on_datagram(int fd, short what, void *arg)
{
	static uint8_t buf[UDP_MESSAGE_MAX];
	uint16_t port = *(const uint16_t *)arg;
	struct ike_path path;
	int len;

	for (int i = 0; i < DATAGRAM_BURST; i++) {
		len = udp_recv(fd, port, buf, sizeof(buf), &path);
		if (len == -EADDRNOTAVAIL)
			continue;
		if (len < 0)
			break;
		ike.source = &path.remote;
		ike_engine_feed(ike.engine, &path, buf, len);
		ike.source = NULL;
	}
	set_timer();
}

static int take_sockets(struct ipc_msg *msg)
{
	const struct ipc_sockets *sockets = msg->data;

	if (ike.socket_count || sockets->count != msg->fd_count)
		return -EBADMSG;
	for (unsigned i = 0; i < sockets->count; i++) {
		struct event *event;

		ike.families[i] = sockets->family[i];
		ike.ports[i] = sockets->port[i];
		ike.sockets[i] = msg->fds[i];
		msg->fds[i] = -1;
		event = event_new(child_base, ike.sockets[i], EV_READ | EV_PERSIST, on_datagram,
				  &ike.ports[i]);
		if (!event || event_add(event, NULL))
			return -ENOMEM;
		ike.socket_events[i] = event;
		ike.socket_count++;
	}
	return 0;
}

/* ------------------------------------------------------------- the parent */

static int begin_rules(const struct ipc_rules *rules)
{
	struct ike_rule *fresh = calloc(rules->count ? rules->count : 1, sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	free(ike.rules);
	ike.rules = fresh;
	ike.rule_count = 0;
	ike.rules_expected = rules->count;
	ike.generation = rules->generation;
	return 0;
}

static int end_rules(void)
{
	int rc;

	if (!ike.rules || ike.rule_count != ike.rules_expected)
		return -EBADMSG;
	rc = ike_engine_set_rules(ike.engine, ike.rules, ike.rule_count, ike.generation);
	free(ike.rules);
	ike.rules = NULL;
	return rc;
}

static int take_spis(const struct ipc_spis *spis)
{
	ike.spis_asked = false;
	for (unsigned i = 0; i < spis->count && ike.spi_count < SPIS_MAX; i++)
		ike.spis[ike.spi_count++] = spis->spi[i];
	return 0;
}

static int acquire(const struct ike_acquire *wish)
{
	int rc = ike_engine_acquire(ike.engine, wish);

	if (rc)
		op_acquire_done(NULL, wish, rc, "IKE did not start a negotiation");
	return 0;
}

struct mm_answer {
	uint32_t id;
};

static void send_mm(void *arg, const struct ike_mm_info *info)
{
	const struct mm_answer *answer = arg;

	child_send(IPC_MM_INFO, answer->id, info, NULL, 0);
}

static int answer_mm(uint32_t id)
{
	struct mm_answer answer = {id};
	struct ike_counters counters = {0};

	ike_engine_each_mm(ike.engine, send_mm, &answer);
	ike_engine_counters(ike.engine, &counters);
	child_send(IPC_MM_END, id, &counters, NULL, 0);
	return 0;
}

static int from_parent(void *arg, struct ipc_msg *msg)
{
	const struct ipc_u32 *number = msg->data;
	int rc = -EBADMSG;

	if (msg->type == IPC_PEER && msg->fd_count == 1) {
		if (ike.keys >= 0)
			close(ike.keys);
		ike.keys = msg->fds[0];
		msg->fds[0] = -1;
		rc = 0;
	} else if (msg->type == IPC_SOCKETS) {
		rc = take_sockets(msg);
	} else if (msg->type == IPC_RULES_BEGIN) {
		rc = begin_rules(msg->data);
	} else if (msg->type == IPC_RULE) {
		if (ike.rules && ike.rule_count < ike.rules_expected) {
			memcpy(&ike.rules[ike.rule_count++], msg->data, sizeof(struct ike_rule));
			rc = 0;
		}
	} else if (msg->type == IPC_RULES_END) {
		rc = end_rules();
	} else if (msg->type == IPC_SPIS) {
		rc = take_spis(msg->data);
	} else if (msg->type == IPC_ACQUIRE) {
		rc = acquire(msg->data);
	} else if (msg->type == IPC_SA_GONE) {
		outbox_done(ike.outbox, number->value);
		ike_engine_sa_gone(ike.engine, number->value);
		rc = 0;
	} else if (msg->type == IPC_SA_UP) {
		outbox_done(ike.outbox, number->value);
		rc = 0;
	} else if (msg->type == IPC_SA_REKEY) {
		ike_engine_rekey(ike.engine, number->value);
		rc = 0;
	} else if (msg->type == IPC_MM_QUERY) {
		rc = answer_mm(msg->id);
	}
	if (!rc)
		set_timer();
	return rc;
}

/* An orderly end tells the peers, so that they do not send into a void. */
static void stopping(void)
{
	ike_engine_close(ike.engine, &(struct xi_addr){0});
}

int ike_main(const struct role_args *args)
{
	uint64_t seed = 0;
	int rc = 1;

	/* Reads its configuration file while there still is a file system. */
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	op_random(NULL, &seed, sizeof(seed));
	ratelimit_init(&ike.log_limit, 1, 10, seed);
	if (child_start(args, from_parent, NULL))
		return 1;
	child_stopping = stopping;
	ike.engine = ike_engine_new(&ops, NULL);
	ike.timer = event_new(child_base, -1, 0, on_timer, NULL);
	ike.outbox = outbox_new(child_base, send_now);
	if (ike.engine && ike.timer && ike.outbox)
		rc = child_run();
	ike_engine_free(ike.engine);
	free(ike.rules);
	return rc;
}
