/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IKE version 1 (RFC 2407, 2408, 2409): main mode and quick mode.
 *
 *	feed.c		 from the engine to the exchange
 *	message.c	 encrypting, decrypting, repeating messages
 *	expect.c	 which payloads each message must and may have
 *	offer.c		 choosing proposals, and saying why none fits
 *	mm.c, qm.c	 the two objects: states, tables, timers, death
 *	main_*.c	 main mode, by role		quick_*.c  quick mode, by role
 *	info.c		 deletes and notifies
 *	child.c		 installed SAs: lifetimes and rekeying
 *	connect.c	 from an acquire to the main mode that serves it
 *	reload.c	 what new rules leave of all that
 *
 * A message is handled in this order: find the SA by cookies, refuse what the
 * state does not expect, decrypt, check the payloads against the table, verify
 * the HASH, and only then change anything. What fails earlier is dropped and
 * counted, and leaves every state as it was.
 */
#ifndef IKE_V1_H
#define IKE_V1_H

#include <sys/queue.h>

#include <xipsec/ike.h>

#include "ike/crypto/kdf1.h"
#include "ike/limits/limits.h"
#include "ike/rules.h"
#include "ike/timer.h"
#include "ike/wire/msg.h"
#include "ike/wire/payload.h"
#include "ike/wire/sa1.h"

#define V1_NONCE_LEN	    32	 /* of ours */
#define V1_MESSAGE_MAX	    4096 /* longest that we build */
#define V1_BUCKETS	    1024
#define V1_TRIES	    6 /* 1, 2, 4, 8, 16, 32 seconds: given up after 63 */
#define V1_RETRY_MS	    1000
#define V1_STARTS_MAX	    10 /* waits for SPIs, V1_RESTART_MS each */
#define V1_RESTART_MS	    200
#define V1_REPEAT_MS	    500	  /* a repeated request is answered at most this often */
#define V1_KEEP_ANSWER_MS   65000 /* as long as the peer may still repeat its last request */
#define V1_UNCONFIRMED_MS   30000 /* responder: SA removed when message 3 does not come */
#define V1_REPLACED_MS	    30000 /* a rekeyed SA stays this long for packets under way */
#define V1_RETIRE_MS	    10000 /* a main mode at its quick-mode limit stays this long */
#define V1_REKEY_AGAIN_MS   30000 /* pause after a rekeying that failed */
#define V1_FRESH_MS	    2000  /* an acquire this soon after an install is answered by it */
#define V1_MM_LIFETIME_S    28800 /* defaults of RFC 2407 4.5 and of Windows */
#define V1_QM_LIFETIME_S    3600
#define V1_QM_LIFETIME_KB   100000
#define V1_OFFER_LIFETIME_S 28800 /* what an offer without a lifetime means, RFC 2407 4.5 */
#define V1_REPLAY_WINDOW    256

#define V1_MM_STATE(NAME, waits_for) V1_##NAME,
enum v1_mm_state {
#include "ike/v1/states.def"
	V1_MM_STATE_MAX
};
#define V1_QM_STATE(NAME, waits_for) V1_##NAME,
enum v1_qm_state {
#include "ike/v1/states.def"
	V1_QM_STATE_MAX
};

struct ike_engine;
struct v1_mm;
struct v1_qm;

struct v1_nonce {
	uint8_t b[WIRE_NONCE_MAX];
	uint16_t len;
};

/* The last message sent in an exchange: for retransmission and repetition. */
struct v1_sent {
	uint8_t *msg;
	size_t len;
	uint8_t tries;
	uint64_t sent_ms;
};

/* The fingerprint of the last message accepted, to know a repeated one. */
struct v1_seen {
	uint8_t digest[32];
	bool any;
};

/* Message ids that the peer has used: none is accepted twice. */
struct v1_message_ids {
	uint32_t *id;
	size_t count, capacity;
};

/* What main mode needs until it is established, then freed. */
struct v1_key_exchange {
	struct crypto_dh *dh;
	uint8_t peer[CRYPTO_DH_MAX]; /* the peer's public value, as long as the group's */
	struct v1_nonce ni, nr;
};

struct v1_handshake {
	struct ike_mm_method offer[IKE_METHODS_MAX]; /* initiator: what we offered */
	uint8_t offer_count;
	uint8_t *sa_b; /* SAi_b of the hashes */
	size_t sa_len;
	struct v1_key_exchange *kex; /* from message 3 on */
	uint16_t peer_notify;	     /* unauthenticated hint for the final reason, 0 = none */
	bool complained;	     /* message 5 or 6 failed before: said so once */
};

LIST_HEAD(v1_qm_list, v1_qm);
LIST_HEAD(v1_mm_list, v1_mm);
LIST_HEAD(v1_child_list, v1_child);

/* A main-mode SA, established or on its way. Owned by the engine. */
struct v1_mm {
	struct ike_engine *engine;
	struct ike_timer timer;
	LIST_ENTRY(v1_mm) all, by_own, by_peer, by_remote;
	LIST_ENTRY(v1_mm) dead;
	struct v1_qm_list qms;
	enum v1_mm_state state; /* set by v1_mm_move() alone */
	bool initiator;
	bool half_open;	    /* counted in the limits */
	bool shorter_here;  /* our lifetime is shorter than the peer knows: tell it at the end */
	bool first_contact; /* we had nothing with this peer when it began */
	uint8_t cookie_i[WIRE_COOKIE_LEN], cookie_r[WIRE_COOKIE_LEN];
	struct ike_path path;
	struct ike_mm_method method;
	uint32_t secret; /* handle of the preshared key */
	char rule[IKE_NAME_MAX];
	uint32_t lifetime_s, quick_modes, quick_mode_limit;
	uint64_t created_ms, expires_ms, retire_ms;
	uint64_t created_seq, established_seq;
	struct ikev1_keys keys;
	uint8_t iv[CRYPTO_BLOCK_MAX]; /* last ciphertext block of phase 1 */
	struct v1_sent sent;
	struct v1_seen seen;
	struct v1_handshake *hs; /* NULL once established */
	struct v1_message_ids ids;
	struct ike_bucket refusals; /* of quick modes, that we tell the peer about */
	char peer_id[64];
};

/* A quick mode exchange. Owned by its main mode. */
struct v1_qm {
	struct ike_engine *engine;
	struct v1_mm *mm;
	struct ike_timer timer;
	LIST_ENTRY(v1_qm) of_mm;
	LIST_ENTRY(v1_qm) dead;
	enum v1_qm_state state; /* set by v1_qm_move() alone */
	bool initiator;
	uint8_t moved;	     /* how often it had to change its main mode */
	uint8_t starts;	     /* how often it could not start for want of an SPI */
	uint64_t restart_ms; /* when it tries again, IKE_NEVER = when its main mode is there */
	uint32_t message_id;
	struct ike_rule rule; /* as it was when this began */
	uint32_t generation;
	struct ike_traffic traffic;
	struct ike_acquire wants[IKE_WANTS_MAX];
	unsigned want_count;
	uint32_t replaces; /* inbound SPI of the SA being rekeyed, or 0 */
	struct v1_nonce ni, nr;
	struct crypto_dh *dh;
	uint32_t spi_in, spi_out;
	uint8_t iv[CRYPTO_BLOCK_MAX];
	struct v1_sent sent;
	struct v1_seen seen;
	uint64_t started_ms, give_up_ms;
};

/* An installed pair of SAs. Owned by the engine; outlives its main mode. */
struct v1_child {
	struct ike_engine *engine;
	struct ike_timer timer;
	LIST_ENTRY(v1_child) all, by_in, by_out, by_remote;
	LIST_ENTRY(v1_child) dead;
	bool gone;	/* waits for the reaper */
	bool initiator; /* this side rekeys it */
	bool rekeying;
	struct ike_path path;
	struct ike_traffic traffic;
	uint32_t rule, secret;
	uint32_t spi_in, spi_out;
	uint64_t installed_ms, soft_ms, hard_ms; /* absolute; IKE_NEVER = none */
	uint64_t installed_seq;
};

struct v1 {
	struct v1_mm_list mms, mm_by_own[V1_BUCKETS], mm_by_peer[V1_BUCKETS];
	struct v1_child_list children, child_by_in[V1_BUCKETS], child_by_out[V1_BUCKETS];
	/* By the peer's address; a bucket may hold other peers too. */
	struct v1_mm_list mm_by_remote[V1_BUCKETS];
	struct v1_child_list child_by_remote[V1_BUCKETS];
	struct v1_mm_list dead_mms;
	struct v1_qm_list dead_qms;
	struct v1_child_list dead_children;
};

/* ---------------------------------------------------------------- message.c */

void v1_begin(struct wire_buf *wb, void *mem, const struct v1_mm *mm, uint8_t exchange,
	      uint32_t message_id);
/* Pads and encrypts what wb holds behind the header; iv becomes the next IV. */
int v1_encrypt(const struct v1_mm *mm, uint8_t iv[CRYPTO_BLOCK_MAX], struct wire_buf *wb);
/*
 * Decrypts into the engine's buffer and parses the chain there. iv becomes the
 * next IV on success. -EBADMSG when it is no message under this key.
 */
int v1_decrypt(struct v1_mm *mm, uint8_t iv[CRYPTO_BLOCK_MAX], const struct ike_header *hdr,
	       const uint8_t *msg, size_t len, struct wire_chain *ret, struct wire_error *err);
void v1_forget_plain(struct ike_engine *engine);
/* "KE: this mandatory payload is missing" */
#define V1_NAME 96
const char *v1_error_text(const struct wire_error *err, char buf[V1_NAME]);
/* Everything in the chain behind its first payload (the HASH), without padding. */
struct wire_slice v1_behind_hash(const struct wire_chain *chain);
/* Sends, and keeps a copy for retransmission. */
int v1_send(struct ike_engine *engine, const struct ike_path *path, struct v1_sent *sent,
	    const struct wire_buf *wb);
void v1_sent_clear(struct v1_sent *sent);
/* Sends the kept message once more. */
void v1_resend(struct ike_engine *engine, const struct ike_path *path, struct v1_sent *sent);
/* The same, because the peer repeated its request: at most every V1_REPEAT_MS. */
void v1_repeat(struct ike_engine *engine, const struct ike_path *path, struct v1_sent *sent);
/* When the kept message is due again, or, after V1_TRIES, the exchange is given up. */
uint64_t v1_retry_at(const struct v1_sent *sent);
bool v1_seen_match(const struct v1_seen *seen, const void *msg, size_t len);
void v1_seen_set(struct v1_seen *seen, const void *msg, size_t len);
int v1_nonce_new(struct ike_engine *engine, struct v1_nonce *ret);
int v1_dh_new(struct ike_engine *engine, enum xi_group group, struct crypto_dh **ret);

/* ----------------------------------------------------------------- expect.c */

enum v1_message {
	V1_MSG_MM1,
	V1_MSG_MM2,
	V1_MSG_MM34,
	V1_MSG_MM56,
	V1_MSG_QM1,
	V1_MSG_QM2,
	V1_MSG_QM3,
	V1_MSG_INFO_HASHED,
	V1_MSG_INFO_PLAIN,
};

/* 0 when the chain has what this message must have and nothing else; else -EBADMSG. */
int v1_expect(enum v1_message message, const struct wire_chain *chain, struct wire_error *err);

/* ------------------------------------------------------------------ offer.c */

/*
 * Our most preferred method that the peer offers. -ENOENT with `why`: both
 * lists side by side and the first attribute in which the nearest two differ.
 */
int v1_choose_p1(const struct ike_mm_method *ours, unsigned count, const struct wire_sa_p1 *offer,
		 const struct wire_transform1 **ret, struct ike_mm_method *ret_method, char *why,
		 size_t size);
struct v1_p2_choice {
	const struct wire_proposal *proposal;
	const struct wire_transform2 *transform;
	const struct ike_qm_method *method; /* ours */
	uint32_t spi;			    /* the peer's, host order */
};
int v1_choose_p2(const struct ike_rule *rule, const struct wire_sa_p2 *offer,
		 struct v1_p2_choice *ret, char *why, size_t size);
/* Lists as text, cut with "..." to fit. */
void v1_methods_text(const struct ike_mm_method *methods, unsigned count, char *buf, size_t size);
void v1_qm_methods_text(const struct ike_rule *rule, char *buf, size_t size);
/* What an offered transform of this method looks like on the wire. */
void v1_transform2_of(const struct ike_rule *rule, const struct ike_qm_method *method,
		      struct wire_transform2 *ret);
uint32_t v1_life_s(const struct ike_qm_method *method);
uint32_t v1_life_kb(const struct ike_qm_method *method);
/* The shorter of two limits where 0 means none. */
uint32_t v1_shorter(uint32_t a, uint32_t b);

/* --------------------------------------------------------------------- mm.c */

/* For loops over the main modes and the SAs with one peer: whoever loops compares the address. */
struct v1_mm_list *v1_peer_mms(struct ike_engine *engine, const struct xi_addr *remote);
struct v1_child_list *v1_peer_children(struct ike_engine *engine, const struct xi_addr *remote);

const char *v1_mm_state_name(enum v1_mm_state state);
/* The only place where a main mode changes its state and its counters move. */
int v1_mm_move(struct v1_mm *mm, enum v1_mm_state to);
struct v1_mm *v1_mm_new(struct ike_engine *engine, const struct ike_path *path, bool initiator);
void v1_mm_index(struct v1_mm *mm); /* enters it in the tables; cookies and path are set */
struct v1_mm *v1_mm_find(struct ike_engine *engine, const struct ike_path *path,
			 const struct ike_header *hdr);
/* Responder: the main mode that a repeated message 1 belongs to. */
struct v1_mm *v1_mm_find_first(struct ike_engine *engine, const struct ike_path *path,
			       const uint8_t cookie_i[WIRE_COOKIE_LEN]);
/* Did we start a main mode with this cookie ourselves? */
bool v1_mm_is_own_cookie(struct ike_engine *engine, const uint8_t cookie_i[WIRE_COOKIE_LEN]);
bool v1_mm_any_established(struct ike_engine *engine, const struct xi_addr *remote);
/* Ends it. Waiting quick modes look for another one, or fail with this reason. */
void v1_mm_end(struct v1_mm *mm, const char *reason);
/* The key exchange of its handshake, made when first asked for; NULL without memory. */
struct v1_key_exchange *v1_mm_kex(struct v1_mm *mm);
void v1_mm_arm(struct v1_mm *mm); /* sets its timer from its state */
void v1_mm_established(struct v1_mm *mm, bool initial_contact);
/* The peer has started anew: whatever we had with it before this main mode began is void. */
void v1_mm_forget_before(struct v1_mm *mm);
bool v1_mm_id_used(const struct v1_mm *mm, uint32_t message_id);
int v1_mm_id_remember(struct v1_mm *mm, uint32_t message_id);
void v1_mm_reap(struct ike_engine *engine);
void v1_handshake_free(struct v1_handshake *hs);
/* "192.0.2.1 main mode 0011223344556677" for log lines. */
const char *v1_mm_text(const struct v1_mm *mm, char buf[V1_NAME]);

/* --------------------------------------------------------------- main_*.c */

int v1_main_start(struct ike_engine *engine, const struct ike_rule *rule,
		  const struct xi_addr *local, const struct xi_addr *remote, struct v1_mm **ret);
void v1_main_feed(struct ike_engine *engine, const struct ike_path *path,
		  const struct ike_header *hdr, const uint8_t *msg, size_t len);
void v1_main_message2(struct v1_mm *mm, const struct wire_chain *chain);
void v1_main_message4(struct v1_mm *mm, const struct wire_chain *chain);
void v1_main_message6(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg,
		      size_t len);
void v1_main_message1(struct ike_engine *engine, const struct ike_path *path,
		      const struct ike_header *hdr, const uint8_t *msg, size_t len);
void v1_main_message3(struct v1_mm *mm, const struct wire_chain *chain);
void v1_main_message5(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg,
		      size_t len);
/* Shared by the roles: */
int v1_main_keys(struct v1_mm *mm); /* SKEYID and all that follows, and the first IV */
/* A sentence for a failure of v1_main_keys() that is not the peer's fault (-EBADMSG is). */
const char *v1_main_own_failure(int err, char *buf, size_t size);
int v1_main_take_kex(struct v1_mm *mm, const struct wire_chain *chain, struct v1_nonce *ret_nonce);
int v1_main_send_kex(struct v1_mm *mm, const struct v1_nonce *nonce); /* messages 3 and 4 */
int v1_main_send_id(struct v1_mm *mm);				      /* messages 5 and 6 */
/*
 * Messages 5 and 6 as received: decrypts, checks the identity and verifies the HASH. ret_iv is
 * the next IV, which the caller makes mm's when it accepts the message. -EBADMSG is counted as
 * failed authentication, and err says why.
 */
int v1_main_take_id(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg, size_t len,
		    uint8_t ret_iv[CRYPTO_BLOCK_MAX], bool *ret_initial_contact,
		    struct wire_error *err);

/* ------------------------------------------------------------ auth/psk.c */

int v1_psk_skeyid(struct v1_mm *mm, uint8_t ret[CRYPTO_DIGEST_MAX]);

/* --------------------------------------------------------------------- qm.c */

const char *v1_qm_state_name(enum v1_qm_state state);
int v1_qm_move(struct v1_qm *qm, enum v1_qm_state to);
struct v1_qm *v1_qm_new(struct ike_engine *engine, bool initiator);
void v1_qm_attach(struct v1_qm *qm, struct v1_mm *mm);
struct v1_qm *v1_qm_find(const struct v1_mm *mm, uint32_t message_id);
unsigned v1_qm_count(const struct v1_mm *mm, enum v1_qm_state state); /* of its quick modes */
/* Ends it. Unfinished: every acquire that waits is told. Half-made SAs are removed. */
void v1_qm_end(struct v1_qm *qm, int status, const char *reason);
/* An SPI that no SA came to use. */
void v1_qm_give_spi_back(struct v1_qm *qm);
void v1_qm_settle(struct v1_qm *qm, int status, const char *reason); /* tells the acquires */
void v1_qm_arm(struct v1_qm *qm);
void v1_qm_reap(struct ike_engine *engine);
bool v1_traffic_equal(const struct ike_traffic *a, const struct ike_traffic *b);
#define V1_TRAFFIC_TEXT 160
const char *v1_traffic_text(const struct ike_traffic *traffic, char buf[V1_TRAFFIC_TEXT]);

/* -------------------------------------------------------------- quick_*.c */

void v1_quick_feed(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg, size_t len);
int v1_quick_start(struct v1_qm *qm); /* sends message 1 */
void v1_quick_message2(struct v1_qm *qm, const struct ike_header *hdr, const uint8_t *msg,
		       size_t len);
void v1_quick_message1(struct v1_mm *mm, const struct ike_header *hdr, const uint8_t *msg,
		       size_t len);
void v1_quick_message3(struct v1_qm *qm, const struct ike_header *hdr, const uint8_t *msg,
		       size_t len);
/* Shared by the roles: */
void v1_quick_put_ids(const struct v1_qm *qm, struct wire_buf *wb);
/* Retires the main mode when it has made as many quick modes as it may. */
void v1_quick_count_limit(struct v1_mm *mm);
/* Derives the keys of both directions and installs the pair. */
int v1_quick_install(struct v1_qm *qm, const struct wire_transform2 *chosen, uint32_t life_s,
		     uint32_t life_kb, struct wire_slice peer_ke);
/* The payload is the only HASH and equals this one? */
bool v1_hash_is(const struct wire_chain *chain, const struct v1_mm *mm,
		const uint8_t expected[CRYPTO_DIGEST_MAX]);

/* ------------------------------------------------------------------- info.c */

void v1_info_feed(struct ike_engine *engine, struct v1_mm *mm, const struct ike_path *path,
		  const struct ike_header *hdr, const uint8_t *msg, size_t len);
/* An answer without protection: rate-limited, never longer than the request. */
void v1_info_refuse(struct ike_engine *engine, const struct ike_path *path,
		    const struct ike_header *hdr, uint16_t type);
/* Protected; the main mode must be established. spi 0: about the main mode itself. */
void v1_info_notify(struct v1_mm *mm, uint32_t spi, uint16_t type);
void v1_info_delete_child(struct v1_mm *mm, uint32_t spi_in);
void v1_info_delete_mm(struct v1_mm *mm);

/* ------------------------------------------------------------------ child.c */

struct v1_child *v1_child_new(struct v1_qm *qm, uint32_t life_s);
struct v1_child *v1_child_by_in(struct ike_engine *engine, uint32_t spi_in);
struct v1_child *v1_child_by_out(struct ike_engine *engine, const struct xi_addr *remote,
				 uint32_t spi_out);
/* The newest installed pair for exactly this traffic, or of those that the peer started. */
struct v1_child *v1_child_by_traffic(struct ike_engine *engine, const struct ike_traffic *traffic,
				     bool peer_started);
void v1_child_lifetime(struct v1_child *child, uint32_t life_s);
void v1_child_rekey(struct v1_child *child);
/* The rekeying came to nothing: try again in a while. */
void v1_child_rekey_failed(struct v1_child *child);
/* A newer pair took over: it goes after a while. */
void v1_child_replaced(struct v1_child *child);
/* Takes it from the backend; tells the peer when asked to and a main mode is there. */
void v1_child_remove(struct v1_child *child, bool tell_backend, bool tell_peer);
void v1_child_reap(struct ike_engine *engine);

/* ---------------------------------------------------------------- connect.c */

int v1_acquire(struct ike_engine *engine, const struct ike_acquire *acquire);
/*
 * Finds a main mode for a quick mode that waits, or starts one if it may; `except` is no answer.
 * When there is none, the quick mode ends with this reason.
 */
void v1_connect(struct v1_qm *qm, const struct v1_mm *except, bool may_start, const char *reason);
/* An established main mode with this peer and key that may still start something. */
struct v1_mm *v1_mm_usable(struct ike_engine *engine, const struct xi_addr *local,
			   const struct xi_addr *remote, uint32_t secret);
/* Is there a main mode or an SA with this peer? Else the next contact is the first. */
bool v1_knows_peer(struct ike_engine *engine, const struct xi_addr *remote);
/* Any established one, for deletes. */
struct v1_mm *v1_mm_towards(struct ike_engine *engine, const struct xi_addr *local,
			    const struct xi_addr *remote);

/* ----------------------------------------------------------------- reload.c */

/* The rules are new: ends what they do not allow, and says so to the peers. */
void v1_rules_changed(struct ike_engine *engine);

/* ------------------------------------------------------------------- feed.c */

void v1_feed(struct ike_engine *engine, const struct ike_path *path, const struct ike_header *hdr,
	     const uint8_t *msg, size_t len);

#endif
