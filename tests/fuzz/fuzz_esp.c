// SPDX-License-Identifier: BSD-2-Clause
// FUZZ-SOURCES: userspace/esp/crypto_openssl.c userspace/esp/crypto_selftest.c
// FUZZ-SOURCES: userspace/esp/gro.c userspace/esp/hold.c userspace/esp/icmp.c
// FUZZ-SOURCES: userspace/esp/ip.c userspace/esp/packet.c userspace/esp/rawesp.c
// FUZZ-SOURCES: userspace/esp/replay.c
// FUZZ-SOURCES: userspace/esp/satab.c userspace/esp/segment.c userspace/esp/tap.c
// FUZZ-SOURCES: userspace/esp/worker.c userspace/esp/worker_in.c userspace/esp/worker_open.c
// FUZZ-SOURCES: userspace/esp/worker_out.c userspace/esp/worker_slow.c
// FUZZ-SOURCES: userspace/esp/xsk.c userspace/util/addr.c
// FUZZ-SOURCES: userspace/util/algs.c userspace/util/diag.c userspace/util/memtext.c
/*
 * A worker under arbitrary input. The first byte chooses what the rest is:
 *   a frame from the wire, as it is, for an SA of each algorithm;
 *   the inside of a frame with a right ICV, so that what lies behind the
 *   integrity check is reached;
 *   virtio header and frame from the TAP, marked for an SA or for holding.
 * It checks that what comes out towards the wire is well-formed ESP and that
 * what goes to the stack is a whole IP packet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "esp/worker_impl.h"
#include "util/addr.h"
#include "util/bytes.h"

#define MTU 1500
/* One SA pair for each of these, id 1 and up. */
static const struct {
	enum xi_cipher cipher;
	enum xi_integ integ;
} algorithms[] = {
	{XI_CIPHER_NULL, XI_INTEG_SHA256},	 {XI_CIPHER_AES128_GCM16, XI_INTEG_NONE},
	{XI_CIPHER_AES256_GCM16, XI_INTEG_NONE}, {XI_CIPHER_AES128_CBC, XI_INTEG_SHA1},
	{XI_CIPHER_AES256_CBC, XI_INTEG_SHA384}, {XI_CIPHER_TDES_CBC, XI_INTEG_SHA512},
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(*algorithms))

static uint8_t tx[4096], from_stack[WORKER_READ_MAX];
static size_t from_stack_len;
static struct worker *worker;
static uint8_t key[XI_KEY_MAX];

static void require(bool good)
{
	if (!good)
		abort();
}

static size_t no_rx(void *ctx, unsigned queue, struct wire_frame *frames, size_t max)
{
	return 0;
}

static void rx_done(void *ctx, unsigned queue, const struct wire_frame *frames, size_t count)
{
}

static bool tx_get(void *ctx, unsigned queue, struct wire_frame *ret)
{
	*ret = (struct wire_frame){tx, sizeof(tx), 0};
	return true;
}

static void tx_put(void *ctx, unsigned queue, const struct wire_frame *frame)
{
	struct ip_info info;
	size_t off;

	if (!frame->len)
		return;
	off = frame_ip_off(frame->data, frame->len);
	require(off && !ip_parse(frame->data + off, frame->len - off, &info));
	require(info.proto == IP_PROTO_ESP && info.len == frame->len - off && info.len <= MTU);
}

static void tx_flush(void *ctx, unsigned queue)
{
}

static void close_edge(void *ctx)
{
}

static ssize_t stack_read(void *ctx, uint8_t *buf, size_t cap)
{
	size_t len = from_stack_len;

	memcpy(buf, from_stack, len);
	from_stack_len = 0;
	return len ? (ssize_t)len : -EAGAIN;
}

static int stack_write(void *ctx, const struct iovec *iov, int count)
{
	static uint8_t flat[70000];
	struct ip_info info;
	size_t len = 0;

	for (int i = 0; i < count; i++) {
		require(len + iov[i].iov_len <= sizeof(flat));
		memcpy(flat + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	len -= sizeof(struct virtio_net_hdr) + 14;
	require(!ip_parse(flat + sizeof(struct virtio_net_hdr) + 14, len, &info));
	require(info.len == len);
	return 0;
}

static const struct wire_ops wire = {no_rx, rx_done, tx_get, tx_put, tx_flush, close_edge};
static const struct stack_ops stack = {stack_read, stack_write, close_edge};

static void install(uint8_t family, uint32_t id, enum xi_cipher cipher, enum xi_integ integ)
{
	struct xi_sa_params p = {.id = id, .protocol = 50, .cipher = cipher, .integ = integ};

	require(!xi_addr_parse(family == 4 ? "192.0.2.1" : "2001:db8::1", &p.local));
	require(!xi_addr_parse(family == 4 ? "192.0.2.2" : "2001:db8::2", &p.remote));
	p.sel.local = (struct xi_prefix){p.local, xi_family_bits(family)};
	p.sel.remote = (struct xi_prefix){p.remote, xi_family_bits(family)};
	p.in.spi = p.out.spi = 0x1000 + id;
	memcpy(p.in.cipher_key, key, sizeof(key));
	memcpy(p.in.integ_key, key, sizeof(key));
	p.out = p.in;
	require(!worker_sa_install(worker, &p, 0));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 11);
	return 0;
}

static void worker_up(void)
{
	struct edges edges = {.wire = &wire, .stack = &stack, .queues = 1, .mtu = MTU};

	require(!worker_new(&edges, &worker));
	for (uint32_t i = 0; i < ALGORITHMS; i++) {
		install(4, 1 + i, algorithms[i].cipher, algorithms[i].integ);
		install(6, 0x101 + i, algorithms[i].cipher, algorithms[i].integ);
	}
}

/* Ethernet and IP around an ESP packet from the peer; returns where ESP starts. */
static size_t envelope(uint8_t *frame, uint8_t family, size_t esp_len)
{
	struct ip_info info = {.family = family};
	uint8_t *ip = frame + 14;
	size_t header = family == 4 ? 20 : 40;

	memset(frame, 0, 14 + header);
	put_be16(frame + 12, family == 4 ? 0x0800 : 0x86dd);
	if (family == 4) {
		ip[0] = 0x45;
		ip[9] = IP_PROTO_ESP;
		memcpy(ip + 12, "\xc0\x00\x02\x02\xc0\x00\x02\x01", 8);
	} else {
		ip[0] = 0x60;
		ip[6] = IP_PROTO_ESP;
		memcpy(ip + 8, "\x20\x01\x0d\xb8", 4);
		memcpy(ip + 24, "\x20\x01\x0d\xb8", 4);
		ip[23] = 2;
		ip[39] = 1;
	}
	ip_set_len(ip, &info, header + esp_len);
	return 14 + header;
}

/* NULL encryption with a right ICV over whatever the input says lies inside. */
static void in_authenticated(uint8_t *frame, uint8_t family, uint32_t seq, const uint8_t *data,
			     size_t size)
{
	static struct esp_crypto *seal;
	size_t body = size / 4 * 4, at = envelope(frame, family, 8 + body + 16);
	struct esp_crypto_op op = {.aad = frame + at,
				   .aad_len = 8,
				   .data = frame + at + 8,
				   .iv = frame + at + 8,
				   .len = body,
				   .icv = frame + at + 8 + body};

	if (!seal)
		require(!esp_crypto_new(XI_CIPHER_NULL, XI_INTEG_SHA256, key, key, true, &seal));
	put_be32(frame + at, 0x1000 + (family == 4 ? 1 : 0x101));
	put_be32(frame + at + 4, seq);
	memcpy(op.data, data, body);
	require(!esp_crypto_seal(seal, &op));
	worker_in(worker, frame, at + 8 + body + 16);
}

/* Several packets one after the other, so that coalescing has something to do. */
static void in_sequence(uint8_t family, const uint8_t *data, size_t size)
{
	static uint8_t frames[16][2048];
	uint32_t seq = 1;

	while (size > 2 && seq <= 16) {
		size_t len = get_be16(data) % 1600;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		in_authenticated(frames[seq - 1], family, seq, data, len);
		seq++;
		data += len;
		size -= len;
	}
	worker_in_flush(worker);
}

static void in_raw(const uint8_t *data, size_t size, bool enveloped)
{
	uint8_t frame[4096];
	size_t at = 0;

	if (size > 2048)
		size = 2048;
	if (enveloped && size >= 8)
		at = envelope(frame, data[7] & 1 ? 6 : 4, size);
	memcpy(frame + at, data, size);
	if (at)
		put_be32(frame + at, 0x1001 + data[0] % ALGORITHMS + (data[7] & 1 ? 0x100 : 0));
	worker_in(worker, frame, at + size);
	worker_in_flush(worker);
}

static void out(uint32_t mark, const uint8_t *data, size_t size)
{
	if (size > sizeof(from_stack))
		size = sizeof(from_stack);
	memcpy(from_stack, data, size);
	from_stack_len = size;
	if (size >= sizeof(struct virtio_net_hdr) + 14) {
		uint8_t *src = from_stack + sizeof(struct virtio_net_hdr) + 6;

		src[0] = XI_TAP_MAGIC0;
		src[1] = XI_TAP_MAGIC1;
		put_be32(src + 2, mark);
	}
	worker_run(worker, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t choice;

	if (size < 2)
		return 0;
	if (!worker)
		worker_up();
	choice = data[0];
	data++;
	size--;
	if (choice < 64) {
		in_raw(data, size, choice & 1);
	} else if (choice < 160) {
		/* Fresh windows: the same numbers come in every run. */
		satab_by_id(worker->sas, 1)->replay.top = 0;
		satab_by_id(worker->sas, 0x101)->replay.top = 0;
		in_sequence(choice & 1 ? 6 : 4, data, size);
	} else if (choice < 250) {
		out(1 + choice % ALGORITHMS + (choice & 1 ? 0x100 : 0), data, size);
	} else {
		out(XI_SA_HOLD, data, size);
		worker_run(worker, 1 + HOLD_MS * 2);
	}
	return 0;
}
