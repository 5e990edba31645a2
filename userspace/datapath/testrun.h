/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real programs on frames from memory (BPF_PROG_TEST_RUN): no device, no
 * pins, nothing is sent. For tests and for `xipsec replay`. Needs CAP_BPF and
 * CAP_NET_ADMIN.
 */
#ifndef DATAPATH_TESTRUN_H
#define DATAPATH_TESTRUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/abi.h>
#include <xipsec/addr.h>
#include <xipsec/diag.h>

struct datapath;
struct image;
struct testrun;

struct testrun_opts {
	const struct xi_addr *me; /* addresses that `me` stands for */
	size_t me_count;
	bool all_me;   /* every packet's own local side counts as me */
	bool owns_esp; /* as in struct datapath_opts */
};

enum testrun_fate { TESTRUN_PASS, TESTRUN_DROP, TESTRUN_REDIRECT };

struct testrun_result {
	enum testrun_fate fate;
	int retval; /* XDP_* or TC_ACT_*, as the program returned it */
	bool ip;    /* false: not IP, or its headers do not parse; then there is no verdict */
	enum xi_action action; /* of the filter list, XI_ACT_NONE when nothing matched */
	uint32_t filter_idx;   /* index in image.filters, or XI_NO_FILTER */
	enum xi_reason reason;
	struct xi_pkt pkt; /* as parsed */
	uint32_t generation;
	const uint8_t *out; /* the frame afterwards; until the next call */
	size_t out_len;
};

/*
 * Loads private copies of the programs and the image. The calling thread stays
 * on one CPU until testrun_close(), as results are kept per CPU: all calls must
 * come from this thread. A thread made meanwhile inherits that CPU.
 */
int testrun_open(const struct image *image, const struct testrun_opts *opts, struct testrun **ret,
		 struct diag *diag);
void testrun_close(struct testrun *run); /* NULL is fine */

/* For swaps, SAs, counters and events of the private copy. */
struct datapath *testrun_datapath(struct testrun *run);

/*
 * One Ethernet frame through one hook. 0 and a result; -EINVAL if the frame is
 * too short to have an Ethernet header (14 bytes), which no device delivers, or,
 * at a TC hook, too short for an IPv4 header: the kernel makes no skb of it.
 */
int testrun_frame(struct testrun *run, enum xi_hook hook, const void *frame, size_t len,
		  struct testrun_result *ret);

/* What the kernel does with a frame for which the program of a hook returned this. */
enum testrun_fate testrun_fate(enum xi_hook hook, int retval);

/* The mean of `repeat` runs of one frame in nanoseconds, as the kernel measures it. */
int testrun_time(struct testrun *run, enum xi_hook hook, const void *frame, size_t len,
		 unsigned repeat, double *ret_ns);

#endif
