/* SPDX-License-Identifier: BSD-2-Clause */
/* See esp_mock.h. */
#include "tests/lib/esp_mock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "esp/csum.h"
#include "util/addr.h"
#include "util/bytes.h"

static size_t mock_rx(void *ctx, unsigned queue, struct wire_frame *frames, size_t max)
{
	struct mock_host *host = ctx;
	size_t n;

	for (n = 0; n < max && host->rx_next < host->rx_count; n++, host->rx_next++)
		frames[n] = (struct wire_frame){host->rx[host->rx_next],
						(uint32_t)host->rx_len[host->rx_next], n};
	return n;
}

static void mock_rx_done(void *ctx, unsigned queue, const struct wire_frame *frames, size_t count)
{
	struct mock_host *host = ctx;

	if (host->rx_next == host->rx_count)
		host->rx_next = host->rx_count = 0;
}

static bool mock_tx_get(void *ctx, unsigned queue, struct wire_frame *ret)
{
	struct mock_host *host = ctx;

	if (host->tx_full)
		return false;
	assert_true(host->tx_count < MOCK_FRAMES);
	*ret = (struct wire_frame){host->tx[host->tx_count], MOCK_FRAME, host->tx_count};
	return true;
}

static void mock_tx_put(void *ctx, unsigned queue, const struct wire_frame *frame)
{
	struct mock_host *host = ctx;

	if (!frame->len)
		return;
	host->tx_len[host->tx_count++] = frame->len;
	if (host->peer)
		mock_arrive(host->peer, frame->data, frame->len);
}

static void mock_flush(void *ctx, unsigned queue)
{
}

static void mock_close(void *ctx)
{
}

static ssize_t mock_read(void *ctx, uint8_t *buf, size_t cap)
{
	struct mock_host *host = ctx;
	size_t len = host->to_read_len;

	if (host->read_error)
		return host->read_error;
	if (!len)
		return -EAGAIN;
	assert_true(len <= cap);
	memcpy(buf, host->to_read, len);
	host->to_read_len = 0;
	return (ssize_t)len;
}

static int mock_write(void *ctx, const struct iovec *iov, int count)
{
	struct mock_host *host = ctx;
	struct mock_write *write = &host->writes[host->write_count];
	uint8_t flat[sizeof(write->vnet) + sizeof(write->frame)];
	size_t len = 0;

	if (host->stack_full)
		return -EAGAIN;
	assert_true(host->write_count < MOCK_WRITES);
	for (int i = 0; i < count; i++) {
		assert_true(len + iov[i].iov_len <= sizeof(flat));
		memcpy(flat + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	memcpy(&write->vnet, flat, sizeof(write->vnet));
	write->len = len - sizeof(write->vnet);
	memcpy(write->frame, flat + sizeof(write->vnet), write->len);
	host->write_count++;
	return 0;
}

static ssize_t mock_slow_recv(void *ctx, uint8_t *buf, size_t cap)
{
	struct mock_host *host = ctx;
	size_t len = host->slow_len;

	memcpy(buf, host->slow, len);
	host->slow_len = 0;
	return len ? (ssize_t)len : -EAGAIN;
}

static bool mock_too_big(void *ctx, struct too_big *ret)
{
	struct mock_host *host = ctx;
	bool there = host->report.remote.family;

	*ret = host->report;
	host->report.remote.family = 0;
	return there;
}

static const struct slow_ops slow = {mock_slow_recv, mock_too_big, mock_close};
static const struct wire_ops wire = {mock_rx,	  mock_rx_done, mock_tx_get,
				     mock_tx_put, mock_flush,	mock_close};
static const struct stack_ops stack = {mock_read, mock_write, mock_close};

struct mock_host *mock_host_new(unsigned number)
{
	struct mock_host *host = calloc(1, sizeof(*host));
	struct edges edges = {
		.wire = &wire,
		.wire_ctx = host,
		.stack = &stack,
		.stack_ctx = host,
		.slow = &slow,
		.slow_ctx = host,
		.queues = 1,
		.mac = {0x02, 0xaa, 0, 0, 0, (uint8_t)number},
		.stack_mac = {0x02, 0xbb, 0, 0, 0, (uint8_t)number},
		.mtu = 1500,
	};

	assert_non_null(host);
	host->writes = calloc(MOCK_WRITES, sizeof(*host->writes));
	assert_non_null(host->writes);
	assert_int_equal(worker_new(&edges, &host->worker), 0);
	return host;
}

void mock_host_free(struct mock_host *host)
{
	worker_close(host->worker);
	free(host->writes);
	free(host);
}

void mock_join(struct mock_host *a, struct mock_host *b)
{
	a->peer = b;
	b->peer = a;
}

void mock_arrive(struct mock_host *host, const uint8_t *frame, size_t len)
{
	assert_true(host->rx_count < MOCK_FRAMES && len <= MOCK_FRAME);
	memcpy(host->rx[host->rx_count], frame, len);
	host->rx_len[host->rx_count++] = len;
}

void mock_forget(struct mock_host *host)
{
	host->tx_count = host->write_count = 0;
}

void mock_send(struct mock_host *host, uint32_t sa_id, const struct virtio_net_hdr *vnet,
	       const uint8_t *ip, size_t len, uint64_t now_ms)
{
	static const struct virtio_net_hdr none;
	uint8_t *frame = host->to_read + sizeof(none);

	memcpy(host->to_read, vnet ? vnet : &none, sizeof(none));
	memcpy(frame, "\x02\xcc\x00\x00\x00\x01", 6);
	frame[6] = XI_TAP_MAGIC0;
	frame[7] = XI_TAP_MAGIC1;
	put_be32(frame + 8, sa_id);
	put_be16(frame + 12, ip[0] >> 4 == 4 ? 0x0800 : 0x86dd);
	memcpy(frame + 14, ip, len);
	host->to_read_len = sizeof(none) + 14 + len;
	worker_run(host->worker, now_ms);
}

static void fill_half(struct xi_sa_half *half, uint32_t spi, uint8_t seed)
{
	half->spi = spi;
	for (size_t i = 0; i < XI_KEY_MAX; i++) {
		half->cipher_key[i] = (uint8_t)(seed + i * 3);
		half->integ_key[i] = (uint8_t)(seed ^ (i * 5 + 1));
	}
}

struct mock_pair mock_sa(uint8_t family, uint32_t id, enum xi_cipher cipher, enum xi_integ integ,
			 uint8_t salt)
{
	struct xi_sa_params p = {
		.id = id,
		.protocol = IP_PROTO_ESP,
		.mode = XI_MODE_TRANSPORT,
		.cipher = cipher,
		.integ = integ,
		.replay_window = 1024,
	};
	struct mock_pair pair;

	assert_int_equal(xi_addr_parse(family == 4 ? "192.0.2.1" : "2001:db8::1", &p.local), 0);
	assert_int_equal(xi_addr_parse(family == 4 ? "192.0.2.2" : "2001:db8::2", &p.remote), 0);
	p.sel.local = (struct xi_prefix){p.local, xi_family_bits(family)};
	p.sel.remote = (struct xi_prefix){p.remote, xi_family_bits(family)};
	fill_half(&p.in, 0x1000 + id, salt);
	fill_half(&p.out, 0x2000 + id, (uint8_t)(salt + 101));
	pair.a = pair.b = p;
	pair.b.local = p.remote;
	pair.b.remote = p.local;
	pair.b.sel.local = p.sel.remote;
	pair.b.sel.remote = p.sel.local;
	pair.b.in = p.out;
	pair.b.out = p.in;
	return pair;
}

uint16_t l4_checksum(const uint8_t *ip, const struct ip_info *info)
{
	size_t len = info->len - info->l4_off;

	return csum_fold(csum_add(ip_pseudo_sum(info, info->proto, len), ip + info->l4_off, len));
}

static size_t ip_header(uint8_t family, uint8_t proto, size_t l4_len, uint8_t *out)
{
	struct ip_info info = {.family = family};
	size_t len = family == 4 ? 20 : 40;

	memset(out, 0, len);
	if (family == 4) {
		out[0] = 0x45;
		put_be16(out + 4, 0x1234);
		out[6] = 0x40;
		out[8] = 64;
		out[9] = proto;
		memcpy(out + 12, "\xc0\x00\x02\x01\xc0\x00\x02\x02", 8);
	} else {
		out[0] = 0x60;
		out[6] = proto;
		out[7] = 64;
		memcpy(out + 8, "\x20\x01\x0d\xb8", 4);
		memcpy(out + 24, "\x20\x01\x0d\xb8", 4);
		out[23] = 1;
		out[39] = 2;
	}
	ip_set_len(out, &info, (len + l4_len) & 0xffff);
	return len;
}

size_t mock_packet(uint8_t family, uint8_t proto, const uint8_t *payload, size_t payload_len,
		   uint8_t *out)
{
	size_t l4_hdr = proto == IP_PROTO_TCP ? 20 : 8, sum_at = proto == IP_PROTO_TCP ? 16 : 6;
	size_t off = ip_header(family, proto, l4_hdr + payload_len, out);
	uint8_t *l4 = out + off;
	struct ip_info info;
	uint16_t sum;

	memset(l4, 0, l4_hdr);
	put_be16(l4, 40000);
	put_be16(l4 + 2, 5432);
	if (proto == IP_PROTO_TCP) {
		put_be32(l4 + 4, 0xfffffff0); /* wraps within the first segment */
		put_be32(l4 + 8, 77);
		l4[12] = 5 << 4;
		l4[13] = 0x10;
		put_be16(l4 + 14, 500);
	} else {
		put_be16(l4 + 4, (uint16_t)(8 + payload_len));
	}
	memcpy(l4 + l4_hdr, payload, payload_len);
	assert_int_equal(ip_parse(out, off + l4_hdr + payload_len, &info), 0);
	sum = l4_checksum(out, &info);
	memcpy(l4 + sum_at, &sum, 2);
	return off + l4_hdr + payload_len;
}
