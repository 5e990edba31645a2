/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SAD: install, replace, remove; see sad.h. Lifetimes are in sad_time.c.
 *
 * Order (sa/backend.h): the inbound map entry, the backend, the outbound map
 * entry. A step that fails undoes those before it, so that an SA exists whole or
 * not at all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sa/sad_internal.h"

/* A table this full is an attack or a mistake; each pair costs kernel map room too. */
#define SAD_MAX		100000
#define SPI_RESERVE_MAX 4096

static const char *const state_names[] = {
#define SA_X(NAME, label) label,
	SA_STATES(SA_X)
#undef SA_X
};

const char *sa_state_name(enum sa_state state)
{
	return state_names[state];
}

static unsigned bucket(uint32_t key)
{
	return (key * 2654435761u) >> (32 - SAD_BUCKET_BITS);
}

/* FNV-1a over the outbound selector: what decides that two pairs are of one line. */
static unsigned line_bucket(const struct xi_sa_params *sa)
{
	const uint8_t *bytes[] = {sa->sel.local.addr.b, sa->sel.remote.addr.b};
	uint32_t hash = 2166136261u ^ sa->sel.proto ^ (uint32_t)sa->sel.local_port << 8 ^
			(uint32_t)sa->sel.remote_port << 16;

	for (int side = 0; side < 2; side++)
		for (int i = 0; i < 16; i++)
			hash = (hash ^ bytes[side][i]) * 16777619u;
	return bucket(hash);
}

static bool prefix_equal(const struct xi_prefix *a, const struct xi_prefix *b)
{
	return a->len == b->len && a->addr.family == b->addr.family &&
	       !memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));
}

static bool same_line(const struct xi_sa_params *a, const struct xi_sa_params *b)
{
	return prefix_equal(&a->sel.local, &b->sel.local) &&
	       prefix_equal(&a->sel.remote, &b->sel.remote) && a->sel.proto == b->sel.proto &&
	       a->sel.local_port == b->sel.local_port && a->sel.remote_port == b->sel.remote_port;
}

struct sad *sad_new(const struct sad_ops *ops, void *ctx, const struct sa_backend_ops *backend,
		    void *backend_ctx, uint32_t idle_s)
{
	struct sad *sad = calloc(1, sizeof(*sad));

	if (!sad)
		return NULL;
	sad->ops = ops;
	sad->ctx = ctx;
	sad->backend = backend;
	sad->backend_ctx = backend_ctx;
	sad->idle_ms = idle_s * 1000ull;
	sad->tail = &sad->first;
	sad->query_at_ms = UINT64_MAX;
	/* Ids do not start again from 1 after a crash: stale ones must not look like new ones. */
	if (ops->random(ctx, &sad->last_id, sizeof(sad->last_id))) {
		free(sad);
		return NULL;
	}
	return sad;
}

void sad_free(struct sad *sad)
{
	struct sad_node *node;

	if (!sad)
		return;
	while ((node = sad->first)) {
		sad->first = node->next;
		free(node);
	}
	free(sad->reserved);
	free(sad);
}

/* ------------------------------------------------------------------ SPIs */

static struct sad_node *find_spi(const struct sad *sad, uint32_t spi)
{
	struct sad_node *node = sad->by_spi[bucket(spi)];

	while (node && node->entry.params.in.spi != spi)
		node = node->next_spi;
	return node;
}

static size_t find_reserved(const struct sad *sad, uint32_t spi)
{
	size_t i = 0;

	while (i < sad->reserved_count && sad->reserved[i] != spi)
		i++;
	return i;
}

int sad_spi_reserve(struct sad *sad, uint32_t *ret_spi)
{
	uint32_t spi, *grown;
	int rc;

	if (sad->reserved_count >= SPI_RESERVE_MAX)
		return -ENOSPC;
	grown = realloc(sad->reserved, (sad->reserved_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	sad->reserved = grown;
	do {
		rc = sad->ops->random(sad->ctx, &spi, sizeof(spi));
		if (rc)
			return rc;
		/* RFC 4303 2.1: 1 to 255 are reserved, 0 is for local use. */
	} while (spi < 256 || find_spi(sad, spi) || find_reserved(sad, spi) < sad->reserved_count);
	sad->reserved[sad->reserved_count++] = spi;
	*ret_spi = spi;
	return 0;
}

void sad_spi_release_all(struct sad *sad)
{
	sad->reserved_count = 0;
}

/* --------------------------------------------------------------- the table */

struct sad_node *sad_find_id(const struct sad *sad, uint32_t id)
{
	struct sad_node *node = sad->by_id[bucket(id)];

	while (node && node->entry.params.id != id)
		node = node->next_id;
	return node;
}

static uint32_t fresh_id(struct sad *sad)
{
	do
		sad->last_id++;
	while (!sad->last_id || sad->last_id == XI_SA_HOLD || sad_find_id(sad, sad->last_id));
	return sad->last_id;
}

static void link_node(struct sad *sad, struct sad_node *node)
{
	unsigned by_id = bucket(node->entry.params.id), by_spi = bucket(node->entry.params.in.spi);
	unsigned by_line = line_bucket(&node->entry.params);

	node->next_id = sad->by_id[by_id];
	sad->by_id[by_id] = node;
	node->next_spi = sad->by_spi[by_spi];
	sad->by_spi[by_spi] = node;
	node->next_line = sad->by_line[by_line]; /* newest first */
	sad->by_line[by_line] = node;
	node->prev = sad->tail;
	*sad->tail = node;
	sad->tail = &node->next;
	sad->count++;
}

static void unlink_node(struct sad *sad, struct sad_node *node)
{
	struct sad_node **at;

	for (at = &sad->by_id[bucket(node->entry.params.id)]; *at != node; at = &(*at)->next_id)
		;
	*at = node->next_id;
	for (at = &sad->by_spi[bucket(node->entry.params.in.spi)]; *at != node;
	     at = &(*at)->next_spi)
		;
	*at = node->next_spi;
	for (at = &sad->by_line[line_bucket(&node->entry.params)]; *at != node;
	     at = &(*at)->next_line)
		;
	*at = node->next_line;
	*node->prev = node->next;
	if (node->next)
		node->next->prev = node->prev;
	else
		sad->tail = node->prev;
	sad->count--;
}

/* The newest pair of the line that is installed, other than `node`. */
static struct sad_node *line_current(struct sad *sad, const struct sad_node *node)
{
	struct sad_node *other = sad->by_line[line_bucket(&node->entry.params)];

	while (other && (other == node || other->entry.state == SA_INSTALLING ||
			 !same_line(&other->entry.params, &node->entry.params)))
		other = other->next_line;
	return other;
}

/* ------------------------------------------------------ install and remove */

static bool carries_outbound(const struct sad_node *node)
{
	return node->entry.state == SA_ESTABLISHED || node->entry.state == SA_REKEYING;
}

/* An older pair of the line takes outbound traffic over again. */
static void hand_back(struct sad *sad, const struct sad_node *from)
{
	struct sad_node *heir = line_current(sad, from);

	if (!heir || heir->entry.state != SA_OLD ||
	    sad->ops->out_add(sad->ctx, &heir->entry.params))
		return;
	heir->entry.state = SA_ESTABLISHED;
	heir->entry.replaced_by = 0;
}

void sad_remove_node(struct sad *sad, struct sad_node *node, bool tell_ike, const char *why)
{
	if (carries_outbound(node)) {
		/* First the successor, so that there is no moment without an entry. */
		hand_back(sad, node);
		sad->ops->out_del(sad->ctx, &node->entry.params);
	}
	sad->ops->in_del(sad->ctx, &node->entry.params);
	sad->backend->remove(sad->backend_ctx, &node->entry.params);
	unlink_node(sad, node);
	if (tell_ike)
		sad->ops->gone(sad->ctx, node->entry.params.in.spi);
	sad->ops->note(sad->ctx, &node->entry, why);
	free(node);
}

static void zero_keys(struct xi_sa_params *sa)
{
	explicit_bzero(sa->in.cipher_key, sizeof(sa->in.cipher_key));
	explicit_bzero(sa->in.integ_key, sizeof(sa->in.integ_key));
	explicit_bzero(sa->out.cipher_key, sizeof(sa->out.cipher_key));
	explicit_bzero(sa->out.integ_key, sizeof(sa->out.integ_key));
}

/* The backend carries it: give it the outbound traffic. */
static int take_outbound(struct sad *sad, struct sad_node *node)
{
	struct sad_node *older = line_current(sad, node);
	int rc;

	rc = sad->ops->out_add(sad->ctx, &node->entry.params);
	if (rc)
		return rc;
	if (older && carries_outbound(older)) {
		older->entry.state = SA_OLD;
		older->entry.replaced_by = node->entry.params.id;
	}
	node->entry.state = SA_ESTABLISHED;
	sad->ops->note(sad->ctx, &node->entry, NULL);
	return 0;
}

/* Inbound entry, backend and, if it is done at once, the outbound entry. */
static int put_in_place(struct sad *sad, struct sad_node *node, const struct xi_sa_params *keys)
{
	int rc;

	rc = sad->ops->in_add(sad->ctx, &node->entry.params);
	if (rc)
		return rc;
	rc = sad->backend->install(sad->backend_ctx, keys);
	if (rc == -EINPROGRESS)
		return 0;
	if (rc)
		goto out_inbound;
	rc = take_outbound(sad, node);
	if (rc)
		goto out_backend;
	return 0;
out_backend:
	sad->backend->remove(sad->backend_ctx, &node->entry.params);
out_inbound:
	sad->ops->in_del(sad->ctx, &node->entry.params);
	return rc;
}

int sad_install(struct sad *sad, struct xi_sa_params *sa)
{
	size_t reserved = find_reserved(sad, sa->in.spi);
	struct sad_node *node = NULL, *older;
	int rc;

	rc = -EEXIST;
	if (find_spi(sad, sa->in.spi))
		goto out;
	rc = -EPERM;
	if (reserved == sad->reserved_count)
		goto out;
	rc = -ENOSPC;
	if (sad->count >= SAD_MAX)
		goto out;
	rc = -ENOMEM;
	node = calloc(1, sizeof(*node));
	if (!node)
		goto out;
	sad->reserved[reserved] = sad->reserved[--sad->reserved_count];
	sa->id = fresh_id(sad);
	node->entry.params = *sa;
	older = line_current(sad, node);
	sa->replaces = older ? older->entry.params.id : 0;
	node->entry.params.replaces = sa->replaces;
	zero_keys(&node->entry.params);
	sad_set_lifetimes(sad, node);
	link_node(sad, node);
	rc = put_in_place(sad, node, sa);
	if (rc) {
		unlink_node(sad, node);
		free(node);
	}
out:
	zero_keys(sa);
	return rc;
}

void sad_installed(struct sad *sad, uint32_t id, int status)
{
	struct sad_node *node = sad_find_id(sad, id);

	/* It may have been deleted meanwhile: the remove is behind the install, nothing to do. */
	if (!node || node->entry.state != SA_INSTALLING)
		return;
	if (!status)
		status = take_outbound(sad, node);
	if (status)
		sad_remove_node(sad, node, true, "it could not be installed");
}

int sad_delete(struct sad *sad, uint32_t spi_in, const char *why)
{
	struct sad_node *node = find_spi(sad, spi_in);
	size_t reserved;

	if (!node) {
		/* Or the negotiation that it was reserved for came to nothing. */
		reserved = find_reserved(sad, spi_in);
		if (reserved == sad->reserved_count)
			return -ENOENT;
		sad->reserved[reserved] = sad->reserved[--sad->reserved_count];
		return 0;
	}
	sad_remove_node(sad, node, false, why);
	return 0;
}

void sad_lost(struct sad *sad, bool (*match)(void *arg, const struct sad_entry *entry), void *arg,
	      const char *why)
{
	struct sad_node *node, *next;

	/* The old ones of a line first: none of them may be handed traffic. */
	for (int pass = 0; pass < 2; pass++)
		for (node = sad->first; node; node = next) {
			next = node->next;
			if ((pass || node->entry.state == SA_OLD) && match(arg, &node->entry))
				sad_remove_node(sad, node, true, why);
		}
}

void sad_revalidate(struct sad *sad,
		    const char *(*judge)(void *arg, const struct xi_sa_params *sa,
					 uint32_t *ret_rule),
		    void *arg, uint32_t generation)
{
	struct sad_node *node, *next;
	const char *why;

	/* The old ones first, as in sad_lost(): only one that stays may be handed traffic. */
	for (int pass = 0; pass < 2; pass++)
		for (node = sad->first; node; node = next) {
			next = node->next;
			if (!pass && node->entry.state != SA_OLD)
				continue;
			why = judge(arg, &node->entry.params, &node->entry.params.rule);
			if (why)
				sad_remove_node(sad, node, true, why);
			else
				node->entry.params.generation = generation;
		}
}

/* ------------------------------------------------------------------ views */

size_t sad_count(const struct sad *sad)
{
	return sad->count;
}

const struct sad_entry *sad_by_id(const struct sad *sad, uint32_t id)
{
	struct sad_node *node = sad_find_id(sad, id);

	return node ? &node->entry : NULL;
}

void sad_each(const struct sad *sad, void (*fn)(void *arg, const struct sad_entry *entry),
	      void *arg)
{
	for (struct sad_node *node = sad->first; node; node = node->next)
		fn(arg, &node->entry);
}

const char *sad_backend_name(const struct sad *sad)
{
	return sad->backend->name;
}
