/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xi_local: the addresses that `me` stands for, and the broadcast addresses of
 * the links, which cannot be protected. Brought up to date by adding first and
 * deleting then, so that an address that stays is never missing. xi_local_slots
 * follows each change.
 *
 * Weak spot: the map has an end. What does not fit is not `me`, and the caller is told.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>

#include "datapath/internal.h"

struct wanted {
	struct xi_addr_key key;
	struct xi_local value;
};

static int wanted_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct xi_addr_key));
}

/* Those of one address beside each other, the one that says `me` first. */
static int wanted_order(const void *a, const void *b)
{
	const struct wanted *left = a, *right = b;
	int order = wanted_compare(a, b);

	return order ? order
		     : (left->value.kind != XI_LOCAL_ME) - (right->value.kind != XI_LOCAL_ME);
}

/* Each address once; one that is both is ours. Returns how many stay. */
static size_t wanted_settle(struct wanted *wanted, size_t count)
{
	size_t kept = 0;

	qsort(wanted, count, sizeof(*wanted), wanted_order);
	for (size_t i = 0; i < count; i++)
		if (!kept || wanted_compare(&wanted[kept - 1], &wanted[i]))
			wanted[kept++] = wanted[i];
	return kept;
}

static size_t broadcasts(struct ifaddrs *list, struct wanted *ret)
{
	size_t count = 0;

	for (struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct wanted entry = {.value.kind = XI_LOCAL_BROADCAST};

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET ||
		    !(i->ifa_flags & IFF_BROADCAST) || !i->ifa_broadaddr)
			continue;
		entry.key.family = 4;
		memcpy(entry.key.addr, &((struct sockaddr_in *)i->ifa_broadaddr)->sin_addr, 4);
		if (ret)
			ret[count] = entry;
		count++;
	}
	return count;
}

/* The kernel copies eight bytes at a time, in order: whoever sees the third has the address. */
static int slot_set(struct datapath *dp, const struct xi_addr_key *key, enum xi_local_kind kind)
{
	int fd = dp->map[DP_MAP_LOCAL_SLOTS];
	struct xi_local_slot slot;
	__u64 addr[2];
	uint32_t index;

	memcpy(addr, key->addr, sizeof(addr));
	index = xi_local_slot_of(addr);
	if (bpf_map_lookup_elem(fd, &index, &slot))
		return -errno;
	if (!slot.family) {
		memcpy(slot.addr, addr, sizeof(addr));
		slot.family = key->family;
	} else if (memcmp(slot.addr, addr, sizeof(addr)) || slot.family != key->family) {
		slot.ask = 1;
	}
	if (!slot.ask)
		slot.kind = kind;
	return bpf_map_update_elem(fd, &index, &slot, BPF_ANY) ? -errno : 0;
}

int dp_local_put(struct datapath *dp, const struct xi_addr_key *key, enum xi_local_kind kind)
{
	struct xi_local value = {.kind = kind};

	if (bpf_map_update_elem(dp->map[DP_MAP_LOCAL], key, &value, BPF_ANY))
		return -errno;
	return slot_set(dp, key, kind);
}

/*
 * The slot first: who dies between the two leaves an address in xi_local, which the next daemon
 * finds there and takes away. It would never find one that is in a slot alone.
 */
int dp_local_del(struct datapath *dp, const struct xi_addr_key *key)
{
	int err = slot_set(dp, key, XI_LOCAL_NONE);

	if (!err && bpf_map_delete_elem(dp->map[DP_MAP_LOCAL], key) && errno != ENOENT)
		err = -errno;
	return err;
}

static int delete_others(struct datapath *dp, const struct wanted *wanted, size_t count)
{
	struct xi_addr_key *stale = NULL, *grown, key, *prev = NULL;
	int fd = dp->map[DP_MAP_LOCAL], err = 0;
	size_t stale_count = 0;

	while (!bpf_map_get_next_key(fd, prev, &key)) {
		prev = &key;
		if (bsearch(&key, wanted, count, sizeof(*wanted), wanted_compare))
			continue;
		grown = realloc(stale, (stale_count + 1) * sizeof(*stale));
		if (!grown) {
			err = -ENOMEM;
			break;
		}
		stale = grown;
		stale[stale_count++] = key;
	}
	for (size_t i = 0; i < stale_count; i++) {
		int failed = dp_local_del(dp, &stale[i]);

		if (failed)
			err = failed;
	}
	free(stale);
	return err;
}

/* All that fit, whatever becomes of the others: -E2BIG when some do not. */
static int put_all(struct datapath *dp, const struct wanted *wanted, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		int failed = dp_local_put(dp, &wanted[i].key, wanted[i].value.kind);

		if (failed && failed != -E2BIG)
			return failed;
		err = failed ? failed : err;
	}
	return err;
}

int datapath_set_local(struct datapath *dp, const struct xi_addr *addrs, size_t count)
{
	struct ifaddrs *list = NULL;
	struct wanted *wanted;
	size_t n = 0;
	int err = 0, full;

	if (dp->pinned && getifaddrs(&list))
		return -errno;
	wanted = calloc(count + broadcasts(list, NULL) + 1, sizeof(*wanted));
	if (!wanted) {
		err = -ENOMEM;
		goto out;
	}
	n = broadcasts(list, wanted);
	for (size_t i = 0; i < count; i++, n++) {
		wanted[n].value.kind = XI_LOCAL_ME;
		wanted[n].key.family = addrs[i].family;
		memcpy(wanted[n].key.addr, addrs[i].b, sizeof(wanted[n].key.addr));
	}
	n = wanted_settle(wanted, n);
	err = put_all(dp, wanted, n);
	if (err && err != -E2BIG)
		goto out;
	full = err;
	err = delete_others(dp, wanted, n);
	/* Those that are gone have made room. */
	if (!err && full)
		err = put_all(dp, wanted, n);
out:
	free(wanted);
	freeifaddrs(list);
	return err;
}
