/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for secrets, and reading one from a file; see secret.h. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/secret.h"

/* The length of the mapping stands before the memory handed out. */
#define SECRET_HEAD 64

void *secret_alloc(size_t len)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t total = (SECRET_HEAD + len + page - 1) / page * page;
	uint8_t *map;

	if (len > SIZE_MAX / 2)
		return NULL;
	map = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	/* Each of these may be refused by a small limit; the memory is usable all the same. */
	(void)mlock(map, total);
	(void)madvise(map, total, MADV_DONTDUMP);
	(void)madvise(map, total, MADV_DONTFORK);
	memcpy(map, &total, sizeof(total));
	return map + SECRET_HEAD;
}

void secret_free(void *ptr)
{
	uint8_t *map;
	size_t total;

	if (!ptr)
		return;
	map = (uint8_t *)ptr - SECRET_HEAD;
	memcpy(&total, map, sizeof(total));
	explicit_bzero(map, total);
	munmap(map, total);
}

int secret_read(int fd, void **ret, size_t *ret_len)
{
	uint8_t *buf = secret_alloc(SECRET_MAX + 2);
	size_t len = 0;
	uint8_t *end;
	ssize_t got;
	int rc;

	if (!buf)
		return -ENOMEM;
	/* One line of SECRET_MAX bytes with its line end fits; one byte more does not. */
	while (len < SECRET_MAX + 2) {
		got = pread(fd, buf + len, SECRET_MAX + 2 - len, len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			rc = -errno;
			goto out;
		}
		if (!got)
			break;
		len += got;
	}
	end = memchr(buf, '\n', len);
	if (end)
		len = end - buf;
	if (len && buf[len - 1] == '\r')
		len--;
	rc = len > SECRET_MAX ? -E2BIG : !len ? -ENODATA : 0;
	if (rc)
		goto out;
	*ret = buf;
	*ret_len = len;
	return 0;
out:
	secret_free(buf);
	return rc;
}
