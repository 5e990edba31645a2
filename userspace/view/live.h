/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `xipsec monitor` shows, one object for each thing that happens: "packet",
 * "event", "sa", "policy", "worker", "lost". As in view.h, text is printed from the JSON; the
 * keys are a promise (docs/control.md).
 */
#ifndef VIEW_LIVE_H
#define VIEW_LIVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include <xipsec/abi.h>

#include "view/view.h"

struct filter;
struct sad_entry;

/* What a hook did with a packet. */
enum view_fate { VIEW_PASSED, VIEW_DROPPED, VIEW_WORKER, VIEW_HELD };

enum view_fate view_fate_of(const struct xi_sample *sample);

/* X(ACTION, "label"): verdicts as users know them; a bit each, 1 << enum xi_action. */
const char *view_verdict_name(enum xi_action action);
/* -1: there is no such name. */
int view_verdict_find(const char *name);
const char *view_reason_name(uint32_t reason);
int view_reason_find(const char *name);

/*
 * filter: the one that decided; NULL: none did, or (is_stale) it is of a filter
 * list that is gone. iface: its name, or NULL. Times are real ones with fractions.
 */
json_t *view_sample(const struct xi_sample *sample, const struct filter *filter, bool is_stale,
		    const char *iface, const struct view_clock *clock);
json_t *view_event(const struct xi_event *event, const struct filter *filter, const char *iface,
		   const struct view_clock *clock);
/* ended: why, or NULL when it came up. rule: its name or NULL. */
json_t *view_sa_change(const struct sad_entry *entry, const char *rule, const char *ended,
		       const struct view_clock *clock);

/* What an interface's ESP worker dropped for one reason since it was told last. */
json_t *view_worker_drop(const char *iface, uint32_t reason, const struct xi_count *more,
			 const struct view_clock *clock);

/* One line of text for one object. */
void view_live_print(FILE *out, const json_t *object);

#endif
