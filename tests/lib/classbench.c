/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading filter sets and traces; see classbench.h. */
#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classbench.h"
#include "util/addr.h"

/* The whole file, decompressed and ended by a NUL. */
static int read_xz(const char *path, char **ret)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	uint8_t in[65536], *out = NULL, *more;
	size_t size = 1 << 20, used = 0;
	lzma_ret rc = LZMA_OK;
	FILE *file = fopen(path, "rb");
	int err = -ENOMEM;

	if (!file)
		return -errno;
	if (lzma_stream_decoder(&stream, UINT64_MAX, 0) != LZMA_OK)
		goto out;
	while (rc == LZMA_OK) {
		if (!stream.avail_in && !feof(file)) {
			stream.next_in = in;
			stream.avail_in = fread(in, 1, sizeof(in), file);
		}
		if (!out || used + 65536 > size) {
			size *= 2;
			more = realloc(out, size);
			if (!more)
				goto out;
			out = more;
		}
		stream.next_out = out + used;
		stream.avail_out = size - used - 1;
		rc = lzma_code(&stream, feof(file) ? LZMA_FINISH : LZMA_RUN);
		used = stream.next_out - out;
	}
	err = rc == LZMA_STREAM_END ? 0 : -EINVAL;
	if (!err) {
		out[used] = '\0';
		*ret = (char *)out;
		out = NULL;
	}
out:
	lzma_end(&stream);
	fclose(file);
	free(out);
	return err;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n + 1;
}

static int parse_rule(const char *line, size_t number, struct filter *ret)
{
	static const enum xi_action actions[] = {XI_ACT_PERMIT, XI_ACT_BLOCK, XI_ACT_NEGOTIATE};
	struct filter f = {.id = number + 1,
			   .rule = number,
			   .rule_name = "set",
			   .dir = XI_DIR_IN,
			   .band = XI_BAND_RULES,
			   .action = actions[number % 3],
			   .icmp_type = -1,
			   .icmp_code = -1,
			   .iface_class = -1};
	unsigned slo, shi, dlo, dhi, proto, mask;
	char src[64], dst[64];

	if (sscanf(line, "@%63s %63s %u : %u %u : %u %x/%x", src, dst, &slo, &shi, &dlo, &dhi,
		   &proto, &mask) != 8)
		return -EINVAL;
	if (xi_prefix_parse(src, &f.remote) || xi_prefix_parse(dst, &f.local) ||
	    f.remote.addr.family != f.local.addr.family || shi > 65535 || dhi > 65535)
		return -EINVAL;
	f.family = f.remote.addr.family;
	f.remote_port_lo = slo;
	f.remote_port_hi = shi;
	f.local_port_lo = dlo;
	f.local_port_hi = dhi;
	f.proto_given = mask != 0;
	f.proto = mask ? proto : 0;
	*ret = f;
	return 0;
}

static int parse_addr(const char *text, struct xi_addr *ret)
{
	unsigned long n;
	char *end;

	if (!xi_addr_parse(text, ret))
		return 0;
	n = strtoul(text, &end, 10);
	if (*end || n > 0xffffffffu)
		return -EINVAL;
	*ret = (struct xi_addr){.family = 4, .b = {n >> 24, n >> 16, n >> 8, n}};
	return 0;
}

static int parse_packet(const char *line, struct xi_pkt *ret)
{
	struct xi_addr src, dst;
	char src_text[64], dst_text[64];
	unsigned sport, dport, proto;
	struct xi_pkt pkt = {.dir = XI_DIR_IN, .len = 64};

	if (sscanf(line, "%63s %63s %u %u %u", src_text, dst_text, &sport, &dport, &proto) != 5 ||
	    parse_addr(src_text, &src) || parse_addr(dst_text, &dst))
		return -EINVAL;
	memcpy(pkt.remote, src.b, 16);
	memcpy(pkt.local, dst.b, 16);
	pkt.family = src.family;
	pkt.remote_port = sport;
	pkt.local_port = dport;
	pkt.proto = proto;
	*ret = pkt;
	return 0;
}

int classbench_load(const char *path, struct classbench *ret)
{
	struct classbench set = {0};
	char name[512], *rules = NULL, *trace = NULL, *save, *line;
	int err;

	snprintf(name, sizeof(name), "%s.rules.xz", path);
	err = read_xz(name, &rules);
	snprintf(name, sizeof(name), "%s.trace.xz", path);
	if (!err)
		err = read_xz(name, &trace);
	if (err)
		goto out;
	set.filters = calloc(count_lines(rules), sizeof(*set.filters));
	set.trace = calloc(count_lines(trace), sizeof(*set.trace));
	if (!set.filters || !set.trace) {
		err = -ENOMEM;
		goto out;
	}
	for (line = strtok_r(rules, "\n", &save); !err && line;
	     line = strtok_r(NULL, "\n", &save)) {
		err = parse_rule(line, set.count, &set.filters[set.count]);
		set.count++;
	}
	for (line = strtok_r(trace, "\n", &save); !err && line; line = strtok_r(NULL, "\n", &save))
		err = parse_packet(line, &set.trace[set.trace_count++]);
	if (!err) {
		*ret = set;
		set = (struct classbench){0};
	}
out:
	classbench_free(&set);
	free(rules);
	free(trace);
	return err;
}

void classbench_free(struct classbench *set)
{
	free(set->filters);
	free(set->trace);
	*set = (struct classbench){0};
}
