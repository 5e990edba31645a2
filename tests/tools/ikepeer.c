/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IKE engine tied to a UDP socket and the clock, and to nothing else: it
 * negotiates, prints what happens, and throws the keys away. For tests against
 * other implementations, and the smallest example of a user of <xipsec/ike.h>.
 *
 *	ikepeer --local 192.0.2.1 --remote 192.0.2.2 --psk SECRET [--initiate]
 *		[--mm aes256-sha256-modp2048,...] [--qm aes128gcm16,aes256-sha256,...]
 *		[--pfs modp2048] [--proto 6] [--local-port N] [--remote-port N]
 *		[--mm-lifetime S] [--until mm|qm|failure] [--seconds 30] [--stay MS] [--debug]
 *		[--show-keys]
 *
 * Ends with 0 as soon as --until is reached (after --stay milliseconds more, in which it goes on
 * answering), with 1 after --seconds, 2 on a wrong command line. Without --until
 * it runs for --seconds and ends with 0. SIGTERM closes every SA first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <xipsec/ike.h>

#include "ike/crypto/kdf1.h"
#include "util/addr.h"

enum until { UNTIL_TIME, UNTIL_MM, UNTIL_QM, UNTIL_FAILURE };

struct peer {
	int fd;
	struct xi_addr local, remote;
	const char *psk;
	struct ike_rule rule;
	uint16_t local_port, remote_port; /* of the packet that the acquire stands for */
	bool initiate, debug, show_keys;
	enum until until;
	unsigned seconds, stay_ms;
	uint64_t reached_ms; /* when --until came true, 0 = not yet */
	struct ike_engine *engine;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

/* ------------------------------------------------------------ the engine's ops */

static uint64_t now_ms(void *ctx)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int fill_random(void *ctx, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static socklen_t to_sockaddr(const struct xi_addr *addr, uint16_t port,
			     struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (addr->family == 4) {
		struct sockaddr_in *sin = (struct sockaddr_in *)ret;

		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		memcpy(&sin->sin_addr, addr->b, 4);
		return sizeof(*sin);
	}
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret;

	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	memcpy(&sin6->sin6_addr, addr->b, 16);
	return sizeof(*sin6);
}

static void from_sockaddr(const struct sockaddr_storage *sa, struct xi_addr *ret, uint16_t *port)
{
	memset(ret, 0, sizeof(*ret));
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)sa;

		ret->family = 4;
		memcpy(ret->b, &sin->sin_addr, 4);
		*port = ntohs(sin->sin_port);
	} else {
		const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sa;

		ret->family = 6;
		memcpy(ret->b, &sin6->sin6_addr, 16);
		*port = ntohs(sin6->sin6_port);
	}
}

static int send_datagram(void *ctx, const struct ike_path *path, const void *msg, size_t len)
{
	struct peer *peer = ctx;
	struct sockaddr_storage to;
	socklen_t to_len = to_sockaddr(&path->remote, path->remote_port, &to);

	return sendto(peer->fd, msg, len, 0, (struct sockaddr *)&to, to_len) < 0 ? -errno : 0;
}

static int psk_skeyid(void *ctx, uint32_t secret, enum xi_integ prf, const void *ni, size_t ni_len,
		      const void *nr, size_t nr_len, uint8_t ret[IKE_SKEYID_MAX])
{
	struct peer *peer = ctx;

	return ikev1_skeyid_psk(prf, peer->psk, strlen(peer->psk), ni, ni_len, nr, nr_len, ret);
}

static int get_spi(void *ctx, uint32_t *ret_spi)
{
	uint32_t spi;

	do {
		int err = fill_random(ctx, &spi, sizeof(spi));

		if (err)
			return err;
	} while (spi < 256);
	*ret_spi = spi;
	return 0;
}

static void show_half(const char *direction, const struct xi_sa_params *sa,
		      const struct xi_sa_half *half)
{
	const struct xi_cipher_info *cipher = xi_cipher_info(sa->cipher);

	printf("keys %s ", direction);
	for (int i = 0; i < cipher->key_len + cipher->salt_len; i++)
		printf("%02x", half->cipher_key[i]);
	printf(" ");
	for (int i = 0; i < xi_integ_info(sa->integ)->key_len; i++)
		printf("%02x", half->integ_key[i]);
	printf("\n");
}

static int install_sa(void *ctx, const struct xi_sa_params *sa)
{
	struct peer *peer = ctx;

	printf("installed spi-in %08x spi-out %08x %s%s%s %s lifetime %u s %u kB\n", sa->in.spi,
	       sa->out.spi, xi_cipher_info(sa->cipher)->name, sa->integ == XI_INTEG_NONE ? "" : "-",
	       sa->integ == XI_INTEG_NONE ? "" : xi_integ_info(sa->integ)->name,
	       sa->initiator ? "initiator" : "responder", sa->lifetime_s, sa->lifetime_kb);
	if (peer->show_keys) { /* for comparison with the other implementation's log */
		show_half("in", sa, &sa->in);
		show_half("out", sa, &sa->out);
	}
	if (peer->until == UNTIL_QM && !peer->reached_ms)
		peer->reached_ms = now_ms(NULL);
	return 0;
}

static void delete_sa(void *ctx, uint32_t spi_in)
{
	printf("deleted spi-in %08x\n", spi_in);
}

static void acquire_done(void *ctx, const struct ike_acquire *acquire, int status,
			 const char *reason)
{
	struct peer *peer = ctx;

	printf("acquire %s: %s\n", status ? strerror(-status) : "done", reason);
	if (status && peer->until == UNTIL_FAILURE && !peer->reached_ms)
		peer->reached_ms = now_ms(NULL);
}

static void log_line(void *ctx, enum ike_log_level level, const char *line)
{
	static const char *const name[] = {"error", "warning", "info", "debug"};
	struct peer *peer = ctx;

	if (level < IKE_LOG_DEBUG || peer->debug)
		printf("%s: %s\n", name[level], line);
}

static const struct ike_ops ops = {
	.now_ms = now_ms,
	.random = fill_random,
	.send = send_datagram,
	.psk_skeyid = psk_skeyid,
	.get_spi = get_spi,
	.install_sa = install_sa,
	.delete_sa = delete_sa,
	.acquire_done = acquire_done,
	.log = log_line,
};

/* ------------------------------------------------------------ command line */

/* "aes256-sha256-modp2048,...": up to three names each, by the lists of algs.h. */
static int parse_mm(const char *text, struct ike_rule *rule)
{
	char *copy = strdup(text), *save = NULL;
	int err = copy ? 0 : -ENOMEM;

	rule->mm_count = 0;
	for (char *one = copy ? strtok_r(copy, ",", &save) : NULL; one && !err;
	     one = strtok_r(NULL, ",", &save)) {
		struct ike_mm_method *m = &rule->mm[rule->mm_count];
		char *hash = strchr(one, '-'), *group = hash ? strchr(hash + 1, '-') : NULL;

		if (!group || rule->mm_count == IKE_METHODS_MAX) {
			err = -EINVAL;
			break;
		}
		*hash++ = *group++ = '\0';
		err = xi_cipher_by_name(one, &m->cipher);
		if (!err)
			err = xi_integ_by_name(hash, &m->hash);
		if (!err)
			err = xi_group_by_name(group, &m->group);
		rule->mm_count++;
	}
	free(copy);
	return err;
}

static int parse_qm(const char *text, struct ike_rule *rule)
{
	char *copy = strdup(text), *save = NULL;
	int err = copy ? 0 : -ENOMEM;

	rule->qm_count = 0;
	for (char *one = copy ? strtok_r(copy, ",", &save) : NULL; one && !err;
	     one = strtok_r(NULL, ",", &save)) {
		struct ike_qm_method *m = &rule->qm[rule->qm_count];
		char *integ = strchr(one, '-');

		if (rule->qm_count == IKE_METHODS_MAX) {
			err = -EINVAL;
			break;
		}
		if (integ)
			*integ++ = '\0';
		*m = (struct ike_qm_method){.protocol = 50, .integ = XI_INTEG_NONE};
		err = xi_cipher_by_name(one, &m->cipher);
		if (!err && integ)
			err = xi_integ_by_name(integ, &m->integ);
		rule->qm_count++;
	}
	free(copy);
	return err;
}

static int parse_until(const char *text, enum until *ret)
{
	static const char *const names[] = {"time", "mm", "qm", "failure"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(text, names[i])) {
			*ret = (enum until)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_option(struct peer *peer, int option, const char *value)
{
	struct ike_rule *rule = &peer->rule;

	switch (option) {
	case 'l':
		return xi_addr_parse(value, &peer->local);
	case 'r':
		return xi_addr_parse(value, &peer->remote);
	case 'k':
		peer->psk = value;
		return 0;
	case 'i':
		peer->initiate = true;
		return 0;
	case 'm':
		return parse_mm(value, rule);
	case 'q':
		return parse_qm(value, rule);
	case 'g':
		return xi_group_by_name(value, &rule->pfs);
	case 'p':
		rule->proto = (uint8_t)atoi(value);
		return 0;
	case 'L':
		peer->local_port = (uint16_t)atoi(value);
		return 0;
	case 'R':
		peer->remote_port = (uint16_t)atoi(value);
		return 0;
	case 't':
		rule->mm_lifetime_s = (uint32_t)atoi(value);
		return 0;
	case 'u':
		return parse_until(value, &peer->until);
	case 's':
		peer->seconds = (unsigned)atoi(value);
		return 0;
	case 'y':
		peer->stay_ms = (unsigned)atoi(value);
		return 0;
	case 'd':
		peer->debug = true;
		return 0;
	case 'K':
		peer->show_keys = true;
		return 0;
	}
	return -EINVAL;
}

static int parse_args(struct peer *peer, int argc, char **argv)
{
	static const struct option options[] = {
		{"local", 1, NULL, 'l'},
		{"remote", 1, NULL, 'r'},
		{"psk", 1, NULL, 'k'},
		{"initiate", 0, NULL, 'i'},
		{"mm", 1, NULL, 'm'},
		{"qm", 1, NULL, 'q'},
		{"pfs", 1, NULL, 'g'},
		{"proto", 1, NULL, 'p'},
		{"local-port", 1, NULL, 'L'},
		{"remote-port", 1, NULL, 'R'},
		{"mm-lifetime", 1, NULL, 't'},
		{"until", 1, NULL, 'u'},
		{"seconds", 1, NULL, 's'},
		{"stay", 1, NULL, 'y'},
		{"debug", 0, NULL, 'd'},
		{"show-keys", 0, NULL, 'K'},
		{0},
	};
	struct ike_rule *rule = &peer->rule;
	int c;

	parse_mm("aes256-sha256-modp2048", rule);
	parse_qm("aes128gcm16", rule);
	snprintf(rule->name, sizeof(rule->name), "ikepeer");
	rule->local_port_hi = rule->remote_port_hi = 65535;
	rule->auth_count = 1;
	rule->auth[0] = (struct ike_auth){IKE_AUTH_PSK, 1};
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (parse_option(peer, c, optarg))
			return -EINVAL;
	}
	if (!peer->local.family || peer->local.family != peer->remote.family || !peer->psk)
		return -EINVAL;
	rule->local = (struct xi_prefix){peer->local, xi_family_bits(peer->local.family)};
	rule->remote = (struct xi_prefix){peer->remote, xi_family_bits(peer->remote.family)};
	if (peer->local_port)
		rule->local_port_lo = rule->local_port_hi = peer->local_port;
	if (peer->remote_port)
		rule->remote_port_lo = rule->remote_port_hi = peer->remote_port;
	return 0;
}

/* ------------------------------------------------------------------ the loop */

static int open_socket(struct peer *peer)
{
	struct sockaddr_storage sa;
	socklen_t len = to_sockaddr(&peer->local, 500, &sa);
	int one = 1;

	peer->fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (peer->fd < 0)
		return -errno;
	setsockopt(peer->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(peer->fd, (struct sockaddr *)&sa, len) ? -errno : 0;
}

static void note_established(void *arg, const struct ike_mm_info *info)
{
	struct peer *peer = arg;

	if (info->established && peer->until == UNTIL_MM && !peer->reached_ms)
		peer->reached_ms = now_ms(NULL);
}

static void receive(struct peer *peer)
{
	struct ike_path path = {.local = peer->local, .local_port = 500};
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	static uint8_t msg[65536];
	ssize_t n = recvfrom(peer->fd, msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);

	if (n < 0)
		return;
	from_sockaddr(&from, &path.remote, &path.remote_port);
	ike_engine_feed(peer->engine, &path, msg, (size_t)n);
}

static int run(struct peer *peer)
{
	uint64_t end = now_ms(NULL) + (uint64_t)peer->seconds * 1000;

	while (!stop) {
		uint64_t now = now_ms(NULL), next = ike_engine_next_ms(peer->engine);
		struct pollfd pollfd = {.fd = peer->fd, .events = POLLIN};

		if (peer->reached_ms && now >= peer->reached_ms + peer->stay_ms)
			return 0;
		if (now >= end)
			return peer->until == UNTIL_TIME ? 0 : 1;
		if (next > now + 100)
			next = now + 100;
		if (poll(&pollfd, 1, next > now ? (int)(next - now) : 0) > 0)
			receive(peer);
		ike_engine_tick(peer->engine);
		ike_engine_each_mm(peer->engine, note_established, peer);
	}
	ike_engine_close(peer->engine, &(struct xi_addr){0});
	return 0;
}

int main(int argc, char **argv)
{
	struct peer peer = {.seconds = 30, .stay_ms = 500};
	struct ike_acquire acquire;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (parse_args(&peer, argc, argv)) {
		fprintf(stderr,
			"ikepeer: wrong arguments; see the head of tests/tools/ikepeer.c\n");
		return 2;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	err = open_socket(&peer);
	if (err) {
		fprintf(stderr, "ikepeer: UDP port 500: %s\n", strerror(-err));
		return 1;
	}
	peer.engine = ike_engine_new(&ops, &peer);
	if (!peer.engine || ike_engine_set_rules(peer.engine, &peer.rule, 1, 1))
		return 1;
	printf("ready\n");
	if (peer.initiate) {
		acquire = (struct ike_acquire){.local = peer.local,
					       .remote = peer.remote,
					       .proto = peer.rule.proto,
					       .local_port = peer.local_port,
					       .remote_port = peer.remote_port};
		err = ike_engine_acquire(peer.engine, &acquire);
		if (err)
			printf("acquire refused: %s\n", strerror(-err));
	}
	err = run(&peer);
	ike_engine_free(peer.engine);
	close(peer.fd);
	return err;
}
