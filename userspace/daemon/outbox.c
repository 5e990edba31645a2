/* SPDX-License-Identifier: BSD-2-Clause */
/* IKE's datagrams that wait for an SA; see outbox.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "daemon/outbox.h"

struct parcel {
	struct parcel *next;
	struct ike_path path;
	size_t len;
	uint8_t data[];
};

struct outbox {
	int (*send)(const struct ike_path *path, const void *msg, size_t len);
	struct parcel *first, **last;
	unsigned parcels;
	uint32_t waiting[OUTBOX_MAX]; /* inbound SPIs */
	unsigned waiting_count;
	struct event *limit;
};

static void empty(struct outbox *box, bool send)
{
	struct parcel *parcel;

	while ((parcel = box->first)) {
		box->first = parcel->next;
		/* One that is lost is repeated by whoever misses the answer. */
		if (send)
			box->send(&parcel->path, parcel->data, parcel->len);
		free(parcel);
	}
	box->last = &box->first;
	box->parcels = 0;
}

void outbox_open(struct outbox *box)
{
	box->waiting_count = 0;
	event_del(box->limit);
	empty(box, true);
}

static void on_limit(int fd, short what, void *arg)
{
	outbox_open(arg);
}

struct outbox *outbox_new(struct event_base *base,
			  int (*send)(const struct ike_path *path, const void *msg, size_t len))
{
	struct outbox *box = calloc(1, sizeof(*box));

	if (!box)
		return NULL;
	box->send = send;
	box->last = &box->first;
	box->limit = event_new(base, -1, 0, on_limit, box);
	if (!box->limit) {
		free(box);
		return NULL;
	}
	return box;
}

void outbox_free(struct outbox *box)
{
	if (!box)
		return;
	empty(box, false);
	event_free(box->limit);
	free(box);
}

int outbox_send(struct outbox *box, const struct ike_path *path, const void *msg, size_t len)
{
	struct parcel *parcel;

	if (box->parcels == OUTBOX_MAX)
		outbox_open(box);
	if (!box->waiting_count)
		return box->send(path, msg, len);
	parcel = malloc(sizeof(*parcel) + len);
	if (!parcel)
		return -ENOMEM;
	parcel->next = NULL;
	parcel->path = *path;
	parcel->len = len;
	memcpy(parcel->data, msg, len);
	*box->last = parcel;
	box->last = &parcel->next;
	box->parcels++;
	return 0;
}

void outbox_wait(struct outbox *box, uint32_t spi_in)
{
	static const struct timeval limit = {0, OUTBOX_MS * 1000};

	if (box->waiting_count == OUTBOX_MAX)
		return;
	if (!box->waiting_count)
		event_add(box->limit, &limit);
	box->waiting[box->waiting_count++] = spi_in;
}

void outbox_done(struct outbox *box, uint32_t spi_in)
{
	for (unsigned i = 0; i < box->waiting_count; i++)
		if (box->waiting[i] == spi_in) {
			box->waiting[i] = box->waiting[--box->waiting_count];
			if (!box->waiting_count)
				outbox_open(box);
			return;
		}
}
