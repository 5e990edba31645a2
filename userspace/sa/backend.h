/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What carries SAs: kernel XFRM or the AF_XDP workers. sa/ owns the lifetime of
 * every SA and talks to whichever backend the policy chose through this table;
 * nothing else creates or destroys an SA.
 *
 * install may finish later (the worker is another process): the backend then
 * calls sad_installed(). Order on install: the inbound map entry, the backend,
 * the outbound map entry. Inbound is first because the backend sends what it
 * held as soon as it has the SA, and the answer may be faster than we are. On
 * removal: outbound entry, inbound entry, backend.
 */
#ifndef SA_BACKEND_H
#define SA_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <xipsec/abi.h>
#include <xipsec/sa.h>

struct sa_backend_ops {
	const char *name; /* "afxdp" or "xfrm", shown by `show qm` */
	enum xi_path path;
	/* NULL when usable here, else a sentence that names what is missing. */
	const char *(*unusable)(void *ctx);
	/* 0 done, -EINPROGRESS it will call sad_installed(), else -errno. */
	int (*install)(void *ctx, const struct xi_sa_params *sa);
	int (*remove)(void *ctx, const struct xi_sa_params *sa);
	/* Asks for fresh counters; they arrive through sad_stats(). */
	int (*query)(void *ctx, uint32_t sa_id);
	/* The negotiation for these two hosts failed: forget what is held. */
	void (*hold_fail)(void *ctx, const struct xi_addr *local, const struct xi_addr *remote);
};

#endif
