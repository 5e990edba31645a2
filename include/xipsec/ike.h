/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public face of the IKE engine.
 *
 * The engine is a library without edges: it opens no socket, reads no clock,
 * draws no random number and installs no SA by itself. It is fed datagrams,
 * acquires and ticks, and calls the functions of struct ike_ops. Two engines in
 * one process can therefore talk to each other under a test's clock.
 *
 * One engine is used by one thread. No function of this header may be called
 * from inside an ops callback.
 */
#ifndef XIPSEC_IKE_H
#define XIPSEC_IKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/addr.h>
#include <xipsec/algs.h>
#include <xipsec/sa.h>

#define IKE_NAME_MAX	64
#define IKE_METHODS_MAX 16
#define IKE_AUTH_MAX	8
#define IKE_REASON_MAX	256
#define IKE_SKEYID_MAX	64

/* The two ends of a datagram. Ports in host order. */
struct ike_path {
	struct xi_addr local, remote;
	uint16_t local_port, remote_port;
};

/* ------------------------------------------------------------- policy in */

/* One main-mode proposal: cipher, hash (and PRF) and Diffie-Hellman group. */
struct ike_mm_method {
	enum xi_cipher cipher;
	enum xi_integ hash;
	enum xi_group group;
};

/* One quick-mode proposal. */
struct ike_qm_method {
	uint8_t protocol; /* 50 ESP; 51 AH is refused for now */
	enum xi_cipher cipher;
	enum xi_integ integ;
	uint32_t lifetime_s, lifetime_kb; /* 0 = the default (3600 s, 100000 kB) */
};

enum ike_auth_kind { IKE_AUTH_PSK = 1, IKE_AUTH_CERT, IKE_AUTH_KERBEROS };

struct ike_auth {
	enum ike_auth_kind kind;
	uint32_t secret; /* handle: the keys role knows what it stands for */
};

/*
 * One negotiate filter of the compiled policy, as IKE needs it: which traffic
 * (local and remote seen from here), and under which terms. The array that
 * ike_engine_set_rules() takes is in order of precedence, highest first.
 */
struct ike_rule {
	char name[IKE_NAME_MAX]; /* of the rule in the policy text */
	uint32_t rule;		 /* its index, echoed in xi_sa_params.rule */
	bool local_is_me;	 /* `me`: any address of this host; local is then unused */
	struct xi_prefix local, remote;
	uint8_t proto;			       /* 0 = any */
	uint16_t local_port_lo, local_port_hi; /* 0..65535 = any */
	uint16_t remote_port_lo, remote_port_hi;
	uint8_t ike_version; /* 1, 2, or 0 for auto */
	enum xi_mode mode;
	enum xi_group pfs;	/* NONE = no PFS */
	uint32_t mm_lifetime_s; /* 0 = 28800 */
	uint32_t qm_per_mm;	/* 0 = no limit */
	uint8_t mm_count, qm_count, auth_count;
	struct ike_mm_method mm[IKE_METHODS_MAX];
	struct ike_qm_method qm[IKE_METHODS_MAX];
	struct ike_auth auth[IKE_AUTH_MAX];
};

/* A wish for an SA, from the datapath or from the operator. */
struct ike_acquire {
	uint32_t rule; /* ike_rule.rule that the packet hit */
	struct xi_addr local, remote;
	uint8_t proto;
	uint16_t local_port, remote_port; /* of the packet, 0 where there are none */
};

/* ------------------------------------------------------------ calls out */

enum ike_log_level { IKE_LOG_ERROR, IKE_LOG_WARN, IKE_LOG_INFO, IKE_LOG_DEBUG };

/*
 * Every function gets the ctx given to ike_engine_new(). 0 or -errno unless
 * said otherwise. Pointers are valid during the call only.
 */
struct ike_ops {
	uint64_t (*now_ms)(void *ctx); /* monotonic */
	int (*random)(void *ctx, void *buf, size_t len);
	int (*send)(void *ctx, const struct ike_path *path, const void *msg, size_t len);

	/*
	 * SKEYID = prf(pre-shared key, Ni_b | Nr_b), RFC 2409 section 5. Done by
	 * whoever holds the key; ret is as long as the digest of `prf`.
	 */
	int (*psk_skeyid)(void *ctx, uint32_t secret, enum xi_integ prf, const void *ni,
			  size_t ni_len, const void *nr, size_t nr_len,
			  uint8_t ret[IKE_SKEYID_MAX]);

	/*
	 * A fresh inbound SPI in host order, >= 256, unique on this host. -EAGAIN: none
	 * is at hand just now; the engine asks again for two seconds.
	 */
	int (*get_spi)(void *ctx, uint32_t *ret_spi);
	/*
	 * Both directions at once. The responder installs before its peer may send,
	 * that is, before it answers quick mode message 1; when the initiator never
	 * confirms, delete_sa follows after 30 s. sa->id is 0; sa->replaces is the
	 * inbound SPI of the pair that this one rekeys (sa/ turns it into an id), or
	 * 0. The replaced pair is deleted by delete_sa later, not by this call.
	 */
	int (*install_sa)(void *ctx, const struct xi_sa_params *sa);
	/*
	 * By inbound SPI, after a delete from the peer or a replaced SA. Also for an SPI from
	 * get_spi that no SA came to use.
	 */
	void (*delete_sa)(void *ctx, uint32_t spi_in);
	/*
	 * The acquire is settled: status 0 when an SA is installed, else -errno with
	 * a sentence that begins with "failure point me:" or "failure point peer:".
	 * May be called before ike_engine_acquire() has returned.
	 */
	void (*acquire_done)(void *ctx, const struct ike_acquire *acquire, int status,
			     const char *reason);
	void (*log)(void *ctx, enum ike_log_level level, const char *line);
};

/* ------------------------------------------------------------ the engine */

struct ike_engine;

struct ike_engine *ike_engine_new(const struct ike_ops *ops, void *ctx);
void ike_engine_free(struct ike_engine *engine); /* zeroes all keys; NULL is fine */

/*
 * Replaces the rules; generation is echoed in new SAs. Main modes that no new rule could have made
 * are deleted, with the peer too, and so are SAs that a key authenticated which their rule does not
 * name any more. Negotiations under way go on where the terms are the same, else their acquires are
 * settled with -ECANCELED. Whether an SA's cipher and lifetime are still allowed is decided by who
 * owns the SAs: call ike_engine_sa_gone() for those that are not before this, so that the delete
 * still finds its main mode.
 */
int ike_engine_set_rules(struct ike_engine *engine, const struct ike_rule *rules, size_t count,
			 uint32_t generation);

/* One datagram from the network: hostile. Never fails, at worst counts a drop. */
void ike_engine_feed(struct ike_engine *engine, const struct ike_path *path, const void *msg,
		     size_t len);
/*
 * Starts (or joins) a negotiation. 0 when under way; acquire_done follows, once for each different
 * acquire that joined. -ENOENT: no rule covers it; -EOPNOTSUPP: its rule cannot be negotiated (the
 * log says why); -EBUSY: too many wait for this one already. Then acquire_done does not follow.
 */
int ike_engine_acquire(struct ike_engine *engine, const struct ike_acquire *acquire);
/* The backend says that the SA with this inbound SPI reached a soft lifetime: rekey. */
void ike_engine_rekey(struct ike_engine *engine, uint32_t spi_in);
/* The backend dropped this SA (hard lifetime, idle, operator): tell the peer. */
void ike_engine_sa_gone(struct ike_engine *engine, uint32_t spi_in);
/* Deletes every IKE SA with the peer and says so to it. family 0: all peers. */
void ike_engine_close(struct ike_engine *engine, const struct xi_addr *remote);

/* Runs what is due; call when ike_engine_next_ms() has passed. */
void ike_engine_tick(struct ike_engine *engine);
/* Absolute time of the next timer in now_ms() terms, UINT64_MAX when none. */
uint64_t ike_engine_next_ms(const struct ike_engine *engine);

/* ------------------------------------------------------------- views out */

struct ike_mm_info {
	struct ike_path path;
	uint8_t version; /* 1 or 2 */
	bool initiator;
	bool established;
	char state[24]; /* "MM_I1_SENT", "ESTABLISHED", ... */
	char rule[IKE_NAME_MAX];
	char auth[16]; /* "psk" */
	struct ike_mm_method method;
	uint64_t spi_i, spi_r;		  /* cookies, as big-endian numbers */
	uint64_t created_ms, rekey_at_ms; /* monotonic */
	uint32_t quick_modes;
	char peer_id[64]; /* as authenticated, printable */
};

/* X(name): plain counters, monotonic. Metric labels and JSON keys come from here. */
/* clang-format off */
#define IKE_COUNTERS(X)                                                                            \
	X(mm_started) X(mm_responded) X(mm_established) X(mm_failed)                               \
	X(qm_started) X(qm_responded) X(qm_established) X(qm_failed)                               \
	X(retransmits) X(packets_in) X(packets_out) X(dropped_malformed)                           \
	X(dropped_unknown_spi) X(dropped_no_rule) X(dropped_limit)                                 \
	X(dropped_bad_hash) X(no_proposal_in) X(no_proposal_out)                                   \
	X(deletes_in) X(deletes_out) X(notifies_in) X(auth_failures)
/* clang-format on */

struct ike_counters {
#define IKE_X(name) uint64_t name;
	IKE_COUNTERS(IKE_X)
#undef IKE_X
};

void ike_engine_each_mm(const struct ike_engine *engine,
			void (*fn)(void *arg, const struct ike_mm_info *info), void *arg);
void ike_engine_counters(const struct ike_engine *engine, struct ike_counters *ret);

#endif
