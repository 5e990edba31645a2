/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP datagrams in pieces, as no decent sender sends them, and who gets them.
 *
 *   fragflow recv ADDR SECONDS PORT...     prints "PORT intact N mangled N" for
 *                       each port at the end, or when it gets a SIGTERM
 *   fragflow send IFACE MAC SRC DST PORT [OPTION...]   one datagram, raw on the wire
 *       size=N          bytes of payload (4000)
 *       cut=N           bytes of each piece (1400), a multiple of 8
 *       order=in|reverse|swap   swap: each pair of neighbours
 *       count=N         datagrams, one after the other
 *       ident=N         of the first one
 *       vlan=N          tagged
 *       proto=N         another protocol number over the same bytes
 *       what=...        evil variants, see below
 *   fragflow fuzz IFACE MAC SRC DST SEED COUNT PORT...   random cuts, orders, copies
 *                       and overlaps; prints "PORT clean N dirty N": what a receiver
 *                       must get, and what it may get, intact, mangled or not at all
 *
 * what=
 *   again       the first piece once more at the end, with port 53
 *   port        between the others: a second first piece that has port 53
 *   overlap     eight bytes into the first piece, others
 *   tiny        a first piece of eight bytes, ports only
 *   hole        all but the last piece
 *   nofirst     all but the first piece
 *   atomic      IPv6: one piece, offset 0, no more
 *   nested      IPv6: two fragment headers
 *   hidden      IPv6: the first piece ends before the UDP header
 *   lie         IPv6: later pieces say that the protocol is another
 *   beyond      a piece that ends beyond 65,535
 *   evil=PORT   the port of `again` and `port` (53)
 *
 * A payload begins with "XIFR", port and number, the rest follows from these, so
 * that the receiver knows a mangled one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#define DATAGRAM_MAX 65535
#define PIECES_MAX   512
#define PORTS_MAX    32
#define UDP	     17

static int die(const char *what)
{
	perror(what);
	exit(1);
}

/* ------------------------------------------------------------------- payload */

#define HEAD 10

static uint8_t pattern(uint32_t number, size_t at)
{
	return (number * 2654435761u >> 24) + at * 31;
}

static void fill(uint8_t *data, size_t len, uint16_t port, uint32_t number)
{
	memcpy(data, "XIFR", 4);
	data[4] = port >> 8;
	data[5] = port;
	for (int i = 0; i < 4; i++)
		data[6 + i] = number >> (24 - 8 * i);
	for (size_t i = HEAD; i < len; i++)
		data[i] = pattern(number, i);
}

static bool intact(const uint8_t *data, size_t len, uint16_t port)
{
	uint32_t number = 0;

	if (len < HEAD || memcmp(data, "XIFR", 4) || (data[4] << 8 | data[5]) != port)
		return false;
	for (int i = 0; i < 4; i++)
		number = number << 8 | data[6 + i];
	for (size_t i = HEAD; i < len; i++)
		if (data[i] != pattern(number, i))
			return false;
	return true;
}

/* ------------------------------------------------------------------- receiving */

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	stop = 1;
}

static int udp_socket(const char *addr, uint16_t port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	bool is_six = strchr(addr, ':');
	int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), size = 8 << 20;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		die("socket");
	if (is_six ? inet_pton(AF_INET6, addr, &six.sin6_addr) != 1 ||
			     bind(fd, (void *)&six, sizeof(six))
		   : inet_pton(AF_INET, addr, &four.sin_addr) != 1 ||
			     bind(fd, (void *)&four, sizeof(four)))
		die("bind");
	return fd;
}

static int receive(char **argv)
{
	struct pollfd wait[PORTS_MAX];
	unsigned good[PORTS_MAX] = {0}, bad[PORTS_MAX] = {0}, ports = 0;
	static uint8_t data[DATAGRAM_MAX + 1];
	time_t end = time(NULL) + atoi(argv[1]);

	signal(SIGTERM, on_term);
	for (; ports < PORTS_MAX && argv[2 + ports]; ports++)
		wait[ports] = (struct pollfd){.fd = udp_socket(argv[0], atoi(argv[2 + ports])),
					      .events = POLLIN};
	puts("listening");
	fflush(stdout);
	/* What has come by the time of the signal counts. */
	while (time(NULL) < end) {
		if (poll(wait, ports, stop ? 0 : 200) <= 0) {
			if (stop)
				break;
			continue;
		}
		for (unsigned i = 0; i < ports; i++) {
			ssize_t len;

			if (!(wait[i].revents & POLLIN))
				continue;
			len = recv(wait[i].fd, data, sizeof(data), MSG_DONTWAIT);
			if (len < 0)
				continue;
			if (intact(data, len, atoi(argv[2 + i])))
				good[i]++;
			else
				bad[i]++;
		}
	}
	for (unsigned i = 0; i < ports; i++)
		printf("%s intact %u mangled %u\n", argv[2 + i], good[i], bad[i]);
	return 0;
}

/* --------------------------------------------------------------------- sending */

static struct {
	int fd;
	struct sockaddr_ll to;
	uint8_t mac[ETH_ALEN];
	uint8_t src[16], dst[16];
	bool six;
	unsigned vlan;
} wire;

/* What is cut: the UDP header and all behind it, for IPv6 maybe more in front. */
struct datagram {
	uint8_t data[DATAGRAM_MAX + 64];
	size_t len;
	uint32_t ident;
	uint8_t proto; /* of what data begins with */
};

struct piece {
	size_t at, len;
	bool more;
	const uint8_t *data; /* NULL: those of the datagram */
	uint8_t proto;	     /* 0: that of the datagram */
	bool nested;
};

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static uint32_t sum16(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? data[i] : data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void wire_open(char **argv)
{
	unsigned mac[ETH_ALEN];

	wire.fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (wire.fd < 0)
		die("packet socket");
	wire.to = (struct sockaddr_ll){.sll_family = AF_PACKET,
				       .sll_ifindex = if_nametoindex(argv[0]),
				       .sll_halen = ETH_ALEN};
	if (!wire.to.sll_ifindex || sscanf(argv[1], "%x:%x:%x:%x:%x:%x", mac, mac + 1, mac + 2,
					   mac + 3, mac + 4, mac + 5) != ETH_ALEN)
		die("interface and MAC address");
	for (int i = 0; i < ETH_ALEN; i++)
		wire.mac[i] = mac[i];
	wire.six = strchr(argv[2], ':');
	if (inet_pton(wire.six ? AF_INET6 : AF_INET, argv[2], wire.src) != 1 ||
	    inet_pton(wire.six ? AF_INET6 : AF_INET, argv[3], wire.dst) != 1)
		die("addresses");
}

static size_t put_ethernet(uint8_t *frame)
{
	size_t len = 12;

	memcpy(frame, wire.mac, ETH_ALEN);
	memcpy(frame + ETH_ALEN, "\x02\0\0\0\0\x01", ETH_ALEN);
	if (wire.vlan) {
		put16(frame + len, ETH_P_8021Q);
		put16(frame + len + 2, wire.vlan);
		len += 4;
	}
	put16(frame + len, wire.six ? ETH_P_IPV6 : ETH_P_IP);
	return len + 2;
}

static void put_frag6(uint8_t *at, uint8_t next, size_t offset, bool more, uint32_t ident)
{
	at[0] = next;
	at[1] = 0;
	put16(at + 2, offset | more);
	put16(at + 4, ident >> 16);
	put16(at + 6, ident);
}

static void piece_send(const struct datagram *gram, const struct piece *piece)
{
	static uint8_t frame[DATAGRAM_MAX + 128];
	uint8_t *ip = frame + put_ethernet(frame), *data;
	uint8_t proto = piece->proto ? piece->proto : gram->proto;

	if (wire.six) {
		memset(ip, 0, 40);
		ip[0] = 0x60;
		put16(ip + 4, 8 + piece->len + (piece->nested ? 8 : 0));
		ip[6] = 44;
		ip[7] = 64;
		memcpy(ip + 8, wire.src, 16);
		memcpy(ip + 24, wire.dst, 16);
		data = ip + 48;
		if (piece->nested) {
			put_frag6(ip + 40, 44, 0, false, gram->ident + 1);
			data += 8;
		}
		put_frag6(data - 8, proto, piece->at, piece->more, gram->ident);
	} else {
		memset(ip, 0, 20);
		ip[0] = 0x45;
		put16(ip + 2, 20 + piece->len);
		put16(ip + 4, gram->ident);
		put16(ip + 6, piece->at / 8 | (piece->more ? 0x2000 : 0));
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, wire.src, 4);
		memcpy(ip + 16, wire.dst, 4);
		put16(ip + 10, ~sum16(0, ip, 20));
		data = ip + 20;
	}
	memcpy(data, piece->data ? piece->data : gram->data + piece->at, piece->len);
	if (sendto(wire.fd, frame, data + piece->len - frame, 0, (void *)&wire.to,
		   sizeof(wire.to)) < 0)
		die("send");
}

static void datagram_make(struct datagram *ret, uint16_t port, size_t payload, uint32_t number,
			  uint32_t ident)
{
	uint8_t *udp = ret->data;
	uint32_t sum;

	ret->ident = ident;
	ret->proto = UDP;
	ret->len = 8 + payload;
	put16(udp, 40000);
	put16(udp + 2, port);
	put16(udp + 4, ret->len);
	put16(udp + 6, 0);
	fill(udp + 8, payload, port, number);
	if (!wire.six) /* no checksum is a good checksum */
		return;
	sum = sum16(UDP + ret->len, wire.src, 16);
	sum = sum16(sum, wire.dst, 16);
	sum = ~sum16(sum, udp, ret->len) & 0xffff;
	put16(udp + 6, sum ? sum : 0xffff);
}

static unsigned cut_evenly(const struct datagram *gram, size_t each, struct piece *ret)
{
	unsigned n = 0;

	for (size_t at = 0; at < gram->len && n < PIECES_MAX; at += each, n++) {
		size_t left = gram->len - at;

		ret[n] = (struct piece){
			.at = at, .len = left < each ? left : each, .more = left > each};
	}
	return n;
}

static void swap_pieces(struct piece *a, struct piece *b)
{
	struct piece tmp = *a;

	*a = *b;
	*b = tmp;
}

struct send_opts {
	size_t size, cut;
	const char *order, *what;
	unsigned count, ident, evil, proto;
};

/* A copy of the first piece for another port; until the next call. */
static const uint8_t *other_port(const struct datagram *gram, size_t len, unsigned port)
{
	static uint8_t data[DATAGRAM_MAX];

	memcpy(data, gram->data, len);
	put16(data + 2, port);
	if (len >= 8 + HEAD)
		put16(data + 8 + 4, port);
	return data;
}

/* An options header before the UDP header, which the first piece ends with. */
static void hide_header(struct datagram *gram)
{
	memmove(gram->data + 8, gram->data, gram->len);
	memset(gram->data, 0, 8);
	gram->data[0] = UDP;
	memcpy(gram->data + 2, "\x01\x04\0\0\0\0", 6); /* PadN */
	gram->len += 8;
	gram->proto = 60;
}

static unsigned spoil(struct datagram *gram, const struct send_opts *opt, struct piece *p,
		      unsigned n)
{
	static const uint8_t noise[2048] = {0xee};
	const char *what = opt->what;

	if (!strcmp(what, "again") || !strcmp(what, "port")) {
		struct piece evil = p[0];

		evil.data = other_port(gram, evil.len, opt->evil);
		p[n] = evil;
		if (!strcmp(what, "port"))
			swap_pieces(&p[1], &p[n]);
		return n + 1;
	}
	if (!strcmp(what, "overlap")) {
		p[n] = p[n - 1];
		p[n - 1] = (struct piece){.at = 8, .len = 64, .more = true, .data = noise};
		return n + 1;
	}
	if (!strcmp(what, "hole"))
		return n - 1;
	if (!strcmp(what, "nofirst")) {
		memmove(p, p + 1, (n - 1) * sizeof(*p));
		return n - 1;
	}
	if (!strcmp(what, "atomic")) {
		p[0] = (struct piece){.at = 0, .len = gram->len};
		return 1;
	}
	if (!strcmp(what, "beyond")) {
		p[n - 1].at = 65528;
		p[n - 1].len = 64;
		p[n - 1].data = noise;
		return n;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!strcmp(what, "nested"))
			p[i].nested = true;
		if (!strcmp(what, "lie") && i)
			p[i].proto = 60;
	}
	return n;
}

static int send_cmd(char **argv)
{
	struct send_opts opt = {4000, 1400, "in", "", 1, 1, 53, UDP};
	static struct datagram gram;
	struct piece p[PIECES_MAX + 8];
	unsigned port, n;

	wire_open(argv);
	port = atoi(argv[4]);
	for (argv += 5; *argv; argv++) {
		char *value = strchr(*argv, '=');

		if (!value)
			die(*argv);
		*value++ = '\0';
		if (!strcmp(*argv, "size"))
			opt.size = atoi(value);
		else if (!strcmp(*argv, "cut"))
			opt.cut = atoi(value);
		else if (!strcmp(*argv, "order"))
			opt.order = value;
		else if (!strcmp(*argv, "count"))
			opt.count = atoi(value);
		else if (!strcmp(*argv, "ident"))
			opt.ident = atoi(value);
		else if (!strcmp(*argv, "vlan"))
			wire.vlan = atoi(value);
		else if (!strcmp(*argv, "what"))
			opt.what = value;
		else if (!strcmp(*argv, "evil"))
			opt.evil = atoi(value);
		else if (!strcmp(*argv, "proto"))
			opt.proto = atoi(value);
		else
			die(*argv);
	}
	for (unsigned k = 0; k < opt.count; k++) {
		datagram_make(&gram, port, opt.size, k, opt.ident + k);
		gram.proto = opt.proto;
		if (!strcmp(opt.what, "tiny")) {
			p[0] = (struct piece){.at = 0, .len = 8, .more = true};
			p[1] = (struct piece){.at = 8, .len = gram.len - 8};
			n = 2;
		} else if (!strcmp(opt.what, "hidden")) {
			hide_header(&gram);
			p[0] = (struct piece){.at = 0, .len = 8, .more = true};
			p[1] = (struct piece){.at = 8, .len = gram.len - 8};
			n = 2;
		} else {
			n = spoil(&gram, &opt, p, cut_evenly(&gram, opt.cut, p));
		}
		for (unsigned i = 0; i < n / 2 && !strcmp(opt.order, "reverse"); i++)
			swap_pieces(&p[i], &p[n - 1 - i]);
		for (unsigned i = 0; i + 1 < n && !strcmp(opt.order, "swap"); i += 2)
			swap_pieces(&p[i], &p[i + 1]);
		for (unsigned i = 0; i < n; i++)
			piece_send(&gram, &p[i]);
	}
	return 0;
}

/* -------------------------------------------------------------------- fuzzing */

static uint64_t seed;

static unsigned below(unsigned limit)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % limit;
}

/* Linux takes no middle piece of IPv6 from which the packet would be below the least MTU. */
#define SIX_LEAST 1240

static unsigned cut_anyhow(const struct datagram *gram, struct piece *p)
{
	unsigned n = 0;
	size_t at = 0;

	while (at < gram->len) {
		size_t left = gram->len - at, len = (below(8) ? 64 + below(1300) : 8) & ~7u;

		if (wire.six)
			len = SIX_LEAST + below(20) * 8;
		if (len > left)
			len = left;
		p[n++] = (struct piece){.at = at, .len = len, .more = len < left};
		at += len;
	}
	return n;
}

/* Copies, overlaps, other ports. True: a receiver need not get it any more. */
static bool dirty(const struct datagram *gram, struct piece *p, unsigned *n, const uint16_t *ports,
		  unsigned evil)
{
	static const uint8_t noise[256] = {0xee, 0xee};
	unsigned first = *n, kind = below(6);

	switch (kind) {
	case 0: /* a second first piece */
		p[first] = p[0];
		p[first].data = other_port(gram, p[0].len, ports[evil]);
		break;
	case 1: /* other bytes over the middle */
		p[first] = (struct piece){.at = below(gram->len / 8) * 8,
					  .len = 8 + below(30) * 8,
					  .more = true,
					  .data = noise};
		break;
	case 2: /* a piece is missing */
		p[below(first)] = p[first - 1];
		--*n;
		return true;
	case 3: /* a piece twice, which is no harm */
		p[first] = p[below(first)];
		++*n;
		return false;
	default:
		return false;
	}
	++*n;
	return true;
}

static int fuzz(char **argv)
{
	unsigned clean[PORTS_MAX] = {0}, spoilt[PORTS_MAX] = {0}, ports = 0, count, base;
	struct timespec pause = {.tv_nsec = 300000};
	uint16_t port[PORTS_MAX];
	static struct datagram gram;
	struct piece p[PIECES_MAX + 8];

	wire_open(argv);
	seed = strtoull(argv[4], NULL, 0);
	base = seed * 5000;
	count = atoi(argv[5]);
	for (argv += 6; ports < PORTS_MAX && argv[ports]; ports++)
		port[ports] = atoi(argv[ports]);
	for (unsigned k = 0; k < count; k++) {
		unsigned which = below(ports), evil, n;

		datagram_make(&gram, port[which], HEAD + 30 + below(5000), k, base + k);
		n = cut_anyhow(&gram, p);
		evil = below(ports);
		if (n > 1 && dirty(&gram, p, &n, port, evil)) {
			spoilt[which]++;
			spoilt[evil]++;
		} else {
			clean[which]++;
		}
		for (unsigned i = n; i > 1; i--)
			swap_pieces(&p[i - 1], &p[below(i)]);
		for (unsigned i = 0; i < n; i++)
			piece_send(&gram, &p[i]);
		nanosleep(&pause, NULL);
	}
	for (unsigned i = 0; i < ports; i++)
		printf("%u clean %u dirty %u\n", port[i], clean[i], spoilt[i]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && !strcmp(argv[1], "recv"))
		return receive(argv + 2);
	if (argc >= 7 && !strcmp(argv[1], "send"))
		return send_cmd(argv + 2);
	if (argc >= 9 && !strcmp(argv[1], "fuzz"))
		return fuzz(argv + 2);
	fputs("usage: fragflow recv|send|fuzz ...\n", stderr);
	return 2;
}
