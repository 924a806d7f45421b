// SPDX-License-Identifier: GPL-2.0
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void look_at_file(struct source *s)
{
	struct stat st;
	off_t at;

	if (fstat(s->fd, &st) || !S_ISREG(st.st_mode))
		return;
	at = lseek(s->fd, 0, SEEK_CUR);
	s->whole = at == 0;
	s->total = at >= 0 && at < st.st_size ? st.st_size - at : 0;
}

int source__open(struct source *s, const char *path)
{
	memset(s, 0, sizeof(*s));
	s->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (s->fd < 0)
		return -errno;
	s->buf = malloc(SOURCE_BYTES);
	if (!s->buf) {
		source__close(s);
		return -ENOMEM;
	}
	look_at_file(s);
	return 0;
}

void source__close(struct source *s)
{
	free(s->buf);
	s->buf = NULL;
	if (s->fd > STDIN_FILENO)
		close(s->fd);
	s->fd = -1;
}

ssize_t source__read(struct source *s, void *data, size_t n)
{
	ssize_t got;

	do
		got = read(s->fd, data, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	s->done += got;
	return got;
}

int source__fill(struct source *s)
{
	ssize_t got;

	s->len = source__left(s);
	memmove(s->buf, s->buf + s->pos, s->len);
	s->pos = 0;
	if (s->len == SOURCE_BYTES)
		return -ENOBUFS;
	got = source__read(s, s->buf + s->len, SOURCE_BYTES - s->len);
	if (got <= 0)
		return got;
	s->len += got;
	return 1;
}
