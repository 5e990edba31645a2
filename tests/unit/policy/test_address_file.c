/* SPDX-License-Identifier: BSD-2-Clause */
/* Address files: long ones, published ones, and damaged ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "compile/image.h"
#include "compile/words.h"
#include "policy/policy.h"
#include "tests/lib/data.h"
#include "util/addr.h"

static char path[] = "/tmp/xipsec-netset-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	return unlink(path);
}

/* A policy whose one filter reads this file; NULL and the messages when it is refused. */
static struct policy *load_with(const char *file, char **ret_said)
{
	struct policy *policy = NULL;
	struct diag diag = {0};
	char *text = NULL;

	assert_true(asprintf(&text,
			     "policy: p\nfilter-lists: {a: [{src-file: \"%s\", dst: me}]}\n"
			     "rules: [{name: r, filter-list: a, action: block}]\n",
			     file) > 0);
	policy_parse(text, strlen(text), "policy.yaml", &policy, &diag);
	*ret_said = diag_text(&diag);
	diag_free(&diag);
	free(text);
	return policy;
}

static void write_bytes(const void *bytes, size_t len)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static void a_hundred_thousand_lines_load_in_order(void **state)
{
	FILE *out = fopen(path, "w");
	struct policy *policy;
	struct xi_addr want;
	char *said, text[XI_ADDR_STRLEN];

	assert_non_null(out);
	for (unsigned i = 0; i < 100000; i++)
		fprintf(out, "10.%u.%u.%u\n", i >> 16, (i >> 8) & 255, i & 255);
	assert_int_equal(fclose(out), 0);
	policy = load_with(path, &said);
	assert_string_equal(said, "");
	assert_non_null(policy);
	assert_int_equal(policy->filter_lists[0].filters[0].src.count, 100000);
	for (unsigned i = 0; i < 100000; i += 333) {
		snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, (i >> 8) & 255, i & 255);
		assert_int_equal(xi_addr_parse(text, &want), 0);
		assert_true(xi_addr_equal(
			&policy->filter_lists[0].filters[0].src.addrs[i].prefix.addr, &want));
	}
	free(said);
	policy_free(policy);
}

static void lists_written_on_other_systems_load(void **state)
{
	static const char list[] =
		"\xef\xbb\xbf"
		"192.0.2.0/24\r\n; a comment\r\n\r\n\t2001:db8::/32 # and another\r\n";
	struct policy *policy;
	char *said;

	write_bytes(list, sizeof(list) - 1);
	policy = load_with(path, &said);
	assert_string_equal(said, "");
	assert_non_null(policy);
	assert_int_equal(policy->filter_lists[0].filters[0].src.count, 2);
	free(said);
	policy_free(policy);
}

/* Lines that hold something besides a comment, counted without our reader. */
static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (const char *line = text; *line; line += *line ? 1 : 0) {
		count += strspn(line, " \t\r\n#;") == 0;
		line += strcspn(line, "\n");
	}
	return count;
}

static void published_lists_load_whole(void **state)
{
	char **lists, *text, *said, *file = NULL;
	size_t count = data_list("blocklists", "netset", &lists), len;
	struct policy *policy;

	if (!count)
		data_skip("blocklists");
	for (size_t i = 0; i < count; i++) {
		text = data_read(lists[i], &len);
		assert_non_null(text);
		assert_true(asprintf(&file, "%s/%s", data_root(), lists[i]) > 0);
		policy = load_with(file, &said);
		assert_string_equal(said, "");
		assert_non_null(policy);
		assert_int_equal(policy->filter_lists[0].filters[0].src.count, count_lines(text));
		policy_free(policy);
		free(said);
		free(file);
		free(text);
	}
	data_list_free(lists, count);
}

static void errors_name_the_line_of_the_file(void **state)
{
	static const char bytes[] = "192.0.2.0/24\r\n# comment\n\t 10.0.0.1/8\n2001:db8::\n";
	struct policy *policy;
	char *said, *want = NULL;

	write_bytes(bytes, sizeof(bytes) - 1);
	policy = load_with(path, &said);
	assert_null(policy);
	assert_true(asprintf(&want,
			     "%s:3:3: error: '10.0.0.1/8' has bits set behind the prefix length "
			     "(did you mean 10.0.0.0/8?)\n",
			     path) > 0);
	assert_string_equal(said, want);
	free(want);
	free(said);
}

/* The opposite, every address, would turn an empty list of friends into an open door. */
static void an_empty_file_matches_nothing(void **state)
{
	struct compile_opts opts = {0};
	struct image *image = NULL;
	struct policy *policy;
	char *said;

	write_bytes("# nobody\n", 9);
	policy = load_with(path, &said);
	assert_non_null(policy);
	assert_non_null(strstr(said, "holds no address: the filter matches nothing"));
	assert_int_equal(compile_policy(policy, &opts, &image, NULL), 0);
	for (size_t i = 0; i < image->count; i++)
		assert_int_not_equal(image->filters[i].rule, 0);
	image_free(image);
	policy_free(policy);
	free(said);
}

/* The line that the filter's listed address stands in, whichever side that is. */
static void expect_place(const struct policy *policy, const struct filter *f, const char *file)
{
	const struct xi_prefix *listed = f->local_is_me ? &f->remote : &f->local;
	char text[XI_PREFIX_STRLEN], *found = NULL;
	unsigned at = 0, want = 0;
	struct diag_loc loc;
	FILE *in = fopen(file, "r");
	size_t room = 0;

	assert_non_null(in);
	xi_prefix_text(listed, text);
	while (getline(&found, &room, in) > 0) {
		at++;
		if (!strncmp(found, text, strlen(text)) && strchr(" \n", found[strlen(text)]))
			want = at;
	}
	fclose(in);
	free(found);
	assert_int_not_equal(want, 0);
	assert_non_null(filter_loc(policy, f, &loc));
	assert_string_equal(loc.file, file);
	assert_int_equal(loc.line, want);
}

static void a_filter_is_placed_where_its_address_stands(void **state)
{
	/* What stands before the name of the file, and behind it. */
	static const char *const entries[][2] = {
		{"src-file: ", "dst: me"},
		{"src: me, dst-file: ", "proto: udp"},
		{"src-file: ", "dst: me, mirrored: false"},
	};
	static const char list[] = "# three\n192.0.2.0/24\n\n; one more\n198.51.100.7 # here\n"
				   "2001:db8::/32\n";
	struct compile_opts opts = {0};

	write_bytes(list, sizeof(list) - 1);
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		struct policy *policy = NULL;
		struct image *image = NULL;
		char *text = NULL;
		size_t seen = 0;

		assert_true(asprintf(&text,
				     "policy: p\nfilter-lists: {a: [{%s\"%s\", %s}]}\n"
				     "rules: [{name: r, filter-list: a, action: block}]\n",
				     entries[i][0], path, entries[i][1]) > 0);
		assert_int_equal(policy_parse(text, strlen(text), "policy.yaml", &policy, NULL), 0);
		assert_int_equal(compile_policy(policy, &opts, &image, NULL), 0);
		for (size_t k = 0; k < image->count; k++, seen++)
			expect_place(policy, &image->filters[k], path);
		assert_true(seen >= 3);
		image_free(image);
		policy_free(policy);
		free(text);
	}
}

/* What loses to the line of another file names both lines. */
static void messages_name_the_line(void **state)
{
	static const char list[] = "# two\n192.0.2.0/24\n198.51.100.7\n";
	struct compile_opts opts = {0};
	struct policy *policy = NULL;
	struct image *image = NULL;
	struct diag diag = {0};
	char *text = NULL, *said;

	write_bytes(list, sizeof(list) - 1);
	assert_true(asprintf(&text,
			     "policy: p\nfilter-lists:\n  a: [{src-file: \"%s\", dst: me}]\n"
			     "  b: [{src: 198.51.100.7, dst: me}]\n"
			     "rules:\n  - {name: no, filter-list: a, action: block}\n"
			     "  - {name: yes, filter-list: b, action: permit}\n",
			     path) > 0);
	assert_int_equal(policy_parse(text, strlen(text), "policy.yaml", &policy, NULL), 0);
	free(text);
	assert_int_equal(compile_policy(policy, &opts, &image, &diag), 0);
	said = diag_text(&diag);
	assert_true(
		asprintf(&text,
			 "policy.yaml:4:7: warning: rule 'yes' (permit) is shadowed by rule 'no' "
			 "(block) at %s:3 on",
			 path) > 0);
	if (!strstr(said, text))
		fail_msg("expected '%s', got '%s'", text, said);
	free(text);
	free(said);
	diag_free(&diag);
	image_free(image);
	policy_free(policy);
}

/* Every byte value in the middle of an otherwise good file. */
static void strange_bytes_are_refused(void **state)
{
	static const char fine[] = "\n\r\t #;";
	char bytes[] = "192.0.2.1\n192.0.2.?2\n192.0.2.3\n", *said;
	struct policy *policy;

	for (int c = 0; c < 256; c++) {
		bytes[18] = (char)c;
		write_bytes(bytes, sizeof(bytes) - 1);
		policy = load_with(path, &said);
		/* "192.0.2." is no address either, wherever it is cut off. */
		if (c >= '1' && c <= '9')
			assert_non_null(policy);
		else
			assert_null(policy);
		if (c >= 127 || (c < ' ' && !strchr(fine, c)) || !c)
			assert_non_null(strstr(said, "this is not plain text"));
		free(said);
		policy_free(policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_thousand_lines_load_in_order),
		cmocka_unit_test(lists_written_on_other_systems_load),
		cmocka_unit_test(published_lists_load_whole),
		cmocka_unit_test(errors_name_the_line_of_the_file),
		cmocka_unit_test(an_empty_file_matches_nothing),
		cmocka_unit_test(a_filter_is_placed_where_its_address_stands),
		cmocka_unit_test(messages_name_the_line),
		cmocka_unit_test(strange_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
