/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a lookup costs: nanoseconds a packet of the BPF classifier on ClassBench
 * sets, every packet another flow, next to two yardsticks in the same run: the
 * same loop without a lookup, and one exact-match lookup in a hash map of as many
 * entries. "warm" is one packet again and again. At the end medians by size.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../tests/lib/classbench.h"
#include "../tests/lib/classify_load.h"
#include "../tests/lib/data.h"
#include "compile/image.h"
#include "compile/stats.h"

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

/* One line of the table. */
struct line {
	char name[48];
	size_t filters;
	uint32_t shapes, alive;
	bool exact; /* alive is not only a bound */
	double empty, warm, cold, hash, seconds, megabytes;
	bool v6;
};

static int measure_alive(const struct image *image, struct line *line)
{
	struct space_stats *spaces = calloc(XI_SPACES, sizeof(*spaces));
	int n = spaces ? image_stats(image, spaces) : -ENOMEM;

	for (int i = 0; i < n; i++) {
		if (spaces[i].frag || spaces[i].shapes < line->shapes)
			continue;
		line->shapes = spaces[i].shapes;
		line->alive = spaces[i].alive;
		line->exact = spaces[i].exact;
	}
	free(spaces);
	return n < 0 ? n : 0;
}

static int measure(const struct classbench *set, struct line *line, struct xi_pkt *pkts)
{
	struct compile_opts opts = {0};
	struct image *image = NULL;
	struct box *box = NULL;
	struct xi_pkt one;
	int err;

	line->seconds = now();
	err = compile_filters(set->filters, set->count, NULL, &opts, &image, NULL);
	line->seconds = now() - line->seconds;
	if (!err)
		err = measure_alive(image, line);
	if (!err)
		err = box_open(&box, 0);
	if (!err)
		err = box_load(box, image);
	if (err)
		goto out;
	line->filters = image->count;
	line->v6 = image->filters[0].family == 6;
	for (int t = 0; t < XI_TABLE_MAX; t++)
		line->megabytes += (double)image->tables[t].value_size * image->tables[t].count /
				   1e6;
	one = set->trace[draw(set->trace_count)];
	for (size_t i = 0; i < BOX_TRACE_MAX; i++)
		pkts[i] = one;
	err = time_trace(box, pkts, classify_piece, &line->warm);
	for (size_t i = 0; i < BOX_TRACE_MAX; i++)
		pkts[i] = set->trace[draw(set->trace_count)];
	if (!err)
		err = time_trace(box, pkts, classify_piece, &line->cold);
	if (!err)
		err = time_trace(box, pkts, empty_piece, &line->empty);
	box_close(box);
	box = NULL;
	if (!err)
		err = time_hash(image->count, pkts, &line->hash);
out:
	box_close(box);
	image_free(image);
	return err;
}

static int bench_set(const char *name, struct line *line)
{
	struct xi_pkt *pkts = calloc(BOX_TRACE_MAX, sizeof(*pkts));
	struct classbench set = {0};
	char path[512];
	int err = -ENOMEM;

	*line = (struct line){0};
	snprintf(line->name, sizeof(line->name), "%s", name);
	snprintf(path, sizeof(path), "%s/classbench/%s", data_root(), name);
	if (pkts)
		err = classbench_load(path, &set);
	if (!err)
		err = measure(&set, line, pkts);
	else if (err == -ENOENT)
		printf("%-24s skipped: no %s\n", name, path);
	classbench_free(&set);
	free(pkts);
	if (err)
		return err == -ENOENT ? 0 : err;
	printf("%-24s %8zu %6u %5u%c %6.1f %6.0f %7.0f %7.0f %7.1f %7.2f %8.2f %7.1f\n", name,
	       line->filters, line->shapes, line->alive, line->exact ? ' ' : '+', line->empty,
	       line->warm, line->cold, line->hash, line->cold / line->empty,
	       line->cold / line->hash, line->seconds, line->megabytes);
	fflush(stdout);
	return 0;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of the IPv4 sets whose names end in this size. */
static void print_median(const struct line *lines, size_t count, const char *size)
{
	double cold[64], hash[64];
	size_t n = 0;

	for (size_t i = 0; i < count && n < 64; i++) {
		const char *end = strrchr(lines[i].name, '_');

		if (!lines[i].filters || lines[i].v6 || !end || strcmp(end + 1, size))
			continue;
		cold[n] = lines[i].cold;
		hash[n++] = lines[i].cold / lines[i].hash;
	}
	if (!n)
		return;
	qsort(cold, n, sizeof(*cold), compare_double);
	qsort(hash, n, sizeof(*hash), compare_double);
	printf("median of %2zu sets of %-8s %6.0f ns, %.2f of one hash lookup\n", n, size,
	       (cold[(n - 1) / 2] + cold[n / 2]) / 2, (hash[(n - 1) / 2] + hash[n / 2]) / 2);
}

int main(int argc, char **argv)
{
	static const char *const usual[] = {
		"acl1_1000",
		"acl3_1000",
		"acl4_1000",
		"fw1_1000",
		"fw4_1000",
		"ipc1_1000",
		"acl1_10000",
		"acl3_10000",
		"acl4_10000",
		"fw1_10000",
		"fw4_10000",
		"ipc1_10000",
		"acl1_100000",
		"acl3_100000",
		"acl4_100000",
		"fw1_100000",
		"fw4_100000",
		"ipc1_100000",
		"million/acl1_1000000",
		"v6/ipc1_v6_1000",
		"v6/acl1_v6_10000",
		"v6/fw1_v6_100000",
		"adversarial/nest30",
		"adversarial/ranges1k",
		"adversarial/ranges2d",
	};
	static const char *const sizes[] = {"1000", "10000", "100000", "1000000"};
	size_t count = argc > 1 ? (size_t)argc - 1 : sizeof(usual) / sizeof(*usual);
	struct line *lines = calloc(count, sizeof(*lines));
	int err = lines ? 0 : -ENOMEM;

	printf("%-24s %8s %6s %6s %6s %6s %7s %7s %7s %7s %8s %7s\n", "set", "filters", "shapes",
	       "alive", "empty", "warm", "new", "hash", "/empty", "/hash", "compile", "MB");
	for (size_t i = 0; !err && i < count; i++)
		err = bench_set(argc > 1 ? argv[i + 1] : usual[i], &lines[i]);
	for (size_t i = 0; !err && i < sizeof(sizes) / sizeof(*sizes); i++)
		print_median(lines, count, sizes[i]);
	free(lines);
	if (err)
		fprintf(stderr, "classify: %s\n", strerror(-err));
	return err ? 1 : 0;
}
