/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events and samples from the programs. Samples have a ring of their own, which
 * is read only while somebody listens.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
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

/* ---------------------------------------------------------------- samples */

/* Ends the round when its budget is spent: the caller has other things to do. */
static int on_sample(void *ctx, void *data, size_t size)
{
	struct datapath *dp = ctx;

	if (dp->sample_fn && size >= sizeof(struct xi_sample))
		dp->sample_fn(dp->sample_arg, data);
	return --dp->sample_budget ? 0 : -EAGAIN;
}

int datapath_sampling(struct datapath *dp, bool on)
{
	if (on && !dp->samples) {
		dp->samples = ring_buffer__new(dp->map[DP_MAP_SAMPLES], on_sample, dp, NULL);
		if (!dp->samples)
			return -errno;
	}
	/* What lies there from an earlier listener is no news. */
	if (on && !(dp->ctl->flags & XI_CTL_SAMPLE))
		datapath_samples(dp, NULL, NULL, UINT_MAX);
	if (on)
		__atomic_or_fetch(&dp->ctl->flags, XI_CTL_SAMPLE, __ATOMIC_RELEASE);
	else
		__atomic_and_fetch(&dp->ctl->flags, ~XI_CTL_SAMPLE, __ATOMIC_RELEASE);
	if (!on)
		datapath_listen_end(dp);
	return 0;
}

void datapath_drop_events(struct datapath *dp, bool on)
{
	if (on)
		__atomic_or_fetch(&dp->ctl->flags, XI_CTL_DROP_EVENTS, __ATOMIC_RELEASE);
	else
		__atomic_and_fetch(&dp->ctl->flags, ~XI_CTL_DROP_EVENTS, __ATOMIC_RELEASE);
}

int datapath_sample_fd(const struct datapath *dp)
{
	return dp->samples ? ring_buffer__epoll_fd(dp->samples) : -EBADF;
}

int datapath_samples(struct datapath *dp, void (*fn)(void *arg, const struct xi_sample *sample),
		     void *arg, unsigned max)
{
	int res;

	if (!dp->samples || !max)
		return 0;
	dp->sample_fn = fn;
	dp->sample_arg = arg;
	dp->sample_budget = max;
	res = ring_buffer__consume(dp->samples);
	return res == -EAGAIN ? (int)max : res;
}

int datapath_samples_lost(const struct datapath *dp, uint64_t *ret)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;
	/* The kernel rounds each CPU's value up to eight bytes. */
	_Static_assert(sizeof(struct xi_sampler) % 8 == 0, "the stride is another one");
	struct xi_sampler *each;
	uint32_t zero = 0;
	uint64_t sum = 0;

	if (cpus < 0)
		return cpus;
	each = calloc(cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(dp->map[DP_MAP_SAMPLER], &zero, each))
		err = -errno;
	for (int i = 0; i < cpus; i++)
		sum += each[i].lost;
	if (!err)
		*ret = sum;
	free(each);
	return err;
}
