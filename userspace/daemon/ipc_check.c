/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a payload may hold. A role that was taken over writes whatever it likes
 * into these structs, and a bool of 7 or an enum beyond its table is undefined
 * behaviour for whoever reads it; so every such field is looked at as bytes
 * first. What the values mean together is the handlers' business.
 */
#include <errno.h>
#include <string.h>

#include "daemon/ipc.h"
#include "util/log.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return -EBADMSG;                                                           \
	} while (0)

static bool is_bool(const void *field)
{
	return *(const uint8_t *)field <= 1;
}

static bool is_enum(const void *field, uint32_t max)
{
	uint32_t value;

	memcpy(&value, field, sizeof(value));
	return value < max;
}

static bool is_text(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}

static bool is_addr(const struct xi_addr *addr)
{
	return addr->family == 0 || addr->family == 4 || addr->family == 6;
}

static bool is_host(const struct xi_addr *addr)
{
	return addr->family == 4 || addr->family == 6;
}

static bool is_prefix(const struct xi_prefix *prefix)
{
	return is_addr(&prefix->addr) && prefix->len <= (prefix->addr.family == 4 ? 32 : 128);
}

static int check_sa(const struct xi_sa_params *sa)
{
	CHECK(is_host(&sa->local) && is_host(&sa->remote));
	CHECK(sa->local.family == sa->remote.family);
	CHECK(is_prefix(&sa->sel.local) && is_prefix(&sa->sel.remote));
	CHECK(sa->protocol == 50 || sa->protocol == 51);
	CHECK(is_enum(&sa->mode, XI_MODE_TUNNEL + 1));
	CHECK(is_enum(&sa->cipher, XI_CIPHER_MAX));
	CHECK(is_enum(&sa->integ, XI_INTEG_MAX));
	CHECK(is_enum(&sa->pfs, XI_GROUP_MAX));
	CHECK(is_bool(&sa->initiator) && is_bool(&sa->esn));
	CHECK(sa->in.spi >= 256 && sa->out.spi >= 256);
	return 0;
}

static int check_rule(const struct ike_rule *rule)
{
	CHECK(is_text(rule->name, sizeof(rule->name)));
	CHECK(is_bool(&rule->local_is_me));
	CHECK(is_prefix(&rule->local) && is_prefix(&rule->remote));
	CHECK(is_enum(&rule->mode, XI_MODE_TUNNEL + 1));
	CHECK(is_enum(&rule->pfs, XI_GROUP_MAX));
	CHECK(rule->ike_version <= 2);
	CHECK(rule->mm_count <= IKE_METHODS_MAX && rule->qm_count <= IKE_METHODS_MAX);
	CHECK(rule->auth_count <= IKE_AUTH_MAX);
	for (unsigned i = 0; i < rule->mm_count; i++) {
		CHECK(is_enum(&rule->mm[i].cipher, XI_CIPHER_MAX));
		CHECK(is_enum(&rule->mm[i].hash, XI_INTEG_MAX));
		CHECK(is_enum(&rule->mm[i].group, XI_GROUP_MAX));
	}
	for (unsigned i = 0; i < rule->qm_count; i++) {
		CHECK(is_enum(&rule->qm[i].cipher, XI_CIPHER_MAX));
		CHECK(is_enum(&rule->qm[i].integ, XI_INTEG_MAX));
	}
	for (unsigned i = 0; i < rule->auth_count; i++)
		CHECK(is_enum(&rule->auth[i].kind, IKE_AUTH_KERBEROS + 1));
	return 0;
}

static int check_mm(const struct ike_mm_info *info)
{
	CHECK(is_addr(&info->path.local) && is_addr(&info->path.remote));
	CHECK(is_bool(&info->initiator) && is_bool(&info->established));
	CHECK(is_text(info->state, sizeof(info->state)));
	CHECK(is_text(info->rule, sizeof(info->rule)));
	CHECK(is_text(info->auth, sizeof(info->auth)));
	CHECK(is_text(info->peer_id, sizeof(info->peer_id)));
	CHECK(is_enum(&info->method.cipher, XI_CIPHER_MAX));
	CHECK(is_enum(&info->method.hash, XI_INTEG_MAX));
	CHECK(is_enum(&info->method.group, XI_GROUP_MAX));
	return 0;
}

static int check_sockets(const struct ipc_sockets *sockets)
{
	CHECK(sockets->count <= 2);
	for (unsigned i = 0; i < sockets->count; i++)
		CHECK(sockets->family[i] == 4 || sockets->family[i] == 6);
	return 0;
}

static int check_acquire(const struct ike_acquire *acquire)
{
	CHECK(is_host(&acquire->local) && is_host(&acquire->remote));
	CHECK(acquire->local.family == acquire->remote.family);
	return 0;
}

static int check_acquire_done(const struct ipc_acquire_done *done)
{
	CHECK(is_text(done->reason, sizeof(done->reason)));
	return check_acquire(&done->acquire);
}

static int check_log(const struct ipc_log *log)
{
	CHECK(log->level <= LVL_DEBUG && is_text(log->line, sizeof(log->line)));
	return 0;
}

static int check_skeyid(const struct ipc_skeyid *ask)
{
	CHECK(ask->prf < XI_INTEG_MAX);
	CHECK(ask->ni_len <= IPC_NONCE_MAX && ask->nr_len <= IPC_NONCE_MAX);
	return 0;
}

static int check_spis(const struct ipc_spis *spis)
{
	CHECK(spis->count <= IPC_SPIS_MAX);
	return 0;
}

static int check_hosts(const struct ipc_hosts *hosts)
{
	CHECK(is_host(&hosts->local) && is_host(&hosts->remote));
	return 0;
}

static int check_worker(const struct ipc_worker *worker)
{
	CHECK(worker->queues <= IPC_FDS_MAX);
	CHECK(is_text(worker->tap_name, sizeof(worker->tap_name)));
	return 0;
}

int ipc_check(enum ipc_type type, const void *data)
{
	switch (type) {
	case IPC_LOG:
		return check_log(data);
	case IPC_SKEYID:
		return check_skeyid(data);
	case IPC_SOCKETS:
		return check_sockets(data);
	case IPC_RULE:
		return check_rule(data);
	case IPC_SPIS:
		return check_spis(data);
	case IPC_ACQUIRE:
		return check_acquire(data);
	case IPC_ACQUIRE_DONE:
		return check_acquire_done(data);
	case IPC_MM_INFO:
		return check_mm(data);
	case IPC_SA_INSTALL:
		return check_sa(data);
	case IPC_HOLD_FAIL:
		return check_hosts(data);
	case IPC_WORKER:
		return check_worker(data);
	/* Plain numbers: any value is a value. */
	case IPC_READY:
	case IPC_PING:
	case IPC_PONG:
	case IPC_STOP:
	case IPC_PEER:
	case IPC_SECRETS_BEGIN:
	case IPC_SECRET:
	case IPC_SECRETS_END:
	case IPC_SECRET_BAD:
	case IPC_SKEYID_IS:
	case IPC_RULES_BEGIN:
	case IPC_RULES_END:
	case IPC_SA_UP:
	case IPC_SA_GONE:
	case IPC_SA_REKEY:
	case IPC_MM_QUERY:
	case IPC_SPIS_WANTED:
	case IPC_SA_DELETE:
	case IPC_MM_END:
	case IPC_SA_REMOVE:
	case IPC_SA_QUERY:
	case IPC_REASONS_QUERY:
	case IPC_SA_INSTALLED:
	case IPC_SA_STATS:
	case IPC_SA_SOFT:
	case IPC_REASONS:
		return 0;
	case IPC_TYPE_MAX:
		break;
	}
	return -EBADMSG;
}
