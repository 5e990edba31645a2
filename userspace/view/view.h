/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the monitor shows: structs of the daemon become JSON here, and text is
 * printed from that same JSON, so that the two cannot say different things. The
 * keys are a promise to scripts (docs/control.md).
 *
 * The functions that return json_t return a new reference, or NULL without memory.
 * Times go out as seconds since 1970; structs have monotonic milliseconds.
 */
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <xipsec/abi.h>
#include <xipsec/ike.h>

struct filter;
struct sad_entry;

/* One moment on both clocks. */
struct view_clock {
	uint64_t mono_ms, real_ms;
};

struct view_iface {
	const char *name;
	const char *state; /* "filtered", "not there", ... */
	const char *xdp;   /* "native", "generic", or NULL: not attached */
	bool dispatcher;
	const char *in, *out; /* enum dp_ingress and enum dp_tc by name, or NULL */
	const char *why;      /* nothing better than that, or NULL */
	unsigned rx_queues;
	const char *worker; /* name of its TAP, or NULL */
	unsigned queues;
	bool zero_copy;
};

struct view_role {
	const char *name;
	const char *iface; /* or NULL */
	int pid;	   /* 0 = not running */
	bool wanted;	   /* by the policy; one that was can go on without */
	bool ready;
	unsigned restarts;
};

struct view_status {
	const char *instance, *version, *policy, *file, *backend;
	int pid;
	uint32_t generation;
	uint64_t started_ms;
	size_t filters, main_modes, sas;
	struct view_iface *ifaces;
	size_t iface_count;
	unsigned beyond,
		ifaces_max; /* interfaces that are wanted and too many, and how many can be */
	struct view_role *roles;
	size_t role_count;
	bool reassembly4, reassembly6; /* fragments are put together before the verdict */
};

struct view_stats {
	const struct xi_reason_counts *reasons; /* of the BPF programs */
	const struct xi_count *worker;		/* of the ESP workers, by enum xi_reason */
	const struct xi_totals *totals;
	const struct ike_counters *ike;
	uint64_t acquires_dropped;
};

void view_clock_now(struct view_clock *ret);
json_t *view_status(const struct view_status *status, const struct view_clock *clock);
json_t *view_mm(const struct ike_mm_info *info, const struct view_clock *clock);
/* rule: its name, or NULL when it is of an older policy. idle_at_ms: 0 = never. */
json_t *view_qm(const struct sad_entry *entry, const char *backend, const char *rule,
		uint64_t idle_at_ms, const struct view_clock *clock);
/* As `compile --json` prints it; with counters when count is given. */
/* hits and clock may be NULL: not counted. */
json_t *view_filter(const struct filter *filter, const struct xi_hits *hits,
		    const struct view_clock *clock);
/* The same as text, without its end of line; returns how long it is. */
#define VIEW_FILTER_MAX 1024
size_t view_filter_line(char buf[VIEW_FILTER_MAX], const struct filter *filter,
			const struct xi_hits *hits, const struct view_clock *clock);

json_t *view_stats(const struct view_stats *stats);
/* One line a peer, from the arrays of view_mm and view_qm objects. */
json_t *view_peers(const json_t *mm, const json_t *qm);

/* For doctor: one thing that the kernel can or cannot do. */
struct view_feature {
	const char *name, *what, *without, *error; /* error: or NULL */
	bool have, unknown, needed;
};
json_t *view_feature(const struct view_feature *feature);

/* And one interface. Empty texts are null in JSON. */
struct view_link {
	const char *name, *driver, *xdp, *instance, *advice;
	unsigned mtu, rx_queues, tcx_in, tcx_out;
	bool ethernet, native, native_unknown, zero_copy, xdp_generic, xdp_shares;
};
json_t *view_link(const struct view_link *link);
void view_print_doctor(FILE *out, const json_t *data);

#define VIEW_PROTO_MAX 32
/* "any", "tcp", "132", "icmp 8", "icmp 3/4": names as policies have them. -1: not given. */
const char *view_proto_text(int proto, int icmp_type, int icmp_code, char buf[VIEW_PROTO_MAX]);

/* Text for people. `what` is the view's name; false when there is no such view. */
bool view_print(FILE *out, const char *what, const json_t *data);
/* For scripts: an array goes out as one object a line. */
void view_print_json(FILE *out, const json_t *data);
/*
 * The same two from the daemon's answer as it came: for filters, of which there may be a million.
 * False, and nothing is printed: the answer is more than a list, or something else.
 */
bool view_print_filters(FILE *out, const char *answer, size_t len);
bool view_print_json_lines(FILE *out, const char *answer, size_t len);

#endif
