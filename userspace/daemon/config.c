/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy in force. A new one is read, checked and compiled completely before
 * anything changes; then the kernel's filter list is switched in one step, and
 * after it the children are told. Whatever fails before the switch leaves the
 * running policy as it was; after it nothing can fail that has no retry. SAs that
 * the new policy does not allow end right after the switch (revalidate.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "compile/image.h"
#include "daemon/daemon.h"
#include "daemon/ike_rules.h"
#include "daemon/monitor.h"
#include "datapath/datapath.h"
#include "policy/policy.h"
#include "util/addr.h"
#include "util/log.h"

struct candidate {
	struct policy *policy;
	struct image *image;
	struct ike_rule *rules;
	size_t rule_count;
	char *path;
	bool recompiled; /* the running policy for other addresses, not another policy */
};

static void candidate_free(struct candidate *c)
{
	policy_free(c->policy);
	image_free(c->image);
	free(c->rules);
	free(c->path);
}

/* The handle of a secret stays the same for one path while the daemon lives. */
static uint32_t secret_handle(void *arg, const char *path)
{
	struct daemon *d = arg;
	char **grown, *copy;

	for (size_t i = 0; i < d->secret_count; i++)
		if (!strcmp(d->secret_paths[i], path))
			return i + 1;
	copy = strdup(path);
	grown = realloc(d->secret_paths, (d->secret_count + 1) * sizeof(*grown));
	if (grown)
		d->secret_paths = grown;
	if (!grown || !copy) {
		free(copy);
		return 0;
	}
	d->secret_paths[d->secret_count++] = copy;
	return d->secret_count;
}

/* c->policy -> image and rules, for the addresses that this host has now. */
static int compile(struct daemon *d, struct candidate *c, struct diag *diag)
{
	struct compile_opts opts = {.me = d->addrs, .me_count = d->addr_count};
	int rc;

	rc = daemon_random(&opts.seed, sizeof(opts.seed));
	if (rc)
		return rc;
	rc = compile_policy(c->policy, &opts, &c->image, diag);
	if (rc)
		return rc;
	return ike_rules_build(c->policy, c->image, secret_handle, d, &c->rules, &c->rule_count,
			       diag);
}

static int load(struct daemon *d, const char *path, struct candidate *c, struct diag *diag)
{
	int rc;

	c->path = realpath(path, NULL);
	if (!c->path) {
		rc = -errno;
		diag_add(diag, DIAG_ERROR, NULL, NULL, "%s: %s", path, strerror(-rc));
		return rc;
	}
	rc = policy_load_regular(c->path, &c->policy, diag);
	if (rc)
		return rc;
	rc = policy_supported(c->policy, diag);
	if (rc)
		return rc;
	return compile(d, c, diag);
}

static void on_idle(int fd, short what, void *arg)
{
	struct daemon *d = arg;

	datapath_idle(d->dp);
	/* A list of a million filters takes half a gigabyte to compile, in small pieces. */
	malloc_trim(0);
}

/* Takes what the candidate holds; from the switch on nothing can fail. */
static int enforce(struct daemon *d, struct candidate *c, struct diag *diag)
{
	static const struct timeval soon = {0, 100000};
	bool recompiled = c->recompiled;
	int rc;

	monitor_switching(d, c->image);
	rc = datapath_swap(d->dp, c->image, diag);
	if (rc)
		return rc;
	/* Not now: whoever asked waits for an answer. */
	event_base_once(d->base, -1, EV_TIMEOUT, on_idle, d, &soon);
	monitor_switched(d, c->image);
	config_free(d);
	d->policy = c->policy;
	d->image = c->image;
	d->rules = c->rules;
	d->rule_count = c->rule_count;
	d->policy_path = c->path;
	memset(c, 0, sizeof(*c));
	d->generation = datapath_generation(d->dp);
	if (!recompiled)
		d->policy_since = d->generation;
	/*
	 * Now that the new filters hold: SAs that they leave no room for. Before IKE gets the new
	 * rules, which may take away the main mode that the deletes for the peer travel in.
	 */
	traffic_revalidate(d);
	/* The secrets go ahead, so that no rule names one that is not there yet. */
	config_send_secrets(d);
	config_send_rules(d);
	log_info("policy %s is in force, generation %u: %zu filters, %zu of them negotiate",
		 d->policy->name, d->generation, d->image->count, d->rule_count);
	monitor_policy(d);
	return 0;
}

static void explain(int rc, struct diag *diag)
{
	if (rc && !diag->errors)
		diag_add(diag, DIAG_ERROR, NULL, NULL, "the policy cannot be put in force: %s",
			 strerror(-rc));
}

int config_check(struct daemon *d, const char *path, struct diag *diag)
{
	struct candidate c = {0};
	int rc = load(d, path, &c, diag);

	explain(rc, diag);
	candidate_free(&c);
	return rc;
}

int config_apply(struct daemon *d, const char *path, struct diag *diag)
{
	struct candidate c = {0};
	int rc;

	rc = load(d, path, &c, diag);
	if (!rc)
		rc = enforce(d, &c, diag);
	explain(rc, diag);
	candidate_free(&c);
	return rc;
}

static bool side_names(const struct pol_side *side, const struct xi_addr *addr)
{
	for (size_t i = 0; i < side->count; i++) {
		const struct pol_addr *given = &side->addrs[i];

		if (given->kind == POL_ADDR_PREFIX &&
		    given->prefix.len == xi_family_bits(addr->family) &&
		    xi_addr_equal(&given->prefix.addr, addr))
			return true;
	}
	return false;
}

bool config_names_address(const struct daemon *d, const struct xi_addr *addr)
{
	const struct policy *policy = d->policy;

	for (size_t i = 0; i < policy->list_count; i++)
		for (size_t k = 0; k < policy->filter_lists[i].count; k++) {
			const struct pol_filter *filter = &policy->filter_lists[i].filters[k];

			if (side_names(&filter->src, addr) || side_names(&filter->dst, addr))
				return true;
		}
	return false;
}

int config_recompile(struct daemon *d, struct diag *diag)
{
	struct candidate c = {.policy = d->policy, .path = d->policy_path, .recompiled = true};
	int rc;

	rc = compile(d, &c, diag);
	if (!rc) {
		/* They change hands within enforce(). */
		d->policy = NULL;
		d->policy_path = NULL;
		rc = enforce(d, &c, diag);
		if (rc) {
			d->policy = c.policy;
			d->policy_path = c.path;
		}
	}
	/* On failure both stay what they were. */
	if (rc) {
		c.policy = NULL;
		c.path = NULL;
	}
	explain(rc, diag);
	candidate_free(&c);
	return rc;
}

static bool handle_used(const struct daemon *d, uint32_t handle)
{
	for (size_t i = 0; i < d->rule_count; i++)
		for (unsigned j = 0; j < d->rules[i].auth_count; j++)
			if (d->rules[i].auth[j].secret == handle)
				return true;
	return false;
}

void config_send_secrets(struct daemon *d)
{
	if (!d->keys.ready)
		return;
	ipc_send(d->keys.ipc, IPC_SECRETS_BEGIN, 0, NULL, NULL, 0);
	for (size_t i = 0; i < d->secret_count; i++) {
		struct ipc_u32 handle = {i + 1};
		int fd;

		if (!handle_used(d, handle.value))
			continue;
		fd = open(d->secret_paths[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			log_error("the preshared key in %s cannot be read: %s", d->secret_paths[i],
				  strerror(errno));
			continue;
		}
		ipc_send(d->keys.ipc, IPC_SECRET, 0, &handle, &fd, 1);
		close(fd);
	}
	ipc_send(d->keys.ipc, IPC_SECRETS_END, 0, NULL, NULL, 0);
}

void config_send_rules(struct daemon *d)
{
	struct ipc_rules head = {d->rule_count, d->generation};

	if (!d->ike.ready)
		return;
	ipc_send(d->ike.ipc, IPC_RULES_BEGIN, 0, &head, NULL, 0);
	for (size_t i = 0; i < d->rule_count; i++)
		ipc_send(d->ike.ipc, IPC_RULE, 0, &d->rules[i], NULL, 0);
	ipc_send(d->ike.ipc, IPC_RULES_END, 0, NULL, NULL, 0);
}

void config_free(struct daemon *d)
{
	policy_free(d->policy);
	image_free(d->image);
	free(d->rules);
	free(d->policy_path);
	d->policy = NULL;
	d->image = NULL;
	d->rules = NULL;
	d->rule_count = 0;
	d->policy_path = NULL;
}

const char *config_rule_name(const struct daemon *d, uint32_t rule, uint32_t generation)
{
	if (!d->policy || generation < d->policy_since || rule >= d->policy->rule_count)
		return NULL;
	return d->policy->rules[rule].name;
}
