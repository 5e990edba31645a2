/* SPDX-License-Identifier: BSD-2-Clause */
/* Events from the programs. */
#include <errno.h>
#include <string.h>

#include "datapath/internal.h"

static int on_event(void *ctx, void *data, size_t size)
{
	struct datapath *dp = ctx;
	struct xi_event event;

	if (size < sizeof(event))
		return 0;
	memcpy(&event, data, sizeof(event));
	dp->event_fn(dp->event_arg, &event);
	return 0;
}

int dp_ring_open(struct datapath *dp)
{
	dp->ring = ring_buffer__new(dp->map[DP_MAP_EVENTS], on_event, dp, NULL);
	return dp->ring ? 0 : -errno;
}

int datapath_event_fd(const struct datapath *dp)
{
	return ring_buffer__epoll_fd(dp->ring);
}

int datapath_events(struct datapath *dp, void (*fn)(void *arg, const struct xi_event *event),
		    void *arg)
{
	dp->event_fn = fn;
	dp->event_arg = arg;
	return ring_buffer__consume(dp->ring);
}
