/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything about one packet and a filter list: who covers it and who does not,
 * and on what that depends where the packet was not described completely.
 */
#ifndef COMPILE_EXPLAIN_H
#define COMPILE_EXPLAIN_H

#include <stddef.h>

#include "compile/image.h"

/* What a filter looks at, as bits. X(NAME, bit, "words") */
#define EXPLAIN_FIELDS(X)                                                                          \
	X(DIR, 0, "direction")                                                                     \
	X(FAMILY, 1, "family")                                                                     \
	X(IFACE, 2, "interface class")                                                             \
	X(PROTO, 3, "protocol")                                                                    \
	X(REMOTE, 4, "remote address")                                                             \
	X(LOCAL, 5, "local address")                                                               \
	X(REMOTE_PORT, 6, "remote port")                                                           \
	X(LOCAL_PORT, 7, "local port")                                                             \
	X(ICMP_TYPE, 8, "ICMP type")                                                               \
	X(ICMP_CODE, 9, "ICMP code")                                                               \
	X(FRAGMENT, 10, "later fragment")

#define EXPLAIN_X(NAME, bit, words) EXPLAIN_##NAME = 1 << bit,
enum explain_field { EXPLAIN_FIELDS(EXPLAIN_X) };
#undef EXPLAIN_X

/* "remote port" */
const char *explain_field_name(enum explain_field field);

struct explain_question {
	struct xi_pkt pkt;
	/*
	 * Fields of pkt that were not given: ports, ICMP type and code, interface class.
	 * A class is then taken for LAN, which every interface is unless told otherwise;
	 * the others for something that no filter names.
	 */
	unsigned unknown;
};

struct explain_fit {
	unsigned wrong; /* fields in which the filter does not cover the packet */
	unsigned open;	/* unknown fields on which it depends */
};

/* wrong and open are both 0 exactly when filter_matches() a packet that is known. */
struct explain_fit explain_fit(const struct filter *filter, const struct explain_question *q);

struct explain_row {
	uint32_t index;	 /* in image.filters */
	unsigned fields; /* `depends`: those that it depends on; `near`: the one that is wrong */
};

struct explain_rows {
	struct explain_row *v;
	size_t count, cap;
};

/* A later fragment whose first one was not seen, see docs/decisions/0004. */
enum explain_lone {
	EXPLAIN_LONE_NOT,	/* it is none */
	EXPLAIN_LONE_DECIDED,	/* whatever its ports are, the packet has this verdict */
	EXPLAIN_LONE_UNDECIDED, /* it waits for the rest where the kernel reassembles */
};

struct explain_answer {
	uint32_t deciding; /* index, or XI_NO_FILTER */
	/* All that cover the packet, in order; the first decides. Shadowed ones are behind count.
	 */
	struct explain_rows matches;
	/*
	 * Those that would decide instead if a field that is unknown were one of theirs,
	 * in order. At the end may stand the one that would if the interface class were
	 * another than was assumed.
	 */
	struct explain_rows depends;
	bool or_none;		  /* and if it were, perhaps no filter would */
	bool surely_other;	  /* one of `depends` decides, whatever the unknown fields are */
	struct explain_rows near; /* those that do not cover it for one field alone */
	enum explain_lone lone;
	enum xi_action lone_action; /* what becomes of it where nothing reassembles */
	size_t near_count;	    /* all of them; `near` has EXPLAIN_NEAR_MAX at most */
};
#define EXPLAIN_NEAR_MAX 100

/* `near`: look for near misses too. 0 or -ENOMEM; explain_free() in any case. */
int explain(const struct image *image, const struct explain_question *q, bool near,
	    struct explain_answer *ret);
void explain_free(struct explain_answer *answer);

#endif
