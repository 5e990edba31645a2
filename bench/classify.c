/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a lookup costs: nanoseconds a packet of the BPF classifier on ClassBench
 * sets, every packet another flow, next to one exact-match hash lookup in a map
 * of as many entries in the same run. The first column of figures is with warm
 * caches (one packet again and again). Compile time and memory are on the right.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../tests/lib/classbench.h"
#include "../tests/lib/classify_load.h"
#include "compile/image.h"

/*
 * The trace is run in pieces short enough to fit between two ticks of a busy
 * machine; each piece counts with its fastest pass, and all others pass through
 * the caches in between.
 */
#define PASSES 7
#define PIECE  2048
#define PIECES (BOX_TRACE_MAX / PIECE)

static uint64_t state = 88172645463325252ull;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Runs one piece; box_run() or box_tuples(). */
typedef int (*piece_fn)(struct box *box, const struct xi_pkt *pkts, uint64_t *ret_ns);

static int classify_piece(struct box *box, const struct xi_pkt *pkts, uint64_t *ret_ns)
{
	const struct box_answer *answers;

	return box_run(box, pkts, PIECE, &answers, ret_ns);
}

static int empty_piece(struct box *box, const struct xi_pkt *pkts, uint64_t *ret_ns)
{
	return box_empty(box, pkts, PIECE, ret_ns);
}

static int hash_piece(struct box *box, const struct xi_pkt *pkts, uint64_t *ret_ns)
{
	uint64_t hits;
	int err = box_tuples(box, pkts, PIECE, ret_ns, &hits);

	return err ? err : hits == PIECE ? 0 : -EIO;
}

/* Nanoseconds a packet over the whole trace. */
static int time_trace(struct box *box, const struct xi_pkt *pkts, piece_fn run, double *ret)
{
	uint64_t best[PIECES], ns, sum = 0;

	for (int pass = 0; pass < PASSES; pass++) {
		for (int i = 0; i < PIECES; i++) {
			int err = run(box, pkts + i * PIECE, &ns);

			if (err)
				return err;
			if (!pass || ns < best[i])
				best[i] = ns;
		}
	}
	for (int i = 0; i < PIECES; i++)
		sum += best[i];
	*ret = (double)sum / BOX_TRACE_MAX;
	return 0;
}

/* A hash map with as many five-tuples as there are filters, every lookup a hit. */
static int time_hash(size_t entries, struct xi_pkt *pkts, double *ret)
{
	struct xi_pkt *keys = calloc(entries, sizeof(*keys));
	struct box *box = NULL;
	int err = -ENOMEM;

	if (!keys)
		goto out;
	err = box_open(&box, entries);
	for (size_t i = 0; !err && i < entries; i++) {
		keys[i] = (struct xi_pkt){.family = 4,
					  .proto = 6,
					  .remote_port = draw(65536),
					  .local_port = draw(65536)};
		for (int k = 0; k < 4; k++) {
			keys[i].remote[k] = draw(256);
			keys[i].local[k] = draw(256);
		}
		err = box_tuple_add(box, &keys[i]);
	}
	for (size_t i = 0; !err && i < BOX_TRACE_MAX; i++)
		pkts[i] = keys[draw(entries)];
	if (!err)
		err = time_trace(box, pkts, hash_piece, ret);
out:
	box_close(box);
	free(keys);
	return err;
}

static unsigned shapes(const struct image *image)
{
	const struct xi_space *space = image->tables[XI_TABLE_SPACE].data;

	return space[XI_SPACE_INDEX(XI_DIR_IN, image->filters[0].family, 0, 0)].shapes;
}

static int bench_set(const char *data, const char *name)
{
	struct compile_opts opts = {0};
	struct xi_pkt *pkts = calloc(BOX_TRACE_MAX, sizeof(*pkts)), one;
	struct classbench set = {0};
	struct image *image = NULL;
	struct box *box = NULL;
	double warm = 0, cold = 0, hash = 0, empty = 0, seconds;
	size_t bytes = 0;
	char path[512];
	int err = -ENOMEM;

	if (!pkts)
		return err;
	snprintf(path, sizeof(path), "%s/classbench/%s", data, name);
	err = classbench_load(path, &set);
	if (err == -ENOENT) {
		printf("%-24s skipped: no %s\n", name, path);
		free(pkts);
		return 0;
	}
	seconds = now();
	if (!err)
		err = compile_filters(set.filters, set.count, NULL, &opts, &image, NULL);
	seconds = now() - seconds;
	if (!err)
		err = box_open(&box, 0);
	if (!err)
		err = box_load(box, image);
	if (err)
		goto out;
	{
		uint32_t a, b;
		if (getenv("INFO")) {
			box_size(box, &a, &b);
			printf("verified %u code %u\n", a, b);
		}
	}
	one = set.trace[draw(set.trace_count)];
	for (size_t i = 0; i < BOX_TRACE_MAX; i++)
		pkts[i] = one;
	err = time_trace(box, pkts, classify_piece, &warm);
	for (size_t i = 0; i < BOX_TRACE_MAX; i++)
		pkts[i] = set.trace[draw(set.trace_count)];
	if (!err)
		err = time_trace(box, pkts, classify_piece, &cold);
	if (!err)
		err = time_trace(box, pkts, empty_piece, &empty);
	if (!err && !getenv("NOHASH"))
		err = time_hash(image->count, pkts, &hash);
	if (err)
		goto out;
	for (int t = 0; t < XI_TABLE_MAX; t++)
		bytes += (size_t)image->tables[t].value_size * image->tables[t].count;
	printf("%-24s %7zu %6u %9.1f %9.0f %9.0f %9.0f %7.1f %9.2f %8.1f\n", name, image->count,
	       shapes(image), empty, warm, cold, hash, cold / hash, seconds, bytes / 1e6);
out:
	box_close(box);
	image_free(image);
	classbench_free(&set);
	free(pkts);
	return err;
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		"acl1_1000",	      "acl1_10000",	      "acl1_100000",
		"acl3_100000",	      "acl4_100000",	      "fw1_1000",
		"fw1_10000",	      "fw1_100000",	      "fw4_100000",
		"ipc1_1000",	      "ipc1_10000",	      "ipc1_100000",
		"v6/ipc1_v6_1000",    "v6/acl1_v6_10000",     "v6/fw1_v6_100000",
		"adversarial/nest30", "adversarial/ranges1k", "adversarial/ranges2d",
	};
	const char *data = getenv("XI_DATA") ? getenv("XI_DATA") : "../shared/data";
	int err = 0;

	printf("%-24s %7s %6s %9s %9s %9s %9s %7s %9s %8s\n", "set", "filters", "shapes", "empty",
	       "warm ns", "new flows", "one hash", "ratio", "compile s", "MB");
	if (argc > 1) {
		for (int i = 1; !err && i < argc; i++)
			err = bench_set(data, argv[i]);
	} else {
		for (size_t i = 0; !err && i < sizeof(names) / sizeof(*names); i++)
			err = bench_set(data, names[i]);
	}
	if (err)
		fprintf(stderr, "classify: %s\n", strerror(-err));
	return err ? 1 : 0;
}
