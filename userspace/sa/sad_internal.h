/* SPDX-License-Identifier: BSD-2-Clause */
/* What sad.c and sad_time.c share; nobody else includes this. */
#ifndef SA_SAD_INTERNAL_H
#define SA_SAD_INTERNAL_H

#include <xipsec/abi.h>

#include "sa/sad.h"

#define SAD_BUCKET_BITS 12

struct sad_node {
	struct sad_entry entry;
	struct sad_node *next, **prev; /* in order of creation */
	struct sad_node *next_id, *next_spi, *next_line;
};

struct sad {
	const struct sad_ops *ops;
	void *ctx;
	const struct sa_backend_ops *backend;
	void *backend_ctx;
	uint64_t idle_ms;
	uint64_t query_at_ms; /* when counters are asked for next */
	uint32_t last_id;
	size_t count;
	struct sad_node *first, **tail;
	struct sad_node *by_id[1 << SAD_BUCKET_BITS];
	struct sad_node *by_spi[1 << SAD_BUCKET_BITS];
	struct sad_node *by_line[1 << SAD_BUCKET_BITS];
	uint32_t *reserved;
	size_t reserved_count;
};

struct sad_node *sad_find_id(const struct sad *sad, uint32_t id);
void sad_set_lifetimes(struct sad *sad, struct sad_node *node);
/* Takes it out of maps and backend and frees it. */
void sad_remove_node(struct sad *sad, struct sad_node *node, bool tell_ike, const char *why);

#endif
