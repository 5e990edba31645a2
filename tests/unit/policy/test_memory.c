/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that runs out, at every single allocation in turn: loading says so,
 * returns nothing and leaks nothing (the sanitizer build sees to the latter).
 * The allocator is this program's own, in front of the C library's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "policy/policy.h"

/* The allocator of the C library, and of the sanitizer where there is one. */
void *__libc_malloc(size_t len);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t len);
void __libc_free(void *ptr);
__attribute__((weak)) void *__interceptor_malloc(size_t len);
__attribute__((weak)) void *__interceptor_calloc(size_t count, size_t size);
__attribute__((weak)) void *__interceptor_realloc(void *ptr, size_t len);
__attribute__((weak)) void __interceptor_free(void *ptr);

/* Called before the sanitizers are ready. */
#define PLAIN __attribute__((no_sanitize("address", "undefined")))

static bool armed;
static size_t calls, fail_at;

PLAIN static bool out_of_memory(void)
{
	return armed && ++calls == fail_at;
}

PLAIN void *malloc(size_t len)
{
	if (out_of_memory())
		return NULL;
	return __interceptor_malloc ? __interceptor_malloc(len) : __libc_malloc(len);
}

PLAIN void *calloc(size_t count, size_t size)
{
	if (out_of_memory())
		return NULL;
	return __interceptor_calloc ? __interceptor_calloc(count, size)
				    : __libc_calloc(count, size);
}

PLAIN void *realloc(void *ptr, size_t len)
{
	if (out_of_memory())
		return NULL;
	return __interceptor_realloc ? __interceptor_realloc(ptr, len) : __libc_realloc(ptr, len);
}

PLAIN void free(void *ptr)
{
	__interceptor_free ? __interceptor_free(ptr) : __libc_free(ptr);
}

/* libc's own would go past the allocator above in some builds. */
char *strdup(const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = malloc(len);

	return copy ? memcpy(copy, text, len) : NULL;
}

static char path[] = "/tmp/xipsec-memory-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	return fd < 0 || write(fd, "10.0.0.0/8\n", 11) != 11 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	return unlink(path);
}

/* Every kind of thing that is allocated for. */
static char *full_text(void)
{
	char *text = NULL;

	assert_true(asprintf(&text,
			     "policy: p\n"
			     "main-mode: {methods: [aes128-sha1-modp2048]}\n"
			     "filter-lists:\n"
			     "  a: [{src-file: \"%s\", dst: [me, 10.0.0.1]}]\n"
			     "  b: [{src: me, dst: www.example.org, description: d}]\n"
			     "filter-actions:\n"
			     "  n: {negotiate: {methods: [{esp: aes128gcm16}]}}\n"
			     "rules:\n"
			     "  - {name: one, filter-list: a, action: n,\n"
			     "     auth: [{psk-file: \"%s\"}, {cert: {ca: \"%s\", cert: \"%s\","
			     " key: \"%s\"}}]}\n"
			     "  - {name: two, filter-list: b, action: block}\n",
			     path, path, path, path, path) > 0);
	return text;
}

/* Half a policy loads, and is another one. */
static void printing_is_whole_or_nothing(void **state)
{
	struct policy *policy = NULL;
	char *want, *seen, *text = NULL;
	unsigned lost = 0;
	bool whole = false;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	fputs("policy: p\nfilter-lists:\n  a:\n", file);
	for (unsigned i = 0; i < 2000; i++)
		fprintf(file, "    - {src: 10.0.%u.%u, dst: me}\n", i >> 8, i & 255);
	fclose(file);
	assert_int_equal(policy_parse(text, strlen(text), "p.yaml", &policy, NULL), 0);
	free(text);
	want = policy_print(policy);
	assert_non_null(want);
	for (fail_at = 1; !whole; fail_at++) {
		calls = 0;
		armed = true;
		seen = policy_print(policy);
		armed = false;
		whole = calls < fail_at; /* nothing failed any more */
		if (whole)
			assert_non_null(seen);
		if (seen)
			assert_string_equal(seen, want);
		else
			lost++;
		free(seen);
		assert_true(fail_at < 1000);
	}
	assert_true(lost >= 4);
	free(want);
	policy_free(policy);
}

static void loading_survives_each_failed_allocation(void **state)
{
	char *text = full_text();
	struct policy *policy = NULL;
	int err = -ENOMEM;

	for (fail_at = 1; err; fail_at++) {
		struct diag diag = {0};

		calls = 0;
		armed = true;
		err = policy_parse(text, strlen(text), "p.yaml", &policy, &diag);
		armed = false;
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_null(policy);
			assert_true(diag.errors > 0);
		}
		diag_free(&diag);
		assert_true(fail_at < 10000);
	}
	/* Not reached unless the failures were real. */
	assert_true(fail_at > 50);
	policy_free(policy);
	free(text);
}

static void printing_survives_each_failed_allocation(void **state)
{
	char *text = full_text(), *printed = NULL;
	struct policy *policy = NULL, *again = NULL;

	assert_int_equal(policy_parse(text, strlen(text), "p.yaml", &policy, NULL), 0);
	for (fail_at = 1; !printed; fail_at++) {
		calls = 0;
		armed = true;
		printed = policy_print(policy);
		armed = false;
		assert_true(fail_at < 10000);
	}
	/* What is returned is whole, never a part. */
	assert_int_equal(policy_parse(printed, strlen(printed), "p.yaml", &again, NULL), 0);
	assert_true(policy_equal(policy, again));
	policy_free(policy);
	policy_free(again);
	free(printed);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loading_survives_each_failed_allocation),
		cmocka_unit_test(printing_is_whole_or_nothing),
		cmocka_unit_test(printing_survives_each_failed_allocation),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
