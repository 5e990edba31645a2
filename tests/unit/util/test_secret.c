/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for secrets, and reading a preshared key from a file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/secret.h"

static int read_text(const char *text, size_t len, void **ret, size_t *ret_len)
{
	int fd = memfd_create("psk", 0), rc;

	assert_int_equal(write(fd, text, len), len);
	rc = secret_read(fd, ret, ret_len);
	close(fd);
	return rc;
}

static void is_read_as(const char *text, const char *expected)
{
	void *psk;
	size_t len;

	assert_int_equal(read_text(text, strlen(text), &psk, &len), 0);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(psk, expected, len);
	secret_free(psk);
}

static void a_preshared_key_is_the_first_line_without_its_end(void **state)
{
	is_read_as("secret\n", "secret");
	is_read_as("secret", "secret");
	is_read_as("secret\r\n", "secret");
	is_read_as("two words \nand a second line\n", "two words ");
}

static void an_empty_key_is_refused(void **state)
{
	void *psk = NULL;
	size_t len;

	assert_int_equal(read_text("", 0, &psk, &len), -ENODATA);
	assert_int_equal(read_text("\nsecret\n", 8, &psk, &len), -ENODATA);
	assert_int_equal(read_text("\r\n", 2, &psk, &len), -ENODATA);
	assert_null(psk);
}

static void the_longest_key_fits_and_one_byte_more_does_not(void **state)
{
	char text[SECRET_MAX + 3];
	void *psk = NULL;
	size_t len;

	memset(text, 'k', sizeof(text));
	assert_int_equal(read_text(text, SECRET_MAX, &psk, &len), 0);
	assert_int_equal(len, SECRET_MAX);
	secret_free(psk);
	text[SECRET_MAX] = '\r';
	text[SECRET_MAX + 1] = '\n';
	assert_int_equal(read_text(text, SECRET_MAX + 2, &psk, &len), 0);
	assert_int_equal(len, SECRET_MAX);
	secret_free(psk);
	memset(text, 'k', sizeof(text));
	assert_int_equal(read_text(text, SECRET_MAX + 1, &psk, &len), -E2BIG);
	assert_int_equal(read_text(text, sizeof(text), &psk, &len), -E2BIG);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	void *psk;
	size_t len;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(secret_read(fds[0], &psk, &len), -ESPIPE);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(secret_read(-1, &psk, &len), -EBADF);
}

static void secrets_are_left_out_of_core_dumps(void **state)
{
	char line[512], *secret = secret_alloc(100);
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long lo, hi;
	bool here = false, found = false;

	assert_non_null(secret);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			here = (uintptr_t)secret >= lo && (uintptr_t)secret < hi;
		if (here && !strncmp(line, "VmFlags:", 8))
			found = strstr(line, " dd") && strstr(line, " dc");
	}
	fclose(maps);
	assert_true(found);
	secret_free(secret);
	secret_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_preshared_key_is_the_first_line_without_its_end),
		cmocka_unit_test(an_empty_key_is_refused),
		cmocka_unit_test(the_longest_key_fits_and_one_byte_more_does_not),
		cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
		cmocka_unit_test(secrets_are_left_out_of_core_dumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
