// SPDX-License-Identifier: BSD-2-Clause
/*
 * The SAD of one worker (RFC 4301 4.4.2): three chained hash tables of fixed
 * size over the same SAs. One thread uses it, so there are no locks.
 */
#include "esp/satab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "util/addr.h"

#define BUCKETS	   4096
#define REKEYS_MAX 64 /* length of a chain of rekeyed SAs that is followed */

struct satab {
	struct esp_sa *by_id[BUCKETS], *by_spi[BUCKETS], *by_hosts[BUCKETS];
};

static int check_selector(const struct xi_sa_params *p)
{
	const struct xi_selector *sel = &p->sel;
	uint8_t bits = xi_family_bits(p->local.family);

	if ((p->local.family != 4 && p->local.family != 6) || p->remote.family != p->local.family)
		return -EINVAL;
	/* Transport mode protects exactly the traffic of these two hosts. */
	if (sel->local.len != bits || sel->remote.len != bits ||
	    !xi_addr_equal(&sel->local.addr, &p->local) ||
	    !xi_addr_equal(&sel->remote.addr, &p->remote))
		return -EINVAL;
	return 0;
}

static int check_params(const struct xi_sa_params *p)
{
	if (!p->id || p->id == XI_SA_HOLD || p->in.spi < 256 || p->out.spi < 256)
		return -EINVAL;
	if (p->protocol != IP_PROTO_ESP || p->mode != XI_MODE_TRANSPORT)
		return -EOPNOTSUPP;
	if ((unsigned)p->cipher >= XI_CIPHER_MAX || (unsigned)p->integ >= XI_INTEG_MAX)
		return -EINVAL;
	/* RFC 8221 4: never without integrity. */
	if (!xi_cipher_info(p->cipher)->tag_len && p->integ == XI_INTEG_NONE)
		return -EINVAL;
	return check_selector(p);
}

int esp_sa_new(const struct xi_sa_params *params, uint64_t now_ms, struct esp_sa **ret)
{
	struct esp_sa *sa;
	int err = check_params(params);

	if (err)
		return err;
	sa = calloc(1, sizeof(*sa));
	if (!sa)
		return -ENOMEM;
	sa->in = (struct esp_half){.spi = params->in.spi, .esn = params->esn};
	sa->out = (struct esp_half){.spi = params->out.spi, .esn = params->esn};
	err = esp_crypto_new(params->cipher, params->integ, params->in.cipher_key,
			     params->in.integ_key, false, &sa->in.crypto);
	if (!err)
		err = esp_crypto_new(params->cipher, params->integ, params->out.cipher_key,
				     params->out.integ_key, true, &sa->out.crypto);
	if (err) {
		esp_sa_free(sa);
		return err;
	}
	sa->params = *params;
	OPENSSL_cleanse(&sa->params.in.cipher_key, XI_KEY_MAX);
	OPENSSL_cleanse(&sa->params.in.integ_key, XI_KEY_MAX);
	OPENSSL_cleanse(&sa->params.out.cipher_key, XI_KEY_MAX);
	OPENSSL_cleanse(&sa->params.out.integ_key, XI_KEY_MAX);
	replay_init(&sa->replay, params->replay_window);
	sa->installed_ms = now_ms;
	sa->stats.id = params->id;
	*ret = sa;
	return 0;
}

void esp_sa_free(struct esp_sa *sa)
{
	if (!sa)
		return;
	esp_crypto_free(sa->in.crypto);
	esp_crypto_free(sa->out.crypto);
	OPENSSL_cleanse(sa, sizeof(*sa));
	free(sa);
}

static unsigned mix(uint32_t h)
{
	h ^= h >> 16;
	h *= 0x7feb352dU;
	h ^= h >> 15;
	return h % BUCKETS;
}

/* The remote host alone: most hosts have one address of their own for their peers. */
static unsigned hosts_hash(const struct xi_addr *remote)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof(remote->b); i++)
		h = (h ^ remote->b[i]) * 16777619u;
	return mix(h);
}

struct satab *satab_new(void)
{
	return calloc(1, sizeof(struct satab));
}

void satab_free(struct satab *tab)
{
	struct esp_sa *sa, *next;

	if (!tab)
		return;
	for (size_t b = 0; b < BUCKETS; b++) {
		for (sa = tab->by_id[b]; sa; sa = next) {
			next = sa->next_id;
			esp_sa_free(sa);
		}
	}
	free(tab);
}

int satab_add(struct satab *tab, struct esp_sa *sa)
{
	const struct xi_sa_params *p = &sa->params;
	struct esp_sa **id = &tab->by_id[mix(p->id)];
	struct esp_sa **spi = &tab->by_spi[mix(p->in.spi)];
	struct esp_sa **hosts = &tab->by_hosts[hosts_hash(&p->remote)];

	if (satab_by_id(tab, p->id) || satab_by_spi(tab, p->in.spi, &p->local))
		return -EEXIST;
	sa->next_id = *id;
	*id = sa;
	sa->next_spi = *spi;
	*spi = sa;
	sa->next_hosts = *hosts;
	*hosts = sa;
	return 0;
}

struct esp_sa *satab_remove(struct satab *tab, uint32_t id)
{
	struct esp_sa *sa = satab_by_id(tab, id), **at;

	if (!sa)
		return NULL;
	for (at = &tab->by_id[mix(id)]; *at != sa; at = &(*at)->next_id)
		;
	*at = sa->next_id;
	for (at = &tab->by_spi[mix(sa->params.in.spi)]; *at != sa; at = &(*at)->next_spi)
		;
	*at = sa->next_spi;
	at = &tab->by_hosts[hosts_hash(&sa->params.remote)];
	for (; *at != sa; at = &(*at)->next_hosts)
		;
	*at = sa->next_hosts;
	return sa;
}

struct esp_sa *satab_by_id(const struct satab *tab, uint32_t id)
{
	struct esp_sa *sa = tab->by_id[mix(id)];

	while (sa && sa->params.id != id)
		sa = sa->next_id;
	return sa;
}

struct esp_sa *satab_by_spi(const struct satab *tab, uint32_t spi, const struct xi_addr *dst)
{
	struct esp_sa *sa = tab->by_spi[mix(spi)];

	while (sa && (sa->params.in.spi != spi || !xi_addr_equal(&sa->params.local, dst)))
		sa = sa->next_spi;
	return sa;
}

/* In the order in which tc_egress tries the forms of a selector. */
static int exactness(const struct xi_selector *sel)
{
	if (!sel->proto)
		return 0;
	return 1 + (sel->remote_port ? 1 : 0) + (sel->local_port ? 2 : 0);
}

struct esp_sa *satab_by_packet(const struct satab *tab, const struct ip_info *info)
{
	struct esp_sa *sa, *best = NULL;

	/* New SAs stand in front: of equals the first one seen is the newest. */
	for (sa = tab->by_hosts[hosts_hash(&info->dst)]; sa; sa = sa->next_hosts) {
		if (!ip_matches(info, &sa->params.sel, true))
			continue;
		if (!best || exactness(&sa->params.sel) > exactness(&best->params.sel))
			best = sa;
	}
	return best;
}

struct esp_sa *satab_by_out_spi(const struct satab *tab, uint32_t spi, const struct xi_addr *dst)
{
	struct esp_sa *sa = tab->by_hosts[hosts_hash(dst)];

	while (sa && (sa->params.out.spi != spi || !xi_addr_equal(&sa->params.remote, dst)))
		sa = sa->next_hosts;
	return sa;
}

struct esp_sa *satab_sender(const struct satab *tab, struct esp_sa *sa)
{
	for (int i = 0; i < REKEYS_MAX && sa->successor; i++) {
		struct esp_sa *next = satab_by_id(tab, sa->successor);

		if (!next)
			break;
		sa = next;
	}
	return sa;
}
