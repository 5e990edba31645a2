/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one listener of the monitor wants to see: read from its question, applied
 * to what happens. Pure.
 */
#ifndef DAEMON_MONITOR_SPEC_H
#define DAEMON_MONITOR_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <xipsec/abi.h>

#include "datapath/datapath.h"
#include "util/cbpf.h"

#define MONITOR_RULES_MAX DATAPATH_RULES_MAX
#define MONITOR_EVERY_MAX 1000000000

struct image;

struct monitor_spec {
	uint32_t every;	   /* one in so many of the packets that are wanted */
	uint32_t verdicts; /* bits 1 << enum xi_action */
	uint32_t dirs;	   /* bits 1 << enum xi_dir */
	uint64_t reasons;  /* bits 1 << enum xi_reason; 0: all, and packets without one */
	bool dropped;	   /* only what was dropped */
	bool packets, events;
	char *rules[MONITOR_RULES_MAX]; /* none: all */
	unsigned rule_count;
	struct cbpf_insn *insns; /* pcap filter; NULL: all */
	size_t insn_count;
};

/* 0 or -errno with the reason in words; *ret is untouched then. See docs/control.md. */
int monitor_spec_parse(const json_t *question, struct monitor_spec *ret, const char **ret_why);
void monitor_spec_free(struct monitor_spec *spec);

/* It as the kernel chooses by it, but for the rules; borrows the filter. */
struct datapath_listener monitor_spec_listener(const struct monitor_spec *spec);
/* What its rules are in this list. -E2BIG: more built-in filters than there is room for. */
int monitor_spec_rules(const struct monitor_spec *spec, const struct image *image,
		       uint32_t generation, struct datapath_rules *ret);

/* Is it wanted? (Not: its turn, see every.) rule: name of the deciding filter's, or NULL. */
bool monitor_spec_wants(const struct monitor_spec *spec, const struct xi_sample *sample,
			const char *rule);
bool monitor_spec_wants_event(const struct monitor_spec *spec, const struct xi_event *event,
			      const char *rule);
/* An SA of this rule that comes or goes, or (NULL) a new policy: neither is a drop or has a reason.
 */
bool monitor_spec_wants_change(const struct monitor_spec *spec, const char *rule);
/* What a worker dropped for this reason, of any rule. */
bool monitor_spec_wants_worker(const struct monitor_spec *spec, uint32_t reason);

#endif
