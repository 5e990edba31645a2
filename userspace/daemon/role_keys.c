/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys role: the only process that knows preshared keys. The parent hands it
 * open files; the ike role asks it for SKEYID (RFC 2409 section 5) and never
 * sees a key. Private keys of certificates and Kerberos will live here too.
 *
 * Owns: the secrets, in locked memory, replaced as a whole on every reload.
 * Weak spot: whoever takes over the ike role can ask for SKEYIDs of any nonces
 * as long as it stays there; it cannot take the key away with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <event2/event.h>
#include <openssl/crypto.h>

#include "daemon/role.h"
#include "ike/crypto/kdf1.h"
#include "util/secret.h"

#define SECRETS_MAX 4096

struct held {
	uint32_t handle;
	size_t len;
	void *psk;
};

static struct keys {
	struct held *held, *next; /* in use; being loaded */
	size_t count, next_count;
	struct ipc *ike;
} keys;

static void forget(struct held *held, size_t count)
{
	for (size_t i = 0; i < count; i++)
		secret_free(held[i].psk);
	free(held);
}

static int load_secret(uint32_t handle, int fd)
{
	struct ipc_status bad = {.what = handle};
	struct held *grown, fresh = {.handle = handle};

	if (keys.next_count >= SECRETS_MAX)
		return -EBADMSG;
	grown = realloc(keys.next, (keys.next_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	keys.next = grown;
	bad.status = secret_read(fd, &fresh.psk, &fresh.len);
	if (bad.status)
		child_send(IPC_SECRET_BAD, 0, &bad, NULL, 0);
	else
		keys.next[keys.next_count++] = fresh;
	return 0;
}

static const struct held *find(uint32_t handle)
{
	for (size_t i = 0; i < keys.count; i++)
		if (keys.held[i].handle == handle)
			return &keys.held[i];
	return NULL;
}

static int answer_skeyid(const struct ipc_msg *msg)
{
	_Static_assert(IKE_SKEYID_MAX >= CRYPTO_DIGEST_MAX, "SKEYID does not fit");
	const struct ipc_skeyid *ask = msg->data;
	struct ipc_skeyid_is is = {.status = -ENOENT};
	const struct held *held = find(ask->secret);
	int rc;

	if (held)
		is.status = ikev1_skeyid_psk((enum xi_integ)ask->prf, held->psk, held->len, ask->ni,
					     ask->ni_len, ask->nr, ask->nr_len, is.skeyid);
	rc = ipc_send(keys.ike, IPC_SKEYID_IS, msg->id, &is, NULL, 0);
	OPENSSL_cleanse(&is, sizeof(is));
	return rc;
}

static int from_ike(void *arg, struct ipc_msg *msg)
{
	return msg->type == IPC_SKEYID ? answer_skeyid(msg) : -EBADMSG;
}

static void ike_closed(void *arg, int status)
{
	ipc_free(keys.ike);
	keys.ike = NULL;
}

static int from_parent(void *arg, struct ipc_msg *msg)
{
	static const struct ipc_handler handler = {from_ike, ike_closed};

	if (msg->type == IPC_PEER && msg->fd_count == 1) {
		ipc_free(keys.ike);
		keys.ike = ipc_new(child_base, msg->fds[0], &handler, NULL);
		msg->fds[0] = -1;
		return keys.ike ? 0 : -ENOMEM;
	}
	if (msg->type == IPC_SECRETS_BEGIN) {
		forget(keys.next, keys.next_count);
		keys.next = NULL;
		keys.next_count = 0;
		return 0;
	}
	if (msg->type == IPC_SECRET && msg->fd_count == 1)
		return load_secret(((const struct ipc_u32 *)msg->data)->value, msg->fds[0]);
	if (msg->type == IPC_SECRETS_END) {
		forget(keys.held, keys.count);
		keys.held = keys.next;
		keys.count = keys.next_count;
		keys.next = NULL;
		keys.next_count = 0;
		return 0;
	}
	return -EBADMSG;
}

int keys_main(const struct role_args *args)
{
	int rc;

	/* Reads its configuration file while there still is a file system. */
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	if (child_start(args, from_parent, NULL))
		return 1;
	rc = child_run();
	forget(keys.held, keys.count);
	forget(keys.next, keys.next_count);
	return rc;
}
