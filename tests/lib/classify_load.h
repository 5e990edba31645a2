/* SPDX-License-Identifier: BSD-2-Clause */
/* A compiled image in the maps of bpf/classify_test.bpf.c, without a device. */
#ifndef TESTS_CLASSIFY_LOAD_H
#define TESTS_CLASSIFY_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include <xipsec/abi.h>

struct image;
struct box;

#define BOX_TRACE_MAX (1 << 17)

struct box_answer {
	struct xi_verdict verdict;
	int32_t err; /* of xi_classify() */
	uint32_t pad;
};

/* tuples: capacity of the yardstick's hash map. 0 or -errno; verifier log on stderr. */
int box_open(struct box **ret, uint32_t tuples);
void box_close(struct box *box);
/* Puts a list into the tables. Before the first there is none: xi_classify() says -ENOENT. */
int box_load(struct box *box, const struct image *image);
/*
 * Classifies `count` packets (at most BOX_TRACE_MAX) in one program run. The
 * answers stay valid until the next run. ret_ns (may be NULL): the whole run.
 */
int box_run(struct box *box, const struct xi_pkt *pkts, size_t count, const struct box_answer **ret,
	    uint64_t *ret_ns);
/* The loop alone: what every figure contains. */
int box_empty(struct box *box, const struct xi_pkt *pkts, size_t count, uint64_t *ret_ns);
/* The instructions that the verifier went through, and the machine code made of them. */
int box_size(struct box *box, uint32_t *ret_verified, uint32_t *ret_bytes);
/* The same packets through the yardstick: ns of one run, hits. IPv4 only. */
int box_tuples(struct box *box, const struct xi_pkt *pkts, size_t count, uint64_t *ret_ns,
	       uint64_t *ret_hits);
int box_tuple_add(struct box *box, const struct xi_pkt *pkt);

#endif
