/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folder of vectors and captures, named by the environment's XI_DATA
 * (default ../shared/data). It may be absent: a test then skips and says so.
 */
#ifndef TESTS_LIB_DATA_H
#define TESTS_LIB_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

const char *data_root(void);
/*
 * A file under the root, decompressed if it is named .xz, with a NUL behind
 * it. NULL when there is no such file; a broken one ends the test program.
 */
char *data_read(const char *path, size_t *ret_len);

/* For cmocka tests: skips, and says which part of the folder is not there. */
#define data_skip(path)                                                                            \
	do {                                                                                       \
		print_message("skipped: %s/%s is not there\n", data_root(), path);                 \
		skip();                                                                            \
	} while (0)

/*
 * The regular files of a folder under the root whose names end in suffix, in
 * order of name, as paths for data_read(). Returns how many; free with data_list_free().
 */
size_t data_list(const char *folder, const char *suffix, char ***ret);
void data_list_free(char **list, size_t count);

/* Bytes of a hex text, either case. Ends the program on bad text or when it does not fit. */
size_t data_hex(const char *hex, void *ret, size_t cap);

/* NIST CAVS response files: "[section]" lines and blocks of "name = value". */
#define CAVS_FIELDS 24

struct cavs {
	char *text; /* owned, cut up */
	char *next;
	unsigned sections, fields;
	const char *section[CAVS_FIELDS]; /* without the brackets */
	const char *name[CAVS_FIELDS], *value[CAVS_FIELDS];
};

/* False when the file is not there. */
bool cavs_open(struct cavs *cavs, const char *path);
/* The next block that begins with COUNT; false at the end. */
bool cavs_next(struct cavs *cavs);
bool cavs_in_section(const struct cavs *cavs, const char *section);
/* NULL when the block has no such field. */
const char *cavs_get(const struct cavs *cavs, const char *name);
void cavs_close(struct cavs *cavs);

#endif
