/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two SA tables. userspace/sa/ decides when; here is only how an SA pair
 * becomes keys: its SPI for what comes in, its selector for what goes out.
 */
#include <errno.h>
#include <string.h>
#include <arpa/inet.h>

#include "datapath/internal.h"

static void in_key(const struct xi_sa_params *sa, struct xi_sa_in_key *ret)
{
	uint32_t spi = htonl(sa->in.spi);

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->daddr, sa->local.b, sizeof(ret->daddr));
	memcpy(ret->spi, &spi, sizeof(spi));
	ret->family = sa->local.family;
	ret->proto = sa->protocol;
}

/*
 * The outbound key and its form. The table finds SAs between two hosts only: a
 * selector of a whole subnet (tunnel mode) has no form, and a port needs a
 * protocol.
 */
static int out_key(const struct xi_sa_params *sa, struct xi_sa_out_key *ret, uint32_t *ret_form)
{
	const struct xi_selector *sel = &sa->sel;
	uint8_t bits = sa->remote.family == 6 ? 128 : 32;

	if (sel->remote.len != bits || sel->local.len != bits ||
	    sel->remote.addr.family != sel->local.addr.family)
		return -EOPNOTSUPP;
	if (!sel->proto && (sel->local_port || sel->remote_port))
		return -EINVAL;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->remote, sel->remote.addr.b, sizeof(ret->remote));
	memcpy(ret->local, sel->local.addr.b, sizeof(ret->local));
	ret->family = sel->remote.addr.family;
	ret->proto = sel->proto;
	ret->remote_port = sel->remote_port;
	ret->local_port = sel->local_port;
	if (!sel->proto)
		*ret_form = XI_FORM_HOSTS;
	else if (sel->local_port && sel->remote_port)
		*ret_form = XI_FORM_PROTO_PORTS;
	else if (sel->local_port)
		*ret_form = XI_FORM_PROTO_LOCAL;
	else if (sel->remote_port)
		*ret_form = XI_FORM_PROTO_REMOTE;
	else
		*ret_form = XI_FORM_PROTO;
	return 0;
}

int datapath_sa_in_add(struct datapath *dp, const struct xi_sa_params *sa, enum xi_path path)
{
	struct xi_sa_in value = {.path = path, .sa_id = sa->id};
	struct xi_sa_in_key key;

	in_key(sa, &key);
	return bpf_map_update_elem(dp->map[DP_MAP_SA_IN], &key, &value, BPF_ANY) ? -errno : 0;
}

int datapath_sa_in_del(struct datapath *dp, const struct xi_sa_params *sa)
{
	struct xi_sa_in_key key;

	in_key(sa, &key);
	return bpf_map_delete_elem(dp->map[DP_MAP_SA_IN], &key) ? -errno : 0;
}

int datapath_sa_out_add(struct datapath *dp, const struct xi_sa_params *sa, enum xi_path path)
{
	struct xi_sa_out value = {.path = path, .sa_id = sa->id};
	struct xi_sa_out_key key;
	uint32_t form;
	int err = out_key(sa, &key, &form);

	if (err)
		return err;
	if (bpf_map_update_elem(dp->map[DP_MAP_SA_OUT], &key, &value, BPF_ANY))
		return -errno;
	/* Forms are never taken back while the maps live: a lookup too many is harmless. */
	__atomic_fetch_or(&dp->ctl->out_forms, form, __ATOMIC_RELEASE);
	return 0;
}

int datapath_sa_out_del(struct datapath *dp, const struct xi_sa_params *sa)
{
	struct xi_sa_out_key key;
	struct xi_sa_out value;
	uint32_t form;
	int err = out_key(sa, &key, &form);

	if (err)
		return err;
	if (bpf_map_lookup_elem(dp->map[DP_MAP_SA_OUT], &key, &value))
		return -errno;
	if (value.sa_id != sa->id)
		return 0;
	return bpf_map_delete_elem(dp->map[DP_MAP_SA_OUT], &key) ? -errno : 0;
}

static int empty(int fd)
{
	uint8_t key[64];

	while (!bpf_map_get_next_key(fd, NULL, key))
		if (bpf_map_delete_elem(fd, key))
			return -errno;
	return 0;
}

int datapath_sa_flush(struct datapath *dp)
{
	int err = empty(dp->map[DP_MAP_SA_OUT]), err_in = empty(dp->map[DP_MAP_SA_IN]);

	return err ? err : err_in;
}
