/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading the classifier alone; see classify_load.h. */
#include <errno.h>
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

struct inner {
	char name[16], outer[16];
	uint32_t flags, value_size, key_type, value_type;
};

/* An inner map that is in place, and its memory. */
struct placed {
	void *at;
	size_t count;
};

struct box {
	struct classify_test *skel;
	struct inner inner[XI_TABLE_MAX];
	struct placed placed[2][XI_TABLE_MAX];
	struct xi_pkt *trace;
	struct box_answer *answers;
};

static const char *const table_names[XI_TABLE_MAX] = {
#define XI_TABLE(NAME, name, type) name,
#include <xipsec/tables.def>
#undef XI_TABLE
};

/* What the kernel must be told about inner maps is only known before the load. */
static int read_prototypes(struct box *box)
{
	for (int t = 0; t < XI_TABLE_MAX; t++) {
		struct inner *inner = &box->inner[t];
		struct bpf_map *outer, *proto;

		snprintf(inner->name, sizeof(inner->name), "%s", table_names[t]);
		snprintf(inner->outer, sizeof(inner->outer), "%s_of", table_names[t]);
		outer = bpf_object__find_map_by_name(box->skel->obj, inner->outer);
		proto = outer ? bpf_map__inner_map(outer) : NULL;
		if (!proto) {
			fprintf(stderr, "no map %s with a prototype\n", inner->outer);
			return -ENOENT;
		}
		inner->flags = bpf_map__map_flags(proto);
		inner->value_size = bpf_map__value_size(proto);
		inner->key_type = bpf_map__btf_key_type_id(proto);
		inner->value_type = bpf_map__btf_value_type_id(proto);
	}
	return 0;
}

static void *map_memory(struct bpf_map *map, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

int box_open(struct box **ret, uint32_t tuples)
{
	struct box *box = calloc(1, sizeof(*box));
	int err = -ENOMEM;

	if (!box)
		return err;
	box->skel = classify_test__open();
	if (!box->skel) {
		err = -errno;
		goto out;
	}
	err = read_prototypes(box);
	if (err)
		goto out;
	bpf_map__set_max_entries(box->skel->maps.xi_tuples, tuples ? tuples : 1);
	err = classify_test__load(box->skel);
	if (err)
		goto out;
	box->trace = map_memory(box->skel->maps.xi_trace, BOX_TRACE_MAX * sizeof(*box->trace));
	box->answers = map_memory(box->skel->maps.xi_answers,
				  BOX_TRACE_MAX * sizeof(*box->answers));
	if (!box->trace || !box->answers) {
		err = -ENOMEM;
		goto out;
	}
	*ret = box;
	return 0;
out:
	box_close(box);
	return err;
}

void box_close(struct box *box)
{
	if (!box)
		return;
	if (box->trace)
		munmap(box->trace, BOX_TRACE_MAX * sizeof(*box->trace));
	if (box->answers)
		munmap(box->answers, BOX_TRACE_MAX * sizeof(*box->answers));
	for (int slot = 0; slot < 2; slot++) {
		for (int t = 0; t < XI_TABLE_MAX; t++) {
			struct placed *placed = &box->placed[slot][t];

			if (placed->at)
				munmap(placed->at, placed->count * box->inner[t].value_size);
		}
	}
	classify_test__destroy(box->skel);
	free(box);
}

/* Puts a new inner map with room for `count` values into a slot. */
static int place_inner(struct box *box, int t, uint32_t slot, size_t count)
{
	const struct inner *inner = &box->inner[t];
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = inner->flags,
		    .btf_fd = bpf_object__btf_fd(box->skel->obj),
		    .btf_key_type_id = inner->key_type, .btf_value_type_id = inner->value_type);
	struct bpf_map *outer = bpf_object__find_map_by_name(box->skel->obj, inner->outer);
	struct placed *placed = &box->placed[slot][t];
	int fd, err = 0;
	void *at;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, inner->name, sizeof(uint32_t), inner->value_size,
			    count, &opts);
	if (fd < 0)
		return -errno;
	at = mmap(NULL, count * inner->value_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		err = -ENOMEM;
	else if (bpf_map_update_elem(bpf_map__fd(outer), &slot, &fd, BPF_ANY))
		err = -errno;
	close(fd);
	if (err)
		return err;
	if (placed->at)
		munmap(placed->at, placed->count * inner->value_size);
	*placed = (struct placed){at, count};
	return 0;
}

/*
 * Nothing runs while a test loads, so a table that fits is written into the map
 * that is there: replacing an inner map waits for an RCU grace period, and
 * thousands of small lists would take minutes. datapath/swap.c must not do this.
 */
int box_load(struct box *box, const struct image *image, uint32_t slot)
{
	for (int t = 0; t < XI_TABLE_MAX; t++) {
		const struct image_table *table = &image->tables[t];
		struct placed *placed = &box->placed[slot][t];
		size_t count = 64;
		int err;

		if (table->value_size != box->inner[t].value_size)
			return -EINVAL;
		while (count < table->count)
			count *= 2;
		if (count > placed->count) {
			err = place_inner(box, t, slot, count);
			if (err)
				return err;
		}
		memcpy(placed->at, table->data, (size_t)table->value_size * table->count);
	}
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

int box_run(struct box *box, const struct xi_pkt *pkts, size_t count, uint32_t slot,
	    const struct box_answer **ret, uint64_t *ret_ns)
{
	int err;

	memset(box->answers, 0xee, count * sizeof(*box->answers));
	box->skel->bss->list = slot;
	err = run(box, box->skel->progs.classify_many, pkts, count, ret_ns);
	if (!err)
		*ret = box->answers;
	return err;
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
