/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_IKE_RULES_H
#define DAEMON_IKE_RULES_H

#include <stddef.h>
#include <stdint.h>

#include <xipsec/diag.h>
#include <xipsec/ike.h>

struct policy;
struct image;

/*
 * The negotiate filters of a compiled policy as IKE wants them: highest
 * precedence first, as seen from this host, each once (a mirrored filter gives
 * the same selector in both directions). Pure.
 *
 * secret_handle() names the secret in a file to the keys role; 0 = out of memory.
 * Returns 0 and a calloc'ed array, -EINVAL with the rule named in diag when a
 * rule has nothing that IKE can use, or -ENOMEM.
 */
int ike_rules_build(const struct policy *policy, const struct image *image,
		    uint32_t (*secret_handle)(void *arg, const char *path), void *arg,
		    struct ike_rule **ret, size_t *ret_count, struct diag *diag);

#endif
