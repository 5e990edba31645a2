/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening, checking and reading the files of a policy. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/textfile.h"

/* Never waits: a FIFO or device named by a policy must not hang its check. */
static int open_file(const char *path, enum textfile_kind kind, struct stat *ret_stat,
		     struct complaint *why)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY, err;
	int fd = open(path, kind == TEXTFILE_REGULAR ? flags | O_NONBLOCK : flags);

	if (fd < 0) {
		err = -errno;
		complain(why, NULL, "cannot be read: %s", strerror(-err));
		return err;
	}
	if (fstat(fd, ret_stat)) {
		err = -errno;
		complain(why, NULL, "cannot be read: %s", strerror(-err));
		goto fail;
	}
	if (S_ISDIR(ret_stat->st_mode)) {
		err = -EISDIR;
		complain(why, NULL, "is a directory");
		goto fail;
	}
	if (kind == TEXTFILE_REGULAR && !S_ISREG(ret_stat->st_mode)) {
		err = -EINVAL;
		complain(why, NULL, "is not a regular file");
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return err;
}

int textfile_read(const char *path, size_t max, enum textfile_kind kind, char **ret,
		  size_t *ret_len, struct complaint *why)
{
	size_t len = 0, size = 65536;
	char *text = NULL, *larger;
	struct stat st;
	ssize_t got;
	int fd, err = 0;

	fd = open_file(path, kind, &st, why);
	if (fd < 0)
		return fd;
	if (S_ISREG(st.st_mode) && st.st_size > 0 && (size_t)st.st_size <= max)
		size = (size_t)st.st_size + 2;
	for (;;) {
		if (!text || len + 1 >= size) {
			size = text ? size * 2 : size;
			larger = realloc(text, size);
			if (!larger) {
				err = -ENOMEM;
				complain(why, NULL, "out of memory");
				break;
			}
			text = larger;
		}
		got = read(fd, text + len, size - len - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err = -errno;
			complain(why, NULL, "cannot be read: %s", strerror(-err));
			break;
		}
		if (!got)
			break;
		len += (size_t)got;
		if (len > max) {
			err = -EFBIG;
			complain(why, NULL, "is larger than %zu bytes", max);
			break;
		}
	}
	close(fd);
	if (err) {
		free(text);
		return err;
	}
	text[len] = '\0';
	*ret = text;
	*ret_len = len;
	return 0;
}

int textfile_check(const char *path, struct stat *ret_stat, struct complaint *why)
{
	struct stat st;
	int fd = open_file(path, TEXTFILE_REGULAR, &st, why);

	if (fd < 0)
		return fd;
	close(fd);
	*ret_stat = st;
	return 0;
}

char *textfile_resolve(const char *policy_file, const char *name)
{
	const char *slash = strrchr(policy_file, '/');
	size_t dir = slash && *name != '/' ? (size_t)(slash - policy_file) + 1 : 0;
	size_t len = strlen(name);
	char *path = malloc(dir + len + 1);

	if (!path)
		return NULL;
	memcpy(path, policy_file, dir);
	memcpy(path + dir, name, len + 1);
	return path;
}
