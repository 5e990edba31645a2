/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The security association database (RFC 4301 4.4.2): the single owner of every
 * SA pair. IKE negotiates pairs and a backend carries them; this decides when
 * one exists, which one carries outbound traffic, and when it ends.
 *
 * It is pure: clock, random numbers, the backend, the map entries and the
 * messages to IKE are functions given to sad_new(). It keeps no keys: they go to
 * the backend and are zeroed here.
 *
 * Pairs with the same outbound selector form a line: the newest established one
 * carries outbound traffic, the others (SA_OLD) only receive until their own
 * end. When the newest goes away first, the next one takes over again; so two
 * peers that rekey at the same moment agree without talking.
 */
#ifndef SA_SAD_H
#define SA_SAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/sa.h>

#include "sa/backend.h"

/* X(NAME, "label") in the order of an SA's life. */
#define SA_STATES(X)                                                                               \
	X(INSTALLING, "installing") /* the backend has not said that it carries it */              \
	X(ESTABLISHED, "established")                                                              \
	X(REKEYING, "rekeying") /* soft lifetime passed, IKE has been asked */                     \
	X(OLD, "old")		/* a newer one carries outbound traffic */

#define SA_X(NAME, label) SA_##NAME,
enum sa_state { SA_STATES(SA_X) SA_STATE_MAX };
#undef SA_X

const char *sa_state_name(enum sa_state state);

struct sad_entry {
	struct xi_sa_params params; /* keys are zero */
	enum sa_state state;
	uint64_t created_ms, soft_ms, hard_ms; /* monotonic; 0 = no such limit */
	struct xi_sa_stats stats;	       /* as the backend said last */
	uint32_t replaced_by;		       /* id, or 0 */
};

/* None of these may call back into the sad. */
struct sad_ops {
	uint64_t (*now_ms)(void *ctx);
	int (*random)(void *ctx, void *buf, size_t len);
	/* The map entries that send traffic into the backend (datapath/). 0 or -errno. */
	int (*in_add)(void *ctx, const struct xi_sa_params *sa);
	int (*out_add)(void *ctx, const struct xi_sa_params *sa);
	int (*in_del)(void *ctx, const struct xi_sa_params *sa);
	int (*out_del)(void *ctx, const struct xi_sa_params *sa);
	/* To IKE: negotiate a successor; and: it is gone, tell the peer (by inbound SPI). */
	void (*rekey)(void *ctx, uint32_t spi_in);
	void (*gone)(void *ctx, uint32_t spi_in);
	/* For the log: it was established, or ended and why (NULL = established). */
	void (*note)(void *ctx, const struct sad_entry *entry, const char *ended);
};

struct sad;

/* idle_s: SAs without traffic for so long end (Windows: 300); 0 = never. */
struct sad *sad_new(const struct sad_ops *ops, void *ctx, const struct sa_backend_ops *backend,
		    void *backend_ctx, uint32_t idle_s);
/* Forgets everything without touching backend or maps. NULL is fine. */
void sad_free(struct sad *sad);

/* A fresh inbound SPI in host order: random, >= 256, not in use. 0 or -errno. */
int sad_spi_reserve(struct sad *sad, uint32_t *ret_spi);
/* Gives back every reserved SPI that no SA uses: whoever held them is gone. */
void sad_spi_release_all(struct sad *sad);

/*
 * Takes a negotiated pair: gives it an id and starts to install it. 0 when it is
 * under way or done; -EEXIST for an SPI in use, -EPERM for an SPI that was not
 * reserved here, or what the backend said. Zeroes the keys in *sa in any case.
 */
int sad_install(struct sad *sad, struct xi_sa_params *sa);
/* The backend has finished an install that was -EINPROGRESS. */
void sad_installed(struct sad *sad, uint32_t id, int status);

/*
 * IKE ends a pair (delete from the peer, or superseded), or has no use for a reserved SPI after
 * all. -ENOENT if it is neither.
 */
int sad_delete(struct sad *sad, uint32_t spi_in, const char *why);
/* The backend lost all SAs for which match() says so (a worker died): IKE is told. */
void sad_lost(struct sad *sad, bool (*match)(void *arg, const struct sad_entry *entry), void *arg,
	      const char *why);

/*
 * The policy changed. judge() says of each pair why it must go, or NULL and the rule that it
 * belongs to in this generation; it must not call back into the sad. IKE is told what went.
 */
void sad_revalidate(struct sad *sad,
		    const char *(*judge)(void *arg, const struct xi_sa_params *sa,
					 uint32_t *ret_rule),
		    void *arg, uint32_t generation);

/* From the backend: counters, and a soft lifetime in bytes or packets. */
void sad_stats(struct sad *sad, const struct xi_sa_stats *stats);
void sad_soft(struct sad *sad, uint32_t id);

/* Runs lifetimes and asks for counters; call when sad_next_ms() has passed. */
void sad_tick(struct sad *sad);
uint64_t sad_next_ms(const struct sad *sad);
/* Asks the backend for fresh counters of all. */
void sad_query_all(struct sad *sad);

size_t sad_count(const struct sad *sad);
const struct sad_entry *sad_by_id(const struct sad *sad, uint32_t id);
/* In order of creation. fn must not change the sad. */
void sad_each(const struct sad *sad, void (*fn)(void *arg, const struct sad_entry *entry),
	      void *arg);
/* When it ends if nothing is sent any more; 0 = never. Monotonic. */
uint64_t sad_idle_at(const struct sad *sad, const struct sad_entry *entry);
const char *sad_backend_name(const struct sad *sad);

#endif
