/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters in words, for messages and answers. */
#ifndef COMPILE_WORDS_H
#define COMPILE_WORDS_H

#include <stddef.h>

#include "compile/image.h"

struct policy;

#define FILTER_WORDS 200
#define PORTS_WORDS  16
#define PLACE_WORDS  300

/* "in tcp 10.0.0.0/8 port 1024-65535 -> me port 443 (lan)": who sends -> who receives. */
const char *filter_words(const struct filter *filter, char buf[FILTER_WORDS]);
/* "any", "443" or "5432-5433". */
const char *ports_words(uint16_t lo, uint16_t hi, char buf[PORTS_WORDS]);
/* What the filter has at this level: "/24", "tcp", "80-89", "block", ... */
const char *level_value(const struct filter *filter, enum filter_level level,
			char buf[FILTER_WORDS]);
/* Why the loser lost: "remote prefix /16 < /24", "filter id 9 > 3" (the lower one wins). */
const char *lost_words(const struct filter *winner, const struct filter *loser,
		       char buf[FILTER_WORDS]);

/*
 * The text that a filter was made of, perhaps in buf: its entry, or the line of the address file
 * that the entry names. NULL for built-in filters or without a policy.
 */
const struct diag_loc *filter_loc(const struct policy *policy, const struct filter *filter,
				  struct diag_loc *buf);
/* Were both made of one and the same text? */
bool filter_same_text(const struct policy *policy, const struct filter *a, const struct filter *b);
/* The rule that it belongs to, in the same way. */
const struct diag_loc *filter_rule_loc(const struct policy *policy, const struct filter *filter);
/*
 * "rule 'web' (permit) at site.yaml:7:5", without the place if there is none. The
 * place is that of the text, or of the rule if `beside` was made of the same text.
 */
const char *rule_words(const struct policy *policy, const struct filter *filter,
		       const struct filter *beside, char *buf, size_t size);

#endif
