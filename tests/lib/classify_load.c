/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading the classifier alone; see classify_load.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "classify_load.h"
#include "compile/image.h"
#include "skel/classify_test.skel.h"

/*
 * Tables are plain arrays that the program knows by name, so their sizes are
 * fixed when it is loaded. A list that does not fit makes a new set.
 */
struct box {
	struct classify_test *skel;
	uint32_t tuples;
	struct bpf_map *map[XI_TABLE_MAX];
	uint32_t room[XI_TABLE_MAX]; /* in values */
	void *at[XI_TABLE_MAX];
	struct xi_pkt *trace;
	struct box_answer *answers;
};

static const char *const table_names[XI_TABLE_MAX] = {
#define XI_TABLE(NAME, name, type) name,
#include <xipsec/tables.def>
#undef XI_TABLE
};

static void *map_memory(struct bpf_map *map, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

static void unload(struct box *box)
{
	if (box->trace)
		munmap(box->trace, BOX_TRACE_MAX * sizeof(*box->trace));
	if (box->answers)
		munmap(box->answers, BOX_TRACE_MAX * sizeof(*box->answers));
	for (int t = 0; t < XI_TABLE_MAX; t++) {
		if (box->at[t])
			munmap(box->at[t], (size_t)box->room[t] * bpf_map__value_size(box->map[t]));
		box->at[t] = NULL;
	}
	box->trace = NULL;
	box->answers = NULL;
	classify_test__destroy(box->skel);
	box->skel = NULL;
}

/* Loads the program with tables of room[] values. */
static int load(struct box *box)
{
	int err;

	box->skel = classify_test__open();
	if (!box->skel)
		return -errno;
	for (int t = 0; t < XI_TABLE_MAX; t++) {
		box->map[t] = bpf_object__find_map_by_name(box->skel->obj, table_names[t]);
		if (!box->map[t]) {
			fprintf(stderr, "no map %s\n", table_names[t]);
			return -ENOENT;
		}
		bpf_map__set_max_entries(box->map[t], box->room[t]);
	}
	bpf_map__set_max_entries(box->skel->maps.xi_tuples, box->tuples ? box->tuples : 1);
	err = classify_test__load(box->skel);
	if (err)
		return err;
	box->trace = map_memory(box->skel->maps.xi_trace, BOX_TRACE_MAX * sizeof(*box->trace));
	box->answers = map_memory(box->skel->maps.xi_answers,
				  BOX_TRACE_MAX * sizeof(*box->answers));
	if (!box->trace || !box->answers)
		return -ENOMEM;
	for (int t = 0; t < XI_TABLE_MAX; t++) {
		box->at[t] = map_memory(box->map[t],
					(size_t)box->room[t] * bpf_map__value_size(box->map[t]));
		if (!box->at[t])
			return -ENOMEM;
	}
	return 0;
}

int box_open(struct box **ret, uint32_t tuples)
{
	struct box *box = calloc(1, sizeof(*box));
	int err;

	if (!box)
		return -ENOMEM;
	box->tuples = tuples;
	for (int t = 0; t < XI_TABLE_MAX; t++)
		box->room[t] = t == XI_TABLE_SPACE ? XI_SPACES : 1;
	err = load(box);
	if (err) {
		box_close(box);
		return err;
	}
	*ret = box;
	return 0;
}

void box_close(struct box *box)
{
	if (!box)
		return;
	unload(box);
	free(box);
}

int box_load(struct box *box, const struct image *image)
{
	uint32_t room[XI_TABLE_MAX];
	bool fits = true;
	int err;

	memcpy(room, box->room, sizeof(room));

	for (int t = 0; t < XI_TABLE_MAX; t++) {
		const struct image_table *table = &image->tables[t];

		if (table->value_size != bpf_map__value_size(box->map[t]))
			return -EINVAL;
		if (table->count <= box->room[t])
			continue;
		fits = false;
		/* Some slack, so that thousands of small lists share one load. */
		room[t] = table->count > 4096 ? table->count : 2 * table->count;
	}
	if (!fits) {
		unload(box);
		memcpy(box->room, room, sizeof(room));
		err = load(box);
		if (err)
			return err;
	}
	for (int t = 0; t < XI_TABLE_MAX; t++)
		memcpy(box->at[t], image->tables[t].data,
		       (size_t)image->tables[t].value_size * image->tables[t].count);
	return 0;
}

static int run(struct box *box, struct bpf_program *prog, const struct xi_pkt *pkts, size_t count,
	       uint64_t *ret_ns)
{
	char frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);

	if (count > BOX_TRACE_MAX)
		return -E2BIG;
	if (pkts != box->trace)
		memcpy(box->trace, pkts, count * sizeof(*pkts));
	box->skel->bss->count = count;
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
		return -errno;
	if (ret_ns)
		*ret_ns = opts.duration;
	return 0;
}

int box_run(struct box *box, const struct xi_pkt *pkts, size_t count, const struct box_answer **ret,
	    uint64_t *ret_ns)
{
	int err;

	memset(box->answers, 0xee, count * sizeof(*box->answers));
	err = run(box, box->skel->progs.classify_many, pkts, count, ret_ns);
	if (!err)
		*ret = box->answers;
	return err;
}

int box_empty(struct box *box, const struct xi_pkt *pkts, size_t count, uint64_t *ret_ns)
{
	return run(box, box->skel->progs.empty_many, pkts, count, ret_ns);
}

int box_size(struct box *box, uint32_t *ret_verified, uint32_t *ret_bytes)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(box->skel->progs.classify_many), &info, &len))
		return -errno;
	*ret_verified = info.verified_insns;
	*ret_bytes = info.jited_prog_len;
	return 0;
}

int box_tuples(struct box *box, const struct xi_pkt *pkts, size_t count, uint64_t *ret_ns,
	       uint64_t *ret_hits)
{
	int err;

	box->skel->bss->found = 0;
	err = run(box, box->skel->progs.lookup_many, pkts, count, ret_ns);
	if (!err)
		*ret_hits = box->skel->bss->found;
	return err;
}

int box_tuple_add(struct box *box, const struct xi_pkt *pkt)
{
	struct {
		uint8_t remote[4], local[4];
		uint16_t remote_port, local_port;
		uint8_t proto, pad[3];
	} key = {.remote_port = pkt->remote_port,
		 .local_port = pkt->local_port,
		 .proto = pkt->proto};
	struct xi_verdict value = {XI_ACT_PERMIT, 0};

	memcpy(key.remote, pkt->remote, 4);
	memcpy(key.local, pkt->local, 4);
	return bpf_map_update_elem(bpf_map__fd(box->skel->maps.xi_tuples), &key, &value, BPF_ANY)
		       ? -errno
		       : 0;
}
