/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A compiled filter list: the effective filters in order of precedence, and the
 * tables of the classifier as flat arrays, ready to become BPF maps. Pure data;
 * built by compile.c, loaded by datapath/swap.c, printed by view/.
 */
#ifndef COMPILE_IMAGE_H
#define COMPILE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/abi.h>
#include <xipsec/addr.h>
#include <xipsec/classify.h>
#include <xipsec/diag.h>

struct policy;

/* One effective (directional, single-family) filter. */
struct filter {
	uint32_t id;	       /* what users see; order of appearance in the policy, from 1 */
	uint32_t rule;	       /* index in policy.rules; FILTER_BUILTIN for exemptions */
	uint32_t entry;	       /* index in that rule's filter list: the text it was made of */
	const char *rule_name; /* borrowed from the image */
	enum xi_dir dir;
	enum xi_band band;
	enum xi_action action;
	uint8_t family; /* 4 or 6 */
	struct xi_prefix remote, local;
	bool local_is_me; /* counts as a full-length prefix */
	bool proto_given;
	uint8_t proto;
	uint16_t remote_port_lo, remote_port_hi; /* 0..65535 = any */
	uint16_t local_port_lo, local_port_hi;
	int icmp_type, icmp_code; /* -1 = any */
	int iface_class;	  /* enum xi_iface_class, -1 = any */
	bool passthrough;	  /* negotiate that accepts clear text inbound */
	bool soft;		  /* negotiate that may fall back to clear */
	uint32_t line;		  /* of the entry's address file; 0: it has none */
};
#define FILTER_BUILTIN 0xffffffffu

struct image_table {
	uint32_t value_size; /* multiple of 8 */
	uint32_t count;	     /* at least 1 */
	void *data;
};

struct image {
	struct filter *filters; /* highest precedence first: index = rank */
	size_t count;
	size_t shadowed; /* filters behind these, in order too, that never decide; for explain */
	struct image_table tables[XI_TABLE_MAX]; /* in the order of tables.def */
	char **names;				 /* backing store of rule_name */
	size_t name_count;
};

/* Whether to keep rows, which prune shapes. AUTO: only where there are many shapes. */
enum compile_rows { COMPILE_ROWS_AUTO, COMPILE_ROWS_ALWAYS, COMPILE_ROWS_NEVER };

struct compile_opts {
	const struct xi_addr *me; /* addresses that count as `me` when written out */
	size_t me_count;
	uint64_t seed;		/* hash key of the tables; 0 = fixed, for tests */
	enum compile_rows rows; /* for tests and benchmarks */
	uint32_t alive_max;	/* for tests; 0 = XI_ALIVE_MAX */
	bool no_tables;		/* only the filters */
};

/* 0, or -EINVAL with the rule named in diag, or -ENOMEM. */
int compile_policy(const struct policy *policy, const struct compile_opts *opts, struct image **ret,
		   struct diag *diag);
/*
 * The same from filters that are directional already, in any order; their ids
 * must differ and their rule names outlive the image. The array is copied.
 * policy (for places in messages) and diag may be NULL.
 */
int compile_filters(const struct filter *filters, size_t count, const struct policy *policy,
		    const struct compile_opts *opts, struct image **ret, struct diag *diag);
void image_free(struct image *image);

/* What tells two filters apart, in the order in which it is asked. */
#define FILTER_LEVELS(X)                                                                           \
	X(BAND, "band")                                                                            \
	X(REMOTE_PREFIX, "remote prefix")                                                          \
	X(LOCAL_PREFIX, "local prefix")                                                            \
	X(PROTOCOL, "protocol")                                                                    \
	X(REMOTE_PORT, "remote port")                                                              \
	X(LOCAL_PORT, "local port")                                                                \
	X(ICMP_TYPE, "ICMP type")                                                                  \
	X(ICMP_CODE, "ICMP code")                                                                  \
	X(IFACE, "interface class")                                                                \
	X(ACTION, "action")                                                                        \
	X(ID, "filter id")

#define LEVEL_X(NAME, word) LEVEL_##NAME,
enum filter_level { FILTER_LEVELS(LEVEL_X) LEVEL_MAX };
#undef LEVEL_X

/* < 0 when a has precedence over b; never 0 for two filters of one image. */
int filter_compare(const struct filter *a, const struct filter *b);
/*
 * The same order as one number, for sorting: the smaller one has precedence. All
 * levels but the last, so where two are equal the lower id decides.
 */
uint64_t filter_precedence(const struct filter *filter);
/* The first level at which they differ. */
enum filter_level filter_decided_by(const struct filter *a, const struct filter *b);
/* The word for it ("remote prefix", "protocol", ...). */
const char *filter_lost_on(const struct filter *winner, const struct filter *loser);

/* Does this filter cover the packet? (Precedence is not considered.) */
bool filter_matches(const struct filter *filter, const struct xi_pkt *pkt);
/*
 * lint.c: warns of filters that can never decide about a packet, with the filters
 * that take everything from them and both places. Only `xipsec check` asks for it:
 * on large lists it takes longer than compiling them. 0 or -ENOMEM.
 */
int compile_lint(const struct policy *policy, const struct image *image,
		 const struct compile_opts *opts, struct diag *diag);

/* True when neither port set and no ICMP type is given: a later fragment can be told. */
bool filter_portless(const struct filter *filter);

/* "default-response", "rules", "exemption", "boot", "ike" */
const char *band_name(enum xi_band band);
/* "none", "permit", "block", "negotiate" */
const char *action_name(enum xi_action action);

/* The reference classifier: walks the filters in order. The oracle of all tests. */
struct xi_verdict model_classify(const struct image *image, const struct xi_pkt *pkt);

#endif
