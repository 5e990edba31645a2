/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer that sends ESP for an SPI which is not in use here believes in an SA
 * that we have lost, by a crash for example, and would send into the void until
 * its lifetime ends. So when a negotiate filter covers that peer, we start a
 * negotiation ourselves: INITIAL-CONTACT (RFC 2407 4.6.3.3) makes it forget the
 * old SAs, or the new SA takes their place.
 *
 * One such packet may have been under way when the SA ended in good order, so it
 * takes a second one, seconds later. And it proves nothing, its source may be
 * forged: at most one try for a peer in half a minute and a bounded number for
 * all, towards peers that the policy lets us negotiate with anyway.
 */
#include <string.h>

#include "compile/image.h"
#include "daemon/daemon.h"
#include "util/addr.h"
#include "util/log.h"

#define RECOVER_EVERY_S 30
/* The second packet comes between these after the first. */
#define AGAIN_MIN_MS 900
#define AGAIN_MAX_MS 30000

static bool covers(const struct filter *filter, const struct xi_addr *local,
		   const struct xi_addr *remote)
{
	return filter->action == XI_ACT_NEGOTIATE && filter->rule != FILTER_BUILTIN &&
	       filter->family == remote->family && xi_prefix_covers(&filter->remote, remote) &&
	       (filter->local_is_me || xi_prefix_covers(&filter->local, local));
}

static uint16_t single_port(uint16_t lo, uint16_t hi)
{
	return lo == 0 && hi == 65535 ? 0 : lo;
}

/* True when this is not the first sign of it. A new peer takes the oldest place. */
static bool seen_before(struct daemon *d, const struct xi_addr *remote, uint64_t now)
{
	struct stray *oldest = &d->strays[0];

	for (unsigned i = 0; i < STRAYS_MAX; i++) {
		struct stray *stray = &d->strays[i];

		if (xi_addr_equal(&stray->peer, remote) && now - stray->first_ms <= AGAIN_MAX_MS)
			return now - stray->first_ms >= AGAIN_MIN_MS;
		if (stray->first_ms < oldest->first_ms)
			oldest = stray;
	}
	oldest->peer = *remote;
	oldest->first_ms = now;
	return false;
}

bool recover_peer(struct daemon *d, const struct xi_addr *local, const struct xi_addr *remote)
{
	struct ike_acquire acquire = {.local = *local, .remote = *remote};
	const struct filter *filter = NULL;
	uint64_t now = daemon_now_ms();
	char text[XI_ADDR_STRLEN];

	for (size_t i = 0; i < d->image->count && !filter; i++)
		if (covers(&d->image->filters[i], local, remote))
			filter = &d->image->filters[i];
	/* The clock of this bucket runs slower, so that its second is half a minute. */
	if (!filter || !d->ike.ready || !seen_before(d, remote, now) ||
	    !ratelimit_pass(&d->recover_limit, remote, now / RECOVER_EVERY_S, NULL))
		return false;
	acquire.rule = filter->rule;
	acquire.proto = filter->proto_given ? filter->proto : 0;
	acquire.local_port = single_port(filter->local_port_lo, filter->local_port_hi);
	acquire.remote_port = single_port(filter->remote_port_lo, filter->remote_port_hi);
	log_info("%s uses an SA that is lost here, negotiating a new one (rule %s)",
		 xi_addr_text(remote, text), filter->rule_name);
	ipc_send(d->ike.ipc, IPC_ACQUIRE, 0, &acquire, NULL, 0);
	return true;
}
