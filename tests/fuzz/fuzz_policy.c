/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a policy text: they are refused with a message, or they load, and
 * then what is printed loads to an equal policy and prints as itself.
 * Files named by the text are looked for where the golden tests keep theirs.
 */
// FUZZ-SOURCES: userspace/policy/*.c userspace/util/addr.c userspace/util/algs.c
// userspace/util/diag.c userspace/util/memtext.c userspace/util/suggest.c
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

#define PATH "tests/golden/policy/fuzz.yaml"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void fail(const char *what, const char *text)
{
	fprintf(stderr, "%s:\n%s\n", what, text);
	abort();
}

static struct policy *reload(const char *text)
{
	struct policy *policy = NULL;
	struct diag diag = {0};
	char *why;

	if (policy_parse(text, strlen(text), PATH, &policy, &diag)) {
		why = diag_text(&diag);
		fprintf(stderr, "%s", why);
		fail("the printed policy does not load", text);
	}
	diag_free(&diag);
	return policy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct policy *policy = NULL, *second;
	struct diag diag = {0};
	char *text, *again;
	int err;

	err = policy_parse((const char *)data, len, PATH, &policy, &diag);
	if (err && !diag.errors)
		fail("refused without a reason", "");
	if (!err && diag.errors)
		fail("accepted with errors", "");
	diag_free(&diag);
	if (err)
		return 0;
	policy_supported(policy, &diag);
	diag_free(&diag);
	text = policy_print(policy);
	second = reload(text);
	if (!policy_equal(policy, second))
		fail("the printed policy is another one", text);
	again = policy_print(second);
	if (strcmp(text, again))
		fail("the printed policy prints differently", again);
	free(text);
	free(again);
	policy_free(policy);
	policy_free(second);
	return 0;
}
